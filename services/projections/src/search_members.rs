//! Search members by name.

use axum::extract::State;
use domain::{MemberId, Text, member::Field};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::Names;
use web::{After, Problem, Problems, Read, Search, op};

use crate::{Projections, member_view, record_view};

/// Most members found, a count.
const FOUND_MAX: usize = 20;
/// Most members looked at for a facilitator, who sees few of them; a count.
const LOOKED_AT_MAX: usize = 2_000;

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
}

/// Search members
///
/// By name, best first, at most 20; facilitators among the members of their groups. The name is in the body, so that no
/// log on the way keeps it. A search changes nothing.
#[utoipa::path(post, path = "/v1/members/search", tag = "views", request_body = NameAsked,
    responses((status = 200, description = "Who was found", body = Vec<FoundMember>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn search_members(
    State(projections): State<Projections>,
    after: After,
    Search { caller, body: NameAsked { name }, .. }: Search<op::SearchMembers, NameAsked>,
) -> Result<Read<Vec<FoundMember>>, Problem> {
    let (org, names) = (caller.org.clone(), projections.personal.names.clone());
    let is_shown = |field: &&Field| Names::FIELDS.contains(field);
    let wanted: Vec<_> = web::readable(caller.role).iter().filter(is_shown).copied().collect();
    let position = after.seen_by(&projections.checkpoint).await?;
    let people = *projections.personal.people.borrow();
    After(people).seen_by(&projections.personal.named).await?;
    let most = if caller.own_groups().is_some() { LOOKED_AT_MAX } else { FOUND_MAX };
    // Of what nobody shows them, nobody learns by trying letters.
    let fields = wanted.clone();
    let search = move || names.search(&org, name.as_str(), &fields, most);
    let found = projections.gate.compute.run(&caller.org, search).await?;
    let org = caller.org.clone();
    let own = caller.own_groups().map(<[_]>::to_vec);
    let day = projections.today();
    let read = move |connection: &_| {
        let found = member_view::those_in(connection, org.as_str(), found, own.as_deref(), day)?;
        record_view::fields(connection, org.as_str(), found.into_iter().take(FOUND_MAX))
    };
    let Read(_, sealed) = projections.read(After::anything(), read).await?;
    let order: Vec<_> = sealed.iter().map(|(member, _)| *member).collect();
    let mut opened = projections.open_all(&caller, "search_members", sealed, &wanted, false).await?;
    let found = order.into_iter().filter_map(|member| {
        let profile = opened.remove(&member)?;
        let family_name = profile.family_name.as_ref().map(ToString::to_string);
        Some(FoundMember { member, called: profile.called().map(str::to_owned), family_name })
    });
    Ok(Read(position, found.collect()))
}
