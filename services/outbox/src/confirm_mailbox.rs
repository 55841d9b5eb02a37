//! Confirm one's own mailbox.

use axum::extract::State;
use domain::{
    MemberId, Text,
    mailbox::{self, Refusal},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Private, Problem, Problems};

use crate::{Outbox, op};

/// What was sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeBody {
    /// The code.
    #[schema(value_type = String, min_length = 1, max_length = 16, example = "01234567")]
    code: Private<Text<16>>,
}

/// Confirm one's own mailbox
///
/// With the code that was sent there: whoever says it reads what goes there. It is good for a day, and for five tries.
#[utoipa::path(post, path = "/v1/mailbox/confirmation", tag = "outbox", request_body = CodeBody,
    responses((status = 204, description = "It is written to"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn confirm_mailbox(
    State(outbox): State<Outbox>,
    mut command: Command<op::ConfirmMailbox, CodeBody>,
) -> Result<Answer, Problem> {
    let mailbox = Outbox::own_mailbox(&command.caller)?;
    let (org, at) = (command.caller.org.clone(), command.cause.at);
    let known = outbox.mailboxes.look(&org, mailbox.id(), |mailbox| mailbox.state.known.clone()).await?;
    let known = known.ok_or_else(|| Problem::refused(&Refusal::None))?;
    let key = outbox.vault.key(&org, MemberId(known.set.key)).await?;
    let key = key.ok_or_else(|| Problem::refused(&Refusal::None))?;
    command.recognise_by(&key);
    let code = key.open(&org, mailbox.id(), SealedAs::Code, &known.set.code);
    let code = code.map_err(|error| Problem::internal(&error))?;
    // By digests, so that it takes as long wherever they differ.
    let said = key.digest(command.body.code.in_clear().as_str().as_bytes());
    if key.digest(&code) == said {
        let confirm = mailbox::Command::Confirm { key: known.set.key, right: true, at };
        return Ok(outbox.mailboxes.transact(&mailbox, command.cause, confirm, Reply::DONE).await?);
    }
    // It counts whenever it is said, also by the same command again.
    let refused = mailbox::Command::Confirm { key: known.set.key, right: false, at };
    outbox.mailboxes.transact(&mailbox, command.cause.part(), refused, Reply::DONE).await?;
    Err(Problem::refused(&Refusal::WrongCode))
}
