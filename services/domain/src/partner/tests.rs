use jiff::civil::date;
use uuid::Uuid;

use super::*;
use crate::decider::spec::{asking_twice_changes_nothing, given};

const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn details(name: &str) -> Details {
    let working_days = [Day::Mo, Day::Tu, Day::We, Day::Th, Day::Fr].into();
    let calendar = Calendar { time_zone: "Europe/Berlin".parse().unwrap(), working_days, closed_on: [].into() };
    Details {
        name: name.parse().unwrap(),
        calendar,
        mailbox: None,
        treats: true,
        intermediary: false,
        hipaa: false,
        source: None,
    }
}

fn id(n: u128) -> ServiceId {
    ServiceId(Uuid::from_u128(n))
}

fn service(n: u128, status: Status) -> ServiceDescribed {
    let details = Service {
        name: "Counselling".parse().unwrap(),
        status,
        description: None,
        application_process: None,
        eligibility_description: None,
        minimum_age: None,
        maximum_age: None,
        hours: None,
        languages: BTreeSet::new(),
        accessibility: None,
        fees_description: None,
        alert: None,
        assured_date: None,
        may_receive: [Item::Alias, Item::Phone].into(),
        source: None,
    };
    ServiceDescribed { service: id(n), details }
}

fn registered() -> Vec<Event> {
    vec![
        Event::Registered(Registered { details: details("Harbour") }),
        Event::ServiceDescribed(service(1, Status::Active)),
    ]
}

fn known(history: &[Event]) -> Box<Known> {
    history.iter().fold(State::default(), Partner::evolve).unwrap()
}

#[test]
fn a_partner_is_registered_changed_closed_and_opened_again() {
    let describe = |name| Command::Describe(details(name));
    given::<Partner>([]).when(&Command::Close(true)).then_refused(&Refusal::Unknown);
    given::<Partner>([])
        .when(&describe("Harbour"))
        .then(&[Event::Registered(Registered { details: details("Harbour") })]);
    given::<Partner>(registered()).when(&describe("Harbour")).then_nothing();
    given::<Partner>(registered())
        .when(&describe("Port"))
        .then(&[Event::Changed(Changed { details: details("Port") })]);
    for command in [Command::Close(true), Command::Close(false), describe("Port")] {
        asking_twice_changes_nothing::<Partner>(&registered(), &command);
    }
    let partner = PartnerId(Uuid::from_u128(9));
    let closed: Vec<_> = registered().into_iter().chain([Event::Closed(Closed {})]).collect();
    assert_eq!(known(&closed).recipient(partner, id(1)), Err(Refusal::Closed));
    given::<Partner>(closed.clone()).when(&Command::Close(false)).then(&[Event::Reopened(Reopened {})]);
    given::<Partner>(closed).when(&Command::DescribeService(service(2, Status::Active))).then_refused(&Refusal::Closed);
}

#[test]
fn nobody_is_referred_to_a_service_that_is_not_active() {
    let partner = PartnerId(Uuid::from_u128(9));
    let recipient = known(&registered()).recipient(partner, id(1)).unwrap();
    assert_eq!((recipient.address().partner, recipient.address().service), (partner, id(1)));
    assert!(recipient.address().treats);
    assert_eq!(recipient.may_receive(), &[Item::Alias, Item::Phone].into());
    assert_eq!(known(&registered()).recipient(partner, id(2)), Err(Refusal::UnknownService));
    for status in [Status::Inactive, Status::Defunct, Status::TemporarilyClosed] {
        let history: Vec<_> = registered().into_iter().chain([Event::ServiceDescribed(service(1, status))]).collect();
        assert_eq!(known(&history).recipient(partner, id(1)), Err(Refusal::NotActive));
    }
}

#[test]
fn whether_there_is_room_is_asked_without_a_name_and_the_answer_has_its_day() {
    let ask = |who: &str| CapacityAsked { service: id(1), by: who.parse().unwrap(), at: NOON };
    let answer = CapacityAnswer { capacity: Capacity::Waitlist, as_of: date(2026, 3, 3) };
    let stated = CapacityStated { service: id(1), answer };
    given::<Partner>(registered()).when(&Command::AskCapacity(ask("ann"))).then(&[Event::CapacityAsked(ask("ann"))]);
    asking_twice_changes_nothing::<Partner>(&registered(), &Command::AskCapacity(ask("ann")));
    asking_twice_changes_nothing::<Partner>(&registered(), &Command::StateCapacity(stated.clone()));
    let history: Vec<_> = registered()
        .into_iter()
        .chain([Event::CapacityAsked(ask("ann")), Event::CapacityStated(stated.clone())])
        .collect();
    let known = known(&history);
    assert_eq!((known.capacity.get(&id(1)), known.asked.len()), (Some(&answer), 0));
    let unknown = CapacityStated { service: id(7), ..stated };
    given::<Partner>(history).when(&Command::StateCapacity(unknown)).then_refused(&Refusal::UnknownService);
}

#[test]
fn what_cannot_be_is_refused_by_its_name() {
    let mut never = details("Harbour");
    never.calendar.working_days.clear();
    given::<Partner>([]).when(&Command::Describe(never.clone())).then_refused(&Refusal::NeverWorks);
    given::<Partner>(registered()).when(&Command::Describe(never)).then_refused(&Refusal::NeverWorks);
    let mut ages = service(1, Status::Active);
    (ages.details.minimum_age, ages.details.maximum_age) = (Some(30), Some(18));
    given::<Partner>(registered()).when(&Command::DescribeService(ages)).then_refused(&Refusal::Ages);
    let mut many = service(1, Status::Active);
    many.details.languages = (0..=LANGUAGES_MAX).map(|n| format!("x-{n}").parse().unwrap()).collect();
    let full = Refusal::Full("languages", LANGUAGES_MAX);
    given::<Partner>(registered()).when(&Command::DescribeService(many)).then_refused(&full);
    let services = (0..SERVICES_MAX as u128).map(|n| Event::ServiceDescribed(service(n, Status::Active)));
    let history: Vec<_> = registered().into_iter().chain(services).collect();
    let full = Refusal::Full("services", SERVICES_MAX);
    given::<Partner>(history).when(&Command::DescribeService(service(7_777, Status::Active))).then_refused(&full);
}

/// What a directory says of the partner with this name and of its first services.
fn listed(name: &str, services: impl IntoIterator<Item = (ServiceId, ListedService)>) -> Listed {
    let source = Source { directory: "hsds".parse().unwrap(), id: "7".parse().unwrap() };
    Listed {
        name: name.parse().unwrap(),
        calendar: details(name).calendar,
        source,
        services: services.into_iter().collect(),
    }
}

#[test]
fn a_directory_changes_what_it_says_and_nothing_else() {
    let of = |details, unsaid| (id(1), ListedService { details, unsaid });
    let plain = Service { may_receive: BTreeSet::new(), ..service(1, Status::Active).details };
    let import = |details, unsaid| Command::Import(listed("Harbour", [of(details, unsaid)]));
    let first = Partner::decide(&import(plain.clone(), vec![]), &None).unwrap();
    assert!(matches!(&first[..], [Event::Registered(_), Event::ServiceDescribed(_)]), "{first:?}");
    asking_twice_changes_nothing::<Partner>(&[], &import(plain.clone(), vec![]));
    // Somebody says what no directory does.
    let ours = Details { mailbox: Some("intake@harbour.example".parse().unwrap()), ..details("Harbour") };
    let hours: Text<500> = "weekdays".parse().unwrap();
    let told = Service { hours: Some(hours.clone()), ..service(1, Status::Active).details };
    let mut history = first;
    history.push(Event::Changed(Changed {
        details: Details { source: Some(listed("Harbour", []).source), ..ours.clone() },
    }));
    history.push(Event::ServiceDescribed(ServiceDescribed { service: id(1), details: told.clone() }));
    given::<Partner>(history.clone()).when(&import(plain.clone(), vec![Part::Hours])).then_nothing();
    let closed = Service { hours: None, ..told };
    let described = Event::ServiceDescribed(ServiceDescribed { service: id(1), details: closed });
    given::<Partner>(history.clone()).when(&import(plain.clone(), vec![])).then(&[described]);
    // A list says what it costs, and leaves out the options.
    let costs = |text: &str| Some(text.parse().unwrap());
    let options = Service { fees_description: costs("Free. Groups: 5 EUR"), ..plain.clone() };
    let known = Service { may_receive: [Item::Alias, Item::Phone].into(), ..options };
    history.push(Event::ServiceDescribed(ServiceDescribed { service: id(1), details: known.clone() }));
    let list = |text| import(Service { fees_description: costs(text), ..plain.clone() }, vec![Part::Fees]);
    given::<Partner>(history.clone()).when(&list("Free.")).then_nothing();
    let dear = Service { fees_description: costs("9 EUR"), ..known };
    let described = Event::ServiceDescribed(ServiceDescribed { service: id(1), details: dear });
    given::<Partner>(history.clone()).when(&list("9 EUR")).then(&[described]);
    // Of a closed partner, services stay as they are.
    history.push(Event::Closed(Closed {}));
    given::<Partner>(history).when(&import(plain, vec![])).then_nothing();
}
