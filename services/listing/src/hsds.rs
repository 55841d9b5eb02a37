//! A group as the Human Services Data Specification 3.0 has it: a service, at one or two locations, with a schedule.
//!
//! What HSDS cannot say is said in words: rules that are neither weekly nor monthly, and the time zone, because its
//! `timezone` is an offset, which is another one in summer.

use domain::{
    GroupId, OrgId, Schedule,
    group::{Accessibility, Cost, Details, Focus, Joining, MeetingMode, Venue},
};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    listing_view::Listed,
    meeting_guide::uri,
    rule::{Frequency, Rule, Weekday},
};

/// Of what the ids of organisations are made.
const ORGANISATIONS: Uuid = Uuid::NAMESPACE_OID;

/// An object of which what is not known is missing.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.filter(|(_, value)| *value != json!([])).collect::<Map<_, _>>())
}

/// The id of something of a group's: the same each time.
fn id_of(group: GroupId, what: &str) -> Value {
    Uuid::new_v5(&group.0, what.as_bytes()).to_string().into()
}

fn organization_id(org: &OrgId) -> String {
    Uuid::new_v5(&ORGANISATIONS, format!("organisation {org}").as_bytes()).to_string()
}

fn text(text: Option<&impl ToString>) -> Option<Value> {
    text.map(|text| text.to_string().into())
}

/// A group as a service, with all that is nested in it.
pub(crate) fn service(org: &OrgId, listed: &Listed) -> Value {
    let Listed { id, details, schedule, joining, changed_at } = listed;
    let joining = joining.as_ref();
    let of = (org, *id);
    object([
        ("id", Some(id.to_string().into())),
        ("organization_id", Some(organization_id(org).into())),
        ("name", text(Some(&details.name))),
        ("alternate_name", None),
        ("description", Some(description(details).into())),
        ("url", details.website.as_ref().map(|link| uri(link).into())),
        ("status", Some("active".into())),
        ("fees_description", fees(details)),
        ("last_modified", text(Some(changed_at))),
        ("organization", Some(organization(org))),
        ("phones", joining.and_then(|joining| phone(*id, joining)).map(|phone| json!([phone]))),
        ("schedules", schedule.as_ref().map(|schedule| json!([self::schedule(*id, schedule, details.mode)]))),
        ("languages", language(*id, details).map(|language| json!([language]))),
        ("cost_options", cost(*id, details).map(|cost| json!([cost]))),
        ("service_at_locations", Some(places(of, details, joining))),
    ])
}

fn organization(org: &OrgId) -> Value {
    json!({
        "id": organization_id(org),
        "name": org,
        "description": format!("Peer-support groups of {org}"),
    })
}

fn description(details: &Details) -> String {
    let focus = match details.focus {
        Focus::Addiction => "Peer-support group: recovery from addiction.",
        Focus::MentalHealth => "Peer-support group: recovery from mental-health problems.",
        Focus::ChronicIllness => "Peer-support group: living with a chronic illness.",
        Focus::Other => "Peer-support group.",
    };
    let formats: Vec<_> = details.formats.iter().map(ToString::to_string).collect();
    let formats = (!formats.is_empty()).then(|| format!("Meetings: {}.", formats.join(", ")));
    let comments = details.comments.as_ref().map(ToString::to_string);
    [Some(focus.to_owned()), formats, comments].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn fees(details: &Details) -> Option<Value> {
    let cost = details.cost.map(|cost| match cost {
        Cost::Free => "Free",
        Cost::Contribution => "Whatever somebody wants to give",
        Cost::Fee => "A fee",
    });
    match (cost, details.cost_details.as_ref()) {
        (Some(cost), Some(more)) => Some(format!("{cost}: {more}").into()),
        (Some(cost), None) => Some(cost.into()),
        (None, more) => text(more),
    }
}

fn cost(id: GroupId, details: &Details) -> Option<Value> {
    let cost = details.cost?;
    Some(object([
        ("id", Some(id_of(id, "cost"))),
        ("service_id", Some(id.to_string().into())),
        ("option", Some(cost.as_str().into())),
        ("amount", (cost == Cost::Free).then(|| 0.into())),
        ("amount_description", text(details.cost_details.as_ref())),
    ]))
}

fn language(id: GroupId, details: &Details) -> Option<Value> {
    let tag = details.language.as_ref()?;
    Some(json!({ "id": id_of(id, "language"), "service_id": id, "code": tag }))
}

fn phone(id: GroupId, joining: &Joining) -> Option<Value> {
    let number = joining.telephone.as_ref()?;
    Some(object([
        ("id", Some(id_of(id, "phone"))),
        ("service_id", Some(id.to_string().into())),
        ("number", text(Some(number))),
        ("type", Some("voice".into())),
        (
            "description",
            Some(match &joining.telephone_instructions {
                Some(more) => format!("To take part by telephone. {more}").into(),
                None => "To take part by telephone".into(),
            }),
        ),
    ]))
}

/// Where it is: a place to go to, an address online, or both.
fn places((org, id): (&OrgId, GroupId), details: &Details, joining: Option<&Joining>) -> Value {
    let physical = (details.mode != MeetingMode::Virtual).then(|| physical((org, id), details));
    let virtual_one = (details.mode != MeetingMode::InPerson).then(|| online((org, id), details, joining));
    let at = |location: Value| {
        let of = format!("service at {}", location["location_type"].as_str().unwrap_or_default());
        json!({ "id": id_of(id, &of), "service_id": id, "location_id": location["id"], "location": location })
    };
    physical.into_iter().chain(virtual_one).map(at).collect()
}

fn physical((org, id): (&OrgId, GroupId), details: &Details) -> Value {
    let location = id_of(id, "place");
    let venue = details.venue.clone().unwrap_or_default();
    let accessibility = details.accessibility.iter().map(
        |offer| json!({ "id": id_of(id, offer.as_str()), "location_id": location, "description": described(*offer) }),
    );
    object([
        ("id", Some(location.clone())),
        ("location_type", Some("physical".into())),
        ("organization_id", Some(organization_id(org).into())),
        ("name", text(venue.name.as_ref())),
        ("transportation", text(venue.directions.as_ref())),
        ("latitude", venue.coordinates.map(|place| place.latitude.into())),
        ("longitude", venue.coordinates.map(|place| place.longitude.into())),
        ("addresses", address(id, &location, &venue).map(|address| json!([address]))),
        ("accessibility", Some(accessibility.collect())),
    ])
}

fn online((org, id): (&OrgId, GroupId), details: &Details, joining: Option<&Joining>) -> Value {
    let location = id_of(id, "online");
    let accessibility = details.accessibility.iter().filter(|_| details.mode == MeetingMode::Virtual).map(
        |offer| json!({ "id": id_of(id, offer.as_str()), "location_id": location, "description": described(*offer) }),
    );
    object([
        ("id", Some(location.clone())),
        ("location_type", Some("virtual".into())),
        ("organization_id", Some(organization_id(org).into())),
        ("name", Some("Online".into())),
        ("url", joining.and_then(|joining| joining.url.as_ref()).map(|url| uri(url).into())),
        ("description", text(joining.and_then(|joining| joining.instructions.as_ref()))),
        ("accessibility", Some(accessibility.collect())),
    ])
}

/// An address as HSDS needs it: what of it is not known is empty. None if there is no street or no town.
fn address(id: GroupId, location: &Value, venue: &Venue) -> Option<Value> {
    let (street, town) = (venue.street.as_ref()?, venue.locality.as_ref()?);
    let needed = |part: Option<Value>| part.or_else(|| Some("".into()));
    Some(object([
        ("id", Some(id_of(id, "address"))),
        ("location_id", Some(location.clone())),
        ("address_1", text(Some(street))),
        ("city", text(Some(town))),
        ("region", text(venue.neighbourhood.as_ref())),
        ("state_province", needed(text(venue.region.as_ref()))),
        ("postal_code", needed(text(venue.postal_code.as_ref()))),
        ("country", needed(text(venue.country.as_ref()))),
        ("address_type", Some("physical".into())),
    ]))
}

fn described(offer: Accessibility) -> &'static str {
    match offer {
        Accessibility::WheelchairAccess => "Wheelchair access",
        Accessibility::AccessibleToilet => "Toilet for somebody in a wheelchair",
        Accessibility::SignLanguage => "Sign language",
        Accessibility::HearingLoop => "Hearing loop",
        Accessibility::Captions => "Captions",
        Accessibility::ChildCare => "Child care",
        Accessibility::ChildFriendly => "Children are welcome",
        Accessibility::FragranceFree => "No perfume",
    }
}

/// When it meets, as far as HSDS can say it, and in words.
fn schedule(id: GroupId, schedule: &Schedule, mode: MeetingMode) -> Value {
    let rule = Rule::of(schedule).filter(|rule| frequency(rule).is_some());
    let rule = rule.as_ref();
    let end = schedule.starts_at.wrapping_add(SignedDuration::from_mins(schedule.duration_minutes.into()));
    let clock = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
    let (opens, closes) = (clock(schedule.starts_at), clock(end));
    let except: Vec<_> = schedule.except.iter().map(ToString::to_string).collect();
    let words = format!("{opens} to {closes} in {}: {}", schedule.time_zone, schedule.recurrence);
    object([
        ("id", Some(id_of(id, "schedule"))),
        ("service_id", Some(id.to_string().into())),
        ("dtstart", text(Some(&schedule.starts_on))),
        ("valid_from", text(Some(&schedule.starts_on))),
        ("valid_to", rule.and_then(until).map(Value::from)),
        ("freq", rule.and_then(frequency).map(Value::from)),
        ("interval", rule.map(|rule| rule.interval.into())),
        ("byday", rule.and_then(by_day).map(Value::from)),
        ("bymonthday", rule.and_then(|rule| rule.by_month_day).map(Value::from)),
        ("count", rule.and_then(|rule| rule.count).map(Value::from)),
        ("until", rule.and_then(until).map(Value::from)),
        ("wkst", rule.and_then(|rule| rule.week_start).map(|day| day.to_ascii_uppercase().into())),
        ("opens_at", Some(opens.into())),
        ("closes_at", Some(closes.into())),
        ("description", Some(words.into())),
        ("notes", (!except.is_empty()).then(|| format!("Not on {}", except.join(", ")).into())),
        (
            "attending_type",
            Some(
                match mode {
                    MeetingMode::InPerson => "in person",
                    MeetingMode::Virtual => "online",
                    MeetingMode::Hybrid => "in person or online",
                }
                .into(),
            ),
        ),
    ])
}

/// How often, if HSDS can say it: each day is each week on all days.
fn frequency(rule: &Rule<'_>) -> Option<&'static str> {
    match rule.frequency {
        _ if rule.says_more => None,
        Frequency::Weekly => Some("WEEKLY"),
        Frequency::Monthly => Some("MONTHLY"),
        Frequency::Daily if rule.is_weekly() && rule.count.is_none() => Some("WEEKLY"),
        Frequency::Daily | Frequency::Yearly => None,
    }
}

fn by_day(rule: &Rule<'_>) -> Option<String> {
    let numbered: Vec<_> = match rule.frequency {
        Frequency::Monthly => rule
            .by_day
            .iter()
            .map(|(nth, day)| match nth {
                0 => day.code().to_owned(),
                nth => format!("{nth}{}", day.code()),
            })
            .collect(),
        _ => rule.weekdays().days().map(Weekday::code).map(str::to_owned).collect(),
    };
    (!numbered.is_empty()).then(|| numbered.join(","))
}

/// The last day on which there can be a meeting, as a date: `20261231T235959Z` is 2026-12-31.
fn until(rule: &Rule<'_>) -> Option<String> {
    let digits = rule.until?.get(..8).filter(|day| day.bytes().all(|b| b.is_ascii_digit()))?;
    Some(format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}
