//! What is to be done with each line: all that it needs is looked at before anything of it is written.

use std::collections::{BTreeSet, HashMap};

use domain::{
    Decider, GroupId, LocalDay, MemberId, OrgId,
    member::{EXTERNAL_IDS_MAX, ExternalId, Field, Profile, Record, Refusal},
    people::Persons,
    roster::{self, Ask, IfFull, Roster},
};
use eventlog::give_way;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;
use vault::{Blind, Key, open_profile, seal_profile};
use web::{Became, IMPORT_LINES_AT_ONCE, IfDuplicate, LineReport, Planned, Problem, Run};

use super::{LineEnrolment, MemberLine, SEALED_BYTES};
use crate::{Membership, today};

/// What is said of a line that says nothing new.
const REPEATED: &str = "another line says the same";
/// What is said of a line that may be about somebody of another one.
const SHARED: &str = "another line has the same e-mail address, telephone number, or name and year of birth";
/// Fields that must be given, for a line that says the same as another to be about the same person; a count.
const REPEATED_FIELDS_MIN: usize = 2;

/// A line and what is to be done with it.
#[derive(Debug)]
#[allow(clippy::struct_field_names)] // its number has no other name anywhere
pub(super) struct Line {
    pub line: u32,
    pub profile: Profile,
    pub enrolments: Vec<LineEnrolment>,
    pub step: Step,
    pub external: Vec<Blind>,
    pub others: Vec<Blind>,
    /// What was said, as a digest: a line that says the same is a repetition.
    said: [u8; 32],
}

#[derive(Debug)]
pub(super) enum Step {
    New(MemberId),
    /// Somebody who is here; whether something is said that is not known yet.
    Known(MemberId, bool),
    /// May be one of these, or somebody of a line before it.
    Duplicate(Vec<MemberId>, Option<Before>),
    /// The field, and what is wrong with it.
    Rejected(&'static str, String),
}

/// A line before, and whether this one says the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    line: u32,
    repeated: bool,
}

impl Planned for Line {
    fn report(&self) -> LineReport {
        let of = |became, member| LineReport { member: Some(member), ..LineReport::new(self.line, became) };
        match &self.step {
            Step::New(member) => of(Became::New, *member),
            Step::Known(member, true) => of(Became::Changed, *member),
            Step::Known(member, false) => of(Became::Matched, *member),
            Step::Duplicate(of, before) => LineReport {
                possible_duplicates: of.clone(),
                other_line: before.map(|before| before.line),
                what: before.map(|before| if before.repeated { REPEATED } else { SHARED }.to_owned()),
                ..LineReport::new(self.line, Became::Duplicate)
            },
            Step::Rejected(field, what) => LineReport::rejected(self.line, *field, what.clone()),
        }
    }
}

impl Membership {
    /// What is to be done with each line, in their order.
    pub(super) async fn plan_lines(&self, run: &Run, lines: Vec<MemberLine>) -> Result<Vec<Line>, Problem> {
        let (org, mode) = (run.org(), run.duplicates);
        let groups: BTreeSet<_> =
            lines.iter().flat_map(|line| &line.enrolments).map(|enrolment| enrolment.group).collect();
        let (mut so_far, mut all) = (self.so_far(run, groups).await?, Vec::with_capacity(lines.len()));
        let mut found = stream::iter(lines)
            .map(|line| self.find(org, &run.org_key, id(run, &line), line, mode))
            .buffered(IMPORT_LINES_AT_ONCE)
            .inspect(|_| run.progress.step(1))
            .try_chunks(IMPORT_LINES_AT_ONCE);
        while let Some(mut some) = found.try_next().await.map_err(|error| error.1)? {
            let settle = move || {
                for line in &mut some {
                    so_far.settle(line, mode);
                }
                (so_far, some)
            };
            (so_far, some) = self.authenticator.compute.run(run.caller.asking(), settle).await?;
            all.extend(some);
        }
        Ok(all)
    }

    /// Rosters as they are before the first line.
    async fn so_far(&self, run: &Run, groups: BTreeSet<GroupId>) -> Result<SoFar, Problem> {
        let org = run.org();
        let now = self.authenticator.clock.local(run.cause.at);
        let persons = self.known.persons(org).await?;
        let (claimed, said, written) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut rosters = HashMap::new();
        for group in groups {
            let today = self.groups.look(org, group, |known| today(&known.state, &now)).await?;
            let roster = self.rosters.look(org, group, |roster| roster.state.clone()).await?;
            rosters.insert(group, today.map(|today| (today, roster)));
        }
        Ok(SoFar { claimed, said, written, rosters, persons })
    }

    /// Whom a line is about, as far as can be said without the lines before it.
    async fn find(
        &self,
        org: &OrgId,
        org_key: &Key,
        id: MemberId,
        line: MemberLine,
        mode: IfDuplicate,
    ) -> Result<Line, Problem> {
        let MemberLine { line, member: named, profile, enrolments } = line;
        let said = serde_json::to_string(&profile).unwrap_or_default() + &format!("\0{named:?}{enrolments:?}");
        let said = org_key.digest(said.as_bytes());
        let external = Profile { external_ids: profile.external_ids.clone(), ..Profile::default() };
        give_way(SEALED_BYTES).await;
        let external = Blind::all(org_key, self.vault.country(), &external);
        let others = Blind::all(org_key, self.vault.country(), &Profile { external_ids: None, ..profile.clone() });
        let mut line = Line { line, profile, enrolments, step: Step::New(id), external, others, said };
        if let Err(error) = line.profile.check(&self.today()) {
            line.step = Step::Rejected("profile", error.to_string());
            return Ok(line);
        }
        let same = self.known.sharing(org, &line.external).await?;
        line.step = match (self.known.there(org, id).await?, &same[..]) {
            (Some((member, record)), _) if named.is_some() => self.known_line(org, member, &record, &mut line).await?,
            (_, [(member, record)]) => self.known_line(org, *member, record, &mut line).await?,
            (_, [_, _, ..]) => Step::Rejected("external_ids", "more than one member has them".into()),
            (Some((member, record)), []) => self.known_line(org, member, &record, &mut line).await?,
            (None, []) if !self.erased(org, &[id]).await?.is_empty() => {
                Step::Rejected("external_ids", "nobody can be registered with them".into())
            }
            (None, []) => self.similar(org, id, &line, mode).await?,
        };
        Ok(line)
    }

    /// Somebody new, unless they share something with others.
    async fn similar(&self, org: &OrgId, id: MemberId, line: &Line, mode: IfDuplicate) -> Result<Step, Problem> {
        let similar = self.known.sharing(org, &line.others).await?;
        if let ([(member, record)], true) = (&similar[..], line.external.is_empty())
            && !self.says_more(org, *member, record, &line.profile).await?
        {
            return Ok(Step::Known(*member, false));
        }
        Ok(match mode {
            IfDuplicate::Report if !similar.is_empty() => {
                Step::Duplicate(similar.into_iter().map(|(member, _)| member).collect(), None)
            }
            _ => Step::New(id),
        })
    }

    /// A line about somebody who is here: what is said is added to what is known.
    async fn known_line(
        &self,
        org: &OrgId,
        member: MemberId,
        record: &Record,
        line: &mut Line,
    ) -> Result<Step, Problem> {
        if let Some(ids) = &mut line.profile.external_ids {
            let known = self.external_ids(org, member, record).await?;
            let (said, all) = (std::mem::take(ids), ids);
            *all = known;
            all.extend(said.into_iter().filter(|id| !all.contains(id)).collect::<Vec<_>>());
            if all.len() > EXTERNAL_IDS_MAX {
                return Ok(Step::Rejected("external_ids", format!("they would be more than {EXTERNAL_IDS_MAX}")));
            }
        }
        let news = self.says_more(org, member, record, &line.profile).await?;
        if news && record.permissions.restricted {
            return Ok(Step::Rejected("line", Refusal::Restricted.to_string()));
        }
        Ok(Step::Known(member, news))
    }

    async fn external_ids(&self, org: &OrgId, member: MemberId, record: &Record) -> Result<Vec<ExternalId>, Problem> {
        let Some(key) = self.vault.key(org, member).await? else { return Ok(vec![]) };
        let opened = open_profile(&key, org, member.0, &record.fields, &[Field::ExternalIds]);
        Ok(opened.map_err(|error| Problem::internal(&error))?.external_ids.unwrap_or_default())
    }

    /// Whether a profile says something that is not known of the member.
    async fn says_more(
        &self,
        org: &OrgId,
        member: MemberId,
        record: &Record,
        profile: &Profile,
    ) -> Result<bool, Problem> {
        if *profile == Profile::default() {
            return Ok(false);
        }
        let Some(key) = self.vault.key(org, member).await? else { return Ok(true) };
        let said = seal_profile(&key, org, member.0, profile);
        give_way(SEALED_BYTES).await;
        Ok(said.iter().any(|(field, sealed)| record.fields.get(field) != Some(sealed)))
    }
}

/// The id of a new member: as named; or from their first external id, or the file and the line, so that the same file
/// again makes nobody twice; or else from the command. With the organisation's key, so that nobody can tell the one from
/// the other.
fn id(Run { org_key, file, cause, .. }: &Run, line: &MemberLine) -> MemberId {
    let from = |id: &ExternalId| {
        let text = format!("import\0{}\0{}", id.system.as_str().to_lowercase(), id.value.as_str());
        let secret = Uuid::from_slice(&org_key.digest(text.as_bytes())[..16]).unwrap_or_default();
        MemberId(Uuid::new_v5(&secret, b"member"))
    };
    let external = || line.profile.external_ids.as_ref()?.first().map(from);
    let origin = || match file {
        Some(file) => format!("import of file\0{}\0{file}", line.line),
        None => format!("import\0{}\0{}", line.line, cause.id),
    };
    line.member.or_else(external).unwrap_or_else(|| MemberId(org_key.id(&origin())))
}

/// What the lines so far do to those after them.
struct SoFar {
    claimed: HashMap<Blind, (u32, MemberId)>,
    /// By what they say.
    said: HashMap<[u8; 32], (u32, MemberId)>,
    /// Members whose record a line writes: each has one line, as lines are done in no order.
    written: HashMap<MemberId, u32>,
    /// Rosters as they will be, and the day; none if there is no such group.
    rosters: HashMap<GroupId, Option<(LocalDay, roster::State)>>,
    persons: Persons,
}

impl SoFar {
    /// Settles a line after those before it.
    fn settle(&mut self, line: &mut Line, mode: IfDuplicate) {
        let (Step::New(member) | Step::Known(member, _)) = line.step else { return };
        let repeated = self.said.get(&line.said).map(|(other, of)| (*of, Before { line: *other, repeated: true }));
        if let Some((other, _)) = line.external.iter().find_map(|blind| self.claimed.get(blind)) {
            let says = if repeated.is_some() { "says" } else { "has" };
            line.step = Step::Rejected("external_ids", format!("line {other} {says} the same"));
            return;
        }
        let alike = line.others.iter().find_map(|blind| self.claimed.get(blind));
        let alike = alike.map(|(other, of)| (*of, Before { line: *other, repeated: false }));
        let repeated = repeated.filter(|_| line.profile.fields().len() >= REPEATED_FIELDS_MIN);
        if let (Some((of, before)), Step::New(_), IfDuplicate::Report) = (repeated.or(alike), &line.step, mode) {
            line.step = Step::Duplicate(vec![of], Some(before));
            return;
        }
        let writes = !matches!(line.step, Step::Known(_, false));
        if let (true, Some(other)) = (writes, self.written.get(&member)) {
            line.step = Step::Rejected("member", format!("line {other} says something of the same member"));
            return;
        }
        match self.enrol(member, &line.enrolments) {
            Err(what) => line.step = Step::Rejected("enrolments", what),
            Ok(enrolled) => {
                if let Step::Known(_, news) = &mut line.step {
                    *news |= enrolled;
                }
                let claims = line.external.iter().chain(&line.others);
                self.claimed.extend(claims.map(|blind| (*blind, (line.line, member))));
                self.said.entry(line.said).or_insert((line.line, member));
                self.written.extend(writes.then_some((member, line.line)));
            }
        }
    }

    /// Puts the member on the rosters, on all or on none; answers whether that changed one.
    fn enrol(&mut self, member: MemberId, enrolments: &[LineEnrolment]) -> Result<bool, String> {
        let mut decided = Vec::with_capacity(enrolments.len());
        for LineEnrolment { group, starts_on } in enrolments {
            if decided.iter().any(|(other, _)| other == group) {
                return Err("a group is there twice".into());
            }
            let Some(Some((today, roster))) = self.rosters.get(group) else {
                return Err(domain::group::Refusal::Unknown.to_string());
            };
            let ask = Ask::Enrol { member, starts_on: *starts_on, if_full: IfFull::Refuse };
            let (today, persons) = (today.clone(), self.persons.clone());
            let events = Roster::decide(&roster::Command { today, proposed_by: None, persons, ask }, roster);
            decided.push((*group, events.map_err(|refusal| refusal.to_string())?));
        }
        let enrolled = decided.iter().any(|(_, events)| !events.is_empty());
        for (group, events) in decided {
            if let Some(Some((_, roster))) = self.rosters.get_mut(&group) {
                *roster = events.iter().fold(std::mem::take(roster), Roster::evolve);
            }
        }
        Ok(enrolled)
    }
}
