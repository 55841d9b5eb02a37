//! Showing members: to those who may see them, and never without writing it down.

use std::collections::{BTreeSet, HashMap};

use domain::{
    MeetingId, MemberId, OrgId,
    audit::List,
    meeting::Mood,
    member::{Field, Fields, Profile},
};
use eventlog::{Position, give_way};
use vault::{Key, SealedAs, VaultError, open_profile};
use web::{Caller, Opening, Problem, readable};

use crate::{Projections, register_view::SealedMood};

/// What a member is called in a list.
const CALLED: &[Field] = &[Field::Alias, Field::GivenName];
/// Most profiles that are opened where requests are served, a count; more take long enough to be opened elsewhere.
const OPENED_HERE_MAX: usize = 8;

/// What stands for a text that does not open.
pub(crate) const UNREADABLE: &str = "cannot be read: it was changed, or its key is missing";

/// Profiles that were opened.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub profiles: HashMap<MemberId, Profile>,
    /// Whose do not open: one record that is damaged, or without its key, is no reason to show none.
    pub unreadable: BTreeSet<MemberId>,
}

/// What members are called.
#[derive(Debug, Default)]
pub(crate) struct Called {
    pub names: HashMap<MemberId, String>,
    /// Of whom that cannot be read.
    pub unreadable: BTreeSet<MemberId>,
}

/// Says that something of a member does not open, and nothing of what it is.
pub(crate) fn unreadable(member: MemberId, error: &dyn std::fmt::Display) {
    metrics::counter!("kith_unreadable_records_total").increment(1);
    tracing::error!(%member, %error, "what is sealed of a member cannot be read; `kith verify` says more");
}

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
    pub(crate) async fn called(&self, look: Look<'_>, sealed: Vec<(MemberId, Fields)>) -> Result<Called, Problem> {
        let may = readable(look.caller.role);
        let wanted: Vec<_> = may.iter().filter(|field| CALLED.contains(field)).copied().collect();
        let opened = self.open_all(look, sealed, &wanted).await?;
        let name = |(member, profile): (MemberId, Profile)| Some((member, profile.called()?.to_owned()));
        Ok(Called { names: opened.profiles.into_iter().filter_map(name).collect(), unreadable: opened.unreadable })
    }

    /// Opens the `wanted` ones of sealed fields for a look, and writes down all who are shown by it.
    pub(crate) async fn open_all(
        &self,
        look: Look<'_>,
        mut sealed: Vec<(MemberId, Fields)>,
        wanted: &[Field],
    ) -> Result<Opened, Problem> {
        for (_, fields) in &mut sealed {
            fields.retain(|field, _| wanted.contains(field));
        }
        sealed.retain(|(_, fields)| !fields.is_empty());
        let fields: BTreeSet<Field> = sealed.iter().flat_map(|(_, fields)| fields.keys()).copied().collect();
        let opened = self.unsealed(look.caller, sealed).await?;
        let fields: Vec<_> = fields.into_iter().collect();
        // Who leads a group sees more of some than of others: of these it is written down that nothing was opened.
        let in_part = look.caller.own_groups().is_some();
        let (named, others) = look.members.iter().copied().partition(|id| !in_part || opened.profiles.contains_key(id));
        self.personal.audit.opened(look.caller, look.opening(named, fields)).await?;
        self.personal.audit.opened(look.caller, look.opening(others, vec![])).await?;
        Ok(opened)
    }

    /// Moods, opened, after it was written down who is shown: of each record at each meeting, none if it does not open.
    /// Those of who was erased since the view was read are left out.
    pub(crate) async fn moods(
        &self,
        caller: &Caller,
        sealed: impl IntoIterator<Item = &SealedMood>,
    ) -> Result<HashMap<(MemberId, MeetingId), Option<Mood>>, Problem> {
        let sealed: Vec<_> = sealed.into_iter().collect();
        let members: BTreeSet<_> = sealed.iter().map(|mood| mood.member).collect();
        let members: Vec<_> = members.into_iter().collect();
        let keys: HashMap<_, _> = self.personal.vault.keys(&caller.org, &members).await?.into_iter().collect();
        let mut opened = HashMap::with_capacity(sealed.len());
        for mood in sealed {
            let key = keys.get(&mood.member);
            if key.is_some() || !self.personal.vault.is_erased(&caller.org, mood.member) {
                opened.insert((mood.member, mood.meeting), open_mood(key, &caller.org, mood));
            }
            give_way(mood.mood.as_str().len()).await;
        }
        Ok(opened)
    }

    async fn unsealed(&self, caller: &Caller, sealed: Vec<(MemberId, Fields)>) -> Result<Opened, Problem> {
        let ids: Vec<_> = sealed.iter().map(|(member, _)| *member).collect();
        let keys: HashMap<_, _> = self.personal.vault.keys(&caller.org, &ids).await?.into_iter().collect();
        let (org, is_long) = (caller.org.clone(), sealed.len() > OPENED_HERE_MAX);
        // Without a key: erased since the view was read, or their key is lost.
        let lost = |member: &MemberId| !keys.contains_key(member) && !self.personal.vault.is_erased(&org, *member);
        let lost: Vec<_> = ids.into_iter().filter(lost).collect();
        for member in &lost {
            unreadable(*member, &VaultError::Missing(*member));
        }
        let open = move || {
            let mut opened = Opened { unreadable: lost.into_iter().collect(), ..Opened::default() };
            for (member, fields) in sealed {
                let Some(key) = keys.get(&member) else { continue };
                match open_profile(key, &org, member.0, &fields, Field::ALL) {
                    Ok(profile) => _ = opened.profiles.insert(member, profile),
                    Err(error) => {
                        unreadable(member, &error);
                        opened.unreadable.insert(member);
                    }
                }
            }
            opened
        };
        Ok(self.authenticator.compute.run_if(is_long, caller.asking(), open).await?)
    }
}

fn open_mood(key: Option<&Key>, org: &OrgId, sealed: &SealedMood) -> Option<Mood> {
    let SealedMood { member, meeting, mood, .. } = sealed;
    let Some(key) = key else {
        unreadable(*member, &VaultError::Missing(*member));
        return None;
    };
    let opened = key.open(org, meeting.0, SealedAs::Mood, mood).map_err(|error| unreadable(*member, &error)).ok()?;
    // The parser's words could hold what it could not read.
    domain::stored(&opened).map_err(|_| unreadable(*member, &"a mood is none")).ok()
}
