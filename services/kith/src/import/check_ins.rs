//! `kith import check-ins`.

use domain::LocalDay;
use jiff::Timestamp;

use super::{
    check_ins_file::{self, column},
    csv_file,
    send::{Kind, send},
};
use crate::args::ImportCheckIns;

const CHECK_INS: Kind = Kind {
    noun: "check-ins",
    path: "/v1/imports/check-ins",
    counted: &["new", "matched", "duplicate", "unmatched", "rejected"],
    column,
    says: Some("where no line is said to speak of danger, none is ruled out: scores and blanks do not tell"),
};

/// Sends a file of check-ins to a running server; answers the report, ready to be printed, and whether all went well.
pub async fn check_ins(asked: ImportCheckIns) -> anyhow::Result<(String, bool)> {
    let bytes = csv_file::bytes(&asked.lines.file)?;
    let now: Timestamp = crate::clock().now();
    let file = check_ins_file::read(&bytes, &asked.lines.form, &asked.reading, &LocalDay::begun_anywhere(now))?;
    send(&CHECK_INS, &asked.lines, file, None).await
}
