//! Groups that were imported from a source whose listing does not name them any more.
//!
//! Which they may be, the view says; whether one is, its stream: the group must say of itself that it was imported from
//! there, and its id must be the one that follows. Nothing is asked of the view where there is none.

use std::collections::HashSet;

use domain::{GroupId, group};
use eventlog::Position;
use projections::{GROUPS, from_source};
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, Problem, Read};

use super::{Import, WhenMissing};

/// Most missing groups that a report names, a count.
pub const MISSING_MAX: usize = 1_000;

/// Groups from a source that its listing does not name any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Missing {
    /// All of them, a count.
    pub count: usize,
    /// Those that are, or would be, shown in public no more by this import; a count.
    pub unlisted: usize,
    /// The first 1,000, those that are shown in public before the others.
    pub groups: Vec<MissingGroup>,
    /// Groups beyond those; a count.
    pub left_out: usize,
    #[serde(skip)]
    all: Vec<GroupId>,
}

/// A group that a listing does not name any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MissingGroup {
    /// The group.
    pub group: GroupId,
    /// What it is called.
    pub name: String,
    /// The meeting's id in the listing, when it was there.
    pub meeting: String,
    /// Whether it may be shown in public, before this import.
    pub listed: bool,
    /// Whether it has a calendar: it goes on meeting.
    pub scheduled: bool,
}

impl Missing {
    /// The last of those that can be unlisted.
    pub(super) fn last(&self) -> Option<GroupId> {
        self.all.last().copied()
    }
}

impl Import<'_> {
    /// Finds them; none if the server cannot tell now.
    pub(super) async fn missing(
        &self,
        named: &HashSet<GroupId>,
        when: WhenMissing,
    ) -> Result<Option<Missing>, Problem> {
        if when == WhenMissing::Unlist && named.is_empty() {
            return Err(Problem::malformed("the listing names no meeting: nothing is unlisted by it"));
        }
        let Some(candidates) = self.candidates(when).await? else { return Ok(None) };
        let mut found = Vec::new();
        for group in candidates.into_iter().filter(|group| !named.contains(group)) {
            found.extend(self.missing_group(group).await?);
        }
        found.sort_by(|one, other| (!one.listed, &one.name, one.group).cmp(&(!other.listed, &other.name, other.group)));
        let all = found.iter().filter(|group| group.listed).map(|group| group.group).collect();
        let count = found.len();
        found.truncate(MISSING_MAX);
        Ok(Some(Missing { count, unlisted: 0, left_out: count - found.len(), groups: found, all }))
    }

    async fn candidates(&self, when: WhenMissing) -> Result<Option<Vec<GroupId>>, Problem> {
        let (views, org) = (&self.directory.views, self.caller.org.clone());
        let source = self.origin.source.as_str().to_owned();
        let read = async {
            if !views.are_whole() {
                return Err(Problem::not_visible_yet());
            }
            let all = After(*self.directory.head.borrow());
            views.read(&[&GROUPS], all, move |connection| from_source(connection, org.as_str(), &source)).await
        };
        match read.await {
            Ok(Read(_, groups)) => Ok(Some(groups)),
            Err(problem) if when == WhenMissing::Unlist => Err(problem),
            Err(_) => Ok(None),
        }
    }

    async fn missing_group(&self, id: GroupId) -> Result<Option<MissingGroup>, Problem> {
        let found = self.directory.groups.look(&self.caller.org, id, |group| {
            let details = group.state.details.as_ref()?;
            let meeting = self.origin.id_in_listing(id, details.source.as_ref()?.as_str())?.to_owned();
            let (name, scheduled) = (details.name.to_string(), group.state.series.schedule.is_some());
            Some(MissingGroup { group: id, name, meeting, listed: details.listed, scheduled })
        });
        Ok(found.await?)
    }

    /// Unlists them if that is asked for, or says how many would be.
    pub(super) async fn unlist(
        &self,
        missing: Option<Missing>,
        when: WhenMissing,
    ) -> Result<(Option<Missing>, Position), Problem> {
        let Some(missing) = missing else { return Ok((None, Position::START)) };
        if when == WhenMissing::Tell {
            return Ok((Some(missing), Position::START));
        }
        let commands = missing.all.iter().map(|group| (group.0, group::Command::Unlist)).collect();
        let (done, position) = self.groups(commands).await?;
        Ok((Some(Missing { unlisted: done.changed, ..missing }), position))
    }
}
