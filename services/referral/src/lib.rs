//! Needs of members, and referrals of them to partners: what is disclosed to whom, how far each has come, and whose turn
//! it is.
//!
//! One operation, one file. What is decided together is one stream for each record of a member
//! ([`domain::referral`]); who is asked is found in the log, never in a view.

mod allow_disclosure;
mod change_need;
mod close_need;
mod draft_referral;
mod export_need;
mod fhir;
mod follow_link;
mod issue_link;
mod lapser;
mod lift_rest;
mod list_partner_referrals;
mod list_referrals;
mod op;
mod open_referral;
mod override_disclosure;
mod preview_referral;
mod queue;
mod reading;
mod record_link_step;
mod record_partner_step;
mod record_referral_step;
mod referral_view;
mod review_override;
mod revoke_link;
mod send_referral;
mod show_referrals;
mod state_need;
mod topics;
mod withdraw_all_disclosures;
mod withdraw_disclosure;

use std::sync::Arc;

use axum::extract::FromRef;
use domain::{
    AttemptId, MemberId, NeedId, OrgId, PartnerId,
    partner::{self, Calendar, Partner},
    protocol::Protocol,
    referral::{self, Actor, By, Referral},
    route::{self, Clocks, Route},
};
use eventlog::{Cause, EventLog, Reply, Streams};
use host::{Built, Context, Host, Members, Need, Page, Task, Views};
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::Vault;
use web::{Answer, Audit, Authenticator, Caller, Guarded, Permitted, Problem, Role};

/// The context: its streams, the vault, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct Referrals {
    authenticator: Authenticator,
    /// Needs and referrals of each record.
    streams: Guarded<Referral>,
    /// Whom a caller reaches.
    members: Members,
    /// Partners, to know where something goes and when they work.
    partners: Streams<Partner>,
    /// Clocks of referrals.
    routes: Streams<Route>,
    /// Who holds the duty seat.
    protocols: Streams<Protocol>,
    /// Keys of members.
    vault: Vault,
    /// Where it is written down who was shown what.
    audit: Audit,
    /// Its view.
    views: Views,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "referral",
    about: "Needs, referrals to partners, consents to disclose, links",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: &[&referral_view::REFERRALS],
    topics: &[&topics::REFERRALS],
    folds: &[],
    pages: &[Page { path: "/r", html: include_str!("link_page.html") }],
    build,
};

fn build(host: &Host) -> Built {
    let referrals = Referrals {
        authenticator: host.authenticator.clone(),
        streams: host.of().into(),
        members: Members::of(host),
        partners: host.of(),
        routes: host.of(),
        protocols: host.of(),
        vault: host.vault().clone(),
        audit: host.audit.clone(),
        views: host.views.clone(),
        log: host.streams.log().clone(),
    };
    let lapser = lapser::Lapser {
        clock: host.authenticator.clock.clone(),
        referrals: host.of(),
        partners: host.of(),
        views: host.views.clone(),
    };
    let tasks = vec![Task::following("referrals", lapser::RHYTHM, move || lapser.clone())];
    host.boards.add(queue::Referrals { views: host.views.clone(), partners: host.of() });
    Built { routes: routes(referrals), tasks, ..Built::default() }
}

/// All operations.
fn routes(referrals: Referrals) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(allow_disclosure::allow_disclosure))
        .routes(routes!(withdraw_disclosure::withdraw_disclosure))
        .routes(routes!(withdraw_all_disclosures::withdraw_all_disclosures))
        .routes(routes!(state_need::state_need))
        .routes(routes!(change_need::change_need))
        .routes(routes!(close_need::close_need))
        .routes(routes!(draft_referral::draft_referral))
        .routes(routes!(preview_referral::preview_referral))
        .routes(routes!(send_referral::send_referral))
        .routes(routes!(override_disclosure::override_disclosure))
        .routes(routes!(review_override::review_override))
        .routes(routes!(record_referral_step::record_referral_step))
        .routes(routes!(lift_rest::lift_rest))
        .routes(routes!(issue_link::issue_link))
        .routes(routes!(revoke_link::revoke_link))
        .routes(routes!(show_referrals::show_referrals))
        .routes(routes!(export_need::export_need))
        .routes(routes!(list_referrals::list_referrals))
        .routes(routes!(list_partner_referrals::list_partner_referrals))
        .routes(routes!(open_referral::open_referral))
        .routes(routes!(record_partner_step::record_partner_step))
        .routes(routes!(follow_link::follow_link))
        .routes(routes!(record_link_step::record_link_step))
        .with_state(referrals)
}

impl Referrals {
    /// Holds callers to members whom they reach, who are there, and of whom something new may begin.
    async fn require_member(&self, caller: &Caller, member: MemberId) -> Result<Permitted<MemberId>, Problem> {
        let (permitted, _) = self.members.require_visible(caller, member).await?;
        self.members.require_changeable(caller, member, false).await?;
        Ok(permitted)
    }

    /// The record of the person under which something goes on: each of their records has needs and referrals of its own.
    /// `vital`: also if the record is only kept.
    ///
    /// # Errors
    /// `unknown`, if none of them has it.
    async fn record_with(
        &self,
        caller: &Caller,
        member: MemberId,
        vital: bool,
        (has, unknown): (impl Fn(&referral::State) -> bool, referral::Refusal),
    ) -> Result<Permitted<MemberId>, Problem> {
        let (permitted, _) = self.members.require_visible(caller, member).await?;
        self.members.require_going_on(caller, member, vital).await?;
        let persons = self.members.persons(&caller.org).await?;
        for record in persons.records(&member) {
            let found = self.streams.look(&caller.org, *record, |known| has(&known.state)).await?;
            if let (true, Some(record)) = (found, permitted.of_person(&persons, *record)) {
                return Ok(record);
            }
        }
        Err(refused(&unknown))
    }

    /// The record of the person that has a referral.
    async fn record_of(
        &self,
        caller: &Caller,
        member: MemberId,
        attempt: AttemptId,
    ) -> Result<Permitted<MemberId>, Problem> {
        self.record_with_attempt(caller, member, attempt, false).await
    }

    /// As [`Self::record_of`]; `vital`: also if the record is only kept.
    async fn record_with_attempt(
        &self,
        caller: &Caller,
        member: MemberId,
        attempt: AttemptId,
        vital: bool,
    ) -> Result<Permitted<MemberId>, Problem> {
        let has = |state: &referral::State| state.attempts.contains_key(&attempt);
        self.record_with(caller, member, vital, (has, referral::Refusal::UnknownAttempt)).await
    }

    /// The record of the person that has a need.
    async fn record_with_need(
        &self,
        caller: &Caller,
        member: MemberId,
        need: NeedId,
    ) -> Result<Permitted<MemberId>, Problem> {
        let has = |state: &referral::State| state.needs.contains_key(&need);
        self.record_with(caller, member, false, (has, referral::Refusal::UnknownNeed)).await
    }

    /// Decides something of a record's needs and referrals.
    async fn decide(
        &self,
        record: &Permitted<MemberId>,
        cause: Cause,
        command: referral::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        Ok(self.streams.transact(record, cause, command, reply).await?)
    }

    /// The service that a referral was drafted to, as one to which somebody can be referred now, and the clocks for it.
    async fn recipient(
        &self,
        org: &OrgId,
        drafted: &referral::Drafted,
    ) -> Result<(partner::Recipient, Clocks), Problem> {
        let (partner, service) = (drafted.partner, drafted.service);
        let find = |known: &partner::State| match known {
            Some(known) => known.recipient(partner, service),
            None => Err(partner::Refusal::Unknown),
        };
        let recipient = self.partners.look(org, partner, |known| find(&known.state)).await?;
        let recipient = recipient.map_err(|refusal| Problem::refused(&refusal))?;
        let clocks = self.routes.look(org, route::stream_id(org), |route| route.state.clocks(partner)).await?;
        Ok((recipient, clocks))
    }

    /// Refuses services that somebody cannot be referred to.
    async fn require_service(&self, org: &OrgId, drafted: &referral::Drafted) -> Result<(), Problem> {
        self.recipient(org, drafted).await.map(|_| ())
    }

    /// When a partner works.
    async fn calendar(&self, org: &OrgId, partner: PartnerId) -> Result<Calendar, Problem> {
        calendar(&self.partners, org, partner).await.map_err(Problem::from)
    }
}

/// When a partner works; one that is not known works always, in UTC.
async fn calendar(
    partners: &Streams<Partner>,
    org: &OrgId,
    partner: PartnerId,
) -> Result<Calendar, eventlog::TransactError<partner::Refusal>> {
    let of = |known: &partner::State| known.as_ref().map(|known| known.details.calendar.clone());
    Ok(partners.look(org, partner, |known| of(&known.state)).await?.unwrap_or_else(Calendar::every_day))
}

/// Who does something, as referrals know them.
fn by(caller: &Caller) -> By {
    let actor = match caller.role {
        Role::Admin | Role::Coordinator => Actor::Coordinator,
        Role::Facilitator => Actor::Facilitator,
        Role::Member => Actor::Member,
        // No operation here is for the others; and as a partner nobody does anything but what was sent to them.
        Role::Partner | Role::Analyst | Role::Auditor => Actor::Partner,
    };
    match caller.link() {
        Ok(linked) => By { actor, subject: None, link: Some(linked.link) },
        Err(_) => By { actor, subject: Some(caller.subject.clone()), link: None },
    }
}

/// A refusal that comes before anything is decided.
fn refused(refusal: &referral::Refusal) -> Problem {
    Problem::refused(refusal)
}
