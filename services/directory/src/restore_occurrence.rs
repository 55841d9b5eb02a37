//! Restore one occurrence of a group's calendar.

use axum::extract::State;
use domain::{GroupId, group::Override};
use jiff::civil::Date;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Directory, op};

/// Restore one occurrence of a group's calendar
///
/// Nothing is otherwise at it any more: it takes place as the calendar has it.
#[utoipa::path(delete, path = "/v1/groups/{group}/occurrences/{on}", tag = "directory",
    params(("group" = GroupId, Path, description = "The group"),
        ("on" = Date, Path, description = "Its place in the series: the local date on which the calendar has it")),
    responses((status = 204, description = "It is as the calendar has it"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn restore_occurrence(
    State(directory): State<Directory>,
    Path((group, on)): Path<(GroupId, Date)>,
    command: Command<op::RestoreOccurrence>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    directory.change_occurrence(&caller, (group, on), Override::default(), cause).await
}
