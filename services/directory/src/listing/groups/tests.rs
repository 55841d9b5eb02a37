use domain::group::{Focus, MeetingMode};
use jiff::civil::{date, time};
use serde_json::{Value, json};

use super::super::{Kind, Links, ListedGroup, Listing, read};
use super::*;

fn origin() -> Origin {
    Origin {
        org: "north-star".parse().unwrap(),
        kind: Kind::Groups,
        source: "groups".parse().unwrap(),
        time_zone: "Europe/Berlin".parse().unwrap(),
        focus: Focus::Other,
        links: Links::AsListed,
    }
}

fn listing(rows: &Value) -> Listing {
    read(rows.to_string().as_bytes(), &origin()).unwrap()
}

fn one(row: &Value) -> (Option<ListedGroup>, Vec<String>) {
    let listing = listing(&json!([row]));
    let remarks = listing.remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.what)).collect();
    (listing.groups.into_iter().next(), remarks)
}

#[test]
fn the_examples_of_all_columns_are_a_group() {
    let row: Value = COLUMNS.iter().map(|column| (column.name.to_owned(), Value::from(column.example))).collect();
    let (group, remarks) = one(&row);
    assert_eq!(remarks, Vec::<String>::new());
    let group = group.unwrap();
    let details = &group.details;
    assert_eq!(
        (details.name.as_str(), details.focus, details.mode),
        ("Tuesday Steps", Focus::Addiction, MeetingMode::Hybrid)
    );
    assert_eq!((details.cost, details.listed), (Some(Cost::Free), true));
    assert_eq!(details.accessibility, [Accessibility::WheelchairAccess]);
    assert_eq!(details.formats.iter().map(Text::as_str).collect::<Vec<_>>(), ["Discussion", "Step"]);
    let schedule = group.schedule.unwrap();
    assert_eq!((schedule.starts_at, schedule.duration_minutes), (time(19, 0, 0, 0), 90));
    assert_eq!(
        (schedule.recurrence.as_str(), schedule.time_zone.as_str()),
        ("FREQ=WEEKLY;BYDAY=TU", "America/New_York")
    );
    assert_eq!(group.joining.unwrap().url.unwrap().as_str(), "https://meet.example.org/steps");
    assert!(!group.joining_public, "unless it is said that anybody may know it");
    assert_eq!(listing(&json!([row])).programmes[0].details.name.as_str(), "Recovery");
}

#[test]
fn a_name_alone_is_a_group() {
    let (group, remarks) = one(&json!({ "name": "Steps" }));
    assert_eq!(remarks, Vec::<String>::new());
    let group = group.unwrap();
    assert_eq!((group.schedule, group.joining, group.details.listed), (None, None, false));
    assert_eq!((group.details.mode, group.details.focus), (MeetingMode::InPerson, Focus::Other));
    assert_eq!(group.id, one(&json!({ "name": " steps " })).0.unwrap().id, "however its name is written");
    assert_ne!(group.id, one(&json!({ "name": "Steps", "id": "steps" })).0.unwrap().id);
}

#[test]
fn a_calendar_is_weekdays_or_a_rule() {
    let of = |row: Value| {
        let schedule = one(&row).0.unwrap().schedule.unwrap();
        (schedule.starts_on, schedule.recurrence.to_string())
    };
    let weekly = json!({ "name": "A", "weekday": "Mon, thursday", "starts_at": "7 pm" });
    assert_eq!(of(weekly), (date(2020, 1, 2), "FREQ=WEEKLY;BYDAY=MO,TH".into()));
    let monthly = json!({ "name": "A", "recurrence": "RRULE:FREQ=MONTHLY;BYDAY=1TU", "starts_at": "19:00" });
    assert_eq!(of(monthly), (date(2020, 1, 1), "FREQ=MONTHLY;BYDAY=1TU".into()));
    let fortnightly =
        json!({ "name": "A", "recurrence": "FREQ=WEEKLY;INTERVAL=2", "starts_on": "2026-01-06", "starts_at": "19:00" });
    assert_eq!(of(fortnightly), (date(2026, 1, 6), "FREQ=WEEKLY;INTERVAL=2".into()));
    for (row, expected) in [
        (json!({ "name": "A", "weekday": "Mon" }), "starts_at: is not a time of day such as 19:00"),
        (json!({ "name": "A", "starts_at": "19:00" }), "weekday: is needed beside a start"),
        (
            json!({ "name": "A", "weekday": "Mon", "recurrence": "FREQ=DAILY", "starts_at": "19:00" }),
            "recurrence: stands beside a weekday; one of them is needed",
        ),
        (
            json!({ "name": "A", "weekday": "Mon, Fooday", "starts_at": "19:00" }),
            "weekday: is not the name of a weekday, or several with commas",
        ),
        (
            json!({ "name": "A", "recurrence": "FREQ=WEEKLY;INTERVAL=2", "starts_at": "19:00" }),
            "starts_on: is needed: the rule counts from it",
        ),
        (
            json!({ "name": "A", "weekday": "Mon", "starts_on": "next week", "starts_at": "19:00" }),
            "starts_on: is not a date such as 2026-01-06",
        ),
        (json!({ "name": "A", "id": "two words" }), "name: has no id that can be used"),
        (json!({ "weekday": "Mon" }), "name: has no id that can be used"),
    ] {
        assert_eq!(one(&row), (None, vec![expected.to_owned()]), "{row}");
    }
    let (group, remarks) = one(&json!({ "name": "A", "recurrence": "FREQ=SOMETIMES", "starts_at": "19:00" }));
    assert!(group.is_none() && remarks[0].starts_with("recurrence: recurrence is not a rule"), "{remarks:?}");
}

#[test]
fn words_that_are_not_known_are_left_out_with_those_that_are() {
    let (group, remarks) = one(&json!({ "name": "A", "mode": "in space", "cost": "FREE", "focus": "Mental health",
        "accessibility": "Wheelchair access; lift, child-care", "listed": "perhaps", "online_url": "https://a.example/",
        "street": "1 Main St", "online_public": "Yes" }));
    let group = group.unwrap();
    assert_eq!((group.details.mode, group.details.cost), (MeetingMode::Hybrid, Some(Cost::Free)));
    assert_eq!((group.details.focus, group.joining_public), (Focus::MentalHealth, true));
    assert_eq!(group.details.accessibility, [Accessibility::ChildCare]);
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    assert!(remarks[0].starts_with("mode: is none of in_person, virtual"), "{remarks:?}");
}

#[test]
fn a_programme_is_named_or_is_one_that_is_here() {
    let listing = listing(&json!([
        { "name": "A", "programme": "Recovery" },
        { "name": "B", "programme": "recovery" },
        { "name": "C", "programme": "0190f3c0-1111-7000-8000-00000000000a" },
        { "name": "D" },
    ]));
    let names: Vec<_> = listing.programmes.iter().map(|programme| programme.details.name.as_str()).collect();
    assert_eq!(names, ["Groups", "Recovery"]);
    assert_eq!(listing.groups[0].details.programme, listing.groups[1].details.programme);
    assert_eq!(listing.groups[2].details.programme.to_string(), "0190f3c0-1111-7000-8000-00000000000a");
}
