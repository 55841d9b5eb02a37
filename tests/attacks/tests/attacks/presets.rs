//! Agencies' rule books on board reports: what they show, and what they leak.

use std::path::PathBuf;

use anyhow::Result;
use attacks::{
    board::Board,
    campaign, folder,
    organisation::Organisation,
    presets::{Leak, Leaks, leaks},
};
use disclosure_control::{
    edition::Tables,
    preset::{Preset, Totals},
    release::Release,
    rule::Threshold,
};

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn half_year() -> Board {
    let [half, ..] = Board::releases(&Organisation::read(&repository("tests/attacks/data/small")).unwrap());
    half
}

#[test]
fn the_rule_of_the_mental_health_data_set_gives_the_release_that_is_in_the_corpus() -> Result<()> {
    let (manifest, tables) = folder::read(&repository("services/disclosure-control/tests/data/corpus/small-0-mhsds"))?;
    let corpus = Release::new(manifest, &tables)?;
    let Tables { truth, by } = campaign::tables(&half_year())?;
    // There, the total is rounded as well.
    let preset = Preset { totals: Totals::AsOthers, ..Preset::NHS_MHSDS };
    let ours = preset.publish(&truth, &by, &|_| 0)?.release;
    assert!(ours.cells.keys().eq(corpus.cells.keys()));
    for (name, cell) in &corpus.cells {
        let our = &ours.cells[name];
        assert_eq!((our.value, our.hidden, our.rounded_to.or(Some(5))), (cell.value, cell.hidden, Some(5)), "{name:?}");
    }
    Ok(())
}

#[test]
fn the_figures_in_the_documentation_of_the_presets_are_those_of_half_a_year_of_18_groups() -> Result<()> {
    let board = half_year();
    let of = |preset: &Preset| leaks(preset, &[&board], 0);
    let known = |leaks: &Leaks| (leaks.undone.exact, leaks.undone.narrow, leaks.protected);
    assert_eq!(known(&of(&Preset::NHS_MHSDS)?), (0, 15, 139));
    assert_eq!(known(&of(&Preset::NHS_HES)?), (0, 4, 119));
    assert_eq!(known(&of(&Preset::CMS_11)?), (36, 21, 144));
    let five = of(&Preset::rule_of(Threshold::fewer_than(5)?))?;
    assert_eq!(known(&five), (43, 22, 78));
    // As the corpus says of the same release with one mark that tells nothing.
    let [k0, k1, _] = five.levels;
    assert_eq!(k0, Leak { exact: 30, exact_small: 30, narrow: 0 });
    assert_eq!(k1, Leak { exact: 34, exact_small: 34, narrow: 17 });
    Ok(())
}
