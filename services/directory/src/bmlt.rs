//! Listings of a BMLT server (Basic Meeting List Toolbox, recovery meetings): each weekly meeting becomes a group,
//! each service body in use a programme.
//!
//! A listing is kept by many hands and is never quite right. What cannot be read is left out with a [`Remark`]; a
//! meeting without an id, a name, a weekday or a start is rejected with one; neither stops the rest.
//!
//! Reading is pure and its ids are derived, so that reading the same listing again, on whatever day, gives the same
//! groups: an import writes only what has changed.

mod formats;
mod meeting;
mod remark;
mod rows;

use std::collections::{BTreeMap, HashSet};

use domain::{GroupId, OrgId, ProgrammeId, Schedule, ScheduleError, Text, group, programme};
use serde::Deserialize;
use uuid::Uuid;

pub use remark::{Remark, Severity};

use self::{
    formats::Formats,
    remark::Remarks,
    rows::{Row, Rows},
};

/// Largest listing, in bytes.
pub const LISTING_BYTES_MAX: usize = 16 << 20;
/// Most meetings, formats or service bodies of one listing, a count.
pub const MEETINGS_MAX: usize = 20_000;
/// Longest id of a meeting or service body, in characters.
const ID_CHARS_MAX: usize = 40;

/// Under which the ids of all that is imported are derived.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c8b_5d4e_6a0f_4e53_9b1d_6b69_7468_0001);

/// Where a listing comes from and what it does not say of itself.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who imports it, and owns the groups.
    pub org: OrgId,
    /// Which server it comes from: ids of meetings are its own.
    pub source: SourceName,
    /// Zone of meetings that do not name theirs.
    pub time_zone: Text<64>,
    /// What its groups are about.
    pub focus: group::Focus,
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
        Uuid::new_v5(&org, format!("bmlt:{}:{of}", self.source.0).as_bytes())
    }

    /// The group of the meeting that has this id on the server.
    pub fn group(&self, meeting: &str) -> GroupId {
        GroupId(self.uuid(meeting))
    }

    /// The programme of the service body that has this id on the server.
    pub fn programme(&self, body: &str) -> ProgrammeId {
        ProgrammeId(self.uuid(&format!("body:{body}")))
    }

    fn source_of(&self, id: &str) -> Option<Text<200>> {
        format!("{}:{id}", self.source.0).parse().ok()
    }
}

/// A listing that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// More than [`LISTING_BYTES_MAX`].
    #[error("the listing has {0} bytes, at most {LISTING_BYTES_MAX} are possible")]
    TooLarge(usize),
    /// Neither a list of meetings nor an object that holds one, or too many of them.
    #[error("the listing is not one of BMLT: {0}")]
    Json(serde_json::Error),
    /// The zone it is to be read in does not exist.
    #[error(transparent)]
    TimeZone(ScheduleError),
}

/// What a listing says.
#[derive(Debug, Default)]
pub struct Listing {
    /// Programmes that its groups belong to, in the order of their ids on the server.
    pub programmes: Vec<ListedProgramme>,
    /// Groups, in its order.
    pub groups: Vec<ListedGroup>,
    /// What is odd about it, in its order.
    pub remarks: Vec<Remark>,
    /// Meetings that could not be used, a count; each has a remark.
    pub rejected: usize,
}

/// A service body of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProgramme {
    /// Derived from the organisation, the source and the service body's id.
    pub id: ProgrammeId,
    /// As listed.
    pub details: programme::Details,
}

/// A meeting of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedGroup {
    /// Derived from the organisation, the source and the meeting's id.
    pub id: GroupId,
    /// The meeting's id on the server.
    pub source_id: String,
    /// Its place in the listing, from 0.
    pub index: usize,
    /// As listed.
    pub details: group::Details,
    /// Its calendar; none while it is closed.
    pub schedule: Option<Schedule>,
}

/// The answer of a server that was asked for meetings with their formats.
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
    crate::calendar::zone(origin.time_zone.as_str()).map_err(ListingError::TimeZone)?;
    let Answer { meetings, formats, service_bodies } = Answer::parse(listing)?;
    let (formats, names) = (Formats::of(&formats), names(&service_bodies));
    let mut read = Listing::default();
    let mut seen = HashSet::new();
    let mut bodies = BTreeMap::new();
    for (index, row) in meetings.0.iter().enumerate() {
        let id = id(row, "id_bigint");
        let mut remarks = Remarks::of(index, id, &mut read.remarks);
        match id {
            None => remarks.reject("id_bigint", row.text("id_bigint"), "has no id that can be used"),
            Some(id) if seen.contains(id) => {
                remarks.reject("id_bigint", Some(id), "is listed twice; the first is used");
            }
            Some(id) => {
                if let Some((details, schedule)) = meeting::read(id, row, origin, &formats, &mut remarks) {
                    let body = meeting::body(row);
                    bodies.entry(body).or_insert_with(|| programme(body, origin, &names, &mut remarks));
                    let group = ListedGroup { id: origin.group(id), source_id: id.into(), index, details, schedule };
                    read.groups.push(group);
                    seen.insert(id);
                    continue;
                }
            }
        }
        read.rejected += 1;
    }
    read.programmes = bodies.into_values().collect();
    Ok(read)
}

/// An id: short and without white space or control characters.
fn id<'a>(row: &'a Row, field: &str) -> Option<&'a str> {
    row.text(field).filter(|id| id.len() <= ID_CHARS_MAX && id.chars().all(|c| c.is_ascii_graphic()))
}

/// Names of the service bodies by their ids.
fn names(bodies: &Rows) -> BTreeMap<&str, &str> {
    bodies.0.iter().filter_map(|row| Some((id(row, "id")?, row.text("name")?))).collect()
}

fn programme(
    body: Option<&str>,
    origin: &Origin,
    names: &BTreeMap<&str, &str>,
    remarks: &mut Remarks<'_>,
) -> ListedProgramme {
    const FIELD: &str = "service_body_bigint";
    let (id, fallback) = match body {
        Some(id) => (id, format!("Service body {id}")),
        None => (meeting::NO_BODY, "Without a service body".into()),
    };
    let name = body.and_then(|id| names.get(id).copied()).unwrap_or_else(|| {
        let what = format!("is not among the listed service bodies; its programme is called `{fallback}`");
        remarks.note(FIELD, body, what);
        &fallback
    });
    let name = remarks.text(FIELD, Some(name)).unwrap_or_else(|| fallback.parse().expect("an id is short and plain"));
    ListedProgramme {
        id: origin.programme(id),
        details: programme::Details { name, source: origin.source_of(&format!("body:{id}")) },
    }
}

#[cfg(test)]
mod tests;
