//! The definitions and texts that are shipped: licences, codes, and what others have got wrong.

use super::*;

#[test]
fn the_seventeen_instruments_are_shipped_under_their_file_names() {
    assert_eq!(SHIPPED.len(), 17);
    for (instrument, (name, _)) in SHIPPED.iter().zip(shipped::FILES) {
        assert_eq!((instrument.id.as_str(), instrument.version), (*name, 1));
    }
    assert_eq!(shipped(&id("phq-9"), 2), None);
    assert_eq!(shipped(&id("phq-15"), 1), None);
}

/// What may be done with whose texts, how sure that is, and whether the definition has them.
#[test]
fn each_instrument_has_the_licence_of_the_register() {
    use {Class::*, LicenceStatus::*};
    let register = [
        ("phq-9", A, OwnerStated, true),
        ("phq-2", A, OwnerStated, true),
        ("gad-7", A, OwnerStated, true),
        ("gad-2", A, OwnerStated, true),
        ("phq-4", A, OwnerStated, true),
        ("semcd-6", A, OwnerStated, true),
        ("ons4", A, OwnerStated, true),
        ("ons-loneliness", A, NotConfirmed, false), // once the notice of the Open Government Licence is on record
        ("core-10", B, OwnerStatementConflict, false),
        ("who-5", B, OwnerStated, false),
        ("barc-10", B, OwnerStatementConflict, false),
        ("ucla-3", B, NotConfirmed, false),
        ("swemwbs", C, OwnerStatementConflict, false),
        ("reqol-10", C, OwnerStated, false),
        ("bdi-ii", C, OwnerStated, false),
        ("dialog", C, NotConfirmed, false),
        ("wsas", C, OwnerStated, false),
    ];
    assert_eq!(register.len(), SHIPPED.len());
    for (name, class, status, texts) in register {
        let instrument = instrument(name);
        assert_eq!((instrument.licence.class, instrument.licence.status), (class, status), "{name}");
        assert_eq!(instrument.texts.contains_key("en"), texts, "{name}");
        assert!(!instrument.licence.owner.as_str().is_empty());
    }
}

#[test]
fn texts_on_terms_are_in_files_of_their_own_and_fit_their_instrument() {
    for (name, json) in [
        ("core-10", include_str!("../../../../../schemas/instruments/texts/core-10.en.json")),
        ("ucla-3", include_str!("../../../../../schemas/instruments/texts/ucla-3.en.json")),
        ("who-5", include_str!("../../../../../schemas/instruments/texts/who-5.en.json")),
    ] {
        let file: TextFile = serde_json::from_str(json).unwrap();
        assert_eq!(instrument(name).check_texts(&file), [], "{name}");
        assert_eq!(instrument(name).licence.class, Class::B);
        assert!(file.non_commercial, "{name}");
        assert_eq!(instrument(name).licence.attribution.as_ref(), Some(&file.attribution), "{name}");
        assert_eq!(file.texts.items.len(), instrument(name).items.len());
    }
}

#[test]
fn a_file_of_texts_that_does_not_fit_says_where() {
    let json = include_str!("../../../../../schemas/instruments/texts/ucla-3.en.json");
    let mut file: TextFile = serde_json::from_str(json).unwrap();
    file.version = 2;
    let text = file.texts.items.remove("2").unwrap();
    file.texts.items.insert(id("4"), text);
    file.texts.answers[0].answer = 0;
    file.sources.insert(id("nobody"), file.sources.values().next().unwrap().clone());
    let mistakes = instrument("ucla-3").check_texts(&file);
    let at: Vec<_> = mistakes.iter().map(|mistake| mistake.at.as_str()).collect();
    assert_eq!(at, ["version", "texts.items", "texts.items.4", "texts.answers[0].answer", "sources.nobody"]);
}

/// Codes that are confused elsewhere: 70272-0 is the total of the PHQ-4 and not of the GAD-2, 70273-8 the PHQ-15,
/// 71969-0 of PROMIS-10 and not the WHO-5, 100946-3 a loneliness score of R-Outcomes.
#[test]
fn loinc_codes_are_those_that_are_confirmed() {
    let codes = |name: &str| {
        let instrument = instrument(name);
        let items = instrument.items.iter().filter_map(|item| item.loinc.clone());
        let scores = instrument.scores.iter().filter_map(|score| score.loinc.clone());
        let panel = instrument.loinc.iter().filter_map(|codes| codes.panel.clone());
        panel.chain(scores).chain(items).map(|code| code.to_string()).collect::<Vec<_>>().join(" ")
    };
    for (name, confirmed) in [
        ("phq-9", "44249-1 44261-6 44250-9 44255-8 44259-0 44254-1 44251-7 44258-2 44252-5 44253-3 44260-8"),
        ("phq-2", "55758-7 44250-9 44255-8"),
        ("gad-7", "69737-5 70274-6 69725-0 68509-9 69733-4 69734-2 69735-9 69689-8 69736-7"),
        ("gad-2", "69725-0 68509-9"),
        ("phq-4", "69724-3 70272-0"),
    ] {
        assert_eq!(codes(name), confirmed);
    }
    let others =
        SHIPPED.iter().filter(|one| !one.id.as_str().starts_with("phq") && !one.id.as_str().starts_with("gad"));
    for other in others {
        assert_eq!(codes(other.id.as_str()), "", "{}", other.id);
    }
}

#[test]
fn the_table_of_the_swemwbs_has_29_entries_that_rise_and_ends_as_the_points_do() {
    let Combine::Table(table) = &instrument("swemwbs").scores[0].combine else { panic!("a table") };
    assert_eq!(table.values.len(), 29);
    assert!(table.values.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!((table.values[0], table.values[28]), (number("7"), number("35")));
    assert_eq!(table.values[29 - 7], number("26.02"), "25.99 elsewhere is a misprint");
    assert_eq!((table.values[23 - 7], table.values[32 - 7]), (number("20.73"), number("29.31")));
}

#[test]
fn the_pair_on_anxiety_comes_first_in_the_phq_4() {
    let first: Vec<_> = instrument("phq-4").items.iter().take(2).map(|item| item.id.clone()).collect();
    assert_eq!(instrument("phq-4").score(&id("anxiety")).unwrap().items, first);
    assert_eq!(scored("phq-4", "3,3,0,0").shown("anxiety").as_deref(), Ok("6"));
}

#[test]
fn the_lowest_answer_of_the_gad_7_is_not_at_all() {
    let answers = &instrument("gad-7").texts["en"].answers;
    assert_eq!(answers[0].answer, 0);
    assert_eq!(answers[0].text.as_str(), "Not at all");
}

#[test]
fn items_that_are_turned_are_those_of_the_reference() {
    let turned = |name: &str| {
        let turned = instrument(name).items.iter().filter(|item| item.points == Points::Reversed);
        turned.map(|item| item.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((turned("core-10").as_str(), turned("reqol-10").as_str()), ("2 3", "1 3 6 9"));
    for other in SHIPPED.iter().filter(|one| !["core-10", "reqol-10"].contains(&one.id.as_str())) {
        assert_eq!(turned(other.id.as_str()), "", "{}", other.id);
    }
}

/// Nothing that the reference could not confirm is a default.
#[test]
fn reliable_changes_are_those_that_were_seen_with_the_level_that_was_seen() {
    let changes = |name: &str| {
        let all = instrument(name).reliable_change.iter();
        all.map(|change| (change.threshold.to_string(), change.ci_level)).collect::<Vec<_>>()
    };
    let expected = |all: &[(&str, Option<u8>)]| {
        all.iter().map(|(threshold, level)| ((*threshold).to_owned(), *level)).collect::<Vec<_>>()
    };
    for (name, seen) in [
        ("phq-9", expected(&[("6", None), ("1.7", None), ("21", None)])),
        ("gad-7", expected(&[("4", None), ("6", None), ("1.5", None), ("26.8", None)])),
        ("who-5", expected(&[("10", None)])),
        ("core-10", expected(&[("6", Some(90)), ("9", None)])),
        ("swemwbs", expected(&[("1.03", None), ("2.87", None)])),
        ("bdi-ii", expected(&[("17.5", None), ("32", None), ("3.5", None), ("23", None)])),
    ] {
        assert_eq!(changes(name), seen, "{name}");
    }
    assert_eq!(SHIPPED.iter().filter(|one| !one.reliable_change.is_empty()).count(), 6);
}

#[test]
fn instruments_with_a_risk_item_are_four() {
    let risks = SHIPPED.iter().flat_map(|one| one.risk.iter().map(|risk| (one.id.as_str(), risk.items[0].as_str())));
    assert_eq!(risks.collect::<Vec<_>>(), [("bdi-ii", "9"), ("core-10", "6"), ("phq-9", "9"), ("reqol-10", "6")]);
}
