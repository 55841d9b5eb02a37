//! Time zones as iCalendar writes them (RFC 5545, 3.6.5): of each change of clocks that `jiff` knows, one observance.

use std::collections::BTreeMap;

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use super::line::Lines;

/// What is observed from a change of clocks on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Observance {
    summer: bool,
    from: i32,
    to: i32,
    name: String,
}

/// The zone from one instant to another.
pub(super) fn write(lines: &mut Lines, name: &str, zone: &TimeZone, from: Timestamp, through: Timestamp) {
    lines.line("BEGIN:VTIMEZONE");
    lines.text("TZID", name);
    let mut before = zone.to_offset_info(from);
    let start = Observance {
        summer: before.dst().is_dst(),
        from: before.offset().seconds(),
        to: before.offset().seconds(),
        name: before.abbreviation().into(),
    };
    observance(lines, &start, &[before.offset().to_datetime(from)]);
    let mut changes = BTreeMap::<Observance, Vec<DateTime>>::new();
    for change in zone.following(from).take_while(|change| change.timestamp() <= through) {
        let observance = Observance {
            summer: change.dst().is_dst(),
            from: before.offset().seconds(),
            to: change.offset().seconds(),
            name: change.abbreviation().into(),
        };
        changes.entry(observance).or_default().push(before.offset().to_datetime(change.timestamp()));
        before = zone.to_offset_info(change.timestamp());
    }
    for (what, starts) in changes {
        observance(lines, &what, &starts);
    }
    lines.line("END:VTIMEZONE");
}

fn observance(lines: &mut Lines, Observance { summer, from, to, name }: &Observance, starts: &[DateTime]) {
    let kind = if *summer { "DAYLIGHT" } else { "STANDARD" };
    let [first, rest @ ..] = starts else { return };
    lines.line(&format!("BEGIN:{kind}"));
    lines.line(&format!("DTSTART:{}", local(*first)));
    if !rest.is_empty() {
        let rest: Vec<_> = rest.iter().map(|start| local(*start)).collect();
        lines.line(&format!("RDATE:{}", rest.join(",")));
    }
    lines.line(&format!("TZOFFSETFROM:{}", offset(*from)));
    lines.line(&format!("TZOFFSETTO:{}", offset(*to)));
    lines.text("TZNAME", name);
    lines.line(&format!("END:{kind}"));
}

/// A local date and time, as iCalendar writes it.
pub(super) fn local(time: DateTime) -> String {
    time.strftime("%Y%m%dT%H%M%S").to_string()
}

/// An instant, as iCalendar writes it.
pub(super) fn utc(time: Timestamp) -> String {
    format!("{}Z", local(Offset::UTC.to_datetime(time)))
}

fn offset(seconds: i32) -> String {
    let (sign, all) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    let seconds = if seconds == 0 { String::new() } else { format!("{seconds:02}") };
    format!("{sign}{hours:02}{minutes:02}{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, from: &str, through: &str) -> Vec<String> {
        let mut lines = Lines::default();
        let zone = domain::time_zone(name).unwrap();
        write(&mut lines, name, &zone, from.parse().unwrap(), through.parse().unwrap());
        lines.into_text().replace("\r\n ", "").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn each_change_of_clocks_stands_in_a_zone_with_the_time_before_it() {
        let lines = written("Europe/Berlin", "2026-01-01T00:00:00Z", "2027-12-31T00:00:00Z");
        assert!(lines.contains(&"DTSTART:20260329T020000".into()), "{lines:?}");
        assert!(lines.contains(&"RDATE:20270328T020000".into()), "{lines:?}");
        assert!(lines.contains(&"DTSTART:20261025T030000".into()), "{lines:?}");
        let daylight = lines.iter().position(|line| line == "BEGIN:DAYLIGHT").unwrap();
        assert_eq!(lines[daylight + 3..daylight + 6], ["TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST"]);
    }

    #[test]
    fn a_zone_without_changes_is_what_it_always_is() {
        let lines = written("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z");
        assert_eq!(lines.iter().filter(|line| line.starts_with("BEGIN:")).count(), 2);
        assert!(lines.contains(&"TZOFFSETTO:+0545".into()));
    }
}
