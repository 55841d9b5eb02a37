//! What holds for every kind of listing, whatever it says.

use domain::group::Focus;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KINDS: [Kind; 4] = [Kind::Bmlt, Kind::MeetingGuide, Kind::Naws, Kind::Groups];

fn origin(kind: Kind) -> Origin {
    Origin {
        org: "north-star".parse().unwrap(),
        kind,
        source: "somewhere".parse().unwrap(),
        time_zone: "America/New_York".parse().unwrap(),
        focus: Focus::Addiction,
        links: Links::AsListed,
    }
}

/// A meeting as good as any, with a number of its own.
fn meeting(kind: Kind, number: usize) -> Value {
    match kind {
        Kind::Bmlt => json!({ "id_bigint": number, "meeting_name": "A", "weekday_tinyint": 1 + number % 7,
            "start_time": "19:00:00", "duration_time": "01:00:00", "published": "1", "service_body_bigint": number % 3 }),
        Kind::MeetingGuide => json!({ "slug": format!("a-{number}"), "name": "A", "day": number % 7, "time": "19:00",
            "entity": format!("E{}", number % 3) }),
        Kind::Naws => json!({ "Committee": format!("G{}", number / 2), "CommitteeName": "A", "Time": "1900",
            "Day": (["Monday", "Sunday"][number % 2]), "AreaRegion": format!("AR{}", number % 3) }),
        Kind::Groups => json!({ "name": format!("A{number}"), "weekday": "Tue", "starts_at": "19:00",
            "programme": format!("P{}", number % 3) }),
    }
}

fn fields(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Bmlt => bmlt::FIELDS.to_vec(),
        Kind::MeetingGuide => meeting_guide::FIELDS.to_vec(),
        Kind::Naws => naws::FIELDS.to_vec(),
        Kind::Groups => COLUMNS.iter().map(|column| column.name).collect(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,80}".prop_map(Value::from),
        "[0-9:.,-]{0,9}".prop_map(Value::from),
        "(Mon|TUESDAY|su|1930|7 pm|FREQ=DAILY|FREQ=YEARLY;BYMONTH=2|2026-02-30|D|yes|VM|TC|ONL|hybrid|inactive|https://a.b/c|a.b)"
            .prop_map(Value::from),
        "(.|\n|\r|\u{0}){0,600}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,12}", inner, 0..3).prop_map(Value::from_iter),
        ]
    })
}

fn changed(kind: Kind) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(fields(kind)), any_json()), 0..10).prop_map(move |changes| {
        let mut meeting = meeting(kind, 7);
        for (field, value) in changes {
            // In the case in which it is there already, so that it is there once.
            let known = meeting.as_object().unwrap().keys().find(|key| key.eq_ignore_ascii_case(field)).cloned();
            meeting[known.unwrap_or_else(|| field.to_owned())] = value;
        }
        meeting
    })
}

fn of_any_kind() -> impl Strategy<Value = (Kind, Value)> {
    prop::sample::select(&KINDS[..]).prop_flat_map(|kind| (Just(kind), changed(kind)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_meeting_says_reading_it_gives_a_group_or_a_rejection((kind, meeting) in of_any_kind()) {
        let listing = read(json!([meeting]).to_string().as_bytes(), &origin(kind)).unwrap();
        prop_assert_eq!(listing.groups.len() + listing.rejected, 1);
        let rejections = listing.remarks.iter().filter(|remark| remark.severity == Severity::Rejected).count();
        prop_assert_eq!(rejections > 0, listing.rejected > 0, "{:?}", listing.remarks);
        prop_assert!(listing.groups.iter().all(|group| listing.named.contains(&group.id)));
        for group in &listing.groups {
            if let Some(schedule) = &group.schedule {
                prop_assert_eq!(crate::calendar::validate(schedule), Ok(()));
            }
            prop_assert!(group.details.formats.len() <= group::FORMATS_MAX);
            let json = serde_json::to_value(&group.details).unwrap();
            prop_assert_eq!(serde_json::from_value::<group::Details>(json).ok(), Some(group.details.clone()));
            let source = group.details.source.as_ref().expect("ids are short");
            prop_assert_eq!(origin(kind).id_in_listing(group.id, source.as_str()), Some(group.source_id.as_str()));
        }
    }

    #[test]
    fn in_whatever_order_meetings_stand_they_are_the_same_groups(
        kind in prop::sample::select(&KINDS[..]),
        order in Just((0..20usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let groups = |numbers: &[usize]| {
            let meetings: Value = numbers.iter().map(|number| meeting(kind, *number)).collect();
            let listing = read(meetings.to_string().as_bytes(), &origin(kind)).unwrap();
            assert_eq!(listing.rejected, 0, "{:?}", listing.remarks);
            let mut groups = listing.groups.into_iter().map(|group| ListedGroup { index: 0, ..group }).collect::<Vec<_>>();
            groups.sort_by_key(|group| group.id);
            (groups, listing.programmes)
        };
        let sorted: Vec<_> = (0..20).collect();
        prop_assert_eq!(groups(&order), groups(&sorted));
    }
}

#[test]
fn kinds_of_listings_do_not_meet_and_their_ids_never_change() {
    let ids: Vec<_> = KINDS.iter().map(|kind| origin(*kind).group("7").to_string()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), KINDS.len());
    for kind in KINDS {
        let source = "somewhere:7";
        let named = |group| origin(kind).id_in_listing(group, source);
        assert_eq!(named(origin(kind).group("7")), Some("7"));
        assert_eq!(named(origin(kind).group("8")), None);
        assert_eq!(origin(kind).id_in_listing(origin(kind).group("7"), "elsewhere:7"), None);
    }
}
