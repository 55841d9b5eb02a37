//! Outcomes of NHS Talking Therapies: the examples of the reference, and published numbers.

use super::*;
use nhs_talking_therapies::{Measure, MixedChange, Outcome, Tally, outcome};

/// A measure of its first and last score, `15,9`; none if it was not taken.
fn measure(name: &str, caseness: &str, scores: &str) -> Option<Measure<'static>> {
    let (first, last) = scores.split_once(',').unwrap();
    let instrument = instrument(name);
    Some(Measure {
        caseness: instrument.norm_sets[0].cut_offs.iter().find(|cut_off| cut_off.id == id(caseness)).unwrap(),
        reliable: instrument.reliable_change.iter().find(|change| change.id == id("nhs")).unwrap(),
        direction: instrument.scores[0].direction,
        first: first.parse().ok()?,
        last: last.parse().ok()?,
    })
}

fn course(phq_9: &str, gad_7: &str, mixed: MixedChange) -> Option<Outcome> {
    let measures = [measure("phq-9", "caseness", phq_9), measure("gad-7", "nhs-caseness", gad_7)];
    outcome(&measures.into_iter().flatten().collect::<Vec<_>>(), mixed)
}

#[test]
fn courses_have_the_outcomes_that_the_nhs_counts() {
    let (yes, no) = (true, false);
    for (phq_9, gad_7, recovery, improvement, deterioration, reliable_recovery) in [
        ("15,9", "10,7", Some(yes), yes, no, Some(yes)),
        ("15,10", "10,7", Some(no), no, no, Some(no)),
        ("20,10", "10,5", Some(no), yes, no, Some(no)), // 10 is a case
        ("10,16", "5,5", Some(no), no, yes, Some(no)),
        ("16,8", "12,6", Some(yes), yes, no, Some(yes)),
        ("12,20", "–,–", Some(no), no, yes, Some(no)), // a missing measure is left out, it is not 0
        ("10,9", "8,7", Some(yes), no, no, Some(no)),  // recovery needs no reliable improvement
        ("9,3", "7,6", None, yes, no, None),           // no case at the start
    ] {
        for mixed in [MixedChange::NoChange, MixedChange::Both] {
            let outcome = course(phq_9, gad_7, mixed).unwrap();
            assert_eq!(outcome.recovery, recovery, "{phq_9} {gad_7}");
            assert_eq!(outcome.reliable_improvement, improvement, "{phq_9} {gad_7}");
            assert_eq!(outcome.reliable_deterioration, deterioration, "{phq_9} {gad_7}");
            assert_eq!(outcome.reliable_recovery(), reliable_recovery, "{phq_9} {gad_7}");
        }
    }
}

/// One measure improves reliably, the other deteriorates: no source says what follows, so that whoever asks must.
#[test]
fn a_mixed_change_is_what_the_caller_says() {
    let outcome = course("18,11", "6,11", MixedChange::NoChange).unwrap();
    assert_eq!((outcome.reliable_improvement, outcome.reliable_deterioration), (false, false));
    assert_eq!((outcome.recovery, outcome.reliable_recovery()), (Some(false), Some(false)));
    let outcome = course("18,11", "6,11", MixedChange::Both).unwrap();
    assert_eq!((outcome.reliable_improvement, outcome.reliable_deterioration), (true, true));
    assert_eq!((outcome.recovery, outcome.reliable_recovery()), (Some(false), Some(false)));
}

#[test]
fn a_course_without_a_measure_is_finished_and_nothing_else() {
    assert_eq!(course("–,–", "–,–", MixedChange::Both), None);
    let mut tally = Tally::default();
    tally.add(None);
    assert_eq!(tally, Tally { finished: 1, ..Tally::default() });
}

#[test]
fn courses_are_counted() {
    let mut tally = Tally::default();
    assert_eq!(tally.recovery_percent(), None);
    for (phq_9, gad_7) in [("15,9", "10,7"), ("10,9", "8,7"), ("10,16", "5,5"), ("9,3", "7,6")] {
        tally.add(course(phq_9, gad_7, MixedChange::NoChange));
    }
    let counted = Tally {
        finished: 4,
        not_cases_at_start: 1,
        recovered: 2,
        reliably_recovered: 1,
        reliably_improved: 2,
        reliably_deteriorated: 1,
    };
    assert_eq!(tally, counted);
    assert_eq!(tally.reliable_recovery_percent(), Some(Number::ratio(100, 3)));
}

/// Of the monthly statistics of NHS Digital.
#[test]
fn published_percentages_come_out() {
    let tally =
        |finished, not_cases_at_start, recovered| Tally { finished, not_cases_at_start, recovered, ..Tally::default() };
    assert_eq!(tally(48_111, 2_957, 23_291).recovery_percent().unwrap().shown(), "51.6");
    assert_eq!(tally(57_060, 3_200, 27_884).recovery_percent().unwrap().shown(), "51.8");
    let improved = Tally { finished: 57_060, not_cases_at_start: 3_200, reliably_improved: 39_417, ..Tally::default() };
    assert_eq!(improved.reliable_improvement_percent().unwrap().shown(), "69.1", "of all that are finished");
}
