//! What is to be done with each line: all that it needs is looked at before anything of it is written.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use domain::{
    CheckInId, GroupId, MemberId, OrgId, ProgrammeId, Sealed,
    care::{self, CHECK_INS_MAX, Cause, Urgency, When},
    group,
    instrument::{self, Given, Instrument, Invalid, Language},
    member::Profile,
    protocol::{self, Edition},
};
use eventlog::give_way;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Span, Timestamp, civil::Date};
use vault::{Blind, Key, SealedAs};
use web::{Became, IMPORT_LINES_AT_ONCE, IfDuplicate, LineReport, Planned, Private, Problem, Run, Sealable};

use super::{CONCERN_DAYS, CheckInLine, EARLIEST, SEALED_BYTES};
use crate::{
    CheckIn,
    raising::{Raising, cause},
};

/// Of an answer of which somebody is told.
const RAISED: &str = "an answer speaks of danger: a concern is raised";
/// Of one that is too old for that.
const TOO_OLD: &str =
    "an answer speaks of danger and is older than 31 days: no concern is raised for it now, read the journey";

/// A line and what is to be done with it.
#[derive(Debug)]
#[allow(clippy::struct_field_names)] // its number has no other name anywhere
pub(super) struct Line {
    pub line: u32,
    pub step: Step,
    remark: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Step {
    New(Box<NewCheckIn>),
    /// One that is there and says the same.
    Matched(MemberId, CheckInId),
    /// One that is there, or will be by an earlier line, and why this is none beside it.
    Duplicate(MemberId, CheckInId, Option<u32>, &'static str),
    /// Nobody is here whom it could be about.
    Unmatched,
    /// The field, and what is wrong with it.
    Rejected(Cow<'static, str>, String),
}

/// A check-in to be recorded.
#[derive(Debug)]
pub(super) struct NewCheckIn {
    pub member: MemberId,
    pub id: CheckInId,
    pub edition: Edition,
    pub when: When,
    pub language: Option<Language>,
    pub given: Private<Given>,
    pub raises: Option<(Raising, Private<Cause>)>,
}

impl Planned for Line {
    fn report(&self) -> LineReport {
        let of = |became, member, check_in| LineReport {
            member: Some(member),
            check_in: Some(check_in),
            remark: self.remark,
            ..LineReport::new(self.line, became)
        };
        match &self.step {
            Step::New(new) => of(Became::New, new.member, new.id),
            Step::Matched(member, check_in) => of(Became::Matched, *member, *check_in),
            Step::Duplicate(member, check_in, other_line, what) => LineReport {
                other_line: *other_line,
                what: Some((*what).into()),
                ..of(Became::Duplicate, *member, *check_in)
            },
            Step::Unmatched => LineReport::new(self.line, Became::Unmatched),
            Step::Rejected(field, what) => LineReport::rejected(self.line, field.clone(), what.clone()),
        }
    }
}

/// A line, and whom it is about.
struct Found {
    line: CheckInLine,
    who: Result<Person, Step>,
}

/// Somebody who is here, with their check-ins of the line's instrument and day.
struct Person {
    member: MemberId,
    there: Vec<There>,
    /// How many check-ins they have; a count.
    all: usize,
}

/// A check-in that is there.
struct There {
    id: CheckInId,
    version: u16,
    in_error: bool,
    /// With which key its answers are sealed; none if it was destroyed.
    key: Option<Key>,
    answers: Sealed,
}

impl CheckIn {
    /// What is to be done with each line, in their order.
    pub(super) async fn plan_lines(&self, run: &Run, lines: Vec<CheckInLine>) -> Result<Vec<Line>, Problem> {
        let groups: BTreeSet<_> = lines.iter().filter_map(|line| line.group).collect();
        let mut so_far = self.so_far(run, groups).await?;
        let mut all = Vec::with_capacity(lines.len());
        let mut found = stream::iter(lines)
            .map(|line| self.find(run, line))
            .buffered(IMPORT_LINES_AT_ONCE)
            .inspect(|_| run.progress.step(1))
            .try_chunks(IMPORT_LINES_AT_ONCE);
        while let Some(some) = found.try_next().await.map_err(|error| error.1)? {
            let settle = move || {
                let settled: Vec<_> = some.into_iter().map(|found| so_far.settle(found)).collect();
                (so_far, settled)
            };
            let settled;
            (so_far, settled) = self.authenticator.compute.run(run.caller.asking(), settle).await?;
            all.extend(settled);
        }
        Ok(all)
    }

    /// What holds before the first line.
    async fn so_far(&self, run: &Run, groups: BTreeSet<GroupId>) -> Result<SoFar, Problem> {
        let (clock, at) = (&self.authenticator.clock, run.cause.at);
        let mut known = HashMap::new();
        for group in groups {
            known.insert(group, self.in_group(&run.caller, group, &clock.local(at)).await.ok());
        }
        let latest = domain::LocalDay::begun_anywhere(at).date();
        Ok(SoFar {
            org: run.org().clone(),
            org_key: run.org_key.clone(),
            protocol: self.look(&run.caller, Clone::clone).await?,
            groups: known,
            latest,
            raised_from: latest.saturating_sub(Span::new().days(CONCERN_DAYS)),
            at,
            mode: run.duplicates,
            taken: HashMap::new(),
            news: HashMap::new(),
        })
    }

    /// Whom a line is about, and what is there of the day.
    async fn find(&self, run: &Run, line: CheckInLine) -> Result<Found, Problem> {
        let who = match self.whom(run, &line).await? {
            Ok(member) => Ok(self.on_that_day(run, member, &line).await?),
            Err(step) => Err(step),
        };
        give_way(SEALED_BYTES).await;
        Ok(Found { line, who })
    }

    async fn whom(&self, run: &Run, line: &CheckInLine) -> Result<Result<MemberId, Step>, Problem> {
        let org = run.org();
        let mut people = BTreeSet::new();
        if let Some(member) = line.member {
            people.insert(self.members.there(org, member).await?.map(|(member, _)| member));
        }
        if let Some(id) = &line.external_id {
            let profile = Profile { external_ids: Some(vec![id.in_clear().clone()]), ..Profile::default() };
            let blinds = Blind::all(&run.org_key, self.vault.country(), &profile);
            let sharing = self.members.sharing(org, &blinds).await?;
            people.extend(sharing.iter().map(|(member, _)| Some(*member)));
            people.extend(sharing.is_empty().then_some(None));
        }
        let member = match people.into_iter().collect::<Vec<_>>()[..] {
            [Some(member)] => member,
            [None] => return Ok(Err(Step::Unmatched)),
            _ => return Ok(Err(Step::Rejected("external_id".into(), "more than one member could be meant".into()))),
        };
        match self.members.require_changeable(&run.caller, member, false).await {
            Ok(()) => Ok(Ok(member)),
            Err(problem) => {
                let what = problem.refusal().map(str::to_owned).ok_or(problem)?;
                Ok(Err(Step::Rejected("member".into(), what)))
            }
        }
    }

    /// The person's check-ins with the line's instrument on its day, under all their records.
    async fn on_that_day(&self, run: &Run, member: MemberId, line: &CheckInLine) -> Result<Person, Problem> {
        let (org, persons) = (run.org(), self.members.persons(run.org()).await?);
        let (mut there, mut all) = (Vec::new(), 0);
        for record in persons.records(&member) {
            let of_day = |care: &care::State| {
                let of_day = care.check_ins.values().filter(|known| is_of(&known.recorded, line));
                (of_day.cloned().collect::<Vec<_>>(), care.check_ins.len())
            };
            let (of_day, count) = self.cares.look(org, *record, |care| of_day(&care.state)).await?;
            all += if *record == member { count } else { 0 };
            if of_day.is_empty() {
                continue;
            }
            let key = self.vault.keys(org, &[*record]).await?.into_iter().next().map(|(_, key)| key);
            there.extend(of_day.into_iter().map(|known| There {
                id: known.recorded.check_in,
                version: known.recorded.edition.version,
                in_error: known.in_error,
                key: key.clone(),
                answers: known.recorded.answers,
            }));
        }
        Ok(Person { member, there, all })
    }
}

fn is_of(recorded: &care::CheckInRecorded, line: &CheckInLine) -> bool {
    recorded.edition.instrument == line.instrument && recorded.when.on == line.on
}

/// What the lines so far do to those after them, and what holds for all.
struct SoFar {
    org: OrgId,
    org_key: Key,
    protocol: protocol::State,
    /// Programme of each group and its day; none if there is no such group.
    groups: HashMap<GroupId, Option<(Option<ProgrammeId>, Date)>>,
    /// Latest day that has begun anywhere.
    latest: Date,
    /// From which day on concerns are raised.
    raised_from: Date,
    at: Timestamp,
    mode: IfDuplicate,
    /// Check-ins that are new by lines before.
    taken: HashMap<(MemberId, instrument::Id, Date), Vec<Taken>>,
    /// How many those are of each member.
    news: HashMap<MemberId, usize>,
}

/// A check-in that is new by a line before.
struct Taken {
    line: u32,
    id: CheckInId,
    version: u16,
    given: Private<Given>,
}

impl SoFar {
    /// Settles a line after those before it.
    fn settle(&mut self, Found { line, who }: Found) -> Line {
        let number = line.line;
        let of = |step| Line { line: number, step, remark: None };
        let (edition, when) = match self.fits(&line) {
            Ok(fits) => fits,
            Err((field, what)) => return of(Step::Rejected(field, what)),
        };
        let person = match who {
            Ok(person) => person,
            Err(step) => return of(step),
        };
        let step = match self.there_already(&line, &edition, &person) {
            Some(step) => step,
            None => match self.new_one(&line, (edition.clone(), when), &person) {
                Ok(new) => Step::New(new),
                Err((field, what)) => Step::Rejected(field.into(), what),
            },
        };
        Line { line: number, remark: self.remark(&line, &edition, &step), step }
    }

    /// With which version it was, and when, if the line fits that.
    fn fits(&self, line: &CheckInLine) -> Result<(Edition, When), (Cow<'static, str>, String)> {
        let in_use = self.protocol.in_use(&line.instrument);
        let edition = match (line.version, in_use) {
            (None, None) => return Err(("instrument".into(), protocol::Refusal::NotInUse.to_string())),
            (None, Some(used)) => used.clone(),
            (Some(version), Some(used)) if used.version == version => used.clone(),
            (Some(version), _) => Edition { instrument: line.instrument.clone(), version, norm_set: None },
        };
        let Some(instrument) = self.protocol.instrument(&edition.instrument, edition.version) else {
            return Err(("version".into(), protocol::Refusal::UnknownInstrument.to_string()));
        };
        if line.given.in_clear().is_empty() {
            return Err(("given".into(), "says nothing; an item can be `declined`".into()));
        }
        if let Err(invalid) = instrument.validate(line.given.in_clear()) {
            return Err(misfit(&invalid, line.given.in_clear()));
        }
        let latest = match line.group.map(|group| self.groups.get(&group).copied().flatten()) {
            Some(None) => return Err(("group".into(), group::Refusal::Unknown.to_string())),
            Some(Some((_, today))) => today,
            None => self.latest,
        };
        match line.on {
            on if on > latest => Err(("on".into(), "is in the future".into())),
            on if on < EARLIEST => Err(("on".into(), format!("is before {EARLIEST}"))),
            on => Ok((edition, When { on, group: line.group, meeting: None })),
        }
    }

    /// Whether it is there, or another one of the day is, or will be by a line before.
    fn there_already(&self, line: &CheckInLine, edition: &Edition, person: &Person) -> Option<Step> {
        let (member, given) = (person.member, line.given.in_clear().bytes());
        let says_it = |one: &&There| {
            let key = one.key.as_ref().filter(|_| one.version == edition.version);
            key.is_some_and(|key| key.seal(&self.org, one.id.0, SealedAs::Answers, &given) == one.answers)
        };
        let same: Vec<_> = person.there.iter().filter(says_it).collect();
        if let Some(one) = same.iter().find(|one| !one.in_error) {
            return Some(Step::Matched(member, one.id));
        }
        let taken = self.taken.get(&(member, line.instrument.clone(), line.on)).map_or(&[][..], |taken| taken);
        if let Some(one) = taken.iter().find(|one| one.version == edition.version && one.given == line.given) {
            return Some(Step::Duplicate(member, one.id, Some(one.line), "says the same as another line"));
        }
        if self.mode == IfDuplicate::Import {
            return None;
        }
        let other = "another check-in with the instrument is there of that day";
        let before = taken.first().map(|one| (one.id, Some(one.line), "another line is of the same day"));
        let known = person.there.iter().find(|one| !one.in_error).map(|one| (one.id, None, other));
        let in_error = same.first().map(|one| (one.id, None, "was taken back: it was entered in error"));
        let (id, line, what) = known.or(before).or(in_error)?;
        Some(Step::Duplicate(member, id, line, what))
    }

    fn new_one(
        &mut self,
        line: &CheckInLine,
        (edition, when): (Edition, When),
        person: &Person,
    ) -> Result<Box<NewCheckIn>, (&'static str, String)> {
        let member = person.member;
        let news = self.news.entry(member).or_default();
        if person.all + *news >= CHECK_INS_MAX {
            return Err(("member", care::Refusal::Full("check-ins", CHECK_INS_MAX).to_string()));
        }
        let taken = self.taken.entry((member, line.instrument.clone(), line.on)).or_default();
        let is_free =
            |id: &CheckInId| person.there.iter().all(|one| one.id != *id) && taken.iter().all(|one| one.id != *id);
        // The same whenever the file is sent, and without the organisation's key nobody can tell of whom.
        let of = |n: usize| format!("import of check-in\0{member}\0{}\0{}\0{n}", line.instrument, line.on);
        let mut ids = (0..=person.there.len() + taken.len()).map(|n| CheckInId(self.org_key.id(&of(n))));
        let id = ids.find(is_free).expect("one more than there are");
        let raises = match risk(&self.protocol, id, &edition, &line.given).filter(|_| line.on >= self.raised_from) {
            Some((urgency, cause)) => {
                let programme = line.group.and_then(|group| self.groups.get(&group).copied().flatten()?.0);
                let raising = Raising::new(&self.protocol, urgency, programme, (line.language.as_ref(), self.at));
                Some((raising.map_err(|refusal| ("instrument", refusal.to_string()))?, cause))
            }
            None => None,
        };
        *news += 1;
        taken.push(Taken { line: line.line, id, version: edition.version, given: line.given.clone() });
        let (language, given) = (line.language.clone(), line.given.clone());
        Ok(Box::new(NewCheckIn { member, id, edition, when, language, given, raises }))
    }

    /// What of it somebody has to look at.
    fn remark(&self, line: &CheckInLine, edition: &Edition, step: &Step) -> Option<&'static str> {
        let risk = risk(&self.protocol, CheckInId(uuid::Uuid::nil()), edition, &line.given);
        let (Urgency::Prompt, _) = risk? else { return None };
        let is_old = line.on < self.raised_from;
        match step {
            Step::New(_) | Step::Matched(..) if is_old => Some(TOO_OLD),
            Step::New(_) => Some(RAISED),
            _ => None,
        }
    }
}

/// What answers give cause for.
fn risk(
    protocol: &protocol::State,
    id: CheckInId,
    edition: &Edition,
    given: &Private<Given>,
) -> Option<(Urgency, Private<Cause>)> {
    let instrument: &Instrument = protocol.instrument(&edition.instrument, edition.version)?;
    let (urgency, cause) = cause(id, instrument, given.in_clear())?;
    Some((urgency, given.clone().map(|_| cause)))
}

/// Which answer or score does not fit, and nothing of what it is.
fn misfit(invalid: &[Invalid], given: &Given) -> (Cow<'static, str>, String) {
    let what = invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let kind = if matches!(given, Given::Answers(_)) { "answers" } else { "stated" };
    let Some(first) = invalid.first() else { return ("given".into(), what) };
    (format!("given.{kind}.{}", first.id).into(), what)
}
