//! What is odd about a listing, for those who keep it.

use domain::Text;
use serde::Serialize;
use utoipa::ToSchema;

use super::ListedGroup;

/// Longest value that a remark quotes, in characters.
pub const VALUE_CHARS_MAX: usize = 60;

/// Something odd about one meeting of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Remark {
    /// The meeting's place in the listing, from 0.
    pub index: usize,
    /// The meeting's id in the listing, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting: Option<String>,
    /// Which field, by its name in the listing.
    #[schema(value_type = String)]
    pub field: &'static str,
    /// What the field says, shortened to 60 characters; empty if nothing.
    pub value: String,
    /// What is odd about it and what became of it: a sentence that begins with the value.
    pub what: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Remark {
    /// That a group that was read cannot be used after all.
    pub(crate) fn rejecting(group: &ListedGroup, field: &'static str, what: &str) -> Self {
        Self {
            index: group.index,
            meeting: Some(group.source_id.clone()),
            field,
            value: String::new(),
            what: what.into(),
            severity: Severity::Rejected,
        }
    }
}

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The meeting is used.
    Note,
    /// The meeting is not used.
    Rejected,
}

/// Remarks on one meeting.
pub(super) struct Remarks<'a> {
    index: usize,
    meeting: Option<&'a str>,
    all: &'a mut Vec<Remark>,
}

impl<'a> Remarks<'a> {
    pub(super) fn of(index: usize, meeting: Option<&'a str>, all: &'a mut Vec<Remark>) -> Self {
        Self { index, meeting, all }
    }

    pub(super) fn note(&mut self, field: &'static str, value: Option<&str>, what: impl Into<String>) {
        self.remark(field, value, what.into(), Severity::Note);
    }

    pub(super) fn reject(&mut self, field: &'static str, value: Option<&str>, what: impl Into<String>) {
        self.remark(field, value, what.into(), Severity::Rejected);
    }

    /// A note that does not quote what it is about.
    pub(super) fn unsaid(&mut self, field: &'static str, what: impl Into<String>) {
        self.note(field, None, what);
    }

    fn remark(&mut self, field: &'static str, value: Option<&str>, what: String, severity: Severity) {
        let value = clean(value.unwrap_or_default()).chars().take(VALUE_CHARS_MAX).collect();
        self.all.push(Remark {
            index: self.index,
            meeting: self.meeting.map(Into::into),
            field,
            value,
            what,
            severity,
        });
    }

    /// The value on one line, cut to what its field takes; a cut is remarked on.
    pub(super) fn text<const MAX: usize>(&mut self, field: &'static str, value: Option<&str>) -> Option<Text<MAX>> {
        let text = clean(value?);
        self.cut(field, &text, Some(&text))
    }

    /// As [`Self::text`], of what is not quoted.
    pub(super) fn unsaid_text<const MAX: usize>(
        &mut self,
        field: &'static str,
        value: Option<&str>,
    ) -> Option<Text<MAX>> {
        self.cut(field, &clean(value?), None)
    }

    fn cut<const MAX: usize>(&mut self, field: &'static str, text: &str, quoted: Option<&str>) -> Option<Text<MAX>> {
        let long = text.chars().count();
        if long > MAX {
            self.note(field, quoted, format!("is {long} characters long; it is cut to {MAX}"));
        }
        let cut = text.chars().take(MAX).collect::<String>();
        let kept = cut.parse().ok();
        if kept.is_none() && !cut.is_empty() {
            self.note(field, quoted, "has characters that nobody can read; it is left out");
        }
        kept
    }
}

/// On one line: white space and control characters become single spaces.
fn clean(text: &str) -> String {
    let gap = |c: char| c.is_whitespace() || c.is_control();
    text.split(gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
