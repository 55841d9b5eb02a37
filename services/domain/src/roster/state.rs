//! What is known of a roster: who holds a place on which days, who waits, and from when a place is free.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CancelReason, DeclineReason, Places};
use crate::{LocalDay, MemberId, people::Persons};

/// From which day to which, both included; without an end while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// First day.
    pub starts_on: Date,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// Whether it began by the act of somebody with authority over the record, or was confirmed by such an act.
    pub confirmed: bool,
    /// Its first day as it was, if that was corrected.
    pub was: Option<Date>,
}

/// The end of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct End {
    /// Last day.
    pub on: Date,
    /// Whether it is the end that was agreed.
    pub completed: bool,
}

impl Enrolment {
    /// Whether it covers the day.
    pub fn covers(&self, day: Date) -> bool {
        self.starts_on <= day && self.lasts_until(day)
    }

    /// Whether it has a day of these; without a last one, they go on.
    pub(super) fn meets(&self, (from, until): (Date, Option<Date>)) -> bool {
        until.is_none_or(|until| self.starts_on <= until) && self.lasts_until(from)
    }

    fn lasts_until(&self, day: Date) -> bool {
        self.end.is_none_or(|end| day <= end.on)
    }
}

/// What a member last asked for and was told, besides their enrolments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Nothing that is open.
    #[default]
    Quiet,
    /// Asked for a place on this day.
    Applied { on: Date, confirmed: bool },
    /// Waits: has asked on this day, for a place from another one at the earliest.
    Waitlisted { on: Date, starts_on: Date, confirmed: bool },
    /// The group said no.
    Declined(DeclineReason),
    /// Gave it up before the first day.
    Cancelled(CancelReason),
}

impl Standing {
    /// When they asked for the place for which they have no answer yet.
    pub fn asked_on(self) -> Option<Date> {
        match self {
            Self::Applied { on, .. } | Self::Waitlisted { on, .. } => Some(on),
            Self::Quiet | Self::Declined(_) | Self::Cancelled(_) => None,
        }
    }

    /// Whether nothing that is open here has to be confirmed.
    pub fn is_confirmed(self) -> bool {
        match self {
            Self::Applied { confirmed, .. } | Self::Waitlisted { confirmed, .. } => confirmed,
            Self::Quiet | Self::Declined(_) | Self::Cancelled(_) => true,
        }
    }

    fn confirm(self) -> Self {
        match self {
            Self::Applied { on, .. } => Self::Applied { on, confirmed: true },
            Self::Waitlisted { on, starts_on, .. } => Self::Waitlisted { on, starts_on, confirmed: true },
            other => other,
        }
    }
}

/// What is known of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// Oldest first; none overlaps another.
    pub enrolments: Vec<Enrolment>,
    pub standing: Standing,
    /// What was taken back last, if nothing was asked or begun after that.
    pub taken_back: Option<TakenBack>,
    /// First day of what was taken back, and recorded again as it was.
    pub again: Option<Date>,
}

/// What never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakenBack {
    pub since: Date,
    /// How it had ended, if it had.
    pub end: Option<End>,
}

impl Known {
    fn insert(&mut self, enrolment: Enrolment) {
        let later = self.enrolments.partition_point(|one| one.starts_on < enrolment.starts_on);
        self.enrolments.insert(later, enrolment);
    }

    /// The enrolment that lasts.
    fn lasting(&self) -> Option<Enrolment> {
        self.enrolments.last().copied().filter(|last| last.end.is_none())
    }
}

/// One person, under all of their records that the roster knows: the one under which they go on first.
#[derive(Debug)]
pub(super) struct Person<'a>(pub Vec<(MemberId, &'a Known)>);

impl Person<'_> {
    /// Enrolments that last, under which record each, the one that begins first before the others. While there is one,
    /// the person has a place, and whatever they ask for or wait for under another record waits, too.
    pub fn lasting(&self) -> Vec<(MemberId, Enrolment)> {
        let mut lasting: Vec<_> =
            self.0.iter().filter_map(|(record, known)| Some((*record, known.lasting()?))).collect();
        lasting.sort_by_key(|(_, enrolment)| enrolment.starts_on);
        lasting
    }

    /// What has no answer, under which record each.
    pub fn open(&self) -> impl Iterator<Item = (MemberId, Standing)> {
        let open = self.0.iter().filter(|(_, known)| known.standing.asked_on().is_some());
        open.map(|(record, known)| (*record, known.standing))
    }

    /// All enrolments, under which record each.
    pub fn enrolments(&self) -> impl Iterator<Item = (MemberId, Enrolment)> {
        self.0.iter().flat_map(|(record, known)| known.enrolments.iter().map(|one| (*record, *one)))
    }

    /// The end of the last enrolment, of those that ended.
    pub fn ended(&self) -> Option<End> {
        let ends = self.0.iter().filter_map(|(_, known)| known.enrolments.iter().rev().find_map(|one| one.end));
        ends.max_by_key(|end| end.on)
    }
}

/// Everybody who ever had to do with the group, and its places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    people: BTreeMap<MemberId, Known>,
    /// Who waits, whoever is next first.
    line: Vec<MemberId>,
    /// As set; none if it never was, or was taken away.
    pub(super) capacity: Option<Places>,
}

impl State {
    /// Whether the member is on the roster that day, where the group meets.
    pub fn covers(&self, member: MemberId, day: Date) -> bool {
        self.people.get(&member).is_some_and(|person| person.enrolments.iter().any(|e| e.covers(day)))
    }

    /// Whether the member is on the roster that day by the act of somebody with authority over their record.
    pub fn is_open(&self, member: MemberId, day: &LocalDay) -> bool {
        let opens = |enrolment: &Enrolment| enrolment.confirmed && enrolment.covers(day.date());
        self.people.get(&member).is_some_and(|person| person.enrolments.iter().any(opens))
    }

    /// Whether the member ever had to do with the group.
    pub fn knows(&self, member: MemberId) -> bool {
        self.people.contains_key(&member)
    }

    /// The person whose record this is; none of whom the roster knows nothing.
    pub(super) fn person(&self, persons: &Persons, member: MemberId) -> Option<Person<'_>> {
        let known = |record: &MemberId| Some((*record, self.people.get(record)?));
        let known: Vec<_> = persons.records(&member).iter().filter_map(known).collect();
        (!known.is_empty()).then_some(Person(known))
    }

    pub(super) fn standing(&self, member: MemberId) -> Standing {
        self.people.get(&member).map(|known| known.standing).unwrap_or_default()
    }

    /// What the person asks for: their turn on the waiting list, or else what they asked for first. None of who has a
    /// place.
    pub(super) fn asks(&self, person: &Person<'_>) -> Option<(MemberId, Standing)> {
        if !person.lasting().is_empty() {
            return None;
        }
        let turn = |record: &MemberId| self.line.iter().position(|waits| waits == record).unwrap_or(usize::MAX);
        person.open().min_by_key(|(record, standing)| (turn(record), standing.asked_on()))
    }

    /// How many people ask for a place and have no answer yet, those who wait included.
    pub(super) fn asking(&self, persons: &Persons) -> usize {
        let open = self.people.iter().filter(|(_, known)| known.standing.asked_on().is_some());
        let asks = |record| self.asks(&self.person(persons, record)?).map(|(asks, _)| asks);
        let alone = |record| persons.records(record).len() == 1;
        open.filter(|(record, _)| alone(record) || asks(**record) == Some(**record)).count()
    }

    pub(super) fn anybody_waits(&self) -> bool {
        !self.line.is_empty()
    }

    /// Who is first in line of those who have no place, and the first day that they can have one for good.
    pub(super) fn next_in_line(&self, persons: &Persons, today: Date) -> Option<(MemberId, Date)> {
        let waits = |record: &MemberId| {
            let person = self.person(persons, *record)?;
            let (turn, Standing::Waitlisted { starts_on, .. }) = self.asks(&person)? else { return None };
            // Under another record they may have a place until then.
            let left = person.ended().and_then(|end| end.on.tomorrow().ok());
            (turn == *record).then_some((turn, starts_on.max(today).max(left.unwrap_or(Date::MIN))))
        };
        let (first, from) = self.line.iter().find_map(waits)?;
        Some((first, self.free_from(persons, from)?))
    }

    /// The first day, `from` or later, from which on a place is free for good.
    ///
    /// Days before `from` do not count: what was, is recorded as it was. A person has one place, however many of their
    /// records are enrolled.
    pub(super) fn free_from(&self, persons: &Persons, from: Date) -> Option<Date> {
        let places = i32::from(self.capacity.unwrap_or(Places::MOST).get());
        let mut changes = self.changes(persons, from);
        changes.push((from, 0));
        changes.sort_unstable();
        let (mut taken, mut free) = (0, None);
        for (day, change) in changes {
            taken += change;
            free = if taken < places { free.or(Some(day)) } else { None };
        }
        free
    }

    /// The first day, `from` or later, on which more people have a place than there are places, and more than `before`.
    pub(super) fn beyond(&self, before: &Self, persons: &Persons, from: Date, places: Places) -> Option<Date> {
        let now = self.changes(persons, from).into_iter().map(|(day, change)| (day, change, 0));
        let then = before.changes(persons, from).into_iter().map(|(day, change)| (day, 0, change));
        let mut changes: Vec<_> = now.chain(then).collect();
        changes.sort_unstable();
        let (mut taken, mut were) = (0, 0);
        changes.chunk_by(|(one, ..), (next, ..)| one == next).find_map(|day| {
            taken += day.iter().map(|(_, change, _)| change).sum::<i32>();
            were += day.iter().map(|(.., change)| change).sum::<i32>();
            (taken > places.get().into() && taken > were).then_some(day[0].0)
        })
    }

    /// From which days on, `from` or later, one place more is taken, and one less.
    fn changes(&self, persons: &Persons, from: Date) -> Vec<(Date, i32)> {
        let mut changes = vec![];
        for (member, known) in &self.people {
            match persons.records(member) {
                [_] => changes.extend(taken(&known.enrolments, from)),
                records => {
                    let mut records = records.iter().filter_map(|record| self.people.get_key_value(record)).peekable();
                    // All of them with the first.
                    if records.peek().is_some_and(|(first, _)| *first == member) {
                        let all = records.flat_map(|(_, known)| &known.enrolments).copied().collect();
                        changes.extend(taken(&as_one(all), from));
                    }
                }
            }
        }
        changes
    }

    /// The member asks, or has an answer, or none is needed any more.
    pub(super) fn stand(&mut self, member: MemberId, standing: Standing) -> &mut Known {
        let waited = matches!(self.standing(member), Standing::Waitlisted { .. });
        match (waited, matches!(standing, Standing::Waitlisted { .. })) {
            (false, true) => self.line.push(member),
            (true, false) => self.line.retain(|other| *other != member),
            _ => {}
        }
        let person = self.people.entry(member).or_default();
        person.standing = standing;
        person.taken_back = None;
        person
    }

    /// The member is enrolled from that day on.
    pub(super) fn begin(&mut self, member: MemberId, starts_on: Date, confirmed: bool) {
        let enrolment = Enrolment { starts_on, end: None, confirmed, was: None };
        self.stand(member, Standing::Quiet).insert(enrolment);
    }

    /// The member was, is or will be enrolled, whatever they ask for besides.
    pub(super) fn record(&mut self, member: MemberId, enrolment: Enrolment) {
        let person = self.people.entry(member).or_default();
        let as_it_was = person.taken_back.take().is_some_and(|last| last.end == enrolment.end);
        person.again = as_it_was.then_some(enrolment.starts_on);
        person.insert(enrolment);
    }

    /// What began on that day has these days.
    pub(super) fn correct(&mut self, member: MemberId, since: Date, (starts_on, end): (Date, Option<End>)) {
        let Some(person) = self.people.get_mut(&member) else { return };
        let Some(at) = person.enrolments.iter().position(|one| one.starts_on == since) else { return };
        let one = person.enrolments.remove(at);
        let was = if starts_on == since { one.was } else { Some(since) };
        person.again = None;
        person.insert(Enrolment { starts_on, end, was, ..one });
    }

    /// What began on that day is confirmed: the application that has no answer, and the enrolment.
    pub(super) fn confirm(&mut self, member: MemberId, since: Date) {
        let Some(person) = self.people.get_mut(&member) else { return };
        if person.standing.asked_on() == Some(since) {
            person.standing = person.standing.confirm();
        }
        for enrolment in person.enrolments.iter_mut().filter(|enrolment| enrolment.starts_on == since) {
            enrolment.confirmed = true;
        }
    }

    /// What began on that day never was: the application that has no answer, or else the enrolment.
    pub(super) fn take_back(&mut self, member: MemberId, since: Date) {
        if self.standing(member).asked_on() == Some(since) {
            self.stand(member, Standing::Quiet).taken_back = Some(TakenBack { since, end: None });
        } else if let Some(person) = self.people.get_mut(&member) {
            let end = person.enrolments.iter().find(|one| one.starts_on == since).and_then(|one| one.end);
            person.enrolments.retain(|enrolment| enrolment.starts_on != since);
            person.taken_back = Some(TakenBack { since, end });
        }
    }

    /// So the member's last enrolment ends.
    pub(super) fn end(&mut self, member: MemberId, end: End) {
        if let Some(last) = self.people.get_mut(&member).and_then(|person| person.enrolments.last_mut()) {
            last.end = Some(end);
        }
    }

    /// The member has the turn after the other, or the first.
    pub(super) fn move_turn(&mut self, member: MemberId, after: Option<MemberId>) {
        let waited = self.line.len();
        self.line.retain(|other| *other != member);
        if self.line.len() < waited {
            let before = after.and_then(|after| self.line.iter().position(|other| *other == after));
            self.line.insert(before.map_or(0, |before| before + 1), member);
        }
    }

    /// Who waits, by whose turn it is: each person once, under all records under which they wait, that of their turn first.
    /// Not who has a place.
    pub(super) fn turns(&self, persons: &Persons) -> Vec<Vec<MemberId>> {
        let mut turns: Vec<Vec<MemberId>> = vec![];
        for record in &self.line {
            let person = persons.of(*record);
            let turn = turns.iter_mut().find(|turn| persons.of(turn[0]) == person);
            match turn {
                Some(turn) => turn.push(*record),
                None if self.person(persons, *record).is_some_and(|person| person.lasting().is_empty()) => {
                    turns.push(vec![*record]);
                }
                None => {}
            }
        }
        turns
    }
}

/// From which days on one place more is taken, and one less.
fn taken(enrolments: &[Enrolment], from: Date) -> impl Iterator<Item = (Date, i32)> {
    let lasting = enrolments.iter().filter(move |enrolment| enrolment.lasts_until(from));
    lasting.flat_map(move |enrolment| {
        // A place is free on the day after the last one; whose last day is the end of time never leaves.
        let left = enrolment.end.and_then(|end| end.on.tomorrow().ok());
        [Some((enrolment.starts_on.max(from), 1)), left.map(|day| (day, -1))].into_iter().flatten()
    })
}

/// The same days, without those that are there twice.
fn as_one(mut enrolments: Vec<Enrolment>) -> Vec<Enrolment> {
    enrolments.sort_by_key(|enrolment| enrolment.starts_on);
    let mut one: Vec<Enrolment> = Vec::with_capacity(enrolments.len());
    for next in enrolments {
        match one.last_mut() {
            Some(last) if last.lasts_until(next.starts_on) => {
                last.end = last.end.zip(next.end).map(|(a, b)| if a.on < b.on { b } else { a });
            }
            _ => one.push(next),
        }
    }
    one
}
