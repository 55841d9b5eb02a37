//! What is written is read as the same, and what others write is read as far as it can be kept.

use std::collections::BTreeMap;

use domain::{
    GroupId, ProgrammeId, Schedule,
    group::{Details, Focus, MeetingMode, Override},
};
use jiff::{
    ToSpan,
    civil::{Date, date, time},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{read::ReadError, *};
use crate::calendar::{Days, occurrences, validate};

fn details() -> Details {
    Details {
        name: "Steps, und Mut; \\ 测试".parse().unwrap(),
        programme: ProgrammeId(Uuid::from_u128(1)),
        focus: Focus::Addiction,
        formats: vec!["Open".parse().unwrap(), "Step, study".parse().unwrap()],
        mode: MeetingMode::Hybrid,
        venue: None,
        language: None,
        comments: Some("Die Tür ist blau. ".repeat(9).parse().unwrap()),
        accessibility: vec![],
        cost: None,
        cost_details: None,
        website: None,
        listed: true,
        source: None,
    }
}

fn schedule(rule: &str) -> Schedule {
    Schedule {
        starts_on: date(2026, 1, 6),
        starts_at: time(19, 0, 0, 0),
        duration_minutes: 90,
        time_zone: "Europe/Berlin".parse().unwrap(),
        recurrence: rule.parse().unwrap(),
        except: vec![],
    }
}

fn written(schedule: &Schedule, others: BTreeMap<Date, Other>) -> String {
    let group = GroupCalendar {
        group: GroupId(Uuid::from_u128(7)),
        details: details(),
        schedule: schedule.clone(),
        others,
        sequence: 3,
        changed_at: "2026-03-01T12:00:00Z".parse().unwrap(),
    };
    Feed { name: "Steps".into(), groups: vec![group] }.written(date(2026, 3, 1))
}

fn only(file: &str) -> (ReadCalendar, Vec<Remark>) {
    let ReadFile { calendars, remarks, rejected, .. } = read(file.as_bytes(), "UTC").unwrap();
    let [calendar] = <[_; 1]>::try_from(calendars).unwrap_or_else(|all| panic!("{all:?} {remarks:?}"));
    assert_eq!(rejected, 0);
    (calendar, remarks)
}

/// An event with these lines.
fn event(lines: &str) -> String {
    let lines = lines.lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Steps\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn whats(file: &str) -> Vec<(usize, &'static str, String, bool)> {
    let read = read(file.as_bytes(), "Europe/Berlin").unwrap();
    read.remarks.into_iter().map(|remark| (remark.line, remark.property, remark.what, remark.rejected)).collect()
}

#[test]
fn what_is_otherwise_at_single_occurrences_is_read_as_it_was_written() {
    let moved = Override {
        starts_at_local: Some(date(2026, 3, 11).at(20, 15, 0, 0)),
        duration_minutes: Some(45),
        mode: Some(MeetingMode::Virtual),
        note: Some("From home, this time; bring tea".parse().unwrap()),
        called_off: false,
    };
    let called_off = Override { called_off: true, ..Override::default() };
    let overrides = BTreeMap::from([(date(2026, 3, 10), moved), (date(2026, 3, 17), called_off.clone())]);
    let mut others: BTreeMap<_, Other> = overrides.iter().map(|(on, change)| (*on, change.into())).collect();
    others.insert(
        date(2026, 3, 24),
        Other { cancelled: Some((2, "2026-03-02T12:00:00Z".parse().unwrap())), ..Other::default() },
    );
    // Of a day that the rule does not name there is no meeting.
    others.insert(date(2026, 3, 25), (&called_off).into());
    let text = written(&schedule("FREQ=WEEKLY;BYDAY=TU"), others);
    assert_eq!(text.matches("STATUS:CANCELLED").count(), 1, "{text}");
    let (calendar, remarks) = only(&text);
    assert_eq!(remarks, []);
    assert_eq!(calendar.overrides.into_iter().collect::<Vec<_>>(), [overrides.into_iter().next().unwrap()]);
    let left_out = Schedule { except: vec![date(2026, 3, 17)], ..schedule("FREQ=WEEKLY;BYDAY=TU") };
    assert_eq!(calendar.schedule, Some(left_out), "what is called off is left out for programs");
    assert_eq!(
        (calendar.name, calendar.comments, calendar.formats),
        (details().name, details().comments, details().formats)
    );
    assert_eq!(calendar.mode, MeetingMode::Hybrid);
}

#[test]
fn zones_as_windows_and_vendors_name_them_and_times_without_one_are_read() {
    let zone = |lines: &str| only(&event(lines)).0.schedule.unwrap().time_zone.to_string();
    let weekly = "RRULE:FREQ=WEEKLY\nDURATION:PT1H";
    assert_eq!(zone(&format!("DTSTART;TZID=W. Europe Standard Time:20260106T190000\n{weekly}")), "Europe/Berlin");
    assert_eq!(zone(&format!("DTSTART;TZID=\"Eastern Standard Time\":20260106T190000\n{weekly}")), "America/New_York");
    assert_eq!(zone(&format!("DTSTART:20260106T190000Z\n{weekly}")), "UTC");
    assert_eq!(zone(&format!("DTSTART:20260106T190000\n{weekly}")), "UTC", "as it was asked");
    let own = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Our town\nX-LIC-LOCATION:Asia/Tokyo\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
               SUMMARY:Steps\nDTSTART;TZID=Our town:20260106T190000\nDTEND;TZID=Our town:20260106T203000\nEND:VEVENT\nEND:VCALENDAR";
    let (calendar, _) = only(own);
    let Schedule { time_zone, recurrence, duration_minutes, .. } = calendar.schedule.unwrap();
    assert_eq!((time_zone.as_str(), recurrence.as_str(), duration_minutes), ("Asia/Tokyo", "FREQ=DAILY;COUNT=1", 90));
    let unknown = event(&format!("DTSTART;TZID=Custom 7:20260106T190000\n{weekly}"));
    let what = "is in the time zone \"Custom 7\", which is neither one of the IANA database nor of Windows";
    assert_eq!(whats(&unknown), [(6, "DTSTART", what.to_owned(), true)]);
    assert_eq!(read(unknown.as_bytes(), "Mars/Olympus").unwrap_err(), ReadError::TimeZone);
}

#[test]
fn what_cannot_be_kept_is_said_with_its_line() {
    let all_day = event("DTSTART;VALUE=DATE:20260106\nRRULE:FREQ=WEEKLY");
    assert_eq!(whats(&all_day), [(6, "DTSTART", "is of a whole day; a meeting of a group has a time".into(), true)]);
    let odd = event(
        "DTSTART;TZID=Europe/Berlin:20260106T190000\nRRULE:FREQ=WEEKLY;BYDAY=TU;BYHOUR=19;BYMINUTE=0\n\
         RRULE:FREQ=MONTHLY\nRDATE;TZID=Europe/Berlin:20260108T190000\n\
         EXDATE;TZID=Europe/Berlin:20260113T190000,20260120T180000\nATTENDEE:mailto:ada@example.org",
    );
    assert_eq!(
        whats(&odd),
        [
            (3, "DTEND", "is missing, as is DURATION; it is taken to last 60 minutes".into(), false),
            (8, "RRULE", "is a second rule, and a calendar has one; it is left out".into(), false),
            (10, "EXDATE", "is at another time than the meetings; nothing is left out for it".into(), false),
            (9, "RDATE", "cannot be kept, because a calendar has one rule; it is left out".into(), false),
        ]
    );
    let (calendar, _) = only(&odd);
    let kept = calendar.schedule.unwrap();
    assert_eq!((kept.recurrence.as_str(), kept.except), ("FREQ=WEEKLY;BYDAY=TU", vec![date(2026, 1, 13)]));
    let hourly = event("DTSTART:20260106T190000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY");
    let [(8, "RRULE", what, true)] = &whats(&hourly)[..] else { panic!("{:?}", whats(&hourly)) };
    assert!(what.contains("FREQ cannot have this value"), "{what}");
}

#[test]
fn changes_of_single_occurrences_are_read_as_others_write_them() {
    let file = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Steps\nLOCATION:St Anne\nDESCRIPTION:Ring twice\n\
                DTSTART;TZID=Europe/Berlin:20260106T190000\nDTEND;TZID=Europe/Berlin:20260106T203000\nRRULE:FREQ=WEEKLY\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260113T180000Z\nSUMMARY:Steps\nDESCRIPTION:Ring twice\nLOCATION:Zoom\n\
                DTSTART;TZID=Europe/Berlin:20260113T190000\nDTEND;TZID=Europe/Berlin:20260113T200000\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260120T190000\nSTATUS:CANCELLED\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260121T190000\nSUMMARY:Extra\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:2\nRECURRENCE-ID:20260113T180000Z\nSUMMARY:Lost\nEND:VEVENT\nEND:VCALENDAR\n";
    let ReadFile { calendars, remarks, rejected, .. } = read(file.as_bytes(), "UTC").unwrap();
    let online = Override { duration_minutes: Some(60), mode: Some(MeetingMode::Virtual), ..Override::default() };
    let called_off = Override { called_off: true, ..Override::default() };
    assert_eq!(calendars[0].overrides, BTreeMap::from([(date(2026, 1, 13), online), (date(2026, 1, 20), called_off)]));
    let lines: Vec<_> = remarks.iter().map(|remark| (remark.line, remark.rejected)).collect();
    assert_eq!((lines, rejected), (vec![(27, false), (30, true)], 1), "{remarks:?}");
}

fn rules() -> impl Strategy<Value = String> {
    let days = prop::sample::subsequence(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"], 1..4);
    let weekly =
        (1..5, days.clone()).prop_map(|(n, days)| format!("FREQ=WEEKLY;INTERVAL={n};BYDAY={}", days.join(",")));
    let places = prop::sample::select(vec![-5, -2, -1, 1, 2, 3, 5]);
    let monthly = (1..4, places, days).prop_map(|(n, place, days)| {
        let days: Vec<_> = days.iter().map(|day| format!("{place}{day}")).collect();
        format!("FREQ=MONTHLY;INTERVAL={n};BYDAY={}", days.join(","))
    });
    let rule = prop_oneof![
        weekly,
        monthly,
        (1..9).prop_map(|n| format!("FREQ=DAILY;INTERVAL={n}")),
        Just("FREQ=YEARLY".into())
    ];
    let end = prop_oneof![
        Just(String::new()),
        (1..40).prop_map(|n| format!(";COUNT={n}")),
        (1..28).prop_map(|day| format!(";UNTIL=202611{day:02}")),
        (1..28, 0..24).prop_map(|(day, hour)| format!(";UNTIL=202610{day:02}T{hour:02}0000")),
        (1..28, 0..24).prop_map(|(day, hour)| format!(";UNTIL=202610{day:02}T{hour:02}0000Z")),
    ];
    (rule, end).prop_map(|(rule, end)| rule + &end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_calendar_that_was_written_is_read_as_the_same(
        rule in rules(),
        (start, hour) in (0i32..300, 0i8..24),
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        except in prop::collection::btree_set(0i32..400, 0..9),
    ) {
        let starts_on = date(2026, 1, 1).saturating_add(start.days());
        let except = except.into_iter().map(|day| starts_on.saturating_add(day.days())).collect();
        let time_zone = zone.parse().unwrap();
        let before = Schedule { starts_on, starts_at: time(hour, 30, 0, 0), time_zone, except, ..schedule(&rule) };
        prop_assume!(validate(&before).is_ok());
        let (calendar, remarks) = only(&written(&before, BTreeMap::new()));
        prop_assert_eq!(remarks, vec![]);
        let after = calendar.schedule.unwrap();
        let days = Days::new(starts_on, starts_on.saturating_add(399.days())).unwrap();
        prop_assert_eq!(occurrences(&after, days), occurrences(&before, days));
        // Again, it is the same to the last letter.
        let (again, _) = only(&written(&after, BTreeMap::new()));
        prop_assert_eq!(again.schedule, Some(after));
    }

    #[test]
    fn no_file_at_all_panics(lines in prop::collection::vec("(BEGIN|END|DTSTART|RRULE|EXDATE|RECURRENCE-ID|UID)[:;=A-Z0-9,T\"]{0,30}", 0..12), rest in "\\PC{0,80}") {
        let text = lines.join("\n");
        for file in [text.clone(), rest, event(&text), format!("BEGIN:VCALENDAR\n{text}\nEND:VCALENDAR")] {
            let _ = read(file.as_bytes(), "UTC");
        }
    }
}
