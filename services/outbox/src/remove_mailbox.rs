//! Remove one's own mailbox.

use axum::extract::State;
use domain::mailbox;
use eventlog::Reply;
use web::{Answer, Command, Problem, Problems};

use crate::{Outbox, op};

/// Remove one's own mailbox
///
/// Nothing is written there any more, and the address is forgotten: its key is destroyed.
#[utoipa::path(delete, path = "/v1/mailbox", tag = "outbox", request_body = web::Nothing,
    responses((status = 204, description = "It is forgotten"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn remove_mailbox(
    State(outbox): State<Outbox>,
    command: Command<op::RemoveMailbox>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let mailbox = Outbox::own_mailbox(&caller)?;
    let key = outbox.mailboxes.look(&caller.org, mailbox.id(), |mailbox| mailbox.state.key()).await?;
    let remove = mailbox::Command::Remove(cause.at);
    let answer = outbox.mailboxes.transact(&mailbox, cause, remove, Reply::DONE).await?;
    outbox.forget(&caller.org, key).await?;
    Ok(answer)
}
