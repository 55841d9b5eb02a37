//! List what there is to do.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use axum::extract::State;
use domain::{GroupId, MemberId, Subject, member::Fields};
use host::{Item, Kind, Urgency};
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{After, Caller, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{Projections, op, opening::Look, record_view, sight};

/// Of what is to be done.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// Most items, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    after: Option<String>,
    /// Of this kind only.
    #[param(max_length = 64)]
    kind: Option<String>,
    /// Whose: the subject of their token, `me`, or `nobody` for what is nobody's in particular.
    #[param(max_length = 200)]
    owner: Option<String>,
    /// In this group only.
    group: Option<GroupId>,
    /// About this member only, under the record under which they go on.
    member: Option<MemberId>,
    /// Only what is overdue.
    #[serde(default)]
    overdue: bool,
}

/// What there is to do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct QueuePage {
    /// Overdue first, then by urgency, then by when it is due, then by since when it is there.
    items: Vec<QueueItem>,
    /// To be given as `after` for the next part; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// How many there are of each kind, whichever kind was asked for.
    kinds: Vec<KindCount>,
    /// Kinds of which not all were found yet, because this server started a moment ago.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counting: Vec<&'static str>,
}

/// How many there are of a kind.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct KindCount {
    kind: &'static str,
    /// So many; unit: item.
    items: usize,
    /// So many of them are overdue.
    overdue: usize,
}

/// Something that there is to do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct QueueItem {
    kind: &'static str,
    /// Why it is here.
    why: &'static str,
    about: About,
    /// Whom it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
    /// Of possible duplicates, the other record.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_member: Option<MemberId>,
    /// What that one is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_called: Option<String>,
    /// In which group.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
    /// Whose it is; missing if it is everybody's who may resolve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Subject>,
    urgency: Urgency,
    /// Since when it is here.
    since: Timestamp,
    /// From when on it is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    overdue: bool,
    /// Operations of which each resolves it, that the caller may call.
    resolved_by: Vec<&'static str>,
}

/// What an item is about.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = QueueItemAbout)]
pub(crate) struct About {
    /// What it is: the word that stands before its id in paths.
    r#type: &'static str,
    id: Uuid,
}

/// By what items are ordered; no two have the same.
type Key = (bool, u8, Timestamp, Timestamp, Cow<'static, str>, Uuid, Option<MemberId>, Option<GroupId>);

fn key(item: &Item, now: Timestamp) -> Key {
    let urgency = match item.urgency {
        Urgency::Emergency => 0,
        Urgency::Urgent => 1,
        Urgency::Routine => 2,
    };
    let due = item.due_at.unwrap_or(Timestamp::MAX);
    (!item.is_overdue(now), urgency, due, item.since, item.kind.name.into(), item.about, item.member, item.group)
}

/// List the queue
///
/// What there is to do, for those who can do it: referrals where somebody is silent, concerns, check-ins that were missed,
/// members who have lapsed, registers, enrolments to be confirmed, possible duplicates, glass and overrides to be
/// reviewed. Each item goes by itself when its cause is gone. Facilitators see what there is to do in their groups.
#[utoipa::path(get, path = "/v1/queue", tag = "views", params(QueueQuery),
    responses((status = 200, description = "A page", body = QueuePage), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_queue(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListQueue>,
    after: After,
    Query(query): Query<QueueQuery>,
) -> Result<Read<QueuePage>, Problem> {
    let page = PageQuery { limit: query.limit, after: query.after.clone() };
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<Key>()?);
    let known = projections.boards.kinds();
    if query.kind.as_deref().is_some_and(|kind| known.iter().all(|known| known.name != kind)) {
        let known: Vec<_> = known.iter().map(|known| known.name).collect();
        return Err(Problem::malformed(format!("kind must be one of {}", known.join(", "))));
    }
    let owner = query.owner()?;
    let Read(position, picked) = projections
        .boards
        .read(&caller.org, after, |shown| {
            let mine = |item: &&&Item| may_see(&caller, item) && query.asks_for(&caller, &owner, (item, shown.now));
            let mut counts = BTreeMap::<&str, KindCount>::new();
            let mut found = vec![];
            for item in shown.items.iter().filter(mine) {
                let kind = item.kind.name;
                let count = counts.entry(kind).or_insert(KindCount { kind, items: 0, overdue: 0 });
                count.items += 1;
                count.overdue += usize::from(item.is_overdue(shown.now));
                let key = key(item, shown.now);
                let asked = query.kind.as_deref().is_none_or(|kind| kind == item.kind.name);
                if asked && cursor.as_ref().is_none_or(|cursor| key > *cursor) {
                    found.push((key, *item));
                }
            }
            let rest = found.len().min(limit + 1);
            if rest < found.len() {
                found.select_nth_unstable_by(rest, |(one, _), (other, _)| one.cmp(other));
                found.truncate(rest);
            }
            found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            let found: Vec<_> = found.into_iter().map(|(key, item)| (key, item.clone())).collect();
            let may = |kind: &&Kind| may_resolve(&caller, kind);
            let counting = shown.counting.iter().copied().filter(may).map(|kind| kind.name).collect::<Vec<_>>();
            (found, counts.into_values().collect::<Vec<_>>(), counting, shown.now)
        })
        .await?;
    let (found, kinds, counting, now) = picked;
    let Page { items, next } = Page::new(found, limit, |(key, _)| key.clone()).sealed(&caller)?;
    let items: Vec<_> = items.into_iter().map(|(_, item)| item).collect();
    let (who, listed) = (caller.clone(), items.clone());
    let read = move |connection: &_| sealed(connection, &who, &listed);
    let Read(_, sealed) = projections.read(&[&record_view::RECORDS], After::anything(), read).await?;
    let members = items.iter().flat_map(|item| item.member.into_iter().chain(item.other));
    let look = Look::at_members(&caller, "list_queue", position, members);
    let called = projections.called(look, sealed).await?;
    let name = |member: Option<MemberId>| member.and_then(|member| called.names.get(&member).cloned());
    let line = |item: Item| QueueItem {
        kind: item.kind.name,
        why: item.kind.why,
        about: About { r#type: item.kind.about, id: item.about },
        member: item.member,
        called: name(item.member),
        other_member: item.other,
        other_called: name(item.other),
        group: item.group,
        overdue: item.is_overdue(now),
        owner: item.owner,
        urgency: item.urgency,
        since: item.since,
        due_at: item.due_at,
        resolved_by: item.kind.resolved_by.iter().filter(|may| caller.may_call(may)).map(|may| may.id).collect(),
    };
    Ok(Read(position, QueuePage { items: items.into_iter().map(line).collect(), next, kinds, counting }))
}

fn may_resolve(caller: &Caller, kind: &Kind) -> bool {
    kind.resolved_by.iter().any(|may| caller.may_call(may))
}

/// Whether an item is shown to the caller: if they may do something about it, and reach what it is about.
fn may_see(caller: &Caller, item: &Item) -> bool {
    let leads = |own: &[GroupId]| item.for_leaders && item.group.is_some_and(|group| own.contains(&group));
    let reaches = || caller.own_groups().is_none_or(leads);
    may_resolve(caller, item.kind) && reaches() && item.not_for.as_ref() != Some(&caller.subject)
}

/// Whose items are asked for.
enum Owner {
    Anybody,
    Nobody,
    Me,
    Somebody(Subject),
}

impl QueueQuery {
    fn owner(&self) -> Result<Owner, Problem> {
        Ok(match self.owner.as_deref() {
            None => Owner::Anybody,
            Some("nobody") => Owner::Nobody,
            Some("me") => Owner::Me,
            Some(subject) => Owner::Somebody(
                subject
                    .parse()
                    .map_err(|_| Problem::malformed("owner must be the subject of a token, `me` or `nobody`"))?,
            ),
        })
    }

    /// Whether an item is among those that are asked for, of whichever kind.
    fn asks_for(&self, caller: &Caller, owner: &Owner, (item, now): (&Item, Timestamp)) -> bool {
        let is_asked_for = match owner {
            Owner::Anybody => true,
            Owner::Nobody => item.owner.is_none(),
            Owner::Me => item.owner.as_ref() == Some(&caller.subject),
            Owner::Somebody(owner) => item.owner.as_ref() == Some(owner),
        };
        is_asked_for
            && self.group.is_none_or(|group| item.group == Some(group))
            && self.member.is_none_or(|member| [item.member, item.other].contains(&Some(member)))
            && (!self.overdue || item.is_overdue(now))
    }
}

/// Sealed fields of those whom the items are about, of each those that the caller may see.
fn sealed(connection: &Connection, caller: &Caller, items: &[Item]) -> rusqlite::Result<Vec<(MemberId, Fields)>> {
    let mut by_group = BTreeMap::<Option<GroupId>, BTreeSet<MemberId>>::new();
    for item in items {
        let group = item.group.filter(|_| caller.own_groups().is_some());
        by_group.entry(group).or_default().extend(item.member.into_iter().chain(item.other));
    }
    let mut sealed = BTreeMap::new();
    for (group, members) in by_group {
        match group {
            Some(group) => sealed.extend(sight::of_list(connection, caller, group, members.into_iter())?),
            None if caller.own_groups().is_some() => {}
            None => {
                for member in members {
                    let record = record_view::find(connection, caller.org.as_str(), member)?;
                    sealed.extend(record.map(|record| (member, record.fields)));
                }
            }
        }
    }
    Ok(sealed.into_iter().collect())
}
