//! What a partner reads of a member: made to be previewed and sent, opened to be read.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AttemptId, ConsentId, MemberId, OrgId,
    member::Profile,
    partner::{Item, Recipient},
    referral::{self, Attempt, Basis, Digest, Need, NeedWords, Projection, Sent, Standing},
    route::Clocks,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::ToSchema;
use vault::{Key, SealedAs, open_profile};
use web::{Permitted, Problem};

use crate::{Referrals, refused};

/// What is to be told.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Which items; if they are not given, all that the service may receive.
    #[serde(default)]
    pub items: Option<BTreeSet<Item>>,
    /// Whether it is to be told without the member's consent, which the holder of the duty seat decides: then `items` say
    /// what.
    #[serde(default)]
    pub without_consent: bool,
}

/// Why something is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LeftOut {
    /// No consent in force allows it.
    NoConsent,
    /// The service may not receive it.
    NotForService,
    /// Nothing is known.
    Unknown,
}

/// What a partner would read now.
pub(crate) struct Told {
    pub projection: Projection,
    /// By which consent each item.
    pub clauses: BTreeMap<Item, ConsentId>,
    /// What was asked for and would not be told.
    pub left_out: BTreeMap<Item, LeftOut>,
    pub recipient: Recipient,
    pub clocks: Clocks,
    /// The key of the record.
    pub key: Key,
}

impl Told {
    /// Digest of what would be read, which says nothing to anyone without the member's key.
    pub fn preview(&self, attempt: AttemptId) -> Digest {
        let digest = self.key.digest(&[attempt.0.as_bytes().as_slice(), &self.projection.bytes()].concat());
        digest.into()
    }

    pub fn items(&self) -> BTreeSet<Item> {
        self.projection.0.keys().copied().collect()
    }
}

impl Referrals {
    /// What a partner would read by a referral if it were sent now.
    pub async fn told(
        &self,
        record: &Permitted<MemberId>,
        attempt: AttemptId,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Told, Problem> {
        let org = record.org();
        let find = |state: &referral::State| {
            let attempt: &Attempt = state.attempt(attempt)?;
            let need: &Need = state.needs.get(&attempt.drafted.need).ok_or(referral::Refusal::UnknownNeed)?;
            Ok((attempt.drafted.clone(), need.stated.clone()))
        };
        let found = self.streams.look(org, record.id(), |known| find(&known.state)).await?;
        let (drafted, stated) = found.map_err(|refusal| refused(&refusal))?;
        let (recipient, clocks) = self.recipient(org, &drafted).await?;
        let clause = |state: &referral::State| {
            let of = |item: &Item| Some((*item, state.clause(recipient.address(), *item, now)?));
            Item::VARIANTS.iter().filter_map(of).collect::<BTreeMap<_, _>>()
        };
        let clauses = self.streams.look(org, record.id(), |known| clause(&known.state)).await?;
        let wanted = match (&asked.items, asked.without_consent) {
            (Some(items), _) => items.clone(),
            (None, false) => recipient.may_receive().clone(),
            (None, true) => return Err(Problem::malformed("body, at `items`: without consent, say which items")),
        };
        let mut left_out = BTreeMap::new();
        for item in &wanted {
            if !asked.without_consent && !clauses.contains_key(item) {
                left_out.insert(*item, LeftOut::NoConsent);
            } else if !recipient.may_receive().contains(item) {
                left_out.insert(*item, LeftOut::NotForService);
            }
        }
        let told: Vec<Item> = wanted.iter().filter(|item| !left_out.contains_key(item)).copied().collect();
        let key = self.members.key(org, record.id()).await?;
        let words: NeedWords = open(&key, org, stated.need, SealedAs::Need, &stated.says)?;
        let profile = self.profile(org, record.id(), &told).await?;
        let projection =
            Projection::new(told.iter().copied(), &profile, &words).map_err(|refusal| refused(&refusal))?;
        left_out
            .extend(told.iter().filter(|item| !projection.0.contains_key(item)).map(|item| (*item, LeftOut::Unknown)));
        Ok(Told { projection, clauses, left_out, recipient, clocks, key })
    }

    /// Those fields of the person's profile that the items are, as it is now.
    async fn profile(&self, org: &OrgId, record: MemberId, items: &[Item]) -> Result<Profile, Problem> {
        let fields: Vec<_> = items.iter().filter_map(|item| item.field()).collect();
        let there = self.members.there(org, record).await?;
        let (person, known) = there.ok_or_else(|| Problem::refused(&domain::member::Refusal::Unknown))?;
        let key = self.vault.key_beside(org, person, &known.fields).await?;
        open_profile(&key, org, person.0, &known.fields, &fields).map_err(|error| Problem::internal(&error))
    }

    /// Whether the holder of the organisation's duty seat calls.
    pub async fn holds_duty_seat(&self, caller: &web::Caller) -> Result<bool, Problem> {
        use domain::protocol::{self, Seat};
        // A program holds no seat, whatever was entered.
        let somebody = !caller.subject.is_of_key();
        let holds = |state: &protocol::State| somebody && state.holder(Seat::Organisation) == Some(&caller.subject);
        let id = protocol::stream_id(&caller.org);
        Ok(self.protocols.look(&caller.org, id, |protocol| holds(&protocol.state)).await?)
    }
}

/// A consent as it is described to whoever is told something because of it (42 CFR 2.32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DescribedConsent {
    /// Which text was agreed to.
    pub text: String,
    pub from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a partner reads, with what goes with it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Disclosed {
    /// What is told of the member, item by item.
    pub items: Projection,
    /// What has to be said with it.
    pub notices: Vec<&'static str>,
    /// The consents by which it is told.
    pub consents: Vec<DescribedConsent>,
}

/// What is sealed of what a partner may read at this instant, and what goes with it.
pub(crate) struct Sealed {
    pub sent: Sent,
    notices: Vec<&'static str>,
    consents: Vec<DescribedConsent>,
}

/// What a partner may read at this instant.
///
/// # Errors
/// As [`referral::State::open_to_partner`].
pub(crate) fn sealed(
    state: &referral::State,
    attempt: AttemptId,
    standing: Standing,
    now: Timestamp,
) -> Result<Sealed, referral::Refusal> {
    let sent = state.open_to_partner(attempt, standing, now)?.clone();
    let clauses: BTreeSet<ConsentId> = match &sent.basis {
        Basis::Consent(clauses) => clauses.values().copied().collect(),
        Basis::Override { .. } => BTreeSet::new(),
    };
    let consents: Vec<_> = clauses.iter().filter_map(|consent| state.consents.get(consent)).collect();
    let mut notices: Vec<_> = consents.iter().map(|consent| consent.law.notice()).collect();
    if notices.is_empty() {
        notices.push(referral::Law::Part2.notice());
    }
    notices.sort_unstable();
    notices.dedup();
    let described = consents.iter().map(|consent| DescribedConsent {
        text: consent.text.to_string(),
        from: consent.from,
        until: consent.until,
    });
    Ok(Sealed { notices, consents: described.collect(), sent })
}

impl Sealed {
    /// The same, opened with the member's key.
    pub fn open(self, key: &Key, org: &OrgId) -> Result<Disclosed, Problem> {
        let items = open(key, org, self.sent.attempt, SealedAs::Projection, &self.sent.projection)?;
        Ok(Disclosed { items, notices: self.notices, consents: self.consents })
    }
}

/// What was sealed with the key.
///
/// # Errors
/// 500 if it does not open.
fn open<T: serde::de::DeserializeOwned>(
    key: &Key,
    org: &OrgId,
    of: impl Into<uuid::Uuid>,
    what: SealedAs,
    sealed: &domain::Sealed,
) -> Result<T, Problem> {
    let opened = key.open(org, of.into(), what, sealed).map_err(|error| Problem::internal(&error))?;
    // The parser's words could hold what it could not read.
    serde_json::from_slice(&opened).map_err(|_| Problem::internal(&"what was sealed cannot be read"))
}
