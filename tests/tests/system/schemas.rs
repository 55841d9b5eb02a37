//! Generated means committed and compared; released events load for ever; every refusal has a page.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    AnyEvent, MemberId, Refusal as _, access, care, endpoint, group, mailbox,
    meeting::{MarkRefusal, PhaseRefusal, Refusal, Status},
    member, partner, programme, protocol, referral, roster, route,
};
use jiff::{Timestamp, civil::date};
use serde_json::{Value, json};
use uuid::Uuid;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn read(file: impl AsRef<Path>) -> String {
    let path = folder().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_generated_schemas_are_those_that_are_committed() {
    let generated = kith::schemas::generate().expect("they can be generated");
    for (file, text) in &generated {
        assert!(read(file) == *text, "schemas/{} is not what the code says: run `make schemas`", file.display());
    }
    let events = fs::read_dir(folder().join("events")).expect("schemas/events").flatten();
    for file in events.map(|entry| PathBuf::from("events").join(entry.file_name())) {
        let example = file.to_string_lossy().ends_with(".example.json");
        assert!(example || generated.contains_key(&file), "{} is of no event", file.display());
    }
}

/// Every golden example: category, type, version, text. An example is never changed nor deleted: what was written
/// once is in somebody's log for ever.
fn examples() -> Vec<(&'static str, String, u16, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("events")).expect("schemas/events").flatten() {
        let name = entry.file_name().into_string().expect("ASCII");
        let Some(stem) = name.strip_suffix(".example.json") else { continue };
        let (event_type, version) = stem.rsplit_once(".v").expect("{type}.v{version}.example.json");
        let version = version.parse().expect("a version");
        found.push((category(event_type, version), event_type.to_owned(), version, read(format!("events/{name}"))));
    }
    found
}

/// Of which stream it is; of an older version, that of the newer ones.
fn category(event_type: &str, version: u16) -> &'static str {
    let types = AnyEvent::types();
    let of_version = types.iter().find(|(_, known)| known.name == event_type && known.version == version);
    let known = of_version.or_else(|| types.iter().find(|(_, known)| known.name == event_type));
    known.unwrap_or_else(|| panic!("{event_type} is of no stream any more")).0
}

#[test]
fn every_example_of_a_released_event_still_loads_and_says_the_same() {
    let examples = examples();
    for (category, event_type, version, text) in &examples {
        let event = AnyEvent::decode(category, event_type, *version, text.as_bytes());
        let event = event.unwrap_or_else(|error| panic!("{event_type}.v{version}: {error:?}"));
        let again: Value = serde_json::from_slice(&event.encode()).expect("JSON");
        let example: Value = serde_json::from_str(text).expect("JSON");
        // Older versions may say less than what they are read as.
        let types = AnyEvent::types();
        let versions = types.iter().filter(|(_, known)| known.name == event_type).map(|(_, known)| known.version);
        let current = versions.max() == Some(*version);
        assert!(!current || again == example, "{event_type}.v{version}: {again} instead of {example}");
    }
    for (_, known) in AnyEvent::types() {
        let there = examples.iter().any(|(_, name, version, _)| name == known.name && *version == known.version);
        assert!(there, "write schemas/events/{}.v{}.example.json by hand", known.name, known.version);
    }
}

#[test]
fn every_example_fits_the_schema_of_its_event() {
    for (_, event_type, version, text) in examples() {
        let schema: Value = serde_json::from_str(&read(format!("events/{event_type}.v{version}.json"))).expect("JSON");
        let example: Value = serde_json::from_str(&text).expect("JSON");
        let misfits = misfits(&schema, &schema, &example, "");
        assert!(misfits.is_empty(), "{event_type}.v{version}: {misfits:#?}");
    }
}

#[test]
fn what_is_no_such_event_does_not_fit() {
    let schema: Value = serde_json::from_str(&read("events/attendance.recorded.v1.json")).expect("JSON");
    let good: Value = serde_json::from_str(&read("events/attendance.recorded.v1.example.json")).expect("JSON");
    for (field, wrong) in
        [("mark", json!("here")), ("mark", Value::Null), ("member", json!(7)), ("walk_in", json!("yes"))]
    {
        let mut bad = good.clone();
        bad[field] = wrong;
        assert!(!misfits(&schema, &schema, &bad, "").is_empty(), "{bad}");
    }
    assert!(!misfits(&schema, &schema, &json!({}), "").is_empty());
}

/// Where a value does not fit a schema: as much of JSON Schema as our schemas use.
fn misfits(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a reference that leads somewhere");
        found.extend(misfits(root, target, value, at));
    }
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array())
        && choices.iter().all(|choice| !misfits(root, choice, value, at).is_empty())
    {
        found.push(format!("{at}: none of the choices fits {value}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{at}: {value} is not one of {}", schema["enum"]));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if !types.is_empty() && !types.iter().any(|kind| is_a(kind, value)) {
        found.push(format!("{at}: {value} is not of type {types:?}"));
    }
    found.extend(misfits_of_object(root, schema, value, at));
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(misfits(root, &schema["items"], item, &format!("{at}/{n}")));
    }
    let length = value.as_str().map(|text| text.chars().count() as u64);
    let (min, max) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64().unwrap_or(u64::MAX));
    if length.is_some_and(|length| length < min || length > max) {
        found.push(format!("{at}: {value} has not {min} to {max} characters"));
    }
    found
}

fn misfits_of_object(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(fields) = value.as_object() else { return vec![] };
    let mut found = Vec::new();
    for needed in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(needed) {
            found.push(format!("{at}: `{needed}` is missing"));
        }
    }
    // Of patterns our schemas have one for all names, or none.
    let patterns = schema["patternProperties"].as_object();
    let of_pattern = patterns.and_then(|patterns| patterns.values().next());
    for (name, field) in fields {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name).or(of_pattern), &schema["additionalProperties"]) {
            (Some(schema), _) => found.extend(misfits(root, schema, field, &at)),
            (None, Value::Bool(false)) => found.push(format!("{at}: is not known")),
            (None, more @ Value::Object(_)) => found.extend(misfits(root, more, field, &at)),
            (None, _) => {}
        }
    }
    found
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("what is the type {other}?"),
    }
}

/// One of each. A new refusal does not compile here until it is in the list below.
fn meeting_refusals() -> Vec<Refusal> {
    let marks = [
        MarkRefusal::NotOnRoster,
        MarkRefusal::Twice,
        MarkRefusal::ModeOfAbsent,
        MarkRefusal::UnknownMember,
        MarkRefusal::WalkInAbsent,
        MarkRefusal::Full,
    ];
    for mark in &marks {
        match mark {
            MarkRefusal::NotOnRoster
            | MarkRefusal::Twice
            | MarkRefusal::ModeOfAbsent
            | MarkRefusal::UnknownMember
            | MarkRefusal::WalkInAbsent
            | MarkRefusal::Full => {}
        }
    }
    let mut all = vec![
        Refusal::Unknown,
        Refusal::TooEarly { starts_at: Timestamp::UNIX_EPOCH },
        Refusal::NotOpen { status: Status::Planned },
        Refusal::RegisterClosed,
        Refusal::AttendanceRecorded { to: Status::Cancelled },
        Refusal::NotPossible { status: Status::Held, to: Status::Open },
        Refusal::Marks(vec![(MemberId(Uuid::nil()), MarkRefusal::Twice)]),
        Refusal::Moods(vec![(MemberId(Uuid::nil()), MarkRefusal::Twice)]),
        Refusal::Phase(1, PhaseRefusal::NoTime),
        Refusal::OnRoster,
        Refusal::NotClosed,
        Refusal::ReasonNeeded,
        Refusal::TooManyHeads(10_001),
    ];
    for refusal in &all {
        match refusal {
            Refusal::Unknown
            | Refusal::TooEarly { .. }
            | Refusal::NotOpen { .. }
            | Refusal::RegisterClosed
            | Refusal::AttendanceRecorded { .. }
            | Refusal::NotPossible { .. }
            | Refusal::Marks(_)
            | Refusal::Mark(_)
            | Refusal::Moods(_)
            | Refusal::Phase(..)
            | Refusal::OnRoster
            | Refusal::NotClosed
            | Refusal::ReasonNeeded
            | Refusal::TooManyHeads(_) => {}
        }
    }
    all.extend(marks.into_iter().map(Refusal::Mark));
    all
}

fn group_refusals() -> Vec<group::Refusal> {
    use group::Refusal;
    let all = vec![
        Refusal::Unknown,
        Refusal::NoSchedule,
        Refusal::NoOccurrence(jiff::civil::date(2026, 3, 10)),
        Refusal::OccurrencePast,
        Refusal::TooManyOverrides,
    ];
    for refusal in &all {
        match refusal {
            Refusal::Unknown
            | Refusal::NoSchedule
            | Refusal::NoOccurrence(_)
            | Refusal::OccurrencePast
            | Refusal::TooManyOverrides => {}
        }
    }
    all
}

fn roster_refusals() -> Vec<roster::Refusal> {
    let day = date(2026, 6, 1);
    let all = vec![
        roster::Refusal::AlreadyEnrolled { since: day },
        roster::Refusal::Overlaps { ended_on: day },
        roster::Refusal::Meets { starts_on: day, ends_on: Some(day) },
        roster::Refusal::NotEnrolled,
        roster::Refusal::EndsBeforeStart { starts_on: day },
        roster::Refusal::Full,
        roster::Refusal::Ended { ended_on: day },
        roster::Refusal::NoPlace { places: roster::Places::MOST, on: None, free_from: Some(day) },
        roster::Refusal::TooManyAsk,
        roster::Refusal::NotAsking,
        roster::Refusal::NotWaiting,
        roster::Refusal::Started { starts_on: day },
        roster::Refusal::NothingSince { since: day },
    ];
    for refusal in &all {
        match refusal {
            roster::Refusal::AlreadyEnrolled { .. }
            | roster::Refusal::Overlaps { .. }
            | roster::Refusal::Meets { .. }
            | roster::Refusal::NotEnrolled
            | roster::Refusal::EndsBeforeStart { .. }
            | roster::Refusal::Full
            | roster::Refusal::Ended { .. }
            | roster::Refusal::NoPlace { .. }
            | roster::Refusal::TooManyAsk
            | roster::Refusal::NotAsking
            | roster::Refusal::NotWaiting
            | roster::Refusal::Started { .. }
            | roster::Refusal::NothingSince { .. } => {}
        }
    }
    all
}

fn member_refusals() -> Vec<member::Refusal> {
    use member::Refusal;
    let all = vec![
        Refusal::Unknown,
        Refusal::Registered,
        Refusal::Completed,
        Refusal::Merged { into: MemberId(Uuid::nil()) },
        Refusal::NotMerged,
        Refusal::Itself,
        Refusal::Restricted,
        Refusal::NoConsent,
        Refusal::ConsentDates,
        Refusal::Held { count: 1, review_on: date(2026, 1, 1) },
        Refusal::NoHold,
        Refusal::NoGlass,
        Refusal::OwnGlass,
        Refusal::TooMany { what: "consents", max: 1 },
    ];
    for refusal in &all {
        match refusal {
            // A new one belongs into the list above.
            Refusal::Unknown
            | Refusal::Registered
            | Refusal::Completed
            | Refusal::Merged { .. }
            | Refusal::NotMerged
            | Refusal::Itself
            | Refusal::Restricted
            | Refusal::NoConsent
            | Refusal::ConsentDates
            | Refusal::Held { .. }
            | Refusal::NoHold
            | Refusal::NoGlass
            | Refusal::OwnGlass
            | Refusal::TooMany { .. } => {}
        }
    }
    all
}

fn access_refusals() -> Vec<access::Refusal> {
    use access::Refusal;
    let all = vec![
        Refusal::UnknownClient,
        Refusal::NotAssigned,
        Refusal::NoGroups,
        Refusal::UnknownCalendar,
        Refusal::Full("1,000 clients"),
    ];
    for refusal in &all {
        match refusal {
            Refusal::UnknownClient
            | Refusal::NotAssigned
            | Refusal::NoGroups
            | Refusal::UnknownCalendar
            | Refusal::Full(_) => {}
        }
    }
    all
}

/// One of each page, as of partners.
fn endpoint_refusals() -> Vec<endpoint::Refusal> {
    use endpoint::Refusal;
    let all = vec![Refusal::Unknown, Refusal::UnknownMessage, Refusal::IsDisabled, Refusal::Full];
    for refusal in &all {
        match refusal {
            Refusal::Unknown | Refusal::UnknownMessage | Refusal::IsDisabled | Refusal::Full | Refusal::Topics => {}
        }
    }
    assert_eq!(Refusal::Topics.code(), Refusal::Full.code());
    all
}

/// One of each page, as of partners.
fn mailbox_refusals() -> Vec<mailbox::Refusal> {
    use mailbox::Refusal;
    let all = vec![Refusal::None, Refusal::TooManyCodes, Refusal::WrongCode, Refusal::NoMail];
    for refusal in &all {
        match refusal {
            Refusal::None
            | Refusal::TooManyCodes
            | Refusal::TooManyTries
            | Refusal::CodeEnded
            | Refusal::WrongCode
            | Refusal::NoMail => {}
        }
    }
    let others = [Refusal::TooManyTries, Refusal::CodeEnded];
    assert!(others.iter().all(|refusal| refusal.code() == Refusal::WrongCode.code()));
    all
}

fn protocol_refusals() -> Vec<protocol::Refusal> {
    use protocol::Refusal;
    let all = vec![
        Refusal::UnknownInstrument,
        Refusal::UnknownNormSet,
        Refusal::VersionTaken,
        Refusal::LosesRisk,
        Refusal::NotInUse,
        Refusal::NoDutySeat,
        Refusal::NoCrisisText,
        Refusal::Overlaps,
        Refusal::Full("instruments", 1),
        Refusal::OutOfRange { what: "minutes", least: 1, most: 2 },
    ];
    for refusal in &all {
        match refusal {
            // A new one belongs into the list above.
            Refusal::UnknownInstrument
            | Refusal::UnknownNormSet
            | Refusal::VersionTaken
            | Refusal::LosesRisk
            | Refusal::NotInUse
            | Refusal::NoDutySeat
            | Refusal::NoCrisisText
            | Refusal::Overlaps
            | Refusal::Full(..)
            | Refusal::OutOfRange { .. } => {}
        }
    }
    all
}

fn care_refusals() -> Vec<care::Refusal> {
    use care::Refusal;
    let all = vec![
        Refusal::UnknownCheckIn,
        Refusal::CheckInThere,
        Refusal::InError,
        Refusal::UnknownGoal,
        Refusal::GoalThere,
        Refusal::GoalEnded,
        Refusal::TooManyOpen,
        Refusal::UnknownConcern,
        Refusal::ConcernThere,
        Refusal::Resolved,
        Refusal::Full("goals", 1),
    ];
    for refusal in &all {
        match refusal {
            // A new one belongs into the list above.
            Refusal::UnknownCheckIn
            | Refusal::CheckInThere
            | Refusal::InError
            | Refusal::UnknownGoal
            | Refusal::GoalThere
            | Refusal::GoalEnded
            | Refusal::TooManyOpen
            | Refusal::UnknownConcern
            | Refusal::ConcernThere
            | Refusal::Resolved
            | Refusal::Full(..) => {}
        }
    }
    all
}

/// One of each; `Closed` is told as `UnknownAttempt`, and `Restricted` as that of the member's record.
fn referral_refusals() -> Vec<referral::Refusal> {
    use referral::{Actor, Reason, Refusal, Step};
    let all = vec![
        Refusal::UnknownNeed,
        Refusal::UnknownAttempt,
        Refusal::UnknownConsent,
        Refusal::NoLink,
        Refusal::There("need"),
        Refusal::Incomplete(BTreeSet::new()),
        Refusal::Nothing,
        Refusal::ConsentDates,
        Refusal::NotAllowed(BTreeSet::new()),
        Refusal::PreviewChanged,
        Refusal::NotForService(BTreeSet::new()),
        Refusal::Objected,
        Refusal::NeedClosed,
        Refusal::UnderWay(vec![]),
        Refusal::NotMet,
        Refusal::NotPossible { from: None, step: Step::Send, by: Actor::Partner },
        Refusal::NotFor(Actor::Partner),
        Refusal::OtherRecipient,
        Refusal::AlreadyWith(domain::AttemptId(Uuid::nil())),
        Refusal::NotAgainBefore { until: Timestamp::UNIX_EPOCH, reason: Reason::Other },
        Refusal::NoRest,
        Refusal::NotAReason { reason: Reason::Other, step: Step::Send },
        Refusal::NoWords,
        Refusal::TooFewTries,
        Refusal::NotYet,
        Refusal::OverrideTime,
        Refusal::OwnOverride,
        Refusal::NoOverride,
        Refusal::NoParent,
        Refusal::LinkTime,
        Refusal::OutOfRange { what: "position", least: 1, most: 2 },
        Refusal::Full("needs", 1),
    ];
    for refusal in &all {
        match refusal {
            // A new one belongs into the list above.
            Refusal::UnknownNeed
            | Refusal::UnknownAttempt
            | Refusal::UnknownConsent
            | Refusal::NoLink
            | Refusal::Closed
            | Refusal::There(_)
            | Refusal::Incomplete(_)
            | Refusal::Nothing
            | Refusal::ConsentDates
            | Refusal::NotAllowed(_)
            | Refusal::PreviewChanged
            | Refusal::NotForService(_)
            | Refusal::Restricted
            | Refusal::Objected
            | Refusal::NeedClosed
            | Refusal::UnderWay(_)
            | Refusal::NotMet
            | Refusal::NotPossible { .. }
            | Refusal::NotFor(_)
            | Refusal::OtherRecipient
            | Refusal::AlreadyWith(_)
            | Refusal::NotAgainBefore { .. }
            | Refusal::NoRest
            | Refusal::NotAReason { .. }
            | Refusal::NoWords
            | Refusal::TooFewTries
            | Refusal::NotYet
            | Refusal::OverrideTime
            | Refusal::OwnOverride
            | Refusal::NoOverride
            | Refusal::NoParent
            | Refusal::LinkTime
            | Refusal::OutOfRange { .. }
            | Refusal::Full(..) => {}
        }
    }
    all
}

/// One of each page: what has a page with others is named beside it.
fn partner_refusals() -> Vec<partner::Refusal> {
    use partner::Refusal;
    let all = vec![
        Refusal::Unknown,
        Refusal::UnknownService,
        Refusal::Closed,
        Refusal::NotActive,
        Refusal::TimeZone,
        Refusal::Full("services", 1),
    ];
    for refusal in &all {
        match refusal {
            // A new one belongs into the list above.
            Refusal::Unknown
            | Refusal::UnknownService
            | Refusal::Closed
            | Refusal::NotActive
            | Refusal::TimeZone
            | Refusal::NeverWorks
            | Refusal::Mailbox
            | Refusal::Ages
            | Refusal::Full(..) => {}
        }
    }
    let others = [Refusal::NeverWorks, Refusal::Mailbox, Refusal::Ages];
    assert!(others.iter().all(|refusal| refusal.code() == Refusal::TimeZone.code()));
    all
}

fn route_refusals() -> Vec<route::Refusal> {
    let all = vec![route::Refusal::OutOfRange, route::Refusal::Full];
    for refusal in &all {
        match refusal {
            route::Refusal::OutOfRange | route::Refusal::LinkDays | route::Refusal::Full => {}
        }
    }
    assert_eq!(route::Refusal::LinkDays.code(), route::Refusal::OutOfRange.code());
    all
}

#[test]
fn every_refusal_has_a_page_and_says_what_happened_in_a_sentence() {
    let mut said: Vec<(&str, String)> = Vec::new();
    said.extend(meeting_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(roster_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(member_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(protocol_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(care_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(partner_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(route_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(referral_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(endpoint_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(mailbox_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(access_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend(group_refusals().iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.extend([programme::Refusal::Unknown].iter().map(|refusal| (refusal.code(), refusal.to_string())));
    said.sort();
    said.dedup(); // what two kinds of stream say alike has one page
    let codes: BTreeSet<_> = said.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), said.len(), "two refusals share a page");
    for (code, sentence) in said {
        let page = web::PAGES.iter().find(|(known, _)| *known == code);
        let (_, page) = page.unwrap_or_else(|| panic!("schemas/problems/{code}.md is missing"));
        assert!(page.contains("**What to do:**"), "{code} does not say what to do");
        assert!(!sentence.ends_with('.') && sentence.len() > 10, "{code}: {sentence}");
    }
}

#[test]
fn every_problem_that_the_sources_name_has_a_page_and_no_page_is_of_none() {
    let source = fs::read_to_string(folder().join("../services/web/src/problem.rs")).expect("problem.rs");
    let named = |code: &str| source.contains(&format!("\"{code}\""));
    let domain: BTreeSet<_> = (meeting_refusals().iter().map(domain::Refusal::code))
        .chain(roster_refusals().iter().map(domain::Refusal::code))
        .chain(member_refusals().iter().map(domain::Refusal::code))
        .chain(access_refusals().iter().map(domain::Refusal::code))
        .chain(protocol_refusals().iter().map(domain::Refusal::code))
        .chain(care_refusals().iter().map(domain::Refusal::code))
        .chain(referral_refusals().iter().map(domain::Refusal::code))
        .chain(partner_refusals().iter().map(domain::Refusal::code))
        .chain(route_refusals().iter().map(domain::Refusal::code))
        .chain(endpoint_refusals().iter().map(domain::Refusal::code))
        .chain(mailbox_refusals().iter().map(domain::Refusal::code))
        .chain(group_refusals().iter().map(domain::Refusal::code))
        .chain([programme::Refusal::Unknown.code()])
        .collect();
    for (code, _) in web::PAGES {
        assert!(named(code) || domain.contains(code), "nothing leads to schemas/problems/{code}.md");
    }
}
