//! Partners from a directory in HSDS 3.0: the specification's own example, as documents and as tables.

use std::{fs, path::Path};

use hyper::{Request, Uri};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{ORG, World, agency},
};

const PATH: &str = "/v1/imports/hsds?time_zone=America/New_York";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hsds");

/// Files of the example, as they are sent.
fn example(folder: &str, wanted: impl Fn(&str) -> bool) -> Value {
    let mut names: Vec<_> = fs::read_dir(Path::new(FOLDER).join(folder))
        .expect("the example")
        .flatten()
        .map(|entry| entry.file_name().into_string().expect("ASCII"))
        .filter(|name| wanted(name))
        .collect();
    names.sort();
    let file = |name: &String| {
        let text = fs::read_to_string(Path::new(FOLDER).join(folder).join(name)).expect("text");
        json!({ "name": name, "text": text })
    };
    json!({ "files": names.iter().map(file).collect::<Vec<_>>() })
}

fn document(name: &str) -> Value {
    example("", |file| file == name)
}

fn is_a(extension: &str) -> impl Fn(&str) -> bool {
    move |file| Path::new(file).extension().is_some_and(|is| is == extension)
}

fn tables() -> Value {
    example("csv", is_a("csv"))
}

async fn import_of(world: &World, org: &str, path: &str, body: &Value) -> Answer {
    let admin = world.admin_of(org);
    let request = Request::post(path.parse::<Uri>().expect("a path")).header("content-type", "application/json");
    admin.send(request.header("idempotency-key", admin.key()), body.to_string()).await
}

async fn import(world: &World, body: &Value) -> Value {
    import_of(world, ORG, PATH, body).await.must(200).json()
}

fn counts(report: &Value) -> [[u64; 4]; 2] {
    ["partners", "services"].map(|of| {
        ["created", "changed", "unchanged", "rejected"].map(|count| report[of][count].as_u64().expect("a count"))
    })
}

async fn types(world: &World) -> Vec<String> {
    world.events().await.iter().map(|event| event.event_type.to_string()).collect()
}

/// The one partner that was imported, as it is shown.
async fn shown(world: &World) -> Value {
    world.settle().await;
    let partners = world.coordinator().pages("/v1/partners", 50).await;
    assert_eq!(partners.len(), 1);
    let path = format!("/v1/partners/{}", partners[0]["id"].as_str().expect("an id"));
    world.coordinator().get(&path).await.must(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_specifications_example_is_imported_and_importing_it_again_in_any_form_writes_nothing() {
    let world = World::start().await;
    let first = import(&world, &document("organization_full.json")).await;
    assert_eq!((counts(&first), &first["remarks"]), ([[1, 0, 0, 0]; 2], &json!([])));
    assert_eq!(types(&world).await, ["partner.registered", "service.described"]);
    let everything = example("", is_a("json"));
    let forms = [document("organization_full.json"), document("tabular.json"), tables(), everything];
    for form in forms.iter().chain([&document("service_full.json"), &document("service_list.json")]) {
        let again = import(&world, form).await;
        assert_eq!((counts(&again), &again["remarks"]), ([[0, 0, 1, 0]; 2], &json!([])));
    }
    assert_eq!(types(&world).await.len(), 2);
    let partner = shown(&world).await;
    let details = json!({ "name": "Example Organization Inc.",
        "calendar": { "time_zone": "America/New_York", "working_days": ["MO", "TU", "WE", "TH", "FR"] },
        "source": { "directory": "hsds", "id": "d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610" } });
    assert_eq!(partner["details"], details);
    let service = &partner["services"][0]["details"];
    let source: Value =
        serde_json::from_str(document("service_full.json")["files"][0]["text"].as_str().unwrap()).unwrap();
    for field in [
        "name",
        "status",
        "application_process",
        "eligibility_description",
        "minimum_age",
        "maximum_age",
        "alert",
        "assured_date",
    ] {
        assert_eq!(service[field], source[field], "{field}");
    }
    assert_eq!((&service["languages"], service["source"]["id"].as_str()), (&json!(["ur"]), source["id"].as_str()));
    for field in ["description", "fees_description"] {
        let said = source[field].as_str().expect("a text").trim();
        assert!(service[field].as_str().expect("a text").starts_with(said), "{field}");
    }
    assert!(!partner.to_string().contains("Persona"), "a contact is a person");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let world = World::start().await;
    let dry = import_of(&world, ORG, &format!("{PATH}&dry_run=true"), &tables()).await.must(200).json();
    assert_eq!(types(&world).await, Vec::<String>::new());
    let mut wet = import(&world, &tables()).await;
    wet["dry_run"] = true.into();
    assert_eq!((dry, counts(&wet)), (wet.clone(), [[1, 0, 0, 0]; 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_directory_changes_only_what_changed_and_never_what_coordinators_entered() {
    let world = World::start().await;
    import(&world, &tables()).await;
    let partner = shown(&world).await;
    let at = format!("/v1/partners/{}", partner["id"].as_str().expect("an id"));
    let mut details = partner["details"].clone();
    (details["mailbox"], details["treats"]) = ("intake@example.org".into(), true.into());
    details["calendar"] = agency("")["calendar"].clone();
    details["calendar"]["closed_on"] = json!(["2026-07-03"]);
    let mut service = partner["services"][0]["details"].clone();
    service["may_receive"] = json!(["alias", "phone"]);
    let of_service = format!("{at}/services/{}", partner["services"][0]["id"].as_str().expect("an id"));
    world.coordinator().put(&at, details.clone()).await.must(204);
    world.coordinator().put(&of_service, service.clone()).await.must(204);
    let before = types(&world).await.len();
    assert_eq!(counts(&import(&world, &tables()).await), [[0, 0, 1, 0]; 2]);
    assert_eq!(types(&world).await.len(), before);

    let later: Value = serde_json::from_str(&tables().to_string().replace("Under 18s", "Under 21s")).expect("JSON");
    assert_eq!(counts(&import(&world, &later).await), [[0, 0, 1, 0], [0, 1, 0, 0]]);
    let closed: Value = serde_json::from_str(&later.to_string().replace(",active,", ",defunct,")).expect("JSON");
    let renamed = closed.to_string().replace("Example Organization Inc.", "Example Inc.");
    assert_eq!(counts(&import(&world, &serde_json::from_str(&renamed).expect("JSON")).await), [[0, 1, 0, 0]; 2]);
    assert_eq!(types(&world).await[before..], ["service.described", "partner.changed", "service.described"]);
    let now = shown(&world).await;
    details["name"] = "Example Inc.".into();
    assert_eq!((&now["details"], now["services"][0]["details"]["status"].as_str()), (&details, Some("defunct")));
    assert_eq!(now["services"][0]["details"]["may_receive"], service["may_receive"]);
    assert!(world.coordinator().pages("/v1/services", 50).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_place_and_the_rest_is_imported() {
    let world = World::start().await;
    let services = "id,organization_id,name,status\n1,o,One,active\n2,o,Two,open\n3,elsewhere,Three,active\n";
    let organizations = r#"[{ "id": "o", "name": "Org", "description": "x" }, { "name": "No id", "id": "" }]"#;
    let body = json!({ "files": [{ "name": "services.csv", "text": services },
        { "name": "organizations.json", "text": organizations }, { "name": "cut.json", "text": "[{ \"id\": " }] });
    let report = import(&world, &body).await;
    assert_eq!(counts(&report), [[1, 0, 0, 1], [1, 0, 0, 2]]);
    let remark = |file: &str, place: &str, field: &str, what: &str| json!({ "file": file, "place": place, "field": field, "what": what, "severity": "rejected" });
    let expected = [
        remark("cut.json", "", "", "is not JSON: EOF while parsing a value at line 1 column 9"),
        remark("organizations.json", "/1", "id", "is missing, or no id that can be used"),
        remark("services.csv", "line 3", "status", "must be active, inactive, defunct or temporarily closed"),
        remark(
            "services.csv",
            "line 4",
            "organization_id",
            "names nothing usable in the directory or here: 1 services are left out",
        ),
    ];
    assert_eq!(report["remarks"], json!(expected));
    for (path, body) in [
        (PATH, json!({})),
        (PATH, json!({ "files": [{ "name": "a.json" }] })),
        ("/v1/imports/hsds", json!({ "files": [] })),
        ("/v1/imports/hsds?time_zone=Mars/Olympus", json!({ "files": [] })),
        ("/v1/imports/hsds?time_zone=UTC&sauce=a", json!({ "files": [] })),
        (PATH, json!({ "files": vec![json!({ "name": "a.json", "text": "[]" }); 1_001] })),
    ] {
        import_of(&world, ORG, path, &body).await.refused(422, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_was_closed_here_stays_as_it_is_and_one_with_many_services_has_them_all() {
    let world = World::start().await;
    let services: Vec<_> = (0..200).map(|n| json!({ "id": n.to_string(), "name": "S", "status": "active" })).collect();
    let organization = json!({ "id": "o", "name": "Org", "services": services });
    let body = |organization: &Value| json!({ "files": [{ "name": "o.json", "text": organization.to_string() }] });
    let report = import(&world, &body(&organization)).await;
    assert_eq!((counts(&report), types(&world).await.len()), ([[1, 0, 0, 0], [200, 0, 0, 0]], 201));
    let partner = shown(&world).await["id"].as_str().expect("an id").to_owned();
    // One more than can be kept.
    let mut more = organization.clone();
    more["services"].as_array_mut().expect("a list").push(json!({ "id": "200", "name": "S", "status": "active" }));
    let report = import(&world, &body(&more)).await;
    assert_eq!(counts(&report), [[0, 0, 0, 1], [0, 0, 0, 201]]);
    assert!(report["remarks"][0]["what"].as_str().expect("a text").contains("at most 200 services"), "{report}");
    world.coordinator().post(&format!("/v1/partners/{partner}/closure"), json!({})).await.must(204);
    let before = types(&world).await.len();
    let report = import(
        &world,
        &body(&serde_json::from_str(&organization.to_string().replace("active", "defunct")).expect("JSON")),
    )
    .await;
    assert_eq!((counts(&report), types(&world).await.len()), ([[0, 0, 1, 0], [0, 0, 200, 0]], before));
    let what = "is a partner that was closed here: its services stay as they are";
    assert_eq!(report["remarks"][0]["what"], what);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_and_directories_do_not_meet_and_the_same_command_is_answered_again() {
    let world = World::start().await;
    let admin = world.admin();
    let send = async || {
        let request = Request::post(PATH).header("content-type", "application/json").header("idempotency-key", "k");
        admin.send(request, tables().to_string()).await.must(200).json()
    };
    let first = send().await;
    assert_eq!((counts(&first), send().await), ([[1, 0, 0, 0]; 2], first));
    let there = import_of(&world, "south-star", PATH, &tables()).await.must(200).json();
    assert_eq!(counts(&there), [[1, 0, 0, 0]; 2]);
    let other = import_of(&world, ORG, &format!("{PATH}&source=other"), &tables()).await.must(200).json();
    assert_eq!(counts(&other), [[1, 0, 0, 0]; 2]);
}
