use proptest::{collection::vec, prelude::*, sample::select};
use strum::VariantArray;
use uuid::Uuid;

use super::*;
use crate::rule::Weekday;

fn entry(n: u128, (latitude, longitude): (f64, f64)) -> Entry {
    Entry {
        id: GroupId(Uuid::from_u128(n)),
        name: format!("Group {}", n % 7).into(),
        place: Some(Place::from(domain::group::Coordinates { latitude, longitude })),
        mode: MeetingMode::InPerson,
        focus: Focus::Addiction,
        language: None,
        cost: None,
        accessibility: [].into(),
        weekdays: Weekdays::default(),
    }
}

fn at(latitude: f64, longitude: f64) -> Place {
    Place::from(domain::group::Coordinates { latitude, longitude })
}

/// Few places, so that many are equally far; the date line and the poles among them.
fn place() -> impl Strategy<Value = (f64, f64)> {
    (select(vec![-90.0, -45.0, 0.0, 0.1, 52.5, 90.0]), select(vec![-180.0, -179.9, 0.0, 13.4, 179.9, 180.0]))
}

fn groups() -> impl Strategy<Value = Vec<Entry>> {
    let one =
        (place(), select(MeetingMode::VARIANTS), select(vec![None, Some("es"), Some("es-mx"), Some("est")]), 0u8..4);
    vec(one, 0..60).prop_map(|all| {
        let one = |n: usize, (place, mode, language, lacks): ((f64, f64), MeetingMode, Option<&str>, u8)| Entry {
            mode,
            language: language.map(Into::into),
            accessibility: if lacks == 0 { [].into() } else { [Accessibility::WheelchairAccess].into() },
            weekdays: [Weekday::VARIANTS[n % 7]].into_iter().collect(),
            place: (mode != MeetingMode::Virtual).then(|| at(place.0, place.1)),
            ..entry(n as u128 + 1, place)
        };
        all.into_iter().enumerate().map(|(n, drawn)| one(n, drawn)).collect()
    })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(mode, language, access, day)| Wanted {
        modes: if mode { vec![MeetingMode::InPerson] } else { vec![] },
        language: language.then(|| "es".into()),
        accessibility: if access { vec![Accessibility::WheelchairAccess] } else { vec![] },
        weekdays: day.then(|| [Weekday::Monday, Weekday::Friday].into_iter().collect()),
        ..Wanted::default()
    })
}

fn index(all: &[Entry]) -> Index {
    let mut index = Index::default();
    for (n, entry) in all.iter().enumerate() {
        index.set(entry.id, i64::try_from(n).unwrap() + 1, Some(entry.clone()));
    }
    index
}

proptest! {
    #[test]
    fn the_pages_of_what_is_near_are_all_that_is_near_by_distance(
        (all, from, km, wanted, most) in (groups(), place(), select(vec![0.0, 5.0, 6_000.0, 20_015.1]), wanted(), 1usize..7),
    ) {
        let (index, here, within) = (index(&all), at(from.0, from.1), Apart::of_km(km));
        let mut expected: Vec<_> = all
            .iter()
            .filter(|entry| wanted.fits(entry))
            .filter_map(|entry| Some((entry.place?.apart(&here), entry.id)))
            .filter(|(apart, _)| *apart <= within)
            .collect();
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let (mut found, mut after) = (vec![], None);
        loop {
            let page = index.near((here, within), &wanted, after, most);
            prop_assert!(page.len() <= most);
            let Some(last) = page.last().copied() else { break };
            found.extend(page);
            after = Some(last);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_pages_by_name_are_all_by_name((all, wanted, most) in (groups(), wanted(), 1usize..7)) {
        let index = index(&all);
        let mut expected: Vec<_> =
            all.iter().filter(|entry| wanted.fits(entry)).map(|entry| (entry.name.to_string(), entry.id)).collect();
        expected.sort();
        let (mut found, mut after) = (vec![], None);
        loop {
            let page = index.by_name(&wanted, after.as_ref(), most);
            let Some(last) = page.last().cloned() else { break };
            found.extend(page);
            after = Some(last);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn an_index_that_was_changed_is_one_that_was_made_of_what_is_left(
        (all, changes) in (groups(), vec((0usize..60, any::<bool>(), place()), 0..80)),
    ) {
        let mut changed = index(&all);
        let mut left: std::collections::BTreeMap<_, _> = all.iter().map(|entry| (entry.id, entry.clone())).collect();
        for (n, (which, stays, place)) in changes.into_iter().enumerate() {
            let now = entry(which as u128 + 1, place);
            let position = 1_000 + i64::try_from(n).unwrap();
            if stays {
                left.insert(now.id, now.clone());
            } else {
                left.remove(&now.id);
            }
            changed.set(now.id, position, stays.then_some(now));
            prop_assert_eq!(changed.reached(), position);
        }
        let anew = index(&left.into_values().collect::<Vec<_>>());
        let near = |index: &Index| index.near((at(0.0, 0.0), Apart::of_km(1e9)), &Wanted::default(), None, 1_000);
        prop_assert_eq!(near(&changed), near(&anew));
        prop_assert_eq!(changed.by_name(&Wanted::default(), None, 1_000), anew.by_name(&Wanted::default(), None, 1_000));
    }
}

#[test]
fn a_language_is_its_own_and_those_that_begin_with_it() {
    assert!(within("es", "es") && within("es-mx", "es") && !within("est", "es") && !within("es", "es-mx"));
}
