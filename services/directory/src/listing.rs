//! Listings of meetings as others publish or keep them: each meeting becomes a group, each body that holds meetings a
//! programme.
//!
//! A listing is kept by many hands and is never quite right. What cannot be read is left out with a [`Remark`]; a
//! meeting without an id, a name or a start that can be used is rejected with one; neither stops the rest.
//!
//! Reading is pure and its ids are derived, so that reading the same listing again, on whatever day, gives the same
//! groups: an import writes only what has changed.
//!
//! One file for each [`Kind`]; what all of them share is here, in `fields` (values), `rows` and `remark`.

mod bmlt;
mod fields;
mod groups;
mod meeting_guide;
mod naws;
mod remark;
mod rows;

use std::collections::{BTreeMap, HashSet};

use domain::{
    GroupId, OrgId, ProgrammeId, Schedule, ScheduleError, Text,
    group::{self, Joining},
    programme,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use groups::{COLUMNS, Column};
pub use remark::{Remark, Severity};

use self::{
    remark::Remarks,
    rows::{Row, Rows},
};

/// Largest listing, in bytes.
pub const LISTING_BYTES_MAX: usize = 16 << 20;
/// Most meetings, formats or service bodies of one listing, a count.
pub const MEETINGS_MAX: usize = 20_000;
/// Longest id of a meeting or of a body that holds meetings, in characters.
const ID_CHARS_MAX: usize = 40;

/// Under which the ids of all that is imported are derived.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c8b_5d4e_6a0f_4e53_9b1d_6b69_7468_0001);

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The answer of a BMLT server (Basic Meeting List Toolbox).
    Bmlt,
    /// A Meeting Guide feed, as JSON (also called TSML).
    MeetingGuide,
    /// Rows of a NAWS export.
    Naws,
    /// Rows with Kith's own columns.
    Groups,
}

impl Kind {
    /// As it is part of the ids that are derived: stored for ever, must never change.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bmlt => "bmlt",
            Self::MeetingGuide => "meeting-guide",
            Self::Naws => "naws",
            Self::Groups => "groups",
        }
    }
}

/// Who is shown how to join a meeting from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// Anybody, if the listing publishes the meeting; else members of the group and those who run it.
    #[default]
    AsListed,
    /// Members of the group and those who run it.
    Private,
}

/// Where a listing comes from and what it does not say of itself.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who imports it, and owns the groups.
    pub org: OrgId,
    /// How it is written.
    pub kind: Kind,
    /// Which server or file it comes from: ids of meetings are its own.
    pub source: SourceName,
    /// Zone of meetings that do not name theirs.
    pub time_zone: Text<64>,
    /// What its groups are about.
    pub focus: group::Focus,
    /// Who is shown how to join.
    pub links: Links,
}

/// Short name of a server: 1 to [`SourceName::CHARS_MAX`] of `a-z`, `0-9`, `-` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName(Box<str>);

/// Not a [`SourceName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source is 1 to {max} of a-z, 0-9, `-` and `.`", max = SourceName::CHARS_MAX)]
pub struct SourceNameError;

impl SourceName {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 40;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SourceName {
    type Err = SourceNameError;
    fn from_str(s: &str) -> Result<Self, SourceNameError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let short = (1..=Self::CHARS_MAX).contains(&s.len());
        if short && s.chars().all(fits) { Ok(Self(s.into())) } else { Err(SourceNameError) }
    }
}

impl Origin {
    fn uuid(&self, of: &str) -> Uuid {
        let org = Uuid::new_v5(&NAMESPACE, self.org.as_str().as_bytes());
        Uuid::new_v5(&org, format!("{}:{}:{of}", self.kind.as_str(), self.source.0).as_bytes())
    }

    /// The group of the meeting that has this id in the listing.
    pub fn group(&self, meeting: &str) -> GroupId {
        GroupId(self.uuid(meeting))
    }

    /// The programme of the body that has this id in the listing.
    pub fn programme(&self, body: &str) -> ProgrammeId {
        ProgrammeId(self.uuid(&format!("body:{body}")))
    }

    /// What a group says of where it was imported from.
    fn source_of(&self, id: &str) -> Option<Text<200>> {
        format!("{}:{id}", self.source.0).parse().ok()
    }

    /// The id in the listing of a group that says of itself that it was imported from there, if that is so.
    pub fn id_in_listing<'a>(&self, group: GroupId, source: &'a str) -> Option<&'a str> {
        let id = source.strip_prefix(&*self.source.0)?.strip_prefix(':')?;
        (self.group(id) == group).then_some(id)
    }
}

/// A listing that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// More than [`LISTING_BYTES_MAX`].
    #[error("the listing has {0} bytes, at most {LISTING_BYTES_MAX} are possible")]
    TooLarge(usize),
    /// Neither a list of meetings nor an object that holds one, or too many of them.
    #[error("the listing is neither a list of meetings nor an object with one: {0}")]
    Json(serde_json::Error),
    /// The zone it is to be read in does not exist.
    #[error(transparent)]
    TimeZone(ScheduleError),
}

/// What a listing says.
#[derive(Debug, Default)]
pub struct Listing {
    /// Programmes that its groups belong to, in the order of their ids in the listing.
    pub programmes: Vec<ListedProgramme>,
    /// Groups, in its order.
    pub groups: Vec<ListedGroup>,
    /// Of which groups it says anything, also what cannot be used: they are still in it.
    pub named: HashSet<GroupId>,
    /// What is odd about it, in its order.
    pub remarks: Vec<Remark>,
    /// Meetings that could not be used, a count; each has a remark.
    pub rejected: usize,
}

/// A body of a listing that holds meetings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProgramme {
    /// Derived from the organisation, the source and the body's id.
    pub id: ProgrammeId,
    /// As listed.
    pub details: programme::Details,
}

/// A meeting of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedGroup {
    /// Derived from the organisation, the source and the meeting's id.
    pub id: GroupId,
    /// The meeting's id in the listing.
    pub source_id: String,
    /// Its place in the listing, from 0.
    pub index: usize,
    /// As listed.
    pub details: group::Details,
    /// Its calendar; none while it is closed, and if it has no fixed time.
    pub schedule: Option<Schedule>,
    /// How to take part from elsewhere, if the listing says so.
    pub joining: Option<Joining>,
    /// Whether anybody may know that.
    pub joining_public: bool,
    /// A group of ours of which the listing may be a copy: then nothing of it is new.
    pub copy_of: Option<GroupId>,
}

/// What a reader makes of a row.
struct Meeting {
    details: group::Details,
    schedule: Option<Schedule>,
    joining: Option<Joining>,
    /// Whether anybody may know how to join, if the listing as a whole may say so.
    joining_public: bool,
    /// The id and the name of the body that holds it; none if its programme is one that is here.
    body: Option<(String, Text<200>)>,
}

/// The answer of a server that was asked for meetings with their formats; other listings have meetings only.
#[derive(Default, Deserialize)]
struct Answer {
    meetings: Rows,
    #[serde(default)]
    formats: Rows,
    #[serde(default)]
    service_bodies: Rows,
}

impl Answer {
    /// A server that is asked for meetings only answers with the bare list.
    fn parse(listing: &[u8]) -> Result<Self, ListingError> {
        if listing.len() > LISTING_BYTES_MAX {
            return Err(ListingError::TooLarge(listing.len()));
        }
        let listing = listing.strip_prefix(b"\xef\xbb\xbf").unwrap_or(listing).trim_ascii_start();
        let answer = if listing.starts_with(b"[") {
            serde_json::from_slice(listing).map(|meetings| Self { meetings, ..Self::default() })
        } else {
            serde_json::from_slice(listing)
        };
        answer.map_err(ListingError::Json)
    }
}

/// Reads a listing.
///
/// # Errors
/// If it is too large, not JSON of the right shape, or the zone does not exist. Nothing that one meeting says.
pub fn read(listing: &[u8], origin: &Origin) -> Result<Listing, ListingError> {
    let zone = origin.time_zone.as_str();
    let zone = domain::zone_name(zone).ok_or_else(|| ListingError::TimeZone(ScheduleError::TimeZone(zone.into())))?;
    let origin = Origin { time_zone: zone.parse().expect("names of zones are short"), ..origin.clone() };
    let answer = Answer::parse(listing)?;
    Ok(match origin.kind {
        Kind::Bmlt => bmlt::read(&answer, &origin),
        Kind::MeetingGuide => meeting_guide::read(&answer.meetings, &origin),
        Kind::Naws => naws::read(&answer.meetings, &origin),
        Kind::Groups => groups::read(&answer.meetings, &origin),
    })
}

/// Goes through the rows: `id` finds what a meeting is known by, `each` says what it is, or rejects it.
fn gather<'a>(
    rows: &'a Rows,
    origin: &Origin,
    field: &'static str,
    id: impl Fn(&'a Row) -> Option<std::borrow::Cow<'a, str>>,
    mut each: impl FnMut(&str, &'a Row, &mut Remarks<'_>) -> Option<Meeting>,
) -> Listing {
    let (mut read, mut seen, mut bodies) = (Listing::default(), HashSet::new(), BTreeMap::new());
    for (index, row) in rows.0.iter().enumerate() {
        let id = id(row);
        let mut remarks = Remarks::of(index, id.as_deref(), &mut read.remarks);
        let meeting = match &id {
            None => {
                remarks.reject(field, row.text(field), "has no id that can be used");
                None
            }
            Some(id) if seen.contains(id) => {
                remarks.reject(field, Some(id), "is listed twice; the first is used");
                None
            }
            Some(id) => each(id, row, &mut remarks),
        };
        read.named.extend(id.as_deref().map(|id| origin.group(id)));
        let (Some(id), Some(meeting)) = (id, meeting) else {
            read.rejected += 1;
            continue;
        };
        if let Some((body, name)) = meeting.body {
            bodies.entry(body).or_insert_with_key(|body| ListedProgramme {
                id: origin.programme(body),
                details: programme::Details { name, source: origin.source_of(&format!("body:{body}")) },
            });
        }
        read.groups.push(ListedGroup {
            id: origin.group(&id),
            source_id: id.to_string(),
            index,
            details: meeting.details,
            schedule: meeting.schedule,
            joining: meeting.joining,
            joining_public: meeting.joining_public && origin.links == Links::AsListed,
            copy_of: copy_of(origin, &id),
        });
        seen.insert(id);
    }
    read.programmes = bodies.into_values().collect();
    read
}

/// Our own feeds end what a meeting is known by with the id of the group.
fn copy_of(origin: &Origin, id: &str) -> Option<GroupId> {
    const UUID_CHARS: usize = 36;
    let own = (origin.kind == Kind::MeetingGuide).then(|| id.len().checked_sub(UUID_CHARS)).flatten();
    own.and_then(|start| id.get(start..)).and_then(|uuid| uuid.parse().ok())
}

/// An id: short and without white space or control characters.
fn id<'a>(row: &'a Row, field: &str) -> Option<&'a str> {
    row.text(field).filter(|id| id.len() <= ID_CHARS_MAX && id.chars().all(|c| c.is_ascii_graphic()))
}

#[cfg(test)]
mod tests;
