//! Whom and what of them a caller may see, as the views know it.
//!
//! A record is open to those who lead a group if it came to the group by the member's own act, or by that of somebody
//! with authority over it. Of all others they see what was typed in by themselves, or at meetings of that group.

use std::collections::HashSet;

use domain::{
    GroupId, LocalDay, MemberId,
    member::{Field, Fields, Purpose, Record},
};
use jiff::Zoned;
use rusqlite::Connection;
use web::{Caller, Role, readable};

use crate::{enrolment_view, group_view, record_view};

/// How a member can be reached.
const CONTACT: &[Field] = &[Field::Email, Field::Phone, Field::PostalAddress];

/// What a caller may see of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub fields: Vec<Field>,
    /// Whether only broken glass allows it.
    pub glass: bool,
    /// Whether it is only what was typed in.
    pub typed: bool,
}

/// What the caller may see of a member; none if they may not know that there is one.
pub(crate) fn of_member(
    connection: &Connection,
    caller: &Caller,
    member: MemberId,
    now: &Zoned,
) -> rusqlite::Result<Option<Sight>> {
    // Asked of everybody, so that it takes as long for nobody.
    let is_open = is_open(connection, caller, member)?;
    let record = record_view::find(connection, caller.org.as_str(), member)?;
    let Some(record) = record else {
        return Ok(is_open.then(|| Sight { fields: vec![], glass: false, typed: false }));
    };
    let glass = record.glass_open_for(&caller.subject, now.timestamp());
    let typed = !is_open && !glass;
    if typed && !record.typed_by.as_ref().is_some_and(|by| caller.typed(by)) {
        return Ok(None);
    }
    let fields = if glass { Field::ALL } else { readable(caller.role) };
    let today = LocalDay::of(now);
    let contact = caller.role == Role::Member || record.permissions.allow(Purpose::Contact, &today).is_ok();
    let may = |field: &&Field| (contact || !CONTACT.contains(field)) && (!typed || record.typed.contains(field));
    Ok(Some(Sight { fields: fields.iter().filter(may).copied().collect(), glass, typed }))
}

/// Whether the member's record is open to the caller: for those who lead groups, by one of these.
fn is_open(connection: &Connection, caller: &Caller, member: MemberId) -> rusqlite::Result<bool> {
    let Some(own) = caller.own_groups() else { return Ok(true) };
    let org = caller.org.as_str();
    for record in record_view::person(connection, org, member)? {
        for group in own {
            if enrolment_view::is_open(connection, (org, *group), record)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Sealed fields of members on a list of the group's, of each those that the caller may see.
pub(crate) fn of_list(
    connection: &Connection,
    caller: &Caller,
    group: GroupId,
    members: impl Iterator<Item = MemberId>,
) -> rusqlite::Result<Vec<(MemberId, Fields)>> {
    let org = caller.org.as_str();
    let open = match caller.own_groups() {
        None => None,
        Some(_) => Some(enrolment_view::open_in(connection, org, group)?),
    };
    let mut shown = Vec::new();
    for member in members {
        let Some(record) = record_view::find(connection, org, member)? else { continue };
        let all = open.as_ref().is_none_or(|open| open.contains(&member)) || is_open(connection, caller, member)?;
        let fields = if all { record.fields } else { typed(caller, record) };
        if !fields.is_empty() {
            shown.push((member, fields));
        }
    }
    Ok(shown)
}

fn typed(caller: &Caller, record: Record) -> Fields {
    let Record { mut fields, typed_by, typed, .. } = record;
    let theirs = typed_by.is_some_and(|by| caller.typed(&by));
    fields.retain(|field, _| theirs && typed.contains(field));
    fields
}

/// Who is on a roster of the caller's today, where that group meets, and open to them; none if the caller is held to no
/// groups.
pub(crate) fn on_own_rosters(
    connection: &Connection,
    caller: &Caller,
    now: &Zoned,
) -> rusqlite::Result<Option<HashSet<MemberId>>> {
    let Some(own) = caller.own_groups() else { return Ok(None) };
    let (org, mut theirs) = (caller.org.as_str(), HashSet::new());
    for group in own {
        let today = LocalDay::of(&group_view::there(connection, org, *group, now)?);
        theirs.extend(enrolment_view::open_on(connection, (org, *group), &today)?);
    }
    // Under which of their records they are enrolled makes no difference.
    let merged: Vec<_> = record_view::merged(connection, org)?;
    for (from, into) in merged {
        if theirs.contains(&from) || theirs.contains(&into) {
            theirs.extend(record_view::person(connection, org, from)?);
        }
    }
    Ok(Some(theirs))
}
