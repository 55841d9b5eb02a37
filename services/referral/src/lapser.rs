//! Does to referrals what time alone does: ends those of which consent has ended, and those that nobody answered.
//!
//! The view says of which it may be time, the log whether it is.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    OrgId, PartnerId,
    partner::{Calendar, Partner},
    referral::{self, Referral},
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Follower, Rhythm, Views};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;
use web::Clock;

use crate::{
    calendar,
    referral_view::{self, REFERRALS},
};

/// What has ended is closed by its next read at the latest; the event follows within this. All that waits is looked at
/// each time, so not whenever something is said.
pub(crate) const RHYTHM: Rhythm = Rhythm {
    pause: Duration::from_secs(5),
    every: Some(Duration::from_secs(20)),
    again_after: Duration::from_secs(20),
};

/// Who sees to what time does.
#[derive(Debug, Clone)]
pub(crate) struct Lapser {
    pub clock: Clock,
    pub referrals: Streams<Referral>,
    pub partners: Streams<Partner>,
    pub views: Views,
}

#[async_trait]
impl Follower for Lapser {
    fn position(&self) -> watch::Receiver<Position> {
        self.views.changed(&REFERRALS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let now = self.clock.now();
        let ended = self.views.look(move |connection| referral_view::that_end(connection, now)).await?;
        for (org, member) in ended.context("nothing ends by itself, because the views cannot be read")? {
            let id = Uuid::new_v5(&member.0, format!("expired {org} {now}").as_bytes());
            self.decide(&org, member.0, id, now, referral::Command::Expire(now)).await?;
        }
        let waiting = self.views.look(referral_view::that_lapse).await?;
        let mut calendars: HashMap<(OrgId, PartnerId), Calendar> = HashMap::new();
        for (org, member, attempt) in waiting.context("nothing lapses, because the views cannot be read")? {
            let of = (org.clone(), attempt.drafted.partner);
            if !calendars.contains_key(&of) {
                calendars.insert(of.clone(), calendar(&self.partners, &org, of.1).await?);
            }
            let calendar = &calendars[&of];
            if attempt.lapse(calendar).is_some_and(|(from, _)| from <= now) {
                let (attempt, calendar) = (attempt.drafted.attempt, calendar.clone());
                let id = Uuid::new_v5(&attempt.0, format!("lapsed {org} {now}").as_bytes());
                let lapse = referral::Command::Lapse { attempt, calendar, at: now };
                self.decide(&org, member.0, id, now, lapse).await?;
            }
        }
        Ok(())
    }
}

impl Lapser {
    async fn decide(
        &self,
        org: &OrgId,
        member: Uuid,
        id: Uuid,
        now: Timestamp,
        command: referral::Command,
    ) -> anyhow::Result<()> {
        let cause = Cause::of_process("referrals", id, now);
        match self.referrals.transact(org, member, cause, command, Reply::DONE).await {
            // What the view says may be past.
            Ok(_) | Err(TransactError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
