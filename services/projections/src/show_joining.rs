//! Show how to take part in a group from elsewhere.

use axum::extract::State;
use domain::{
    GroupId, LocalDay, MemberId,
    group::{Joining, Online},
};
use jiff::Zoned;
use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{After, Caller, CallerMay, Path, Problem, Problems, Read, Role};

use crate::{GROUPS, OF_MEMBERS, Projections, group_view, op, opening::UNREADABLE, record_view, rosters};

/// How to take part in a group from elsewhere, and who may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JoiningView {
    pub joining: Joining,
    /// Whether anybody may know it, or members of the group and those who run it.
    pub public: bool,
}

/// Show how to take part in a group from elsewhere
///
/// The address of its meetings online, a telephone number, and what is needed there. Facilitators see that of their own
/// groups, members that of groups on whose roster they are today, where the group meets.
#[utoipa::path(get, path = "/v1/groups/{group}/joining", tag = "views",
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "How; `null` if nobody can", body = Option<JoiningView>), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn show_joining(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowJoining>,
    after: After,
    Path(group): Path<GroupId>,
) -> Result<Read<Option<JoiningView>>, Problem> {
    caller.require_group(group)?;
    let (who, now) = (caller.clone(), projections.now());
    let views = if caller.role == Role::Member { OF_MEMBERS } else { &[&GROUPS] };
    let read = move |connection: &_| {
        let may = who.role != Role::Member || takes_part(connection, &who, group, &now)?;
        Ok((may, group_view::online(connection, who.org.as_str(), group)?))
    };
    let Read(position, (may, found)) = projections.read(views, after, read).await?;
    if !may {
        // Whether there is such a group or not.
        return Err(Problem::not_found("there is no such group, or you have no place in it today"));
    }
    let online = found.ok_or_else(|| Problem::not_found("there is no such group"))?;
    Ok(Read(position, projections.joining(&caller, group, online).await?))
}

/// Whether the caller, under any of their records, is on the group's roster today.
fn takes_part(connection: &Connection, caller: &Caller, group: GroupId, now: &Zoned) -> rusqlite::Result<bool> {
    let Ok(member) = caller.subject.as_str().parse::<MemberId>() else { return Ok(false) };
    let org = caller.org.as_str();
    let person = record_view::goes_on_as(connection, org, member)?;
    let today = LocalDay::of(&group_view::there(connection, org, group, now)?);
    let enrolled = rosters::enrolled_on(connection, org, group, today.date())?;
    Ok(enrolled.iter().any(|(of, _)| *of == person))
}

impl Projections {
    /// How to take part, opened if it is sealed: for callers who may know it.
    pub(crate) async fn joining(
        &self,
        caller: &Caller,
        group: GroupId,
        online: Option<Online>,
    ) -> Result<Option<JoiningView>, Problem> {
        let sealed = match online {
            None => return Ok(None),
            Some(Online::Public(joining)) => return Ok(Some(JoiningView { joining, public: true })),
            Some(Online::Private(sealed)) => sealed,
        };
        let key = self.personal.vault.org_key(&caller.org).await?;
        let opened = key.open(&caller.org, group.0, SealedAs::Joining, &sealed).ok();
        let joining = opened.and_then(|opened| domain::stored(&opened).ok()).unwrap_or_else(|| {
            tracing::error!(%group, "how to take part in a group cannot be read; `kith verify` says more");
            Joining { instructions: UNREADABLE.parse().ok(), ..Joining::default() }
        });
        Ok(Some(JoiningView { joining, public: false }))
    }
}
