//! Whether a member may be written to by e-mail: decided when it is sent, of all that is known of the person then.

use crate::{
    letter::Why,
    member::{Channel, Denied, Profile, SafeContact},
};

/// Shortest word of what must never be mentioned that is looked for by itself, in characters.
const WORD_CHARS_MIN: usize = 3;

/// In which form texts are compared, so that neither case nor accents hide a word.
pub type Fold = fn(&str) -> String;

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

/// Whether all of it, or a word of it, is in anything that is sent.
fn mentions(never: &str, asked: &Asked<'_>) -> bool {
    let never = (asked.fold)(never);
    let words = never.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= WORD_CHARS_MIN);
    let parts: Vec<&str> = words.chain(Some(never.trim()).filter(|whole| !whole.is_empty())).collect();
    asked.said.iter().map(|said| (asked.fold)(said)).any(|said| parts.iter().any(|part| said.contains(part)))
}
