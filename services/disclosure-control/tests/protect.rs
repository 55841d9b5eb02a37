use disclosure_control::{Problem, problem::ProblemFile, protect::{protect, Openness}};
#[test]
fn optimum_tables_are_protected_in_full() {
    let dir = "/work/shared/data/optimum";
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let (mut cells, mut best) = (0, 0);
    for path in names.iter() {
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let threshold = json["threshold"].as_i64().unwrap();
        let fewest = json["optimum"]["fewest_cells"].as_u64().unwrap();
        let file: ProblemFile = serde_json::from_value(json).unwrap();
        let problem = Problem::try_from(file).unwrap();
        let begun = std::time::Instant::now();
        let r = protect(&problem, Openness::full(threshold));
        match r {
            Ok(p) => { cells += p.secondary.len(); best += fewest; eprintln!("{:?} cells {} primary {} secondary {} fewest {} rounds {} {:?}", path.file_name().unwrap(), problem.cells.len(), problem.primary.len(), p.secondary.len(), fewest, p.rounds, begun.elapsed()) }
            Err(e) => eprintln!("{:?} {e} {:?}", path.file_name().unwrap(), begun.elapsed()),
        }
    }
    eprintln!("{cells} {best}");
}
