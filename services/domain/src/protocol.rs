//! What an organisation asks of its members and when, who is told of a concern, and what is said to whoever may be in
//! danger: one stream for each organisation.
//!
//! Instruments and duty seats are decided together: no instrument that can raise a concern is in use while nobody sits
//! where concerns go. A seat is handed over, never emptied, so a concern that is being raised while somebody changes this
//! still finds its seat held.

mod refusal;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::{
    refusal::Refusal,
    windows::{Occasion, Progress, Window},
};
use crate::{
    Decider, OrgId, ProgrammeId, Subject,
    event::events,
    instrument::{self, Definition, Instrument, Language, SHIPPED, TextFile},
    text::Text,
};

/// Stream kind of protocols; each organisation has one stream, under [`stream_id`].
#[derive(Debug)]
pub struct Protocol;

/// Most versions of instruments that one organisation adds, a count.
pub const INSTRUMENTS_MAX: usize = 200;
/// Most instruments that one programme asks for at a time, a count.
pub const ASKED_MAX: usize = 16;
/// Most texts of instruments in one language that one organisation loads, a count.
pub const TEXTS_MAX: usize = 400;
/// Most languages of crisis texts, a count.
pub const CRISIS_TEXTS_MAX: usize = 100;
/// Most programmes with a duty seat of their own, a count.
pub const SEATS_MAX: usize = 1_000;
/// Longest time until a concern has to be acknowledged, in minutes: a week.
pub const MINUTES_MAX: u32 = 7 * 24 * 60;
/// Most weeks between two check-ins with the same instrument, a count.
pub const WEEKS_MAX: u8 = 104;
/// Most days that a check-in can be open before or after it is due, a count.
pub const OPEN_DAYS_MAX: u8 = 60;

/// What is said to whoever may be in danger.
pub type CrisisText = Text<2_000>;

/// The id of the organisation's stream.
pub fn stream_id(org: &OrgId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith protocol {org}").as_bytes())
}

/// Where concerns go: to whoever holds the seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// Of the organisation: of all programmes that have none of their own.
    Organisation,
    /// Of one programme.
    Programme(ProgrammeId),
}

/// A version of an instrument, and how its scores are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Which instrument.
    pub instrument: instrument::Id,
    /// Which version of it, from 1.
    #[schema(minimum = 1)]
    pub version: u16,
    /// The norm set by which its scores are read, if it has any; its first, if none is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_set: Option<instrument::Id>,
}

/// When a programme asks for a check-in with an instrument, counted from the first day of the enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// On the first day.
    pub intake: bool,
    /// Every so many weeks after that; not at all without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 104)]
    pub every_weeks: Option<u8>,
    /// On the last day.
    pub exit: bool,
    /// From so many days before the day until so many after it; then it is missed.
    #[schema(minimum = 0, maximum = 60)]
    pub open_days: u8,
}

/// How soon a concern has to be acknowledged before it goes one seat further, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// After a risk answer or a worry.
    #[schema(minimum = 1, maximum = 10_080)]
    pub concern_minutes: u32,
    /// After a question about a risk that was left without an answer.
    #[schema(minimum = 1, maximum = 10_080)]
    pub not_answered_minutes: u32,
}

impl Default for Deadlines {
    /// Four hours; two days.
    fn default() -> Self {
        Self { concern_minutes: 4 * 60, not_answered_minutes: 2 * 24 * 60 }
    }
}

/// The organisation added a version of an instrument of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstrumentAdded {
    /// What it is.
    pub definition: Box<Definition>,
}

/// The words of an instrument in one language, which its definition may not have, were loaded, and their terms accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextsLoaded {
    /// The words, whose they are, and on which terms.
    pub file: Box<TextFile>,
    /// Who accepted the terms, as their token says; when, is when this was recorded.
    pub accepted_by: Subject,
}

/// A version of an instrument was taken into use, in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenIntoUse {
    /// Which, and how it is read.
    pub edition: Edition,
}

/// An instrument was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenOutOfUse {
    /// Which.
    pub instrument: instrument::Id,
}

/// A programme asks for check-ins with an instrument from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Which programme.
    pub programme: ProgrammeId,
    /// With which instrument.
    pub instrument: instrument::Id,
    /// When.
    pub timing: Timing,
}

/// A programme asks for no more check-ins with an instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedNoMore {
    /// Which programme.
    pub programme: ProgrammeId,
    /// With which instrument.
    pub instrument: instrument::Id,
}

/// Somebody sits where concerns go, in place of whoever sat there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeatTaken {
    /// Where.
    pub seat: Seat,
    /// Who, as their tokens say.
    pub holder: Subject,
}

/// A programme has no seat of its own any more: its concerns go to the organisation's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeatClosed {
    /// Which programme.
    pub programme: ProgrammeId,
}

/// What is said to whoever may be in danger was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrisisTextSet {
    /// In which language.
    pub language: Language,
    /// What is said: whom to call, at any hour.
    pub text: CrisisText,
}

/// How soon concerns have to be acknowledged was set; of concerns that were raised before, nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadlinesSet {
    /// How soon.
    pub deadlines: Deadlines,
}

events! {
    /// What can have happened to an organisation's protocol.
    pub enum Event of "protocol" {
        /// It added a version of an instrument.
        InstrumentAdded = "instrument.added" v 1,
        /// Its words were loaded, and their terms accepted.
        TextsLoaded = "instrument.texts_loaded" v 1,
        /// A version of an instrument was taken into use.
        TakenIntoUse = "instrument.taken_into_use" v 1,
        /// An instrument was taken out of use.
        TakenOutOfUse = "instrument.taken_out_of_use" v 1,
        /// A programme asks for check-ins.
        Asked = "check_ins.asked" v 1,
        /// A programme asks for no more.
        AskedNoMore = "check_ins.asked_no_more" v 1,
        /// Somebody sits where concerns go.
        SeatTaken = "duty_seat.taken" v 1,
        /// A programme has no seat of its own any more.
        SeatClosed = "duty_seat.closed" v 1,
        /// What is said in danger was set.
        CrisisTextSet = "crisis_text.set" v 1,
        /// How soon concerns have to be acknowledged was set.
        DeadlinesSet = "concern_deadlines.set" v 1,
    }
}

/// What holds in an organisation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    added: BTreeMap<(instrument::Id, u16), Box<Instrument>>,
    texts: BTreeMap<(instrument::Id, u16, Language), TextsLoaded>,
    in_use: BTreeMap<instrument::Id, Edition>,
    asked: BTreeMap<(ProgrammeId, instrument::Id), Timing>,
    seats: BTreeMap<Seat, Subject>,
    crisis_texts: BTreeMap<Language, CrisisText>,
    /// How soon concerns have to be acknowledged.
    pub deadlines: Deadlines,
}

impl State {
    /// A version of an instrument, shipped or the organisation's own.
    pub fn instrument(&self, id: &instrument::Id, version: u16) -> Option<&Instrument> {
        let own = self.added.get(&(id.clone(), version)).map(|own| &**own);
        own.or_else(|| instrument::shipped(id, version))
    }

    /// Every version of every instrument that there is, shipped or the organisation's own.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        SHIPPED.iter().chain(self.added.values().map(|own| &**own))
    }

    /// Words of a version that were loaded, by language.
    pub fn texts(&self, id: &instrument::Id, version: u16) -> impl Iterator<Item = &TextsLoaded> {
        self.texts.values().filter(move |loaded| loaded.file.instrument == *id && loaded.file.version == version)
    }

    /// The version of an instrument that is in use, and how it is read.
    pub fn in_use(&self, instrument: &instrument::Id) -> Option<&Edition> {
        self.in_use.get(instrument)
    }

    /// Every version that is in use.
    pub fn all_in_use(&self) -> impl Iterator<Item = &Edition> {
        self.in_use.values()
    }

    /// What all programmes ask for, and when.
    pub fn all_asked(&self) -> impl Iterator<Item = (ProgrammeId, &instrument::Id, Timing)> {
        self.asked.iter().map(|((programme, instrument), timing)| (*programme, instrument, *timing))
    }

    /// Every seat, and who sits there.
    pub fn seats(&self) -> impl Iterator<Item = (Seat, &Subject)> {
        self.seats.iter().map(|(seat, holder)| (*seat, holder))
    }

    /// What is said in danger, in every language.
    pub fn crisis_texts(&self) -> impl Iterator<Item = (&Language, &CrisisText)> {
        self.crisis_texts.iter()
    }

    /// What the programme asks for, and when.
    pub fn asked(&self, programme: ProgrammeId) -> impl Iterator<Item = (&instrument::Id, Timing)> {
        let of = self.asked.iter().filter(move |((asking, _), _)| *asking == programme);
        of.map(|((_, instrument), timing)| (instrument, *timing))
    }

    /// Where concerns of the programme go: to its own seat if it has one. None if nobody sits anywhere.
    pub fn seat(&self, programme: Option<ProgrammeId>) -> Option<Seat> {
        let own = programme.map(Seat::Programme).filter(|seat| self.seats.contains_key(seat));
        own.or_else(|| self.seats.contains_key(&Seat::Organisation).then_some(Seat::Organisation))
    }

    /// Who sits there; the organisation's holder where a programme has closed its own.
    pub fn holder(&self, seat: Seat) -> Option<&Subject> {
        self.seats.get(&seat).or_else(|| self.seats.get(&Seat::Organisation))
    }

    /// What is said in danger, in the language if there is a text in it, else in a broader one (`pt` for `pt-BR`), else in
    /// the first that there is.
    pub fn crisis_text(&self, language: Option<&Language>) -> Option<(&Language, &CrisisText)> {
        let find =
            |wanted: &str| self.crisis_texts.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(wanted));
        let exact = language.and_then(|language| find(language.as_str()));
        let broader = || language.and_then(|language| find(language.as_str().split('-').next()?));
        exact.or_else(broader).or_else(|| self.crisis_texts.iter().next())
    }

    /// What must be there before a concern can be raised: somebody who sits where it goes, and words for whoever waits.
    ///
    /// # Errors
    /// What is missing.
    pub fn require_concerns_reach_somebody(&self) -> Result<(), Refusal> {
        match () {
            () if !self.seats.contains_key(&Seat::Organisation) => Err(Refusal::NoDutySeat),
            () if self.crisis_texts.is_empty() => Err(Refusal::NoCrisisText),
            () => Ok(()),
        }
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Add a version of an instrument.
    AddInstrument(Box<Instrument>),
    /// Load an instrument's words; the caller has checked them.
    LoadTexts(TextsLoaded),
    /// Take a version into use.
    TakeIntoUse(Edition),
    /// Take an instrument out of use.
    TakeOutOfUse(instrument::Id),
    /// Ask for check-ins in a programme; the caller has looked whether there is one.
    Ask(Asked),
    /// Ask for no more.
    AskNoMore(AskedNoMore),
    /// Sit where concerns go, or hand it over.
    TakeSeat(SeatTaken),
    /// Close a programme's seat.
    CloseSeat(ProgrammeId),
    /// Set what is said in danger.
    SetCrisisText(CrisisTextSet),
    /// Set how soon concerns have to be acknowledged.
    SetDeadlines(Deadlines),
}

impl Decider for Protocol {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let event = match command {
            Command::AddInstrument(instrument) => add(instrument, state)?,
            Command::LoadTexts(loaded) => load_texts(loaded, state)?,
            Command::TakeIntoUse(edition) => take_into_use(edition, state)?,
            Command::TakeOutOfUse(instrument) => {
                let out = TakenOutOfUse { instrument: instrument.clone() };
                state.in_use.contains_key(instrument).then_some(Event::TakenOutOfUse(out))
            }
            Command::Ask(asked) => ask(asked, state)?,
            Command::AskNoMore(no_more) => {
                let asked = state.asked.contains_key(&(no_more.programme, no_more.instrument.clone()));
                asked.then(|| Event::AskedNoMore(no_more.clone()))
            }
            Command::TakeSeat(taken) => take_seat(taken, state)?,
            Command::CloseSeat(programme) => {
                let held = state.seats.contains_key(&Seat::Programme(*programme));
                held.then_some(Event::SeatClosed(SeatClosed { programme: *programme }))
            }
            Command::SetCrisisText(set) => set_crisis_text(set, state)?,
            Command::SetDeadlines(deadlines) => {
                within("minutes", [deadlines.concern_minutes, deadlines.not_answered_minutes], 1..=MINUTES_MAX)?;
                let set = DeadlinesSet { deadlines: *deadlines };
                (state.deadlines != *deadlines).then_some(Event::DeadlinesSet(set))
            }
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event.clone() {
            Event::InstrumentAdded(InstrumentAdded { definition }) => {
                // One that would not be taken today is not there: its check-ins have no scores.
                if let Ok(instrument) = Instrument::new(*definition) {
                    state.added.insert((instrument.id.clone(), instrument.version), Box::new(instrument));
                }
            }
            Event::TextsLoaded(loaded) => {
                let TextFile { instrument, version, language, .. } = &*loaded.file;
                state.texts.insert((instrument.clone(), *version, language.clone()), loaded);
            }
            Event::TakenIntoUse(TakenIntoUse { edition }) => {
                state.in_use.insert(edition.instrument.clone(), edition);
            }
            Event::TakenOutOfUse(TakenOutOfUse { instrument }) => {
                state.in_use.remove(&instrument);
                state.asked.retain(|(_, asked), _| *asked != instrument);
            }
            Event::Asked(Asked { programme, instrument, timing }) => {
                state.asked.insert((programme, instrument), timing);
            }
            Event::AskedNoMore(AskedNoMore { programme, instrument }) => {
                state.asked.remove(&(programme, instrument));
            }
            Event::SeatTaken(SeatTaken { seat, holder }) => {
                state.seats.insert(seat, holder);
            }
            Event::SeatClosed(SeatClosed { programme }) => {
                state.seats.remove(&Seat::Programme(programme));
            }
            Event::CrisisTextSet(CrisisTextSet { language, text }) => {
                state.crisis_texts.insert(language, text);
            }
            Event::DeadlinesSet(DeadlinesSet { deadlines }) => state.deadlines = deadlines,
        }
        state
    }
}

/// A version never changes: a check-in is for ever read with the one with which it was taken.
fn add(instrument: &Instrument, state: &State) -> Result<Option<Event>, Refusal> {
    let asks = |known: &Instrument| known.id == instrument.id && !known.risk.is_empty();
    if instrument.risk.is_empty() && state.instruments().any(asks) {
        return Err(Refusal::LosesRisk);
    }
    match state.instrument(&instrument.id, instrument.version) {
        Some(known) if known == instrument => Ok(None),
        Some(_) => Err(Refusal::VersionTaken),
        None if state.added.len() >= INSTRUMENTS_MAX => Err(Refusal::Full("instruments", INSTRUMENTS_MAX)),
        None => {
            let definition = Box::new(Definition::clone(instrument));
            Ok(Some(Event::InstrumentAdded(InstrumentAdded { definition })))
        }
    }
}

fn load_texts(loaded: &TextsLoaded, state: &State) -> Result<Option<Event>, Refusal> {
    let TextFile { instrument, version, language, .. } = &*loaded.file;
    state.instrument(instrument, *version).ok_or(Refusal::UnknownInstrument)?;
    let known = state.texts.get(&(instrument.clone(), *version, language.clone()));
    match known {
        Some(known) if known.file == loaded.file => Ok(None),
        None if state.texts.len() >= TEXTS_MAX => Err(Refusal::Full("texts of instruments", TEXTS_MAX)),
        _ => Ok(Some(Event::TextsLoaded(loaded.clone()))),
    }
}

fn take_into_use(edition: &Edition, state: &State) -> Result<Option<Event>, Refusal> {
    let definition = state.instrument(&edition.instrument, edition.version).ok_or(Refusal::UnknownInstrument)?;
    let norm_set = match &edition.norm_set {
        Some(chosen) if definition.norm_sets.iter().all(|known| known.id != *chosen) => {
            return Err(Refusal::UnknownNormSet);
        }
        // The first is the one to take if nobody chose another.
        chosen => chosen.clone().or_else(|| definition.norm_sets.first().map(|first| first.id.clone())),
    };
    if !definition.risk.is_empty() {
        state.require_concerns_reach_somebody()?;
    }
    let edition = Edition { norm_set, ..edition.clone() };
    let known = state.in_use(&edition.instrument) == Some(&edition);
    Ok((!known).then_some(Event::TakenIntoUse(TakenIntoUse { edition })))
}

fn ask(asked: &Asked, state: &State) -> Result<Option<Event>, Refusal> {
    let Asked { programme, instrument, timing } = asked;
    within("weeks", timing.every_weeks.map(u32::from), 1..=WEEKS_MAX.into())?;
    within("days", [timing.open_days.into()], 0..=OPEN_DAYS_MAX.into())?;
    // What is open longer than until the next one is due could be answered for either.
    let overlaps = timing.every_weeks.is_some_and(|weeks| u32::from(timing.open_days) * 2 >= u32::from(weeks) * 7);
    let known = state.asked.get(&(*programme, instrument.clone()));
    match () {
        () if state.in_use(instrument).is_none() => Err(Refusal::NotInUse),
        () if overlaps => Err(Refusal::Overlaps),
        () if known == Some(timing) => Ok(None),
        () if known.is_none() && state.asked(*programme).count() >= ASKED_MAX => {
            Err(Refusal::Full("instruments", ASKED_MAX))
        }
        () => Ok(Some(Event::Asked(asked.clone()))),
    }
}

fn take_seat(taken: &SeatTaken, state: &State) -> Result<Option<Event>, Refusal> {
    let known = state.seats.get(&taken.seat);
    match taken.seat {
        _ if known == Some(&taken.holder) => Ok(None),
        Seat::Programme(_) if !state.seats.contains_key(&Seat::Organisation) => Err(Refusal::NoDutySeat),
        _ if known.is_none() && state.seats.len() > SEATS_MAX => Err(Refusal::Full("duty seats", SEATS_MAX)),
        _ => Ok(Some(Event::SeatTaken(taken.clone()))),
    }
}

fn set_crisis_text(set: &CrisisTextSet, state: &State) -> Result<Option<Event>, Refusal> {
    let known = state.crisis_texts.get(&set.language);
    match () {
        () if known == Some(&set.text) => Ok(None),
        () if known.is_none() && state.crisis_texts.len() >= CRISIS_TEXTS_MAX => {
            Err(Refusal::Full("languages", CRISIS_TEXTS_MAX))
        }
        () => Ok(Some(Event::CrisisTextSet(set.clone()))),
    }
}

fn within(
    what: &'static str,
    values: impl IntoIterator<Item = u32>,
    range: std::ops::RangeInclusive<u32>,
) -> Result<(), Refusal> {
    match values.into_iter().find(|value| !range.contains(value)) {
        Some(_) => Err(Refusal::OutOfRange { what, least: *range.start(), most: *range.end() }),
        None => Ok(()),
    }
}
