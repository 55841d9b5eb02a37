//! Register a member.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    MemberId,
    member::{self, Fields, Profile, TypedBy},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::{Blind, Names};
use web::{Answer, Asking, Command, Private, Problem, Problems};

use crate::{Membership, op};

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
    #[schema(value_type = Profile)]
    profile: Private<Profile>,
}

/// The member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RegisteredMember {
    member: MemberId,
    /// Others with the same e-mail address, telephone number or external id, or with nearly the same full name and no
    /// other year of birth, at most 20. None of these fields is for facilitators, so they learn of nobody.
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
    let member = match command.body.member {
        Some(member) => member,
        None => membership.vault.new_member(&command.caller.org, command.cause.id).await?,
    };
    let profile = std::mem::take(&mut command.body.profile);
    let said = profile.in_clear();
    said.check(&membership.today()).map_err(|error| Problem::malformed(format!("body, at `profile`: {error}")))?;
    command.caller.may_set(&said.fields())?;
    let sealed = membership.seal(&mut command, member, &profile).await;
    let Command { caller, cause, .. } = command;
    let registered = match sealed {
        Ok((fields, possible_duplicates)) => {
            let reply = Reply::json(201, &RegisteredMember { member, possible_duplicates });
            let typed_by = caller.proposes().map(|subject| TypedBy { subject, group: None });
            let register = member::Command::Register { fields, typed_by };
            membership.decide(&caller.registers(member), cause, register, reply).await
        }
        Err(problem) => Err(problem),
    };
    if registered.is_err() {
        // They are indexed already, and somebody else may be registered under their id. What fails here, is seen to later.
        let _ = membership.index(&caller.org, member).await;
    }
    registered
}

impl Membership {
    /// Seals what is said of a new member; names others who share what hardly two people share. Before they are
    /// registered, it is on disk that these were named, and with which key it is sealed: the one does not wait for the other.
    async fn seal<Op, T>(
        &self,
        command: &mut Command<Op, T>,
        member: MemberId,
        said: &Private<Profile>,
    ) -> Result<(Fields, Vec<MemberId>), Problem> {
        let profile = said.in_clear();
        if *profile == Profile::default() {
            return Ok((Fields::new(), vec![]));
        }
        let org = command.caller.org.clone();
        let blinds = Blind::all(&self.vault.org_key(&org).await?, self.vault.country(), profile);
        let duplicates = self.possible_duplicates(command.caller.asking(), member, profile, &blinds).await?;
        let is_new = self.members.look(&org, member, |known| matches!(known.state, member::State::Unknown)).await?;
        // Of somebody who is there already, nothing is touched before the domain has decided.
        let key = async {
            Ok::<_, Problem>(if is_new {
                self.vault.index_new(&org, member, blinds).await?
            } else {
                self.vault.key_or_new(&org, member).await?
            })
        };
        let (key, named) = tokio::join!(key, self.shown(&command.caller, "register_member", duplicates.clone()));
        named?;
        Ok((command.seal_profile(&key?, member, said), duplicates))
    }

    /// Others who may be the same person: those who share what hardly two people share, then those of nearly the same
    /// name.
    async fn possible_duplicates(
        &self,
        asking: Asking<'_>,
        member: MemberId,
        profile: &Profile,
        blinds: &[Blind],
    ) -> Result<Vec<MemberId>, Problem> {
        let org = asking.0;
        let sharing = async {
            Ok::<_, Problem>(match blinds {
                [] => vec![],
                blinds => self.vault.sharing(org, blinds.to_vec()).await?,
            })
        };
        let (mut others, near) = tokio::try_join!(sharing, self.near(asking.clone(), profile))?;
        for near in near {
            if !others.contains(&near) {
                others.push(near);
            }
        }
        // Each person once.
        let persons = self.known.persons(org).await?;
        let mut named = BTreeSet::from([persons.of(member)]);
        others.retain_mut(|other| {
            *other = persons.of(*other);
            named.insert(*other)
        });
        others.truncate(DUPLICATES_MAX);
        Ok(others)
    }

    async fn near(&self, asking: Asking<'_>, profile: &Profile) -> Result<Vec<MemberId>, Problem> {
        if !Names::can_be_near(profile) {
            return Ok(vec![]);
        }
        let (names, of, profile) = (self.names.clone(), asking.0.clone(), profile.clone());
        Ok(self.authenticator.compute.run(asking, move || names.near(&of, &profile, DUPLICATES_MAX)).await?)
    }
}
