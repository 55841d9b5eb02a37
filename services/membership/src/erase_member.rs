//! Erase a member.

use axum::extract::State;
use domain::{
    MemberId, OrgId,
    member::{self, Refusal},
};
use eventlog::{Cause, Position, Reply};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{After, Command, Nothing, Path, Problem, Problems, Read, op};

use crate::{Membership, merge_member::part_of};

/// What an erasure touched, what is kept and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// Of which organisation.
    #[schema(value_type = String)]
    pub organisation: OrgId,
    /// Who it was; from now on an id of nobody.
    pub member: MemberId,
    /// Where the log says so.
    pub position: u64,
    /// When this was signed.
    #[schema(value_type = String, format = DateTime)]
    pub signed_at: Timestamp,
    /// How many events of the member's own stream can no longer be read; unit: event.
    pub events: u64,
    /// Views that no longer show the member, and up to where in the log each had been brought.
    pub views: Vec<ErasedView>,
    /// Exports that hold the member, and recipients who were sent something: to be told (GDPR Art. 19).
    pub recipients: Vec<String>,
    /// What stays.
    pub kept: Vec<Kept>,
}

/// A view that no longer shows the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedView {
    /// Which.
    pub name: String,
    /// Up to where in the log.
    pub position: u64,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// The erasure, and the same signed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErasureReceipt {
    erasure: Erasure,
    /// A JWS by this server, for `kith verify --receipt`.
    receipt: String,
}

/// Erase a member
///
/// Destroys the member's key: everything that was sealed with it, wherever it is, is lost. What remains is a number
/// without a person. Refused while a legal hold stands. Answers with a signed receipt once no view shows the member.
#[utoipa::path(post, path = "/v1/members/{member}/erasure", tag = "membership", request_body = Nothing,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 200, description = "The member is erased", body = ErasureReceipt), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn erase_member(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    command: Command<op::EraseMember>,
) -> Result<Read<ErasureReceipt>, Problem> {
    let Command { caller, cause, .. } = command;
    let org = &caller.org;
    let seconds = membership.may_erase(org, member).await?;
    for second in seconds {
        let cause = Cause { id: Uuid::new_v5(&cause.id, second.0.as_bytes()), ..part_of(&cause) };
        membership.members.transact(org, second, cause, member::Command::Erase, Reply::DONE).await?;
        membership.vault.erase(org, second).await?;
    }
    let done = membership.members.transact(org, member, cause, member::Command::Erase, Reply::DONE).await?;
    // From here on sending the command again goes on where this stopped.
    membership.vault.erase(org, member).await?;
    let seen = After(done.position).seen_by(&membership.views).await?;
    let revision = membership.members.look(org, member, |member| member.revision).await?;
    let erasure = Erasure {
        organisation: org.clone(),
        member,
        position: done.position.0,
        signed_at: membership.gate.clock.now(),
        events: revision.unwrap_or_default(),
        views: ["members", "registers", "rosters", "search by name"].map(|name| erased(name, seen)).into(),
        recipients: vec![],
        kept: vec![
            kept("attendances and enrolments under a random id", "to count what took place (GDPR Art. 89)"),
            kept("who opened the record, without whose it was", "to account for access (GDPR Art. 5(2))"),
        ],
    };
    let receipt = membership.attester.sign(&erasure);
    Ok(Read(seen, ErasureReceipt { erasure, receipt }))
}

impl Membership {
    /// Second records of the same person, all of which are to be erased as well; none if the member is not there.
    async fn may_erase(&self, org: &OrgId, member: MemberId) -> Result<Vec<MemberId>, Problem> {
        let (mut seconds, mut ahead) = (Vec::new(), vec![member]);
        while let Some(next) = ahead.pop() {
            let record = self.members.look(org, next, |member| member.state.record().cloned()).await?;
            let Some(record) = record else { continue };
            if let (Some(into), true) = (record.merged_into, next == member) {
                return Err(Problem::rejected(&Refusal::Merged { into }));
            }
            if let Some(review_on) = record.holds.values().min() {
                return Err(Problem::rejected(&Refusal::Held { count: record.holds.len(), review_on: *review_on }));
            }
            if next != member {
                seconds.push(next);
            }
            ahead.extend(record.absorbed);
        }
        Ok(seconds)
    }
}

fn erased(name: &str, seen: Position) -> ErasedView {
    ErasedView { name: name.into(), position: seen.0 }
}

fn kept(what: &str, why: &str) -> Kept {
    Kept { what: what.into(), why: why.into() }
}
