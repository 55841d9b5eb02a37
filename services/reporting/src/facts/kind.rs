//! The kinds of facts: their columns and what makes a row supersede another.

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr};

/// A kind of fact: a table per organisation.
///
/// Every table has `position`, the place in the log that a row comes from. Of rows with the same key the last one
/// holds; the rows of a table are in the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(EnumIter, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(crate) enum Kind {
    /// When and how a meeting is meant to take place, and whose it is.
    Plans,
    /// What became of a meeting; one without a row is planned. Apart from the plan, so that neither needs the other
    /// to be written and applying an event needs no memory.
    Statuses,
    /// What the register says of a member; `mark` is null where it no longer says anything.
    Attendances,
    /// Anonymous heads of a meeting, a column per category, so that a re-count supersedes all of them at once.
    Headcounts,
    /// The programme of a group. No row supersedes another: a meeting belongs to the programme that its group
    /// belonged to when it was held.
    Groups,
    /// The name of a programme.
    Programmes,
    /// Under whom a person goes on who was registered twice; `into` is null where that was undone.
    Merges,
    /// What keeps a member from being counted as a person, and whether it still stands.
    Objections,
    /// How a member said that they felt at a meeting; sealed.
    Moods,
    /// What was kept of how a meeting went: how many phases, whether a topic, how many facilitators.
    Structures,
    /// A check-in: whose, with what, when, where.
    CheckIns,
    /// What was answered in a check-in, as it was last corrected; sealed. Apart from the check-in, as a plan from its
    /// status.
    Answers,
    /// A check-in that was entered in error.
    TakenBack,
    /// A goal: whose, when, where, in whose place.
    Goals,
    /// How near a goal is; the rating sealed. No row supersedes another.
    GoalRatings,
    /// How a goal ended.
    GoalEnds,
    /// That there was a concern, and when. Not about whom.
    Concerns,
    /// A need: whose, how soon, since when.
    Needs,
    /// How a need ended.
    NeedEnds,
    /// A referral: of which need, to which service of which partner.
    Referrals,
    /// A step of a referral: which, by whom, to which stage. No row supersedes another.
    ReferralSteps,
}

impl Kind {
    /// Name of its folder.
    pub fn folder(self) -> &'static str {
        self.into_str()
    }

    /// Columns that identify what a row is about.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::Plans | Self::Statuses | Self::Headcounts | Self::Structures => &["meeting"],
            Self::Attendances | Self::Moods => &["meeting", "member"],
            Self::Groups => &["group", "position"],
            Self::Programmes => &["programme"],
            Self::Merges => &["member"],
            Self::Objections => &["member", "ground"],
            Self::CheckIns | Self::Answers | Self::TakenBack => &["check_in"],
            Self::Goals | Self::GoalEnds => &["goal"],
            Self::GoalRatings => &["goal", "position"],
            Self::Concerns => &["concern"],
            Self::Needs | Self::NeedEnds => &["need"],
            Self::Referrals => &["referral"],
            Self::ReferralSteps => &["referral", "position"],
        }
    }

    /// Columns and their types. A change needs a new [`super::manifest::FORMAT`].
    pub fn schema(self) -> Schema {
        use DataType::{Binary, Boolean, Int32, Int64, String, UInt32, UInt64};
        let columns: &[(&str, DataType)] = match self {
            Self::Plans => &[
                ("meeting", Binary),
                ("group", Binary),
                ("starts_at", Int64),
                ("local_date", Int32),
                ("month", Int32),
                ("mode", String),
            ],
            Self::Statuses => &[("meeting", Binary), ("status", String)],
            Self::Attendances => &[
                ("meeting", Binary),
                ("member", Binary),
                ("mark", String),
                ("participation", String),
                ("walk_in", Boolean),
            ],
            Self::Headcounts => &[
                ("meeting", Binary),
                ("newcomer", UInt32),
                ("visitor", UInt32),
                ("supporter", UInt32),
                ("child", UInt32),
                ("other", UInt32),
            ],
            Self::Groups => &[("group", Binary), ("programme", Binary)],
            Self::Programmes => &[("programme", Binary), ("name", String)],
            Self::Merges => &[("member", Binary), ("into", Binary)],
            Self::Objections => &[("member", Binary), ("ground", String), ("stands", Boolean)],
            Self::Moods => &[("meeting", Binary), ("member", Binary), ("mood", String)],
            Self::Structures => {
                &[("meeting", Binary), ("phases", UInt32), ("topic", Boolean), ("facilitators", UInt32)]
            }
            Self::CheckIns => &[
                ("check_in", Binary),
                ("member", Binary),
                ("instrument", String),
                ("version", UInt32),
                ("norm_set", String),
                ("local_date", Int32),
                ("group", Binary),
                ("meeting", Binary),
                ("entered_by", String),
            ],
            Self::Answers => &[("check_in", Binary), ("answers", String)],
            Self::TakenBack => &[("check_in", Binary)],
            Self::Goals => &[
                ("goal", Binary),
                ("member", Binary),
                ("revises", Binary),
                ("local_date", Int32),
                ("group", Binary),
                ("meeting", Binary),
            ],
            Self::GoalRatings => &[
                ("goal", Binary),
                ("local_date", Int32),
                ("group", Binary),
                ("meeting", Binary),
                ("entered_by", String),
                ("rating", String),
            ],
            Self::GoalEnds => &[("goal", Binary), ("end", String), ("local_date", Int32)],
            Self::Concerns => &[("concern", Binary), ("urgency", String), ("raised_at", Int64)],
            Self::Needs => {
                &[("need", Binary), ("member", Binary), ("based_on", Binary), ("urgency", String), ("at", Int64)]
            }
            Self::NeedEnds => &[("need", Binary), ("end", String), ("at", Int64)],
            Self::Referrals => &[
                ("referral", Binary),
                ("need", Binary),
                ("member", Binary),
                ("partner", Binary),
                ("service", Binary),
                ("parent", Binary),
                ("at", Int64),
            ],
            Self::ReferralSteps => &[
                ("referral", Binary),
                ("step", String),
                ("to", String),
                ("by", String),
                ("at", Int64),
                ("urgency", String),
                ("reason", String),
                ("outcome", String),
                ("answer", String),
            ],
        };
        let position = ("position", UInt64);
        columns.iter().chain([&position]).map(|(name, kind)| Field::new((*name).into(), kind.clone())).collect()
    }

    /// The rows that no later row supersedes, in the order of the log.
    pub fn current(self, rows: LazyFrame) -> LazyFrame {
        rows.unique_stable(Some(cols(self.key().iter().copied())), UniqueKeepStrategy::Last)
    }
}
