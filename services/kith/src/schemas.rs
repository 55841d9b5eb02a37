//! `kith schemas`: what others build on, generated from the code and committed, so that a change shows in review.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use domain::AnyEvent;
use serde_json::{Value, json};

/// Every generated file, by its path in the folder of schemas.
///
/// # Errors
/// If the document of the API cannot be made.
pub fn generate() -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let scratch = tempfile::tempdir()?;
    let openapi = crate::serve::document(scratch.path())?;
    let mut files = BTreeMap::from([
        (PathBuf::from("openapi.json"), openapi.to_pretty_json()? + "\n"),
        (PathBuf::from("asyncapi.yaml"), serde_norway::to_string(&asyncapi())?),
        (PathBuf::from("authority.md"), authority()),
    ]);
    for (_, event_type) in AnyEvent::types() {
        let mut schema = (event_type.schema)();
        schema.insert("$id".into(), format!("/schemas/events/{}.v{}.json", event_type.name, event_type.version).into());
        let file = format!("events/{}.v{}.json", event_type.name, event_type.version);
        files.insert(file.into(), serde_json::to_string_pretty(&schema)? + "\n");
    }
    Ok(files)
}

/// Writes them into `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("events"))?;
    for (file, text) in generate()? {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Role by operation, for people.
fn authority() -> String {
    let line = |first: &str, cells: &[&str]| format!("| {first} | {} |\n", cells.join(" | "));
    let operation = |(operation, allowed): &(&str, &[web::Role])| {
        let cells = web::Role::ALL.map(|role| if allowed.contains(&role) { "yes" } else { "" });
        line(&format!("`{operation}`"), &cells)
    };
    let lines: String = [
        "# Who may do what\n\nGenerated from `services/web/src/authority.rs`. ".to_owned(),
        "Facilitators reach their own groups only, members themselves only.\n\n".to_owned(),
        line("operation", &web::Role::ALL.map(web::Role::as_str)),
        line("---", &web::Role::ALL.map(|_| "---")),
    ]
    .concat();
    lines + &web::TABLE.iter().map(operation).collect::<Vec<_>>().concat()
}

/// AsyncAPI 3.0: what is published on NATS.
fn asyncapi() -> Value {
    let types = AnyEvent::types();
    let name = |event: &domain::EventType| event.name.replace('.', "_");
    let messages: serde_json::Map<_, _> = types
        .iter()
        .map(|(category, event)| {
            let schema = format!("events/{}.v{}.json", event.name, event.version);
            let message = json!({
                "name": event.name,
                "summary": format!("Of a {category}"),
                "contentType": "application/json",
                "headers": { "$ref": "#/components/schemas/headers" },
                "payload": { "schemaFormat": "application/schema+json;version=draft-2020-12", "schema": { "$ref": schema } },
            });
            (name(event), message)
        })
        .collect();
    let channels: serde_json::Map<_, _> = types
        .iter()
        .map(|(_, event)| {
            let channel = json!({
                "address": format!("kith.{{org}}.{}", event.name),
                "parameters": { "org": { "description": "The organisation's id" } },
                "messages": { name(event): { "$ref": format!("#/components/messages/{}", name(event)) } },
            });
            (name(event), channel)
        })
        .collect();
    let operations: serde_json::Map<_, _> = types
        .iter()
        .map(|(_, event)| {
            let channel = format!("#/channels/{}", name(event));
            (format!("publish_{}", name(event)), json!({ "action": "send", "channel": { "$ref": channel } }))
        })
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kith events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "CloudEvents 1.0, binary mode, in the JetStream stream KITH, in the order of the event log. \
                The stream is a copy: it can be wiped and is filled again.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": { "headers": headers() } },
    })
}

fn headers() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "properties": {
            "ce-specversion": { "type": "string", "const": "1.0" },
            "ce-id": text("The event's id (UUID); also Nats-Msg-Id"),
            "ce-type": text("noun.verb"),
            "ce-source": text("URI reference of the thing"),
            "ce-subject": text("The stream's name"),
            "ce-time": text("When it was recorded (RFC 3339)"),
            "ce-dataschema": text("URI reference of the data's JSON Schema, with its version"),
            "kith-position": text("Position in the event log; only grows"),
            "kith-previous": text("Position of the event published before; another one than the last seen means a gap"),
        },
        "required": ["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-dataschema", "kith-position", "kith-previous"],
    })
}
