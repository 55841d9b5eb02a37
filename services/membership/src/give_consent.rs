//! Keep a consent.

use axum::extract::State;
use domain::{
    ConsentId, MemberId, Text,
    member::{self, Details, Given, Means, Purpose},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};

/// A consent as it was given.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsent {
    purpose: Purpose,
    /// Which text was agreed to, and in which version, such as `referral-2026-03`.
    text: Text<80>,
    /// When; not after today in the server's time zone.
    given_on: Date,
    means: Means,
    /// Last day on which it holds; without one until it is withdrawn.
    #[serde(default)]
    expires_on: Option<Date>,
    /// Who gets what; a consent to a referral names at least the recipient.
    #[serde(default)]
    #[schema(value_type = Option<Details>)]
    details: Option<Private<Details>>,
}

/// The consent that is kept.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct KeptConsent {
    consent: ConsentId,
}

/// Keep a consent
///
/// What a member allows, for one purpose, by which text, when and how. Who gets what is sealed.
#[utoipa::path(post, path = "/v1/members/{member}/consents", tag = "membership", request_body = NewConsent,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 201, description = "The consent is kept", body = KeptConsent), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn give_consent(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    mut command: Command<op::GiveConsent, NewConsent>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let (permitted, _) = membership.known.require_visible(&command.caller, member).await?;
    let consent = ConsentId(command.new_id("consent"));
    let NewConsent { purpose, text, given_on, means, expires_on, details } = command.body.clone();
    if given_on > membership.today().date() {
        return Err(Problem::malformed("body, at `given_on`: it is in the future"));
    }
    let named = details.as_ref().is_some_and(|details| details.in_clear().recipient.is_some());
    if purpose == Purpose::Referral && !named {
        return Err(Problem::malformed("body, at `details`: a consent to a referral names its recipient"));
    }
    let key = membership.known.key(&org, member).await?;
    command.recognise_by(&key);
    let details = details.map(|details| command.seal(&key, member, SealedAs::Consent, &details));
    let given = Given { consent, purpose, text, given_on, means, expires_on, details };
    let reply = Reply::json(201, &KeptConsent { consent });
    membership.decide(&permitted, command.cause, member::Command::GiveConsent(given), reply).await
}
