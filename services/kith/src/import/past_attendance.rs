//! `kith import attendance`.

use domain::LocalDay;

use super::{
    attendance_file::{self, DATES_MAX, column},
    csv_file,
    send::{Kind, send},
};
use crate::args::ImportAttendance;

const ATTENDANCE: Kind = Kind {
    noun: "attendance",
    path: "/v1/imports/attendance",
    counted: &["new", "changed", "matched", "duplicate", "unmatched", "rejected"],
    column,
    says: None,
};

/// Sends a file of attendance to a running server; answers the report, ready to be printed, and whether all went well.
pub async fn attendance(asked: ImportAttendance) -> anyhow::Result<(String, bool)> {
    let bytes = csv_file::bytes(&asked.lines.file)?;
    let today = LocalDay::begun_anywhere(crate::clock().now());
    let (file, dates) = attendance_file::read(&bytes, &asked.lines.form, &asked.table, &today)?;
    anyhow::ensure!(
        dates <= DATES_MAX,
        "the file has {dates} columns of dates, at most {DATES_MAX} are possible: make several of it"
    );
    send(&ATTENDANCE, &asked.lines, file, None).await
}
