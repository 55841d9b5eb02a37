//! What a member allows to be told to whom: the consents on which referrals rest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use super::vocabulary::By;
use crate::{
    ConsentId, PartnerId,
    member::Means,
    partner::{Address, Item},
    sealed::Sealed,
    text::Text,
};

/// Most consents to disclose of one record, also such as were withdrawn, a count.
pub const CONSENTS_MAX: usize = 200;
/// Most partners that one consent names, a count.
pub const RECIPIENTS_MAX: usize = 32;

/// Which law says what has to be in a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ConsentLaw)]
pub enum Law {
    /// 42 CFR Part 2: records of treatment for substance use.
    Part2,
    /// The GDPR.
    Gdpr,
}

/// Something that a consent says, or the person was told with it (42 CFR 2.31(a); GDPR Art. 4(11), 7, 9(2)(a)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ConsentElement)]
pub enum Element {
    /// Whom it is about.
    Subject,
    /// Who discloses.
    Discloser,
    /// What, specific and meaningful.
    Information,
    /// To whom.
    Recipient,
    /// The intermediary, and to whom it passes things on.
    Intermediary,
    /// That a recipient who is bound by HIPAA may disclose further, and what not.
    Redisclosure,
    /// What for.
    Purpose,
    /// That it can be withdrawn, and how.
    Revocation,
    /// When it ends, or that it does not.
    End,
    /// Who signed, and when.
    Signature,
    /// What follows if it is not given.
    Refusal,
}

impl Law {
    /// The notice that goes with each disclosure (42 CFR 2.32(a)(2); GDPR Art. 5(1)(b) and 7(3)).
    pub fn notice(self) -> &'static str {
        match self {
            Self::Part2 => "42 CFR part 2 prohibits unauthorized use or disclosure of these records.",
            Self::Gdpr => {
                "The person agreed that you read this for this referral only, and can withdraw that at any time: do not \
                 use it for anything else, and do not pass it on."
            }
        }
    }

    /// What a consent has to say, if it goes to an intermediary or not.
    pub fn elements(self, intermediary: bool) -> BTreeSet<Element> {
        use Element::{Discloser, End, Information, Intermediary, Purpose, Recipient, Revocation, Signature, Subject};
        let common = [Subject, Discloser, Information, Recipient, Purpose, Revocation, Signature];
        // The GDPR limits storage, and asks for no end in the consent.
        let end = (self == Self::Part2).then_some(End);
        common.into_iter().chain(end).chain(intermediary.then_some(Intermediary)).collect()
    }
}

/// A member allowed that partners are told something about them, to be helped there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowed {
    /// Which consent.
    pub consent: ConsentId,
    /// The consent in the member's own stream that was entered anew, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<ConsentId>,
    /// By which law.
    pub law: Law,
    /// To which partners, at most [`RECIPIENTS_MAX`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partners: BTreeSet<PartnerId>,
    /// Whether to all partners that treat the member ("my treating providers").
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub treating: bool,
    /// What, item by item.
    pub items: BTreeSet<Item>,
    /// From when on.
    pub from: Timestamp,
    /// At which instant it ends; without one, when it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Which text was agreed to, and in which version, such as `referral-2026-03`.
    pub text: Text<80>,
    /// How.
    pub means: Means,
    /// What it says, and what the person was told.
    pub elements: BTreeSet<Element>,
    /// Its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Sealed>,
    /// Who took it down.
    pub by: By,
}

impl Allowed {
    /// Whether it allows that the recipient is told this, at this instant; whether it was withdrawn is known elsewhere.
    pub fn covers(&self, to: &Address, item: Item, at: Timestamp) -> bool {
        let in_force = self.from <= at && self.until.is_none_or(|until| at < until);
        in_force && self.is_about(to) && self.items.contains(&item)
    }

    /// Whether it names the recipient, or is for such as it. An intermediary has to be named, and the consent has to say
    /// so (2.31(a)(4)(ii)).
    pub fn is_about(&self, to: &Address) -> bool {
        let says_so = !to.intermediary || self.elements.contains(&Element::Intermediary);
        let is_meant = self.partners.contains(&to.partner) || (self.treating && to.treats && !to.intermediary);
        says_so && is_meant
    }

    /// What it would have to say and does not.
    pub fn missing(&self) -> BTreeSet<Element> {
        self.law.elements(false).difference(&self.elements).copied().collect()
    }
}

/// Consents do not allow anything any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// Which.
    pub consents: BTreeSet<ConsentId>,
    /// Why.
    pub why: Closing,
    /// When.
    pub at: Timestamp,
    /// How it was said, if somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<Means>,
    /// By whom.
    pub by: By,
}

/// Why nothing may be disclosed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = DisclosureClosing)]
pub enum Closing {
    /// The member withdrew it.
    Withdrawn,
    /// Its time is over.
    Expired,
    /// It was disclosed without consent, and that time is over.
    OverrideEnded,
    /// It was disclosed without consent, and somebody found that it was not right.
    OverrideUnjustified,
}

/// On what a disclosure rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// For each item, the consent that allowed it when it was sent.
    Consent(std::collections::BTreeMap<Item, ConsentId>),
    /// Somebody decided it without consent.
    Override {
        /// What is told.
        items: BTreeSet<Item>,
        /// Until when.
        until: Timestamp,
    },
}

impl Basis {
    /// What is told.
    pub fn items(&self) -> Vec<Item> {
        match self {
            Self::Consent(clauses) => clauses.keys().copied().collect(),
            Self::Override { items, .. } => items.iter().copied().collect(),
        }
    }
}
