//! What is odd about a directory, for those who keep it. What stands there is not quoted: it can be of a person.

use domain::Text;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Place, Row};

/// Most remarks that are kept, a count; a directory that is wrong throughout says so in the first ones.
pub(crate) const REMARKS_MAX: usize = 500;

/// Something odd about one thing in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HsdsRemark)]
pub(crate) struct Remark {
    /// In which file.
    #[schema(value_type = String)]
    pub file: Text<100>,
    /// In which line of a CSV file, such as `line 4`, or a pointer into a JSON file, such as `/services/0`.
    pub place: String,
    /// Which field, by its name in HSDS; empty if it is about all that stands there.
    #[schema(value_type = String)]
    pub field: &'static str,
    /// What is odd about it and what became of it: a sentence that begins with the field.
    pub what: String,
    /// How much it matters.
    pub severity: Severity,
}

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HsdsSeverity)]
pub(crate) enum Severity {
    /// The rest of it is used.
    Note,
    /// It is not used.
    Rejected,
}

/// Remarks, in their order.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// The first [`REMARKS_MAX`].
    pub kept: Vec<Remark>,
    /// How many more there are.
    pub left_out: usize,
}

impl Remarks {
    pub(crate) fn note(&mut self, place: &Place, field: &'static str, what: impl Into<String>) {
        self.remark(place, field, what.into(), Severity::Note);
    }

    pub(crate) fn reject(&mut self, place: &Place, field: &'static str, what: impl Into<String>) {
        self.remark(place, field, what.into(), Severity::Rejected);
    }

    fn remark(&mut self, place: &Place, field: &'static str, what: String, severity: Severity) {
        if self.kept.len() == REMARKS_MAX {
            self.left_out += 1;
            return;
        }
        let Place { file, at } = place.clone();
        self.kept.push(Remark { file, place: at, field, what, severity });
    }

    /// The field of a row as a text.
    pub(super) fn text<const MAX: usize>(&mut self, row: &Row, field: &'static str) -> Option<Text<MAX>> {
        self.cut(&row.place, field, row.text(field)?)
    }

    /// What is said in a field, on one line and cut to what fits; a cut is remarked on.
    pub(super) fn cut<const MAX: usize>(
        &mut self,
        place: &Place,
        field: &'static str,
        said: &str,
    ) -> Option<Text<MAX>> {
        let text = on_one_line(said);
        let long = text.chars().count();
        if long > MAX {
            self.note(place, field, format!("is {long} characters long: it is cut to {MAX}"));
        }
        let read = text.chars().take(MAX).collect::<String>().parse();
        if let Err(error) = &read {
            self.note(place, field, format!("{error}: it is left out"));
        }
        read.ok()
    }
}

/// White space and control characters become single spaces.
fn on_one_line(text: &str) -> String {
    let gap = |c: char| c.is_whitespace() || c.is_control();
    text.split(gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
