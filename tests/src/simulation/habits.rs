//! People and how they are: when they come, how late, when they stop, whether they come back; facilitators and how
//! carefully they write it down.

use domain::{GroupId, MemberId, group::MeetingMode, meeting::AttendanceMode};
use jiff::{Span, civil::Date};
use rand::{RngExt, rngs::StdRng};

use super::care::Wellbeing;

/// Share of members in a second group, and of these in a third.
const MORE_GROUPS: [f64; 2] = [0.18, 0.25];
/// Share of enrolments that began before the year.
const BEFORE_THE_YEAR: f64 = 0.55;
/// How long before the year they began at most, in days.
const DAYS_BEFORE_MAX: i32 = 200;
/// Share of groups that people leave faster than others.
const SHRINKING: f64 = 0.15;
/// How much faster.
const SHRINKING_FACTOR: f64 = 4.0;
/// Chance to stop coming, per week.
const DROP_OUT_PER_WEEK: std::ops::Range<f64> = 0.004..0.02;
/// Share of those who stopped who come back.
const COMES_BACK: f64 = 0.3;
/// After how long, in weeks.
const WEEKS_AWAY: std::ops::Range<i32> = 6..20;
/// Share of those who stopped who are withdrawn from the roster.
const WITHDRAWN: f64 = 0.5;
/// After how long, in weeks.
const WEEKS_TO_WITHDRAW: std::ops::Range<i32> = 2..5;
/// For how long somebody who stopped coming is still marked absent, in days.
pub const ABSENT_DAYS: i32 = 28;

/// A member and their habits.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub id: MemberId,
    /// Chance to come.
    pub comes: f64,
    /// Chance to be late, if they come.
    pub late: f64,
    /// Chance to say so, if they do not come.
    pub excuses: f64,
    /// Chance to stop coming, per week.
    drop_out: f64,
    /// How they take part in a meeting where they can choose.
    prefers: AttendanceMode,
    /// How they are.
    pub wellbeing: Wellbeing,
    /// In which of their groups they answer questionnaires: the first.
    pub asked_in: Option<GroupId>,
}

impl Person {
    fn draw(rng: &mut StdRng) -> Self {
        let prefers = match rng.random_range(0..10) {
            0..6 => AttendanceMode::InPerson,
            6..9 => AttendanceMode::Video,
            _ => AttendanceMode::Phone,
        };
        Self {
            id: new_id(rng),
            comes: rng.random_range(0.4..0.95),
            late: rng.random_range(0.0..0.25),
            excuses: rng.random_range(0.0..0.6),
            drop_out: rng.random_range(DROP_OUT_PER_WEEK),
            prefers,
            wellbeing: Wellbeing::draw(rng),
            asked_in: None,
        }
    }

    /// How they take part this time.
    pub fn takes_part(&self, mode: MeetingMode, rng: &mut StdRng) -> AttendanceMode {
        let phones = rng.random_bool(0.01);
        match (mode, self.prefers) {
            _ if phones => AttendanceMode::Phone,
            (MeetingMode::InPerson, _) => AttendanceMode::InPerson,
            (MeetingMode::Virtual, AttendanceMode::Phone) => AttendanceMode::Phone,
            (MeetingMode::Virtual, _) => AttendanceMode::Video,
            (MeetingMode::Hybrid, prefers) => prefers,
        }
    }
}

/// A new member's id.
pub fn new_id(rng: &mut StdRng) -> MemberId {
    MemberId(uuid::Builder::from_random_bytes(rng.random::<[u8; 16]>()).into_uuid())
}

/// One person in one group.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Index of the person.
    pub person: usize,
    /// First and last days on the roster, both included.
    pub roster: Vec<(Date, Option<Date>)>,
    /// First and last days of coming, both included.
    comes: Vec<(Date, Date)>,
}

impl Enrolment {
    /// Whether they are on the roster.
    pub fn is_on_roster(&self, day: Date) -> bool {
        self.roster.iter().any(|(from, until)| *from <= day && until.is_none_or(|until| day <= until))
    }

    /// Whether they have not stopped coming.
    pub fn still_comes(&self, day: Date) -> bool {
        self.comes.iter().any(|(from, until)| *from <= day && day <= *until)
    }

    /// Whether they have stopped coming so long ago that nobody asks for them any more.
    pub fn is_forgotten(&self, day: Date) -> bool {
        let came = self.comes.iter().filter(|(from, _)| *from <= day).map(|(_, until)| *until).max();
        came.is_some_and(|until| plus(until, ABSENT_DAYS) < day)
    }

    fn draw(person: usize, habits: &Person, faster: f64, (first, last): (Date, Date), rng: &mut StdRng) -> Self {
        let year = days_between(first, last).max(1);
        let offset = if rng.random_bool(BEFORE_THE_YEAR) {
            -rng.random_range(1..DAYS_BEFORE_MAX)
        } else {
            rng.random_range(0..year)
        };
        let mut from = plus(first, offset);
        let mut enrolment = Self { person, roster: vec![(from, None)], comes: vec![] };
        loop {
            let until = plus(from.max(first), 7 * weeks_until_drop_out(habits.drop_out * faster, rng));
            enrolment.comes.push((from, until));
            if until >= last {
                return enrolment;
            }
            let withdrawn = rng.random_bool(WITHDRAWN).then(|| plus(until, 7 * rng.random_range(WEEKS_TO_WITHDRAW)));
            if let (Some(stay), Some(day)) = (enrolment.roster.last_mut(), withdrawn.filter(|day| *day <= last)) {
                stay.1 = Some(day);
            }
            from = plus(until, 7 * rng.random_range(WEEKS_AWAY));
            if from > last || !rng.random_bool(COMES_BACK) {
                return enrolment;
            }
            if enrolment.roster.last().is_some_and(|(_, until)| until.is_some()) {
                enrolment.roster.push((from, None));
            }
        }
    }
}

fn weeks_until_drop_out(per_week: f64, rng: &mut StdRng) -> i32 {
    const WEEKS_MAX: i32 = 60;
    (1..WEEKS_MAX).find(|_| rng.random_bool(per_week)).unwrap_or(WEEKS_MAX)
}

fn plus(day: Date, days: i32) -> Date {
    day.saturating_add(Span::new().days(days))
}

fn days_between(first: Date, last: Date) -> i32 {
    first.until(last).map_or(0, |span| span.get_days())
}

/// The members.
pub fn draw_people(rng: &mut StdRng, members: usize) -> Vec<Person> {
    (0..members).map(|_| Person::draw(rng)).collect()
}

/// The enrolments of each group: some groups are larger than others, some shrink, some people are in several.
pub fn draw_enrolments(rng: &mut StdRng, people: &[Person], groups: usize, year: (Date, Date)) -> Vec<Vec<Enrolment>> {
    let mut upto = 0.0;
    let mut sizes = Vec::with_capacity(groups);
    for _ in 0..groups {
        upto += rng.random_range(0.3..1.7);
        sizes.push(upto);
    }
    let faster: Vec<f64> =
        (0..groups).map(|_| if rng.random_bool(SHRINKING) { SHRINKING_FACTOR } else { 1.0 }).collect();
    let mut rosters = vec![Vec::new(); groups];
    for (person, habits) in people.iter().enumerate() {
        for group in their_groups(rng, &sizes) {
            rosters[group].push(Enrolment::draw(person, habits, faster[group], year, rng));
        }
    }
    rosters
}

/// One to three different groups; `sizes` adds up how large each is.
fn their_groups(rng: &mut StdRng, sizes: &[f64]) -> Vec<usize> {
    let all = sizes.last().copied().unwrap_or_default();
    let pick = |rng: &mut StdRng| {
        let at = rng.random_range(0.0..all);
        sizes.partition_point(|upto| *upto <= at).min(sizes.len() - 1)
    };
    let mut picked = vec![pick(rng)];
    for chance in MORE_GROUPS {
        if !rng.random_bool(chance) {
            break;
        }
        let another = pick(rng);
        if !picked.contains(&another) {
            picked.push(another);
        }
    }
    picked
}

/// Somebody who keeps a group's registers, and how.
#[derive(Debug, Clone, Copy)]
pub struct Facilitator {
    /// Chance to forget a register.
    pub forgets: f64,
    /// Whether they send the register as a whole.
    pub in_bulk: bool,
    /// Whether they mark those who did not come.
    pub marks_absent: bool,
    /// Whether they count heads.
    pub counts_heads: bool,
}

impl Facilitator {
    /// One of many.
    pub fn draw(rng: &mut StdRng) -> Self {
        let forgetful = rng.random_bool(0.1);
        Self {
            forgets: if forgetful { rng.random_range(0.15..0.4) } else { rng.random_range(0.0..0.05) },
            in_bulk: rng.random_bool(0.12),
            marks_absent: rng.random_bool(0.85),
            counts_heads: rng.random_bool(0.4),
        }
    }
}
