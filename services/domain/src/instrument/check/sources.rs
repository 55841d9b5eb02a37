//! Every source that is named is there, and every one that is there is named.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Mistakes, no};
use crate::instrument::{definition::SOURCES_MAX, names::Id, texts::Source};

/// The fields that name sources.
const FIELDS: [&str; 2] = ["source", "items_source"];

pub(super) fn check(file: &impl Serialize, sources: &BTreeMap<Id, Source>, mistakes: &mut Mistakes) {
    mistakes.length(sources.len(), 1, SOURCES_MAX, "sources");
    let mut named = vec![];
    find(&serde_json::to_value(file).expect("its keys are strings"), "", &mut named);
    for (at, id) in &named {
        mistakes.unless(sources.contains_key(id.as_str()), at, no("source", id));
    }
    let named: BTreeSet<&str> = named.iter().map(|(_, id)| id.as_str()).collect();
    for id in sources.keys().filter(|id| !named.contains(id.as_str())) {
        mistakes.unless(false, format_args!("sources.{id}"), "nothing is from there");
    }
}

/// Each source that is named anywhere, with the path of the field.
fn find(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                match field {
                    Value::Array(ids) if FIELDS.contains(&name.as_str()) => {
                        found.extend(ids.iter().filter_map(Value::as_str).map(|id| (at.clone(), id.to_owned())));
                    }
                    other => find(other, &at, found),
                }
            }
        }
        Value::Array(all) => all.iter().enumerate().for_each(|(n, one)| find(one, &format!("{at}[{n}]"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
