//! The worked examples of the reference, one table for each instrument: what was answered, and what must come out.

use super::*;

#[test]
fn the_phq_9_is_scored() {
    for (list, score, band, case, risk) in [
        ("3,0,1,2,0,0,1,0,3", "10", "moderate", true, raised_by("9")),
        ("0,0,0,0,0,0,0,0,0", "0", "minimal", false, Signal::NotRaised),
        ("3,3,3,3,3,3,3,3,3", "27", "severe", true, raised_by("9")),
        ("1,1,1,1,1,1,1,1,1", "9", "mild", false, raised_by("9")),
        ("2,2,1,–,1,1,1,–,0", "10.29", "moderate", true, Signal::NotRaised),
        ("1,1,1,1,2,1,2,–,–", "11.57", "moderate", true, not_answered("9")),
    ] {
        let read = scored("phq-9", list);
        assert_eq!(read.shown("total").as_deref(), Ok(score), "{list}");
        assert_eq!(read.band("total"), Some(band), "{list}");
        assert_eq!(read.meets("total", "caseness"), case, "{list}");
        assert_eq!(read.risk, risk, "{list}");
    }
    let read = scored("phq-9", "1,1,1,–,–,–,1,1,2");
    assert_eq!(read.shown("total"), too_few(6, 7));
    assert_eq!(read.risk, raised_by("9"), "without a score there is a risk all the same");
}

#[test]
fn the_prorated_score_of_the_phq_9_is_kept_as_it_is() {
    let read = scored("phq-9", "2,2,1,–,1,1,1,–,0");
    let reading = read.reading("total").unwrap();
    assert_eq!(reading.value, Number::ratio(72, 7));
    assert_eq!(reading.value.shown(), "10.3");
    assert_eq!(reading.from_items, Some(FromItems { points: 8, answered: 7, items: 9 }));
}

/// The only scores of the PHQ-9 that would be in another band if they were rounded first are 4.5 and 14.625, both of
/// eight answers; and none would be a case.
#[test]
fn the_bands_of_the_phq_9_read_the_exact_score() {
    let set = &instrument("phq-9").norm_sets[0];
    let (total, case) = (id("total"), &set.cut_offs[0]);
    let mut differ = vec![];
    for answered in 7..=9 {
        for points in 0..=3 * answered {
            let exact = Number::ratio(points * 9, answered);
            let rounded = number(&exact.rounded(0));
            if set.band(&total, exact) != set.band(&total, rounded) {
                differ.push((answered, points, exact));
            }
            assert_eq!(case.compare.holds(exact, case.value), case.compare.holds(rounded, case.value));
        }
    }
    assert_eq!(differ, [(8, 4, number("4.5")), (8, 13, number("14.625"))]);
}

#[test]
fn the_phq_2_and_the_gad_2_are_scored() {
    for (name, list) in [("phq-2", "2,1"), ("phq-2", "3,0"), ("gad-2", "3,0")] {
        let read = scored(name, list);
        assert_eq!(read.shown("total").as_deref(), Ok("3"), "{name} {list}");
        assert!(read.meets("total", "positive"), "{name} {list}");
        assert_eq!(read.risk, Signal::NotAvailable);
    }
    let below = answers(instrument("phq-2"), "1,1");
    assert!(!read("phq-2", &below).meets("total", "positive"));
    let other = instrument("phq-2").norm_set(&id("arroll-2010"), 1);
    assert!(score(instrument("phq-2"), &below, other).meets("total", "positive"), "a cut-off of 2 can be chosen");
}

#[test]
fn the_phq_4_has_three_scores() {
    for (list, anxiety, depression, total, band) in
        [("0,1,3,1", ("1", false), ("4", true), "5", "mild"), ("2,1,2,1", ("3", true), ("3", true), "6", "moderate")]
    {
        let read = scored("phq-4", list);
        assert_eq!(read.shown("anxiety").as_deref(), Ok(anxiety.0));
        assert_eq!(read.meets("anxiety", "anxiety-positive"), anxiety.1);
        assert_eq!(read.shown("depression").as_deref(), Ok(depression.0));
        assert_eq!(read.meets("depression", "depression-positive"), depression.1);
        assert_eq!((read.shown("total").as_deref(), read.band("total")), (Ok(total), Some(band)));
    }
    let read = scored("phq-4", "2,–,2,1");
    assert_eq!((read.shown("total"), read.shown("anxiety")), (too_few(3, 4), too_few(1, 2)));
    assert_eq!(read.shown("depression").as_deref(), Ok("3"));
    assert!(read.meets("depression", "depression-positive"));
}

#[test]
fn the_gad_7_is_scored() {
    for (list, score, band, nhs_case, screen) in [
        ("3,0,1,2,0,0,1", "7", "mild", false, false),
        ("2,2,1,1,1,1,0", "8", "mild", true, false),
        ("3,3,3,3,3,3,3", "21", "severe", true, true),
    ] {
        let read = scored("gad-7", list);
        assert_eq!((read.shown("total").as_deref(), read.band("total")), (Ok(score), Some(band)), "{list}");
        assert_eq!(read.meets("total", "nhs-caseness"), nhs_case, "{list}");
        assert_eq!(read.meets("total", "screening"), screen, "{list}");
    }
    assert_eq!(scored("gad-7", "2,2,2,2,2,–,2").shown("total"), too_few(6, 7));
}

#[test]
fn the_who_5_is_scored_and_screened() {
    for (list, points, per_cent, below) in
        [("4,1,0,2,3", 10, "40", true), ("3,3,3,2,2", 13, "52", false), ("3,3,3,2,1", 12, "48", true)]
    {
        let read = scored("who-5", list);
        let reading = read.reading("percentage").unwrap();
        assert_eq!((reading.from_items.unwrap().points, reading.value), (points, number(per_cent)), "{list}");
        assert_eq!(read.meets("percentage", "poor-well-being"), below, "{list}");
    }
    assert_eq!(scored("who-5", "3,3,3,2,1").screens["any-item-0-or-1"], raised_by("5"));
    assert_eq!(scored("who-5", "3,3,3,2,2").screens["any-item-0-or-1"], Signal::NotRaised);
    let read = scored("who-5", "5,5,5,–,5");
    assert_eq!(read.shown("percentage"), too_few(4, 5));
    assert_eq!(read.screens["any-item-0-or-1"], not_answered("4"));
}

/// No number of points gives a percentage between 48 and 52, so that below 50 is below 13 points.
#[test]
fn below_50_per_cent_of_the_who_5_is_below_13_points() {
    let cut_off = &instrument("who-5").norm_sets[0].cut_offs[0];
    for points in 0..=25_i64 {
        assert_eq!(cut_off.compare.holds(Number::from(points * 4), cut_off.value), points < 13, "{points}");
    }
    assert!(!read("who-5", &stated("percentage", "50")).meets("percentage", "poor-well-being"));
}

#[test]
fn the_core_10_is_scored() {
    for (list, score, band, case, risk) in [
        ("2,2,2,2,2,0,2,2,2,2", "18", "moderate", true, Signal::NotRaised),
        ("0,4,4,0,0,0,0,0,0,0", "0", "healthy", false, Signal::NotRaised),
        ("3,1,1,2,2,1,3,3,3,2", "25", "severe", true, raised_by("6")),
        ("1,3,3,1,1,0,2,1,2,1", "11", "mild", true, Signal::NotRaised),
        ("2,1,–,1,1,0,2,1,2,1", "14.44", "mild", true, Signal::NotRaised),
        // Nine answers of together 5 points: between the whole numbers 5 and 6, and so below 6.
        ("1,4,4,1,1,0,1,1,0,–", "5.56", "healthy", false, Signal::NotRaised),
    ] {
        let read = scored("core-10", list);
        assert_eq!(read.shown("clinical-score").as_deref(), Ok(score), "{list}");
        assert_eq!(read.band("clinical-score"), Some(band), "{list}");
        assert_eq!(read.meets("clinical-score", "general-distress"), case, "{list}");
        assert_eq!(read.risk, risk, "{list}");
    }
    assert_eq!(scored("core-10", "2,1,–,1,1,0,2,–,2,1").shown("clinical-score"), too_few(8, 9));
    let nothing = scored("core-10", "–,–,–,–,–,–,–,–,–,–");
    assert_eq!(nothing.shown("clinical-score"), too_few(0, 9), "nothing answered is not 0");
}

#[test]
fn the_swemwbs_is_looked_up() {
    for (list, points, metric) in [
        ("3,3,3,3,3,3,3", 21, "19.25"),
        ("4,4,3,4,3,4,4", 26, "23.21"),
        ("5,4,5,4,5,4,4", 31, "28.13"),
        ("3,3,3,3,3,3,4", 22, "19.98"),
    ] {
        let read = scored("swemwbs", list);
        let reading = read.reading("metric").unwrap();
        assert_eq!((reading.from_items.unwrap().points, reading.value), (points, number(metric)), "{list}");
    }
    assert_eq!(scored("swemwbs", "4,4,4,4,–,4,4").shown("metric"), too_few(6, 7), "not the sum of six");
}

#[test]
fn the_reqol_10_is_scored() {
    // Item 11, here 4, is not in the sum.
    let read = scored("reqol-10", "1,2,3,2,4,2,3,3,2,2,4");
    assert_eq!((read.shown("total").as_deref(), &read.risk), (Ok("24"), &raised_by("6")));
    assert_eq!(scored("reqol-10", "4,0,4,0,0,4,0,0,4,0").shown("total").as_deref(), Ok("0"));
    let read = scored("reqol-10", "2,2,2,2,2,2,2,2,2,2");
    assert_eq!(read.shown("total").as_deref(), Ok("20"));
    assert!(read.meets("total", "clinical"));
    let read = scored("reqol-10", "2,2,2,2,2,–,2,2,2,2");
    assert_eq!((read.shown("total"), read.risk), (too_few(9, 10), not_answered("6")));
}

/// Of an item that is turned for the score, the answer as given is what can be a risk.
#[test]
fn the_risk_item_of_the_reqol_is_read_as_it_was_given() {
    assert_eq!(scored("reqol-10", "2,2,2,2,2,0,2,2,2,2").risk, Signal::NotRaised, "gives 4 points, and is no risk");
    assert_eq!(scored("reqol-10", "2,2,2,2,2,1,2,2,2,2").risk, raised_by("6"));
}

#[test]
fn the_barc_10_is_scored() {
    for (list, score, at_cut_off) in [
        ("5,5,5,4,4,5,5,4,5,5", "47", true),
        ("5,4,5,5,4,5,5,4,5,4", "46", false),
        ("1,1,1,1,1,1,1,1,1,1", "10", false),
        ("6,6,6,6,6,6,6,6,6,6", "60", true),
    ] {
        let read = scored("barc-10", list);
        assert_eq!(read.shown("total").as_deref(), Ok(score));
        assert_eq!(read.meets("total", "sustained-remission"), at_cut_off);
    }
    assert_eq!(scored("barc-10", "5,5,5,4,4,5,5,4,5,–").shown("total"), too_few(9, 10));
    let nought = answers(instrument("barc-10"), "0,5,5,4,4,5,5,4,5,5");
    let errors = instrument("barc-10").validate(&nought).unwrap_err();
    assert_eq!(errors, [Invalid { id: id("1"), why: Why::AnswerOutOfRange { min: 1, max: 6 } }]);
}

#[test]
fn the_ucla_3_is_scored_and_the_direct_question_is_not_part_of_it() {
    for (list, score, lonely) in [("2,2,2", "6", true), ("1,2,2", "5", false), ("3,3,3", "9", true)] {
        let read = scored("ucla-3", list);
        assert_eq!((read.shown("total").as_deref(), read.meets("total", "lonely")), (Ok(score), lonely));
    }
    assert_eq!(scored("ucla-3", "2,–,2").shown("total"), too_few(2, 3));
    let some_of_the_time = scored("ons-loneliness", "2");
    assert_eq!(some_of_the_time.band("lonely"), Some("some-of-the-time"));
    assert!(!some_of_the_time.meets("lonely", "often-or-always"));
    assert!(scored("ons-loneliness", "1").meets("lonely", "often-or-always"));
}

#[test]
fn the_four_of_ons4_are_scored_singly() {
    for (list, bands) in [
        ("7,8,6,3", [Some("high"), Some("high"), Some("medium"), Some("low")]),
        ("4,5,9,6", [Some("low"), Some("medium"), Some("very-high"), Some("high")]),
        ("8,–,7,0", [Some("high"), None, Some("high"), Some("very-low")]),
    ] {
        let read = scored("ons4", list);
        assert_eq!(["satisfied", "worthwhile", "happy", "anxious"].map(|score| read.band(score)), bands, "{list}");
    }
    assert_eq!(instrument("ons4").scores.len(), 4, "none is made of all four");
}

#[test]
fn the_semcd_6_is_a_mean_of_what_can_be_read() {
    assert_eq!(scored("semcd-6", "8,7,5,3,2,8").shown("mean").as_deref(), Ok("5.50"));
    assert_eq!(scored("semcd-6", "8,7,–,3,–,8").shown("mean").as_deref(), Ok("6.50"));
    assert_eq!(scored("semcd-6", "8,–,–,–,2,8").shown("mean"), too_few(3, 4));
    let five = |list| scored("semcd-6", list).reading("mean").cloned();
    assert_eq!(five("5+6,5,5,5,5,5"), five("5,5,5,5,5,5"));
    assert_eq!(five("6+5,5,5,5,5,5"), five("5,5,5,5,5,5"));
    assert_eq!(five("4+7,5,5,5,5,5"), five("–,5,5,5,5,5"));
    assert_eq!(scored("semcd-6", "4+7,3+5,1+2+3,3,2,8").shown("mean"), too_few(3, 4));
}

#[test]
fn a_bdi_ii_of_which_only_the_total_is_held_is_read_without_a_risk_screen() {
    for (total, band) in [("13", "minimal"), ("14", "mild"), ("20", "moderate"), ("29", "severe")] {
        let read = read("bdi-ii", &stated("total", total));
        assert_eq!(read.band("total"), Some(band));
        assert_eq!(read.risk, Signal::NotAvailable, "no risk screen");
    }
    let errors = instrument("bdi-ii").validate(&stated("total", "64")).unwrap_err();
    let why = Why::ScoreOutOfRange { min: Number::ZERO, max: number("63") };
    assert_eq!(errors, [Invalid { id: id("total"), why }]);
}

#[test]
fn the_bdi_ii_is_scored_from_its_items() {
    let zeros = |n| vec!["0"; n].join(",");
    // Item 9 is 1; items 16 and 18 are 2b and 3b.
    let read = scored("bdi-ii", &format!("{},1,{},4,0,6,{}", zeros(8), zeros(6), zeros(3)));
    assert_eq!(read.shown("total").as_deref(), Ok("6"));
    assert_eq!(read.risk, raised_by("9"));
}

#[test]
fn dialog_has_two_scores_that_stand_alone() {
    let read = scored("dialog", "5,4,3,5,4,6,5,4,6,5,6");
    assert_eq!(read.shown("life").as_deref(), Ok("4.50"));
    assert_eq!(read.shown("treatment").as_deref(), Ok("5.67"));
    let read = scored("dialog", "3,3,4,4,2,5,4,3,4,4,4");
    assert_eq!((read.shown("life").as_deref(), read.band("life")), (Ok("3.50"), Some("dissatisfied")));
    assert_eq!((read.shown("treatment").as_deref(), read.band("treatment")), (Ok("4"), Some("middle")));
    assert_eq!(read.screens["personal-safety"], raised_by("8"));
    let read = scored("dialog", "5,4,–,5,4,6,5,4,6,5,6");
    assert_eq!(read.shown("life"), too_few(7, 8));
    assert_eq!(read.shown("treatment").as_deref(), Ok("5.67"));
    assert_eq!(read.risk, Signal::NotAvailable);
}

#[test]
fn the_wsas_of_somebody_who_does_not_work_is_of_32() {
    for (list, score, band) in [
        ("3,5,3,5,5", "21", "moderately-severe"),
        ("4,4,4,4,4", "20", "significant"),
        ("2,2,2,2,1", "9", "subclinical"),
    ] {
        let read = scored("wsas", list);
        assert_eq!((read.shown("total").as_deref(), read.band("total")), (Ok(score), Some(band)));
        assert_eq!(read.reading("total").unwrap().of, number("40"));
    }
    let retired = scored("wsas", "x,4,4,4,4");
    let reading = retired.reading("total").unwrap();
    assert_eq!((reading.value, reading.of), (number("16"), number("32")));
    assert_eq!(reading.band, None, "the bands are for all five items");
    assert_eq!(scored("wsas", "–,4,4,4,4").shown("total"), too_few(4, 5));
    assert_eq!(scored("wsas", "4,x,4,4,4").shown("total"), too_few(4, 5), "only the item on work may be left out");
}

#[test]
fn of_several_numbers_that_were_circled_for_a_risk_item_one_is_enough() {
    let read = scored("phq-9", "1,1,1,1,1,1,1,1,0+2");
    assert_eq!(read.risk, raised_by("9"));
    assert_eq!(read.reading("total").unwrap().from_items, Some(FromItems { points: 8, answered: 8, items: 9 }));
    assert_eq!(scored("reqol-10", "2,2,2,2,2,0+1,2,2,2,2").risk, raised_by("6"));
}

#[test]
fn nothing_answered_is_no_score_however_many_items_may_be_missing() {
    let mut lenient = Definition::clone(instrument("wsas"));
    let source = lenient.items_source.clone();
    lenient.scores[0].missing = Some(Missing { most: 4, prorated: true, source });
    let lenient = Instrument::new(lenient).unwrap();
    let shown = |list: &str| score(&lenient, &answers(&lenient, list), None).shown("total");
    assert_eq!(shown("x,–,–,–,–"), too_few(0, 1));
    assert_eq!(shown("x,3,–,–,–").as_deref(), Ok("12"), "of 32");
}

fn verdict(name: &str, reliable: &str, first: &Given, last: &Given) -> Verdict {
    let (first, last) = (read(name, first), read(name, last));
    let score = instrument(name).reliable_change.iter().find(|change| change.id == id(reliable)).unwrap().score.clone();
    let (first, last) = (first.reading(score.as_str()).unwrap(), last.reading(score.as_str()).unwrap());
    let changes = changes(instrument(name), &score, first, last);
    changes.iter().find(|change| change.reliable_change == id(reliable)).unwrap().verdict
}

#[test]
fn change_is_held_against_each_reliable_change() {
    let who = |list| answers(instrument("who-5"), list);
    assert_eq!(verdict("who-5", "ten-points", &who("4,1,0,2,3"), &who("3,3,3,2,2")), Verdict::Improved);
    assert_eq!(verdict("who-5", "ten-points", &who("3,3,3,2,2"), &who("4,1,0,2,3")), Verdict::Deteriorated);
    assert_eq!(verdict("who-5", "ten-points", &who("3,3,3,2,1"), &who("3,3,3,2,2")), Verdict::NoChange);
    for (last, per_cent, expected) in [("24", "-17.24", Verdict::NoChange), ("23", "-20.69", Verdict::Improved)] {
        let (first, last) = (stated("total", "29"), stated("total", last));
        assert_eq!(verdict("bdi-ii", "mcid-percent", &first, &last), expected);
        let changes = changes(
            instrument("bdi-ii"),
            &id("total"),
            read("bdi-ii", &first).reading("total").unwrap(),
            read("bdi-ii", &last).reading("total").unwrap(),
        );
        assert_eq!(changes[0].percent.unwrap().rounded(2), per_cent);
    }
    // The NHS takes 4 points, Bischoff (2020) 6.
    let gad = |total| stated("total", total);
    assert_eq!(verdict("gad-7", "nhs", &gad("12"), &gad("7")), Verdict::Improved);
    assert_eq!(verdict("gad-7", "bischoff-2020", &gad("12"), &gad("7")), Verdict::NoChange);
    assert_eq!(verdict("gad-7", "nhs", &gad("7"), &gad("11")), Verdict::Deteriorated);
}

#[test]
fn a_reduction_of_nothing_is_none_and_unlike_scores_are_not_compared() {
    let (nought, more) = (stated("total", "0"), stated("total", "9"));
    assert_eq!(verdict("bdi-ii", "mcid-percent", &nought, &more), Verdict::NoChange);
    let phq = scored("phq-9", "1,1,1,1,1,1,1,1,1");
    let whole = phq.reading("total").unwrap();
    let part = Reading { of: number("24"), ..whole.clone() };
    assert_eq!(changes(instrument("phq-9"), &id("total"), whole, &part), []);
    assert_eq!(changes(instrument("phq-9"), &id("total"), whole, whole).len(), 3);
}

#[test]
fn what_was_given_is_kept_as_given_in_few_words() {
    let given = answers(instrument("semcd-6"), "5+6,–,x,3");
    let json = r#"{"answers":{"1":[5,6],"2":"declined","3":"not_shown","4":3}}"#;
    assert_eq!(serde_json::to_string(&given).unwrap(), json);
    assert_eq!(serde_json::from_str::<Given>(json).unwrap(), given);
    let json = r#"{"stated":{"total":"14.5"}}"#;
    assert_eq!(serde_json::from_str::<Given>(json).unwrap(), stated("total", "14.5"));
    for bad in [r#"{"answers":{"1":"maybe"}}"#, r#"{"answers":{"1":1.5}}"#, r#"{"answers":{"1":-1}}"#] {
        let error = serde_json::from_str::<Given>(bad).unwrap_err().to_string();
        assert!(error.starts_with("must be a number, a list"), "{error}");
    }
}

#[test]
fn all_that_does_not_fit_is_named_and_nothing_of_what_was_answered_is_repeated() {
    let answer = |item: &str, answer| (id(item), answer);
    let given = Given::Answers(
        [
            answer("1", Answer::Answered(77)),
            answer("2", Answer::Circled(vec![2])),
            answer("3", Answer::Circled(vec![2, 2])),
            answer("4", Answer::Circled(vec![3, 77])),
            answer("twelfth", Answer::Answered(1)),
            answer("5", Answer::Circled((1..=10).collect())),
            answer("6", Answer::NotAnswered(NotAnswered::Declined)),
        ]
        .into(),
    );
    let errors = instrument("semcd-6").validate(&given).unwrap_err();
    assert_eq!(
        errors.iter().map(Invalid::to_string).collect::<Vec<_>>(),
        [
            "`1` must be 1 to 10",
            "`2` must have 2 to 10 different numbers, if several are circled",
            "`3` must have 2 to 10 different numbers, if several are circled",
            "`4` must be 1 to 10",
            "`twelfth` is not one of the instrument",
        ]
    );
}

#[test]
fn a_score_is_stated_only_where_that_says_something_and_only_if_it_can_be() {
    let errors = |name, score: &str, value: &str| {
        instrument(name).validate(&stated(score, value)).map_err(|all| all[0].why.clone())
    };
    assert_eq!(errors("ons4", "happy", "7"), Err(Why::NotStated));
    assert_eq!(errors("phq-9", "sum", "7"), Err(Why::Unknown));
    assert_eq!(errors("swemwbs", "metric", "23.21"), Ok(()));
    assert_eq!(errors("swemwbs", "metric", "26"), Err(Why::NotInTable), "that is a sum of points");
    let read = read("phq-4", &stated("total", "5"));
    assert_eq!(read.shown("anxiety"), Err(NoScore::NotStated));
    assert_eq!(read.band("total"), Some("mild"));
}

#[test]
fn a_result_says_in_json_why_there_is_no_score() {
    let json = serde_json::to_value(scored("phq-9", "1,1,1,–,–,–,1,1,2")).unwrap();
    let none = serde_json::json!({ "not_scored": { "too_few_answers": { "answered": 6, "needed": 7 } } });
    assert_eq!(json["scores"]["total"], none);
    assert_eq!(json["risk"], serde_json::json!({ "raised_by": ["9"] }));
    let json = serde_json::to_value(scored("phq-9", "2,2,1,–,1,1,1,–,0")).unwrap();
    assert_eq!(json["scores"]["total"]["scored"]["value"], "72/7");
    assert_eq!(json["risk"], "not_raised");
}
