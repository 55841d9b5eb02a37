//! Show one's own mailbox.

use axum::extract::State;
use domain::{MemberId, mailbox::Refusal};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{After, CallerMay, Problem, Problems, Read};

use crate::{Outbox, op};

/// Where somebody who works here can be written to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MailboxView {
    /// The address.
    address: String,
    /// Since when.
    set_at: Timestamp,
    /// Whether the code was said: before, nothing else is sent there.
    confirmed: bool,
    /// With which code of SMTP it was rejected, if it was: then nothing is sent there until it is set again. 553 also if the
    /// mail server takes no such address, such as one with letters beyond ASCII.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<u16>,
    /// E-mails that wait, a count.
    waiting: usize,
    /// When it was last written that there is something to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<Timestamp>,
    /// Whether this server sends e-mail.
    sends_mail: bool,
}

/// Show one's own mailbox
///
/// Where one is written to, whether that was confirmed, and whether it arrives.
#[utoipa::path(get, path = "/v1/mailbox", tag = "outbox",
    responses((status = 200, description = "The mailbox", body = MailboxView), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_mailbox(
    State(outbox): State<Outbox>,
    CallerMay { caller, .. }: CallerMay<op::ShowMailbox>,
    after: After,
) -> Result<Read<MailboxView>, Problem> {
    let (mailbox, position) = (Outbox::own_mailbox(&caller)?, after.seen_by(&outbox.log.head()).await?);
    let known = outbox.mailboxes.look(&caller.org, mailbox.id(), |mailbox| mailbox.state.known.clone()).await?;
    let known = known.ok_or_else(|| Problem::refused(&Refusal::None))?;
    let key = outbox.vault.key(&caller.org, MemberId(known.set.key)).await?;
    let key = key.ok_or_else(|| Problem::refused(&Refusal::None))?;
    let address = key.open(&caller.org, mailbox.id(), SealedAs::Address, &known.set.address);
    let address = address.map_err(|error| Problem::internal(&error))?;
    Ok(Read(
        position,
        MailboxView {
            address: String::from_utf8_lossy(&address).into_owned(),
            set_at: known.set.at,
            confirmed: known.confirmed,
            rejected: known.rejected,
            waiting: usize::from(!known.line.is_empty()),
            told_at: known.told_at,
            sends_mail: outbox.sends_mail,
        },
    ))
}
