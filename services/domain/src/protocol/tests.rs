use proptest::{prelude::*, sample::select};

use super::*;
use crate::decider::spec::{asking_twice_changes_nothing, given};

/// The first norm set of the GAD-7.
const GAD_NORMS: &str = "standard";

fn subject(name: &str) -> Subject {
    name.parse().unwrap()
}

fn programme(id: u128) -> ProgrammeId {
    ProgrammeId(Uuid::from_u128(id))
}

fn id(instrument: &str) -> instrument::Id {
    instrument.parse().unwrap()
}

fn edition(instrument: &str) -> Edition {
    Edition { instrument: id(instrument), version: 1, norm_set: None }
}

fn seat(seat: Seat, holder: &str) -> SeatTaken {
    SeatTaken { seat, holder: subject(holder) }
}

fn crisis_text(language: &str) -> CrisisTextSet {
    CrisisTextSet { language: language.parse().unwrap(), text: "Call 116 123, at any hour".parse().unwrap() }
}

fn used(instrument: &str, norm_set: &str) -> Event {
    Event::TakenIntoUse(TakenIntoUse { edition: Edition { norm_set: Some(id(norm_set)), ..edition(instrument) } })
}

fn asked(instrument: &str, every_weeks: Option<u8>, open_days: u8) -> Asked {
    let timing = Timing { intake: true, every_weeks, exit: false, open_days };
    Asked { programme: programme(1), instrument: id(instrument), timing }
}

/// An organisation in which concerns reach somebody.
fn ready() -> Vec<Event> {
    vec![Event::SeatTaken(seat(Seat::Organisation, "ann")), Event::CrisisTextSet(crisis_text("en"))]
}

fn with(more: Event) -> Vec<Event> {
    ready().into_iter().chain([more]).collect()
}

#[test]
fn an_instrument_that_can_raise_a_concern_is_used_only_where_somebody_is_told() {
    let use_phq = Command::TakeIntoUse(edition("phq-9"));
    given::<Protocol>([]).when(&use_phq).then_refused(&Refusal::NoDutySeat);
    given::<Protocol>([Event::SeatTaken(seat(Seat::Organisation, "ann"))])
        .when(&use_phq)
        .then_refused(&Refusal::NoCrisisText);
    given::<Protocol>(ready()).when(&use_phq).then(&[used("phq-9", "standard")]);
    asking_twice_changes_nothing::<Protocol>(&ready(), &use_phq);
    // One that asks about no risk needs nobody.
    given::<Protocol>([]).when(&Command::TakeIntoUse(edition("gad-7"))).then(&[used("gad-7", GAD_NORMS)]);
}

#[test]
fn what_is_not_there_cannot_be_used() {
    let unknown = Edition { version: 99, ..edition("phq-9") };
    given::<Protocol>(ready()).when(&Command::TakeIntoUse(unknown)).then_refused(&Refusal::UnknownInstrument);
    let unknown = Edition { norm_set: Some(id("martian")), ..edition("phq-9") };
    given::<Protocol>(ready()).when(&Command::TakeIntoUse(unknown)).then_refused(&Refusal::UnknownNormSet);
}

#[test]
fn a_seat_is_handed_over_and_a_programme_without_one_is_the_organisations() {
    let own = Seat::Programme(programme(1));
    given::<Protocol>([]).when(&Command::TakeSeat(seat(own, "ben"))).then_refused(&Refusal::NoDutySeat);
    let history = with(Event::SeatTaken(seat(own, "ben")));
    let state = history.iter().fold(State::default(), Protocol::evolve);
    assert_eq!(state.seat(Some(programme(1))), Some(own));
    assert_eq!(state.seat(Some(programme(2))), Some(Seat::Organisation));
    assert_eq!(state.holder(own), Some(&subject("ben")));
    given::<Protocol>(history.clone())
        .when(&Command::TakeSeat(seat(own, "eva")))
        .then(&[Event::SeatTaken(seat(own, "eva"))]);
    let close = Command::CloseSeat(programme(1));
    asking_twice_changes_nothing::<Protocol>(&history, &close);
    let closed = history.iter().cloned().chain([Event::SeatClosed(SeatClosed { programme: programme(1) })]);
    let state = closed.fold(State::default(), |state, event| Protocol::evolve(state, &event));
    assert_eq!(state.holder(own), Some(&subject("ann")), "what went to the seat before it was closed");
}

#[test]
fn a_programme_asks_for_what_is_in_use_and_never_for_two_at_once() {
    let ask = |asked| Command::Ask(asked);
    given::<Protocol>(ready()).when(&ask(asked("gad-7", Some(4), 3))).then_refused(&Refusal::NotInUse);
    let history = with(used("gad-7", GAD_NORMS));
    given::<Protocol>(history.clone()).when(&ask(asked("gad-7", Some(4), 3))).then(&[Event::Asked(asked(
        "gad-7",
        Some(4),
        3,
    ))]);
    given::<Protocol>(history.clone()).when(&ask(asked("gad-7", Some(1), 4))).then_refused(&Refusal::Overlaps);
    let refusal = Refusal::OutOfRange { what: "weeks", least: 1, most: WEEKS_MAX.into() };
    given::<Protocol>(history.clone()).when(&ask(asked("gad-7", Some(0), 0))).then_refused(&refusal);
    asking_twice_changes_nothing::<Protocol>(&history, &ask(asked("gad-7", None, 60)));
    let history: Vec<_> = history.into_iter().chain([Event::Asked(asked("gad-7", None, 3))]).collect();
    let state = history.iter().fold(State::default(), Protocol::evolve);
    assert_eq!(state.asked(programme(1)).count(), 1);
    let state = Protocol::evolve(state, &Event::TakenOutOfUse(TakenOutOfUse { instrument: id("gad-7") }));
    assert_eq!(state.asked(programme(1)).count(), 0, "nothing is asked for that is not in use");
}

#[test]
fn words_for_whoever_is_in_danger_are_in_their_language_if_there_are_any() {
    let languages = ["en", "pt", "zh-Hant"].map(|language| Event::CrisisTextSet(crisis_text(language)));
    let state = languages.iter().fold(State::default(), Protocol::evolve);
    let found = |wanted: &str| {
        let language = wanted.parse().unwrap();
        state.crisis_text(Some(&language)).unwrap().0.as_str().to_owned()
    };
    assert_eq!(found("pt-BR"), "pt");
    assert_eq!(found("zh-hant"), "zh-Hant");
    assert_eq!(found("fr"), "en", "any words are better than none");
    assert!(State::default().crisis_text(None).is_none());
}

#[test]
fn a_version_of_an_instrument_never_changes() {
    let own = |title: &str| {
        let mut definition = Definition::clone(instrument::shipped(&id("gad-7"), 1).unwrap());
        definition.version = 7;
        definition.title.insert("en".parse().unwrap(), title.parse().unwrap());
        Instrument::new(definition).unwrap()
    };
    let add = |title| Command::AddInstrument(Box::new(own(title)));
    asking_twice_changes_nothing::<Protocol>(&[], &add("Ours"));
    let history = [Event::InstrumentAdded(InstrumentAdded { definition: Box::new(Definition::clone(&own("Ours"))) })];
    given::<Protocol>(history).when(&add("Theirs")).then_refused(&Refusal::VersionTaken);
}

#[test]
fn no_version_of_an_instrument_takes_its_alarm_away() {
    let mut definition = Definition::clone(instrument::shipped(&id("phq-9"), 1).unwrap());
    definition.version = 2;
    let whole = Instrument::new(definition.clone()).unwrap();
    definition.risk.clear();
    definition.sources.remove("item-9-follow-up");
    let without = Instrument::new(definition).unwrap();
    given::<Protocol>([]).when(&Command::AddInstrument(Box::new(without))).then_refused(&Refusal::LosesRisk);
    asking_twice_changes_nothing::<Protocol>(&[], &Command::AddInstrument(Box::new(whole)));
}

#[test]
fn deadlines_have_limits() {
    let set = |concern_minutes| Command::SetDeadlines(Deadlines { concern_minutes, not_answered_minutes: 60 });
    asking_twice_changes_nothing::<Protocol>(&[], &set(30));
    let refusal = Refusal::OutOfRange { what: "minutes", least: 1, most: MINUTES_MAX };
    given::<Protocol>([]).when(&set(0)).then_refused(&refusal);
    given::<Protocol>([]).when(&set(MINUTES_MAX + 1)).then_refused(&refusal);
}

fn commands() -> impl Strategy<Value = Command> {
    let (who, which) = (select(vec!["ann", "ben"]), select(vec!["phq-9", "gad-7"]));
    (0usize..8, who, which, 1u128..3).prop_map(|(what, who, which, of)| match what {
        0 => Command::TakeSeat(seat(Seat::Organisation, who)),
        1 => Command::TakeSeat(seat(Seat::Programme(programme(of)), who)),
        2 => Command::CloseSeat(programme(of)),
        3 => Command::SetCrisisText(crisis_text("en")),
        4 => Command::TakeIntoUse(edition(which)),
        5 => Command::TakeOutOfUse(id(which)),
        6 => Command::Ask(asked(which, Some(4), 3)),
        _ => Command::AskNoMore(AskedNoMore { programme: programme(of), instrument: id(which) }),
    })
}

proptest! {
    #[test]
    fn while_a_concern_can_be_raised_somebody_sits_where_it_goes(asked in prop::collection::vec(commands(), 0..40)) {
        let mut state = State::default();
        for command in asked {
            let Ok(events) = Protocol::decide(&command, &state) else { continue };
            let held_before = state.seat(None).is_some();
            state = events.iter().fold(state, Protocol::evolve);
            prop_assert_eq!(Protocol::decide(&command, &state).unwrap(), vec![]);
            prop_assert!(state.seat(None).is_some() || !held_before, "a seat is never emptied");
            if state.in_use(&id("phq-9")).is_some() {
                for of in [None, Some(programme(1)), Some(programme(2))] {
                    let seat = state.seat(of);
                    prop_assert!(seat.is_some_and(|seat| state.holder(seat).is_some()));
                }
                prop_assert!(state.crisis_text(None).is_some());
            }
        }
    }
}
