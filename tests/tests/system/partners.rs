//! Partners, their services, whether these can take somebody, and the clocks of referrals.

use domain::{PartnerId, ServiceId};
use serde_json::{Value, json};
use tests::world::{Actor, World, agency, counselling};
use uuid::Uuid;

fn path(partner: PartnerId, service: ServiceId, what: &str) -> String {
    format!("/v1/partners/{partner}/services/{service}{what}")
}

async fn show(actor: &Actor, partner: PartnerId) -> Value {
    actor.get(&format!("/v1/partners/{partner}")).await.must(200).json()
}

/// Names of the services that somebody can be referred to.
async fn offered(actor: &Actor, query: &str) -> Vec<String> {
    let rows = actor.pages(&format!("/v1/services{query}"), 2).await;
    rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_is_closed_offers_nothing_until_it_is_opened_again() {
    let world = World::start().await;
    let cora = world.coordinator();
    let (partner, service) = cora.partner("Harbour").await;
    let renamed = json!({ "mailbox": "intake@harbour.example", "treats": true });
    let renamed = [agency("Port"), renamed].into_iter().fold(json!({}), |mut all, part| {
        all.as_object_mut().expect("an object").extend(part.as_object().expect("an object").clone());
        all
    });
    cora.put(&format!("/v1/partners/{partner}"), renamed.clone()).await.must(204);
    world.settle().await;
    let shown = show(&cora, partner).await;
    assert_eq!((&shown["details"], &shown["closed"]), (&renamed, &json!(false)));
    assert_eq!(shown["services"][0]["details"], counselling());
    assert_eq!(offered(&cora, "").await, ["Counselling"]);
    cora.post(&format!("/v1/partners/{partner}/closure"), json!({})).await.must(204);
    let before = world.events().await.len();
    cora.post(&format!("/v1/partners/{partner}/closure"), json!({})).await.must(204);
    assert_eq!(world.events().await.len(), before, "said twice, it happens once");
    cora.put(&path(partner, ServiceId(Uuid::from_u128(1)), ""), counselling()).await.refused(409, "partner-closed");
    cora.post(&path(partner, service, "/capacity-question"), json!({})).await.refused(409, "partner-closed");
    world.settle().await;
    assert_eq!((offered(&cora, "").await, &show(&cora, partner).await["closed"]), (vec![], &json!(true)));
    let row = json!({ "id": partner, "name": "Port", "closed": true, "active_services": 1 });
    assert_eq!(cora.pages("/v1/partners?closed=true", 1).await, [row]);
    assert!(cora.pages("/v1/partners?closed=false", 1).await.is_empty());
    cora.post(&format!("/v1/partners/{partner}/reopening"), json!({})).await.must(204);
    world.settle().await;
    assert_eq!(offered(&cora, "").await, ["Counselling"]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_and_services_are_found_by_what_is_asked_of_them_a_page_at_a_time() {
    let world = World::start().await;
    let (cora, fay) = (world.coordinator(), world.facilitator([]));
    let long = "\u{754c}".repeat(200);
    for name in ["Harbour", "\u{c9}COLE", &long] {
        let (partner, _) = cora.partner(name).await;
        for (n, details) in [
            json!({ "name": format!("{name} A"), "status": "active", "languages": ["pt-BR", "en"] }),
            json!({ "name": "B", "status": "active", "languages": ["pty"], "may_receive": ["why"] }),
            json!({ "name": "C", "status": "temporarily closed", "languages": ["pt"] }),
        ]
        .into_iter()
        .enumerate()
        {
            let details = if name.len() > 200 && n == 0 { counselling() } else { details };
            let service = ServiceId(Uuid::from_u128(n as u128 + 1));
            cora.put(&path(partner, service, ""), details).await.must(204);
        }
        let full = json!({ "capacity": "no-capacity", "as_of": "2026-06-01" });
        cora.put(&path(partner, ServiceId(Uuid::from_u128(2)), "/capacity"), full).await.must(204);
    }
    world.settle().await;
    assert_eq!(offered(&fay, "").await.len(), 9);
    assert_eq!(offered(&fay, "?language=PT").await, ["Harbour A", "\u{c9}COLE A"]);
    assert_eq!(offered(&fay, "?capacity=no-capacity").await, ["B"; 3]);
    assert_eq!(offered(&fay, "?may_receive=why").await, ["B"; 3]);
    assert_eq!(offered(&fay, "?name=harb").await, ["B", "Counselling", "Harbour A"]);
    assert_eq!(offered(&fay, "?name=%C3%A9cole&may_receive=ask").await, ["Counselling"]);
    assert_eq!(offered(&fay, "?language=%25").await, Vec::<String>::new());
    assert_eq!(fay.pages("/v1/partners", 1).await.len(), 3);
    assert_eq!(fay.pages("/v1/partners?name=%C3%A9co", 1).await[0]["active_services"], 3);
    fay.get("/v1/services?capacity=some").await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_is_asked_before_any_name_is_said_and_answered_with_its_day() {
    let world = World::start().await;
    let cora = world.coordinator();
    let (partner, service) = cora.partner("Harbour").await;
    let at = |what: &str| path(partner, service, what);
    cora.post(&at("/capacity-question"), json!({})).await.must(204);
    let asked = world.events().await.len();
    cora.post(&at("/capacity-question"), json!({})).await.must(204);
    assert_eq!(world.events().await.len(), asked, "who waits for an answer asks once");
    world.settle().await;
    let capacity = show(&cora, partner).await["services"][0]["capacity"].clone();
    assert_eq!(capacity, json!({ "asked": { "by": "coordinator", "at": "2026-06-01T12:00:00Z" } }));
    let answer = json!({ "capacity": "waitlist", "as_of": "2026-05-29" });
    cora.put(&at("/capacity"), answer.clone()).await.must(204);
    world.settle().await;
    assert_eq!(show(&cora, partner).await["services"][0]["capacity"], json!({ "answer": answer }));
    assert_eq!(cora.get("/v1/services").await.must(200).json()["items"][0]["capacity"], json!({ "answer": answer }));
    let soon = json!({ "capacity": "capacity", "as_of": "2026-06-03" });
    cora.put(&at("/capacity"), soon).await.refused(422, "malformed");
    let closed = json!({ "name": "Counselling", "status": "inactive" });
    cora.put(&at(""), closed).await.must(204);
    cora.post(&at("/capacity-question"), json!({})).await.refused(409, "service-not-active");
    let nobody = path(partner, ServiceId(Uuid::from_u128(9)), "/capacity");
    cora.put(&nobody, answer).await.refused(404, "unknown-service");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clocks_in_force_are_the_partners_own_or_the_organisations() {
    let world = World::start().await;
    let cora = world.coordinator();
    let (own, other) = (cora.partner("Harbour").await.0, cora.partner("Port").await.0);
    world.settle().await;
    let clocks = cora.get("/v1/referral-clocks").await.must(200).json();
    assert_eq!(clocks["routine"]["decided"], json!({ "business_days": 5 }), "{clocks}");
    let with = |path: &str, value: Value| {
        let mut clocks = clocks.clone();
        *clocks.pointer_mut(path).expect("a clock") = value;
        clocks
    };
    let at = |partner: PartnerId| format!("/v1/partners/{partner}/referral-clocks");
    let (slow, off) = (with("/cancel_grace", json!({ "days": 9 })), with("/member_question", json!({ "days": 0 })));
    cora.put(&at(own), slow.clone()).await.must(204);
    cora.put("/v1/referral-clocks", off.clone()).await.must(204);
    let in_force = async |partner| {
        let shown = show(&cora, partner).await;
        (shown["clocks"].clone(), shown["has_own_clocks"] == true)
    };
    assert_eq!((in_force(own).await, in_force(other).await), ((slow, true), (off.clone(), false)));
    let delete = async |path: &str| cora.command(hyper::Method::DELETE, path, &cora.key(), &Value::Null).await;
    delete(&at(own)).await.must(204);
    assert_eq!(in_force(own).await, (off, false));
    cora.put(&at(own), with("/link_days", json!(91))).await.refused(409, "clocks-out-of-range");
    cora.put(&at(own), with("/urgent/received", json!({ "hours": 367 }))).await.refused(409, "clocks-out-of-range");
    cora.put(&at(PartnerId(Uuid::from_u128(9))), clocks).await.refused(404, "unknown-partner");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_of_a_partner_is_refused() {
    let world = World::start().await;
    let cora = world.coordinator();
    let (partner, service) = cora.partner("Harbour").await;
    let with = |path: &str, value: Value| {
        let mut details = agency("Harbour");
        *details.pointer_mut(path).expect("a field") = value;
        details
    };
    for details in [with("/calendar/time_zone", json!("Mars/Olympus")), with("/calendar/working_days", json!([]))] {
        cora.post("/v1/partners", details).await.refused(409, "partner-out-of-range");
    }
    let mut nowhere = agency("Harbour");
    nowhere["mailbox"] = "intake".into();
    cora.put(&format!("/v1/partners/{partner}"), nowhere).await.refused(409, "partner-out-of-range");
    let ages = json!({ "name": "S", "status": "active", "minimum_age": 20, "maximum_age": 10 });
    cora.put(&path(partner, service, ""), ages).await.refused(409, "partner-out-of-range");
    let languages: Vec<_> = (0..33).map(|n| format!("en-x-{n}")).collect();
    let many = json!({ "name": "S", "status": "active", "languages": languages });
    cora.put(&path(partner, service, ""), many).await.refused(409, "partner-full");
    let nobody = PartnerId(Uuid::from_u128(9));
    cora.put(&format!("/v1/partners/{nobody}"), agency("Nobody")).await.refused(404, "unknown-partner");
    cora.put(&path(nobody, service, ""), counselling()).await.refused(404, "unknown-partner");
    world.settle().await;
    cora.get(&format!("/v1/partners/{nobody}")).await.refused(404, "unknown-partner");
}
