//! A group's vitality: signs that it may need somebody, each with the numbers that it comes from. Read of registers,
//! enrolments and records when it is asked for; nothing of it is kept.
//!
//! It is for those who run the group and see its registers anyway: small numbers stand in it as they are, and it is no
//! figure to publish. The thresholds are rules of thumb of ours, chosen so that one bad evening shows nothing; none of
//! them was validated. What cannot be told from what was recorded is unknown, and never a sign.

use std::collections::BTreeMap;

use domain::{
    GroupId, LocalDay, MemberId, Subject,
    meeting::{LAPSED_AFTER_MEETINGS, Streaks, Structure},
};
use jiff::{Zoned, civil::Date};
use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    enrolment_view::{self, Placed},
    group_view,
    meetings::{self, MeetingRow, OverdueRegister, StructureCounts, count},
    record_view,
    streaks::{self, HeldMeeting},
};

/// Held meetings that are compared with as many before, a count: six weeks of a weekly group.
const COMPARED_MEETINGS: u32 = 6;
/// Fewer by so much is shrinking, in per cent. Of a group of eight it is two: more than chance alone makes of six meetings.
const SHRUNK_PERCENT: u32 = 25;
/// And by so many at each meeting, a count: in a group of three, a quarter is less than one person.
const SHRUNK_PER_MEETING: u32 = 1;
/// Held meetings at which structure and facilitators are looked at, a count: as many as the group's view shows.
const LAST_MEETINGS: u32 = 12;
/// Fewest of them of which something must be known, a count: half.
const KNOWN_MEETINGS_MIN: u32 = 6;
/// So many of them led by the same one alone are a dependence, in per cent: somebody else has shown at less than one in
/// four that it goes on without them.
const LED_ALONE_PERCENT: u32 = 75;
/// Structure is seldom kept if it is at fewer of them, in per cent: at most of them, nobody can tell how they went.
const STRUCTURE_KEPT_PERCENT: u32 = 50;
/// Held meetings that are looked at for lapses, and for registers in which anybody was marked or counted, a count: a year
/// of a weekly group. It bounds the work.
const LOOKED_BACK_MEETINGS: u32 = 52;
/// That nobody has lapsed is known if so many marks are there, in per cent, of those on the roster at the last meetings.
const MARKED_PERCENT: u32 = 50;

/// Signs of a group that may need somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Vitality {
    pub group: GroupId,
    /// Today, where the group meets.
    pub on: Date,
    pub shrinking: Sign<Shrinking>,
    pub depends_on_one_facilitator: Sign<Leading>,
    pub registers_overdue: Sign<Overdue>,
    pub structure_seldom_kept: Sign<Kept>,
    pub lapsed: Sign<Lapsed>,
}

/// A sign, and what it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Sign<T> {
    pub shows: Shows,
    /// When it shows, in words: a rule of thumb.
    pub rule: String,
    /// What is missing to know, if it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The numbers that it comes from.
    pub numbers: T,
}

/// Whether a sign shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shows {
    Yes,
    No,
    /// It cannot be told from what was recorded.
    Unknown,
}

impl<T> Sign<T> {
    /// A sign that shows or does not, or what is missing to know.
    fn new(shows: Result<bool, String>, rule: String, numbers: T) -> Self {
        let (shows, missing) = match shows {
            Ok(true) => (Shows::Yes, None),
            Ok(false) => (Shows::No, None),
            Err(missing) => (Shows::Unknown, Some(missing)),
        };
        Self { shows, rule, missing, numbers }
    }
}

/// How many came to the last held meetings, and to as many before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Shrinking {
    pub last: Attended,
    pub before: Attended,
}

/// How many came to some held meetings at which anybody was marked or counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub(crate) struct Attended {
    /// So many; unit: meeting.
    pub meetings: u32,
    /// Local day of the first of them.
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Local day of the last of them.
    #[schema(value_type = Option<String>, format = Date)]
    pub through: Option<Date>,
    /// Marks of those who came, on time or late; unit: attendance.
    pub attendances: u32,
    /// Anonymous heads; unit: anonymous head.
    pub heads: u32,
}

/// Who led the last 12 held meetings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Leading {
    /// Those of which it was kept who led them; unit: meeting.
    pub meetings: u32,
    /// Who led most of them alone, as their tokens say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facilitator: Option<Subject>,
    /// How many they led alone; unit: meeting.
    pub led_alone: u32,
}

/// Meetings that are over and of which nobody said what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Overdue {
    /// All of them; unit: meeting.
    pub meetings: u32,
    /// At most 12, oldest first.
    pub oldest: Vec<OverdueRegister>,
}

/// How much was kept of how the last 12 held meetings went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StructureKept)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub counts: StructureCounts,
    /// With any of these.
    pub any: u32,
}

/// Who has a place today and has lapsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Lapsed {
    /// On the roster today; unit: person.
    pub enrolled: u32,
    /// Marks that they can have at the last 3 held meetings, of those that were held while they had their place.
    pub expected_marks: u32,
    /// Of these, how many are not there: that is not the same as absent.
    pub not_recorded: u32,
    /// By id.
    pub members: Vec<LapsedMember>,
}

/// Somebody who missed several held meetings in a row, up to the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LapsedMember {
    pub member: MemberId,
    /// So many, of the last 52 held meetings; unit: meeting.
    pub missed_in_a_row: u32,
    /// Local day of the first of them.
    pub first_missed_on: Date,
    /// Local day of the last one that they attended, of the last 52 held meetings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub last_attended_on: Option<Date>,
}

/// The signs of a group; none if there is no such group.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    group: GroupId,
    now: &Zoned,
) -> rusqlite::Result<Option<Vitality>> {
    if !group_view::is_known(connection, org, group)? {
        return Ok(None);
    }
    let today = LocalDay::of(&group_view::there(connection, org, group, now)?).date();
    let held = meetings::last_held(connection, org, group, LOOKED_BACK_MEETINGS)?;
    let structures = meetings::last_structures(connection, org, group, LAST_MEETINGS)?;
    let overdue = meetings::overdue_in(connection, (org, group), now.timestamp(), LAST_MEETINGS)?;
    let since = held.last().map_or(today, |meeting| meeting.starts_at_local.date());
    Ok(Some(Vitality {
        group,
        on: today,
        shrinking: shrinking(&held),
        depends_on_one_facilitator: depends_on_one_facilitator(&structures),
        registers_overdue: registers_overdue(overdue),
        structure_seldom_kept: structure_seldom_kept(&structures),
        lapsed: lapsed(&roster(connection, (org, group), today, since)?),
    }))
}

/// Who has a place in the group today and has lapsed, and the first day on which they stayed away.
pub(crate) fn lapses(
    connection: &Connection,
    (org, group): (&str, GroupId),
    today: Date,
) -> rusqlite::Result<Vec<(MemberId, Date)>> {
    let since = meetings::held_since(connection, (org, group), LOOKED_BACK_MEETINGS)?.unwrap_or(today);
    let roster = roster(connection, (org, group), today, since)?;
    let lapsed = roster.iter().filter_map(|(member, meetings)| lapsed_member(*member, meetings));
    Ok(lapsed.map(|lapsed| (lapsed.member, lapsed.first_missed_on)).collect())
}

/// Those with a place today, and how they came to the held meetings since that day.
fn roster(
    connection: &Connection,
    (org, group): (&str, GroupId),
    today: Date,
    since: Date,
) -> rusqlite::Result<Vec<(MemberId, Vec<HeldMeeting>)>> {
    let placed = enrolment_view::placed(connection, org, (Some(group), None))?.into_iter();
    let has_place = |placed: &Placed| placed.starts_on <= today && placed.ends_on.is_none_or(|last| last >= today);
    let meetings = placed.filter(has_place).map(|placed| {
        let records = record_view::person(connection, org, placed.person)?;
        let placed = Placed { starts_on: placed.starts_on.max(since), ..placed };
        Ok((placed.person, streaks::held_meetings(connection, org, &placed, &records)?))
    });
    meetings.collect()
}

/// Whether `part` is at least so many per cent of `whole`.
fn reaches(part: u32, percent: u32, whole: u32) -> bool {
    u64::from(part) * 100 >= u64::from(whole) * u64::from(percent)
}

/// Of held meetings, latest first.
fn shrinking(held: &[MeetingRow]) -> Sign<Shrinking> {
    let rule = format!(
        "attendances and anonymous heads at the last {COMPARED_MEETINGS} held meetings are fewer than at the \
         {COMPARED_MEETINGS} before by {SHRUNK_PERCENT} % or more, and by {SHRUNK_PER_MEETING} or more a meeting"
    );
    // A register in which nobody was marked or counted says nothing of how many came.
    let mut counted = held.iter().filter(|meeting| came(meeting) > 0 || meeting.marks.any());
    let mut next = || counted.by_ref().take(COMPARED_MEETINGS as usize).fold(Attended::default(), Attended::and);
    let (last, before) = (next(), next());
    let known = last.meetings + before.meetings;
    let all = |attended: Attended| attended.attendances + attended.heads;
    let fewer = all(before).saturating_sub(all(last));
    let shows = if known < 2 * COMPARED_MEETINGS {
        Err(format!("{known} held meetings with marks or heads, of {}", 2 * COMPARED_MEETINGS))
    } else {
        Ok(fewer >= SHRUNK_PER_MEETING * COMPARED_MEETINGS && reaches(fewer, SHRUNK_PERCENT, all(before)))
    };
    Sign::new(shows, rule, Shrinking { last, before })
}

/// How many came to a meeting, as marked and as counted.
fn came(meeting: &MeetingRow) -> u32 {
    let heads: u32 = meeting.heads.values().map(|heads| u32::from(*heads)).sum();
    meeting.marks.attended() + heads
}

impl Attended {
    /// With a meeting before those.
    fn and(self, meeting: &MeetingRow) -> Self {
        let (day, attended) = (meeting.starts_at_local.date(), meeting.marks.attended());
        Self {
            meetings: self.meetings + 1,
            from: Some(day),
            through: self.through.or(Some(day)),
            attendances: self.attendances + attended,
            heads: self.heads + came(meeting) - attended,
        }
    }
}

fn depends_on_one_facilitator(structures: &[Structure]) -> Sign<Leading> {
    let rule = format!(
        "the same one led {LED_ALONE_PERCENT} % or more alone, of the last {LAST_MEETINGS} held meetings of which it was \
         kept who led them"
    );
    let led = structures.iter().map(|kept| &kept.facilitators).filter(|led| !led.is_empty());
    let meetings = count(led.clone());
    let mut alone = BTreeMap::<&Subject, u32>::new();
    for who in led.filter(|led| led.len() == 1).flatten() {
        *alone.entry(who).or_default() += 1;
    }
    let most = alone.into_iter().max_by_key(|(_, meetings)| *meetings);
    let (facilitator, led_alone) = most.map_or((None, 0), |(who, meetings)| (Some(who.clone()), meetings));
    let shows = if meetings < KNOWN_MEETINGS_MIN {
        Err(format!("{meetings} held meetings of which it was kept who led them, of {KNOWN_MEETINGS_MIN}"))
    } else {
        Ok(reaches(led_alone, LED_ALONE_PERCENT, meetings))
    };
    Sign::new(shows, rule, Leading { meetings, facilitator, led_alone })
}

fn registers_overdue((meetings, oldest): (u32, Vec<OverdueRegister>)) -> Sign<Overdue> {
    let rule = "a meeting is over, and nobody said what became of it".to_owned();
    Sign::new(Ok(meetings > 0), rule, Overdue { meetings, oldest })
}

fn structure_seldom_kept(structures: &[Structure]) -> Sign<Kept> {
    let rule = format!(
        "phases, topic or facilitators are kept of fewer than {STRUCTURE_KEPT_PERCENT} % of the last {LAST_MEETINGS} held \
         meetings, and of one at least"
    );
    let counts = StructureCounts::of(structures);
    let any = count(structures.iter().filter(|kept| **kept != Structure::default()));
    let shows = match any {
        _ if counts.held < KNOWN_MEETINGS_MIN => Err(format!("{} held meetings, of {KNOWN_MEETINGS_MIN}", counts.held)),
        0 => Err("nothing was kept: it is optional, and the group may not want to".to_owned()),
        any => Ok(!reaches(any, STRUCTURE_KEPT_PERCENT, counts.held)),
    };
    Sign::new(shows, rule, Kept { counts, any })
}

fn lapsed(roster: &[(MemberId, Vec<HeldMeeting>)]) -> Sign<Lapsed> {
    let rule = format!(
        "somebody on the roster was marked absent at {LAPSED_AFTER_MEETINGS} or more held meetings in a row, up to the \
         latest that they have a mark of"
    );
    let members: Vec<_> = roster.iter().filter_map(|(member, meetings)| lapsed_member(*member, meetings)).collect();
    let last = || roster.iter().flat_map(|(_, meetings)| meetings.iter().rev().take(LAPSED_AFTER_MEETINGS as usize));
    let (expected_marks, not_recorded) = (count(last()), count(last().filter(|(_, mark)| mark.is_none())));
    let most = roster.iter().map(|(_, meetings)| meetings.len()).max().unwrap_or_default();
    let shows = match () {
        () if !members.is_empty() => Ok(true),
        () if most < LAPSED_AFTER_MEETINGS as usize => {
            Err(format!("{most} held meetings while anybody had a place, of {LAPSED_AFTER_MEETINGS}"))
        }
        () if !reaches(expected_marks - not_recorded, MARKED_PERCENT, expected_marks) => {
            Err(format!("{} marks of those on the roster, of {expected_marks}", expected_marks - not_recorded))
        }
        () => Ok(false),
    };
    let numbers = Lapsed { enrolled: count(roster.iter()), expected_marks, not_recorded, members };
    Sign::new(shows, rule, numbers)
}

fn lapsed_member(member: MemberId, meetings: &[HeldMeeting]) -> Option<LapsedMember> {
    let streaks = Streaks::of(meetings.iter().copied());
    let lapse = streaks.lapsed()?;
    Some(LapsedMember {
        member,
        missed_in_a_row: lapse.missed,
        first_missed_on: lapse.first_missed_on,
        last_attended_on: streaks.last_attended_on,
    })
}
