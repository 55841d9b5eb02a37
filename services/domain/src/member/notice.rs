//! Texts of the law that go with what is disclosed, word by word, in the version that was in force.

use serde::Serialize;
use utoipa::ToSchema;

/// A notice in one version. A version never changes; another wording is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Notice {
    /// Which notice, such as `42-cfr-2.32-a-1`.
    pub id: &'static str,
    /// Its version: the day from which it is in force.
    pub version: &'static str,
    /// Where it is written.
    pub source: &'static str,
    /// Its words.
    pub text: &'static str,
}

/// The notices of 42 CFR Part 2, one of which goes with each disclosure to which a patient consented (2.32(a)): the
/// long one and the short one, as of the final rule of 16 February 2024 (89 FR 12472).
pub const NOTICES: &[Notice] = &[
    Notice {
        id: "42-cfr-2.32-a-1",
        version: "2024-04-16",
        source: "42 CFR 2.32(a)(1), 89 FR 12472",
        text: include_str!("notices/42-cfr-2.32-a-1.2024-04-16.txt").trim_ascii_end(),
    },
    Notice {
        id: "42-cfr-2.32-a-2",
        version: "2024-04-16",
        source: "42 CFR 2.32(a)(2), 89 FR 12472",
        text: include_str!("notices/42-cfr-2.32-a-2.2024-04-16.txt").trim_ascii_end(),
    },
];
