//! What the lists for anybody say: groups near a place and their next meetings, feeds in the formats of others, each by its
//! own rules, and the lines of the guide.

use std::collections::BTreeSet;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};
use tests::world::{ORG, World, details, encoded, tuesdays};

use crate::{
    guide::{self, Shell},
    public::{downtown, listed},
};

const NEAR: &str = "/v1/public/north-star/groups/near";
const GROUPS: &str = "/v1/public/north-star/groups";
const GREATER_NEW_YORK: &str = include_str!("../../data/bmlt-greater-new-york.json");

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|item| item["name"].as_str().expect("a name")).collect()
}

/// All items of a public list, a page at a time.
async fn pages(world: &World, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut next) = (vec![], String::new());
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = world.nobody().get(&format!("{path}{sign}limit={limit}{next}")).await.must(200).json();
        all.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["next"].as_str() else { return all };
        next = format!("&after={}", encoded(cursor));
    }
}

async fn at(world: &World, name: &str, place: (f64, f64), more: Value) -> String {
    let mut details = details(world.programme().await, name);
    details["venue"] = json!({ "coordinates": { "latitude": place.0, "longitude": place.1 } });
    for (field, value) in more.as_object().expect("fields") {
        details[field] = value.clone();
    }
    listed(&world.admin(), details).await
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_by_how_far_they_are_with_what_somebody_needs_to_go_there() {
    let world = World::start().await;
    let admin = world.admin();
    let wheelchair = json!({ "accessibility": ["wheelchair_access", "hearing_loop"], "cost": "free" });
    at(&world, "Brooklyn", (40.6782, -73.9442), wheelchair).await;
    at(&world, "Boston", (42.3601, -71.0589), json!({ "language": "es-US" })).await;
    at(&world, "Online", (40.7, -74.0), json!({ "mode": "virtual" })).await;
    let mut steps = details(world.programme().await, "Downtown");
    (steps["venue"], steps["mode"], steps["cost"]) = (downtown(), "hybrid".into(), "contribution".into());
    (steps["formats"], steps["comments"]) = (json!(["Discussion"]), "Ring twice".into());
    let downtown_group = listed(&admin, steps).await;
    world.settle().await;
    let nobody = world.nobody();
    let ask =
        async |query: &str| nobody.get(&format!("{NEAR}?latitude=40.7&longitude=-74.01{query}")).await.must(200).json();
    let page = ask("").await;
    assert_eq!(names(&page), ["Downtown", "Brooklyn"]);
    let first = &page["items"][0];
    assert_eq!(
        (&first["id"], &first["mode"], &first["cost"], &first["formats"], &first["comments"], &first["venue"]),
        (
            &json!(downtown_group),
            &json!("hybrid"),
            &json!("contribution"),
            &json!(["Discussion"]),
            &json!("Ring twice"),
            &downtown()
        )
    );
    assert_eq!(first["distance_km"], 0.63);
    assert_eq!(
        first["schedule"],
        json!({ "weekdays": ["tuesday"], "starts_at": "19:00:00", "duration_minutes": 90,
            "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY;BYDAY=TU" })
    );
    assert_eq!(
        first["next_meeting"],
        json!({ "starts_at": "2026-06-02T23:00:00Z", "ends_at": "2026-06-03T00:30:00Z",
            "starts_at_local": "2026-06-02T19:00:00", "mode": "hybrid" })
    );
    for (query, found) in [
        ("&within_km=400", vec!["Downtown", "Brooklyn", "Boston"]),
        ("&within_km=0.5", vec![]),
        ("&mode=hybrid", vec!["Downtown"]),
        ("&cost=free,contribution", vec!["Downtown", "Brooklyn"]),
        ("&cost=fee", vec![]),
        ("&accessibility=hearing_loop,wheelchair_access", vec!["Brooklyn"]),
        ("&accessibility=hearing_loop,captions", vec![]),
        ("&weekday=tuesday,sunday&focus=addiction", vec!["Downtown", "Brooklyn"]),
        ("&weekday=monday", vec![]),
        ("&within_km=20000&language=ES", vec!["Boston"]),
        ("&within_km=20000&language=es-US", vec!["Boston"]),
        ("&within_km=20000&language=e", vec![]),
        ("&mode=&language=&cost=&weekday=", vec!["Downtown", "Brooklyn"]),
    ] {
        assert_eq!(names(&ask(query).await), found, "{query}");
    }
    let all = pages(&world, &format!("{NEAR}?latitude=40.7&longitude=-74.01&within_km=20000"), 1).await;
    assert_eq!(all.len(), 3);
    let distances: Vec<_> = all.iter().map(|group| group["distance_km"].as_f64().expect("a distance")).collect();
    assert!(distances.is_sorted(), "{distances:?}");
    let online = nobody.get(&format!("{GROUPS}?mode=virtual")).await.must(200).json();
    assert_eq!((names(&online), online["items"][0].get("distance_km")), (vec!["Online"], None));
    let all = pages(&world, GROUPS, 1).await;
    let all: Vec<_> = all.iter().map(|group| group["name"].as_str().expect("a name")).collect();
    assert_eq!(all, ["Boston", "Brooklyn", "Downtown", "Online"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn near_is_near_over_the_date_line_and_at_the_poles() {
    let world = World::start().await;
    at(&world, "Taveuni west", (-16.8, 179.99), json!({})).await;
    at(&world, "Taveuni east", (-16.8, -179.99), json!({})).await;
    at(&world, "North Pole", (90.0, 0.0), json!({})).await;
    at(&world, "Beyond the pole", (89.9, 180.0), json!({})).await;
    world.settle().await;
    let near = async |latitude: &str, longitude: &str| {
        let query = format!("{NEAR}?latitude={latitude}&longitude={longitude}&within_km=30");
        world.nobody().get(&query).await.must(200).json()
    };
    for longitude in ["180", "-180"] {
        let page = near("-16.8", longitude).await;
        let found: BTreeSet<_> = names(&page).into_iter().collect();
        assert_eq!(found, BTreeSet::from(["Taveuni east", "Taveuni west"]), "{longitude}");
        assert_eq!(page["items"][0]["distance_km"], 1.06);
    }
    for longitude in ["0", "123.4"] {
        let page = near("90", longitude).await;
        assert_eq!(names(&page), ["North Pole", "Beyond the pole"], "{longitude}");
        assert_eq!((&page["items"][0]["distance_km"], &page["items"][1]["distance_km"]), (&json!(0.0), &json!(11.12)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_meeting_is_the_first_that_takes_place_and_has_not_begun() {
    let world = World::start().await;
    let admin = world.admin();
    let mut steps = details(world.programme().await, "Steps");
    steps["venue"] = downtown();
    let group = listed(&admin, steps).await;
    let next = async || {
        world.settle().await;
        let page = world.nobody().get(GROUPS).await.must(200).json();
        page["items"][0]["next_meeting"]["starts_at_local"].as_str().map(str::to_owned)
    };
    assert_eq!(next().await.as_deref(), Some("2026-06-02T19:00:00"));
    let meeting = domain::MeetingId::of(group.parse().expect("an id"), jiff::civil::date(2026, 6, 2).at(19, 0, 0, 0));
    admin.post(&format!("/v1/meetings/{meeting}/cancel"), json!({ "reason": "weather" })).await.must(204);
    assert_eq!(next().await.as_deref(), Some("2026-06-09T19:00:00"));
    world.set_time("2026-06-09T23:00:00Z");
    assert_eq!(next().await.as_deref(), Some("2026-06-16T19:00:00"), "it has begun");
    world.set_time("2026-07-01T00:00:00Z");
    assert_eq!(next().await, None, "nobody planned any");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_found_where_it_is_now_also_after_the_views_were_made_anew() {
    let mut world = World::start().await;
    let admin = world.admin();
    let programme = world.programme().await;
    let group = at(&world, "Moves", (52.5, 13.4), json!({})).await;
    world.settle().await;
    let here = async |world: &World, latitude: f64, longitude: f64| {
        let query = format!("{NEAR}?latitude={latitude}&longitude={longitude}&within_km=5");
        world.nobody().get(&query).await.json()["items"].as_array().map(Vec::len)
    };
    assert_eq!(here(&world, 52.5, 13.4).await, Some(1));
    let mut moved = details(programme, "Moves");
    moved["venue"] = json!({ "coordinates": { "latitude": 48.1, "longitude": 11.6 } });
    admin.put(&format!("/v1/groups/{group}"), moved.clone()).await.must(204);
    world.settle().await;
    assert_eq!((here(&world, 52.5, 13.4).await, here(&world, 48.1, 11.6).await), (Some(0), Some(1)));
    world.restart(tests::world::remove_views).await;
    world.settle().await;
    assert_eq!((here(&world, 52.5, 13.4).await, here(&world, 48.1, 11.6).await), (Some(0), Some(1)));
    moved["listed"] = false.into();
    world.admin().put(&format!("/v1/groups/{group}"), moved).await.must(204);
    world.settle().await;
    assert_eq!(here(&world, 48.1, 11.6).await, None, "none is listed: there is no list");
    world.must_be_sound().await;
}

/// The schemas of HSDS 3.0, as the specification has them.
struct Hsds {
    schemas: Schemas,
    service: SchemaIndex,
}

impl Hsds {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hsds/schema");
        for file in std::fs::read_dir(folder).expect("schemas").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("a schema");
            let name = file.file_name().into_string().expect("ASCII");
            let schema = serde_json::from_str(&text).expect("JSON");
            compiler.add_resource(&format!("http://hsds.example/{name}"), schema).expect("a schema");
        }
        let service = compiler.compile("http://hsds.example/service.json", &mut schemas).expect("a schema");
        Self { schemas, service }
    }

    #[track_caller]
    fn check(&self, service: &Value) {
        if let Err(error) = self.schemas.validate(service, self.service) {
            panic!("{error:#}\n{service:#}");
        }
    }
}

#[test]
fn the_schemas_of_hsds_find_what_is_wrong() {
    let hsds = Hsds::new();
    let example = serde_json::from_str::<Value>(include_str!("../../data/hsds/service_full.json")).expect("JSON");
    hsds.check(&example);
    for (pointer, wrong) in [
        ("/id", json!("steps")),
        ("/status", json!("open")),
        ("/schedules/0/freq", json!("DAILY")),
        ("/service_at_locations/0/location/location_type", json!("moon")),
        ("/service_at_locations/0/location/latitude", json!("north")),
        ("/last_modified", json!("yesterday")),
    ] {
        let mut broken = example.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong;
        assert!(hsds.schemas.validate(&broken, hsds.service).is_err(), "{pointer}");
    }
}

/// Imports the real listing, and groups with all that a group can say.
async fn new_york() -> World {
    let world = World::start().await;
    let admin = world.admin();
    let request = hyper::Request::post("/v1/imports/bmlt?time_zone=America/New_York");
    let request = request.header("content-type", "application/json").header("idempotency-key", "k");
    admin.send(request, GREATER_NEW_YORK).await.must(200);
    let mut all = details(world.programme().await, "Everything");
    let everything = json!({ "venue": downtown(), "mode": "hybrid", "language": "es-MX", "comments": "Ring twice",
        "formats": ["Discussion", "Big Book", "Our own"], "cost": "fee", "cost_details": "3 $",
        "accessibility": ["wheelchair_access", "accessible_toilet", "sign_language", "hearing_loop", "captions",
            "child_care", "child_friendly", "fragrance_free"], "website": "https://example.org/tür" });
    for (field, value) in everything.as_object().expect("fields") {
        all[field] = value.clone();
    }
    let group = listed(&admin, all.clone()).await;
    let joining = json!({ "url": "https://meet.example.org/ü", "instructions": "Code 1234", "telephone": "+1 (646) 555-0100",
        "telephone_instructions": "Room 7" });
    let body = json!({ "joining": joining, "public": true });
    admin.put(&format!("/v1/groups/{group}/joining"), body.clone()).await.must(204);
    // Of each kind of calendar one.
    for (n, recurrence) in RULES.iter().enumerate() {
        let mut schedule = tuesdays();
        (schedule["recurrence"], schedule["except"]) = ((*recurrence).into(), json!(["2026-12-29"]));
        (all["name"], all["mode"]) = (format!("Rule {n}").into(), ["virtual", "in_person"][n % 2].into());
        let made = admin.post("/v1/groups", json!({ "details": all, "schedule": schedule })).await.must(201);
        let made: String = made.id("id");
        admin.put(&format!("/v1/groups/{made}/joining"), body.clone()).await.must(204);
    }
    all["name"] = "By appointment".into();
    admin.post("/v1/groups", json!({ "details": all })).await.must(201);
    world.settle().await;
    world
}

const RULES: [&str; 9] = [
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
    "FREQ=MONTHLY;BYDAY=1TU,-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=15,-1",
    "FREQ=DAILY",
    "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24",
    "FREQ=WEEKLY;BYDAY=TU;UNTIL=20251231",
    "FREQ=WEEKLY;BYDAY=TU;COUNT=500",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
];

async fn hsds(world: &World) -> Vec<Value> {
    let (mut all, mut page) = (vec![], 1);
    loop {
        let path = format!("/v1/public/north-star/hsds/services?page={page}&per_page=400");
        let answer = world.nobody().get(&path).await.must(200).json();
        let contents = answer["contents"].as_array().expect("contents").clone();
        assert_eq!((&answer["page_number"], &answer["size"]), (&json!(page), &json!(contents.len())));
        assert_eq!((&answer["first_page"], &answer["empty"]), (&json!(page == 1), &json!(contents.is_empty())));
        all.extend(contents);
        if answer["last_page"] == true {
            assert_eq!((&answer["total_items"], &answer["total_pages"]), (&json!(all.len()), &json!(page)));
            return all;
        }
        page += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_as_hsds_services_fits_the_schemas_of_the_specification() {
    let world = new_york().await;
    let (schemas, services) = (Hsds::new(), hsds(&world).await);
    assert_eq!(services.len(), 1_115 - 40 + 2 + RULES.len());
    let mut ids = BTreeSet::new();
    for service in &services {
        schemas.check(service);
        assert!(ids.insert(service["id"].as_str().expect("an id")), "twice");
    }
    let named =
        |name: &str| services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let all = named("Everything");
    assert_eq!((&all["url"], &all["fees_description"]), (&json!("https://example.org/t%C3%BCr"), &json!("A fee: 3 $")));
    let places = all["service_at_locations"].as_array().expect("places");
    let kinds: Vec<_> = places.iter().map(|at| at["location"]["location_type"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["physical", "virtual"]);
    let physical = &places[0]["location"];
    assert_eq!((&physical["latitude"], &physical["addresses"][0]["city"]), (&json!(40.7047), &json!("New York")));
    assert_eq!(physical["accessibility"].as_array().map(Vec::len), Some(8));
    assert_eq!(places[1]["location"]["url"], "https://meet.example.org/%C3%BC");
    assert_eq!(
        (&all["phones"][0]["number"], &all["languages"][0]["code"]),
        (&json!("+1 (646) 555-0100"), &json!("es-MX"))
    );
    let schedule = |n: usize| {
        let schedule = &named(&format!("Rule {n}"))["schedules"][0];
        let field = |name: &str| schedule[name].as_str().map(str::to_owned);
        assert!(
            field("description").is_some_and(|words| words.contains(RULES[n]) && words.contains("America/New_York"))
        );
        assert_eq!((field("opens_at").as_deref(), field("closes_at").as_deref()), (Some("19:00"), Some("20:30")));
        assert_eq!(field("notes").as_deref(), Some("Not on 2026-12-29"));
        ["freq", "byday", "bymonthday", "wkst", "until"].map(|name| field(name).unwrap_or_default()).join("|")
            + &format!("|{}|{}", schedule["interval"], schedule["count"])
    };
    assert_eq!(
        (0..RULES.len()).map(schedule).collect::<Vec<_>>(),
        [
            "WEEKLY|TU||||1|null",
            "WEEKLY|TU,TH||SU||2|null",
            "MONTHLY|1TU,-1FR||||1|null",
            "MONTHLY||15,-1|||1|null",
            "WEEKLY|MO,TU,WE,TH,FR,SA,SU||||1|null",
            "|||||null|null",
            "WEEKLY|TU|||2025-12-31|1|null",
            "WEEKLY|TU||||1|500",
            "|||||null|null",
        ]
    );
    assert_eq!(named("By appointment").get("schedules"), None);
}

async fn feed(world: &World, org: &str) -> Vec<Value> {
    let feed = world.nobody().get(&format!("/v1/public/{org}/meeting-guide.json")).await.must(200).json();
    feed.as_array().expect("a list").clone()
}

/// What the specification of the Meeting Guide format asks of a feed; its own checker is a website.
#[track_caller]
fn fits_meeting_guide(feed: &[Value]) {
    let types: Value = serde_json::from_str(include_str!("../../data/tsml/types.json")).expect("JSON");
    let mut slugs = BTreeSet::new();
    for meeting in feed {
        let text = |field: &str| meeting.get(field).map(|value| value.as_str().expect("a text"));
        let name = text("name").expect("a name");
        assert!((1..=255).contains(&name.chars().count()), "{meeting}");
        let slug = text("slug").expect("a slug");
        assert!(
            (1..=64).contains(&slug.len()) && slug.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            "{slug}"
        );
        assert!(slugs.insert(slug.to_owned()), "{slug} is there twice");
        let days = meeting.get("day").map(|days| days.as_array().expect("days").clone()).unwrap_or_default();
        assert!(days.iter().all(|day| day.as_u64().is_some_and(|day| day <= 6)), "{meeting}");
        assert_eq!(days.is_empty(), text("time").is_none(), "both are needed, or it is by appointment: {meeting}");
        for clock in ["time", "end_time"].into_iter().filter_map(text) {
            assert!(clock.len() == 5 && format!("{clock}:00").parse::<jiff::civil::Time>().is_ok(), "{clock}");
        }
        assert!(text("timezone").is_none_or(|zone| domain::time_zone(zone).is_some()), "{meeting}");
        let updated = text("updated").expect("when");
        assert!(updated.len() == 19 && updated.replace(' ', "T").parse::<jiff::civil::DateTime>().is_ok(), "{updated}");
        for code in meeting.get("types").and_then(Value::as_array).into_iter().flatten() {
            assert!(types.get(code.as_str().expect("a code")).is_some(), "{code}");
        }
        for url in ["conference_url", "url"].into_iter().filter_map(text) {
            assert!(url.is_ascii() && url.starts_with("http"), "{url}");
        }
        let phone = text("conference_phone").unwrap_or("1");
        assert!(phone.chars().all(|c| c.is_ascii_digit() || "+,*#".contains(c)), "{phone}");
        assert!(text("approximate").is_none_or(|said| ["yes", "no"].contains(&said)), "{meeting}");
        assert!(text("entity").is_some_and(|entity| !entity.is_empty()), "{meeting}");
        for (field, value) in meeting.as_object().expect("fields") {
            assert!(!field.starts_with("contact_") && !value.is_null() && *value != "", "{field}: {meeting}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_as_a_meeting_guide_feed_is_what_the_specification_asks_for() {
    let world = new_york().await;
    let feed = feed(&world, ORG).await;
    fits_meeting_guide(&feed);
    let named = |name: &str| feed.iter().find(|meeting| meeting["name"] == name);
    let mut all = named("Everything").expect("it is there").clone();
    let slug = all["slug"].as_str().expect("a slug").to_owned();
    assert!(slug.parse::<domain::GroupId>().is_ok(), "{slug} stays when the name changes");
    for made_up in ["slug", "updated"] {
        all.as_object_mut().expect("fields").remove(made_up);
    }
    assert_eq!(
        all,
        json!({ "name": "Everything", "day": [2], "time": "19:00", "end_time": "20:30", "timezone": "America/New_York",
            "attendance_option": "hybrid", "types": ["S", "D", "B", "X", "XB", "ASL", "BA", "CF", "FF"],
            "notes": "Ring twice", "location": "Library", "address": "1 Broadway", "city": "New York", "state": "NY",
            "postal_code": "10004", "country": "US", "latitude": 40.7047, "longitude": -74.0142, "approximate": "no",
            "conference_url": "https://meet.example.org/%C3%BC", "conference_url_notes": "Code 1234",
            "conference_phone": "+16465550100", "conference_phone_notes": "Room 7",
            "url": "https://example.org/t%C3%BCr", "entity": "north-star" })
    );
    // Weekly ones, and by appointment. Of a calendar with an end nothing is planned here: it is over, as far as is known.
    let rules: Vec<_> = (0..RULES.len()).filter(|n| named(&format!("Rule {n}")).is_some()).collect();
    assert_eq!(rules, [0, 4]);
    assert_eq!(named("Rule 4").expect("each day")["day"], json!([0, 1, 2, 3, 4, 5, 6]));
    let online = named("Rule 0").expect("online");
    assert_eq!(
        (&online["attendance_option"], &online["city"], &online["approximate"]),
        (&json!("online"), &json!("New York"), &json!("yes"))
    );
    assert!(online.get("address").is_none() && online.get("latitude").is_none(), "nobody can go there: {online}");
    assert!(named("By appointment").expect("it is there").get("day").is_none());
    assert!(feed.len() > 1_000, "{}", feed.len());
}

/// What an import of a Meeting Guide feed did to groups: created, changed, unchanged, rejected; and how many were copies.
async fn imported(world: &World, org: &str, feed: &[Value]) -> ([u64; 4], u64) {
    let admin = world.admin_of(org);
    let request = hyper::Request::post("/v1/imports/meeting-guide?time_zone=America/New_York");
    let request = request.header("content-type", "application/json").header("idempotency-key", admin.key());
    let report = admin.send(request, json!(feed).to_string()).await.must(200).json();
    world.settle().await;
    let count = |name: &str| report["groups"][name].as_u64().expect("a count");
    (["created", "changed", "unchanged", "rejected"].map(count), report["copies"].as_u64().expect("a count"))
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_meeting_guide_feed_imported_again_changes_nothing_and_says_the_same_elsewhere() {
    let world = new_york().await;
    let ours = feed(&world, ORG).await;
    let all = u64::try_from(ours.len()).expect("a count");
    let before = world.events().await.len();
    assert_eq!(imported(&world, ORG, &ours).await, ([0; 4], all));
    assert_eq!(feed(&world, ORG).await, ours);
    assert_eq!(world.events().await.len(), before, "nothing is written");
    // Another organisation takes it in as it is, and its own feed says the same.
    assert_eq!(imported(&world, "south-star", &ours).await, ([all, 0, 0, 0], 0));
    assert_eq!(imported(&world, "south-star", &ours).await, ([0, 0, all, 0], 0));
    let theirs = feed(&world, "south-star").await;
    fits_meeting_guide(&theirs);
    let said = |feed: &[Value]| {
        let of_its_own = ["slug", "updated", "entity"];
        let without = |meeting: &Value| {
            let mut meeting = meeting.clone();
            meeting.as_object_mut().expect("fields").retain(|field, _| !of_its_own.contains(&field.as_str()));
            meeting.to_string()
        };
        let mut said: Vec<_> = feed.iter().map(without).collect();
        said.sort();
        said
    };
    let (ours, theirs) = (said(&ours), said(&theirs));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_lists_groups_as_it_is_written() {
    let world = World::start().await;
    let admin = world.admin();
    let mut steps = details(world.programme().await, "Steps");
    (steps["venue"], steps["accessibility"]) = (downtown(), json!(["wheelchair_access"]));
    listed(&admin, steps).await;
    let mut online = details(world.programme().await, "Online");
    online["mode"] = "virtual".into();
    listed(&admin, online).await;
    world.settle().await;
    let mut shell = Shell::new(world.nobody(), []);
    let mut said = vec![];
    for line in guide::lines(include_str!("../../../deploy/guides/lists.md")) {
        let answer = shell.run(line).await;
        if answer.is_string() {
            continue; // a variable
        }
        let rows = answer.get("items").or(answer.get("contents")).unwrap_or(&answer);
        said.push(rows.as_array().expect("rows").len());
    }
    assert_eq!(said, [1, 1, 1, 2, 2]);
}
