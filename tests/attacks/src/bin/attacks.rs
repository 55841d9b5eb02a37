//! wip
use std::{collections::BTreeMap, path::Path, time::Instant};
use attacks::{board::Board, organisation::Organisation};
use disclosure_control::{edition::{Edition, decide}, release::Release, attack::attack};

#[derive(Clone,Copy)]
struct Contributors { members: u32, #[allow(dead_code)] groups: u32 }
fn input(board: &Board) -> (Release, BTreeMap<(String, Vec<(String, String)>), Contributors>) {
    let truth = Release::new(board.manifest.clone(), &board.lines()).unwrap();
    let mut by = BTreeMap::new();
    for (table, counted) in board.manifest.tables.iter().zip(&board.tables) {
        let Some(measure) = &table.measure else { continue };
        for c in counted {
            let mut key: Vec<(String, String)> = table.dims.iter().cloned().zip(c.codes.iter().cloned()).filter(|(_, c)| c != "Total").collect();
            key.sort();
            by.insert((measure.clone(), key), Contributors { members: c.members, groups: c.groups });
        }
    }
    (truth, by)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let organisation = match args[0].parse::<u64>() {
        Ok(seed) => Organisation::random(seed, args[1].parse().unwrap()),
        Err(_) => Organisation::read(Path::new(&args[0])).unwrap(),
    };
    println!("{organisation}");
    let boards = Board::releases(&organisation);
    let check = args.iter().any(|a| a == "--attack");
    let mut show = |name: &str, earlier: &[Edition], board: &Board| {
        let (truth, by) = input(board);
        let begun = Instant::now();
        let primary = truth.cells.iter().filter(|(n, c)| c.value.unwrap() > 0 && by[*n].members < 5).map(|(n, _)| n.clone()).collect();
        match decide(earlier, truth, primary) {
            Ok(edition) => {
                let t = begun.elapsed();
                // distinct cells, those that are not zero
                let cells = edition.truth.cells.len();
                let shown_value: i64 = edition.truth.cells.iter().filter(|(n, _)| !edition.hidden.contains(*n)).map(|(_, c)| c.value.unwrap()).sum();
                let value: i64 = edition.truth.cells.values().map(|c| c.value.unwrap()).sum();
                println!("{name}: {cells} cells, primary {}, hidden {} = {:.1} %, value shown {:.1} %, rounds {}, {t:?}", edition.primary.len(), edition.hidden.len(), 100.0 * edition.hidden.len() as f64 / cells as f64, 100.0 * shown_value as f64 / value as f64, edition.certificate.rounds);
                if check {
                    let f = attack(&[edition.published()], 2).unwrap();
                    println!("   span {} K0 {}/{} {:?} K1 {}/{} {:?} {:?}", f.span.len(), f.k0.exact, f.k0.narrow, f.k0.min_width, f.k1.exact, f.k1.narrow, f.k1.min_width, f.k1.narrow_cells);
                    if !earlier.is_empty() {
                        let all: Vec<Release> = earlier.iter().chain([&edition]).enumerate().map(|(i, e)| e.published().apart(i)).collect();
                        let f = attack(&all, 2).unwrap();
                        println!("   together: span {} K0 {}/{} K1 {}/{} {:?}", f.span.len(), f.k0.exact, f.k0.narrow, f.k1.exact, f.k1.narrow, f.k1.min_width);
                    }
                }
                Some(edition)
            }
            Err(error) => { println!("{name}: {error} {:?}", begun.elapsed()); None }
        }
    };
    let h1 = show("H1", &[], &boards[0]);
    show("Q1-Q3 alone", &[], &boards[1]);
    if args.iter().any(|a| a == "--ledger") && let Some(h1) = h1 { show("Q1-Q3 with ledger", &[h1], &boards[1]); }
    let year = show("year", &[], &boards[2]);
    if let Some(year) = year { show("a week later", &[year], &boards[3]); }
}
