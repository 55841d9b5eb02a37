//! What is said in a report.

use domain::{
    MemberId,
    meeting::{self, AttendanceMode, Headcount, MARKS_MAX, Mark, ReportedHeads, Said, Status},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Private, Problem};

/// What is said of a meeting. All of it is optional.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportBody {
    /// Of members on the roster of the meeting's date, and of those who are on the register already; with `walk_ins`, at
    /// most 1,000.
    #[serde(default)]
    #[schema(max_items = 1000)]
    marks: Vec<MarkSaid>,
    /// Of members who are not on the roster and came. Whoever is on it by now is marked.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub walk_ins: Vec<WalkInSaid>,
    #[serde(default)]
    pub heads: Option<HeadsSaid>,
    /// What became of the meeting; nothing is said of it if it is not given.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Why: needed to cancel a meeting or to say that it did not occur, and for whatever is changed once the register is
    /// closed. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<meeting::Reason>)]
    pub reason: Option<Private<meeting::Reason>>,
}

/// What became of a meeting.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MeetingOutcome)]
pub(crate) enum Outcome {
    /// That is still to be said: its register is open.
    Open,
    /// It took place: its register is closed.
    Held,
    /// It did not take place.
    DidNotOccur,
    /// It was called off beforehand.
    Cancelled,
}

/// What is said of one member.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkSaid {
    member: MemberId,
    /// Null: it is not recorded whether they came.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    mark: Option<Mark>,
    /// Only of those who came; if it is not given, the usual one of the meeting.
    #[serde(default)]
    mode: Option<AttendanceMode>,
    /// What the register said of them when this was entered; missing or null if they were not recorded.
    #[serde(default)]
    based_on: Option<Seen>,
}

/// Somebody who is not on the roster and came.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalkInSaid {
    /// Registered before: by what registers members, or by adding a walk-in.
    member: MemberId,
    /// Present or late.
    mark: Mark,
    #[serde(default)]
    mode: Option<AttendanceMode>,
    /// What the register said of them when this was entered; missing or null if they were not on it.
    #[serde(default)]
    based_on: Option<Seen>,
}

/// What a register said of one member.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    mark: Mark,
    /// As it is shown; if it is not given, the usual one of the meeting for those who came.
    #[serde(default)]
    mode: Option<AttendanceMode>,
}

/// How many came without a name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadsSaid {
    /// Heads by category (newcomer, visitor, supporter, child, other), each at most 10,000; one that is missing has none.
    heads: Headcount,
    /// How many were counted when this was entered; none if it is not given.
    #[serde(default)]
    based_on: Headcount,
}

/// What is said of one person, whether they walked in or not.
pub(super) struct Line {
    pub member: MemberId,
    pub says: Option<Said>,
    pub based_on: Option<Said>,
    pub walks_in: bool,
}

impl ReportBody {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), Problem> {
        let lines = self.marks.len() + self.walk_ins.len();
        let no_mark = self.marks.iter().position(|said| said.mark.is_none() && said.mode.is_some());
        match no_mark {
            _ if lines > MARKS_MAX => Err(Problem::malformed(format!(
                "marks and walk_ins have {lines} lines, at most {MARKS_MAX} are possible"
            ))),
            Some(nth) => {
                Err(Problem::malformed(format!("body, at `marks[{nth}].mode`: there is no mode without a mark")))
            }
            None => Ok(()),
        }
    }

    /// All lines, those of walk-ins last.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let seen = |seen: Option<Seen>| seen.map(|Seen { mark, mode }| (mark, mode));
        let marks = self.marks.iter().map(move |said| Line {
            member: said.member,
            says: said.mark.map(|mark| (mark, said.mode)),
            based_on: seen(said.based_on),
            walks_in: false,
        });
        let walk_ins = self.walk_ins.iter().map(move |said| Line {
            member: said.member,
            says: Some((said.mark, said.mode)),
            based_on: seen(said.based_on),
            walks_in: true,
        });
        marks.chain(walk_ins)
    }
}

impl From<HeadsSaid> for ReportedHeads {
    fn from(HeadsSaid { heads, based_on }: HeadsSaid) -> Self {
        Self { heads, based_on }
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Open => Self::Open,
            Outcome::Held => Self::Held,
            Outcome::DidNotOccur => Self::DidNotOccur,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}
