use domain::group::{Focus, MeetingMode};
use jiff::civil::{date, time};
use serde_json::{Value, json};

use super::super::{Kind, Links, ListedGroup, Listing, read};
use super::*;

fn origin() -> Origin {
    Origin {
        org: "north-star".parse().unwrap(),
        kind: Kind::Naws,
        source: "cape-cod".parse().unwrap(),
        time_zone: "America/New_York".parse().unwrap(),
        focus: Focus::Addiction,
        links: Links::AsListed,
    }
}

/// A row as an export has it: every column, most of them empty.
fn row(changes: &Value) -> Value {
    let mut row = json!({ "Committee": "G00091078", "CommitteeName": "Monday Night", "AddDate": "", "AreaRegion": "AR48104",
        "ParentName": "Cape Cod Area", "ComemID": "", "ContactName": "Jo Doe", "ContactPhone": "555", "Room": "", "Closed":
        "CLOSED", "WheelChr": "FALSE", "Day": "Monday", "Time": "1700", "Language1": "", "Place": "St Mary's", "Address":
        "1 Commercial Street", "City": "Provincetown", "LocBorough": "", "State": "MA", "Zip": "02657", "Country": "US",
        "Directions": "", "Institutional": "FALSE", "Format1": "STEP", "Format2": "", "Delete": "", "LastChanged": "12/22/18",
        "Longitude": "-70.175996", "Latitude": "42.057753", "PhoneMeetingNumber": "", "VirtualMeetingLink": "",
        "VirtualMeetingInfo": "", "TimeZone": "", "bmlt_id": "251", "unpublished": "" });
    for (field, value) in changes.as_object().unwrap() {
        row[field] = value.clone();
    }
    row
}

fn listing(rows: &[Value]) -> Listing {
    read(Value::from(rows).to_string().as_bytes(), &origin()).unwrap()
}

fn one(changes: &Value) -> (Option<ListedGroup>, Vec<String>) {
    let listing = listing(&[row(changes)]);
    let remarks = listing.remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.what)).collect();
    (listing.groups.into_iter().next(), remarks)
}

#[test]
fn a_row_becomes_a_group_under_its_area_without_anything_of_its_contact() {
    let (group, remarks) = one(&json!({ "Room": "2nd floor", "Directions": "ring", "WheelChr": "TRUE" }));
    assert_eq!(remarks, Vec::<String>::new());
    let group = group.unwrap();
    assert_eq!(group.details.source.as_ref().unwrap().as_str(), "cape-cod:bmlt-251");
    assert_eq!((group.details.mode, group.details.listed), (MeetingMode::InPerson, true));
    assert_eq!(group.details.formats.iter().map(Text::as_str).collect::<Vec<_>>(), ["Closed", "Step"]);
    assert_eq!(group.details.accessibility, [Accessibility::WheelchairAccess]);
    let schedule = group.schedule.unwrap();
    assert_eq!((schedule.starts_on, schedule.starts_at), (date(2020, 1, 6), time(17, 0, 0, 0)));
    assert_eq!((schedule.duration_minutes, schedule.recurrence.as_str()), (60, "FREQ=WEEKLY;BYDAY=MO"));
    let venue = group.details.venue.as_ref().unwrap();
    assert_eq!(venue.directions.as_ref().unwrap().as_str(), "2nd floor, ring");
    let said = serde_json::to_string(&group.details).unwrap();
    assert!(!said.contains("Jo Doe") && !said.contains("555"), "{said}");
    assert_eq!(listing(&[row(&json!({}))]).programmes[0].details.name.as_str(), "Cape Cod Area");
}

#[test]
fn how_it_takes_place_is_told_by_venue_type_codes_and_what_there_is() {
    use MeetingMode::{Hybrid, InPerson, Virtual};
    let link = "https://zoom.example/j/1";
    for (changes, mode, planned) in [
        (json!({ "Format2": "VM" }), Virtual, true),
        (json!({ "Format2": "HYBR" }), Hybrid, true),
        (json!({ "Format2": "TC" }), InPerson, false),
        (json!({ "Format2": "TC", "Format3": "VM" }), Virtual, true),
        (json!({ "Format2": "TC", "Format3": "HYBR" }), Virtual, true),
        (json!({ "VirtualMeetingLink": link }), Hybrid, true),
        (json!({ "VirtualMeetingLink": link, "Address": "" }), Virtual, true),
        (json!({ "VenueType": "In-Person", "VirtualMeetingLink": link }), InPerson, true),
        (json!({ "VenueType": "virtual" }), Virtual, true),
    ] {
        let group = one(&changes).0.unwrap();
        assert_eq!((group.details.mode, group.schedule.is_some()), (mode, planned), "{changes}");
    }
    let online = one(&json!({ "VirtualMeetingLink": link, "VirtualMeetingInfo": "ID 1 Password: 1953" })).0.unwrap();
    assert_eq!(online.joining.unwrap().instructions.unwrap().as_str(), "ID 1 Password: 1953");
    assert!(online.joining_public && !one(&json!({ "unpublished": "1" })).0.unwrap().joining_public);
    assert!(!one(&json!({ "unpublished": "1" })).0.unwrap().details.listed);
    assert!(!one(&json!({ "Published": "FALSE" })).0.unwrap().details.listed);
    assert!(!one(&json!({ "Institutional": "TRUE" })).0.unwrap().details.listed);
}

#[test]
fn times_are_read_as_spreadsheets_leave_them_and_what_cannot_be_used_is_rejected() {
    let at = |given: &str| one(&json!({ "Time": given })).0.unwrap().schedule.unwrap().starts_at;
    assert_eq!((at("0730"), at("730"), at("1930")), (time(7, 30, 0, 0), time(7, 30, 0, 0), time(19, 30, 0, 0)));
    assert_eq!(
        (at("7:30 PM"), at("12:00 AM"), at("19:30:00")),
        (time(19, 30, 0, 0), time(0, 0, 0, 0), time(19, 30, 0, 0))
    );
    for (changes, expected) in [
        (json!({ "Day": "Funday" }), "day: is not the name of a weekday"),
        (json!({ "Time": "2460" }), "time: is not a time of day such as 1930"),
        (json!({ "Time": "13 pm" }), "time: is not a time of day such as 1930"),
        (json!({ "Delete": "D" }), "delete: says that the meeting was deleted"),
        (json!({ "CommitteeName": "" }), "committeename: has no name"),
        (json!({ "bmlt_id": "", "Committee": "" }), "committee: has no id that can be used"),
    ] {
        assert_eq!(one(&changes), (None, vec![expected.to_owned()]));
    }
    let (group, remarks) = one(&json!({ "Format2": "QQQ", "TimeZone": "america/chicago", "Language1": "EN" }));
    assert_eq!(remarks, ["format2: is not a code of NAWS; the code stands for its name"]);
    let group = group.unwrap();
    assert_eq!(group.schedule.unwrap().time_zone.as_str(), "America/Chicago");
    assert_eq!(group.details.language.unwrap().as_str(), "en");
}

#[test]
fn meetings_that_share_a_code_are_told_apart_by_day_and_time() {
    let of = |day: &str, time: &str| row(&json!({ "bmlt_id": "", "Day": day, "Time": time }));
    let ids = |rows: &[Value]| {
        let listing = listing(rows);
        assert_eq!(listing.rejected, 0);
        let mut ids: Vec<_> = listing.groups.into_iter().map(|group| (group.source_id, group.id)).collect();
        ids.sort_unstable();
        ids
    };
    let both = ids(&[of("Monday", "1700"), of("Tuesday", "1700")]);
    assert_eq!((both[0].0.as_str(), both[1].0.as_str()), ("G00091078-1-1700", "G00091078-2-1700"));
    assert_eq!(ids(&[of("Tuesday", "1700"), of("Monday", "1700")]), both);
    assert_eq!(ids(&[of("Monday", "1700")])[0].0, "G00091078");
}
