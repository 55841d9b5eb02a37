//! Preview a merge.

use std::collections::{BTreeSet, HashMap};

use axum::extract::State;
use domain::{
    ConsentId, GroupId, MemberId,
    member::{Field, Profile, Purpose, Record},
    roster::Stage,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{After, CallerMay, Path, Problem, Problems, Read};

use crate::{
    OF_MEMBERS, Projections, op,
    opening::Look,
    person,
    person::{MemberAttendance, MemberGroup, MemberView},
};

/// What a merge would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MergePreview {
    /// What becomes of each field that one of the records has.
    fields: Vec<FieldAfter>,
    /// Groups in which both have been: there the person has the enrolments of both, and one place.
    groups_of_both: Vec<GroupId>,
    /// Groups in which both have a place: one of them becomes free, and goes to whoever has waited longest. When the merge
    /// is undone, both have one again, also if there is no room.
    places_freed: Vec<GroupId>,
    /// Meetings at which both have a mark: there the person counts once, by the better attended.
    meetings_of_both: usize,
    /// Meetings at which the person has a mark, of either record.
    meetings_together: usize,
    /// Consents of the record that is merged: what they allow is not allowed any more, unless it is given again.
    consents_left: Vec<ConsentId>,
    /// Objections of the record that is merged: from then on they are the other's.
    objections_taken: Vec<Purpose>,
    /// Whether use of the other record is restricted from then on, because that of this one is.
    restriction_taken: bool,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldAfter {
    field: Field,
    after: Becomes,
}

/// Which record's value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Becomes {
    /// Both say the same.
    Same,
    /// They differ: what the other record says holds.
    Other,
    /// Only the other record has it.
    OnlyOther,
    /// Only the record that is merged has it: it is not shown any more.
    Left,
}

/// Preview a merge
///
/// What would change if this record were merged into the other; nothing is done. Says which fields differ, not what is
/// in them.
#[utoipa::path(get, path = "/v1/members/{member}/merge/{into}", tag = "views",
    params(("member" = MemberId, Path, description = "The second record"),
        ("into" = MemberId, Path, description = "The record that stays")),
    responses((status = 200, description = "What would change", body = MergePreview), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn preview_merge(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::PreviewMerge>,
    after: After,
    Path((member, into_id)): Path<(MemberId, MemberId)>,
) -> Result<Read<MergePreview>, Problem> {
    let (org, now) = (caller.org.clone(), projections.now());
    let read = move |connection: &_| {
        let find = |id| -> rusqlite::Result<Option<Side>> {
            let Some((view, record)) = person::find(connection, org.as_str(), id, &now)? else { return Ok(None) };
            Ok(Some(Side { view, record, marks: person::attendances(connection, org.as_str(), id)? }))
        };
        Ok(find(member)?.zip(find(into_id)?))
    };
    let Read(position, (from, into)) = projections.find(OF_MEMBERS, after, "member", read).await?;
    let sealed = [&from, &into].map(|side| (side.view.id, side.record.fields.clone())).into();
    let look = Look::at_members(&caller, "preview_merge", position, [member, into_id]);
    let opened = projections.open_all(look, sealed, Field::ALL).await?;
    Ok(Read(position, preview(&from, &into, &opened.profiles)))
}

/// One of the records.
struct Side {
    view: MemberView,
    record: Record,
    marks: Vec<MemberAttendance>,
}

fn preview(from: &Side, into: &Side, opened: &HashMap<MemberId, Profile>) -> MergePreview {
    let groups = |side: &Side| side.view.groups.iter().map(|group| group.group).collect::<BTreeSet<_>>();
    let has_place = |group: &&MemberGroup| {
        group.enrolments.iter().any(|enrolment| matches!(enrolment.stage, Stage::Enrolled | Stage::Active))
    };
    let places =
        |side: &Side| side.view.groups.iter().filter(has_place).map(|group| group.group).collect::<BTreeSet<_>>();
    let meetings = |side: &Side| side.marks.iter().map(|mark| mark.meeting).collect::<BTreeSet<_>>();
    let (mine, theirs) = (&from.record.permissions, &into.record.permissions);
    MergePreview {
        fields: fields(opened.get(&from.view.id), opened.get(&into.view.id)),
        groups_of_both: groups(from).intersection(&groups(into)).copied().collect(),
        places_freed: places(from).intersection(&places(into)).copied().collect(),
        meetings_of_both: meetings(from).intersection(&meetings(into)).count(),
        meetings_together: meetings(from).union(&meetings(into)).count(),
        consents_left: mine.consents.keys().copied().collect(),
        objections_taken: mine.objections.difference(&theirs.objections).copied().collect(),
        restriction_taken: mine.restricted && !theirs.restricted,
    }
}

fn fields(from: Option<&Profile>, into: Option<&Profile>) -> Vec<FieldAfter> {
    let values = |profile| serde_json::to_value(profile).expect("a profile has string keys only");
    let (from, into) = (values(from), values(into));
    let after = |field: &Field| {
        let of = |profile: &Value| profile.get(field.as_str()).cloned();
        let after = match (of(&from), of(&into)) {
            (None, None) => return None,
            (Some(mine), Some(theirs)) if mine == theirs => Becomes::Same,
            (Some(_), Some(_)) => Becomes::Other,
            (None, Some(_)) => Becomes::OnlyOther,
            (Some(_), None) => Becomes::Left,
        };
        Some(FieldAfter { field: *field, after })
    };
    Field::ALL.iter().filter_map(after).collect()
}
