//! Editions of board reports, one after the other.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use attacks::{
    board::Board,
    campaign::{Campaign, Outcome, peer_5, tables},
    organisation::{GROUPS_MIN, Organisation},
};
use disclosure_control::{
    attack::attack,
    coarsen::{merges, propose},
    edition::{Edition, EditionError, decide},
    release::Zeros,
    rule::{Name, Rule, Rules, Threshold},
};

fn small() -> Organisation {
    Organisation::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/small")).expect("it is in the repository")
}

fn decided(earlier: &[Edition], board: &Board) -> Result<Edition, EditionError> {
    decide(earlier, tables(board).expect("a board report"), &peer_5())
}

/// One of each size from the smallest on.
const ORGANISATIONS: u64 = 49;

#[test]
fn what_organisations_of_chance_publish_gives_nobody_away() {
    let next = AtomicU64::new(0);
    let campaigns = || {
        let seeds =
            std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < ORGANISATIONS));
        let run = |seed| {
            let organisation = Organisation::random(seed, GROUPS_MIN + u16::try_from(seed).expect("few groups"));
            let campaign = Campaign::run(&organisation).expect("attacks come to an end");
            assert!(campaign.is_safe(), "{organisation}: {campaign:?}");
            let alone = campaign.alone.iter().flatten().count();
            println!(
                "{organisation}: {alone} of 4 alone, {} of 2 of the same facts",
                published(&campaign.releases[..2])
            );
            (alone, published(&campaign.releases[..2]))
        };
        seeds.map(run).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let of_both = thread::scope(|scope| {
        let both = [scope.spawn(campaigns), scope.spawn(campaigns)];
        both.map(|of| of.join().expect("no attack found anything"))
    });
    let (alone, beside) = (of_both[0].0 + of_both[1].0, of_both[0].1 + of_both[1].1);
    // Whoever holds everything back is safe as well.
    assert_eq!((alone as u64, beside as u64), (4 * ORGANISATIONS, 2 * ORGANISATIONS), "all can be published");
}

fn published(releases: &[Option<Outcome>]) -> usize {
    releases.iter().flatten().count()
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
fn small_is_what_the_rules_say_and_rules_that_hide_zeros_are_refused() {
    let tables = tables(&Board::releases(&small())[0]).expect("a board report");
    let mut rules = Rules { rules: vec![Rule::Members(Threshold::fewer_than(10).expect("a threshold"))], ..peer_5() };
    let edition = decide(&[], tables.clone(), &rules).expect("it can be protected");
    assert_eq!((edition.certificate.threshold, tables.truth.manifest.threshold), (10, 5));
    let found = attack(&[edition.published()], 2).expect("it comes to an end");
    assert_eq!((found.span.len(), found.k2.exact, found.k2.narrow), (0, 0, 0));
    rules.zeros = Zeros::Hidden;
    assert_eq!(decide(&[], tables, &rules).err(), Some(EditionError::ZerosHidden));
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
