//! Showing members: to those who may see them, and never without writing it down.

use std::collections::{BTreeSet, HashMap};

use domain::{
    MemberId,
    audit::List,
    member::{Field, Fields, Profile},
};
use eventlog::Position;
use vault::open_profile;
use web::{Caller, Opening, Problem, readable};

use crate::Projections;

/// What a member is called in a list.
const CALLED: &[Field] = &[Field::Alias, Field::GivenName];
/// Most profiles that are opened where requests are served, a count; more take long enough to be opened elsewhere.
const OPENED_HERE_MAX: usize = 8;

/// An answer that shows members.
#[derive(Debug, Clone)]
pub(crate) struct Look<'a> {
    pub caller: &'a Caller,
    pub operation: &'static str,
    /// Which list it is, if it is one.
    pub list: Option<List>,
    /// Up to where in the log it is shown.
    pub at: Position,
    /// All who are shown.
    pub members: Vec<MemberId>,
    /// Whether only broken glass allows it.
    pub glass: bool,
}

impl<'a> Look<'a> {
    /// At members one by one.
    pub fn at_members(
        caller: &'a Caller,
        operation: &'static str,
        at: Position,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Self {
        Self { caller, operation, list: None, at, members: members.into_iter().collect(), glass: false }
    }

    /// At a list of members.
    pub fn at_list(
        caller: &'a Caller,
        operation: &'static str,
        (list, at): (List, Position),
        members: impl IntoIterator<Item = MemberId>,
    ) -> Self {
        Self { list: Some(list), ..Self::at_members(caller, operation, at, members) }
    }

    fn opening(&self, members: Vec<MemberId>, fields: Vec<Field>) -> Opening {
        let (operation, list, at, glass) = (self.operation, self.list, self.at, self.glass);
        Opening { operation, list, at, members, fields, glass }
    }
}

impl Projections {
    /// What members are called, of those of whom it is known and for callers who may see it.
    pub(crate) async fn called(
        &self,
        look: Look<'_>,
        sealed: Vec<(MemberId, Fields)>,
    ) -> Result<HashMap<MemberId, String>, Problem> {
        let may = readable(look.caller.role);
        let wanted: Vec<_> = may.iter().filter(|field| CALLED.contains(field)).copied().collect();
        let opened = self.open_all(look, sealed, &wanted).await?;
        let names = opened.into_iter().filter_map(|(member, profile)| Some((member, profile.called()?.to_owned())));
        Ok(names.collect())
    }

    /// Opens the `wanted` ones of sealed fields for a look, and writes down all who are shown by it.
    pub(crate) async fn open_all(
        &self,
        look: Look<'_>,
        mut sealed: Vec<(MemberId, Fields)>,
        wanted: &[Field],
    ) -> Result<HashMap<MemberId, Profile>, Problem> {
        for (_, fields) in &mut sealed {
            fields.retain(|field, _| wanted.contains(field));
        }
        sealed.retain(|(_, fields)| !fields.is_empty());
        let fields: BTreeSet<Field> = sealed.iter().flat_map(|(_, fields)| fields.keys()).copied().collect();
        let opened = self.unsealed(look.caller, sealed).await?;
        let fields: Vec<_> = fields.into_iter().collect();
        // Who leads a group sees more of some than of others: of these it is written down that nothing was opened.
        let in_part = look.caller.own_groups().is_some();
        let (named, others) = look.members.iter().copied().partition(|id| !in_part || opened.contains_key(id));
        self.personal.audit.opened(look.caller, look.opening(named, fields)).await?;
        self.personal.audit.opened(look.caller, look.opening(others, vec![])).await?;
        Ok(opened)
    }

    async fn unsealed(
        &self,
        caller: &Caller,
        sealed: Vec<(MemberId, Fields)>,
    ) -> Result<HashMap<MemberId, Profile>, Problem> {
        let ids: Vec<_> = sealed.iter().map(|(member, _)| *member).collect();
        let keys: HashMap<_, _> = self.personal.vault.keys(&caller.org, &ids).await?.into_iter().collect();
        let (org, is_long) = (caller.org.clone(), sealed.len() > OPENED_HERE_MAX);
        let open = move || {
            // Without a key: erased since the view was read.
            let with_key = sealed.into_iter().filter_map(|(member, fields)| Some((member, fields, keys.get(&member)?)));
            let opened = with_key.map(|(member, fields, key)| {
                open_profile(key, &org, member.0, &fields, Field::ALL).map(|profile| (member, profile))
            });
            opened.collect::<Result<HashMap<_, _>, _>>()
        };
        let opened = self.gate.compute.run_if(is_long, caller.asking(), open).await?;
        opened.map_err(|error| Problem::internal(&error))
    }
}
