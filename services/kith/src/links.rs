//! Links of the API's document: which operation wants to know what an answer says.
//!
//! Nothing here knows an operation. An answer that names a thing (the `id` of what `POST /v1/groups` made, the `member`
//! of an enrolment, the first row of a list) leads to those whose path asks for it; a command leads to the reads of
//! what it was about. After a command, a read is told the position from which the effect can be seen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use utoipa::openapi::{
    OpenApi, RefOr,
    link::Link,
    path::{Operation, PathItem},
};

/// Adds them to every answer that goes well.
pub(crate) fn add(document: &mut OpenApi) {
    let Ok(written) = serde_json::to_value(&*document) else { return };
    let all = operations(&written);
    let things: BTreeSet<_> = all.iter().flat_map(|operation| operation.needs.iter().copied()).collect();
    for from in &all {
        for (status, says) in answers(&written, from, &things) {
            let links = all.iter().filter_map(|to| Some((to.id, link(from, &says, to)?)));
            let operation = document.paths.paths.get_mut(from.path).and_then(|item| operation(item, from.method));
            let response = operation.and_then(|operation| operation.responses.responses.get_mut(status));
            if let Some(RefOr::T(response)) = response {
                response.links.extend(links.map(|(name, link)| (name.to_owned(), link.into())));
            }
        }
    }
}

/// An operation as the document has it.
struct Written<'a> {
    path: &'a str,
    method: &'a str,
    id: &'a str,
    /// Things named in its path.
    needs: BTreeSet<&'a str>,
    responses: &'a Value,
}

impl Written<'_> {
    fn reads(&self) -> bool {
        self.method == "get"
    }
}

fn operations(document: &Value) -> Vec<Written<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let methods = paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
    });
    let written = methods.filter_map(|(path, method, operation)| {
        let (id, responses) = (operation["operationId"].as_str()?, &operation["responses"]);
        Some(Written { path, method, id, needs: placeholders(path), responses })
    });
    written.collect()
}

/// `group` and `member` of `/v1/groups/{group}/enrolments/{member}/withdrawal`.
fn placeholders(path: &str) -> BTreeSet<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// Where in an answer which thing is named, by its name in paths.
type Says<'a> = BTreeMap<&'a str, String>;

/// What each answer of an operation says that goes well; those with a body that is no JSON say nothing.
fn answers<'a>(document: &'a Value, from: &Written<'a>, things: &BTreeSet<&'a str>) -> Vec<(&'a str, Says<'a>)> {
    let responses = from.responses.as_object().into_iter().flatten();
    let well = responses.filter(|(status, _)| status.starts_with('2'));
    well.map(|(status, response)| {
        let body = resolved(document, &response["content"]["application/json"]["schema"]);
        let rows = resolved(document, &resolved(document, &body["properties"]["items"])["items"]);
        let mut says = named(document, rows, "/items/0", from.path, things);
        says.extend(named(document, body, "", from.path, things));
        says.retain(|thing, _| !from.needs.contains(thing));
        (status.as_str(), says)
    })
    .collect()
}

/// The things that an object's properties name: `id` is what the path ends with, other names speak for themselves.
fn named<'a>(document: &Value, object: &'a Value, at: &str, path: &str, things: &BTreeSet<&'a str>) -> Says<'a> {
    let own = path.rsplit('/').next().and_then(|last| last.strip_suffix('s')).unwrap_or_default();
    let properties = object["properties"].as_object().into_iter().flatten();
    let ids = properties.filter(|(_, schema)| resolved(document, schema)["format"] == "uuid");
    ids.filter_map(|(name, _)| {
        let thing = things.get(if name == "id" { own } else { name.as_str() })?;
        Some((*thing, format!("$response.body#{at}/{name}")))
    })
    .collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// The link, if one leads there: everything that `to` needs is known, and it is about something new, or it reads what
/// was just changed.
fn link(from: &Written, says: &Says, to: &Written) -> Option<Link> {
    let asked = |thing: &&str| from.needs.contains(*thing).then(|| format!("$request.path.{thing}"));
    let known =
        |thing: &&str| says.get(*thing).cloned().or_else(|| asked(thing)).map(|from| ((*thing).to_owned(), from));
    let new = to.needs.iter().any(|thing| says.contains_key(thing));
    let seen = !from.reads() && to.reads();
    if to.needs.is_empty() || from.id == to.id || !(new || seen) {
        return None;
    }
    let mut parameters = to.needs.iter().map(known).collect::<Option<BTreeMap<_, _>>>()?;
    if seen {
        parameters.insert("Kith-After".into(), "$response.header.Kith-Position".into());
    }
    let link = Link::builder().operation_id(to.id);
    Some(parameters.into_iter().fold(link, |link, (name, from)| link.parameter(name, from)).build())
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "get" => item.get.as_mut(),
        "put" => item.put.as_mut(),
        "post" => item.post.as_mut(),
        "patch" => item.patch.as_mut(),
        "delete" => item.delete.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: &str, body: &Value) -> Value {
        json!({ status: { "description": "well", "content": { "application/json": { "schema": body } } } })
    }

    /// Links by operation and target: where each parameter comes from.
    fn links(operations: &Value) -> BTreeMap<String, Value> {
        let id = json!({ "type": "string", "format": "uuid" });
        let components = json!({ "schemas": { "Id": id } });
        let document = json!({ "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": operations,
            "components": components });
        let mut document: OpenApi = serde_json::from_value(document).unwrap();
        add(&mut document);
        let document = serde_json::to_value(document).unwrap();
        let mut found = BTreeMap::new();
        for from in super::operations(&document) {
            for response in from.responses.as_object().unwrap().values() {
                for (to, link) in response["links"].as_object().into_iter().flatten() {
                    found.insert(format!("{} -> {to}", from.id), link["parameters"].clone());
                }
            }
        }
        found
    }

    #[test]
    fn what_was_made_or_listed_leads_to_those_who_ask_for_it_and_a_command_to_what_shows_it() {
        let id = json!({ "$ref": "#/components/schemas/Id" });
        let made = json!({ "type": "object", "properties": { "id": id } });
        let row = json!({ "type": "object", "properties": { "id": id, "name": { "type": "string" } } });
        let page = json!({ "type": "object", "properties": { "items": { "type": "array", "items": row } } });
        let member = json!({ "type": "object", "properties": { "member": id } });
        let nothing = json!({ "204": { "description": "done" } });
        let links = links(&json!({
            "/v1/groups": {
                "post": { "operationId": "register", "responses": answer("201", &made) },
                "get": { "operationId": "list", "responses": answer("200", &page) },
            },
            "/v1/groups/{group}": {
                "get": { "operationId": "show", "responses": answer("200", &row) },
                "put": { "operationId": "change", "responses": nothing },
            },
            "/v1/groups/{group}/members": { "post": { "operationId": "enrol", "responses": answer("201", &member) } },
            "/v1/groups/{group}/members/{member}": { "delete": { "operationId": "withdraw", "responses": nothing } },
        }));
        let (made, row, same) = ("$response.body#/id", "$response.body#/items/0/id", "$request.path.group");
        let seen = "$response.header.Kith-Position";
        let expected = [
            ("register -> show", json!({ "group": made, "Kith-After": seen })),
            ("register -> change", json!({ "group": made })),
            ("register -> enrol", json!({ "group": made })),
            ("list -> show", json!({ "group": row })),
            ("list -> change", json!({ "group": row })),
            ("list -> enrol", json!({ "group": row })),
            ("change -> show", json!({ "group": same, "Kith-After": seen })),
            ("enrol -> show", json!({ "group": same, "Kith-After": seen })),
            ("enrol -> withdraw", json!({ "group": same, "member": "$response.body#/member" })),
            ("withdraw -> show", json!({ "group": same, "Kith-After": seen })),
        ];
        assert_eq!(links, expected.map(|(name, parameters)| (name.to_owned(), parameters)).into());
    }
}
