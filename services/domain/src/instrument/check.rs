//! Whether a definition is right as a whole. All that is wrong is listed, each with the path of its field.

mod norms;
mod scores;
mod sources;
mod texts;

use std::{collections::BTreeSet, fmt::Display};

use super::{
    definition::{
        ANSWER_MAX, Definition, ITEMS_MAX, Item, LANGUAGES_MAX, NORM_SETS_MAX, NOTES_MAX, PERIOD_DAYS_MAX, Points,
        RELIABLE_CHANGES_MAX, SCORES_MAX, TRIGGERS_MAX, Trigger,
    },
    names::Id,
};

pub(super) use texts::text_file;

/// Something that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {says}")]
pub struct Mistake {
    /// The path of the field, such as `scores[0].range.max`.
    pub at: String,
    /// What is wrong with it.
    pub says: String,
}

/// Text that is no instrument.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It has not the form of a definition.
    #[error("is not a definition")]
    Form(#[from] serde_json::Error),
    /// It has, and what it says does not fit together.
    #[error("{} in it: {}", count(.0), lines(.0))]
    Mistakes(Vec<Mistake>),
}

impl From<Vec<Mistake>> for LoadError {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self::Mistakes(mistakes)
    }
}

fn count(mistakes: &[Mistake]) -> String {
    if mistakes.len() == 1 { "1 mistake".into() } else { format!("{} mistakes", mistakes.len()) }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; ")
}

/// All that is wrong with a definition.
pub(super) fn definition(definition: &Definition) -> Vec<Mistake> {
    let mut mistakes = Mistakes::default();
    about(definition, &mut mistakes);
    items(definition, &mut mistakes);
    scores::check(definition, &mut mistakes);
    norms::check(definition, &mut mistakes);
    triggers(definition, "risk", &definition.risk, &mut mistakes);
    triggers(definition, "screens", &definition.screens, &mut mistakes);
    loinc(definition, &mut mistakes);
    texts::check(definition, &mut mistakes);
    sources::check(definition, &definition.sources, &mut mistakes);
    mistakes.0
}

/// What was found so far.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Writes down that something is wrong, unless it is right.
    fn unless(&mut self, right: bool, at: impl Display, says: impl Display) {
        if !right {
            self.0.push(Mistake { at: at.to_string(), says: says.to_string() });
        }
    }

    fn length(&mut self, length: usize, min: usize, max: usize, at: impl Display) {
        self.unless(
            (min..=max).contains(&length),
            at,
            format_args!("has {length} entries, {min} to {max} are possible"),
        );
    }

    /// Each thing of a list once, `of` saying which field of it must differ.
    fn once<T: Ord + Display>(&mut self, all: impl IntoIterator<Item = T>, at: &str, of: &str) {
        let mut seen = BTreeSet::new();
        for (n, one) in all.into_iter().enumerate() {
            self.unless(!seen.contains(&one), format_args!("{at}[{n}]{of}"), format_args!("`{one}` is there before"));
            seen.insert(one);
        }
    }

    /// Items that the definition has, each once; at least one.
    fn items(&mut self, definition: &Definition, ids: &[Id], at: &str) {
        self.length(ids.len(), 1, ITEMS_MAX, at);
        self.once(ids, at, "");
        for (n, id) in ids.iter().enumerate() {
            self.unless(definition.item(id).is_some(), format_args!("{at}[{n}]"), no("item", id));
        }
    }
}

/// That there is nothing of this id.
fn no(what: &str, id: impl Display) -> String {
    format!("there is no {what} `{id}`")
}

fn about(definition: &Definition, mistakes: &mut Mistakes) {
    mistakes.unless(definition.version >= 1, "version", "must be 1 or more");
    mistakes.length(definition.title.len(), 1, LANGUAGES_MAX, "title");
    let period = definition.period_days.unwrap_or(1);
    mistakes.unless(
        (1..=PERIOD_DAYS_MAX).contains(&period),
        "period_days",
        format_args!("must be 1 to {PERIOD_DAYS_MAX} days"),
    );
    mistakes.length(definition.items.len(), 1, ITEMS_MAX, "items");
    mistakes.length(definition.scores.len(), 1, SCORES_MAX, "scores");
    mistakes.length(definition.norm_sets.len(), 0, NORM_SETS_MAX, "norm_sets");
    mistakes.length(definition.reliable_change.len(), 0, RELIABLE_CHANGES_MAX, "reliable_change");
    mistakes.length(definition.notes.len(), 0, NOTES_MAX, "notes");
}

fn items(definition: &Definition, mistakes: &mut Mistakes) {
    mistakes.once(definition.items.iter().map(|item| &item.id), "items", ".id");
    for (n, item) in definition.items.iter().enumerate() {
        let at = format!("items[{n}]");
        let (Item { min, max, .. }, limit) = (item, format_args!("must be at most {ANSWER_MAX}"));
        mistakes.unless(min < max, format_args!("{at}.max"), "must be above `min`");
        mistakes.unless(*max <= ANSWER_MAX, format_args!("{at}.max"), limit);
        if let Points::Each(points) = &item.points {
            let answers = usize::from(max.saturating_sub(*min)) + 1;
            let at = format!("{at}.points.each");
            let says = format!("has {} entries, {answers} numbers can be answered", points.len());
            mistakes.unless(points.len() == answers, &at, says);
            mistakes.unless(points.iter().all(|points| *points <= ANSWER_MAX), &at, limit);
        }
    }
}

fn triggers(definition: &Definition, field: &str, triggers: &[Trigger], mistakes: &mut Mistakes) {
    mistakes.length(triggers.len(), 0, TRIGGERS_MAX, field);
    mistakes.once(triggers.iter().map(|trigger| &trigger.id), field, ".id");
    for (n, trigger) in triggers.iter().enumerate() {
        mistakes.items(definition, &trigger.items, &format!("{field}[{n}].items"));
        for item in trigger.items.iter().filter_map(|id| definition.item(id)) {
            let met = |raw: u8| trigger.compare.holds(raw, trigger.answer);
            let parts = (item.min..=item.max).any(met) && !(item.min..=item.max).all(met);
            let says = format!("every answer to item `{}`, or none, is one", item.id);
            mistakes.unless(parts, format_args!("{field}[{n}].answer"), says);
        }
    }
}

fn loinc(definition: &Definition, mistakes: &mut Mistakes) {
    let items = definition.items.iter().filter_map(|item| item.loinc.as_ref());
    let mut codes = items.chain(definition.scores.iter().filter_map(|score| score.loinc.as_ref()));
    let confirmed = definition.loinc.is_some() || codes.next().is_none();
    mistakes.unless(confirmed, "loinc", "must say who confirms the codes of items and scores");
}
