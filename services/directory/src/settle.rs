//! What is planned of a group is what its calendar has: what it has on the days that are planned for is planned, what is
//! planned beyond them moves with it, and what it no longer has is taken away.
//!
//! All of it follows from the streams of the group and of its meetings: of what was said of a meeting nothing is lost, and
//! to do it again changes nothing. So whoever changes a calendar settles it at once, and after a crash the planner does.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    GroupId, MeetingId, OrgId, Schedule, ScheduleError,
    group::{self, MOVED_DAYS_MAX, MeetingMode, Override, Series},
    meeting::{self, Plan, Status},
};
use eventlog::{Cause, Done, Position, Reply, TransactError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Span, Timestamp, civil::Date};

use crate::{
    Directory, PlanError, Plans, WRITES_AT_ONCE,
    calendar::{Days, Occurrence, PLAN_DAYS_MAX, at, occurrences},
};

/// How often it is begun anew because somebody changed the calendar meanwhile, a count. Whoever changed it last settles
/// it, too.
const ROUNDS_MAX: usize = 4;

/// What a group's calendar is, and up to where that was read.
struct Calendar {
    revision: Option<u64>,
    mode: MeetingMode,
    series: Series,
}

/// What is to be so of the meeting at one place of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Todo {
    /// It is planned so.
    Plan(Plan),
    /// It is planned so, if it ever was planned and is not past.
    Move(Plan),
    /// It is planned so, if it ever was planned: somebody said so of this one.
    MoveThisOne(Plan),
    /// It is not planned.
    TakeAway,
}

impl Directory {
    /// Plans a group's meetings up to the horizon, and takes away what its calendar no longer has.
    ///
    /// # Errors
    /// If the group is not there, never had a calendar, or the log does not answer.
    pub(crate) async fn settle(&self, org: &OrgId, group: GroupId, cause: &Cause) -> Result<Plans, PlanError> {
        let today = self.today(org, group, cause.at).await?.date();
        let ahead = match self.plan_days {
            0 => -1, // nothing, not even today
            days => i32::from(days).min(PLAN_DAYS_MAX - 1),
        };
        let days = Days::new(today, today.saturating_add(Span::new().days(ahead))).expect("no more than the limit");
        plan_group(self, org, group, days, cause).await
    }

    /// As [`Self::settle`], after a command that stands: what goes wrong is said to the operator, and the planner tries
    /// again.
    pub(crate) async fn settled(&self, org: &OrgId, group: GroupId, cause: &Cause, done: Position) -> Position {
        match self.settle(org, group, cause).await {
            Ok(plans) => plans.position.max(done),
            Err(PlanError::Group(TransactError::Refused(group::Refusal::NoSchedule))) => done,
            Err(error) => {
                tracing::warn!(%error, %group, "the meetings of a changed calendar wait to be planned anew");
                done
            }
        }
    }
}

/// Plans the meetings that a group's calendar has on these days, moves with it what is planned on others, and takes away
/// what it no longer has. Each meeting is a stream of its own, so a failure leaves those before it planned; planning again
/// does the rest.
///
/// `cause.id` must be a new one for each new run: ids of events are derived from it. Its key is not used.
///
/// # Errors
/// If the group is not there, never had a calendar, or the log does not answer.
pub async fn plan_group(
    directory: &Directory,
    org: &OrgId,
    group: GroupId,
    days: Days,
    cause: &Cause,
) -> Result<Plans, PlanError> {
    let today = directory.today(org, group, cause.at).await?.date();
    let mut calendar = calendar(directory, org, group).await?;
    let mut plans = Plans::default();
    for _ in 0..ROUNDS_MAX {
        let done = settle_once(directory, (org, group), &calendar, (days, today), cause).await?;
        plans = Plans { planned: plans.planned + done.planned, unplanned: plans.unplanned + done.unplanned, ..done };
        let now = self::calendar(directory, org, group).await?;
        if now.revision == calendar.revision {
            break;
        }
        calendar = now;
    }
    Ok(plans)
}

/// How a group meets, and when.
async fn calendar(
    directory: &Directory,
    org: &OrgId,
    group: GroupId,
) -> Result<Calendar, TransactError<group::Refusal>> {
    let look = directory.groups.look(org, group, |loaded| match &loaded.state.details {
        None => Err(group::Refusal::Unknown),
        Some(_) if loaded.state.series == Series::default() => Err(group::Refusal::NoSchedule),
        Some(details) => {
            Ok(Calendar { revision: loaded.revision, mode: details.mode, series: loaded.state.series.clone() })
        }
    });
    look.await?.map_err(TransactError::Refused)
}

async fn settle_once(
    directory: &Directory,
    (org, group): (&OrgId, GroupId),
    calendar: &Calendar,
    (days, today): (Days, Date),
    cause: &Cause,
) -> Result<Plans, PlanError> {
    let (series, mode) = (calendar.series.clone(), calendar.mode);
    // A calendar that began long ago is gone through from there on.
    let todo = directory
        .authenticator
        .compute
        .run((org, cause.actor.clone()), move || todo(&series, (group, mode), days, today))
        .await?;
    let todo = todo.map_err(|source| PlanError::Calendar { group, source })?;
    let cause = cause.part();
    let places = todo.into_iter().map(|(place, todo)| {
        let (directory, org, cause) = (directory.clone(), org.clone(), cause.clone());
        let ids: Vec<_> = calendar.series.meetings(group, place).collect();
        async move { settle_place(&directory, &org, &ids, todo, &cause).await }
    });
    let done = stream::iter(places).buffer_unordered(WRITES_AT_ONCE);
    let count = |plans: Plans, done: Plans| async move {
        Ok(Plans {
            planned: plans.planned + done.planned,
            unchanged: plans.unchanged + done.unchanged,
            unplanned: plans.unplanned + done.unplanned,
            position: plans.position.max(done.position),
        })
    };
    done.try_fold(Plans::default(), count).await
}

/// What is to be so at each place of the series that matters, by the calendars of now and before.
fn todo(
    series: &Series,
    (group, mode): (GroupId, MeetingMode),
    days: Days,
    today: Date,
) -> Result<BTreeMap<Date, Todo>, ScheduleError> {
    let plans = |days| plans(series, (group, mode), days);
    let mut todo: BTreeMap<_, _> = plans(days)?.into_iter().map(|(place, plan)| (place, Todo::Plan(plan))).collect();
    if series.earlier.is_empty() && series.overrides.is_empty() {
        return Ok(todo);
    }
    for days in near(today) {
        for (place, plan) in plans(days)? {
            let is_changed = series.overrides.contains_key(&place);
            todo.entry(place).or_insert(if is_changed { Todo::MoveThisOne(plan) } else { Todo::Move(plan) });
        }
        for place in places_before(series, days) {
            todo.entry(place).or_insert(Todo::TakeAway);
        }
    }
    Ok(todo)
}

/// The days on which a meeting can be that is still to come: as far back as one can be moved, as far ahead as one can be
/// planned.
fn near(today: Date) -> [Days; 2] {
    let day = |days: i32| today.saturating_add(Span::new().days(days));
    [(-MOVED_DAYS_MAX, 100), (101, PLAN_DAYS_MAX)]
        .map(|(from, through)| Days::new(day(from), day(through)).expect("few"))
}

/// The meetings of a group's calendar by their place in the series, with what is otherwise at single ones; those that are
/// called off are not among them.
fn plans(
    series: &Series,
    (group, mode): (GroupId, MeetingMode),
    days: Days,
) -> Result<BTreeMap<Date, Plan>, ScheduleError> {
    let Some(schedule) = &series.schedule else { return Ok(BTreeMap::new()) };
    let plan = |Occurrence { local, starts_at, ends_at }: Occurrence| {
        let as_it_says = Plan { group, starts_at_local: local, starts_at, ends_at, mode, place: None };
        let place = local.date();
        match series.overrides.get(&place) {
            Some(change) => Some((place, otherwise(schedule, as_it_says, change)?)),
            None => Some((place, as_it_says)),
        }
    };
    Ok(occurrences(schedule, days)?.into_iter().filter_map(plan).collect())
}

/// The meetings that a group's calendar has by their place in the series, from one day to another, however many: for whoever
/// asks for what was not planned.
///
/// # Errors
/// If the calendar cannot be used.
pub fn planned(
    series: &Series,
    group: (GroupId, MeetingMode),
    (first, last): (Date, Date),
) -> Result<BTreeMap<Date, Plan>, ScheduleError> {
    let (mut all, mut from) = (BTreeMap::new(), first);
    while from <= last {
        let through = last.min(from.saturating_add(Span::new().days(PLAN_DAYS_MAX - 1)));
        all.extend(plans(series, group, Days::new(from, through).expect("no more than the limit"))?);
        let Ok(next) = through.tomorrow() else { break };
        from = next;
    }
    Ok(all)
}

/// The meeting with what is otherwise; none if it is called off.
fn otherwise(schedule: &Schedule, plan: Plan, change: &Override) -> Option<Plan> {
    let place = plan.starts_at_local.date();
    let local = change.starts_at_local.unwrap_or(plan.starts_at_local);
    let minutes = change.duration_minutes.unwrap_or(schedule.duration_minutes);
    let Occurrence { local, starts_at, ends_at } = at(schedule, local, minutes)?;
    let mode = change.mode.unwrap_or(plan.mode);
    let moved = (local.date() != place).then_some(place);
    (!change.called_off).then_some(Plan { starts_at_local: local, starts_at, ends_at, mode, place: moved, ..plan })
}

/// Places of the series at which a meeting may be planned that the calendar does not have, or no longer.
fn places_before(series: &Series, days: Days) -> BTreeSet<Date> {
    // A calendar that an older Kith took, and that cannot be used, has planned nothing.
    let earlier = series.earlier.iter().filter_map(|schedule| occurrences(schedule, days).ok()).flatten();
    let earlier = earlier.map(|Occurrence { local, .. }| local.date());
    earlier.chain(days.within(series.overrides.keys().copied())).collect()
}

async fn settle_place(
    directory: &Directory,
    org: &OrgId,
    ids: &[MeetingId],
    todo: Todo,
    cause: &Cause,
) -> Result<Plans, PlanError> {
    let stays = match (todo, ids) {
        (Todo::TakeAway, _) => None,
        (_, [only]) => Some(*only),
        (Todo::Plan(_) | Todo::Move(_) | Todo::MoveThisOne(_), _) => which(directory, org, ids).await?,
    };
    let mut plans = Plans::default();
    for id in ids {
        let command = match todo {
            Todo::Plan(plan) if stays == Some(*id) => meeting::Command::Plan(plan),
            Todo::Move(plan) if stays == Some(*id) => meeting::Command::Replan { plan, after: cause.at },
            Todo::MoveThisOne(plan) if stays == Some(*id) => meeting::Command::Replan { plan, after: Timestamp::MIN },
            _ => meeting::Command::Unplan { at: cause.at },
        };
        let is_plan = matches!(command, meeting::Command::Plan(_));
        let done = directory.meetings.transact(org, *id, cause.clone(), command, Reply::DONE).await?;
        let Done { events, position, .. } = done;
        plans.position = plans.position.max(position);
        match (events > 0, stays == Some(*id)) {
            (true, true) => plans.planned += 1,
            (true, false) => plans.unplanned += 1,
            (false, _) => plans.unchanged += usize::from(is_plan),
        }
    }
    Ok(plans)
}

/// Which of the meetings that an older Kith made of one is the one: of which something was said, or else the first that is
/// planned; what was cancelled only if no other is.
async fn which(
    directory: &Directory,
    org: &OrgId,
    ids: &[MeetingId],
) -> Result<Option<MeetingId>, TransactError<meeting::Refusal>> {
    let mut found = None;
    for id in ids {
        let status = directory.meetings.look(org, *id, |loaded| match &loaded.state {
            meeting::State::Known(register) => Some(register.status),
            meeting::State::Unknown => None,
        });
        let rank = match status.await? {
            Some(Status::Open | Status::Held) => 0,
            Some(Status::Planned) => 1,
            Some(Status::Cancelled | Status::DidNotOccur) => 2,
            Some(Status::Unplanned) | None => 3,
        };
        found = found.filter(|(best, _)| *best <= rank).or(Some((rank, *id)));
    }
    Ok(found.map(|(_, id)| id))
}

/// Whether nothing was said yet of the meeting at a place of the series, and it is not past for good.
///
/// # Errors
/// If the log does not answer.
pub(crate) async fn is_to_come(
    directory: &Directory,
    org: &OrgId,
    ids: &[MeetingId],
) -> Result<bool, TransactError<meeting::Refusal>> {
    for id in ids {
        let said = directory.meetings.look(org, *id, |loaded| match &loaded.state {
            meeting::State::Known(register) => !matches!(register.status, Status::Planned | Status::Unplanned),
            meeting::State::Unknown => false,
        });
        if said.await? {
            return Ok(false);
        }
    }
    Ok(true)
}
