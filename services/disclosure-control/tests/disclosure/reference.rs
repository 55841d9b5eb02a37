//! Suppressed sets equal the reference implementation's.
use disclosure_control::{Problem, Singletons, problem::ProblemFile, suppress};
use std::collections::BTreeSet;

#[derive(serde::Deserialize)]
struct Fixture {
    #[serde(flatten)]
    problem: ProblemFile,
    secondary_without_singletons: BTreeSet<usize>,
    secondary_with_singletons: BTreeSet<usize>,
}

fn fixture(name: &str) -> Fixture {
    let path = format!("{}/tests/data/disclosure/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect(&path)
}

#[test]
fn suppressed_sets_equal_those_of_the_reference() {
    for name in ["example1-2014", "z1-max3", "z1-max5", "z2-max3", "z2-max3-public-zeros"] {
        let fixture = fixture(name);
        let problem = Problem::try_from(fixture.problem).expect(name);
        let without = suppress(&problem, Singletons::Ignored).expect(name);
        assert_eq!(without.secondary, fixture.secondary_without_singletons, "{name} without singletons");
        let with = suppress(&problem, Singletons::Handled).expect(name);
        assert_eq!(with.secondary, fixture.secondary_with_singletons, "{name} with singletons");
    }
}
