//! Set one's own mailbox.

use axum::extract::State;
use domain::{
    MemberId, MessageId, Text,
    mailbox::{self, Set},
};
use eventlog::{Reply, TransactError};
use serde::Deserialize;
use utoipa::ToSchema;
use vault::{SealedAs, VaultError};
use web::{Answer, Command, Private, Problem, Problems};

use crate::{Outbox, mail_server::is_address, op, random::code};

/// Where somebody who works here can be written to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailboxBody {
    /// An e-mail address. Kept sealed, with a key of its own.
    #[schema(value_type = String, min_length = 3, max_length = 254, example = "staff@example.org")]
    address: Private<Text<254>>,
}

/// Set one's own mailbox
///
/// Sends a code there, and nothing else until it was said (`POST /v1/mailbox/confirmation`). Another mailbox that was set
/// before is forgotten. At most five codes are sent within a day.
#[utoipa::path(put, path = "/v1/mailbox", tag = "outbox", request_body = MailboxBody,
    responses((status = 204, description = "A code is sent there"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn set_mailbox(
    State(outbox): State<Outbox>,
    mut command: Command<op::SetMailbox, MailboxBody>,
) -> Result<Answer, Problem> {
    let mailbox = Outbox::own_mailbox(&command.caller)?;
    if !outbox.sends_mail {
        return Err(Problem::refused(&mailbox::Refusal::NoMail));
    }
    let MailboxBody { address } = command.body.clone();
    if !is_address(address.in_clear().as_str()) {
        return Err(Problem::malformed("address must be an e-mail address such as staff@example.org"));
    }
    let (org, at) = (command.caller.org.clone(), command.cause.at);
    let key = MemberId(command.new_id("mailbox key"));
    let sealing = match outbox.vault.key_or_new(&org, key).await {
        // This very command was done, and what it set is no more.
        Err(VaultError::Erased) => return Err(Problem::refused(&mailbox::Refusal::None)),
        sealing => sealing?,
    };
    let address = command.seal(&sealing, mailbox.id(), SealedAs::Address, &address);
    let code = sealing.seal(&org, mailbox.id(), SealedAs::Code, code(outbox.new_secret).as_bytes());
    let (message, subject) = (MessageId(command.new_id("code")), command.caller.subject.clone());
    let set = Set { subject, key: key.0, address, code, message, at };
    let before = outbox.mailboxes.look(&org, mailbox.id(), |mailbox| mailbox.state.key()).await?;
    let set = mailbox::Command::Set(set);
    let answer = match outbox.mailboxes.transact(&mailbox, command.cause, set, Reply::DONE).await {
        Err(TransactError::Refused(refusal)) => {
            // Nothing is sealed with it.
            outbox.forget(&org, Some(key).filter(|key| before != Some(*key))).await?;
            return Err(Problem::refused(&refusal));
        }
        answer => answer?,
    };
    outbox.forget(&org, before.filter(|before| *before != key)).await?;
    Ok(answer)
}
