//! What a calendar promises, also for rules that nobody in their right mind writes.

use std::time::{Duration, Instant};

use domain::Text;
use jiff::civil::{date, time};
use proptest::prelude::*;

use super::{rule::WEEKDAYS, *};

mod dateutil;

fn schedule(starts_on: Date, recurrence: &str) -> Schedule {
    Schedule {
        starts_on,
        starts_at: time(19, 0, 0, 0),
        duration_minutes: 90,
        time_zone: "America/New_York".parse().unwrap(),
        recurrence: recurrence.parse().unwrap(),
        except: vec![],
    }
}

fn days(from: Date, through: Date) -> Days {
    Days::new(from, through).unwrap()
}

fn dates(schedule: &Schedule, from: Date, through: Date) -> Vec<String> {
    let found = occurrences(schedule, days(from, through)).unwrap();
    found.iter().map(|occurrence| occurrence.local.date().to_string()).collect()
}

fn dates_2026(recurrence: &str) -> Vec<String> {
    dates(&schedule(date(2026, 1, 1), recurrence), date(2026, 1, 1), date(2026, 12, 31))
}

fn why(recurrence: &str) -> String {
    match validate(&schedule(date(2026, 1, 1), recurrence)) {
        Err(ScheduleError::Recurrence { why, .. }) => why,
        other => panic!("{recurrence} gives {other:?}"),
    }
}

#[test]
fn a_weekly_meeting_stays_at_its_local_time_when_clocks_change() {
    let tuesdays = schedule(date(2026, 1, 6), "FREQ=WEEKLY;BYDAY=TU");
    let found = occurrences(&tuesdays, days(date(2026, 3, 1), date(2026, 3, 14))).unwrap();
    let starts: Vec<_> = found.iter().map(|o| (o.local.to_string(), o.starts_at.to_string())).collect();
    let start = |local: &str, at: &str| (local.to_owned(), at.to_owned());
    assert_eq!(
        starts,
        [
            start("2026-03-03T19:00:00", "2026-03-04T00:00:00Z"),
            start("2026-03-10T19:00:00", "2026-03-10T23:00:00Z"), // clocks went forward on 8 March
        ]
    );
    assert_eq!(found[1].ends_at.to_string(), "2026-03-11T00:30:00Z");
    let autumn = occurrences(&tuesdays, days(date(2026, 10, 27), date(2026, 11, 3))).unwrap();
    let starts: Vec<_> = autumn.iter().map(|o| o.starts_at.to_string()).collect();
    assert_eq!(starts, ["2026-10-27T23:00:00Z", "2026-11-04T00:00:00Z"]); // and back on 1 November
}

#[test]
fn a_local_time_that_clocks_skip_is_moved_forward_and_one_they_repeat_is_the_first() {
    let nightly = |hour| Schedule { starts_at: time(hour, 30, 0, 0), ..schedule(date(2026, 1, 1), "FREQ=DAILY") };
    let on = |schedule: &Schedule, day| occurrences(schedule, days(day, day)).unwrap()[0];
    let skipped = on(&nightly(2), date(2026, 3, 8));
    assert_eq!(skipped.local.to_string(), "2026-03-08T02:30:00");
    assert_eq!(skipped.starts_at.to_string(), "2026-03-08T07:30:00Z"); // 03:30 in daylight time
    let repeated = on(&nightly(1), date(2026, 11, 1));
    assert_eq!(repeated.starts_at.to_string(), "2026-11-01T05:30:00Z"); // still daylight time
}

#[test]
fn the_second_tuesday_and_the_last_friday_are_found_in_every_month() {
    let second = dates_2026("FREQ=MONTHLY;BYDAY=2TU");
    assert_eq!(second.len(), 12);
    assert_eq!(second[..3], ["2026-01-13", "2026-02-10", "2026-03-10"]);
    let last = dates_2026("FREQ=MONTHLY;BYDAY=-1FR");
    assert_eq!(last.len(), 12);
    assert_eq!(last[..3], ["2026-01-30", "2026-02-27", "2026-03-27"]);
    assert_eq!(dates_2026("freq=monthly;bysetpos=2;byday=tu"), second);
}

#[test]
fn every_other_week_is_counted_from_the_start_wherever_the_range_begins() {
    let calendar = schedule(date(2026, 1, 6), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU");
    assert_eq!(dates(&calendar, date(2026, 2, 1), date(2026, 3, 10)), ["2026-02-03", "2026-02-17", "2026-03-03"]);
}

#[test]
fn nothing_comes_before_the_start_and_a_start_off_the_rule_is_no_meeting() {
    let calendar = schedule(date(2026, 1, 7), "FREQ=WEEKLY;BYDAY=TU");
    assert_eq!(dates(&calendar, date(2025, 12, 1), date(2026, 1, 14)), ["2026-01-13"]);
}

#[test]
fn until_is_included_whether_a_day_a_local_time_or_an_instant() {
    let last = |until: &str| dates_2026(&format!("FREQ=WEEKLY;BYDAY=TU;UNTIL={until}")).last().cloned();
    assert_eq!(last("20260210").as_deref(), Some("2026-02-10"));
    assert_eq!(last("20260210T190000").as_deref(), Some("2026-02-10"));
    assert_eq!(last("20260210T185959").as_deref(), Some("2026-02-03"));
    assert_eq!(last("20260211T000000Z").as_deref(), Some("2026-02-10")); // 19:00 in New York
    assert_eq!(last("20260210T235959Z").as_deref(), Some("2026-02-03"));
}

#[test]
fn count_counts_the_meetings_that_exceptions_leave_out_too() {
    let mut calendar = schedule(date(2026, 1, 6), "FREQ=WEEKLY;COUNT=3;BYDAY=TU");
    calendar.except = vec![date(2026, 1, 13)];
    assert_eq!(dates(&calendar, date(2026, 1, 1), date(2026, 12, 31)), ["2026-01-06", "2026-01-20"]);
}

#[test]
fn a_rule_that_cannot_be_used_says_why() {
    for (rule, expected) in [
        ("WEEKLY", "each part must be such as FREQ=WEEKLY"),
        ("BYDAY=TU", "FREQ is missing"),
        ("FREQ=HOURLY", "FREQ cannot have this value"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not possible: a group meets once a day, at starts_at"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL cannot have this value"),
        ("FREQ=DAILY;INTERVAL=401", "INTERVAL cannot have this value"),
        ("FREQ=DAILY;COUNT=0", "COUNT cannot have this value"),
        ("FREQ=MONTHLY;BYDAY=99999TU", "BYDAY cannot have this value"),
        ("FREQ=MONTHLY;BYDAY=TÜ", "BYDAY cannot have this value"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY is not possible with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY needs FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO needs FREQ=YEARLY"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs another part that starts with BY, to choose among its days"),
        ("FREQ=WEEKLY;BYDAY=2TU", "the place of a weekday, as in 2TU, needs FREQ=MONTHLY or FREQ=YEARLY"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "it has both COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL must be a date such as 20261231 or a time such as 20261231T235959Z"),
        ("FREQ=DAILY;UNTIL=20251231", "it names no day"),
        ("FREQ=DAILY;X-EVIL=1", "it has a part that is not one of a rule"),
        ("RRULE:FREQ=DAILY", "it has a part that is not one of a rule"),
    ] {
        assert_eq!(why(rule), expected, "{rule}");
    }
}

#[test]
fn a_rule_that_never_or_hardly_ever_matches_does_not_hang() {
    let started = Instant::now();
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=400;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=5",
        "FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=100",
    ] {
        assert_eq!(why(rule), "it names no day", "{rule}");
    }
    let leap_mondays = schedule(FIRST_DAY, "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO");
    assert_eq!(dates(&leap_mondays, date(2044, 1, 1), date(2044, 12, 31)), ["2044-02-29"]);
    eprintln!("hostile rules took {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
}

#[test]
fn days_that_there_are_not_are_said_not_to_be() {
    for never in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2,4;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=-31",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=DAILY;INTERVAL=400;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=1;BYYEARDAY=32,-1",
        "FREQ=YEARLY;BYYEARDAY=1;BYMONTHDAY=2",
        "FREQ=YEARLY;BYYEARDAY=-366;BYDAY=2SU",
    ] {
        assert_eq!(why(never), "it names no day", "{never}");
    }
    let never_again = schedule(date(2196, 3, 1), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29");
    assert!(validate(&never_again).is_err(), "no more before the last day");
}

#[test]
fn the_fifth_weekday_from_the_end_is_the_first_of_months_that_have_five() {
    assert_eq!(dates_2026("FREQ=MONTHLY;BYDAY=-5MO"), ["2026-03-02", "2026-06-01", "2026-08-03", "2026-11-02"]);
    assert_eq!(dates_2026("FREQ=MONTHLY;BYDAY=5MO"), ["2026-03-30", "2026-06-29", "2026-08-31", "2026-11-30"]);
    assert_eq!(dates_2026("FREQ=YEARLY;BYDAY=-53TH"), ["2026-01-01"], "2026 has 53 Thursdays");
    assert_eq!(dates_2026("FREQ=YEARLY;BYDAY=53TH"), ["2026-12-31"]);
    let mondays = schedule(date(2026, 1, 1), "FREQ=YEARLY;BYDAY=-53MO");
    assert_eq!(dates(&mondays, date(2028, 1, 1), date(2028, 12, 31)), ["2028-01-03"].map(String::from)[..0]);
    assert_eq!(first(&mondays).unwrap().unwrap().local.date(), date(2029, 1, 1));
    assert_eq!(dates_2026("FREQ=YEARLY;BYWEEKNO=-53;BYDAY=MO,TH"), ["2026-01-01"], "the week began in 2025");
}

#[test]
fn weeks_are_those_of_iso_8601_and_counted_from_the_end_as_well() {
    for (week, from_end) in [(1, None), (20, None), (52, None), (53, None), (53, Some(-1))] {
        let rule = format!("FREQ=YEARLY;BYWEEKNO={};BYDAY=MO,TU,WE,TH,FR,SA,SU", from_end.unwrap_or(week));
        let named: Vec<_> = Rule::parse(&schedule(date(2000, 1, 1), &rule)).unwrap().days(FIRST_DAY).collect();
        let is = |day: &Date| {
            let iso = day.iso_week_date();
            let last = date(iso.year(), 12, 28).iso_week_date().week();
            if from_end.is_some() { iso.week() == last } else { iso.week() == week }
        };
        let days = date(2000, 1, 1).series(jiff::Span::new().days(1)).take_while(|day| *day <= LAST_DAY);
        assert_eq!(named, days.filter(is).collect::<Vec<_>>(), "{rule}");
    }
}

#[test]
fn each_day_of_a_list_is_one_of_its_own_with_a_place_or_without() {
    let both = dates_2026("FREQ=MONTHLY;BYDAY=MO,-1FR;BYMONTH=1");
    assert_eq!(both, ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26", "2026-01-30"]);
}

#[test]
fn the_rest_of_a_schedule_is_checked_too() {
    let good = schedule(date(2026, 1, 6), "FREQ=WEEKLY;BYDAY=TU");
    assert_eq!(validate(&good), Ok(()));
    for minutes in [0, 1441] {
        let bad = Schedule { duration_minutes: minutes, ..good.clone() };
        assert_eq!(validate(&bad), Err(ScheduleError::Duration(minutes)));
    }
    for name in ["Mars/Olympus", "america/new_york", "../../etc/passwd", "Etc/Unknown", "EST5EDT,M3.2.0,M11.1.0"] {
        let bad = Schedule { time_zone: name.parse().unwrap(), ..good.clone() };
        assert_eq!(validate(&bad), Err(ScheduleError::TimeZone(name.into())));
    }
    let bad = Schedule { except: vec![date(2026, 1, 6); 401], ..good.clone() };
    assert_eq!(validate(&bad), Err(ScheduleError::Except(401)));
    for starts_on in [date(1969, 12, 31), date(2200, 1, 1), Date::MIN, Date::MAX] {
        let bad = Schedule { starts_on, ..good.clone() };
        assert!(matches!(validate(&bad), Err(ScheduleError::Recurrence { .. })), "{starts_on}");
    }
}

#[test]
fn a_range_holds_at_most_so_many_days_and_may_be_empty() {
    let first = date(2026, 1, 1);
    assert!(Days::new(first, date(2027, 2, 4)).is_ok());
    assert_eq!(Days::new(first, date(2027, 2, 5)), Err(TooManyDays(401)));
    assert_eq!(Days::new(Date::MIN, Date::MAX).unwrap_err().0, 7_304_484);
    assert_eq!(dates(&schedule(first, "FREQ=DAILY"), date(2026, 1, 2), first), Vec::<String>::new());
}

fn rules() -> impl Strategy<Value = String> {
    let frequency = prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]);
    let weekday = (-5i8..=5, prop::sample::select(&WEEKDAYS[..]))
        .prop_map(|(place, day)| if place == 0 { day.to_owned() } else { format!("{place}{day}") });
    let list = |of: BoxedStrategy<String>| prop::collection::vec(of, 1..4).prop_map(|all| all.join(","));
    let integers = |from: i32, to: i32| (from..=to).prop_map(|number| number.to_string()).boxed();
    let part = prop_oneof![
        (1..=40).prop_map(|n| format!("INTERVAL={n}")),
        (1..=500).prop_map(|n| format!("COUNT={n}")),
        (2020..2040, 1..=12, 1..=28).prop_map(|(y, m, d)| format!("UNTIL={y}{m:02}{d:02}")),
        list(weekday.boxed()).prop_map(|days| format!("BYDAY={days}")),
        list(prop::sample::select(&WEEKDAYS[..]).prop_map(str::to_owned).boxed()).prop_map(|d| format!("BYDAY={d}")),
        list(integers(1, 12)).prop_map(|months| format!("BYMONTH={months}")),
        list(integers(-31, 31)).prop_map(|days| format!("BYMONTHDAY={days}")),
        list(integers(-366, 366)).prop_map(|days| format!("BYYEARDAY={days}")),
        list(integers(-53, 53)).prop_map(|weeks| format!("BYWEEKNO={weeks}")),
        list(integers(-5, 5)).prop_map(|places| format!("BYSETPOS={places}")),
        prop::sample::select(&WEEKDAYS[..]).prop_map(|day| format!("WKST={day}")),
    ];
    (frequency, prop::collection::vec(part, 0..4))
        .prop_map(|(frequency, parts)| [vec![format!("FREQ={frequency}")], parts].concat().join(";"))
}

/// Longest time for one schedule, unoptimised and beside other tests.
const EACH_WITHIN: Duration = Duration::from_secs(10);
const ZONES: [&str; 5] = ["UTC", "America/New_York", "Pacific/Apia", "Africa/Monrovia", "Asia/Kathmandu"];

fn any_date() -> impl Strategy<Value = Date> {
    let near = |(year, day): (i16, i32)| date(year, 1, 1).saturating_add(jiff::Span::new().days(day));
    prop_oneof![
        4 => (1970i16..=2199, 0..366).prop_map(near),
        1 => (-9999i16..=9999, 0..366).prop_map(near),
        1 => Just(FIRST_DAY),
        1 => Just(LAST_DAY),
        1 => Just(Date::MAX),
    ]
}

/// Rules in which something was replaced by something else.
fn spliced_rules() -> impl Strategy<Value = String> {
    (rules(), any::<prop::sample::Index>(), 0usize..6, "[A-Z0-9=;,+-]{0,6}").prop_map(|(rule, at, cut, put)| {
        let at = at.index(rule.len() + 1);
        let end = (at + cut).min(rule.len());
        [&rule[..at], &put, &rule[end..]].concat()
    })
}

/// Rules as long as they may be, in which every part has many values.
fn crowded_rules() -> impl Strategy<Value = String> {
    let frequency = prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]);
    let values = |from: i32, to: i32| {
        prop::collection::vec(from..=to, 0..24)
            .prop_map(|all| all.iter().filter(|number| **number != 0).map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    let parts = (values(1, 12), values(-31, 31), values(-366, 366), values(-53, 53), values(-366, 366));
    (frequency, 1..=INTERVAL_MAX, parts).prop_map(|(frequency, interval, (months, days, year_days, weeks, places))| {
        let parts = [
            ("BYMONTH", months),
            ("BYMONTHDAY", days),
            ("BYYEARDAY", year_days),
            ("BYWEEKNO", weeks),
            ("BYSETPOS", places),
        ];
        let parts =
            parts.iter().filter(|(_, values)| !values.is_empty()).map(|(name, values)| format!(";{name}={values}"));
        parts.fold(format!("FREQ={frequency};INTERVAL={interval}"), |rule, part| {
            if rule.len() + part.len() <= 256 { rule + &part } else { rule }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn accepted_calendars_give_sorted_unique_meetings_in_range_and_ranges_join(
        rule in rules(),
        start in 0i32..2_000,
        first in 0i32..3_000,
        (ab, bc) in (0i32..200, 0i32..199),
        hour in 0i8..24,
    ) {
        let day = |offset: i32| date(2020, 1, 1).saturating_add(jiff::Span::new().days(offset));
        let calendar = Schedule { starts_at: time(hour, 30, 0, 0), ..schedule(day(start), &rule) };
        prop_assume!(validate(&calendar).is_ok());
        let (a, b, c) = (day(first), day(first + ab), day(first + ab + bc));
        let whole = occurrences(&calendar, days(a, c)).unwrap();
        prop_assert!(whole.is_sorted_by(|x, y| x.local < y.local && x.starts_at < y.starts_at));
        for occurrence in &whole {
            prop_assert!((a..=c).contains(&occurrence.local.date()) && occurrence.local.date() >= day(start));
            prop_assert_eq!(occurrence.ends_at.duration_since(occurrence.starts_at), SignedDuration::from_mins(90));
        }
        let mut joined = occurrences(&calendar, days(a, b)).unwrap();
        joined.extend(occurrences(&calendar, days(day(first + ab + 1), c)).unwrap());
        prop_assert_eq!(joined, whole);
    }

    #[test]
    fn any_schedule_at_all_is_used_or_refused_within_bounded_time(
        (starts_on, from) in (any_date(), any_date()),
        (second, minutes) in (0i32..86_400, any::<u16>()),
        zone in prop_oneof![prop::sample::select(&ZONES[..]).prop_map(str::to_owned), "[A-Za-z/_+-]{1,30}", "\\PC{1,64}"],
        rule in prop_oneof![rules(), spliced_rules(), crowded_rules()],
    ) {
        let parsed = (zone.parse::<Text<64>>(), rule.parse::<Text<256>>());
        let (Ok(time_zone), Ok(recurrence)) = parsed else { return Ok(()) };
        let starts_at = time(0, 0, 0, 0).wrapping_add(SignedDuration::from_secs(second.into()));
        let schedule = Schedule { starts_on, starts_at, duration_minutes: minutes, time_zone, recurrence, except: vec![from] };
        let started = Instant::now();
        let valid = validate(&schedule);
        let through = from.saturating_add(jiff::Span::new().days(PLAN_DAYS_MAX - 1));
        let found = occurrences(&schedule, days(from, through));
        prop_assert!(started.elapsed() < EACH_WITHIN, "{schedule:?} took {:?}", started.elapsed());
        prop_assert!(valid.is_err() || found.is_ok());
        let json = serde_json::to_string(&schedule).unwrap();
        prop_assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule.clone(), "{}", json);
        for occurrence in found.into_iter().flatten() {
            let day = occurrence.local.date();
            prop_assert!((from..=through).contains(&day) && (starts_on..=LAST_DAY).contains(&day) && day != from);
        }
    }

    #[test]
    fn no_text_as_a_rule_panics(rule in "[A-Z0-9=;,:+-]{1,40}", rest in "\\PC{1,60}") {
        for text in [rule.clone(), rest.clone(), format!("FREQ=WEEKLY;{rule}"), format!("FREQ=YEARLY;BYDAY={rest}")] {
            if let Ok(recurrence) = text.parse() {
                let _ = validate(&Schedule { recurrence, ..schedule(date(2026, 1, 6), "FREQ=DAILY") });
            }
        }
    }
}
