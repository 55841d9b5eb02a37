use std::collections::BTreeSet;

use domain::{
    Text,
    group::{Accessibility, Coordinates, Focus, Joining, MeetingMode},
};
use jiff::civil::{Weekday, date, time};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{
    Kind, LISTING_BYTES_MAX, Links, ListedGroup, ListingError, MEETINGS_MAX, Severity, SourceName, SourceNameError,
    read,
};
use super::*;

const GREATER_NEW_YORK: &[u8] = include_bytes!("../../../../../tests/data/bmlt-greater-new-york.json");

fn origin() -> Origin {
    Origin {
        org: "north-star".parse().unwrap(),
        kind: Kind::Bmlt,
        links: Links::AsListed,
        source: "bmlt".parse().unwrap(),
        time_zone: "America/New_York".parse().unwrap(),
        focus: Focus::Addiction,
    }
}

/// A listing of one meeting as good as any, with these fields changed.
fn listing_of(changes: &Value) -> Vec<u8> {
    let mut meeting = json!({
        "id_bigint": "7", "service_body_bigint": "1", "weekday_tinyint": "3", "start_time": "19:00:00",
        "duration_time": "01:30:00", "formats": "O", "lang_enum": "en", "longitude": "-73.9", "latitude": "40.8",
        "published": "1", "meeting_name": "New Steps", "location_street": "1 Main St",
    });
    for (field, value) in changes.as_object().unwrap() {
        meeting[field] = value.clone();
    }
    let formats = json!([
        { "key_string": "O", "name_string": "Open", "lang": "en" },
        { "key_string": "O", "name_string": "Offen", "lang": "de" },
        { "key_string": "VM", "name_string": "Virtual Meeting", "lang": "en" },
        { "key_string": "HY", "name_string": "Hybrid Meeting", "lang": "en" },
        { "key_string": "FC", "name_string": "Facility closed", "lang": "en", "world_id": "TC" },
        { "key_string": "WEB", "name_string": "Online Meeting", "lang": "en" },
    ]);
    let bodies = json!([{ "id": "1", "name": "Bronx Area" }]);
    json!({ "meetings": [meeting], "formats": formats, "service_bodies": bodies }).to_string().into_bytes()
}

fn read_one(changes: &Value) -> Listing {
    read(&listing_of(changes), &origin()).unwrap()
}

/// The one group, and what was remarked: `field: what`.
fn group(changes: &Value) -> (ListedGroup, Vec<String>) {
    let listing = read_one(changes);
    let remarks = listing.remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.what)).collect();
    (listing.groups.into_iter().next().unwrap(), remarks)
}

fn rejection(changes: &Value) -> String {
    let listing = read_one(changes);
    assert_eq!((listing.groups.len(), listing.programmes.len(), listing.rejected), (0, 0, 1));
    let [remark] = &listing.remarks[..] else { panic!("{:?}", listing.remarks) };
    assert_eq!(remark.severity, Severity::Rejected);
    format!("{}: {}", remark.field, remark.what)
}

#[test]
fn the_real_listing_is_read_whole() {
    let listing = read(GREATER_NEW_YORK, &origin()).unwrap();
    assert_eq!((listing.groups.len(), listing.programmes.len(), listing.rejected), (1_115, 27, 0));
    let in_mode = |mode| listing.groups.iter().filter(|group| group.details.mode == mode).count();
    let modes = [MeetingMode::InPerson, MeetingMode::Virtual, MeetingMode::Hybrid].map(in_mode);
    assert_eq!(modes, [1_115, 0, 0]); // it is older than meetings online
    assert_eq!(listing.groups.iter().filter(|group| group.details.listed).count(), 1_075);
    assert!(listing.groups.iter().all(|group| group.schedule.is_some()));
    let placed = |group: &&ListedGroup| group.details.venue.as_ref().is_some_and(|venue| venue.coordinates.is_some());
    assert_eq!(listing.groups.iter().filter(placed).count(), 1_115);
    let ids: BTreeSet<_> = listing.groups.iter().map(|group| group.id).collect();
    assert_eq!(ids.len(), 1_115);
    let known: BTreeSet<_> = listing.programmes.iter().map(|programme| programme.id).collect();
    assert!(listing.groups.iter().all(|group| known.contains(&group.details.programme)));
    for group in &listing.groups {
        crate::calendar::validate(group.schedule.as_ref().unwrap()).unwrap();
    }
}

#[test]
fn the_remarks_on_the_real_listing_are_these() {
    let listing = read(GREATER_NEW_YORK, &origin()).unwrap();
    let remarks: Vec<_> = listing
        .remarks
        .iter()
        .map(|remark| {
            format!("{} {} `{}` {}", remark.meeting.as_deref().unwrap(), remark.field, remark.value, remark.what)
        })
        .collect();
    assert_eq!(remarks, REMARKS);
}

const REMARKS: &[&str] = &[
    "272 location_postal_code_1 `USA` is not a postal code; it is left out",
    "955 location_postal_code_1 `NY` is not a postal code; it is left out",
    "2582 duration_time `07:00:00` is an odd length of a meeting: 420 minutes; it is kept",
    "2676 duration_time `12:00:00` is an odd length of a meeting: 720 minutes; it is kept",
];

#[test]
fn reading_twice_gives_the_same_and_another_organisation_or_source_gives_other_ids() {
    let ids = |origin: &Origin| {
        let listing = read(&listing_of(&json!({})), origin).unwrap();
        (listing.groups[0].id, listing.programmes[0].id)
    };
    let here = ids(&origin());
    assert_eq!(ids(&origin()), here);
    assert_eq!(here.0.to_string(), "248f587a-92de-519c-8859-ababca6d9a19"); // stored for ever: must never change
    for other in [
        Origin { org: "south-star".parse().unwrap(), ..origin() },
        Origin { source: "bmlt.example.org".parse().unwrap(), ..origin() },
    ] {
        assert!(ids(&other).0 != here.0 && ids(&other).1 != here.1);
    }
}

#[test]
fn a_meeting_becomes_a_group_with_a_weekly_calendar() {
    let (group, remarks) = group(&json!({}));
    assert_eq!(remarks, Vec::<String>::new());
    assert_eq!((group.index, group.source_id.as_str()), (0, "7"));
    let details = &group.details;
    assert_eq!((details.name.as_str(), details.focus, details.listed), ("New Steps", Focus::Addiction, true));
    assert_eq!(details.source.as_ref().unwrap().as_str(), "bmlt:7");
    assert_eq!(details.formats.iter().map(Text::as_str).collect::<Vec<_>>(), ["Open"]);
    assert_eq!(details.venue.as_ref().unwrap().coordinates, Coordinates::new(40.8, -73.9));
    let schedule = group.schedule.unwrap();
    assert_eq!((schedule.starts_on, schedule.starts_at), (date(2020, 1, 7), time(19, 0, 0, 0)));
    assert_eq!((schedule.duration_minutes, schedule.recurrence.as_str()), (90, "FREQ=WEEKLY;BYDAY=TU"));
}

#[test]
fn calendars_count_from_the_first_such_weekday_of_2020() {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    for (day, weekday) in (1..).zip([Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday]) {
        let starts_on = group(&json!({ "weekday_tinyint": day })).0.schedule.unwrap().starts_on;
        assert_eq!(starts_on.weekday(), weekday);
        assert!((date(2020, 1, 1)..=date(2020, 1, 7)).contains(&starts_on), "{starts_on}");
    }
}

#[test]
fn numbers_and_nulls_are_read_like_strings() {
    let (from_numbers, remarks) = group(&json!({
        "id_bigint": 7, "service_body_bigint": 1, "weekday_tinyint": 3, "published": true, "longitude": -73.9,
        "latitude": 40.8, "comments": null, "unknown": { "deep": [1] },
    }));
    assert_eq!(remarks, Vec::<String>::new());
    assert_eq!(from_numbers, group(&json!({})).0);
}

#[test]
fn a_bare_list_of_meetings_is_read_too() {
    let meetings: Value = serde_json::from_slice(&listing_of(&json!({}))).unwrap();
    let listing = read(format!("\u{feff} {}", meetings["meetings"]).as_bytes(), &origin()).unwrap();
    assert_eq!(listing.groups.len(), 1);
    assert_eq!(listing.programmes[0].details.name.as_str(), "Service body 1");
}

#[test]
fn how_a_meeting_takes_place_is_told_by_formats_and_venue_type() {
    use MeetingMode::{Hybrid, InPerson, Virtual};
    for (formats, venue_type, mode) in [
        ("O", "", InPerson),
        ("O", "1", InPerson),
        ("O", "2", Virtual),
        ("O", "3", Hybrid),
        ("VM", "", Virtual),
        ("WEB,O", "", Virtual),
        ("HY", "", Hybrid),
        ("VM,HY", "1", Hybrid),
        ("VM,FC", "", Virtual),
        ("HY,FC", "", Virtual),
    ] {
        let (group, _) = group(&json!({ "formats": formats, "venue_type": venue_type }));
        assert_eq!(group.details.mode, mode, "{formats} {venue_type}");
        assert!(group.schedule.is_some(), "{formats}");
    }
}

/// The mode of a meeting with one format, and with this `venue_type`.
fn mode_with(format: &Value, venue_type: &str) -> MeetingMode {
    let mut listing: Value =
        serde_json::from_slice(&listing_of(&json!({ "formats": format["key_string"], "venue_type": venue_type })))
            .unwrap();
    listing["formats"] = json!([format]);
    let listing = read(listing.to_string().as_bytes(), &origin()).unwrap();
    listing.groups[0].details.mode
}

#[test]
fn venue_type_decides_before_words_in_the_name_of_a_format_and_codes_before_both() {
    use MeetingMode::{Hybrid, InPerson, Virtual};
    let format = |key: &str, name: &str, world: &str| json!({ "key_string": key, "name_string": name, "lang": "en", "world_id": world });
    for (format, venue_type, mode) in [
        (format("OL", "Online Literature", ""), "1", InPerson),
        (format("OL", "Online Literature", ""), "", InPerson),
        (format("OL", "Online Literature", ""), "2", Virtual),
        (format("OL", "Online Literature", "LIT"), "3", Hybrid),
        (format("VR", "Virtual Reality Steps", ""), "", InPerson),
        (format("HF", "Hybrid Format", ""), "1", InPerson),
        (format("HF", "Hybrid Format", ""), "", Hybrid),
        (format("ON", "Online Meeting (Zoom)", ""), "", Virtual),
        (format("ON", "Online Meeting", ""), "1", InPerson),
        (format("ON", "Online Meeting", ""), "3", Hybrid),
        (format("X", "Anything", "VM"), "1", Virtual),
        (format("X", "Anything", "HYBR"), "", Hybrid),
        (format("VM", "Vietnamese Men", ""), "1", InPerson),
        (format("VM", "Vietnamese Men", ""), "", Virtual),
        (format("VM", "Virtual Meeting", "VM"), "3", Virtual),
        (format("HY", "Hymns", "MED"), "", InPerson),
    ] {
        assert_eq!(mode_with(&format, venue_type), mode, "{format} {venue_type}");
    }
    let (_, remarks) = group(&json!({ "venue_type": "4" }));
    assert_eq!(remarks, ["venue_type: is not 1 (in person), 2 (virtual) or 3 (hybrid); formats decide"]);
}

#[test]
fn how_to_join_is_kept_and_public_if_the_meeting_is_published() {
    let fields = json!({ "virtual_meeting_link": "https://zoom.example/j/1?pwd=x", "phone_meeting_number": "+1 212 555 0142",
        "virtual_meeting_additional_info": "ID 1,\npassword: steps", "venue_type": "2" });
    let (listed, remarks) = group(&fields);
    assert_eq!(remarks, Vec::<String>::new());
    let joining = Joining {
        url: Some("https://zoom.example/j/1?pwd=x".parse().unwrap()),
        instructions: Some("ID 1, password: steps".parse().unwrap()),
        telephone: Some("+1 212 555 0142".parse().unwrap()),
        telephone_instructions: None,
    };
    assert_eq!((listed.joining.as_ref(), listed.joining_public), (Some(&joining), true));
    let mut unpublished = fields.clone();
    unpublished["published"] = "0".into();
    assert!(!group(&unpublished).0.joining_public);
    let private = read(&listing_of(&fields), &Origin { links: Links::Private, ..origin() }).unwrap();
    assert!(!private.groups[0].joining_public);
    assert_eq!(private.groups[0].joining, Some(joining));
    assert_eq!(group(&json!({})).0.joining, None);
}

#[test]
fn of_what_there_is_to_join_nothing_is_quoted_and_only_pages_are_links() {
    for (link, url, instructions, remark) in [
        ("zoom.example/j/1", Some("https://zoom.example/j/1"), None, None),
        (
            "Zoom 123 456, secret",
            None,
            Some("Zoom 123 456, secret"),
            Some("is not the address of a page; it is kept as an instruction"),
        ),
        ("123.456.789", None, Some("123.456.789"), Some("is not the address of a page; it is kept as an instruction")),
        ("javascript:alert(1)", None, None, Some("is not the address of a page; it is left out")),
        ("https://secret@zoom.example/", None, None, Some("is not the address of a page; it is left out")),
    ] {
        let listing = read_one(&json!({ "virtual_meeting_link": link }));
        let joining = listing.groups[0].joining.clone().unwrap_or_default();
        assert_eq!(joining.url.as_ref().map(domain::group::Link::as_str), url, "{link}");
        assert_eq!(joining.instructions.as_ref().map(Text::as_str), instructions, "{link}");
        assert_eq!(listing.remarks.first().map(|remark| remark.what.as_str()), remark, "{link}");
        assert!(listing.remarks.iter().all(|remark| remark.value.is_empty()), "{link}");
    }
    let long = read_one(&json!({ "virtual_meeting_additional_info": "secret ".repeat(100) }));
    assert_eq!((long.remarks.len(), long.remarks[0].value.as_str()), (1, ""));
}

#[test]
fn a_wheelchair_is_known_by_the_code_that_is_the_same_everywhere() {
    let mut listing: Value = serde_json::from_slice(&listing_of(&json!({ "formats": "O,WC" }))).unwrap();
    listing["formats"] = json!([{ "key_string": "WC", "name_string": "Rollstuhl", "lang": "de", "world_id": "WCHR" }]);
    let listing = read(listing.to_string().as_bytes(), &origin()).unwrap();
    assert_eq!(listing.groups[0].details.accessibility, [Accessibility::WheelchairAccess]);
}

#[test]
fn a_meeting_whose_place_is_closed_plans_nothing_unless_it_goes_on_online() {
    let (closed, remarks) = group(&json!({ "formats": "FC" }));
    assert_eq!(closed.schedule, None);
    assert_eq!(remarks, ["formats: the place is closed for now; no meetings are planned"]);
    assert_eq!(group(&json!({ "formats": "FC,VM" })).1, ["formats: the place is closed for now"]);
}

#[test]
fn formats_are_named_in_the_meetings_language_and_unknown_keys_are_kept() {
    let (german, _) = group(&json!({ "lang_enum": "de" }));
    assert_eq!(german.details.formats[0].as_str(), "Offen");
    let (unknown, remarks) = group(&json!({ "formats": "O,ZZ,O" }));
    assert_eq!(unknown.details.formats.iter().map(Text::as_str).collect::<Vec<_>>(), ["Open", "ZZ"]);
    assert_eq!(remarks, ["formats: is not among the listed formats; the key stands for its name"]);
}

#[test]
fn odd_values_are_left_out_or_kept_and_remarked_on() {
    let remarks = |changes| group(&changes).1.join("; ");
    let minutes = |duration| group(&json!({ "duration_time": duration })).0.schedule.unwrap().duration_minutes;
    assert_eq!((minutes("12:00:00"), minutes("24:00"), minutes("00:01:00")), (720, 1440, 1));
    assert_eq!((minutes("00:00:00"), minutes("24:01:00"), minutes("soon"), minutes("")), (60, 60, 60, 60));
    for (changes, expected) in [
        (
            json!({ "duration_time": "12:00:00" }),
            "duration_time: is an odd length of a meeting: 720 minutes; it is kept",
        ),
        (json!({ "duration_time": "-1:00" }), "duration_time: is not a length of a meeting; 60 minutes are taken"),
        (
            json!({ "latitude": "0", "longitude": 0.0 }),
            "latitude: is in the Gulf of Guinea, which stands for unknown; it is left out",
        ),
        (json!({ "latitude": "91" }), "latitude: is not a place on Earth; it is left out"),
        (json!({ "latitude": "NaN" }), "latitude: is not a place on Earth; it is left out"),
        (json!({ "latitude": "" }), "latitude: is not a pair of degrees; it is left out"),
        (json!({ "latitude": null, "longitude": null }), "latitude: has no coordinates: it is not on the map"),
        (json!({ "latitude": null, "longitude": null, "formats": "VM" }), ""),
        (json!({ "location_postal_code_1": "NY" }), "location_postal_code_1: is not a postal code; it is left out"),
        (
            json!({ "location_street": "" }),
            "location_street: has neither a street nor the name of a place: nobody can find it",
        ),
        (
            json!({ "published": "maybe" }),
            "published: does not say whether the meeting is published; it stays unlisted",
        ),
        (json!({ "lang_enum": "<b>" }), "lang_enum: is not the tag of a language; it is left out"),
        (json!({ "time_zone": "Mars/Olympus" }), "time_zone: is not an IANA time zone; America/New_York is taken"),
        (
            json!({ "service_body_bigint": "99" }),
            "service_body_bigint: is not among the listed service bodies; its programme is called `Service body 99`",
        ),
        (json!({ "comments": "x".repeat(501) }), "comments: is 501 characters long; it is cut to 500"),
        (json!({ "meeting_name": "x".repeat(201) }), "meeting_name: is 201 characters long; it is cut to 200"),
        (json!({ "comments": " two\r\n\tlines\u{0} " }), ""),
    ] {
        assert_eq!(remarks(changes), expected);
    }
    assert_eq!(
        group(&json!({ "comments": " two\r\n\tlines\u{0} " })).0.details.comments.unwrap().as_str(),
        "two lines"
    );
    assert!(!group(&json!({ "published": "0" })).0.details.listed);
}

#[test]
fn a_meetings_own_time_zone_is_kept() {
    let schedule = group(&json!({ "time_zone": "America/Chicago" })).0.schedule.unwrap();
    assert_eq!(schedule.time_zone.as_str(), "America/Chicago");
    for (given, kept) in [("america/chicago", "America/Chicago"), ("US/CENTRAL", "US/Central"), ("utc", "UTC")] {
        let (group, remarks) = group(&json!({ "time_zone": given }));
        assert_eq!((group.schedule.unwrap().time_zone.as_str(), remarks.len()), (kept, 0), "{given}");
    }
    let elsewhere = Origin { time_zone: "europe/BERLIN".parse().unwrap(), ..origin() };
    let listing = read(&listing_of(&json!({})), &elsewhere).unwrap();
    assert_eq!(listing.groups[0].schedule.as_ref().unwrap().time_zone.as_str(), "Europe/Berlin");
}

#[test]
fn a_meeting_that_cannot_be_used_is_rejected_with_the_reason() {
    for (changes, expected) in [
        (json!({ "id_bigint": "" }), "id_bigint: has no id that can be used"),
        (json!({ "id_bigint": "9".repeat(41) }), "id_bigint: has no id that can be used"),
        (json!({ "id_bigint": "1\u{0}2" }), "id_bigint: has no id that can be used"),
        (json!({ "meeting_name": " \n " }), "meeting_name: has no name"),
        (json!({ "weekday_tinyint": "0" }), "weekday_tinyint: is not a weekday, 1 (Sunday) to 7"),
        (json!({ "weekday_tinyint": 8 }), "weekday_tinyint: is not a weekday, 1 (Sunday) to 7"),
        (json!({ "start_time": "24:00:00" }), "start_time: is not a time of day"),
        (json!({ "start_time": "7pm" }), "start_time: is not a time of day"),
        (json!({ "start_time": null }), "start_time: is not a time of day"),
    ] {
        assert_eq!(rejection(&changes), expected);
    }
}

#[test]
fn what_is_rejected_or_listed_twice_does_not_stop_the_rest() {
    let one: Value = serde_json::from_slice(&listing_of(&json!({}))).unwrap();
    let one = one["meetings"][0].clone();
    let mut again = one.clone();
    again["meeting_name"] = "Again".into();
    let mut last = one.clone();
    last["id_bigint"] = 8.into();
    let mut unusable = one.clone();
    unusable["start_time"] = "late".into();
    let listing = json!([null, "text", [], unusable, one, again, last]).to_string();
    let listing = read(listing.as_bytes(), &origin()).unwrap();
    assert_eq!(listing.rejected, 5);
    let names: Vec<_> = listing.groups.iter().map(|group| (group.index, group.details.name.as_str())).collect();
    assert_eq!(names, [(4, "New Steps"), (6, "New Steps")]);
}

#[test]
fn what_is_no_listing_is_refused_as_a_whole() {
    for bad in ["", "{}", "[", "17", "\"text\"", r#"{"meetings": 1}"#, r#"{"meetings": {}}"#, "[] []", "\u{0}"] {
        assert!(matches!(read(bad.as_bytes(), &origin()), Err(ListingError::Json(_))), "{bad}");
    }
    let many = format!("[{}0]", "0,".repeat(MEETINGS_MAX));
    assert!(read(many.as_bytes(), &origin()).unwrap_err().to_string().contains("more than 20000 rows"));
    assert!(matches!(read(&vec![b' '; LISTING_BYTES_MAX + 1], &origin()), Err(ListingError::TooLarge(_))));
    let nowhere = Origin { time_zone: "Mars/Olympus".parse().unwrap(), ..origin() };
    assert!(matches!(read(b"[]", &nowhere), Err(ListingError::TimeZone(_))));
}

#[test]
fn a_source_is_a_short_plain_name() {
    for bad in ["", "a:b", "A", "a b", &"a".repeat(41)] {
        assert_eq!(bad.parse::<SourceName>(), Err(SourceNameError), "{bad}");
    }
    assert!("bmlt.example-1.org".parse::<SourceName>().is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,80}".prop_map(Value::from),
        "[0-9:.,-]{0,9}".prop_map(Value::from),
        "(.|\n|\r|\u{0}){0,600}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,12}", inner, 0..3).prop_map(Value::from_iter),
        ]
    })
}

/// Bytes that mean something in JSON, and bytes that do not.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: [&[u8]; 12] =
        [b"{", b"}", b"[", b"]", b",", b":", b"\"", b"null", b"1e999", b"\\ud800", b"\xff", b"[[[[[[[["];
    prop_oneof![prop::sample::select(&TOKENS[..]).prop_map(<[u8]>::to_vec), prop::collection::vec(any::<u8>(), 0..8),]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_meeting_says_reading_it_gives_a_group_or_a_rejection(
        changes in prop::collection::vec((prop::sample::select(FIELDS), any_json()), 0..12),
    ) {
        let changes: serde_json::Map<_, _> = changes.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        let listing = read_one(&Value::from(changes));
        prop_assert_eq!(listing.groups.len() + listing.rejected, 1);
        prop_assert_eq!(listing.programmes.len(), listing.groups.len());
        let rejections = listing.remarks.iter().filter(|remark| remark.severity == Severity::Rejected).count();
        prop_assert_eq!(rejections > 0, listing.rejected > 0);
        for schedule in listing.groups.iter().filter_map(|group| group.schedule.as_ref()) {
            prop_assert_eq!(crate::calendar::validate(schedule), Ok(()));
        }
    }

    #[test]
    fn whatever_formats_and_service_bodies_say_the_meeting_is_read(
        formats in prop::collection::vec((any_json(), any_json(), any_json()), 0..4),
        bodies in prop::collection::vec((any_json(), any_json()), 0..4),
        (body, keys) in (any_json(), any_json()),
    ) {
        let changes = json!({ "service_body_bigint": body, "formats": keys });
        let mut listing: Value = serde_json::from_slice(&listing_of(&changes)).unwrap();
        let format = |(key, name, lang)| json!({ "key_string": key, "name_string": name, "lang": lang });
        listing["formats"] = formats.into_iter().map(format).collect();
        listing["service_bodies"] = bodies.into_iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        // The meeting's own, too, so that it is found: with a name that may be nothing.
        let own = json!({ "id": &listing["meetings"][0]["service_body_bigint"], "name": "\u{0}" });
        listing["service_bodies"].as_array_mut().unwrap().push(own);
        let listing = read(listing.to_string().as_bytes(), &origin()).unwrap();
        prop_assert_eq!((listing.groups.len(), listing.programmes.len()), (1, 1));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_always_in_the_same_way(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, noise()), 1..5),
    ) {
        let broken = changes.into_iter().fold(listing_of(&json!({})), |mut bytes, (at, cut, put)| {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + cut).min(bytes.len()), put);
            bytes
        });
        let in_brackets = [b"[", &noise[..], b"]"].concat();
        for bytes in [noise, in_brackets, broken] {
            let read = || read(&bytes, &origin()).map_err(|error| error.to_string()).map(|listing| format!("{listing:?}"));
            prop_assert_eq!(read(), read());
        }
    }

    #[test]
    fn a_source_is_read_as_it_is_written_or_not_at_all(name in prop_oneof!["\\PC{0,50}", "[a-z0-9.-]{0,50}"]) {
        if let Ok(source) = name.parse::<SourceName>() {
            prop_assert!(source.as_str() == name && name.len() <= SourceName::CHARS_MAX && name.is_ascii());
        }
    }

    #[test]
    fn whatever_is_broken_in_the_real_listing_it_is_read_or_refused(
        at in 0..GREATER_NEW_YORK.len() / 100,
        byte in any::<u8>(),
    ) {
        let mut bytes = GREATER_NEW_YORK[..GREATER_NEW_YORK.len() / 100].to_vec();
        bytes[at] = byte;
        let _ = read(&bytes, &origin());
        let mut meeting = listing_of(&serde_json::json!({}));
        let at = at % meeting.len();
        meeting[at] = byte;
        let _ = read(&meeting, &origin());
    }
}
