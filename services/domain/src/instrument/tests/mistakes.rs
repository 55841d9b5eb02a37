//! What is wrong with a definition is refused, and named with the path of its field.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

fn file(name: &str) -> Value {
    let (_, json) = shipped::FILES.iter().find(|(id, _)| *id == name).unwrap();
    serde_json::from_str(json).unwrap()
}

fn load(json: &Value) -> Result<Instrument, LoadError> {
    Instrument::from_json(&json.to_string())
}

/// The paths of all that is wrong.
fn mistakes(json: &Value) -> Vec<String> {
    match load(json) {
        Ok(_) => vec![],
        Err(LoadError::Mistakes(mistakes)) => mistakes.into_iter().map(|mistake| mistake.at).collect(),
        Err(LoadError::Form(error)) => panic!("{error}"),
    }
}

fn set(json: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")) {
        Value::Object(fields) => _ = fields.insert(field.to_owned(), value),
        Value::Array(all) if field == "-" => all.push(value),
        Value::Array(all) => all[field.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
}

/// The JSON pointers of all fields of this name that hold a list.
fn fields(value: &Value, name: &str, at: &str) -> Vec<String> {
    let within = |(key, value): (String, &Value)| {
        let at = format!("{at}/{key}");
        let own = (key == name && value.is_array()).then(|| at.clone());
        own.into_iter().chain(fields(value, name, &at)).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).flat_map(within).collect(),
        Value::Array(all) => all.iter().enumerate().map(|(n, value)| (n.to_string(), value)).flat_map(within).collect(),
        _ => vec![],
    }
}

/// Ranges, bands, cut-offs, norms, reliable changes, and all else that must have a source.
#[test]
fn nothing_that_needs_a_source_loads_without_one() {
    let mut kinds = BTreeSet::new();
    for (name, _) in shipped::FILES {
        let file = file(name);
        for field in ["source", "items_source"] {
            for pointer in fields(&file, field, "") {
                let parent = pointer.strip_suffix(&format!("/{field}")).unwrap();
                let mut without = file.clone();
                without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
                let mut empty = file.clone();
                set(&mut empty, &pointer, json!([]));
                for bad in [without, empty] {
                    assert!(matches!(load(&bad), Err(LoadError::Form(_))), "{name} {pointer}");
                }
                let mut nowhere = file.clone();
                set(&mut nowhere, &pointer, json!(["nowhere"]));
                assert!(mistakes(&nowhere).iter().any(|at| at.ends_with(field)), "{name} {pointer}");
                let kind = parent.split('/').rfind(|part| part.parse::<usize>().is_err());
                kinds.insert(kind.unwrap_or_default().to_owned());
            }
        }
    }
    let all = " bands cut_offs en left_out licence loinc missing norms range reliable_change risk screens table";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), all, "these were tried, the definition itself first");
}

#[test]
fn a_source_says_what_it_is_and_when_somebody_looked() {
    for (field, value) in
        [("cite", json!("")), ("cite", Value::Null), ("checked_on", json!("yesterday")), ("basis", json!("felt"))]
    {
        let mut bad = file("wsas");
        set(&mut bad, &format!("/sources/camcops/{field}"), value);
        assert!(matches!(load(&bad), Err(LoadError::Form(_))), "{field}");
    }
}

#[test]
fn what_is_not_known_does_not_load() {
    for pointer in
        ["/caseness", "/items/0/reversed", "/scores/0/range/mean", "/norm_sets/0/bands/0/bands/0/upper", "/licence/url"]
    {
        let mut bad = file("phq-9");
        set(&mut bad, pointer, json!(1));
        let error = load(&bad).unwrap_err();
        assert!(
            matches!(&error, LoadError::Form(form) if form.to_string().contains("unknown field")),
            "{pointer}: {error:?}"
        );
    }
}

#[test]
fn a_number_with_decimals_that_is_not_text_does_not_load() {
    let mut bad = file("phq-9");
    set(&mut bad, "/reliable_change/1/threshold", json!(1.7));
    assert!(matches!(load(&bad), Err(LoadError::Form(_))));
}

#[test]
fn each_mistake_is_named_with_the_path_of_its_field() {
    let from = |id: &str, lower: i64| json!({ "id": id, "lower": lower });
    let many =
        |n: usize| json!((0..n).map(|n| json!({ "id": format!("more-{n}"), "min": 0, "max": 1 })).collect::<Vec<_>>());
    for (name, pointer, value, at) in [
        ("phq-9", "/version", json!(0), "version"),
        ("phq-9", "/title", json!({}), "title"),
        ("phq-9", "/period_days", json!(367), "period_days"),
        ("phq-9", "/items/1/id", json!("1"), "items[1].id"),
        ("phq-9", "/items/9/max", json!(0), "items[9].max"),
        ("phq-9", "/items/9/max", json!(101), "items[9].max"),
        ("bdi-ii", "/items/15/points/each", json!([0, 1, 2]), "items[15].points.each"),
        ("phq-9", "/scores/0/id", json!("sum"), "norm_sets[0].bands[0].score"),
        ("phq-9", "/scores/0/items/0", json!("10"), "scores[0].items[0]"),
        ("phq-9", "/scores/0/items/0", json!("2"), "scores[0].items[1]"),
        ("phq-9", "/scores/0/items", json!([]), "scores[0].items"),
        ("dialog", "/scores/0/items", json!([]), "scores[0].items"),
        ("phq-9", "/scores/0/factor", json!(0), "scores[0].factor"),
        ("phq-9", "/scores/0/title", json!({}), "scores[0].title"),
        ("phq-9", "/scores/0/range/min", json!(1), "scores[0].range.min"),
        ("phq-9", "/scores/0/range/max", json!(28), "scores[0].range.max"),
        ("phq-9", "/scores/0/missing/most", json!(9), "scores[0].missing.most"),
        ("phq-9", "/scores/0/missing/most", json!(0), "scores[0].missing.most"),
        ("phq-9", "/items/0/max", json!(4), "scores[0].missing.prorated"),
        ("semcd-6", "/scores/0/missing/prorated", json!(false), "scores[0].missing.prorated"),
        ("wsas", "/scores/0/left_out/items/0", json!("6"), "scores[0].left_out.items[0]"),
        ("wsas", "/scores/0/left_out/items", json!(["1", "2", "3", "4", "5"]), "scores[0].left_out.items"),
        ("wsas", "/scores/0/combine", json!("mean"), "scores[0].left_out.items"),
        ("swemwbs", "/scores/0/combine/table/values/-", json!(36), "scores[0].combine.table.values"),
        ("swemwbs", "/scores/0/combine/table/values/1", json!(6), "scores[0].combine.table.values[1]"),
        ("swemwbs", "/scores/0/factor", json!(2), "scores[0].combine.table.values"),
        ("phq-2", "/norm_sets/1/id", json!("standard"), "norm_sets[1].id"),
        ("phq-9", "/norm_sets/0/version", json!(0), "norm_sets[0].version"),
        ("phq-9", "/norm_sets/0/bands/0/score", json!("sum"), "norm_sets[0].bands[0].score"),
        ("phq-9", "/norm_sets/0/bands/0/bands/0", from("minimal", 1), "norm_sets[0].bands[0].bands[0].lower"),
        ("phq-9", "/norm_sets/0/bands/0/bands/2", from("moderate", 5), "norm_sets[0].bands[0].bands[2].lower"),
        ("phq-9", "/norm_sets/0/bands/0/bands/4", from("severe", 28), "norm_sets[0].bands[0].bands[4].lower"),
        ("phq-9", "/norm_sets/0/bands/0/bands/4", from("mild", 20), "norm_sets[0].bands[0].bands[4].id"),
        ("phq-9", "/norm_sets/0/bands/0/bands", json!([]), "norm_sets[0].bands[0].bands"),
        ("ons4", "/norm_sets/0/bands/1/score", json!("satisfied"), "norm_sets[0].bands[1].score"),
        ("phq-9", "/norm_sets/0/cut_offs/0/score", json!("sum"), "norm_sets[0].cut_offs[0].score"),
        ("phq-9", "/norm_sets/0/cut_offs/0/value", json!(28), "norm_sets[0].cut_offs[0].value"),
        ("gad-7", "/norm_sets/0/cut_offs/1/id", json!("nhs-caseness"), "norm_sets[0].cut_offs[1].id"),
        ("semcd-6", "/norm_sets/0/norms/0/mean", json!("10.01"), "norm_sets[0].norms[0].mean"),
        ("semcd-6", "/norm_sets/0/norms/0/sd", json!(0), "norm_sets[0].norms[0].sd"),
        ("semcd-6", "/norm_sets/0/norms/0/n", json!(0), "norm_sets[0].norms[0].n"),
        ("semcd-6", "/norm_sets/0/norms/0/median", json!(0), "norm_sets[0].norms[0].median"),
        ("phq-9", "/reliable_change/1/id", json!("nhs"), "reliable_change[1].id"),
        ("phq-9", "/reliable_change/0/score", json!("sum"), "reliable_change[0].score"),
        ("phq-9", "/reliable_change/0/threshold", json!(28), "reliable_change[0].threshold"),
        ("phq-9", "/reliable_change/0/threshold", json!(0), "reliable_change[0].threshold"),
        ("phq-9", "/reliable_change/2/threshold", json!(101), "reliable_change[2].threshold"),
        ("phq-9", "/reliable_change/0/compare", json!("<"), "reliable_change[0].compare"),
        ("phq-9", "/reliable_change/0/ci_level", json!(100), "reliable_change[0].ci_level"),
        ("phq-9", "/reliable_change/2/direction", json!("both"), "reliable_change[2].kind"),
        ("who-5", "/reliable_change/0/kind", json!("percent_reduction"), "reliable_change[0].kind"),
        ("phq-9", "/risk/0/items/0", json!("10"), "risk[0].items[0]"),
        ("phq-9", "/risk/0/items", json!([]), "risk[0].items"),
        ("phq-9", "/risk/0/answer", json!(0), "risk[0].answer"),
        ("phq-9", "/risk/0/answer", json!(4), "risk[0].answer"),
        ("dialog", "/screens/0/answer", json!(7), "screens[0].answer"),
        ("phq-9", "/loinc", Value::Null, "loinc"),
        ("phq-9", "/sources/other", file("phq-9")["sources"]["camcops"].clone(), "sources.other"),
        ("phq-9", "/licence/class", json!("b"), "texts"),
        ("phq-9", "/texts/en/items/10", json!({ "text": "?" }), "texts.en.items.10"),
        ("phq-9", "/texts/en/answers/0/answer", json!(4), "texts.en.answers[0].answer"),
        ("phq-9", "/texts/en/answers/0/answer", json!(1), "texts.en.answers[1].answer"),
        (
            "phq-9",
            "/texts/en/items/difficulty/answers/0/answer",
            json!(4),
            "texts.en.items.difficulty.answers[0].answer",
        ),
        ("wsas", "/items", many(101), "items"),
        ("wsas", "/scores", json!([]), "scores"),
        ("wsas", "/notes", json!(vec!["more"; 21]), "notes"),
    ] {
        let mut bad = file(name);
        set(&mut bad, pointer, value.clone());
        let found = mistakes(&bad);
        assert!(found.iter().any(|found| found == at), "{name} {pointer} {value}: {found:?}");
    }
}

#[test]
fn a_language_needs_the_words_of_every_item() {
    let mut bad = file("phq-9");
    bad["texts"]["en"]["items"].as_object_mut().unwrap().remove("3");
    assert_eq!(mistakes(&bad), ["texts.en.items"]);
}

#[test]
fn all_mistakes_are_named_at_once() {
    let mut bad = file("who-5");
    set(&mut bad, "/version", json!(0));
    set(&mut bad, "/scores/0/range/max", json!(25));
    set(&mut bad, "/screens/0/items/4", json!("6"));
    let error = load(&bad).unwrap_err();
    assert_eq!(
        error.to_string(),
        "4 mistakes in it: version: must be 1 or more; scores[0].range.max: the items reach up to 100; \
         norm_sets[0].cut_offs[0].value: must be 0 to 25, as the score is; screens[0].items[4]: there is no item `6`"
    );
}

#[test]
fn a_definition_is_the_same_after_it_was_written_and_read() {
    for instrument in SHIPPED.iter() {
        let json = serde_json::to_string(&**instrument).unwrap();
        assert_eq!(Instrument::from_json(&json).as_ref().ok(), Some(instrument), "{}", instrument.id);
    }
}
