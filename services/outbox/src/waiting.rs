//! What waits for people who work here: until the house has queues, concerns that nobody sees to.

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    OrgId, Subject,
    protocol::{self, Protocol},
};
use eventlog::Streams;
use host::Views;
use jiff::Timestamp;

use crate::mail_view;

/// Something that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// For whom.
    pub owner: Subject,
    /// Whether it cannot wait until tomorrow.
    pub urgent: bool,
    /// Since when.
    pub since: Timestamp,
}

/// Whoever knows what waits.
#[async_trait]
pub(crate) trait Waits: Send + Sync + std::fmt::Debug {
    /// All that waits in an organisation, for whomever.
    async fn waiting(&self, org: &OrgId) -> anyhow::Result<Vec<Item>>;
}

/// Concerns: they wait for whoever holds the seat whose duty they are.
#[derive(Debug, Clone)]
pub(crate) struct Concerns {
    pub views: Views,
    pub protocols: Streams<Protocol>,
}

#[async_trait]
impl Waits for Concerns {
    async fn waiting(&self, org: &OrgId) -> anyhow::Result<Vec<Item>> {
        let of = org.clone();
        let concerns = self.views.look(move |connection| mail_view::concerns(connection, &of)).await?;
        let concerns = concerns.context("the views cannot be read")?;
        let items = |protocol: &protocol::State| {
            let item = |(seat, urgent, since)| Some(Item { owner: protocol.holder(seat)?.clone(), urgent, since });
            concerns.into_iter().filter_map(item).collect()
        };
        Ok(self.protocols.look(org, protocol::stream_id(org), |protocol| items(&protocol.state)).await?)
    }
}
