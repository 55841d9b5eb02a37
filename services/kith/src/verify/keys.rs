//! Keys and blind index, beside what the log says of members.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use domain::{
    Decider, MemberId, OrgId, mailbox,
    member::{self, Member},
};
use eventlog::{EventLog, Position};
use vault::{Inspected, Kek, Known, Vault};

use super::{BATCH_EVENTS, Keys};
use crate::{
    DataDir,
    data_dir::{given_kek, read_kek},
};

/// Members named, of each kind, a count.
const NAMED_MAX: usize = 100;
/// Times that it is looked again, because a running server may be about to index somebody, a count.
const LOOKS_MAX: usize = 6;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Compares, if the log knows members or there is a vault.
pub(super) async fn compare(
    data: &DataDir,
    log: &dyn EventLog,
    erased: &[(OrgId, MemberId)],
) -> anyhow::Result<Option<Keys>> {
    let (known, mailboxes) = known(log, erased).await?;
    let mut keys = Keys { members: known.len(), ..Keys::default() };
    if !data.vault().is_file() {
        let sealed = known.iter().filter(|known| known.sealed).count();
        if sealed > 0 {
            keys.wrong.push(format!("{} is missing, with the keys of {sealed} members", data.vault().display()));
        }
        return Ok((sealed > 0).then_some(keys));
    }
    let kek = kek(data)?;
    if kek.is_none() {
        keys.remarks.push("by what members are found was not looked at: set KITH_KEY, or put vault.key back".into());
    }
    let mut found = Vault::inspect(&data.vault(), kek.as_ref(), &known)?;
    for _ in 1..LOOKS_MAX {
        if found.misindexed.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        found = Vault::inspect(&data.vault(), kek.as_ref(), &known)?;
    }
    let Inspected { without_key, unreadable, misindexed, mut of_nobody } = found;
    of_nobody.retain(|who| !mailboxes.contains(who));
    say(&mut keys.wrong, "has no key, though something is sealed with it: restore a backup of the vault", &without_key);
    say(&mut keys.wrong, "has a key that does not open what is sealed: restore a backup of the vault", &unreadable);
    say(&mut keys.wrong, "is found by something else than the log says; `kith serve` sees to it", &misindexed);
    say(&mut keys.remarks, "has a key and was never registered: what was begun was never done", &of_nobody);
    Ok(Some(keys))
}

fn say(lines: &mut Vec<String>, what: &str, members: &BTreeSet<(OrgId, MemberId)>) {
    lines.extend(members.iter().take(NAMED_MAX).map(|(org, member)| format!("member {member} of {org} {what}")));
    if members.len() > NAMED_MAX {
        lines.push(format!("and {} more: member … {what}", members.len() - NAMED_MAX));
    }
}

/// The key-encryption key, if it is at hand. None is made.
fn kek(data: &DataDir) -> anyhow::Result<Option<Kek>> {
    match given_kek(None)? {
        Some(kek) => Ok(Some(kek)),
        None if data.key_file().is_file() => read_kek(&data.key_file()).map(Some),
        None => Ok(None),
    }
}

/// Keys of mailboxes: in the vault, they have ids as members do.
type Mailboxes = BTreeSet<(OrgId, MemberId)>;

/// Members whom the log knows and who were not erased; and keys of mailboxes that there were.
async fn known(log: &dyn EventLog, erased: &[(OrgId, MemberId)]) -> anyhow::Result<(Vec<Known>, Mailboxes)> {
    let erased: HashSet<_> = erased.iter().cloned().collect();
    let (mut states, mut after) = (BTreeMap::<(OrgId, MemberId), (member::State, Position)>::new(), Position::START);
    let mut mailboxes = Mailboxes::new();
    loop {
        let events = log.read_all(after, BATCH_EVENTS).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        for event in &events {
            if let Some(mailbox::Event::Set(set)) = event.of()? {
                mailboxes.insert((event.stream.org(), MemberId(set.key)));
            }
            let Some(said) = event.of::<member::Event>()? else { continue };
            let (state, position) = states.entry((event.stream.org(), MemberId(event.stream.id()))).or_default();
            (*state, *position) = (Member::evolve(std::mem::take(state), &said), event.position);
        }
    }
    let known = states.into_iter().filter(|(who, _)| !erased.contains(who)).filter_map(|(who, (state, position))| {
        let record = state.record()?;
        let consents = record.permissions.consents.values();
        let sealed = !record.fields.is_empty()
            || !record.glass.is_empty()
            || consents.into_iter().any(|given| given.details.is_some());
        let ((org, member), fields) = (who, record.fields.clone());
        Some(Known { org, member, fields, sealed, position: position.0 })
    });
    Ok((known.collect(), mailboxes))
}
