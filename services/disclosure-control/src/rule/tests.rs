use proptest::prelude::*;

use super::*;
use crate::release::{Line, Manifest};

/// One table of people by area (two regions of two areas each) and stage, all that adds up made from inner numbers.
pub(crate) fn release(inner: [[i64; 3]; 4], zeros: &str) -> Release {
    let manifest = serde_json::json!({
        "format": 1, "threshold": 5, "zeros": zeros,
        "dimensions": {
            "area": { "codes": { "a": ["a"], "b": ["b"], "c": ["c"], "d": ["d"], "ab": ["a", "b"], "cd": ["c", "d"] } },
            "stage": { "codes": { "came": ["came"], "left": ["left"], "done": ["done"] } },
        },
        "measures": { "people": { "unit": "person" }, "better": { "unit": "person", "part_of": "people" } },
        "tables": [
            { "file": "people.csv", "dims": ["area", "stage"], "measure": "people" },
            { "file": "better.csv", "dims": ["area"], "measure": "better" },
        ],
    });
    let areas: [(&str, &[usize]); 7] =
        [(TOTAL, &[0, 1, 2, 3]), ("a", &[0]), ("b", &[1]), ("c", &[2]), ("d", &[3]), ("ab", &[0, 1]), ("cd", &[2, 3])];
    let stages: [(&str, &[usize]); 4] = [(TOTAL, &[0, 1, 2]), ("came", &[0]), ("left", &[1]), ("done", &[2])];
    let line = |codes: &[&str], value: i64| Line {
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        value: Some(f64::from(i32::try_from(value).unwrap())),
        mark: String::new(),
    };
    let sum = |rows: &[usize], columns: &[usize]| -> i64 {
        rows.iter().flat_map(|row| columns.iter().map(move |column| inner[*row][*column])).sum()
    };
    let all =
        areas.iter().flat_map(|(area, rows)| stages.iter().map(move |(stage, columns)| (area, rows, stage, columns)));
    let people = all.map(|(area, rows, stage, columns)| line(&[area, stage], sum(rows, columns))).collect();
    let better = areas.iter().map(|(area, rows)| line(&[area], sum(rows, &[2]))).collect();
    Release::new(Manifest::read(manifest.to_string().as_bytes()).unwrap(), &[people, better]).unwrap()
}

pub(crate) fn name(measure: &str, codes: &[(&str, &str)]) -> Name {
    (measure.to_owned(), codes.iter().map(|(dim, code)| ((*dim).to_owned(), (*code).to_owned())).collect())
}

/// As many members as the number says, each of a group of their own.
fn each_once(release: &Release) -> BTreeMap<Name, Contributors> {
    let count = |value: Option<i64>| u32::try_from(value.unwrap()).unwrap();
    let of = |value| Contributors { members: count(value), groups: count(value), largest: None };
    release.cells.iter().map(|(name, cell)| (name.clone(), of(cell.value))).collect()
}

fn five() -> Threshold {
    "fewer than 5".parse().unwrap()
}

#[test]
fn a_few_attendances_of_many_are_shown_and_many_of_a_few_are_not() {
    let release = release([[9, 9, 9]; 4], "public");
    let mut by = each_once(&release);
    let cell = name("people", &[("area", "a")]);
    by.insert(cell.clone(), Contributors { members: 4, groups: 9, largest: None });
    let rules = Rules {
        rules: vec![Rule::Members(five()), Rule::Groups("fewer than 3".parse().unwrap())],
        zeros: Zeros::Public,
    };
    assert_eq!(rules.broken(&release, &by), Ok([(cell.clone(), [Why::Members(five())].into())].into()));
    by.insert(cell.clone(), Contributors { members: 4, groups: 2, largest: None });
    let both = rules.broken(&release, &by).unwrap();
    let words: Vec<_> = both[&cell].iter().map(ToString::to_string).collect();
    assert_eq!(words, ["fewer than 5 people", "fewer than 3 groups"]);
}

#[test]
fn a_number_of_unknown_people_breaks_the_rule() {
    let release = release([[9, 9, 9]; 4], "public");
    let mut by = each_once(&release);
    let cell = name("people", &[("area", "c"), ("stage", "came")]);
    by.remove(&cell);
    let rules = Rules { rules: vec![Rule::Members(five())], zeros: Zeros::Public };
    assert_eq!(rules.broken(&release, &by), Ok([(cell, [Why::Unknown].into())].into()));
    let counts = Rules { rules: vec![Rule::Count(five())], zeros: Zeros::Public };
    assert_eq!(counts.broken(&release, &BTreeMap::new()), Ok(BTreeMap::new()));
}

#[test]
fn zeros_break_a_rule_only_where_they_are_hidden() {
    let release = release([[0, 9, 9], [9, 9, 9], [9, 9, 9], [9, 9, 9]], "public");
    let rules = |zeros| Rules { rules: vec![Rule::Count(five())], zeros };
    assert!(rules(Zeros::Public).broken(&release, &BTreeMap::new()).unwrap().is_empty());
    let hidden = rules(Zeros::Hidden).broken(&release, &BTreeMap::new()).unwrap();
    assert_eq!(hidden, [(name("people", &[("area", "a"), ("stage", "came")]), [Why::Zero].into())].into());
}

#[test]
fn where_all_of_an_area_left_the_row_is_not_shown() {
    let release = release([[0, 20, 0], [9, 9, 9], [9, 9, 9], [9, 9, 9]], "hidden");
    let class = Rule::Class { dimensions: ["stage".to_owned()].into(), parts: false };
    let broken = Rules { rules: vec![class], zeros: Zeros::Hidden }.broken(&release, &BTreeMap::new()).unwrap();
    let of = name("people", &[("area", "a")]);
    let at = |stage| &broken[&name("people", &[("area", "a"), ("stage", stage)])];
    assert_eq!(*at("left"), [Why::Everybody { of: of.clone() }].into());
    assert_eq!(*at("came"), [Why::Zero, Why::Nobody { of: of.clone() }].into());
    assert_eq!(broken.len(), 4, "and the zero of `better`: {broken:?}");
    assert_eq!(Why::Everybody { of }.to_string(), "it is everybody of people area=a");
}

#[test]
fn where_all_of_a_region_are_in_one_area_that_is_told_of_each_stage() {
    let release = release([[9, 9, 9], [0, 0, 0], [9, 9, 9], [9, 9, 9]], "hidden");
    let class = Rule::Class { dimensions: ["area".to_owned()].into(), parts: false };
    let broken = Rules { rules: vec![class], zeros: Zeros::Hidden }.broken(&release, &BTreeMap::new()).unwrap();
    let region = name("people", &[("area", "ab")]);
    assert!(broken[&name("people", &[("area", "a")])].contains(&Why::Everybody { of: region.clone() }));
    assert!(broken[&name("people", &[("area", "b")])].contains(&Why::Nobody { of: region }));
    assert!(!broken.contains_key(&name("people", &[("area", "c")])));
}

#[test]
fn nobody_or_everybody_of_a_part_is_not_shown() {
    let release = release([[0, 0, 12], [9, 9, 0], [9, 9, 9], [9, 9, 9]], "hidden");
    let class = Rule::Class { dimensions: BTreeSet::new(), parts: true };
    let broken = Rules { rules: vec![class], zeros: Zeros::Hidden }.broken(&release, &BTreeMap::new()).unwrap();
    let at = |area| &broken[&name("better", &[("area", area)])];
    assert!(at("a").contains(&Why::Everybody { of: name("people", &[("area", "a")]) }));
    assert!(at("b").contains(&Why::Nobody { of: name("people", &[("area", "b")]) }));
    assert!(!broken.contains_key(&name("better", &[])));
}

#[test]
fn a_rule_on_classes_with_public_zeros_is_refused() {
    let release = release([[9, 9, 9]; 4], "public");
    let class = Rule::Class { dimensions: BTreeSet::new(), parts: true };
    let rules = Rules { rules: vec![class], zeros: Zeros::Public };
    assert_eq!(rules.broken(&release, &BTreeMap::new()), Err(RuleError::ClassWithPublicZeros));
}

#[test]
fn rules_that_name_what_the_release_does_not_have_are_refused() {
    let release = release([[9, 9, 9]; 4], "hidden");
    let class = Rule::Class { dimensions: ["gender".to_owned()].into(), parts: false };
    let refused =
        |rule| Rules { rules: vec![rule], zeros: Zeros::Hidden }.broken(&release, &BTreeMap::new()).unwrap_err();
    assert_eq!(refused(class), RuleError::NoSuch { what: "dimension", name: "gender".to_owned() });
    let (percent, measures) = (Percentage(90), BTreeSet::new());
    assert_eq!(refused(Rule::Dominance { largest: 11, percent, measures }), RuleError::Largest(11));
    let measures = ["income".to_owned()].into();
    let of = RuleError::NoSuch { what: "measure", name: "income".to_owned() };
    assert_eq!(refused(Rule::Within { percent, measures }), of);
}

#[test]
fn hidden_or_rounded_numbers_are_not_judged() {
    let mut release = release([[9, 9, 9]; 4], "public");
    let rules = Rules { rules: vec![Rule::Count(five())], zeros: Zeros::Public };
    release.cells.get_mut(&name("people", &[])).unwrap().rounded_to = Some(5);
    assert_eq!(rules.broken(&release, &BTreeMap::new()), Err(RuleError::NotTrue("people total".to_owned())));
}

/// The measure `people` stands for hours here.
fn magnitude(value: i64, largest: &[i64], members: u32, rule: &Rule) -> Option<Why> {
    rule.broken("people", value, Some(&Contributors { members, groups: 9, largest: Some(largest.to_vec()) }))
}

fn dominance() -> Rule {
    Rule::Dominance { largest: 2, percent: Percentage(90), measures: ["people".to_owned()].into() }
}

fn within() -> Rule {
    Rule::Within { percent: Percentage(10), measures: ["people".to_owned()].into() }
}

#[test]
fn two_people_with_more_than_90_percent_dominate() {
    let dominated = Some(Why::Dominance { largest: 2, percent: Percentage(90) });
    assert_eq!(magnitude(100, &[60, 31, 5], 6, &dominance()), dominated);
    assert_eq!(magnitude(100, &[60, 30, 5], 6, &dominance()), None, "90 % is not more than 90 %");
    assert_eq!(magnitude(7, &[7], 1, &dominance()), dominated, "one alone");
    assert_eq!(dominance().broken("other", 7, None), None, "of the measures that it names");
}

#[test]
fn the_second_largest_can_estimate_the_largest_if_the_rest_is_small() {
    // 100 − 30 = 70 is what the second knows the others have; the largest has 60 to 70
    let estimated = Some(Why::Within { percent: Percentage(10) });
    assert_eq!(magnitude(100, &[64, 30, 6], 3, &within()), estimated, "6 of 64 is less than 10 %");
    assert_eq!(magnitude(100, &[60, 30, 6], 4, &within()), None, "10 of 60");
    assert_eq!(magnitude(100, &[100], 1, &within()), estimated);
}

#[test]
fn contributions_that_do_not_fit_are_not_believed() {
    let unknown = Some(Why::Unknown);
    for rule in [dominance(), within()] {
        assert_eq!(magnitude(100, &[30, 60], 6, &rule), unknown, "not in order");
        assert_eq!(magnitude(100, &[60], 6, &rule), unknown, "too few of them");
        assert_eq!(magnitude(100, &[90, 20], 6, &rule), unknown, "more than all");
        assert_eq!(magnitude(100, &[60, 30], 2, &rule), unknown, "less than all of them");
        assert_eq!(magnitude(100, &[60, 30], 0, &rule), unknown);
        let nobody_knows = Contributors { members: 6, groups: 1, largest: None };
        assert_eq!(rule.broken("people", 100, Some(&nobody_knows)), unknown);
        assert_eq!(rule.broken("people", 100, None), unknown);
    }
    let people = Contributors { members: 60, groups: 1, largest: None };
    assert_eq!(dominance().broken("people", 60, Some(&people)), None, "people count once each");
}

#[test]
fn rules_are_data() {
    let rules = Rules {
        rules: vec![
            Rule::Members(five()),
            Rule::Groups("≤ 2".parse().unwrap()),
            Rule::Class { dimensions: ["stage".to_owned()].into(), parts: true },
            dominance(),
        ],
        zeros: Zeros::Hidden,
    };
    let json = serde_json::to_value(&rules).unwrap();
    let expected = serde_json::json!({ "zeros": "hidden", "rules": [
        { "members": "fewer than 5" }, { "groups": "fewer than 3" },
        { "class": { "dimensions": ["stage"], "parts": true } },
        { "dominance": { "largest": 2, "percent": 90, "measures": ["people"] } },
    ] });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Rules>(json).unwrap(), rules);
    assert!(serde_json::from_str::<Percentage>("101").is_err());
}

fn inner() -> impl Strategy<Value = [[i64; 3]; 4]> {
    prop::array::uniform4(prop::array::uniform3(prop_oneof![Just(0), 0..12_i64]))
}

proptest! {
    #[test]
    fn exactly_the_small_numbers_break_a_threshold(inner in inner(), threshold in 1..12_i64, hidden: bool) {
        let release = release(inner, "public");
        let threshold = Threshold::fewer_than(threshold).unwrap();
        let zeros = if hidden { Zeros::Hidden } else { Zeros::Public };
        let by = each_once(&release);
        let broken = |rule| Rules { rules: vec![rule], zeros }.broken(&release, &by).unwrap();
        let small: Vec<_> = release.cells.iter().filter(|(_, cell)| {
            let value = cell.value.unwrap();
            threshold.is_small(value) && (value > 0 || hidden)
        }).map(|(name, _)| name).collect();
        // A zero is hidden as a zero, also where nothing else would be small.
        let zero = release.cells.iter().filter(|(_, cell)| hidden && cell.value == Some(0)).count();
        let zero_small = small.iter().filter(|name| release.cells[**name].value == Some(0)).count();
        for rule in [Rule::Count(threshold), Rule::Members(threshold), Rule::Groups(threshold)] {
            let broken = broken(rule);
            prop_assert!(small.iter().all(|name| broken.contains_key(*name)));
            prop_assert_eq!(broken.len(), small.len() + zero - zero_small);
        }
    }

    #[test]
    fn a_class_that_is_all_alike_has_nothing_to_show(inner in inner()) {
        let release = release(inner, "hidden");
        let class = Rule::Class { dimensions: ["stage".to_owned(), "area".to_owned()].into(), parts: true };
        let broken = Rules { rules: vec![class], zeros: Zeros::Hidden }.broken(&release, &BTreeMap::new()).unwrap();
        for ((measure, key), why) in &broken {
            for why in why {
                let value = release.cells[&(measure.clone(), key.clone())].value;
                match why {
                    Why::Everybody { of } => prop_assert_eq!(release.cells[of].value, value),
                    Why::Nobody { .. } | Why::Zero => prop_assert_eq!(value, Some(0)),
                    _ => prop_assert!(false, "{}", why),
                }
            }
        }
        for (at, row) in inner.iter().enumerate() {
            let total: i64 = row.iter().sum();
            let alike = total > 0 && row.contains(&total);
            let area = ["a", "b", "c", "d"][at];
            for stage in ["came", "left", "done"] {
                let why = broken.get(&name("people", &[("area", area), ("stage", stage)]));
                let of = name("people", &[("area", area)]);
                let told = why.is_some_and(|why| why.iter().any(|why| {
                    matches!(why, Why::Everybody { of: class } | Why::Nobody { of: class } if *class == of)
                }));
                prop_assert_eq!(told, alike);
            }
        }
    }

    #[test]
    fn more_people_break_no_magnitude_rule_that_fewer_did_not(
        mut parts in prop::collection::vec(1..100_i64, 1..12), one in 1..100_i64,
    ) {
        // One more who is not among the largest.
        let broken = |parts: &mut Vec<i64>, rule: &Rule| {
            parts.sort_unstable_by_key(|part| -part);
            magnitude(parts.iter().sum(), parts, u32::try_from(parts.len()).unwrap(), rule)
        };
        let before = [dominance(), within()].map(|rule| broken(&mut parts, &rule));
        let least = *parts.iter().min().unwrap();
        if parts.len() >= 2 {
            parts.push(one.min(least));
            let after = [dominance(), within()].map(|rule| broken(&mut parts, &rule));
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(before.is_some() || after.is_none());
            }
        }
    }
}
