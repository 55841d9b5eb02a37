//! Keep a consent to disclose.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    ConsentId, MemberId, PartnerId, Text,
    member::{Details, Means},
    partner::{self, Item},
    referral::{self, Allowed, Element, Law},
};
use eventlog::Reply;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// What a member allows partners to be told.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDisclosure {
    /// By which law the consent is given.
    law: Law,
    /// To which partners, at most 32.
    #[serde(default)]
    partners: BTreeSet<PartnerId>,
    /// To all partners that treat the member.
    #[serde(default)]
    treating: bool,
    /// What, item by item.
    items: BTreeSet<Item>,
    /// From when on; from now on, if it is not given.
    #[serde(default)]
    from: Option<Timestamp>,
    /// At which instant it ends; without one, when it is withdrawn.
    #[serde(default)]
    until: Option<Timestamp>,
    /// Which text was agreed to, and in which version, such as `referral-2026-03`.
    text: Text<80>,
    means: Means,
    /// What that text says, and what the person was told.
    elements: BTreeSet<Element>,
    /// A consent to referrals in the member's record in whose place it is, if it is.
    #[serde(default)]
    takes_over: Option<ConsentId>,
    /// In words. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Details>)]
    details: Option<Private<Details>>,
}

/// The consent that is kept.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct KeptDisclosure {
    consent: ConsentId,
}

/// Keep a consent to disclose
///
/// Which items of a member's profile and needs which partners may be told. Nothing is sent without one; withdrawing it
/// ends what rests on it.
#[utoipa::path(post, path = "/v1/members/{member}/disclosures", tag = "referrals", request_body = NewDisclosure,
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 201, description = "The consent is kept", body = KeptDisclosure), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn allow_disclosure(
    State(referrals): State<Referrals>,
    Path(member): Path<MemberId>,
    mut command: Command<op::AllowDisclosure, NewDisclosure>,
) -> Result<Answer, Problem> {
    let permitted = referrals.require_member(&command.caller, member).await?;
    let key = referrals.members.key(permitted.org(), member).await?;
    let consent = ConsentId(command.new_id("disclosure"));
    let body = command.body.clone();
    let details = body.details.map(|details| command.seal(&key, consent, SealedAs::Consent, &details));
    for partner in &body.partners {
        let there = referrals.partners.look(permitted.org(), *partner, |known| known.state.is_some()).await?;
        if !there {
            return Err(Problem::refused(&partner::Refusal::Unknown));
        }
    }
    let allowed = Allowed {
        consent,
        takes_over: body.takes_over,
        law: body.law,
        partners: body.partners,
        treating: body.treating,
        items: body.items,
        from: body.from.unwrap_or(command.cause.at),
        until: body.until,
        text: body.text,
        means: body.means,
        elements: body.elements,
        details,
        by: by(&command.caller),
    };
    let reply = Reply::json(201, &KeptDisclosure { consent });
    referrals.decide(&permitted, command.cause, referral::Command::Allow(allowed), reply).await
}
