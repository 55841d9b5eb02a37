//! Show a meeting's register.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, response::Response};
use domain::{
    MeetingId, MemberId, Subject,
    audit::List,
    meeting::{AttendanceMode, Mark, Mood, Phase, Status, Structure},
};
use host::{is_erased, row};
use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{After, Caller, CallerMay, Path, Problem, Problems, Read, Role};

use crate::{
    OF_MEMBERS, Projections,
    meetings::{self, MeetingRow},
    op,
    opening::{Look, UNREADABLE},
    record_view,
    register_view::{self, SealedMood},
    rosters, sight,
};

/// A meeting's register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RegisterView {
    pub meeting: MeetingRow,
    /// What was kept of how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structure: Option<StructureView>,
    /// Members on the roster of the meeting's date and all others who were marked.
    pub members: Vec<RegisterLine>,
    /// How many members of the roster have no mark: not recorded, which is not the same as absent.
    pub not_recorded: usize,
    /// How many marks are of people who were erased since: they count, and are nobody's any more.
    pub erased: usize,
}

/// What was kept of how a meeting went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct StructureView {
    /// In their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What it was about, for those who may record it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who was there to lead it, as their tokens say.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub facilitators: BTreeSet<Subject>,
}

/// One member on a register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RegisterLine {
    pub member: MemberId,
    /// What they are called, of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Missing if it is not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttendanceMode>,
    /// Came without being on the roster.
    pub walk_in: bool,
    /// Whether the mark was changed after the register was closed.
    pub corrected: bool,
    /// Who set the mark that stands: the subject of their token, or `client:` and the id of an API client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Subject>)]
    pub recorded_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Timestamp>,
    /// How they said they feel, as long as the register is open and for whoever entered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mood: Option<Mood>,
}

/// Show a meeting's register
///
/// Everyone on the roster of the meeting's date and everyone who was marked. Without a mark means not recorded. Who was
/// registered twice and merged is one person, under the record under which they go on; of two marks the better attended
/// counts. Of a register that was opened again, it shows no mood of before.
/// Facilitators read what those are called whose records are open to the group, and what was typed in by themselves or
/// at its meetings. Moods are read by whoever entered them, until the register is closed.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/register", tag = "views",
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 200, description = "The register", body = RegisterView), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn show_register(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowRegister>,
    after: After,
    Path(meeting): Path<MeetingId>,
) -> Result<Response, Problem> {
    let org = caller.org.clone();
    let read = move |connection: &_| register_view::group_of(connection, org.as_str(), meeting);
    let Read(_, group) = projections.find(&[&register_view::REGISTERS], after, "meeting", read).await?;
    caller.require_group(group)?;
    let who = caller.clone();
    let read = move |connection: &_| {
        let Some(page) = page(connection, &who, meeting)? else { return Ok(None) };
        let members = page.register.members.iter().map(|line| line.member);
        sight::of_list(connection, &who, group, members).map(|fields| Some((page, fields)))
    };
    let Read(position, (page, fields)) = projections.find(OF_MEMBERS, after, "meeting", read).await?;
    let Page { mut register, structure, moods, counted } = page;
    let mut recorded = projections.recorded(&caller.org, (meeting, position)).await;
    let (list, members) = (List::Register(meeting), register.members.iter().map(|line| line.member));
    let look = Look::at_list(&caller, "show_register", (list, position), members);
    let mut called = projections.called(look, fields).await?;
    let mut opened = projections.moods(&caller, moods.values()).await?;
    for line in &mut register.members {
        if let Some(set) = counted.get(&line.member).and_then(|record| recorded.remove(record)) {
            (line.recorded_by, line.recorded_at) = (set.by, Some(set.at));
        }
        line.called = called.names.remove(&line.member);
        let mood = moods.get(&line.member).and_then(|sealed| opened.remove(&(sealed.member, meeting)));
        line.unreadable = called.unreadable.contains(&line.member) || mood == Some(None);
        line.mood = mood.flatten();
    }
    if let Some(structure) = structure {
        register.structure = Some(projections.structure(&caller, meeting, structure).await?);
    }
    projections.answer(&caller, Read(position, register)).await
}

impl Projections {
    /// What was kept of how a meeting went, with its topic opened for those who may record it.
    async fn structure(
        &self,
        caller: &Caller,
        meeting: MeetingId,
        structure: Structure,
    ) -> Result<StructureView, Problem> {
        let Structure { phases, topic, facilitators } = structure;
        let topic = match topic.filter(|_| caller.role != Role::Auditor) {
            None => None,
            Some(sealed) => {
                let key = self.personal.vault.org_key(&caller.org).await?;
                Some(match key.open(&caller.org, meeting.0, SealedAs::Topic, &sealed) {
                    Ok(topic) => String::from_utf8_lossy(&topic).into_owned(),
                    Err(error) => {
                        tracing::error!(%meeting, %error, "what a meeting was about cannot be read");
                        UNREADABLE.to_owned()
                    }
                })
            }
        };
        Ok(StructureView { phases, topic, facilitators })
    }
}

/// The register of a meeting, and what is sealed beside it.
struct Page {
    register: RegisterView,
    structure: Option<Structure>,
    /// The moods that the caller reads, by person.
    moods: BTreeMap<MemberId, SealedMood>,
    /// Of each person with a mark, the record whose mark counts.
    counted: BTreeMap<MemberId, MemberId>,
}

/// The register of a meeting, as the caller sees it.
fn page(connection: &Connection, caller: &Caller, id: MeetingId) -> rusqlite::Result<Option<Page>> {
    let org = caller.org.as_str();
    let Some((key, meeting)) = meetings::find(connection, org, id)? else { return Ok(None) };
    let mut people: BTreeMap<MemberId, OnRegister> = BTreeMap::new();
    for (person, record) in rosters::enrolled_on(connection, org, meeting.group, meeting.starts_at_local.date())? {
        people.entry(person).or_default().enrolled.push(record);
    }
    let mut erased = BTreeSet::new();
    for mark in marked(connection, key)? {
        let person = record_view::goes_on_as(connection, org, mark.member)?;
        if is_erased(connection, org, mark.member)? {
            erased.insert(person);
        } else {
            people.entry(person).or_default().marks.push(mark);
        }
    }
    let counted = people.iter().filter_map(|(person, on)| Some((*person, on.counts(*person)?.member))).collect();
    let members: Vec<_> = people.into_iter().map(|(person, on)| on.line(person)).collect();
    let not_recorded = members.iter().filter(|line| line.mark.is_none()).count();
    let moods = if meeting.status == Status::Open { moods(connection, caller, key)? } else { BTreeMap::new() };
    let structure = register_view::structure(connection, key)?;
    let register = RegisterView { meeting, structure: None, members, not_recorded, erased: erased.len() };
    Ok(Some(Page { register, structure, moods, counted }))
}

/// The moods that the caller entered, by person; of several, that of the record under which the person goes on.
fn moods(connection: &Connection, caller: &Caller, key: i64) -> rusqlite::Result<BTreeMap<MemberId, SealedMood>> {
    let mut moods = BTreeMap::new();
    for mood in register_view::moods_entered_by(connection, key, &caller.subject)? {
        let person = record_view::goes_on_as(connection, caller.org.as_str(), mood.member)?;
        if mood.member == person || !moods.contains_key(&person) {
            moods.insert(person, mood);
        }
    }
    Ok(moods)
}

/// One person on a register, under any of their records.
#[derive(Default)]
struct OnRegister {
    /// Those that are on the roster of the meeting's date.
    enrolled: Vec<MemberId>,
    /// What each that was marked has.
    marks: Vec<RegisterLine>,
}

impl OnRegister {
    /// The mark that counts: the better attended, or that of the record under which the person goes on.
    fn counts(&self, member: MemberId) -> Option<&RegisterLine> {
        self.marks.iter().min_by_key(|line| (line.mark, line.member != member))
    }

    fn line(self, member: MemberId) -> RegisterLine {
        let Self { enrolled, marks } = &self;
        let other_enrolled = enrolled.iter().any(|record| marks.iter().all(|line| line.member != *record));
        let walk_in = !other_enrolled && !marks.is_empty() && marks.iter().all(|line| line.walk_in);
        let corrected = marks.iter().any(|line| line.corrected);
        match self.counts(member) {
            Some(counts) => RegisterLine { member, walk_in, corrected, ..counts.clone() },
            None => RegisterLine::not_recorded(member),
        }
    }
}

impl RegisterLine {
    /// Of somebody without a mark.
    fn not_recorded(member: MemberId) -> Self {
        Self {
            member,
            called: None,
            unreadable: false,
            mark: None,
            mode: None,
            walk_in: false,
            corrected: false,
            recorded_by: None,
            recorded_at: None,
            mood: None,
        }
    }
}

fn marked(connection: &Connection, meeting: i64) -> rusqlite::Result<Vec<RegisterLine>> {
    let mut statement = connection
        .prepare_cached("SELECT member, mark, mode, walk_in, corrected FROM attendance WHERE meeting = ?1")?;
    let rows = statement.query_map([meeting], |row| {
        Ok(RegisterLine {
            mark: Some(row::word(row, 1)?),
            mode: row::maybe_word(row, 2)?,
            walk_in: row.get(3)?,
            corrected: row.get(4)?,
            ..RegisterLine::not_recorded(MemberId(row::uuid(row, 0)?))
        })
    })?;
    rows.collect()
}
