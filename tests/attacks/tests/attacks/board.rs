//! The tables of a board report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use attacks::{
    board::{Board, Counted, Dim, Place},
    folder,
    organisation::{Attendance, Code, Codes, GroupIndex, Member, MemberId, Month, Organisation, State},
};
use disclosure_control::release::{Line, Measure, TOTAL};

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(path)
}

fn small() -> Organisation {
    Organisation::read(&data("small")).unwrap()
}

/// Cell by cell, so that a failure names the cell and not two tables.
fn assert_equals(board: &Board, truth: &str) {
    let (manifest, tables) = folder::read(&data(truth)).unwrap();
    assert_eq!(board.manifest, manifest, "{truth}");
    let lines = board.lines();
    assert_eq!(lines.len(), tables.len(), "{truth}");
    for (table, (ours, theirs)) in manifest.tables.iter().zip(lines.iter().zip(&tables)) {
        assert_eq!(ours.len(), theirs.len(), "{truth}: {}", table.file);
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert_eq!(ours, theirs, "{truth}: {}", table.file);
        }
    }
}

#[test]
fn the_four_releases_of_the_small_organisation_are_the_known_ones() {
    for board in Board::releases(&small()) {
        assert_equals(&board, &format!("small-truth/{}", board.manifest.release));
    }
}

#[test]
fn the_year_of_the_large_organisation_is_the_known_one() {
    let codes = Codes::read(&data("large")).unwrap();
    let state = State::read(&data("large/state-2"), &codes).unwrap();
    assert_equals(&Board::new("release-2", &codes, &state, 4), "large-truth/release-2");
}

#[test]
fn a_written_release_has_the_same_bytes_as_the_known_one_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    for board in Board::releases(&small()) {
        let (written, known) = (folder.path().join(&board.manifest.release), data("small-truth"));
        board.write(&written).unwrap();
        for table in &board.manifest.tables {
            let known = fs::read(known.join(&board.manifest.release).join(&table.file)).unwrap();
            assert!(fs::read(written.join(&table.file)).unwrap() == known, "{}", table.file);
        }
        assert_eq!(folder::read(&written).unwrap(), (board.manifest.clone(), board.lines()));
    }
}

#[test]
fn what_is_hidden_or_marked_in_a_release_is_so_when_it_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let [board, ..] = Board::releases(&small());
    let mut lines = board.lines();
    lines[0][3] = Line { value: None, mark: "<5".to_owned(), ..lines[0][3].clone() };
    lines[1][4].value = None;
    lines[2][5].value = Some(12.5);
    folder::write(folder.path(), &board.manifest, &lines).unwrap();
    assert_eq!(folder::read(folder.path()).unwrap().1, lines);
}

/// The slow way: each cell asks all units.
fn recounted(organisation: &Organisation, board: &Board, number: usize, cell: &Counted) -> Counted {
    let table = &board.manifest.tables[number];
    let units = board.units.iter().find(|(count, _)| Some(count.name()) == table.measure.as_deref()).unwrap().1;
    let dims = table.dims.iter().map(|name| *Dim::ALL.iter().find(|dim| dim.name() == name).unwrap());
    let wanted: Vec<_> = dims.zip(&cell.codes).filter(|(_, code)| *code != TOTAL).collect();
    let fits = |place: &&Place| {
        wanted.iter().all(|(dim, code)| {
            let finest = name(&organisation.codes, *dim, place.codes[*dim as usize].unwrap());
            board.manifest.dimensions[dim.name()].codes[*code].contains(&finest)
        })
    };
    let (mut value, mut members, mut groups) = (0, BTreeSet::new(), BTreeSet::new());
    for unit in units {
        let places: Vec<_> = unit.places.iter().filter(fits).collect();
        if !places.is_empty() {
            value += unit.weight;
            members.insert(unit.member);
            groups.extend(places.iter().filter_map(|place| place.group));
        }
    }
    let [members, groups] = [members.len(), groups.len()].map(|number| u32::try_from(number).unwrap());
    Counted { codes: cell.codes.clone(), value, members, groups }
}

fn name(codes: &Codes, dim: Dim, code: Code) -> String {
    let code = usize::from(code);
    match dim {
        Dim::Quarter => format!("Q{}", code + 1),
        Dim::Programme => codes.programmes[code].clone(),
        Dim::Area => codes.areas().nth(code).unwrap().clone(),
        Dim::AgeBand => codes.age_bands[code].clone(),
        Dim::Gender => codes.genders[code].clone(),
        Dim::Stage => codes.stages[code].clone(),
    }
}

#[test]
fn the_numbers_of_members_and_groups_behind_a_count_are_those_of_a_slow_recount() {
    let organisation = Organisation::random(5, 12);
    for board in Board::releases(&organisation) {
        for (number, cells) in board.tables.iter().enumerate() {
            for cell in cells {
                assert_eq!(*cell, recounted(&organisation, &board, number, cell), "{organisation}");
            }
        }
    }
}

#[test]
fn a_person_of_two_quarters_and_a_group_of_each_is_one_person_and_two_groups() {
    let codes = small().codes;
    let [carers, mood]: [GroupIndex; 2] = [0, 3];
    let attendance = |group, month| Attendance { member: MemberId(1), group, month: Month(month), sessions: 3 };
    let state = State {
        members: vec![Member {
            id: MemberId(1),
            group: carers,
            programme: codes.groups[0].programme,
            area: 0,
            age_band: 0,
            gender: 0,
            joined: Month(-2),
            baseline: Some(20),
            last: Some(14),
        }],
        attendance: vec![attendance(carers, 0), attendance(carers, 1), attendance(mood, 3)],
        referrals: vec![],
    };
    let board = Board::new("one person", &codes, &state, 2);
    let cell = |table: usize, codes: &[&str]| {
        let cell = board.tables[table].iter().find(|cell| cell.codes == codes).unwrap();
        (cell.value, cell.members, cell.groups)
    };
    assert_eq!(cell(0, &[TOTAL, TOTAL]), (1, 1, 2));
    assert_eq!(cell(0, &["Q1", "Carers"]), (1, 1, 1));
    assert_eq!(cell(0, &["Q2", "Carers"]), (0, 0, 0), "only codes of the same session");
    assert_eq!(cell(5, &[TOTAL, TOTAL]), (9, 1, 2), "attendances");
    assert_eq!(cell(7, &[TOTAL, TOTAL]), (0, 0, 0), "joined before the year");
    assert_eq!(cell(11, &["Carers"]), (1, 1, 1), "better, counted with the own group");
    assert_eq!(board.percents[0].value, Some(100.0));
    assert_eq!(board.percents[4].value, None, "nobody in Mood");
}

#[test]
fn totals_of_twenty_organisations_fit_their_parts() {
    for seed in 0..20 {
        let organisation = Organisation::random(seed, 12 + 48 * u16::try_from(seed).unwrap() / 19);
        for board in Board::releases(&organisation) {
            for (table, cells) in board.manifest.tables.iter().zip(&board.tables) {
                let measure = &board.manifest.measures[table.measure.as_ref().unwrap()];
                let of = format!("{organisation}, {}, {}", board.manifest.release, table.file);
                for place in 0..table.dims.len() {
                    assert_sane(&board, &table.dims[place], place, measure, cells, &of);
                }
            }
        }
    }
}

/// The total, and each code that has parts, against the finest codes under it, along one dimension.
fn assert_sane(board: &Board, dim: &String, place: usize, measure: &Measure, cells: &[Counted], of: &str) {
    let values: BTreeMap<_, _> = cells.iter().map(|cell| (&cell.codes, cell.value)).collect();
    let parts = &board.manifest.dimensions[dim].codes;
    let all: Vec<_> =
        parts.iter().filter(|(code, finest)| finest[..] == [(*code).clone()]).map(|(code, _)| code.clone()).collect();
    for cell in cells {
        let finest = if cell.codes[place] == TOTAL { &all } else { &parts[&cell.codes[place]] };
        let part = |code: &String| {
            let mut codes = cell.codes.clone();
            codes[place].clone_from(code);
            values[&codes]
        };
        let (most, sum) = (finest.iter().map(part).max().unwrap(), finest.iter().map(part).sum());
        let whole = cell.value;
        if measure.overlapping.contains(dim) {
            assert!(most <= whole && whole <= sum, "{most} <= {whole} <= {sum}: {of}, {:?}", cell.codes);
        } else {
            assert_eq!(whole, sum, "{of}, {:?}", cell.codes);
        }
    }
}

#[test]
fn small_numbers_have_few_members_and_groups_behind_them() {
    for board in Board::releases(&Organisation::random(3, 40)) {
        for (table, cells) in board.manifest.tables.iter().zip(&board.tables) {
            for cell in cells {
                let of = format!("{} {cell:?}", table.file);
                assert!(i64::from(cell.members) <= cell.value, "{of}");
                assert_eq!(cell.members > 0, cell.value > 0, "{of}");
                let unit = &board.manifest.measures[table.measure.as_ref().unwrap()].unit;
                assert!(unit != "person" || i64::from(cell.members) == cell.value, "{of}");
            }
        }
    }
}

#[test]
fn both_tables_of_a_measure_have_the_same_total() {
    for board in Board::releases(&Organisation::random(4, 30)) {
        let mut totals: BTreeMap<_, i64> = BTreeMap::new();
        for (table, cells) in board.manifest.tables.iter().zip(&board.tables) {
            let total = *totals.entry(table.measure.as_deref().unwrap()).or_insert(cells[0].value);
            assert_eq!(cells[0].value, total, "{}", table.file);
            assert!(cells[0].codes.iter().all(|code| code == TOTAL));
        }
        assert!(totals["people"] >= totals["paired"] && totals["paired"] >= totals["reliably better"]);
        assert!(totals["people"] >= totals["new people"] && totals["attendances"] >= totals["people"]);
    }
}
