//! What holds of every instrument that is shipped, whatever is answered.

use proptest::{prelude::*, sample};

use super::{super::answers::InOrder, *};

/// Any instrument that is shipped.
fn instruments() -> impl Strategy<Value = &'static Instrument> {
    sample::select(SHIPPED.iter().collect::<Vec<_>>())
}

/// One of them, and answers to it: whatever can be given.
fn taken() -> impl Strategy<Value = (&'static Instrument, Answers)> {
    instruments().prop_flat_map(|instrument| (Just(instrument), answers_to(instrument, any_answer)))
}

/// One of them, with every item answered.
fn completed() -> impl Strategy<Value = (&'static Instrument, Answers)> {
    let answered = |item: &Item| (item.min..=item.max).prop_map(Answer::Answered).boxed();
    instruments().prop_flat_map(move |instrument| (Just(instrument), answers_to(instrument, answered)))
}

fn answers_to(
    instrument: &Instrument,
    answer: impl Fn(&Item) -> BoxedStrategy<Answer>,
) -> impl Strategy<Value = Answers> {
    let each = |item: &Item| {
        let id = item.id.clone();
        answer(item).prop_map(move |answer| (id.clone(), answer)).boxed()
    };
    let all: Vec<_> = instrument.items.iter().map(each).collect();
    all.prop_map(Answers::from_iter)
}

fn any_answer(item: &Item) -> BoxedStrategy<Answer> {
    let raws: Vec<u8> = (item.min..=item.max).collect();
    let circled = sample::subsequence(raws, 2..=2).prop_map(Answer::Circled);
    let reasons = vec![NotAnswered::Declined, NotAnswered::NotShown, NotAnswered::NotReached];
    prop_oneof![
        20 => (item.min..=item.max).prop_map(Answer::Answered),
        1 => circled,
        1 => sample::select(reasons).prop_map(Answer::NotAnswered),
    ]
    .boxed()
}

fn of(instrument: &Instrument, answers: &Answers) -> Scored {
    score(instrument, &Given::Answers(answers.clone()), instrument.norm_sets.first())
}

fn values(scored: &Scored) -> Vec<(Id, Option<Number>)> {
    scored.scores.keys().map(|id| (id.clone(), scored.reading(id.as_str()).map(|reading| reading.value))).collect()
}

/// The instrument, with something else in its definition.
fn edited(instrument: &Instrument, edit: impl FnOnce(&mut Definition)) -> Instrument {
    let mut definition = Definition::clone(instrument);
    edit(&mut definition);
    Instrument::checked(definition)
}

/// The scores of what was given as it is stored, by way of a map.
fn by_map(instrument: &Instrument, json: &[u8]) -> Option<Vec<Option<Value>>> {
    let given: Given = serde_json::from_slice(json).ok()?;
    let scored = score(instrument, &given, None);
    let value = |reading: &Reading| Value { value: reading.value, of: reading.of };
    Some(instrument.scores.iter().map(|score| scored.reading(score.id.as_str()).map(value)).collect())
}

proptest! {
    #[test]
    fn scores_read_of_what_is_stored_are_those_of_what_was_given(
        (instrument, answers) in taken(), most in 0..200_usize, spaces in 0..300_usize,
    ) {
        let some: Answers = answers.into_iter().take(most).collect();
        let mut json = serde_json::to_vec(&Given::Answers(some)).unwrap();
        json.resize(json.len() + spaces, b' ');
        prop_assert!(InOrder::read(&json).is_some(), "it is read without a map");
        let values = values_in_json(instrument, &json).ok();
        prop_assert!(values.is_some());
        prop_assert_eq!(values, by_map(instrument, &json));
    }

    #[test]
    fn whatever_else_is_stored_is_read_as_by_a_map(
        ids in prop::collection::vec("[0-9]{1,2}|1[0-9]|[a-z]{1,3}|[A-Z]", 0..8), raw in 0..6_u8, form in 0..6_usize,
    ) {
        let answer = [raw.to_string(), "\"declined\"".into(), format!("[{raw}, 1]"), "-1".into(), "\"1\"".into()];
        let each = ids.iter().enumerate().map(|(n, id)| format!("\"{id}\": {}", answer[(n * form) % answer.len()]));
        let (first, each) = (if raw == 5 { "\\u0031" } else { "1" }, each.collect::<Vec<_>>().join(", "));
        for json in [
            format!("{{\"answers\": {{{each}}}}}"),
            format!("{{\"answers\": {{\"{first}\": {raw}, \"2\": 1}}}}"),
            format!("{{\"stated\": {{{each}}}}}"),
            format!("{{\"stated\": {{\"total\": {raw}}}}}"),
            format!("{{\"answers\": {{{each}}}}} {{}}"),
            format!("{{\"answers\": {{}}, \"stated\": {{{each}}}}}"),
        ] {
            for instrument in ["phq-9", "gad-7", "who-5", "swemwbs"].map(instrument) {
                let values = values_in_json(instrument, json.as_bytes()).ok();
                prop_assert_eq!(values, by_map(instrument, json.as_bytes()), "{}", json);
            }
        }
    }

    #[test]
    fn whatever_can_be_given_is_taken_and_a_score_is_in_its_range_or_there_is_none((instrument, answers) in taken()) {
        prop_assert_eq!(instrument.validate(&Given::Answers(answers.clone())), Ok(()));
        let scored = of(instrument, &answers);
        let banded = instrument.norm_sets.first().map_or(&[][..], |set| &set.bands);
        for score in &instrument.scores {
            if let Some(reading) = scored.reading(score.id.as_str()) {
                prop_assert!(reading.value >= score.range.min && reading.value <= reading.of);
                prop_assert!(reading.of <= score.range.max);
                let has_bands = banded.iter().any(|bands| bands.score == score.id);
                prop_assert_eq!(reading.band.is_some(), has_bands && reading.of == score.range.max);
            }
        }
    }

    #[test]
    fn a_worse_answer_never_makes_a_better_score(
        (instrument, answers) in taken(), item in any::<sample::Index>(), raw in any::<sample::Index>(),
    ) {
        let item = item.get(&instrument.items);
        let Some(Answer::Answered(before)) = answers.get(&item.id) else { return Ok(()) };
        let raws: Vec<u8> = (item.min..=item.max).collect();
        let after = *raw.get(&raws);
        let mut changed = answers.clone();
        changed.insert(item.id.clone(), Answer::Answered(after));
        let rises = if item.points == Points::Reversed { after <= *before } else { after >= *before };
        for (before, after) in values(&of(instrument, &answers)).iter().zip(values(&of(instrument, &changed))) {
            prop_assert_eq!(before.1.is_some(), after.1.is_some());
            let (less, more) = if rises { (before.1, after.1) } else { (after.1, before.1) };
            prop_assert!(less <= more, "{:?}: {:?} {:?}", before.0, before.1, after.1);
        }
    }

    /// Items that are turned, with answers that are turned, are the items and answers that they were.
    #[test]
    fn turning_items_and_answers_changes_nothing((instrument, answers) in completed()) {
        let turned = edited(instrument, |definition| {
            for item in &mut definition.items {
                item.points = match &item.points {
                    Points::AsGiven => Points::Reversed,
                    Points::Reversed => Points::AsGiven,
                    Points::Each(points) => Points::Each(points.iter().rev().copied().collect()),
                };
            }
        });
        let turn = |(id, answer): (&Id, &Answer)| {
            let (item, Answer::Answered(raw)) = (instrument.item(id).unwrap(), answer) else { unreachable!() };
            (id.clone(), Answer::Answered(item.min + item.max - raw))
        };
        let turned_answers: Answers = answers.iter().map(turn).collect();
        prop_assert_eq!(values(&of(&turned, &turned_answers)), values(&of(instrument, &answers)));
        for item in &instrument.items {
            let reversed = Item { points: Points::Reversed, ..item.clone() };
            for raw in item.min..=item.max {
                let twice = reversed.points_of(raw).and_then(|points| reversed.points_of(points));
                prop_assert_eq!(twice, Some(raw));
            }
        }
    }

    #[test]
    fn the_order_of_items_does_not_matter((instrument, answers) in taken(), seed in any::<u64>()) {
        let shuffle = |ids: &mut Vec<Id>| {
            ids.sort_by_key(|id| id.as_str().bytes().fold(seed, |key, byte| key.rotate_left(9) ^ u64::from(byte)));
        };
        let shuffled = edited(instrument, |definition| {
            let mut ids = definition.items.iter().map(|item| item.id.clone()).collect();
            shuffle(&mut ids);
            definition.items = ids.iter().map(|id| instrument.item(id).unwrap().clone()).collect();
            definition.scores.iter_mut().for_each(|score| shuffle(&mut score.items));
        });
        prop_assert_eq!(of(&shuffled, &answers), of(instrument, &answers));
    }

    #[test]
    fn with_all_items_answered_a_rule_for_missing_ones_changes_nothing((instrument, answers) in completed()) {
        let strict = edited(instrument, |definition| {
            definition.scores.iter_mut().for_each(|score| score.missing = None);
        });
        let scored = of(instrument, &answers);
        prop_assert_eq!(values(&of(&strict, &answers)), values(&scored));
        for score in &instrument.scores {
            let reading = scored.reading(score.id.as_str()).unwrap();
            let points = Number::from(reading.from_items.unwrap().points);
            match score.combine {
                Combine::Sum => prop_assert_eq!(reading.value, points * score.factor.into()),
                Combine::Mean => {
                    let count = Number::from(i64::try_from(score.items.len()).unwrap());
                    prop_assert_eq!(reading.value * count, points * score.factor.into());
                }
                Combine::Table(_) => {}
            }
        }
    }

    /// Whatever the other items are, and whether there is a score: the risk is that of its own items.
    #[test]
    fn a_risk_is_apart_from_every_score((instrument, answers) in taken(), (other, others) in taken()) {
        let is_risk = |id: &Id| instrument.risk.iter().any(|trigger| trigger.items.contains(id));
        let own: Answers = answers.iter().filter(|(id, _)| is_risk(id)).map(|(id, a)| (id.clone(), a.clone())).collect();
        prop_assert_eq!(&of(instrument, &own).risk, &of(instrument, &answers).risk);
        if instrument.id == other.id {
            let mut mixed = others;
            mixed.extend(own);
            prop_assert_eq!(of(instrument, &mixed).risk, of(instrument, &answers).risk);
        }
        prop_assert_eq!(instrument.risk.is_empty(), of(instrument, &answers).risk == Signal::NotAvailable);
    }

    /// Between the lowest and the highest score there is no number without a band, and a higher one has no lower band.
    #[test]
    fn every_score_that_can_be_has_a_band(instrument in instruments(), parts in [0_i64..=1_000, 0..=1_000]) {
        for set in &instrument.norm_sets {
            for bands in &set.bands {
                let range = &instrument.score(&bands.score).unwrap().range;
                let at = |part| range.min + (range.max - range.min) * Number::ratio(part, 1_000);
                let place = |value| {
                    let band = set.band(&bands.score, value)?;
                    bands.bands.iter().position(|one| one == band)
                };
                let (low, high) = (at(parts[0].min(parts[1])), at(parts[0].max(parts[1])));
                prop_assert!(place(low).is_some() && place(low) <= place(high), "{low} {high}");
                prop_assert_eq!(place(range.min), Some(0));
                prop_assert_eq!(place(range.max), Some(bands.bands.len() - 1));
            }
        }
    }

    /// Better one way is worse the other way, and the same score is no change.
    #[test]
    fn change_has_a_direction(instrument in instruments(), parts in [0_i64..=100, 0..=100]) {
        for reliable in &instrument.reliable_change {
            let score = instrument.score(&reliable.score).unwrap();
            let at = |part| score.range.min + (score.range.max - score.range.min) * Number::ratio(part, 100);
            let there = reliable.verdict(score.direction, at(parts[0]), at(parts[1]));
            let back = reliable.verdict(score.direction, at(parts[1]), at(parts[0]));
            let better = (parts[1] > parts[0]) == (score.direction == Direction::HigherIsBetter);
            prop_assert!(there != Verdict::Improved || (better && back != Verdict::Improved));
            prop_assert!(there != Verdict::Deteriorated || (!better && back == Verdict::Improved));
            prop_assert_eq!(reliable.verdict(score.direction, at(parts[0]), at(parts[0])), Verdict::NoChange);
        }
    }
}
