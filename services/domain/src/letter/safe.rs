//! Whether a member may be written to by e-mail: decided when it is sent, of all that is known of the person then.

use std::collections::BTreeSet;

use crate::{
    letter::Why,
    member::{Channel, Denied, Profile, SafeContact},
};

/// Shortest word of what must never be mentioned that is looked for by itself, in characters.
const WORD_CHARS_MIN: usize = 3;

/// How a text can be read, in letters that every keyboard has, so that neither case nor accents nor another alphabet hide a
/// word: in each reading its words, with a space between two.
pub type Fold = fn(&str) -> Vec<String>;

/// All that it depends on.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// What is allowed now, of the person under all their records; none if they were erased or are not there.
    pub allowed: Option<Result<(), Denied>>,
    /// What is known under the record under which they go on.
    pub profile: &'a Profile,
    /// What is known under their other records.
    pub others: &'a [Profile],
    /// Whether somebody else has the same address.
    pub shared: bool,
    /// All that is sent: subject, text, sender.
    pub said: &'a [&'a str],
    /// How texts are compared.
    pub fold: Fold,
}

/// Whether they may be written to. Of several records the most careful one wins.
///
/// # Errors
/// Why not.
pub fn may_be_written_to(asked: &Asked<'_>) -> Result<(), Why> {
    match asked.allowed {
        None => return Err(Why::Gone),
        Some(Err(Denied::Restricted)) => return Err(Why::Restricted),
        Some(Err(Denied::Objected(_))) => return Err(Why::Objected),
        Some(Err(Denied::NoConsent(_))) => return Err(Why::NotAllowed),
        Some(Ok(())) => {}
    }
    if asked.profile.email.is_none() {
        return Err(Why::NoAddress);
    }
    let own = asked.profile.safe_contact.as_ref().ok_or(Why::NotAsked)?;
    heeds(own, asked)?;
    for other in asked.others {
        match &other.safe_contact {
            Some(safe) => heeds(safe, asked)?,
            // Somebody took their address, and did not ask.
            None if other.email.is_some() => return Err(Why::NotAsked),
            None => {}
        }
    }
    Ok(())
}

/// Whether what the member said once is heeded.
fn heeds(safe: &SafeContact, asked: &Asked<'_>) -> Result<(), Why> {
    let SafeContact { channels, when, never_mention, may_leave_message } = safe;
    match () {
        () if !channels.contains(&Channel::Email) => Err(Why::NotByEmail),
        () if when.is_some() => Err(Why::OnlyWhen),
        () if never_mention.iter().any(|never| mentions(never.as_str(), asked)) => Err(Why::Mentions),
        () if asked.shared && !may_leave_message => Err(Why::Shared),
        () => Ok(()),
    }
}

/// Whether all of it, or a word of it, is in anything that is sent, however either is divided into words.
fn mentions(never: &str, asked: &Asked<'_>) -> bool {
    let never = parts_of(&(asked.fold)(&divided(never)));
    asked.said.iter().any(|said| {
        let readings = (asked.fold)(&divided(said));
        let whole: Vec<String> = readings.iter().map(|reading| reading.replace(' ', "")).collect();
        let labels: BTreeSet<String> = readings.iter().flat_map(|reading| labels(reading)).collect();
        never.iter().any(|part| match part.chars().count() {
            0 => false,
            // It is in every other word.
            chars if chars < WORD_CHARS_MIN => labels.contains(part),
            _ => whole.iter().any(|said| said.contains(part)),
        })
    })
}

/// All of what must never be mentioned without what is between its words, and its words.
fn parts_of(readings: &[String]) -> BTreeSet<String> {
    readings.iter().flat_map(|reading| labels(reading).into_iter().chain([reading.replace(' ', "")])).collect()
}

/// Words, and short ones that follow each other as one: `A.A.` is a word too.
fn labels(reading: &str) -> Vec<String> {
    let (mut labels, mut run) = (Vec::new(), String::new());
    for word in reading.split_whitespace() {
        labels.push(word.to_owned());
        if word.chars().count() < WORD_CHARS_MIN {
            run.push_str(word);
        } else {
            labels.push(std::mem::take(&mut run));
        }
    }
    labels.push(run);
    labels
}

/// With a space where a word begins within another: `HarbourHouse`.
fn divided(text: &str) -> String {
    let (mut divided, mut before) = (String::with_capacity(text.len()), None::<char>);
    for c in text.chars() {
        if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
            divided.push(' ');
        }
        divided.push(c);
        before = Some(c);
    }
    divided
}
