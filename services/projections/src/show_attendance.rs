//! Show attendance as a table of people by dates.

use std::collections::HashSet;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use domain::GroupId;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use web::{After, At, CallerMay, Problem, Problems, Query, Read};

use crate::{
    OF_MEMBERS, Projections, attendance_sheet,
    attendance_table::{self, Asked, AttendanceTable, DAYS_MAX, GROUPS_MAX, NoTable},
    op,
    opening::Look,
    sight,
};

/// Which groups and days, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AttendanceQuery {
    /// Groups, separated by commas; at most 20.
    #[param(example = "018f3c1e-7a52-7d31-9b0e-5c2f8a6d1e47")]
    groups: String,
    /// First day, where each group meets.
    first: Date,
    /// Last day, included; at most 400 days.
    last: Date,
    /// `json`, `csv` or `xlsx`.
    #[serde(default)]
    #[param(inline)]
    format: TableFormat,
}

/// The form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TableFormat {
    /// For programs.
    #[default]
    Json,
    /// For spreadsheets.
    Csv,
    /// For Excel and others.
    Xlsx,
}

impl AttendanceQuery {
    fn asked(&self) -> Result<Asked, Problem> {
        let names = self.groups.split(',').map(str::trim).filter(|name| !name.is_empty());
        let groups: Vec<GroupId> = names
            .map(|name| name.parse().map_err(|_| Problem::malformed("groups: each must be the id of a group")))
            .collect::<Result<_, _>>()?;
        let distinct: HashSet<_> = groups.iter().collect();
        match groups.len() {
            0 => return Err(Problem::malformed("groups: names none")),
            more if more > GROUPS_MAX => {
                return Err(Problem::malformed(format!("groups: has {more}, at most {GROUPS_MAX} are possible")));
            }
            all if all > distinct.len() => return Err(Problem::malformed("groups: names one twice")),
            _ => {}
        }
        match (self.last - self.first).get_days() + 1 {
            days if days < 1 => Err(Problem::malformed("last: is before first")),
            days if days > DAYS_MAX => {
                Err(Problem::malformed(format!("last: these are {days} days, at most {DAYS_MAX} are possible")))
            }
            _ => Ok(Asked { groups, days: (self.first, self.last) }),
        }
    }
}

/// Show attendance as a table
///
/// Who came to which held meetings of some groups: a row for each person, a column for each meeting, with the mode, and
/// with walk-ins, who had no place that day. Each person's rates stand beside what they are a part of: the meetings held
/// while they had a place, and those of them for which a mark is recorded. Who has no mark is not recorded, never absent.
/// Who was registered twice and merged is one person. Marks at meetings whose register is open are shown and count in no
/// rate. Whom it shows is written down, as for each register.
#[utoipa::path(get, path = "/v1/attendance", tag = "views", params(AttendanceQuery),
    responses(
        (status = 200, description = "The table", content((AttendanceTable = "application/json"),
            (String = "text/csv"),
            (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
        Problems,
    ))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_attendance(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowAttendance>,
    after: After,
    Query(query): Query<AttendanceQuery>,
) -> Result<Response, Problem> {
    let asked = query.asked()?;
    for group in &asked.groups {
        caller.require_group(*group)?;
    }
    let who = caller.clone();
    let read = move |connection: &_| {
        let table = match attendance_table::read(connection, who.org.as_str(), &asked)? {
            Ok(table) => table,
            Err(no_table) => return Ok(Err(no_table)),
        };
        // Whom a caller sees by one of their groups, they see.
        let people = table.people.iter().map(|person| person.member);
        sight::of_list(connection, &who, asked.groups[0], people).map(|fields| Ok((table, fields)))
    };
    let Read(position, found) = projections.read(OF_MEMBERS, after, read).await?;
    let (mut table, fields) = found.map_err(|no_table| match no_table {
        NoTable::Unknown => Problem::not_found("there is no such group"),
        NoTable::TooLarge(what) => Problem::malformed(what),
    })?;
    let look = Look::at_members(&caller, "show_attendance", position, table.people.iter().map(|one| one.member));
    let mut called = projections.called(look, fields).await?;
    for person in &mut table.people {
        person.called = called.names.remove(&person.member);
        person.unreadable = called.unreadable.contains(&person.member);
    }
    table.people.sort_by(|one, other| {
        let of =
            |person: &attendance_table::TablePerson| (person.called.is_none(), person.called.clone(), person.member);
        of(one).cmp(&of(other))
    });
    if query.format == TableFormat::Json {
        return projections.answer(&caller, Read(position, table)).await;
    }
    let write = move || file(&table, &query);
    let (headers, body) = projections.authenticator.compute.run(caller.asking(), write).await??;
    Ok((At(position), headers, body).into_response())
}

/// Headers, and what follows them.
type File = ([(header::HeaderName, String); 2], Vec<u8>);

/// The table as a file. Its name says nothing of anybody.
fn file(table: &AttendanceTable, query: &AttendanceQuery) -> Result<File, Problem> {
    let (ending, kind, body) = match query.format {
        TableFormat::Xlsx => {
            let body = attendance_sheet::xlsx(table).map_err(|error| Problem::internal(&error))?;
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", body)
        }
        TableFormat::Json | TableFormat::Csv => {
            let body = attendance_sheet::csv(table).map_err(|error| Problem::internal(&error))?;
            ("csv", "text/csv; charset=utf-8; header=present", body)
        }
    };
    let name = format!("attachment; filename=\"attendance-{}-{}.{ending}\"", query.first, query.last);
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], body))
}
