//! What python-dateutil makes of 2,000 rules of chance, over changes of clocks: `tests/data/rrule/rules.py` wrote it.

use jiff::civil::DateTime;

use super::*;

const RULES: &str = include_str!("../../../../../tests/data/rrule/rules.txt");

/// The instants that a line means, and whether those were all.
fn instants(text: &str) -> (Vec<Timestamp>, bool) {
    let mut all: Vec<Timestamp> = vec![];
    for word in text.split_whitespace() {
        let next = match (word.strip_suffix('m'), all.last()) {
            _ if word == "." => return (all, true),
            (_, None) => word.parse().unwrap(),
            (Some(minutes), Some(last)) => *last + SignedDuration::from_mins(minutes.parse().unwrap()),
            (None, Some(last)) => *last + SignedDuration::from_hours(24 * word.parse::<i64>().unwrap()),
        };
        all.push(next);
    }
    (all, false)
}

/// Those of ours that there are to be compared with.
fn ours(schedule: &Schedule, from: Date, expected: usize) -> Vec<Timestamp> {
    let calendar = Calendar::of(schedule).unwrap();
    calendar.days_from(from).map(|occurrence| occurrence.starts_at).take(expected + 1).collect()
}

#[test]
fn two_thousand_rules_of_chance_are_read_as_python_dateutil_reads_them() {
    let (mut compared, mut wrong) = (0, vec![]);
    for line in RULES.lines().filter(|line| !line.starts_with('#')) {
        let (rule, found) = line.split_once(" = ").unwrap();
        let (first, later) = found.split_once(" @ ").unwrap();
        let mut words = rule.splitn(3, ' ');
        let (start, zone, rule) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let start: DateTime = start.parse().unwrap();
        let calendar = Schedule {
            starts_at: start.time(),
            time_zone: zone.parse().unwrap(),
            ..schedule(start.date(), rule)
        };
        let (from, later) = later.split_once(' ').unwrap();
        for (from, expected) in [(start.date(), first), (from.parse().unwrap(), later)] {
            let (expected, all) = instants(expected);
            let found = ours(&calendar, from, expected.len());
            compared += expected.len();
            if found.get(..expected.len()) != Some(&expected[..]) || (all && found.len() > expected.len()) {
                wrong.push(format!("{line}\n  from {from}: {found:?}"));
            }
        }
        assert_eq!(validate(&calendar).is_ok(), !first.starts_with('.'), "{line}");
    }
    assert!(wrong.is_empty(), "{} are read otherwise:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 20_000, "{compared} meetings were compared");
}
