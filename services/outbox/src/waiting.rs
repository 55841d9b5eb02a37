//! What waits for people who work here: what is theirs in the queue.

use std::collections::BTreeMap;

use domain::{OrgId, Subject, mailbox::Waiting};
use host::{Boards, Urgency};
use web::After;

/// What waits in an organisation, for each whose it is.
pub(crate) async fn waiting(boards: &Boards, org: &OrgId) -> anyhow::Result<BTreeMap<Subject, Waiting>> {
    let read = boards.read(org, After::anything(), |shown| {
        let mut waiting = BTreeMap::<Subject, Waiting>::new();
        for item in &shown.items {
            let Some(owner) = &item.owner else { continue };
            let of = waiting.entry(owner.clone()).or_default();
            of.any = of.any.max(Some(item.since));
            if item.urgency == Urgency::Emergency {
                of.urgent = of.urgent.max(Some(item.since));
            }
        }
        waiting
    });
    let web::Read(_, waiting) = read.await.map_err(|_| anyhow::anyhow!("the queue cannot be read"))?;
    Ok(waiting)
}
