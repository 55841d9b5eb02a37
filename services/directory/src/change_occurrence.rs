//! Change one occurrence of a group's calendar.

use axum::extract::State;
use domain::{
    GroupId, Schedule,
    group::{self, MOVED_DAYS_MAX, Override},
};
use eventlog::Reply;
use jiff::{Span, civil::Date};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{
    Directory,
    calendar::{Days, occurrences},
    op, settle,
};

/// Change one occurrence of a group's calendar
///
/// Moves it, makes it shorter or longer, lets it take place online, gives it a note, or calls it off: what is not given is
/// as the calendar has it. It is named by its place in the series, the date on which the calendar has it, also after it was
/// moved. It stays so when the calendar changes; of a date that the calendar no longer has there is no meeting. At most 400
/// occurrences ahead can be otherwise. An occurrence that is called off does not count as cancelled: for that, cancel the
/// meeting. Once its register was opened, or it was cancelled, it is past.
#[utoipa::path(put, path = "/v1/groups/{group}/occurrences/{on}", tag = "directory", request_body = Override,
    params(("group" = GroupId, Path, description = "The group"),
        ("on" = Date, Path, description = "Its place in the series: the local date on which the calendar has it")),
    responses((status = 204, description = "It is so"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn change_occurrence(
    State(directory): State<Directory>,
    Path((group, on)): Path<(GroupId, Date)>,
    command: Command<op::ChangeOccurrence, Override>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: change, .. } = command;
    check(on, &change)?;
    directory.change_occurrence(&caller, (group, on), change, cause).await
}

fn check(on: Date, change: &Override) -> Result<(), Problem> {
    if let Some(local) = change.starts_at_local {
        let days = (local.date() - on).get_days().abs();
        if days > MOVED_DAYS_MAX {
            let what = format!(
                "body, at `starts_at_local`: it is {days} days from {on}, a meeting can be moved by at most \
                 {MOVED_DAYS_MAX}"
            );
            return Err(Problem::malformed(what));
        }
    }
    match change.duration_minutes {
        Some(minutes) if !(1..=Schedule::MINUTES_MAX).contains(&minutes) => {
            let most = Schedule::MINUTES_MAX;
            let what = format!("body, at `duration_minutes`: it must be 1 to {most} minutes, it is {minutes}");
            Err(Problem::malformed(what))
        }
        _ => Ok(()),
    }
}

impl Directory {
    /// Writes what is otherwise at an occurrence that there is, and plans it so.
    pub(crate) async fn change_occurrence(
        &self,
        caller: &web::Caller,
        (group, on): (GroupId, Date),
        change: Override,
        cause: eventlog::Cause,
    ) -> Result<Answer, Problem> {
        let permitted = caller.require_group(group)?;
        if let Some(done) = self.groups.replayed(&cause).await? {
            return Ok(Answer(done));
        }
        let today = self.today(&caller.org, group, cause.at).await?.date();
        let series = self.groups.look(&caller.org, group, |loaded| {
            loaded.state.details.as_ref().map(|_| loaded.state.series.clone()).ok_or(group::Refusal::Unknown)
        });
        let series = series.await?.map_err(|refusal| Problem::refused(&refusal))?;
        let ids: Vec<_> = series.meetings(group, on).collect();
        if on < today.saturating_sub(Span::new().days(MOVED_DAYS_MAX))
            || !settle::is_to_come(self, &caller.org, &ids).await?
        {
            return Err(Problem::refused(&group::Refusal::OccurrencePast));
        }
        if change != Override::default() {
            self.require_occurrence(caller, series.schedule, on).await?;
        }
        let part = cause.part();
        let command = group::Command::ChangeOccurrence { on, change, today };
        let Answer(mut done) = self.groups.transact(&permitted, cause, command, Reply::DONE).await?;
        done.position = self.settled(&caller.org, group, &part, done.position).await;
        Ok(Answer(done))
    }

    /// Refuses a date that the calendar does not name.
    async fn require_occurrence(
        &self,
        caller: &web::Caller,
        schedule: Option<Schedule>,
        on: Date,
    ) -> Result<(), Problem> {
        let schedule = schedule.ok_or_else(|| Problem::refused(&group::Refusal::NoSchedule))?;
        let day = Days::new(on, on).expect("one day");
        let found = self.authenticator.compute.run(caller.asking(), move || occurrences(&schedule, day)).await?;
        let found = found.map_err(|error| Problem::malformed(format!("schedule: {error}")))?;
        if found.is_empty() { Err(Problem::refused(&group::Refusal::NoOccurrence(on))) } else { Ok(()) }
    }
}
