//! Texts fit the items, are complete, and stand where their licence lets them.

use super::{Mistake, Mistakes, no, sources};
use crate::instrument::{
    definition::{Definition, Item, LANGUAGES_MAX},
    texts::{ANSWER_TEXTS_MAX, AnswerText, Class, TextFile, Texts},
};

pub(super) fn check(definition: &Definition, mistakes: &mut Mistakes) {
    let free = definition.licence.class == Class::A || definition.texts.is_empty();
    mistakes.unless(free, "texts", "only texts of licence class a may be in a definition");
    mistakes.length(definition.texts.len(), 0, LANGUAGES_MAX, "texts");
    for (language, in_it) in &definition.texts {
        texts(definition, in_it, &format!("texts.{language}"), mistakes);
    }
}

/// All that is wrong with a file of texts of an instrument.
pub(in crate::instrument) fn text_file(definition: &Definition, file: &TextFile) -> Vec<Mistake> {
    let mut mistakes = Mistakes::default();
    mistakes.unless(file.instrument == definition.id, "instrument", format_args!("must be `{}`", definition.id));
    mistakes.unless(file.version == definition.version, "version", format_args!("must be {}", definition.version));
    texts(definition, &file.texts, "texts", &mut mistakes);
    sources::check(file, &file.sources, &mut mistakes);
    mistakes.0
}

fn texts(definition: &Definition, texts: &Texts, at: &str, mistakes: &mut Mistakes) {
    for item in &definition.items {
        let at = format!("{at}.items");
        mistakes.unless(texts.items.contains_key(&item.id), at, format_args!("item `{}` has no text", item.id));
    }
    for (id, text) in &texts.items {
        let at = format!("{at}.items.{id}");
        match definition.item(id) {
            Some(item) => answers(&text.answers, &[item], &format!("{at}.answers"), mistakes),
            None => mistakes.unless(false, at, no("item", id)),
        }
    }
    let own = |item: &&Item| texts.items.get(&item.id).is_some_and(|text| !text.answers.is_empty());
    let others: Vec<&Item> = definition.items.iter().filter(|item| !own(item)).collect();
    answers(&texts.answers, &others, &format!("{at}.answers"), mistakes);
}

fn answers(answers: &[AnswerText], items: &[&Item], at: &str, mistakes: &mut Mistakes) {
    mistakes.length(answers.len(), 0, ANSWER_TEXTS_MAX, at);
    mistakes.once(answers.iter().map(|text| text.answer), at, ".answer");
    for (n, text) in answers.iter().enumerate() {
        let possible = items.iter().any(|item| (item.min..=item.max).contains(&text.answer));
        mistakes.unless(possible, format_args!("{at}[{n}].answer"), "is no answer to these items");
    }
}
