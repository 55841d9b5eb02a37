//! `kith import members`.

use domain::LocalDay;
use jiff::Timestamp;

use super::{
    csv_file::{self, Line},
    members_file,
    send::{Kind, send},
};
use crate::args::ImportMembers;

const MEMBERS: Kind = Kind {
    noun: "members",
    path: "/v1/imports/members",
    counted: &["new", "changed", "matched", "duplicate", "rejected"],
    column: |_: &Line, field| field.to_owned(),
    says: None,
};

/// Sends a file of members to a running server; answers the report, ready to be printed, and whether all went well. Or
/// answers an empty file, if that is what is asked for.
pub async fn members(ImportMembers { lines: asked, template }: ImportMembers) -> anyhow::Result<(String, bool)> {
    if template {
        return Ok((members_file::template()?, true));
    }
    let bytes = csv_file::bytes(&asked.file)?;
    let now: Timestamp = crate::clock().now();
    // Where the server is, only the server knows: it looks once more.
    let file = members_file::read(&bytes, &asked.form, &LocalDay::begun_anywhere(now))?;
    // By which the server knows the file again; it keeps it nowhere.
    let digest = blake3::hash(&bytes).to_hex().to_string();
    drop(bytes);
    send(&MEMBERS, &asked, file, Some(digest)).await
}
