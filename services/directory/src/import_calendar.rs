//! Import a file of calendars.

use axum::extract::State;
use domain::{
    Decider, GroupId, OrgId, ProgrammeId, Text,
    group::{self, Details, Focus, Group, ImportedCalendar},
    programme,
};
use eventlog::{Cause, Done, Position, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Caller, LargeCommand, Problem, Problems, Query};

use crate::{
    Directory, Imported, REMARKS_MAX,
    icalendar::{self, CALENDAR_BYTES_MAX, ReadCalendar, ReadFile, Remark},
    op,
};

/// Under which the ids of all that is imported from calendars are derived: stored for ever, must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c8b_5d4e_6a0f_4e53_9b1d_6b69_7468_0002);
/// Name of the file's origin if there is only one.
const SOURCE_DEFAULT: &str = "calendar";
/// Longest name of an origin, in characters.
const SOURCE_CHARS_MAX: usize = 40;

/// How to read the file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarQuery {
    /// Say what would be done, but do nothing.
    #[serde(default)]
    dry_run: bool,
    /// Time zone of times that name none: of the IANA database, or as Windows calls it.
    #[param(example = "Europe/Berlin")]
    time_zone: String,
    /// The one group whose calendar it is: nothing but its calendar is changed. If it is not given, each `UID` becomes a
    /// group.
    #[serde(default)]
    group: Option<GroupId>,
    /// Short name of where the file comes from (a-z, 0-9, `-`, `.`), `calendar` if it is not given. A `UID` is taken to
    /// be its own, so two origins that use the same ones need two names.
    #[serde(default)]
    source: Option<String>,
    /// The programme of new groups; one with the name of the calendar if it is not given.
    #[serde(default)]
    programme: Option<ProgrammeId>,
    /// What new groups are about, `other` if it is not given.
    #[serde(default)]
    #[param(inline)]
    focus: Option<Focus>,
}

/// What an import of calendars did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub(crate) struct CalendarReport {
    /// Whether nothing was done.
    dry_run: bool,
    /// Groups, one for each `UID`.
    groups: Imported,
    /// Occurrences that are otherwise than the rules say, a count.
    occurrences: usize,
    /// What is odd about the file; at most the first 1,000.
    remarks: Vec<Remark>,
    /// Remarks beyond those; a count.
    remarks_left_out: usize,
}

/// Where what is imported belongs.
struct Origin {
    org: OrgId,
    source: String,
    focus: Focus,
    programme: ProgrammeId,
    /// Named so if it is not there yet.
    programme_named: Option<Text<200>>,
}

/// Import a file of calendars
///
/// Takes iCalendar (RFC 5545), up to 4 MiB. Each `UID` becomes a group that is not listed, under a programme with the name of
/// the calendar; or the file has one, and it becomes the calendar of `group`. Kept are the rule, the days that are left out,
/// and what is otherwise at single occurrences; of a group that was imported before, also its name, description, place and
/// categories. Importing the same again changes nothing. What cannot be kept is left out with a remark that names its line.
/// Who is invited is not read.
#[utoipa::path(post, path = "/v1/imports/calendar", tag = "directory", params(CalendarQuery),
    request_body(content = String, description = "The file", content_type = "text/calendar"),
    responses((status = 200, description = "The calendars are imported, or would be", body = CalendarReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_calendar(
    State(directory): State<Directory>,
    Query(query): Query<CalendarQuery>,
    command: LargeCommand<op::ImportCalendar, CALENDAR_BYTES_MAX>,
) -> Result<Answer, Problem> {
    let LargeCommand { caller, cause, body, .. } = command;
    if let Some(done) = directory.groups.replayed(&cause).await? {
        return Ok(Answer(done));
    }
    let zone = query.time_zone.clone();
    // Reading megabytes takes a while, others wait for this thread.
    let file = directory.authenticator.compute.run(caller.asking(), move || icalendar::read(&body, &zone)).await?;
    let mut file = file.map_err(|error| Problem::malformed(error.to_string()))?;
    let mut remarks = std::mem::take(&mut file.remarks);
    let rejected = file.rejected;
    let occurrences = file.calendars.iter().map(|calendar| calendar.overrides.len()).sum();
    let (imported, last) = match query.group {
        Some(group) => directory.import_into(&caller, &cause, group, &query, file).await?,
        None => directory.import_each(&caller, &cause, &query, file).await?,
    };
    let groups = Imported { rejected, ..imported };
    let remarks_left_out = remarks.len().saturating_sub(REMARKS_MAX);
    remarks.truncate(REMARKS_MAX);
    let report = CalendarReport { dry_run: query.dry_run, groups, occurrences, remarks, remarks_left_out };
    let reply = Reply::json(200, &report);
    let Some((last, position)) = last.filter(|_| !query.dry_run) else {
        return Ok(Answer(Done { position: Position::START, events: 0, reply, replayed: false }));
    };
    // The answer is kept with the last group: it is known only now.
    Ok(directory.groups.keep(&caller.within_organisation(last), &cause, reply, position).await?)
}

/// What became of things, and of which group last, up to where.
type Tally = (Imported, Option<(GroupId, Position)>);

impl Directory {
    /// Makes the one calendar of a file that of a group.
    async fn import_into(
        &self,
        caller: &Caller,
        cause: &Cause,
        group: GroupId,
        query: &CalendarQuery,
        file: ReadFile,
    ) -> Result<Tally, Problem> {
        self.require_group(&caller.org, group).await?;
        let count = file.calendars.len();
        let Ok([calendar]) = <[ReadCalendar; 1]>::try_from(file.calendars) else {
            let what = format!(
                "the file has {count} calendars that can be used, and a group has one: leave out `group`, and each \
                 becomes a group, or send a file with one"
            );
            return Err(Problem::malformed(what));
        };
        let imported = ImportedCalendar { details: None, schedule: calendar.schedule, overrides: calendar.overrides };
        self.import_one(caller, cause, (group, imported), query.dry_run, (Imported::default(), None)).await
    }

    /// Makes a group of each calendar of a file.
    async fn import_each(
        &self,
        caller: &Caller,
        cause: &Cause,
        query: &CalendarQuery,
        file: ReadFile,
    ) -> Result<Tally, Problem> {
        let origin = Origin::new(&caller.org, query, file.name)?;
        match &origin.programme_named {
            Some(name) if !file.calendars.is_empty() => {
                self.import_programme(caller, cause, &origin, name, query.dry_run).await?;
            }
            Some(_) => {}
            None => self.require_programme(&caller.org, origin.programme).await?,
        }
        let mut tally = (Imported::default(), None);
        for calendar in file.calendars {
            let id = origin.group(&calendar.uid);
            let details = self.details(&origin, id, &calendar).await?;
            let imported =
                ImportedCalendar { details: Some(details), schedule: calendar.schedule, overrides: calendar.overrides };
            tally = self.import_one(caller, cause, (id, imported), query.dry_run, tally).await?;
        }
        Ok(tally)
    }

    async fn import_programme(
        &self,
        caller: &Caller,
        cause: &Cause,
        origin: &Origin,
        name: &Text<200>,
        dry_run: bool,
    ) -> Result<(), Problem> {
        let there = self.programmes.look(&caller.org, origin.programme, |loaded| loaded.state.is_some()).await?;
        if there || dry_run {
            return Ok(());
        }
        let source = format!("calendar:{}", origin.source).parse().ok();
        let describe = programme::Command::Describe(programme::Details { name: name.clone(), source });
        let permitted = caller.within_organisation(origin.programme);
        self.programmes.transact(&permitted, cause.part(), describe, Reply::DONE).await?;
        Ok(())
    }

    /// What describes a group: as the file says, and for the rest as it is.
    async fn details(&self, origin: &Origin, id: GroupId, calendar: &ReadCalendar) -> Result<Details, Problem> {
        let known = self.groups.look(&origin.org, id, |loaded| loaded.state.details.clone()).await?;
        let ReadCalendar { name, comments, formats, mode, venue, uid, .. } = calendar;
        let new = || Details {
            name: name.clone(),
            programme: origin.programme,
            focus: origin.focus,
            formats: vec![],
            mode: *mode,
            venue: None,
            language: None,
            comments: None,
            accessibility: vec![],
            cost: None,
            cost_details: None,
            website: None,
            // What somebody kept in a calendar of their own is not for everybody.
            listed: false,
            source: format!("{}:{uid}", origin.source).parse().ok(),
        };
        let details = known.unwrap_or_else(new);
        let (name, formats, mode) = (name.clone(), formats.clone(), *mode);
        Ok(Details { name, comments: comments.clone(), formats, mode, venue: venue.clone(), ..details })
    }

    async fn import_one(
        &self,
        caller: &Caller,
        cause: &Cause,
        (id, calendar): (GroupId, ImportedCalendar),
        dry_run: bool,
        (mut imported, last): Tally,
    ) -> Result<Tally, Problem> {
        let today = self.today(&caller.org, id, cause.at).await?.date();
        let command = group::Command::ImportCalendar(calendar, today);
        let look = self.groups.look(&caller.org, id, |loaded| {
            (loaded.revision.is_some(), loaded.position, Group::decide(&command, &loaded.state))
        });
        let (there, position, decided) = look.await?;
        let decided = decided.map_err(|refusal| Problem::refused(&refusal))?;
        let count = match (there, decided.is_empty()) {
            (_, true) => &mut imported.unchanged,
            (false, false) => &mut imported.created,
            (true, false) => &mut imported.changed,
        };
        *count += 1;
        if dry_run || decided.is_empty() {
            return Ok((imported, Some((id, last.map_or(position, |(_, before)| position.max(before))))));
        }
        let permitted = caller.within_organisation(id);
        let Answer(done) = self.groups.transact(&permitted, cause.part(), command, Reply::DONE).await?;
        let position = self.settled(&caller.org, id, &cause.part(), done.position).await;
        Ok((imported, Some((id, last.map_or(position, |(_, before)| position.max(before))))))
    }
}

impl Origin {
    fn new(org: &OrgId, query: &CalendarQuery, name: Option<Text<200>>) -> Result<Self, Problem> {
        let source = query.source.clone().unwrap_or_else(|| SOURCE_DEFAULT.into());
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(1..=SOURCE_CHARS_MAX).contains(&source.len()) || !source.chars().all(fits) {
            let what = format!("a source is 1 to {SOURCE_CHARS_MAX} of a-z, 0-9, `-` and `.`");
            return Err(Problem::malformed(what));
        }
        let derived = ProgrammeId(derive(org, &source, "programme"));
        let named = || name.or_else(|| source.parse().ok());
        Ok(Self {
            org: org.clone(),
            focus: query.focus.unwrap_or(Focus::Other),
            programme: query.programme.unwrap_or(derived),
            programme_named: query.programme.is_none().then(named).flatten(),
            source,
        })
    }

    fn group(&self, uid: &str) -> GroupId {
        GroupId(derive(&self.org, &self.source, &format!("group:{uid}")))
    }
}

fn derive(org: &OrgId, source: &str, of: &str) -> Uuid {
    let org = Uuid::new_v5(&NAMESPACE, org.as_str().as_bytes());
    Uuid::new_v5(&org, format!("{source}:{of}").as_bytes())
}
