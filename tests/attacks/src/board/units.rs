//! What is counted: units, each with all places where it counts.

use std::collections::BTreeMap;

use super::{Count, Dim};
use crate::organisation::{Attendance, Code, Codes, GroupIndex, Member, MemberId, Month, Referral, State};

/// The fall of a score that is more than chance.
pub const BETTER_BY: i32 = 6;
const JANUARY: Month = Month(0);

/// The units of each count, in order of member.
pub type Units = BTreeMap<Count, Vec<Unit>>;

/// A person, a referral, or someone's sessions in a group in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Whose it is.
    pub member: MemberId,
    /// It counts once in each cell that has at least one of these.
    pub places: Vec<Place>,
    /// How much it adds to a cell.
    pub weight: i64,
}

/// A combination of codes that holds at once: a session of some programme in some quarter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The group that it is from, if known.
    pub group: Option<GroupIndex>,
    /// The finest code of each [`Dim`], in their order; none where the count is not split by it.
    pub codes: [Option<Code>; Dim::ALL.len()],
}

impl Place {
    fn of(group: Option<GroupIndex>, of: impl IntoIterator<Item = (Dim, Code)>) -> Self {
        let mut codes = [None; Dim::ALL.len()];
        for (dim, code) in of {
            codes[dim as usize] = Some(code);
        }
        Self { group, codes }
    }
}

/// What is counted of the quarters up to the last one (1 to 4).
pub fn units(codes: &Codes, state: &State, last_quarter: u8) -> Units {
    let visitors = visitors(state, last_quarter);
    let referrals = state.referrals.iter().filter(|referral| referral.quarter < last_quarter);
    let scored = || visitors.iter().filter_map(|visitor| Some((visitor.member, fall(visitor.member)?)));
    BTreeMap::from([
        (Count::People, visitors.iter().map(|visitor| person(visitor, codes)).collect()),
        (Count::Attendances, visitors.iter().flat_map(|visitor| sessions(visitor, codes)).collect()),
        (Count::New, visitors.iter().filter_map(newcomer).collect()),
        (Count::Referrals, referrals.map(referred).collect()),
        (Count::Paired, scored().map(|(member, _)| paired(member)).collect()),
        (Count::Better, scored().filter(|(_, fall)| *fall >= BETTER_BY).map(|(member, _)| paired(member)).collect()),
    ])
}

/// Someone who came in the period, and when: never empty.
struct Visitor<'a> {
    member: &'a Member,
    came: Vec<(Code, &'a Attendance)>,
}

fn visitors<'a>(state: &'a State, last_quarter: u8) -> Vec<Visitor<'a>> {
    let visitor = |rows: &'a [Attendance]| {
        let index = state.members.binary_search_by_key(&rows[0].member, |member| member.id).ok()?;
        let quarters = rows.iter().filter_map(|row| Some((row.month.quarter()?, row)));
        let came: Vec<_> = quarters.filter(|(quarter, _)| *quarter < last_quarter).collect();
        (!came.is_empty()).then_some(Visitor { member: &state.members[index], came })
    };
    state.attendance.chunk_by(|a, b| a.member == b.member).filter_map(visitor).collect()
}

/// Where someone was of their groups, in each quarter.
fn person(visitor: &Visitor<'_>, codes: &Codes) -> Unit {
    let Member { id, area, age_band, gender, .. } = *visitor.member;
    let mut came: Vec<_> = visitor.came.iter().map(|(quarter, row)| (*quarter, row.group)).collect();
    came.sort_unstable();
    came.dedup();
    let place = |(quarter, group): (Code, GroupIndex)| {
        let programme = codes.groups[usize::from(group)].programme;
        let at = [(Dim::Quarter, quarter), (Dim::Programme, programme)];
        let own = [(Dim::Area, area), (Dim::AgeBand, age_band), (Dim::Gender, gender)];
        Place::of(Some(group), at.into_iter().chain(own))
    };
    Unit { member: id, places: came.into_iter().map(place).collect(), weight: 1 }
}

fn sessions(visitor: &Visitor<'_>, codes: &Codes) -> impl Iterator<Item = Unit> {
    visitor.came.iter().map(|(quarter, row)| {
        let programme = codes.groups[usize::from(row.group)].programme;
        let of = [(Dim::Quarter, *quarter), (Dim::Programme, programme), (Dim::Area, visitor.member.area)];
        Unit { member: row.member, places: vec![Place::of(Some(row.group), of)], weight: row.sessions.into() }
    })
}

/// In the quarter of the first attendance, whatever group that was in.
fn newcomer(visitor: &Visitor<'_>) -> Option<Unit> {
    let Member { id, group, area, joined, .. } = *visitor.member;
    let quarter = visitor.came.iter().map(|(quarter, _)| *quarter).min()?;
    let place = Place::of(Some(group), [(Dim::Quarter, quarter), (Dim::Area, area)]);
    (joined >= JANUARY).then(|| Unit { member: id, places: vec![place], weight: 1 })
}

fn referred(referral: &Referral) -> Unit {
    let Referral { member, group, area, quarter, stage } = *referral;
    let of = [(Dim::Quarter, quarter), (Dim::Area, area), (Dim::Stage, stage)];
    Unit { member, places: vec![Place::of(group, of)], weight: 1 }
}

fn paired(member: &Member) -> Unit {
    let of = [(Dim::Programme, member.programme), (Dim::Area, member.area)];
    Unit { member: member.id, places: vec![Place::of(Some(member.group), of)], weight: 1 }
}

/// By how much the score fell, of who has two.
fn fall(member: &Member) -> Option<i32> {
    Some(member.baseline? - member.last?)
}
