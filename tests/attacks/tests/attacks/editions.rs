//! Editions of board reports, one after the other.

use std::{collections::BTreeMap, path::Path};

use attacks::{
    board::Board,
    campaign::{Campaign, peer_5, tables},
    organisation::Organisation,
};
use disclosure_control::{
    coarsen::{merges, propose},
    edition::{Edition, EditionError, decide},
    rule::Name,
};

fn small() -> Organisation {
    Organisation::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/small")).expect("it is in the repository")
}

fn decided(earlier: &[Edition], board: &Board) -> Result<Edition, EditionError> {
    let tables = tables(board).expect("a board report");
    let primary = peer_5().broken(&tables.truth, &tables.by).expect("rules that fit").into_keys().collect();
    decide(earlier, tables.truth, primary)
}

#[test]
fn what_an_organisation_of_chance_publishes_gives_nobody_away() {
    for (seed, groups) in [(1, 12), (2, 25), (11, 23), (3, 60)] {
        let organisation = Organisation::random(seed, groups);
        let campaign = Campaign::run(&organisation).expect("attacks come to an end");
        assert!(campaign.is_safe(), "{organisation}: {campaign:?}");
        assert!(campaign.alone.iter().all(Option::is_some), "{organisation}: each alone can be protected");
        assert!(
            campaign.releases[..2].iter().all(Option::is_some),
            "{organisation}: of the same facts both are published"
        );
    }
}

#[test]
fn an_edition_is_the_same_whenever_it_is_decided() {
    let board = &Board::releases(&small())[0];
    let [one, other] = [(); 2].map(|()| decided(&[], board).expect("it can be protected"));
    assert_eq!((one.hidden, one.certificate), (other.hidden, other.certificate));
}

#[test]
fn the_cost_of_safety_is_what_was_measured() {
    let boards = Board::releases(&small());
    let percent = |edition: &Edition| edition.hidden.len() * 1000 / edition.truth.cells.len();
    let half = decided(&[], &boards[0]).expect("it can be protected");
    assert!(percent(&half) <= 360, "H1: {}", percent(&half));
    let year = decided(&[], &boards[2]).expect("it can be protected");
    assert!(percent(&year) <= 280, "the year: {}", percent(&year));
}

#[test]
fn a_week_later_an_edition_is_held_back_for_one_erased_person() {
    let boards = Board::releases(&small());
    let year = decided(&[], &boards[2]).expect("it can be protected");
    let Err(EditionError::HeldBack { changes, waits_for, .. }) = decided(&[year], &boards[3]) else {
        panic!("one person less is one person less in each table");
    };
    assert!(!changes.is_empty() && changes.iter().all(|change| (1..5).contains(&change.by.abs())), "{changes:?}");
    assert_eq!(waits_for, 4);
}

#[test]
fn what_was_shown_stays_shown_and_what_was_hidden_stays_hidden() {
    let boards = Board::releases(&small());
    let half = decided(&[], &boards[0]).expect("it can be protected");
    let three = decided(std::slice::from_ref(&half), &boards[1]).expect("it can be protected");
    let quarter = |name: &&Name| {
        name.0 != "paired"
            && name.0 != "reliably better"
            && name.1.iter().any(|(dim, code)| dim == "quarter" && code != "Q3")
    };
    let mut both = 0;
    for name in half.truth.cells.keys().filter(quarter).filter(|name| three.truth.cells.contains_key(*name)) {
        assert_eq!(half.hidden.contains(name), three.hidden.contains(name), "{name:?}");
        both += 1;
    }
    assert!(both > 20, "{both} cells are in both");
}

#[test]
fn a_hidden_cell_that_is_not_small_tells_what_it_protects() {
    let board = &Board::releases(&small())[0];
    let edition = decided(&[], board).expect("it can be protected");
    let mut told = 0;
    for name in edition.hidden.difference(&edition.primary).take(6) {
        let protects = edition.protects(&[], name).expect("it can be asked");
        assert!(protects.iter().all(|other| edition.hidden.contains(other)), "{name:?}");
        told += usize::from(!protects.is_empty());
    }
    assert!(told >= 5, "{told} of 6 protect something");
    let small = edition.primary.first().expect("something is small");
    assert_eq!(edition.protects(&[], small), Ok(Vec::new()));
}

#[test]
fn merges_that_give_most_back_are_proposed_first() {
    let board = &Board::releases(&small())[0];
    let tables = tables(board).expect("a board report");
    let ages = ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"].map(str::to_owned).to_vec();
    let ordered = BTreeMap::from([("age_band".to_owned(), ages)]);
    let all = merges(&tables.truth, &ordered);
    let some: Vec<_> =
        all.iter().filter(|merge| merge.dimension != "stage" && merge.dimension != "age_band").cloned().collect();
    let mut told = 0;
    let proposals = propose(&tables, &peer_5(), &some, &mut |done, _| told = done).expect("rules that fit");
    assert!(told >= proposals.len() && !proposals.is_empty());
    assert!(proposals.windows(2).all(|two| two[0].cost() <= two[1].cost()));
    let before = decided(&[], board).expect("it can be protected").hidden.len();
    assert!(proposals[0].hidden < before, "{} of {before}: {:?}", proposals[0].hidden, proposals[0].merges);
}
