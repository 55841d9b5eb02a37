//! What became of what was said in a report.

use domain::{
    MemberId, Refusal as _,
    meeting::{self, Entry, Headcount, Report, Reported, Status},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What became of what was said, line by line, in the order in which it was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportAnswer {
    /// What the meeting is now.
    status: Status,
    marks: Vec<MarkLine>,
    walk_ins: Vec<MarkLine>,
    /// If heads were said.
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<HeadsLine>,
    /// If an outcome was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeLine>,
}

/// What became of what was said of one member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MarkLine {
    member: MemberId,
    #[serde(flatten)]
    became: LineBecame,
    /// What the register says of them now; null if they are not recorded.
    stands: Option<Entry>,
}

/// What became of the heads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeadsLine {
    #[serde(flatten)]
    became: LineBecame,
    /// How many are counted now.
    #[schema(value_type = BTreeMap<String, u16>)]
    stands: Headcount,
}

/// What became of the outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutcomeLine {
    #[serde(flatten)]
    became: LineBecame,
    /// What the meeting is now.
    stands: Status,
}

/// What became of a line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineBecame {
    became: Became,
    /// Of what was refused: the problem that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Of what was refused: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// What became of a line, in a word.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportBecame)]
pub(crate) enum Became {
    /// It was done.
    Applied,
    /// It stood so already.
    Same,
    /// Somebody else changed it meanwhile: not done.
    Differs,
    /// The register is closed, and no reason was given: not done.
    ReasonNeeded,
    /// It cannot be: not done.
    Refused,
}

impl ReportAnswer {
    /// To a report whose last lines are of those who walked in.
    pub fn of(said: &Report, reported: Reported, walk_ins: usize) -> Self {
        let Reported { marks, heads, outcome, status } = reported;
        let lines = said.marks.iter().zip(marks).map(|(said, meeting::Line { became, stands })| MarkLine {
            member: said.person.member,
            became: became.into(),
            stands,
        });
        let mut marks: Vec<_> = lines.collect();
        let walk_ins = marks.split_off(marks.len() - walk_ins);
        let heads = heads.map(|meeting::Line { became, stands }| HeadsLine { became: became.into(), stands });
        let outcome = outcome.map(|meeting::Line { became, stands }| OutcomeLine { became: became.into(), stands });
        Self { status, marks, walk_ins, heads, outcome }
    }
}

impl From<meeting::Became> for LineBecame {
    fn from(became: meeting::Became) -> Self {
        let plain = |became| Self { became, code: None, detail: None };
        match became {
            meeting::Became::Applied => plain(Became::Applied),
            meeting::Became::Same => plain(Became::Same),
            meeting::Became::Differs => plain(Became::Differs),
            meeting::Became::ReasonNeeded => plain(Became::ReasonNeeded),
            meeting::Became::Refused(why) => {
                Self { code: Some(why.code()), detail: Some(why.to_string()), ..plain(Became::Refused) }
            }
        }
    }
}
