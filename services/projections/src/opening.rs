//! Opening personal data: for those who may see it, and never without writing it down.

use std::collections::{BTreeSet, HashMap};

use domain::{
    MemberId,
    member::{Field, Fields, Profile, Purpose, Record},
};
use vault::open_profile;
use web::{Caller, Problem, Role, readable};

use crate::Projections;

/// What a member is called in a list.
pub(crate) const CALLED: &[Field] = &[Field::Alias, Field::GivenName];
/// How a member can be reached.
const CONTACT: &[Field] = &[Field::Email, Field::Phone, Field::PostalAddress];

/// What a caller may see of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub fields: Vec<Field>,
    /// Whether only broken glass allows it.
    pub glass: bool,
}

impl Projections {
    /// What the caller may see of a member whom they may see; with broken glass, all of it.
    pub(crate) fn sight(&self, caller: &Caller, record: &Record) -> Sight {
        let glass = self.glass(caller, record);
        let fields = if glass { Field::ALL } else { readable(caller.role) };
        let contact = caller.role == Role::Member || record.permissions.allow(Purpose::Contact, self.today()).is_ok();
        let fields = fields.iter().filter(|field| contact || !CONTACT.contains(field)).copied().collect();
        Sight { fields, glass }
    }

    /// Whether the caller broke the glass and may still look.
    pub(crate) fn glass(&self, caller: &Caller, record: &Record) -> bool {
        record.glass_open_for(&caller.subject, self.gate.clock.now())
    }

    /// Opens one member's fields for the caller.
    pub(crate) async fn open(
        &self,
        caller: &Caller,
        operation: &'static str,
        member: MemberId,
        record: &Record,
        Sight { fields, glass }: Sight,
    ) -> Result<Profile, Problem> {
        let sealed = vec![(member, record.fields.clone())];
        let mut opened = self.open_all(caller, operation, sealed, &fields, glass).await?;
        Ok(opened.remove(&member).unwrap_or_default())
    }

    /// What members are called, of those of whom it is known and for callers who may see it.
    pub(crate) async fn called(
        &self,
        caller: &Caller,
        operation: &'static str,
        sealed: Vec<(MemberId, Fields)>,
    ) -> Result<HashMap<MemberId, String>, Problem> {
        let wanted: Vec<_> = readable(caller.role).iter().filter(|field| CALLED.contains(field)).copied().collect();
        let opened = self.open_all(caller, operation, sealed, &wanted, false).await?;
        let names = opened.into_iter().filter_map(|(member, profile)| Some((member, profile.called()?.to_owned())));
        Ok(names.collect())
    }

    /// Opens the `wanted` fields of many members for the caller.
    pub(crate) async fn open_all(
        &self,
        caller: &Caller,
        operation: &'static str,
        sealed: Vec<(MemberId, Fields)>,
        wanted: &[Field],
        glass: bool,
    ) -> Result<HashMap<MemberId, Profile>, Problem> {
        let opened_fields: BTreeSet<Field> = sealed
            .iter()
            .flat_map(|(_, fields)| fields.keys())
            .filter(|field| wanted.contains(field))
            .copied()
            .collect();
        if opened_fields.is_empty() {
            return Ok(HashMap::new());
        }
        let opened = self.unsealed(caller, sealed, wanted).await?;
        let mut members: Vec<_> = opened.keys().copied().collect();
        members.sort_unstable();
        let fields: Vec<_> = opened_fields.into_iter().collect();
        self.personal.audit.opened(caller, operation, &members, &fields, glass).await?;
        Ok(opened)
    }

    /// Opens without writing it down: for what goes to nobody.
    pub(crate) async fn unsealed(
        &self,
        caller: &Caller,
        sealed: Vec<(MemberId, Fields)>,
        wanted: &[Field],
    ) -> Result<HashMap<MemberId, Profile>, Problem> {
        let ids: Vec<_> = sealed.iter().map(|(member, _)| *member).collect();
        let keys: HashMap<_, _> = self.personal.vault.keys(&caller.org, &ids).await?.into_iter().collect();
        let mut opened = HashMap::with_capacity(sealed.len());
        for (member, fields) in sealed {
            // Without a key: erased since the view was read.
            let Some(key) = keys.get(&member) else { continue };
            let profile = open_profile(key, &caller.org, member.0, &fields, wanted);
            opened.insert(member, profile.map_err(|error| Problem::internal(&error))?);
        }
        Ok(opened)
    }
}
