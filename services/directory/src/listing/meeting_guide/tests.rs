use domain::group::{Focus, MeetingMode};
use jiff::civil::{date, time};
use serde_json::{Value, json};

use super::super::{Kind, Links, ListedGroup, read};
use super::*;

/// The published example of the format: code4recovery/spec (MIT).
const EXAMPLE: &[u8] = include_bytes!("../../../../../tests/data/tsml/example.json");

fn origin() -> Origin {
    Origin {
        org: "north-star".parse().unwrap(),
        kind: Kind::MeetingGuide,
        source: "district-123".parse().unwrap(),
        time_zone: "America/Los_Angeles".parse().unwrap(),
        focus: Focus::Addiction,
        links: Links::AsListed,
    }
}

/// The group of a meeting with these fields changed, and what was remarked: `field: what`.
fn one(changes: &Value) -> (Option<ListedGroup>, Vec<String>) {
    let mut meeting = json!({ "slug": "steps-1", "name": "Steps", "day": 2, "time": "19:00", "address": "1 Main St",
        "latitude": 40.8, "longitude": -73.9 });
    for (field, value) in changes.as_object().unwrap() {
        meeting[field] = value.clone();
    }
    let listing = read(json!([meeting]).to_string().as_bytes(), &origin()).unwrap();
    let remarks = listing.remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.what)).collect();
    (listing.groups.into_iter().next(), remarks)
}

fn names(texts: &[Text<80>]) -> Vec<&str> {
    texts.iter().map(Text::as_str).collect()
}

#[test]
fn the_published_example_is_read() {
    let listing = read(EXAMPLE, &origin()).unwrap();
    let remarks: Vec<_> = listing.remarks.iter().map(|remark| (remark.field, remark.what.as_str())).collect();
    assert_eq!(remarks, [("latitude", "has no coordinates: it is not on the map")]);
    let [group] = &listing.groups[..] else { panic!("one group") };
    let details = &group.details;
    assert_eq!((details.name.as_str(), details.mode, details.listed), ("Sunday Serenity", MeetingMode::InPerson, true));
    assert_eq!(names(&details.formats), ["Open", "Transgender", "LGBTQ"]);
    assert_eq!(details.source.as_ref().unwrap().as_str(), "district-123:sunday-serenity-14");
    assert_eq!(details.website.as_ref().unwrap().as_str(), "https://district123.org/meetings/sunday-serenity");
    let comments = details.comments.as_ref().unwrap().as_str();
    assert_eq!(comments, "Ring buzzer. Meeting is on the 2nd floor.; Group: The Serenity Group");
    let venue = details.venue.as_ref().unwrap();
    assert_eq!(venue.street.as_ref().unwrap().as_str(), "123 Main Street");
    assert_eq!(venue.postal_code.as_ref().unwrap().as_str(), "98765");
    let schedule = group.schedule.as_ref().unwrap();
    assert_eq!((schedule.starts_at, schedule.duration_minutes), (time(18, 0, 0, 0), 90));
    assert_eq!((schedule.starts_on, schedule.recurrence.as_str()), (date(2020, 1, 5), "FREQ=WEEKLY;BYDAY=SU"));
    assert_eq!(listing.programmes[0].details.name.as_str(), "District 123");
    let said = serde_json::to_string(details).unwrap();
    assert!(!said.contains("info@") && !said.contains("+1-123"), "nothing is kept of contacts: {said}");
}

#[test]
fn days_are_one_or_several_and_a_meeting_without_a_fixed_time_plans_nothing() {
    let rule = |day: Value| one(&json!({ "day": day })).0.unwrap().schedule.unwrap();
    assert_eq!(rule(json!([5, 1, 3])).recurrence.as_str(), "FREQ=WEEKLY;BYDAY=MO,WE,FR");
    assert_eq!(rule(json!([5, 1, 3])).starts_on, date(2020, 1, 1));
    assert_eq!(rule(json!("0")).recurrence.as_str(), "FREQ=WEEKLY;BYDAY=SU");
    assert_eq!(rule(json!("Saturday")).recurrence.as_str(), "FREQ=WEEKLY;BYDAY=SA");
    for (changes, expected) in [
        (json!({ "day": null }), "day: has no fixed day; no meetings are planned"),
        (json!({ "time": null }), "time: has no fixed time; no meetings are planned"),
    ] {
        let (group, remarks) = one(&changes);
        assert_eq!((group.unwrap().schedule, remarks), (None, vec![expected.to_owned()]));
    }
    for (changes, expected) in [
        (json!({ "day": 7 }), "day: is not a weekday, 0 (Sunday) to 6"),
        (json!({ "day": [1, "someday"] }), "day: is not a weekday, 0 (Sunday) to 6"),
        (json!({ "time": "25:00" }), "time: is not a time of day"),
        (json!({ "slug": null }), "slug: has no id that can be used"),
        (json!({ "slug": "a b" }), "slug: has no id that can be used"),
        (json!({ "name": " " }), "name: has no name"),
    ] {
        assert_eq!(one(&changes), (None, vec![expected.to_owned()]));
    }
}

#[test]
fn a_meeting_ends_when_it_says_also_after_midnight() {
    let minutes = |end: &str| one(&json!({ "end_time": end })).0.unwrap().schedule.unwrap().duration_minutes;
    assert_eq!((minutes("20:30"), minutes("00:30"), minutes("8:15 pm")), (90, 330, 75));
    assert_eq!((minutes("19:00"), minutes("late")), (60, 60));
    let zone = |zone: &str| one(&json!({ "timezone": zone })).0.unwrap().schedule.unwrap().time_zone.to_string();
    assert_eq!((zone("america/new_york"), zone("")), ("America/New_York".to_owned(), "America/Los_Angeles".to_owned()));
}

#[test]
fn types_become_formats_languages_and_what_is_offered() {
    let (group, remarks) = one(&json!({ "types": ["O", "S", "EN", "X", "x", "ASL", "ZZZ", "O"] }));
    let details = group.unwrap().details;
    assert_eq!(names(&details.formats), ["Open", "English", "ZZZ"]);
    assert_eq!(details.language.unwrap().as_str(), "es");
    assert_eq!(details.accessibility, [Accessibility::WheelchairAccess, Accessibility::SignLanguage]);
    assert_eq!(remarks, ["types: is not a type of the Meeting Guide; the code stands for its name"]);
    assert_eq!(names(&one(&json!({ "types": ["12x12"] })).0.unwrap().details.formats), ["12 Steps & 12 Traditions"]);
    assert_eq!(names(&one(&json!({ "types": "C, D" })).0.unwrap().details.formats), ["Closed", "Discussion"]);
}

#[test]
fn how_it_takes_place_is_said_or_follows_from_what_there_is() {
    use MeetingMode::{Hybrid, InPerson, Virtual};
    let link = "https://meet.example.org/a";
    for (changes, mode, planned) in [
        (json!({}), InPerson, true),
        (json!({ "conference_url": link }), Hybrid, true),
        (json!({ "conference_phone": "+12125550142", "address": null }), Virtual, true),
        (json!({ "conference_url": link, "types": ["TC"] }), Virtual, true),
        (json!({ "types": ["TC"] }), InPerson, false),
        (json!({ "types": ["ONL"], "address": null }), Virtual, true),
        (json!({ "attendance_option": "online" }), Virtual, true),
        (json!({ "attendance_option": "hybrid", "types": ["TC"] }), Virtual, true),
        (json!({ "attendance_option": "in_person", "conference_url": link }), InPerson, true),
        (json!({ "attendance_option": "inactive" }), InPerson, false),
        (
            json!({ "address": null, "formatted_address": "Brooklyn, NY, USA", "approximate": "yes", "conference_url": link }),
            Virtual,
            true,
        ),
    ] {
        let group = one(&changes).0.unwrap();
        assert_eq!((group.details.mode, group.schedule.is_some()), (mode, planned), "{changes}");
    }
    let (group, _) =
        one(&json!({ "conference_url": link, "conference_url_notes": "pw 1", "conference_phone_notes": "#2" }));
    let group = group.unwrap();
    let joining = group.joining.unwrap();
    assert_eq!((joining.url.unwrap().as_str(), joining.instructions.unwrap().as_str()), (link, "pw 1"));
    assert_eq!((joining.telephone_instructions.unwrap().as_str(), group.joining_public), ("#2", true));
}

#[test]
fn an_address_on_one_line_is_read_in_its_parts_or_kept_whole() {
    let venue = |changes: Value| one(&changes).0.unwrap().details.venue.unwrap();
    let parts = venue(json!({ "address": null, "formatted_address": "12 Elm St, Brooklyn, NY 11201, USA" }));
    let text = |text: &Option<Text<100>>| text.as_ref().unwrap().to_string();
    assert_eq!(
        (parts.street.as_ref().unwrap().as_str(), text(&parts.locality), text(&parts.region)),
        ("12 Elm St", "Brooklyn".to_owned(), "NY".to_owned())
    );
    assert_eq!(parts.postal_code.unwrap().as_str(), "11201");
    let whole = venue(json!({ "address": null, "formatted_address": "Elm Street 12" }));
    assert_eq!((whole.street.unwrap().as_str(), whole.locality), ("Elm Street 12", None));
}

#[test]
fn what_our_own_feeds_say_is_known_as_a_copy() {
    let own = "0190f3c0-1111-7000-8000-00000000000a";
    for (slug, copy) in
        [(own.to_owned(), true), (format!("tuesday-steps-{own}"), true), ("tuesday-steps-14".into(), false)]
    {
        let group = one(&json!({ "slug": slug })).0.unwrap();
        assert_eq!(group.copy_of.map(|group| group.to_string()).as_deref(), copy.then_some(own), "{slug}");
    }
}
