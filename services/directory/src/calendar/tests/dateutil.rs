//! What python-dateutil makes of 2,000 rules of chance, over changes of clocks: `tests/data/rrule/rules.py` wrote it.

use jiff::{ToSpan, civil::DateTime};

use super::*;

const RULES: &str = include_str!("../../../../../tests/data/rrule/rules.txt");
/// Days from the start for which the rules were followed.
const FOLLOWED: i32 = 8 * 365;
/// Most meetings that were written down, the first ones and those from a later day on.
const MOST: [usize; 2] = [14, 6];

/// The instants that a line means.
fn instants(text: &str) -> Vec<Timestamp> {
    let mut all: Vec<Timestamp> = vec![];
    for word in text.split_whitespace().filter(|word| *word != "-") {
        let next = match (word.strip_suffix('m'), all.last()) {
            (_, None) => word.parse().unwrap(),
            (Some(minutes), Some(last)) => *last + SignedDuration::from_mins(minutes.parse().unwrap()),
            (None, Some(last)) => *last + SignedDuration::from_hours(24 * word.parse::<i64>().unwrap()),
        };
        all.push(next);
    }
    all
}

/// The meetings from a day on, of the days for which rules were followed.
fn ours(schedule: &Schedule, from: Date, most: usize) -> Vec<Timestamp> {
    let last = schedule.starts_on.to_datetime(schedule.starts_at) + FOLLOWED.days();
    let meetings = Calendar::of(schedule).unwrap();
    let meetings = meetings.days_from(from).take_while(|occurrence| occurrence.local <= last).take(most);
    meetings.map(|occurrence| occurrence.starts_at).collect()
}

#[test]
fn two_thousand_rules_of_chance_are_read_as_python_dateutil_reads_them() {
    let (mut rules, mut compared, mut wrong) = (0, 0, vec![]);
    for line in RULES.lines().filter(|line| !line.starts_with('#')) {
        let (rule, found) = line.split_once(" = ").unwrap();
        let (first, later) = found.split_once(" @ ").unwrap();
        let mut words = rule.splitn(3, ' ');
        let (start, zone, rule) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let start: DateTime = start.parse().unwrap();
        let calendar =
            Schedule { starts_at: start.time(), time_zone: zone.parse().unwrap(), ..schedule(start.date(), rule) };
        let (from, later) = later.split_once(' ').unwrap();
        for ((from, expected), most) in [(start.date(), first), (from.parse().unwrap(), later)].into_iter().zip(MOST) {
            let (found, expected) = (ours(&calendar, from, most), instants(expected));
            compared += expected.len();
            if found != expected {
                wrong.push(format!("{line}\n  from {from}: {found:?}"));
            }
        }
        assert!(first == "-" || validate(&calendar).is_ok(), "{line}");
        rules += 1;
    }
    assert!(wrong.is_empty(), "{} are read otherwise:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rules == 2_000 && compared > 20_000, "{compared} meetings of {rules} rules were compared");
}
