//! Search members by name.

use axum::extract::State;
use domain::{MemberId, Text, member::Field};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::Names;
use web::{After, Problem, Problems, Read, Search};

use crate::{OF_MEMBERS, Projections, op, opening::Look, record_view, sight};

/// Most members found, a count.
const FOUND_MAX: usize = 20;

/// A name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameAsked {
    /// Words of an alias or a name, or their beginnings; small mistakes in spelling do not matter.
    name: Text<100>,
}

/// A member who was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FoundMember {
    member: MemberId,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
    /// Of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
}

/// Search members
///
/// By name, best first, at most 20, as far as the caller may read names; facilitators among the members of their groups
/// whose records are open to these. The name is in the body, so that no log on the way keeps it. A search changes
/// nothing.
#[utoipa::path(post, path = "/v1/members/search", tag = "views", request_body = NameAsked,
    responses((status = 200, description = "Who was found", body = Vec<FoundMember>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn search_members(
    State(projections): State<Projections>,
    after: After,
    Search { caller, body: NameAsked { name }, .. }: Search<op::SearchMembers, NameAsked>,
) -> Result<Read<Vec<FoundMember>>, Problem> {
    // Nobody is found by what the caller may not read, nor among whom they may not.
    let is_shown = |field: &&Field| Names::FIELDS.contains(field);
    let wanted: Vec<_> = web::readable(caller.role).iter().filter(is_shown).copied().collect();
    let (who, now) = (caller.clone(), projections.now());
    let read = move |connection: &_| sight::on_own_rosters(connection, &who, &now);
    let Read(position, among) = projections.read(OF_MEMBERS, after, read).await?;
    let said = *projections.views.changed(&record_view::RECORDS).borrow();
    After(said).seen_by(&projections.personal.named).await?;
    let (org, fields, names) = (caller.org.clone(), wanted.clone(), projections.personal.names.clone());
    let search = move || names.search(&org, name.as_str(), (&fields, among.as_ref()), FOUND_MAX);
    let found = projections.authenticator.compute.run(caller.asking(), search).await?;
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let sealed = found.into_iter().map(|member| {
            let record = record_view::find(connection, org.as_str(), member)?;
            Ok((member, record.unwrap_or_default().fields))
        });
        sealed.collect::<rusqlite::Result<Vec<_>>>()
    };
    let Read(_, sealed) = projections.read(&[&record_view::RECORDS], After::anything(), read).await?;
    let order: Vec<_> = sealed.iter().map(|(member, _)| *member).collect();
    let look = Look::at_members(&caller, "search_members", position, order.iter().copied());
    let mut opened = projections.open_all(look, sealed, &wanted).await?;
    let found = order.into_iter().filter_map(|member| {
        if opened.unreadable.contains(&member) {
            return Some(FoundMember { member, called: None, family_name: None, unreadable: true });
        }
        let profile = opened.profiles.remove(&member)?;
        let family_name = profile.family_name.as_ref().map(ToString::to_string);
        Some(FoundMember { member, called: profile.called().map(str::to_owned), family_name, unreadable: false })
    });
    Ok(Read(position, found.collect()))
}
