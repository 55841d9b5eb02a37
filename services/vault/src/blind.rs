//! The blind index: digests by which two records of one person are recognised without either being opened.

use domain::{
    MemberId, OrgId,
    member::{Field, Fields, Profile},
};

use crate::{Key, SealError, open_profile};

/// A digest of something that hardly two people share, made with a key of the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blind(pub(crate) [u8; 32]);

impl Blind {
    /// All that follow from a member's sealed fields: the index that they must have.
    ///
    /// # Errors
    /// If a field does not open.
    pub fn implied(
        (key, org_key): (&Key, &Key),
        org: &OrgId,
        member: MemberId,
        fields: &Fields,
    ) -> Result<Vec<Self>, SealError> {
        Ok(Self::all(org_key, &open_profile(key, org, member.0, fields, Field::ALL)?))
    }

    /// All of a profile: e-mail address, telephone number, each external id, full name with year of birth.
    pub fn all(org_key: &Key, profile: &Profile) -> Vec<Self> {
        let of = |kind: &str, value: String| Self(org_key.digest(format!("{kind}\0{value}").as_bytes()));
        let mut all = Vec::new();
        if let Some(email) = &profile.email {
            all.push(of("email", plain(email.as_str())));
        }
        if let Some(phone) = &profile.phone {
            all.push(of("phone", phone.as_str().chars().filter(char::is_ascii_digit).collect()));
        }
        for id in profile.external_ids.iter().flatten() {
            all.push(of("external", format!("{}\0{}", plain(id.system.as_str()), id.value.as_str())));
        }
        if let (Some(given), Some(family), Some(year)) =
            (&profile.given_name, &profile.family_name, profile.year_of_birth)
        {
            all.push(of("name", format!("{}\0{}\0{year}", plain(given.as_str()), plain(family.as_str()))));
        }
        all
    }
}

/// Lower case, single spaces.
fn plain(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
