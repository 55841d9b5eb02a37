//! What an attack found, in plain words.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
};

use disclosure_control::{
    attack::{Cited, Differences, Exact, Findings, Found, How, Narrow, Term},
    audit::Level,
};

use super::{Entry, Report};

/// The most lines of a list; `--json` has all.
const LINES_MAX: usize = 40;
/// The most numbers of a sum that is written out, a count; `--json` has all.
const TERMS_MAX: usize = 12;

/// Everything that was found.
pub(super) fn report(Report(entries): &Report) -> Result<String, fmt::Error> {
    let mut said = String::new();
    for (name, Entry { findings, differences, .. }) in entries {
        if let Some(findings) = findings {
            of_one(&mut said, name, findings)?;
        }
        differences.iter().try_for_each(|differences| of_two(&mut said, differences))?;
    }
    Ok(said)
}

fn of_one(said: &mut String, name: &str, findings: &Findings) -> fmt::Result {
    let Findings { cells, hidden, span, how, .. } = findings;
    writeln!(said, "{name}: {cells} numbers, {hidden} of them hidden")?;
    if !span.is_empty() {
        writeln!(
            said,
            "  worked out by adding and taking away shown numbers (shown zeros are left out): {}",
            span.len()
        )?;
        lines(said, how.iter().map(sum))?;
        if how.is_empty() {
            lines(said, span.iter().cloned())?;
        }
    }
    let mut told: BTreeSet<Cited> = how.iter().map(|how| how.cell.clone()).collect();
    let mut before = None;
    for (level, found) in findings.levels() {
        if before == Some(found) {
            writeln!(said, "  {}: no more than that", knowledge(level))?;
            continue;
        }
        at_level(said, level, found, &told)?;
        told.extend(found.exact_cells.iter().map(|exact| exact.cell.clone()));
        before = Some(found);
    }
    let (exact, narrow) = (findings.k2.exact.max(span.len()), findings.k2.narrow);
    let undecided = findings.levels().iter().any(|(_, found)| !found.undecided_cells.is_empty());
    match (findings.is_safe(), undecided && exact == 0 && narrow == 0) {
        (true, _) => writeln!(said, "  SAFE: no hidden number is known exactly or nearly"),
        (_, true) => writeln!(said, "  NOT PROVEN SAFE: limits were reached"),
        _ => writeln!(said, "  NOT SAFE: of {hidden} hidden numbers, {exact} can be known exactly and {narrow} nearly"),
    }
}

fn at_level(said: &mut String, level: Level, found: &Found, told: &BTreeSet<Cited>) -> fmt::Result {
    let Found { exact, exact_small, narrow, min_width, exact_cells, narrow_cells, undecided_cells } = found;
    let narrowest = match min_width {
        Some(0) | None => String::new(),
        Some(width) => format!("; of each at least {} numbers are possible", width + 1),
    };
    writeln!(said, "  {}: {exact} exact ({exact_small} of them small), {narrow} narrow{narrowest}", knowledge(level))?;
    let fresh = exact_cells.iter().filter(|exact| !told.contains(&exact.cell));
    let fresh = fresh.map(|Exact { cell, value }| format!("{cell} = {value}"));
    let near = narrow_cells.iter().map(|Narrow { cell, low, high }| {
        let between = if high - low == 1 { "or" } else { "to" };
        format!("{cell} is {low} {between} {high}")
    });
    lines(said, fresh.chain(near))?;
    match undecided_cells.len() {
        0 => Ok(()),
        many => writeln!(said, "    of {many} more it was not worked out what they can be: a limit was reached"),
    }
}

fn knowledge(level: Level) -> &'static str {
    match level {
        Level::K0 => "K0, no number is negative",
        Level::K1 => "K1, and what is hidden is not zero where zeros are shown",
        Level::K2 => "K2, and marks mean what they stand for",
    }
}

/// A hidden number and the shown ones that it follows from.
fn sum(how: &How) -> String {
    let How { cell, value, combination, divided_by } = how;
    let value = value.map_or("?".to_owned(), |value| value.to_string());
    let [first, rest @ ..] = &combination[..] else { return format!("{cell} = {value}: every number in it is a zero") };
    if combination.len() > TERMS_MAX {
        return format!("{cell} = {value}: from {} shown numbers; --json lists them", combination.len());
    }
    let sign = if first.times < 0 { "− " } else { "" };
    let mut sum = format!("{sign}{}", term(first));
    for next in rest {
        let sign = if next.times < 0 { "−" } else { "+" };
        let _ = write!(sum, " {sign} {}", term(next));
    }
    match (divided_by, rest.is_empty()) {
        (1, true) if first.cell.cell == cell.cell && first.times == 1 && first.cell.releases.is_empty() => {
            format!("{cell} = {value}: hidden in one table, shown in another")
        }
        (1, _) => format!("{cell} = {value}: {sum}"),
        (many, _) => format!("{cell} = {value}: ({sum}) ÷ {many}"),
    }
}

fn term(Term { times, cell, value }: &Term) -> String {
    let often = if times.abs() == 1 { String::new() } else { format!("{} × ", times.abs()) };
    let value = value.map_or(String::new(), |value| format!(" ({value})"));
    format!("{often}{cell}{value}")
}

fn of_two(said: &mut String, differences: &Differences) -> fmt::Result {
    let Differences { releases: [a, b], cells_in_both, changes, hidden_in_one_shown_in_other, .. } = differences;
    writeln!(said, "{a} beside {b}: {cells_in_both} numbers are of the same in both")?;
    writeln!(said, "  changed by little, which tells of few people if both are of the same time: {}", changes.len())?;
    lines(said, changes.iter().map(|(cell, change)| format!("{cell} {change:+}")))?;
    writeln!(said, "  hidden in one, shown in the other: {hidden_in_one_shown_in_other}")
}

/// The first of the lines, and how many more there are.
fn lines(said: &mut String, mut all: impl Iterator<Item = String>) -> fmt::Result {
    for line in all.by_ref().take(LINES_MAX) {
        writeln!(said, "    {line}")?;
    }
    match all.count() {
        0 => Ok(()),
        more => writeln!(said, "    … and {more} more; --json lists them"),
    }
}
