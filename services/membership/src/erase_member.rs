//! Erase a member.

use axum::extract::State;
use domain::{
    AnyEvent, MemberId, OrgId,
    member::{self, Record, Refusal},
};
use eventlog::{Cause, Position, Reply, TransactError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{After, Command, Nothing, Path, Problem, Problems, Read, op};

use crate::{Membership, merge_member::part_of};

/// Most events of a record that a receipt names, a count.
const EVENTS_MAX: usize = 1_000;

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
    /// All records of the person: the member's own first, then those that were merged into it.
    pub records: Vec<ErasedRecord>,
    /// Views that no longer show the member, and up to where in the log each had been brought.
    pub views: Vec<ErasedView>,
    /// Exports that hold the member, and recipients who were sent something: to be told (GDPR Art. 19).
    pub recipients: Vec<String>,
    /// What stays.
    pub kept: Vec<Kept>,
}

/// A record that can no longer be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedRecord {
    /// Whose.
    pub member: MemberId,
    /// How many events it had; unit: event.
    pub event_count: u64,
    /// Where in the log they are, the latest 1,000: what they say of the member is lost.
    #[schema(max_items = 1_000)]
    pub events: Vec<u64>,
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
    let records = membership.records(org, member).await?;
    may_erase(&records)?;
    for record in &records[1..] {
        let cause = Cause { id: Uuid::new_v5(&cause.id, record.member.0.as_bytes()), ..part_of(&cause) };
        let erase = membership.members.transact(org, record.member, cause, member::Command::Erase, Reply::DONE);
        match erase.await {
            Ok(_) | Err(TransactError::Rejected(Refusal::Unknown)) => {} // erased when this was sent before
            Err(error) => return Err(error.into()),
        }
        membership.vault.erase(org, record.member).await?;
    }
    let done = membership.members.transact(org, member, cause, member::Command::Erase, Reply::DONE).await?;
    // From here on sending the command again goes on where this stopped.
    membership.vault.erase(org, member).await?;
    let seen = After(done.position).seen_by(&membership.erasures).await?;
    let erasure = Erasure {
        organisation: org.clone(),
        member,
        position: done.position.0,
        signed_at: membership.gate.clock.now(),
        records: records.iter().map(Past::erased).collect(),
        views: ["members", "registers", "rosters", "names to search by"].map(|name| erased(name, seen)).into(),
        recipients: vec![],
        kept: vec![
            kept("attendances and enrolments under a random id", "to count what took place (GDPR Art. 89)"),
            kept("who opened the record, without whose it was", "to account for access (GDPR Art. 5(2))"),
        ],
    };
    let receipt = membership.attester.sign(&erasure);
    Ok(Read(seen, ErasureReceipt { erasure, receipt }))
}

/// A record as it was before it was erased, if it was.
struct Past {
    member: MemberId,
    record: Record,
    /// Where in the log it was written, until it was erased.
    events: Vec<Position>,
}

impl Past {
    fn erased(&self) -> ErasedRecord {
        let latest = self.events.iter().skip(self.events.len().saturating_sub(EVENTS_MAX));
        let events = latest.map(|position| position.0).collect();
        ErasedRecord { member: self.member, event_count: self.events.len() as u64, events }
    }
}

impl Membership {
    /// All records of a person: the one asked for first, then those that were merged into it. From the log itself, so
    /// that it is the same once they are erased.
    async fn records(&self, org: &OrgId, member: MemberId) -> Result<Vec<Past>, Problem> {
        let (mut records, mut ahead) = (Vec::new(), vec![member]);
        while let Some(member) = ahead.pop() {
            let mut past = Past { member, record: Record::default(), events: vec![] };
            for event in self.members.events(org, member).await? {
                match event.decode().map_err(|error| Problem::internal(&error))? {
                    AnyEvent::Member(member::Event::Erased(_)) => break,
                    AnyEvent::Member(said) => past.record.evolve(&said),
                    _ => {} // a member's stream has no others
                }
                past.events.push(event.position);
            }
            ahead.extend(&past.record.absorbed);
            records.push(past);
        }
        Ok(records)
    }
}

/// Whether nothing forbids that all of them are erased.
fn may_erase(records: &[Past]) -> Result<(), Problem> {
    if let Some(into) = records.first().and_then(|first| first.record.merged_into) {
        return Err(Problem::rejected(&Refusal::Merged { into }));
    }
    match records.iter().map(|past| &past.record.holds).find(|holds| !holds.is_empty()) {
        Some(holds) => {
            let review_on = holds.values().min().copied().unwrap_or_default();
            Err(Problem::rejected(&Refusal::Held { count: holds.len(), review_on }))
        }
        None => Ok(()),
    }
}

fn erased(name: &str, seen: Position) -> ErasedView {
    ErasedView { name: name.into(), position: seen.0 }
}

fn kept(what: &str, why: &str) -> Kept {
    Kept { what: what.into(), why: why.into() }
}
