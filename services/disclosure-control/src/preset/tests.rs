use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::cell_key::ons::PTable;
use crate::release::{Line, Manifest};
use crate::rounding::AgencyRounding;

/// A table of these counts, one for each code, beside no total; and how many per cent of the second the first is.
fn row(counts: &[i64]) -> Release {
    let codes: Vec<String> = (0..counts.len()).map(|code| format!("c{code:04}")).collect();
    let finest: serde_json::Map<_, _> = codes.iter().map(|code| (code.clone(), serde_json::json!([code]))).collect();
    let manifest = serde_json::json!({
        "format": 1, "threshold": 5,
        "dimensions": { "code": { "codes": finest } },
        "measures": { "people": {}, "all": {} },
        "tables": [
            { "file": "people.csv", "dims": ["code"], "measure": "people" },
            { "file": "all.csv", "dims": ["code"], "measure": "all" },
            { "file": "percent.csv", "dims": ["code"], "percent": { "numerator": "people", "denominator": "all", "step": 0.1 } },
        ],
    });
    let line = |code: &String, value: i64| Line {
        codes: vec![code.clone()],
        value: Some(f64::from(i32::try_from(value).unwrap())),
        mark: String::new(),
    };
    let people = codes.iter().zip(counts).map(|(code, count)| line(code, *count)).collect();
    let all = codes.iter().map(|code| line(code, 60)).collect();
    Release::new(Manifest::read(manifest.to_string().as_bytes()).unwrap(), &[people, all, Vec::new()]).unwrap()
}

fn published(preset: &Preset, counts: &[i64], uniform: u64) -> Published {
    preset.publish(&row(counts), &BTreeMap::new(), &|_| uniform).unwrap()
}

/// What is shown of each count.
fn shown(preset: &Preset, counts: &[i64]) -> Vec<Option<i64>> {
    let release = published(preset, counts, 0).release;
    release.cells.iter().filter(|((measure, _), _)| measure == "people").map(|(_, cell)| cell.value).collect()
}

#[test]
fn nhs_presets_show_of_each_count_what_the_agencies_rules_show() {
    let counts: Vec<i64> = (0..300).chain([10_023, 57_002]).collect();
    for (preset, agency) in [(Preset::NHS_HES, AgencyRounding::NHS_HES), (Preset::NHS_MHSDS, AgencyRounding::NHS_MHSDS)]
    {
        let expected: Vec<_> = counts.iter().map(|count| agency.shown(*count)).collect();
        assert_eq!(shown(&preset, &counts), expected, "{}", preset.name);
    }
}

#[test]
fn hes_and_codon_agree_on_everything_from_8() {
    // codonPython's own vectors
    let vectors = [(0, Some(0)), (8, Some(10)), (16, Some(15)), (57, Some(55)), (10_023, Some(10_025))];
    let (counts, expected): (Vec<i64>, Vec<Option<i64>>) = vectors.into_iter().unzip();
    assert_eq!(shown(&Preset::NHS_HES, &counts), expected);
    assert!(counts.iter().zip(expected).all(|(count, shown)| AgencyRounding::NHS_CODON.shown(*count) == shown));
}

#[test]
fn the_10_5_rule_shows_what_the_ons_table_shows_whatever_the_key() {
    let table = PTable::ten_five();
    let counts: Vec<i64> = (0..1200).collect();
    for (count, shown) in counts.iter().zip(shown(&Preset::ONS_10_5, &counts)) {
        assert!([0, 47, 255].iter().all(|key| table.shown(*count, *key) == shown), "{count}");
    }
}

#[test]
fn cms_hides_1_to_10_and_opensafely_0_to_7() {
    let counts: Vec<i64> = (0..30).collect();
    let hidden = |preset: &Preset| -> BTreeSet<i64> {
        counts
            .iter()
            .zip(shown(preset, &counts))
            .filter(|(_, shown)| shown.is_none())
            .map(|(count, _)| *count)
            .collect()
    };
    assert_eq!(hidden(&Preset::CMS_11), (1..=10).collect());
    assert_eq!(hidden(&Preset::OPENSAFELY), (0..=7).collect());
    assert_eq!(hidden(&Preset::rule_of(Threshold::known(3))), (1..=2).collect());
    assert_eq!(shown(&Preset::CMS_11, &[0, 11, 57]), [Some(0), Some(11), Some(57)]);
    assert_eq!(shown(&Preset::OPENSAFELY, &[8, 12, 13]), [Some(10), Some(10), Some(15)]);
}

#[test]
fn random_rounding_takes_17_to_15_once_in_three_and_keeps_18() {
    let at = |uniform| {
        let release = published(&Preset::STATSNZ_RR3, &[17, 18], uniform).release;
        let people = release.cells.into_iter().filter(|((measure, _), _)| measure == "people");
        people.map(|(_, cell)| cell.value.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!([at(0), at(u64::MAX / 2), at(u64::MAX)], [[18, 18], [18, 18], [15, 18]]);
}

#[test]
fn a_hidden_count_hides_its_percentage() {
    let counts = [0, 4, 5, 20];
    let percents = |preset: &Preset| -> Vec<Option<f64>> {
        published(preset, &counts, 0).percents.into_iter().map(|(_, _, percent)| percent).collect()
    };
    assert_eq!(percents(&Preset::NHS_MHSDS), [None, None, Some(8.0), Some(33.0)], "of true counts, in whole per cent");
    assert_eq!(percents(&Preset::CMS_11), [Some(0.0), None, None, Some(33.0)]);
    let tenths: Vec<_> =
        percents(&Preset::NHS_HES).into_iter().map(|percent| percent.map(|percent| format!("{percent:.1}"))).collect();
    assert_eq!(tenths, [Some("0.0".to_owned()), None, None, Some("33.3".to_owned())], "of shown counts");
}

#[test]
fn percentages_of_what_is_shown_say_nothing_to_the_attack() {
    assert!(published(&Preset::NHS_HES, &[20, 30], 0).release.percents.is_empty());
    assert_eq!(published(&Preset::NHS_MHSDS, &[20, 30], 0).release.percents.len(), 2);
}

#[test]
fn a_mark_tells_what_the_rule_hides() {
    let tells = |preset: Preset| preset.mark_tells();
    assert_eq!(tells(Preset::NHS_HES), Some((1, 7)));
    assert_eq!(tells(Preset::NHS_MHSDS), Some((0, 4)));
    assert_eq!(tells(Preset::CMS_11), Some((1, 10)));
    assert_eq!(tells(Preset::ONS_10_5), Some((0, 9)));
    assert_eq!((tells(Preset::STATSNZ_RR3), tells(Preset::PEER_5)), (None, None));
    let manifest = published(&Preset::NHS_HES, &[3], 0).release.manifest;
    assert_eq!((manifest.marker.as_str(), manifest.threshold), ("*", 8));
    assert_eq!(manifest.marks, [("*".to_owned(), (1, Some(7)))].into());
    assert_eq!(manifest.tables.iter().map(|table| table.rounded_to).collect::<Vec<_>>(), [Some(5), Some(5), None]);
}

#[test]
fn a_mark_that_names_a_number_is_refused() {
    for mark in ["<5", "≤ 4", "1–4", "1-4", "small: < T", "5", "", " ", "a\n", "½"] {
        assert_eq!(Mark::try_from(mark.to_owned()), Err(MarkError(mark.to_owned())), "{mark:?}");
    }
    for preset in Preset::ALL {
        assert_eq!(Mark::try_from(preset.mark.as_str().to_owned()).as_ref(), Ok(&preset.mark));
    }
}

#[test]
fn ours_is_not_for_single_numbers() {
    let refused = Preset::PEER_5.publish(&row(&[3]), &BTreeMap::new(), &|_| 0).unwrap_err();
    assert_eq!(refused, PresetError::NeedsProtection("peer-5".to_owned()));
    assert_eq!(Preset::PEER_5.rules(), Rules { rules: vec![Rule::Members(Threshold::known(5))], zeros: Zeros::Public });
}

#[test]
fn a_step_of_percentages_is_above_0_and_at_most_100() {
    for step in [0.0, -1.0, 101.0, f64::NAN] {
        let preset = Preset { percents: Percents::OfTrue { step }, ..Preset::CMS_11 };
        assert!(matches!(preset.publish(&row(&[30]), &BTreeMap::new(), &|_| 0), Err(PresetError::Step(_))), "{step}");
    }
}

#[test]
fn presets_are_data_and_have_names_of_their_own() {
    let mut names = BTreeSet::new();
    for preset in Preset::ALL.into_iter().cloned().chain([Preset::rule_of(Threshold::known(3))]) {
        let json = serde_json::to_string(&preset).unwrap();
        assert_eq!(serde_json::from_str::<Preset>(&json).unwrap(), preset, "{json}");
        assert_eq!(Preset::named(&preset.name).as_ref(), Some(&preset));
        assert!(!preset.leaks.is_empty() && !preset.source.is_empty(), "{}", preset.name);
        assert!(names.insert(preset.name.into_owned()));
    }
}

#[test]
fn the_national_total_is_exact_where_the_agency_says_so() {
    let mut truth = row(&[3, 4]);
    let seen = Seen { value: Some(7), mark: String::new(), hidden: false, rounded_to: None };
    truth.cells.insert(("people".to_owned(), Vec::new()), seen.clone());
    let total = |preset: Preset| {
        let release = preset.publish(&truth, &BTreeMap::new(), &|_| 0).unwrap().release;
        release.cells[&("people".to_owned(), Vec::new())].clone()
    };
    assert_eq!(total(Preset::NHS_HES), seen);
    assert!(total(Preset::OPENSAFELY).hidden);
}

proptest! {
    #[test]
    fn what_is_shown_is_within_what_its_base_leaves_open(count in 0..400_i64, base in 2..20_u16, uniform: u64, random: bool) {
        let base = Base::new(base).unwrap();
        let rounding = if random { Rounding::Random(base) } else { Rounding::Nearest(base) };
        let preset = Preset { rounding, ..Preset::STATSNZ_RR3 };
        let release = published(&preset, &[count], uniform).release;
        let cell = release.cells.iter().find(|((measure, _), _)| measure == "people").unwrap().1;
        let off = (cell.rounded_to.unwrap() - 1) / 2;
        prop_assert!((cell.value.unwrap() - count).abs() <= off);
    }

    #[test]
    fn a_shown_zero_is_a_zero_where_all_small_numbers_are_hidden(count in 0..400_i64) {
        for preset in [Preset::NHS_HES, Preset::CMS_11] {
            let release = published(&preset, &[count], 0).release;
            let cell = release.cells.iter().find(|((measure, _), _)| measure == "people").unwrap().1;
            prop_assert_eq!(cell.value == Some(0), count == 0);
            prop_assert!(cell.value != Some(0) || cell.rounded_to.is_none());
        }
    }
}
