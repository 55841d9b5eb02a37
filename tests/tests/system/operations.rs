//! The operations as the served document describes them, and a request for each made from its schema alone.

use bytes::Bytes;
use domain::{
    AttemptId, ClientId, EndpointId, GroupId, MeetingId, MemberId, NeedId, PartnerId, ProgrammeId, ServiceId,
};
use hyper::{Method, Request, http::request::Builder};
use serde_json::{Map, Value, json};
use tests::world::World;

/// Things that requests name.
#[derive(Debug, Clone, Copy)]
pub struct Things {
    pub group: GroupId,
    pub meeting: MeetingId,
    pub member: MemberId,
    /// Registered, in no group.
    pub other: MemberId,
    pub programme: ProgrammeId,
    pub client: ClientId,
    pub partner: PartnerId,
    /// Of that partner, and active.
    pub service: ServiceId,
    /// Of the member.
    pub need: NeedId,
    /// Of that need to that service: a draft.
    pub referral: AttemptId,
    /// Disabled: nothing is sent there.
    pub endpoint: EndpointId,
}

impl Things {
    /// Things that are there: the meeting is open, the member is on its roster.
    pub async fn of(world: &World) -> Self {
        let programme = world.programme().await;
        let group = world.admin().group(programme, "Steps").await;
        let [member] = world.enrolled(group).await;
        let other = world.admin().register(json!({ "alias": "Other" })).await;
        let meeting = world.open_meeting(group).await;
        let client = json!({ "name": "export", "role": "auditor", "scopes": ["list_groups"],
            "expires_at": "2026-12-31T00:00:00Z" });
        let client = world.admin().post("/v1/access/clients", client).await.must(201).id("client");
        let (partner, service) = world.admin().partner("Harbour").await;
        let body = json!({ "urgency": "routine", "says": { "ask": "Somebody to talk to" },
            "refer_to": { "partner": partner, "service": service } });
        let stated = world.admin().post(&format!("/v1/members/{member}/needs"), body).await.must(201);
        let (need, referral) = (stated.id("need"), stated.id("referral"));
        let endpoint = json!({ "url": "https://hooks.example.org/kith" });
        let endpoint = world.admin().post("/v1/endpoints", endpoint).await.must(201).id("endpoint");
        world.admin().post(&format!("/v1/endpoints/{endpoint}/disabling"), Value::Null).await.must(204);
        Self { group, meeting, member, other, programme, client, partner, service, need, referral, endpoint }
    }

    fn id(&self, name: &str) -> String {
        match name {
            "group" | "groups" => self.group.to_string(),
            "meeting" => self.meeting.to_string(),
            "member" => self.member.to_string(),
            "programme" => self.programme.to_string(),
            "client" => self.client.to_string(),
            "partner" | "partners" => self.partner.to_string(),
            "service" => self.service.to_string(),
            "need" | "based_on" => self.need.to_string(),
            "referral" | "parent" => self.referral.to_string(),
            "endpoint" => self.endpoint.to_string(),
            "into" | "from" | "after" => self.other.to_string(),
            "reference" => "none".into(),
            "purpose" => "statistics".into(),
            "instrument" => "gad-7".into(),
            "language" => "en".into(),
            "on" => "2026-06-02".into(),
            // Nobody has them: what is asked of them is understood, and refused.
            "consent" | "hold" | "glass" | "check_in" | "goal" | "revises" | "concern" | "link" | "takes_over"
            | "message" | "calendar" => "018f3c7a-0000-7000-8000-000000000099".into(),
            other => panic!("what is `{other}`? say so here"),
        }
    }
}

/// What is the same for all organisations; and references, which are sealed: of another organisation none opens.
const NO_THINGS: [&str; 4] = ["{instrument}", "{language}", "{on}", "{reference}"];

/// The document that the server serves.
#[allow(clippy::struct_field_names)] // the operations that it describes
#[derive(Debug)]
pub struct Operations {
    pub document: Value,
    operations: Vec<Operation>,
    public: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// With `{group}` and the like.
    pub path: String,
    /// Who may, by name.
    pub roles: Vec<String>,
    /// Documented statuses.
    pub statuses: Vec<u16>,
    /// Names of parameters in the query; whether each is needed.
    pub query: Vec<(String, bool)>,
    /// Schema of the body, without references; none if there is no body.
    pub schema: Option<Value>,
}

impl Operations {
    pub async fn of(world: &World) -> Self {
        Self::read(world.nobody().get("/openapi.json").await.must(200).json())
    }

    /// The operations of a document. What takes something away comes last, and erasing last of all: nothing can be asked of
    /// whoever is gone.
    pub fn read(document: Value) -> Self {
        let (mut operations, mut public) = (Vec::new(), Vec::new());
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let whose = if operation["x-kith-public"] == true { &mut public } else { &mut operations };
                whose.push(Operation::read(&document, path, method, operation));
            }
        }
        let last = ["remove_endpoint", "remove_mailbox", "erase_member"];
        operations.sort_by_key(|operation| last.iter().position(|id| operation.id == *id));
        Self { document, operations, public }
    }

    /// Those that need no token: what holds for them is in `public.rs`.
    pub fn public(&self) -> impl Iterator<Item = &Operation> {
        self.public.iter()
    }

    /// All that need a token.
    pub fn all(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }
}

impl Operation {
    fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let query = parameters
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| (parameter["name"].as_str().expect("a name").to_owned(), parameter["required"] == true));
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let statuses = operation["responses"].as_object().expect("responses").keys();
        Self {
            id: operation["operationId"].as_str().expect("an operation id").into(),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.into(),
            roles: texts(&operation["x-kith-roles"]),
            statuses: statuses.map(|status| status.parse().expect("a status")).collect(),
            query: query.collect(),
            // A file that is no JSON is not made up.
            schema: (!schema.is_null()).then(|| resolved(document, schema)),
        }
    }

    pub fn is_command(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether a thing of the organisation's is named in its path.
    pub fn names_a_thing(&self) -> bool {
        let part = |part: &str| part.starts_with('{') && !NO_THINGS.contains(&part);
        self.path.split('/').any(part)
    }

    /// Its path with these things, and what its query needs.
    pub fn target(&self, things: &Things) -> String {
        let needed = self.query.iter().filter(|(name, needed)| *needed || name == "seconds");
        let needed: Vec<_> = needed.map(|(name, _)| query_value(name, things)).collect();
        let path = self.path_with(|name| things.id(name));
        if needed.is_empty() { path } else { format!("{path}?{}", needed.join("&")) }
    }

    /// Its path, with what `id` says for each parameter.
    pub fn path_with(&self, id: impl Fn(&str) -> String) -> String {
        let part = |part: &str| part.strip_prefix('{').and_then(|name| name.strip_suffix('}')).map_or(part.into(), &id);
        self.path.split('/').map(part).collect::<Vec<String>>().join("/")
    }

    /// A request that it understands, without the body.
    pub fn request(&self, things: &Things, key: &str) -> Builder {
        self.request_to(&self.target(things), key)
    }

    /// A request to any target.
    pub fn request_to(&self, target: &str, key: &str) -> Builder {
        // What is followed goes on for an hour unless it is said for how long.
        let is_followed = self.query.iter().any(|(name, _)| name == "seconds") && !target.contains("seconds=");
        let ending = if target.contains('?') { "&seconds=1" } else { "?seconds=1" };
        let target = format!("{target}{}", if is_followed { ending } else { "" });
        let request = Request::builder().method(self.method.clone()).uri(target);
        if self.is_command() {
            request.header("idempotency-key", key).header("content-type", "application/json")
        } else {
            request
        }
    }

    /// A body that it understands.
    pub fn body(&self, things: &Things) -> Bytes {
        self.sample(things).map(|body| Bytes::from(body.to_string())).unwrap_or_default()
    }

    /// A body that it understands, with every field.
    pub fn sample(&self, things: &Things) -> Option<Value> {
        self.schema.as_ref().map(|schema| sample("", schema, things))
    }
}

fn query_value(name: &str, things: &Things) -> String {
    let value = match name {
        "from" | "through" => "2026-06".into(),
        "first" | "last" => "2026-06-02".into(),
        "groups" => things.group.to_string(),
        "time_zone" => "America%2FNew_York".into(),
        "seconds" => "1".to_owned(),
        other => panic!("what is the query's `{other}`? say so here"),
    };
    format!("{name}={value}")
}

/// The schema with references replaced by what they refer to.
fn resolved(document: &Value, schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a reference into the document");
                let mut target = resolved(document, document.pointer(pointer).expect("what is referred to"));
                // What stands beside a reference adds to it.
                let beside = fields.iter().filter(|(name, _)| *name != "$ref");
                for (name, value) in beside {
                    target[name] = value.clone();
                }
                target
            }
            None => fields.iter().map(|(name, value)| (name.clone(), resolved(document, value))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| resolved(document, item)).collect(),
        other => other.clone(),
    }
}

/// A value that fits the schema of the field `name`.
fn sample(name: &str, schema: &Value, things: &Things) -> Value {
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return example.clone();
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        let choices = schema[list].as_array().into_iter().flatten();
        if let Some(choice) = choices.clone().find(|choice| choice["type"] != "null") {
            return sample(name, choice, things);
        }
    }
    let types = &schema["type"];
    let is = |kind: &str| types == kind || types.as_array().is_some_and(|types| types.contains(&kind.into()));
    match schema["format"].as_str() {
        Some("uuid") => return things.id(name).into(),
        _ if name == "email" => return "somebody@example.org".into(),
        Some("date") => return "2026-06-02".into(),
        Some("date-time") => {
            return if name == "from" { "2026-06-01T12:00:00Z" } else { "2026-06-20T12:00:00Z" }.into();
        }
        _ => {}
    }
    match () {
        () if is("object") || schema.get("properties").is_some() => object(schema, things),
        () if is("array") => json!([sample(name, &schema["items"], things)]),
        () if is("string") => "text".into(),
        () if is("integer") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        () if is("number") => 1.5.into(),
        () if is("boolean") => true.into(),
        () => json!({}),
    }
}

fn object(schema: &Value, things: &Things) -> Value {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let mut object: Map<_, _> = fields.map(|(name, field)| (name.clone(), sample(name, field, things))).collect();
    if let Some(more @ Value::Object(_)) = schema.get("additionalProperties") {
        let names = &schema["propertyNames"];
        let key = names["enum"][0].as_str().or(names["example"].as_str()).unwrap_or("visitor");
        object.insert(key.into(), sample(key, more, things));
    }
    object.into()
}
