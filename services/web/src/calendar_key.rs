//! Addresses of calendars: `kithcal_{organisation}.{calendar}_{secret}`, a part of a path, because programs that
//! subscribe to calendars send nothing else. No log has it: what is logged of a request is the pattern of its path.

use domain::{CalendarId, OrgId, Text};

use crate::client_key::{Parts, written};

/// What every address starts with, so that one that leaked into a file is found by its look.
const PREFIX: &str = "kithcal_";

/// An address that was asked; whether it is good, the log says.
#[derive(Debug, PartialEq, Eq)]
pub struct CalendarKey {
    /// Whose organisation.
    pub org: OrgId,
    /// Which calendar.
    pub calendar: CalendarId,
    parts: Parts,
}

/// The key of a new calendar, and the hash that is kept of it. `secret` is 256 random bits.
pub fn new_calendar_key(org: &OrgId, calendar: CalendarId, secret: &[u8; 32]) -> (String, Text<64>) {
    written(PREFIX, org, calendar.0, secret)
}

impl CalendarKey {
    /// The key that this text is, if it looks like one.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = Parts::read(PREFIX, text)?;
        Some(Self { org: parts.org.clone(), calendar: CalendarId(parts.id), parts })
    }

    /// Whether it is the key with this hash. Takes the same time wherever they differ.
    pub fn is(&self, hash: &Text<64>) -> bool {
        self.parts.is(hash)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_address_of_a_calendar_is_no_key_of_a_client_and_only_its_own_hash_fits() {
        let (org, calendar) = ("north-star".parse().unwrap(), CalendarId(Uuid::from_u128(7)));
        let (text, hash) = new_calendar_key(&org, calendar, &[1; 32]);
        let key = CalendarKey::parse(&text).unwrap();
        assert_eq!((&key.org, key.calendar), (&org, calendar));
        assert!(key.is(&hash) && !key.is(&new_calendar_key(&org, calendar, &[2; 32]).1));
        assert_eq!(Parts::read("kith_", &text), None);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)), "{text}");
    }
}
