//! What members' own streams said of merges, holds, objections, restrictions and erasures, before an organisation's
//! people had a stream, is taken over into that one.
//!
//! It happens where the views have to be folded anew anyway, because there are none or they have another format: then
//! the log may be of before. What was taken over once is not taken over again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    Decider, DomainEvent, MemberId, OrgId,
    member::{self, Member},
    people::{self, ADOPTED_MAX, Adopted, People, Person},
};
use eventlog::{Cause, EventLog, Position, Reply, Streams};
use jiff::Timestamp;
use uuid::Uuid;

/// Events read at once, a count.
const BATCH_EVENTS: usize = 5_000;

type Standing = BTreeMap<MemberId, member::State>;

/// Takes over what the log says; answers of how many records.
///
/// # Errors
/// If the log cannot be read or written.
pub(crate) async fn adopt(log: &dyn EventLog, people: &Streams<People>, now: Timestamp) -> anyhow::Result<usize> {
    let mut adopted = 0;
    for (org, standing) in read(log).await? {
        for (nth, part) in parts(&standing).into_iter().enumerate() {
            adopted += part.people.len() + part.erased.len();
            let id = Uuid::new_v5(&people::stream_id(&org), format!("adopted {nth}").as_bytes());
            let cause = Cause::of_process("kith", id, now);
            people.transact(&org, people::stream_id(&org), cause, people::Command::Adopt(part), Reply::DONE).await?;
        }
    }
    Ok(adopted)
}

/// Of each organisation, those of whom something stands in their own stream.
async fn read(log: &dyn EventLog) -> anyhow::Result<HashMap<OrgId, Standing>> {
    let (mut found, mut after) = (HashMap::<OrgId, Standing>::new(), Position::START);
    loop {
        let events = log.read_all(after, BATCH_EVENTS).await?;
        let Some(last) = events.last() else { return Ok(found) };
        after = last.position;
        let of_members = events.iter().filter(|event| event.stream.category() == member::Event::CATEGORY);
        for event in of_members.filter(|event| is_of_people(&event.event_type)) {
            let said = member::Event::decode(&event.event_type, event.version, &event.data)?;
            let standing = found.entry(event.stream.org()).or_default();
            let known = standing.entry(MemberId(event.stream.id())).or_default();
            *known = Member::evolve(std::mem::take(known), &said);
        }
    }
}

/// Whether what such an event says is said in the stream of people now.
fn is_of_people(event_type: &str) -> bool {
    people::Event::types().iter().any(|known| known.name == event_type)
        || ["member.absorbed", "member.released"].contains(&event_type)
}

/// What stands, in parts that an append can hold.
fn parts(standing: &Standing) -> Vec<Adopted> {
    let erased: BTreeSet<_> = standing
        .iter()
        .filter(|(_, known)| matches!(known, member::State::Erased))
        .map(|(member, _)| *member)
        .collect();
    let mut people: BTreeMap<MemberId, Person> = BTreeMap::new();
    for (member, known) in standing {
        let Some(record) = known.record() else { continue };
        let person = people.entry(*member).or_default();
        person.holds.clone_from(&record.holds);
        person.objections.clone_from(&record.permissions.objections);
        person.restricted = record.permissions.restricted;
        let into = record.merged_into.filter(|into| !erased.contains(into));
        if let Some(into) = into.filter(|into| !leads_to(&people, *into, *member)) {
            people.entry(*member).or_default().merged_into = Some(into);
            people.entry(into).or_default().absorbed.insert(*member);
        }
    }
    let people: Vec<_> = people.into_iter().filter(|(_, person)| *person != Person::default()).collect();
    let erased: Vec<_> = erased.into_iter().collect();
    let of_people = people.chunks(ADOPTED_MAX).map(|part| (part, &[][..]));
    let of_erased = erased.chunks(ADOPTED_MAX).map(|part| (&[][..], part));
    of_people
        .chain(of_erased)
        .map(|(people, erased)| Adopted {
            people: people.iter().cloned().collect(),
            erased: erased.iter().copied().collect(),
        })
        .collect()
}

/// Whether whoever follows merges from one record comes to another: then a merge of that into this would be a circle, as
/// two at once could make one.
fn leads_to(people: &BTreeMap<MemberId, Person>, from: MemberId, to: MemberId) -> bool {
    let mut at = Some(from);
    while let Some(member) = at {
        if member == to {
            return true;
        }
        at = people.get(&member).and_then(|person| person.merged_into);
    }
    false
}

#[cfg(test)]
mod tests {
    use domain::member::{Absorbed, Erased, Event, Merged, Restricted};

    use super::*;

    fn member(n: u128) -> MemberId {
        MemberId(Uuid::from_u128(n))
    }

    fn standing(events: &[(u128, Event)]) -> Standing {
        let mut standing = Standing::new();
        for (n, event) in events {
            let known = standing.entry(member(*n)).or_default();
            *known = Member::evolve(std::mem::take(known), event);
        }
        standing
    }

    fn merged(into: u128) -> Event {
        Event::Merged(Merged { into: member(into) })
    }

    #[test]
    fn halves_and_circles_of_before_are_not_taken_over() {
        let absorbed = |from| Event::Absorbed(Absorbed { from: member(from) });
        let said = [
            (1, merged(2)),
            (2, absorbed(1)),
            (3, absorbed(1)), // of a merge that was refused
            (4, merged(5)),
            (5, merged(4)), // in a circle
            (6, merged(7)),
            (7, Event::Erased(Erased {})), // without the second record
            (6, Event::Restricted(Restricted {})),
        ];
        let [people, erased] = &parts(&standing(&said))[..] else { panic!("people, then the erased") };
        let into = |n| people.people.get(&member(n)).and_then(|person| person.merged_into);
        assert_eq!([into(1), into(4), into(5), into(6)], [Some(member(2)), Some(member(5)), None, None]);
        assert_eq!(people.people[&member(2)].absorbed, BTreeSet::from([member(1)]));
        assert!(!people.people.contains_key(&member(3)) && people.people[&member(6)].restricted);
        assert_eq!(erased.erased, BTreeSet::from([member(7)]));
    }
}
