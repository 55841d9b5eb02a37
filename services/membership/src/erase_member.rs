//! Erase a member.

use axum::extract::State;
use domain::{DecodeError, MemberId, OrgId, people};
use eventlog::{Position, Recorded, Reply, give_way};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{After, Answer, Command, Nothing, Path, Problem, Problems, Read};

use crate::{Membership, op};

/// Most events of a record that a receipt names, a count.
const EVENTS_MAX: usize = 1_000;

/// What an erasure touched, what is kept and why, with places in the log: this is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Of which organisation.
    pub organisation: OrgId,
    /// Who it was; from now on an id of nobody.
    pub member: MemberId,
    /// Where the log says so.
    pub position: u64,
    /// When this was signed.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRecord {
    /// Whose.
    pub member: MemberId,
    /// How many events it had; unit: event.
    pub event_count: u64,
    /// Where in the log they are, the latest 1,000: what they say of the member is lost.
    pub events: Vec<u64>,
}

/// A view that no longer shows the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What an erasure touched, what is kept and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownErasure {
    /// Of which organisation.
    #[schema(value_type = String)]
    pub organisation: OrgId,
    /// Who it was; from now on an id of nobody.
    pub member: MemberId,
    /// When this was signed.
    pub signed_at: Timestamp,
    /// All records of the person: the member's own first, then those that were merged into it.
    pub records: Vec<ShownRecord>,
    /// Views that no longer show the member.
    pub views: Vec<String>,
    /// Exports that hold the member, and recipients who were sent something: to be told (GDPR Art. 19).
    pub recipients: Vec<String>,
    /// What stays.
    pub kept: Vec<Kept>,
}

/// A record that can no longer be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownRecord {
    /// Whose.
    pub member: MemberId,
    /// How many events it had, whose words about the member are lost; unit: event.
    pub event_count: u64,
}

impl Erasure {
    /// The same without places in the log: they would tell how much others write.
    pub fn shown(&self) -> ShownErasure {
        let Self { organisation, member, signed_at, records, views, recipients, kept, .. } = self.clone();
        let record = |ErasedRecord { member, event_count, .. }| ShownRecord { member, event_count };
        let records = records.into_iter().map(record).collect();
        let views = views.into_iter().map(|view| view.name).collect();
        ShownErasure { organisation, member, signed_at, records, views, recipients, kept }
    }
}

/// What receipts are sealed for.
pub const RECEIPT: &str = "receipt";

/// The erasure, and the same signed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErasureReceipt {
    erasure: ShownErasure,
    /// A JWS by this server, with all places in the log, sealed, behind the organisation: for `kith verify --receipt`.
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
    let permitted = caller.require_member(member, false)?;
    let org = &caller.org;
    let erase = people::Command::Erase(member);
    let Answer(done) = membership.decide_people(&caller, &[&permitted], cause, erase, Reply::DONE).await?;
    // From here on sending the command again goes on where this stopped.
    let records = membership.erased_records(org, member, done.position).await?;
    let (at, mut recipients) = (membership.authenticator.clock.now(), Vec::new());
    for record in &records {
        membership.end_referrals(org, record.member, at).await?;
        recipients.extend(membership.told(org, record.member).await?);
    }
    try_join_all(records.iter().map(|record| membership.vault.erase(org, record.member))).await?;
    let seen = After(done.position).seen_by(&membership.erasures).await?;
    let erasure = Erasure {
        organisation: org.clone(),
        member,
        position: done.position.0,
        signed_at: membership.authenticator.clock.now(),
        records,
        views: membership.forgetting().map(|name| erased(name, seen)).collect(),
        recipients,
        kept: membership.views.all().flat_map(|view| view.keeps).map(|(what, why)| kept(what, why)).collect(),
    };
    let receipt = format!("{org}.{}", caller.seal(RECEIPT, &membership.signer.sign(&erasure))?);
    Ok(Read(seen, ErasureReceipt { erasure: erasure.shown(), receipt }))
}

impl Membership {
    /// What forgets whoever is erased: each view that has anything of members, and the names in memory.
    fn forgetting(&self) -> impl Iterator<Item = &'static str> {
        let views = self.views.all().filter(|view| view.is_of_members()).map(|view| view.name);
        views.chain(["names to search by"])
    }

    /// All records that were erased with this one, and where the log says something of each, before `erased_at`.
    async fn erased_records(
        &self,
        org: &OrgId,
        member: MemberId,
        erased_at: Position,
    ) -> Result<Vec<ErasedRecord>, Problem> {
        let stream = people::stream_id(org);
        let records = self.people.look(org, stream, |people| people.state.erased_by(member)).await?;
        let of_all = self.people.events(org, stream).await?;
        let mut erased = Vec::new();
        for member in records {
            let mut events = self.members.events(org, member).await?;
            for event in &of_all {
                if is_about(event, member).map_err(|error| Problem::internal(&error))? {
                    events.push(event.clone());
                }
                give_way(event.data.len()).await;
            }
            let mut events: Vec<_> = events.iter().map(|event| event.position).collect();
            events.retain(|position| *position < erased_at);
            events.sort_unstable();
            erased.push(ErasedRecord::new(member, &events));
        }
        Ok(erased)
    }
}

/// Whether an event of people says something of this record.
fn is_about(event: &Recorded, member: MemberId) -> Result<bool, DecodeError> {
    let said = event.of::<people::Event>()?;
    Ok(said.is_some_and(|said| said.of_records().iter().any(|(record, _)| *record == member)))
}

impl ErasedRecord {
    fn new(member: MemberId, events: &[Position]) -> Self {
        let latest = events.iter().skip(events.len().saturating_sub(EVENTS_MAX));
        let latest = latest.map(|position| position.0).collect();
        Self { member, event_count: events.len() as u64, events: latest }
    }
}

fn erased(name: &str, seen: Position) -> ErasedView {
    ErasedView { name: name.into(), position: seen.0 }
}

fn kept(what: &str, why: &str) -> Kept {
    Kept { what: what.into(), why: why.into() }
}
