//! What a member allows, and the one place that says what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::{ConsentId, LocalDay, sealed::Sealed, text::Text};

/// What personal data is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// To hold the record at all.
    Record,
    /// To get in touch with the member.
    Contact,
    /// To share what a referral needs with the recipient named in the consent.
    Referral,
    /// To count the member in anonymised statistics.
    Statistics,
    /// To use the record for research.
    Research,
}

impl Purpose {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether nothing may be done for it without a consent. The others rest on the organisation's own legal basis
    /// (GDPR Art. 6(1)(f), 9(2)(d)) until the member objects.
    pub fn needs_consent(self) -> bool {
        match self {
            Self::Referral | Self::Research => true,
            Self::Record | Self::Contact | Self::Statistics => false,
        }
    }
}

/// How a consent was given or withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// Signed on paper.
    Written,
    /// Signed or ticked on a screen.
    Electronic,
    /// Said, and noted by staff.
    Verbal,
}

/// A consent as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Given {
    /// Its id.
    pub consent: ConsentId,
    /// To what.
    pub purpose: Purpose,
    /// Which text was agreed to, and in which version, such as `referral-2026-03`.
    pub text: Text<80>,
    /// When.
    pub given_on: Date,
    /// How.
    pub means: Means,
    /// Last day on which it holds; without one until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
    /// Who gets it, what it covers, and what else 42 CFR Part 2 asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Sealed>,
}

/// What a consent to share says besides purpose, text, day and means (42 CFR 2.31(a)); kept sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    /// Who may disclose: a name or a general designation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discloser: Option<Text<200>>,
    /// Who may receive: a name, or a class such as "my treating providers".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Text<200>>,
    /// What may be disclosed, specific and meaningful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub information: Option<Text<500>>,
    /// An event on which it ends, if it is no day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_when: Option<Text<200>>,
    /// Name of who signed, if it was not the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Text<100>>,
}

/// What a member allows and forbids now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Permissions {
    /// Consents given and not withdrawn.
    pub consents: BTreeMap<ConsentId, Given>,
    /// Consents withdrawn, which were given before.
    pub withdrawn: BTreeSet<ConsentId>,
    /// Purposes to which a consent was withdrawn.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub withdrawn_from: BTreeSet<Purpose>,
    /// Purposes that the member objected to (GDPR Art. 21).
    pub objections: BTreeSet<Purpose>,
    /// Whether the record is only kept, and not used (GDPR Art. 18).
    pub restricted: bool,
}

/// Why something may not be done with a member's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Processing is restricted.
    #[error("use of the member's record is restricted: it is only kept")]
    Restricted,
    /// The member objected.
    #[error("the member objected to the purpose {}", .0.as_str())]
    Objected(Purpose),
    /// There is no consent that holds on the day.
    #[error("the member has not consented to the purpose {}", .0.as_str())]
    NoConsent(Purpose),
}

impl Permissions {
    /// Whether the member's data may be used for `purpose` on that day: the one place that says so.
    ///
    /// # Errors
    /// Why it may not.
    pub fn allow(&self, purpose: Purpose, on: &LocalDay) -> Result<(), Denied> {
        match () {
            () if purpose == Purpose::Record => Ok(()),
            () if self.restricted => Err(Denied::Restricted),
            () if self.objections.contains(&purpose) => Err(Denied::Objected(purpose)),
            // It rests on no consent, and whoever takes one back means that it ends.
            () if purpose == Purpose::Contact
                && self.withdrawn_from.contains(&purpose)
                && !self.consented(purpose, on.date()) =>
            {
                Err(Denied::NoConsent(purpose))
            }
            () if purpose.needs_consent() && !self.consented(purpose, on.date()) => Err(Denied::NoConsent(purpose)),
            () => Ok(()),
        }
    }

    fn consented(&self, purpose: Purpose, on: Date) -> bool {
        self.consents.values().any(|given| {
            given.purpose == purpose && given.given_on <= on && given.expires_on.is_none_or(|last| on <= last)
        })
    }
}
