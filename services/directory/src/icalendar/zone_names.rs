//! What programs call time zones, and which zone of the IANA database that is.

use std::collections::BTreeMap;

use super::component::Component;

/// Names that Windows has, with those of the database.
const WINDOWS: &str = include_str!("windows_zones.tsv");

/// The zones that a file names, by the names that it has for them.
#[derive(Debug, Default)]
pub(super) struct ZoneNames(BTreeMap<String, Option<String>>);

impl ZoneNames {
    /// Those of these calendars: a zone whose name says nothing may say where it is (`X-LIC-LOCATION`).
    pub fn of(calendars: &[Component]) -> Self {
        let zones = calendars.iter().flat_map(|calendar| &calendar.components);
        let zones = zones.filter(|component| component.name == "VTIMEZONE");
        let named = zones.filter_map(|zone| {
            let name = zone.property("TZID")?.value.clone();
            let place = || zone.property("X-LIC-LOCATION").and_then(|place| known(&place.value));
            let zone = known(&name).or_else(place);
            Some((name, zone))
        });
        Self(named.collect())
    }

    /// The zone of the database that a file means.
    pub fn zone(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned().flatten().or_else(|| known(name))
    }
}

/// The zone that a name means by itself: as the database has it, in any case, behind the prefix of a vendor (as in
/// `/mozilla.org/20050126_1/Europe/Berlin`), or as Windows has it.
pub(super) fn known(name: &str) -> Option<String> {
    let name = name.trim();
    let behind = |(at, _)| domain::zone_name(&name[at + 1..]);
    let vendor = || name.strip_prefix('/').and_then(|_| name.match_indices('/').find_map(behind));
    domain::zone_name(name).or_else(vendor).or_else(|| of_windows(name))
}

fn of_windows(name: &str) -> Option<String> {
    let mut lines = WINDOWS.lines().filter_map(|line| line.split_once('\t'));
    let (_, zone) = lines.find(|(windows, _)| windows.eq_ignore_ascii_case(name))?;
    domain::zone_name(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_the_names_that_programs_have_for_them() {
        for (name, zone) in [
            ("Europe/Berlin", Some("Europe/Berlin")),
            ("europe/berlin", Some("Europe/Berlin")),
            ("/mozilla.org/20050126_1/Europe/Berlin", Some("Europe/Berlin")),
            ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", Some("America/Argentina/Buenos_Aires")),
            ("W. Europe Standard Time", Some("Europe/Berlin")),
            ("Pacific Standard Time", Some("America/Los_Angeles")),
            ("Customized Time Zone", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(known(name).as_deref(), zone, "{name}");
        }
    }

    #[test]
    fn every_zone_of_windows_is_one_of_the_database() {
        let lines: Vec<_> = WINDOWS.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 130);
        for line in lines {
            let (name, _) = line.split_once('\t').unwrap();
            assert!(known(name).is_some(), "{name}");
        }
    }
}
