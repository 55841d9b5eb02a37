//! The blind index follows from the log: by what a member is found, and how that is made so again.

use domain::{MemberId, OrgId, member::Fields};
use vault::{Blind, VaultError};
use web::Problem;

use crate::Membership;

impl Membership {
    /// Lets a member be found by what the log says of them now, and by nothing else: whoever it does not know, or who was
    /// erased, by nothing.
    ///
    /// # Errors
    /// If log or vault do not answer, or the record does not open; then what was there stays.
    pub async fn index(&self, org: &OrgId, member: MemberId) -> Result<(), Problem> {
        let look = self.members.look(org, member, |member| {
            (member.state.record().map(|record| record.fields.clone()).unwrap_or_default(), member.position.0)
        });
        let (fields, position) = look.await?;
        let blinds = self.implied(org, member, &fields).await?;
        match self.vault.index(org, member, position, blinds).await {
            Ok(()) | Err(VaultError::Erased) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What a member with these fields is found by.
    async fn implied(&self, org: &OrgId, member: MemberId, fields: &Fields) -> Result<Vec<Blind>, Problem> {
        if fields.is_empty() {
            return Ok(vec![]);
        }
        let key = match self.vault.key(org, member).await {
            Err(VaultError::Erased) => return Ok(vec![]),
            key => key?.ok_or(VaultError::Missing(member))?,
        };
        let implied =
            Blind::implied((&key, &self.vault.org_key(org).await?, self.vault.country()), org, member, fields);
        implied.map_err(|error| Problem::internal(&format!("member {member} of {org}: {error}")))
    }
}
