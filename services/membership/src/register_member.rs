//! Register a member.

use axum::extract::State;
use domain::{
    MemberId,
    member::{self, Fields, Profile},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::{Blind, seal_profile};
use web::{Answer, Caller, Command, Problem, Problems, op, writable};

use crate::Membership;

/// Most possible duplicates that are named, a count.
const DUPLICATES_MAX: usize = 20;

/// Who, as far as they say.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    /// A random id made by the caller, such as one that works without a connection; made here if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// As little as an alias, or nothing at all.
    #[serde(default)]
    profile: Profile,
}

/// The member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RegisteredMember {
    member: MemberId,
    /// Others with the same e-mail address, telephone number or external id, or with nearly the same full name and no
    /// other year of birth, at most 20; for facilitators only members of their groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    possible_duplicates: Vec<MemberId>,
}

/// Register a member
///
/// With as little as an alias, or nothing; more can be added later. Everything that is said of them is sealed before it
/// is kept. Names who may be the same person.
#[utoipa::path(post, path = "/v1/members", tag = "membership", request_body = NewMember,
    responses((status = 201, description = "The member is registered", body = RegisteredMember), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_member(
    State(membership): State<Membership>,
    mut command: Command<op::RegisterMember, NewMember>,
) -> Result<Answer, Problem> {
    let member = command.body.member.unwrap_or(MemberId(command.new_id("member")));
    let role = command.caller.role;
    let profile = std::mem::take(&mut command.body.profile);
    profile.check(membership.today()).map_err(|error| Problem::malformed(format!("body, at `profile`: {error}")))?;
    let (fields, possible_duplicates) = membership.seal(&mut command, member, &profile).await?;
    if let Some(field) = fields.keys().find(|field| !writable(role).contains(field)) {
        return Err(Problem::forbidden(format!("{} is not for the role {}", field.as_str(), role.as_str())));
    }
    let reply = Reply::json(201, &RegisteredMember { member, possible_duplicates });
    let Command { caller, cause, .. } = command;
    membership.decide(&caller, member, cause, member::Command::Register(fields), reply).await
}

impl Membership {
    /// Seals what is said of a new member; names others who share what hardly two people share.
    async fn seal<Op, T>(
        &self,
        command: &mut Command<Op, T>,
        member: MemberId,
        profile: &Profile,
    ) -> Result<(Fields, Vec<MemberId>), Problem> {
        if *profile == Profile::default() {
            return Ok((Fields::new(), vec![]));
        }
        let org = command.caller.org.clone();
        let blinds = Blind::all(&self.vault.org_key(&org).await?, profile);
        let duplicates = self.possible_duplicates(&command.caller, member, profile, &blinds).await?;
        let is_new = self.members.look(&org, member, |known| matches!(known.state, member::State::Unknown)).await?;
        // Of somebody who is there already, nothing is touched before the domain has decided.
        let key = if is_new {
            self.vault.index(&org, member, blinds).await?
        } else {
            self.vault.key_or_new(&org, member).await?
        };
        command.about(&key);
        Ok((seal_profile(&key, &org, member.0, profile), duplicates))
    }

    /// Others who may be the same person: those who share what hardly two people share, then those of nearly the same
    /// name. Nobody learns of anybody whom they could not look up.
    async fn possible_duplicates(
        &self,
        caller: &Caller,
        member: MemberId,
        profile: &Profile,
        blinds: &[Blind],
    ) -> Result<Vec<MemberId>, Problem> {
        let mut others = match blinds {
            [] => vec![],
            blinds => self.vault.sharing(&caller.org, blinds.to_vec()).await?,
        };
        for near in self.names.near(&caller.org, profile, DUPLICATES_MAX) {
            if !others.contains(&near) {
                others.push(near);
            }
        }
        let mut duplicates = Vec::new();
        for other in others.into_iter().filter(|other| *other != member) {
            if duplicates.len() < DUPLICATES_MAX && self.reach(caller, other).await.is_ok() {
                duplicates.push(other);
            }
        }
        Ok(duplicates)
    }
}
