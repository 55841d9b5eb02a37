//! A group: people who meet about something they share, somewhere or online, by a calendar.

mod accessibility;
mod import;
mod joining;
mod link;
mod meeting_type;
mod series;

use jiff::{Zoned, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

pub use self::import::ImportedCalendar;
pub use self::series::{EARLIER_MAX, MOVED_DAYS_MAX, OVERRIDES_MAX, Override, Series};
use crate::{Decider, LocalDay, ProgrammeId, RefusalKind, Schedule, event::events, text::Text, there};
pub use accessibility::{Accessibility, Cost};
pub use joining::{Joining, Online};
pub use link::{Link, LinkError};
pub use meeting_type::MeetingType;

/// Stream kind of groups.
#[derive(Debug)]
pub struct Group;

/// What a group is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Focus {
    /// Recovery from addiction.
    Addiction,
    /// Recovery from mental-health problems.
    MentalHealth,
    /// Living with a chronic illness.
    ChronicIllness,
    /// Anything else.
    Other,
}

/// How a group meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MeetingMode {
    /// In a room.
    InPerson,
    /// By video or phone.
    Virtual,
    /// Both at once.
    Hybrid,
}

impl MeetingMode {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where a group meets in person.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Venue {
    /// Building or room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<200>>,
    /// How to find the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directions: Option<Text<400>>,
    /// Street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<Text<200>>,
    /// Part of the town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbourhood: Option<Text<100>>,
    /// Town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<Text<100>>,
    /// State, county or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Text<100>>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<Text<20>>,
    /// Country, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<60>>,
    /// Where on the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
}

/// A place in WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(try_from = "LatLon")]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    #[schema(minimum = -90, maximum = 90)]
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    #[schema(minimum = -180, maximum = 180)]
    pub longitude: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LatLon {
    latitude: f64,
    longitude: f64,
}

impl TryFrom<LatLon> for Coordinates {
    type Error = &'static str;
    fn try_from(LatLon { latitude, longitude }: LatLon) -> Result<Self, Self::Error> {
        Self::new(latitude, longitude).ok_or("latitude must be -90 to 90 and longitude -180 to 180 degrees")
    }
}

impl Coordinates {
    /// The place, if there is one with these coordinates.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
            .then_some(Self { latitude, longitude })
    }
}

/// What describes a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GroupDetails)]
pub struct Details {
    /// Its name. Not personal data: never a person's name.
    pub name: Text<200>,
    /// The programme it belongs to.
    pub programme: ProgrammeId,
    /// What it is about.
    pub focus: Focus,
    /// How meetings go (discussion, step, speaker, …), as the organisation calls them; at most [`FORMATS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Text<80>>,
    /// How it meets.
    pub mode: MeetingMode,
    /// Where it meets in person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<Venue>,
    /// Language of the meetings (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Text<35>>,
    /// Anything a newcomer should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<Text<500>>,
    /// What it offers to those who could not come without it, of each kind once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accessibility: Vec<Accessibility>,
    /// What taking part costs, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How much, and what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<Text<200>>,
    /// Its page on the web. Not where it meets online: that is set apart, because not everybody may know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<Link>,
    /// Whether it may be shown in public listings.
    pub listed: bool,
    /// Where it was imported from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<200>>,
}

/// Most formats of one group, a count.
pub const FORMATS_MAX: usize = 40;

/// A group was registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// As registered.
    pub details: Details,
}

/// A group's details were changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// As they are now.
    pub details: Details,
}

/// A group's calendar was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scheduled {
    /// As it is now.
    pub schedule: Schedule,
}

/// A group's calendar was taken away: it plans no more meetings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unscheduled {}

/// It was said how to take part from elsewhere, or that nobody can any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JoiningSet {
    /// As it is now; none if nobody can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<Online>,
}

/// Something is otherwise at one occurrence than the calendar says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OccurrenceChanged {
    /// Its place in the series: the local date on which the calendar has it.
    pub on: Date,
    /// All that is otherwise.
    pub change: Override,
}

/// One occurrence is as the calendar says again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OccurrenceRestored {
    /// Its place in the series.
    pub on: Date,
}

events! {
    /// What can have happened to a group.
    pub enum Event of "group" {
        /// It was registered.
        Registered = "group.registered" v 1,
        /// Its details were changed.
        Changed = "group.changed" v 1,
        /// Its calendar was set.
        Scheduled = "group.scheduled" v 1,
        /// Its calendar was taken away.
        Unscheduled = "group.unscheduled" v 1,
        /// It was said how to take part from elsewhere.
        JoiningSet = "group.joining_set" v 1,
        /// Something is otherwise at one occurrence.
        OccurrenceChanged = "group.occurrence_changed" v 1,
        /// One occurrence is as the calendar says again.
        OccurrenceRestored = "group.occurrence_restored" v 1,
    }
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Nothing before it is registered.
    pub details: Option<Details>,
    /// Its calendar, as it is and as it was.
    pub series: Series,
    /// How to take part from elsewhere, if somebody can.
    pub online: Option<Online>,
}

impl State {
    /// The day where the group meets; that of `now` if it has no calendar, which says where.
    pub fn today(&self, now: &Zoned) -> LocalDay {
        LocalDay::of(&there(now, self.series.schedule.as_ref().map(|schedule| schedule.time_zone.as_str())))
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Register it, or change its details to these.
    Describe(Details),
    /// Set its calendar, or take it away.
    Schedule(Option<Schedule>),
    /// Say how to take part from elsewhere, or that nobody can.
    SetJoining(Option<Online>),
    /// Show it in public no more. It goes on meeting.
    Unlist,
    /// Details and calendar in one: only what differs is written.
    Import(Details, Option<Schedule>),
    /// All that a listing says of it in one: only what differs is written, and what it cannot know stays.
    List(Details, Option<Schedule>, Option<Online>),
    /// All that a file of calendars says of it in one: only what differs is written. With the day where the group meets.
    ImportCalendar(ImportedCalendar, Date),
    /// Set all that is otherwise at one occurrence; nothing: it is as the calendar says.
    ChangeOccurrence {
        /// Its place in the series.
        on: Date,
        /// All that is otherwise.
        change: Override,
        /// The day where the group meets: what was changed at occurrences before it is past.
        today: Date,
    },
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such group.
    #[error("there is no such group")]
    Unknown,
    /// Nothing to plan by.
    #[error("the group has no schedule to plan meetings by")]
    NoSchedule,
    /// Nothing that could be otherwise.
    #[error("the calendar has no meeting on {0}")]
    NoOccurrence(Date),
    /// The register says what became of it.
    #[error("the register of that meeting was opened, or it was cancelled or did not occur")]
    OccurrencePast,
    /// Too much is otherwise.
    #[error("{OVERRIDES_MAX} occurrences ahead are otherwise than the calendar says, no more are possible")]
    TooManyOverrides,
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-group",
            Self::NoSchedule => "no-schedule",
            Self::NoOccurrence(_) => "no-occurrence",
            Self::OccurrencePast => "occurrence-past",
            Self::TooManyOverrides => "too-many-overrides",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown | Self::NoOccurrence(_) => RefusalKind::Absent,
            Self::NoSchedule | Self::OccurrencePast | Self::TooManyOverrides => RefusalKind::Conflict,
        }
    }
}

impl Decider for Group {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let described = |details: &Details| match &state.details {
            None => Some(Event::Registered(Registered { details: details.clone() })),
            Some(now) if now == details => None,
            Some(_) => Some(Event::Changed(Changed { details: details.clone() })),
        };
        let scheduled = |schedule: &Option<Schedule>| match schedule {
            now if *now == state.series.schedule => None,
            Some(schedule) => Some(Event::Scheduled(Scheduled { schedule: schedule.clone() })),
            None => Some(Event::Unscheduled(Unscheduled {})),
        };
        let joining = |online: &Option<Online>| {
            (*online != state.online).then(|| Event::JoiningSet(JoiningSet { online: online.clone() }))
        };
        match command {
            Command::Unlist => match &state.details {
                None => Err(Refusal::Unknown),
                Some(now) => Ok(described(&Details { listed: false, ..now.clone() }).into_iter().collect()),
            },
            Command::Describe(details) => Ok(described(details).into_iter().collect()),
            Command::Import(details, schedule) => {
                Ok(described(details).into_iter().chain(scheduled(schedule)).collect())
            }
            Command::List(details, schedule, online) => {
                let online = Online::listed(state.online.as_ref(), online.as_ref());
                Ok(described(details).into_iter().chain(scheduled(schedule)).chain(joining(&online)).collect())
            }
            Command::ImportCalendar(calendar, today) => import::import(calendar, state, *today),
            _ if state.details.is_none() => Err(Refusal::Unknown),
            Command::SetJoining(online) => Ok(joining(online).into_iter().collect()),
            Command::Schedule(schedule) => Ok(scheduled(schedule).into_iter().collect()),
            Command::ChangeOccurrence { on, change, today } => change_occurrence(&state.series, *on, change, *today),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => {
                state.details = Some(details.clone());
            }
            Event::Scheduled(Scheduled { schedule }) => state.series.reschedule(Some(schedule.clone())),
            Event::Unscheduled(Unscheduled {}) => state.series.reschedule(None),
            Event::OccurrenceChanged(OccurrenceChanged { on, change }) => state.series.set(*on, Some(change)),
            Event::OccurrenceRestored(OccurrenceRestored { on }) => state.series.set(*on, None),
            Event::JoiningSet(JoiningSet { online }) => state.online.clone_from(online),
        }
        state
    }
}

fn change_occurrence(series: &Series, on: Date, change: &Override, today: Date) -> Result<Vec<Event>, Refusal> {
    let before = series.overrides.get(&on);
    let ahead = || series.overrides.range(today..).filter(|(other, _)| **other != on).count();
    match (before, *change == Override::default()) {
        (None, true) => Ok(vec![]),
        (Some(before), false) if before == change => Ok(vec![]),
        (Some(_), true) => Ok(vec![Event::OccurrenceRestored(OccurrenceRestored { on })]),
        (_, false) if ahead() >= OVERRIDES_MAX => Err(Refusal::TooManyOverrides),
        (_, false) => Ok(vec![Event::OccurrenceChanged(OccurrenceChanged { on, change: change.clone() })]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::spec::{asking_twice_changes_nothing, given};

    fn details(name: &str) -> Details {
        Details {
            name: name.parse().unwrap(),
            programme: ProgrammeId(uuid::Uuid::nil()),
            focus: Focus::Addiction,
            formats: vec![],
            mode: MeetingMode::InPerson,
            venue: None,
            language: None,
            comments: None,
            accessibility: vec![],
            cost: None,
            cost_details: None,
            website: None,
            listed: true,
            source: None,
        }
    }

    fn tuesdays() -> Schedule {
        Schedule {
            starts_on: jiff::civil::date(2026, 1, 6),
            starts_at: jiff::civil::time(19, 0, 0, 0),
            duration_minutes: 90,
            time_zone: "America/New_York".parse().unwrap(),
            recurrence: "FREQ=WEEKLY;BYDAY=TU".parse().unwrap(),
            except: vec![],
        }
    }

    #[test]
    fn an_import_writes_only_what_changed() {
        let registered = Event::Registered(Registered { details: details("Steps") });
        let scheduled = Event::Scheduled(Scheduled { schedule: tuesdays() });
        let import = Command::Import(details("Steps"), Some(tuesdays()));
        given::<Group>([]).when(&import).then(&[registered.clone(), scheduled.clone()]);
        let history = [registered, scheduled];
        given::<Group>(history.clone()).when(&import).then_nothing();
        given::<Group>(history.clone())
            .when(&Command::Import(details("New steps"), Some(tuesdays())))
            .then(&[Event::Changed(Changed { details: details("New steps") })]);
        given::<Group>(history.clone())
            .when(&Command::Import(details("Steps"), None))
            .then(&[Event::Unscheduled(Unscheduled {})]);
        asking_twice_changes_nothing::<Group>(&history, &Command::Import(details("Other"), None));
    }

    #[test]
    fn how_to_join_is_set_and_taken_away_and_a_listing_gives_away_nothing_that_is_kept_from_the_public() {
        let registered = Event::Registered(Registered { details: details("Steps") });
        let joining = Joining { url: Some("https://meet.example.org/a".parse().unwrap()), ..Joining::default() };
        let other = Joining { url: Some("https://meet.example.org/b".parse().unwrap()), ..Joining::default() };
        let Ok(sealed) = "s1.sealed".parse();
        let (public, other, private) = (Online::Public(joining), Online::Public(other), Online::Private(sealed));
        let set = |online: &Online| Event::JoiningSet(JoiningSet { online: Some(online.clone()) });
        let gone = Event::JoiningSet(JoiningSet { online: None });
        given::<Group>([]).when(&Command::SetJoining(Some(public.clone()))).then_refused(&Refusal::Unknown);
        given::<Group>([registered.clone()]).when(&Command::SetJoining(Some(private.clone()))).then(&[set(&private)]);
        let listed = |online: &Option<Online>| Command::List(details("Steps"), None, online.clone());
        for (now, says, then) in [
            (None, Some(&public), Some(set(&public))),
            (Some(&public), Some(&other), Some(set(&other))),
            (Some(&public), Some(&private), Some(set(&private))),
            (Some(&public), None, Some(gone.clone())),
            (Some(&private), Some(&public), None),
            (Some(&private), None, None),
        ] {
            let history: Vec<_> = [registered.clone()].into_iter().chain(now.map(set)).collect();
            let then: Vec<_> = then.into_iter().collect();
            given::<Group>(history.clone()).when(&listed(&says.cloned())).then(&then);
            asking_twice_changes_nothing::<Group>(&history, &listed(&says.cloned()));
            asking_twice_changes_nothing::<Group>(&history, &Command::SetJoining(says.cloned()));
        }
    }

    #[test]
    fn a_group_that_is_unlisted_keeps_its_calendar_and_is_listed_again_by_a_listing() {
        let registered = Event::Registered(Registered { details: details("Steps") });
        let scheduled = Event::Scheduled(Scheduled { schedule: tuesdays() });
        let unlisted = Event::Changed(Changed { details: Details { listed: false, ..details("Steps") } });
        given::<Group>([]).when(&Command::Unlist).then_refused(&Refusal::Unknown);
        let history = [registered, scheduled];
        given::<Group>(history.clone()).when(&Command::Unlist).then(std::slice::from_ref(&unlisted));
        asking_twice_changes_nothing::<Group>(&history, &Command::Unlist);
        given::<Group>(history.into_iter().chain([unlisted]))
            .when(&Command::List(details("Steps"), Some(tuesdays()), None))
            .then(&[Event::Changed(Changed { details: details("Steps") })]);
    }

    #[test]
    fn its_day_is_the_one_where_it_meets_or_else_the_one_that_is_given() {
        let now = "2026-02-01T04:30:00Z".parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let day = |schedule| {
            let mut series = Series::default();
            series.reschedule(schedule);
            State { series, ..State::default() }.today(&now).to_string()
        };
        assert_eq!(day(Some(tuesdays())), "2026-01-31 in America/New_York");
        assert_eq!(day(None), "2026-02-01 in UTC");
        let elsewhere = Schedule { time_zone: "Mars/Olympus".parse().unwrap(), ..tuesdays() };
        assert_eq!(day(Some(elsewhere)), "2026-02-01 in UTC", "another database of time zones took it");
    }

    #[test]
    fn what_is_otherwise_at_an_occurrence_stays_when_the_calendar_changes() {
        let on = jiff::civil::date(2026, 3, 10);
        let online = Override { mode: Some(MeetingMode::Virtual), ..Override::default() };
        let change = |change| Command::ChangeOccurrence { on, change, today: on };
        let registered = Event::Registered(Registered { details: details("Steps") });
        let scheduled = Event::Scheduled(Scheduled { schedule: tuesdays() });
        let changed = Event::OccurrenceChanged(OccurrenceChanged { on, change: online.clone() });
        let later = Schedule { starts_at: jiff::civil::time(19, 30, 0, 0), ..tuesdays() };
        let moved = Event::Scheduled(Scheduled { schedule: later });
        let history = [registered, scheduled, changed.clone(), moved];
        given::<Group>(history[..2].to_vec()).when(&change(online.clone())).then(&[changed]);
        given::<Group>(history[..2].to_vec()).when(&change(Override::default())).then_nothing();
        given::<Group>(history.clone()).when(&change(online.clone())).then_nothing();
        let restored = Event::OccurrenceRestored(OccurrenceRestored { on });
        given::<Group>(history.clone()).when(&change(Override::default())).then(&[restored]);
        asking_twice_changes_nothing::<Group>(&history, &change(Override { called_off: true, ..online.clone() }));
        asking_twice_changes_nothing::<Group>(&history, &change(Override::default()));
        given::<Group>([]).when(&change(online)).then_refused(&Refusal::Unknown);
    }

    #[test]
    fn no_more_is_otherwise_than_can_be_kept_and_what_is_past_makes_room() {
        let first = jiff::civil::date(2026, 3, 10);
        let called_off = Override { called_off: true, ..Override::default() };
        let changed = |days: i32| {
            let on = first.saturating_add(jiff::Span::new().days(days));
            Event::OccurrenceChanged(OccurrenceChanged { on, change: called_off.clone() })
        };
        let registered = Event::Registered(Registered { details: details("Steps") });
        let most = i32::try_from(OVERRIDES_MAX).unwrap();
        let history: Vec<_> = std::iter::once(registered).chain((0..most).map(changed)).collect();
        let on = first.saturating_add(jiff::Span::new().days(most));
        let another = |today| Command::ChangeOccurrence { on, change: called_off.clone(), today };
        given::<Group>(history.clone()).when(&another(first)).then_refused(&Refusal::TooManyOverrides);
        given::<Group>(history.clone()).when(&another(first.tomorrow().unwrap())).then(&[changed(most)]);
        let state = history.iter().chain(&[changed(most)]).fold(State::default(), Group::evolve);
        assert_eq!((state.series.overrides.len(), state.series.overrides.contains_key(&first)), (OVERRIDES_MAX, false));
    }

    #[test]
    fn a_meeting_is_the_same_whatever_time_its_calendar_has() {
        let group = crate::GroupId(uuid::Uuid::from_u128(7));
        let at = |hour| Schedule { starts_at: jiff::civil::time(hour, 0, 0, 0), ..tuesdays() };
        let mut series = Series::default();
        let on = jiff::civil::date(2026, 3, 10);
        let first = |series: &Series| series.meetings(group, on).next();
        assert_eq!(first(&series), None);
        series.reschedule(Some(at(19)));
        let id = first(&series);
        assert_eq!(id, Some(crate::MeetingId::of(group, on.at(19, 0, 0, 0))));
        for hour in [20, 7, 19] {
            series.reschedule(Some(at(hour)));
            assert_eq!(first(&series), id);
        }
        series.reschedule(None);
        assert_eq!(first(&series), id);
        assert_eq!(series.meetings(group, on).count(), 3, "and what an older Kith called it");
        assert_eq!(series.earlier.len(), 3, "each once");
        for hour in 0..24 {
            series.reschedule(Some(at(hour)));
        }
        assert_eq!((series.earlier.len(), first(&series)), (EARLIER_MAX, id));
    }

    #[test]
    fn a_calendar_from_a_file_is_taken_as_a_whole_and_again_changes_nothing() {
        use jiff::civil::date;
        let (today, on, past) = (date(2026, 3, 1), date(2026, 3, 10), date(2026, 2, 10));
        let online = Override { mode: Some(MeetingMode::Virtual), ..Override::default() };
        let called_off = Override { called_off: true, ..Override::default() };
        let import = |details, overrides: &[(Date, &Override)]| {
            let overrides = overrides.iter().map(|(on, change)| (*on, (*change).clone())).collect();
            Command::ImportCalendar(ImportedCalendar { details, schedule: Some(tuesdays()), overrides }, today)
        };
        let registered = Event::Registered(Registered { details: details("Steps") });
        let scheduled = Event::Scheduled(Scheduled { schedule: tuesdays() });
        let changed =
            |on, change: &Override| Event::OccurrenceChanged(OccurrenceChanged { on, change: change.clone() });
        given::<Group>([]).when(&import(None, &[])).then_refused(&Refusal::Unknown);
        let new = import(Some(details("Steps")), &[(past, &called_off), (on, &online)]);
        let history = [registered, scheduled, changed(past, &called_off), changed(on, &online)];
        given::<Group>([]).when(&new).then(&history);
        given::<Group>(history.clone()).when(&new).then_nothing();
        asking_twice_changes_nothing::<Group>(&history, &import(None, &[(on, &called_off)]));
        let restored = Event::OccurrenceRestored(OccurrenceRestored { on });
        given::<Group>(history.clone()).when(&import(None, &[])).then(&[restored]); // what is past stays
    }

    #[test]
    fn an_unknown_group_cannot_be_scheduled() {
        given::<Group>([]).when(&Command::Schedule(Some(tuesdays()))).then_refused(&Refusal::Unknown);
    }
}
