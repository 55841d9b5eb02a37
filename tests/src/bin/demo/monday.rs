//! A coordinator's Monday morning: the queue by kind, what resolves each, and whether its counts are what is known.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use tests::simulation::{CareTruth, Group};

use super::{Show, referrals::Referred, step};

/// Items of which a line is printed, a count.
const SHOWN: usize = 3;

/// A kind of item, as the queue counts it.
#[derive(Debug, Deserialize)]
struct Counted {
    kind: String,
    items: usize,
    overdue: usize,
}

impl Show<'_> {
    /// Shows the queue; answers rows compared, and where it says something else than is known.
    pub(super) async fn monday(
        &self,
        care: &CareTruth,
        (groups, referred): (&[Group], &Referred),
        position: u64,
    ) -> anyhow::Result<(usize, Vec<String>)> {
        step("Monday morning: what there is to do");
        let page = loop {
            let page = self.read(&mut self.client(), "/v1/queue?limit=1", position).await?.json();
            if page["counting"].is_null() {
                break page;
            }
        };
        let kinds = Vec::<Counted>::deserialize(&page["kinds"])?;
        for Counted { kind, items, overdue } in &kinds {
            let path = format!("/v1/queue?kind={kind}&limit={SHOWN}");
            let first = self.read(&mut self.client(), &path, position).await?.json()["items"][0].take();
            let resolves: Vec<_> =
                first["resolved_by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            println!("    {items:>5}  {kind}, {overdue} overdue: {}", first["why"].as_str().unwrap_or_default());
            println!("           resolved by {}", resolves.join(" or "));
        }
        let counted: BTreeMap<_, _> = kinds.into_iter().map(|kind| (kind.kind, kind.items)).collect();
        let known = self.known(care, (groups, referred), position).await?;
        let differences = known.iter().filter_map(|(kind, expected)| {
            let found = counted.get(*kind).copied().unwrap_or_default();
            (found != *expected).then(|| format!("{found} of {kind} are in the queue, but there are {expected}"))
        });
        Ok((known.len(), differences.collect()))
    }

    /// How many items there must be: as the simulation knows, or as the lists of each group add up to.
    async fn known(
        &self,
        care: &CareTruth,
        (groups, referred): (&[Group], &Referred),
        position: u64,
    ) -> anyhow::Result<BTreeMap<&'static str, usize>> {
        let raised = care.in_danger + care.danger_unknown;
        let (mut lapsed, mut missed) = (0, 0);
        let mut client = self.client();
        for Group { id, .. } in groups {
            let signs = self.read(&mut client, &format!("/v1/groups/{id}/vitality"), position).await?.json();
            lapsed += signs["lapsed"]["numbers"]["members"].as_array().context("who has lapsed")?.len();
            let due = self.read(&mut client, &format!("/v1/groups/{id}/check-ins-due"), position).await?.json();
            let due = due["items"].as_array().context("what is due")?;
            missed += due.iter().filter(|line| line["progress"] == "missed").count();
        }
        let overdue: Vec<Value> = self.list("/v1/overdue-registers?", position).await?;
        Ok(BTreeMap::from([
            ("concern_to_acknowledge", raised.div_ceil(super::care::WAITS)),
            ("concern_to_resolve", 0),
            ("withdrawal_unacknowledged", referred.withdrawn()),
            ("referral_to_send", 0),
            ("override_to_review", 0),
            ("enrolment_unconfirmed", 0),
            ("glass_to_review", 0),
            ("register_not_reported", overdue.len()),
            ("member_lapsed", lapsed),
            ("check_in_missed", missed),
        ]))
    }
}
