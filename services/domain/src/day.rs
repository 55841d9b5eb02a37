//! Days. Which one it is depends on where: a group's day is the one where it meets.
//!
//! **Invariant:** which time zones there are, and when their clocks change, the database in the binary says, never that
//! of the system: some systems lack old names such as `US/Pacific`, and two machines would differ about what day it is.

use std::fmt;

use jiff::{
    Timestamp, Zoned,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase, offset},
};
use serde::{Deserialize, Deserializer};

use crate::text::Text;

/// The time zone of this name, written as the IANA database writes it: the one place where a name becomes a zone.
#[allow(clippy::disallowed_methods)] // the one place
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    (zone.iana_name() == Some(name) && !zone.is_unknown()).then_some(zone)
}

/// The name of a zone as the IANA database writes it, of one that is written in any case: the one form in which names of
/// zones are kept. An old name such as `US/Pacific` stays: for which days it means the same as another is not ours to say.
pub fn zone_name(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods)] // what it finds, is looked up by its own name
    let zone = TimeZoneDatabase::bundled().get(name.trim()).ok()?;
    let name = zone.iana_name()?;
    time_zone(name).map(|_| name.to_owned())
}

/// A name of a zone from outside, in its one form; what is none stays as it is, for whoever says so, and for events, which
/// another database may have known.
pub(crate) fn zone_from_outside<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text<64>, D::Error> {
    let given = Text::<64>::deserialize(deserializer)?;
    let known = zone_name(given.as_str()).and_then(|name| name.parse().ok());
    Ok(known.unwrap_or(given))
}

/// The time in the zone of this name; as it is given if there is no such zone.
#[must_use]
pub fn there(now: &Zoned, zone: Option<&str>) -> Zoned {
    zone.and_then(time_zone).map_or_else(|| now.clone(), |zone| now.with_time_zone(zone))
}

/// A day where it happens. None is made of a date without saying where that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDay {
    date: Date,
    zone: TimeZone,
}

impl LocalDay {
    /// When it begins; of days at the ends of time, the ends of time.
    pub fn begins_at(&self) -> Timestamp {
        let begins = self.date.to_zoned(self.zone.clone()).and_then(|midnight| midnight.start_of_day());
        let never = if self.date.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
        begins.map_or(never, |begins| begins.timestamp())
    }

    /// This date in this zone.
    pub fn new(date: Date, zone: TimeZone) -> Self {
        Self { date, zone }
    }

    /// The day that it is then, in the zone in which the time is given.
    pub fn of(now: &Zoned) -> Self {
        Self::new(now.date(), now.time_zone().clone())
    }

    /// The latest day that has begun anywhere, which it does 14 hours before Greenwich: for what may come too early, but
    /// never too late.
    pub fn begun_anywhere(now: Timestamp) -> Self {
        Self::of(&now.to_zoned(TimeZone::fixed(offset(14))))
    }

    /// The date, to be compared with others of the same place.
    pub fn date(&self) -> Date {
        self.date
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone.iana_name() {
            Some(zone) => write!(f, "{} in {zone}", self.date),
            None => self.date.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn in_utc(time: &str) -> Zoned {
        time.parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    #[test]
    fn at_the_same_time_it_is_another_day_elsewhere() {
        let now = in_utc("2026-01-31T23:30:00Z");
        let day = |zone| LocalDay::of(&there(&now, zone)).date();
        assert_eq!(day(Some("Pacific/Auckland")), date(2026, 2, 1));
        assert_eq!(day(Some("America/Los_Angeles")), date(2026, 1, 31));
        assert_eq!(day(None), date(2026, 1, 31));
        let now = in_utc("2026-02-01T00:30:00Z");
        let day = |zone| LocalDay::of(&there(&now, zone)).to_string();
        assert_eq!(day(Some("America/Los_Angeles")), "2026-01-31 in America/Los_Angeles");
        assert_eq!(day(Some("Mars/Olympus")), "2026-02-01 in UTC");
    }

    #[test]
    fn the_same_date_elsewhere_is_another_day() {
        let day = |zone| LocalDay::new(date(2026, 1, 31), time_zone(zone).unwrap());
        assert_ne!(day("Pacific/Auckland"), day("America/Los_Angeles"));
    }

    #[test]
    fn no_day_begins_anywhere_before_the_latest_that_has_begun() {
        for (now, day) in [("2026-01-31T09:59:59Z", 31), ("2026-01-31T10:00:00Z", 1)] {
            let now = in_utc(now);
            let latest = LocalDay::begun_anywhere(now.timestamp());
            assert_eq!(latest.date().day(), day);
            assert_eq!(latest.to_string(), latest.date().to_string(), "it is nowhere in particular");
            for zone in ["Pacific/Kiritimati", "Pacific/Auckland", "Pacific/Pago_Pago", "Etc/GMT+12", "Etc/GMT-14"] {
                assert!(LocalDay::of(&there(&now, Some(zone))).date() <= latest.date(), "{zone}");
            }
        }
    }

    #[test]
    fn a_zone_has_the_name_that_the_database_gives_it_links_included() {
        for name in ["America/New_York", "US/Pacific", "Asia/Calcutta", "UTC", "Etc/UTC", "GMT", "EST5EDT"] {
            assert_eq!(time_zone(name).as_ref().and_then(TimeZone::iana_name), Some(name));
        }
        for name in ["", "america/new_york", "Etc/Unknown", "Mars/Olympus", "EST5", "+02:00", "../UTC", "localtime"] {
            assert_eq!(time_zone(name), None, "{name}");
        }
    }

    #[test]
    fn a_zone_written_in_any_case_has_one_name() {
        for (given, name) in [
            ("america/new_york", Some("America/New_York")),
            ("AMERICA/NEW_YORK", Some("America/New_York")),
            (" us/pacific ", Some("US/Pacific")),
            ("asia/calcutta", Some("Asia/Calcutta")),
            ("utc", Some("UTC")),
            ("etc/gmt+12", Some("Etc/GMT+12")),
            ("Etc/Unknown", None),
            ("Mars/Olympus", None),
            ("+02:00", None),
            ("", None),
        ] {
            assert_eq!(zone_name(given).as_deref(), name, "{given}");
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // what is in it
    fn whatever_the_case_all_zones_of_the_database_are_found_by_their_names() {
        for name in TimeZoneDatabase::bundled().available().map(|name| name.to_string()) {
            let expected = time_zone(&name).map(|_| name.clone());
            for given in [name.to_lowercase(), name.to_uppercase(), name.clone()] {
                assert_eq!(zone_name(&given), expected, "{given}");
            }
        }
    }
}
