//! A table of the datapackage as CSV.

use std::collections::BTreeMap;

use super::{
    DirectoryError, File, Place, Remarks,
    rows::{FIELDS, Row, Table, Tables},
};

/// Adds the rows of a table. A line that cannot be read has a remark.
pub(super) fn read(
    table: Table,
    file: &File,
    tables: &mut Tables,
    remarks: &mut Remarks,
) -> Result<(), DirectoryError> {
    let place = |line: u64| Place { file: file.name.clone(), at: format!("line {line}") };
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let columns: Vec<_> = match reader.headers() {
        Ok(names) => names.iter().map(|name| FIELDS.iter().find(|field| **field == name.trim()).copied()).collect(),
        Err(_) => vec![],
    };
    if !columns.contains(&Some("id")) {
        remarks.reject(&place(1), "id", "is not among the columns: the file is not read");
        return Ok(());
    }
    let never_closes = text.matches('"').count() % 2 == 1;
    // Texts are read from memory, and lines may have any length: nothing can go wrong.
    let mut records = reader.records().map_while(Result::ok).peekable();
    while let Some(record) = records.next() {
        let at = place(record.position().map_or(0, csv::Position::line));
        if never_closes && records.peek().is_none() && record.iter().any(|cell| cell.contains('\n')) {
            remarks.reject(&at, "", "has a quote that never closes: nothing is read from here on");
            continue;
        }
        if record.len() != columns.len() {
            let what = format!("has {} cells, the first line has {}: it is not read", record.len(), columns.len());
            remarks.reject(&at, "", what);
            continue;
        }
        let cells = columns.iter().zip(&record).filter_map(|(field, cell)| Some(((*field)?, cell.trim())));
        let cells = cells.filter(|(_, cell)| !cell.is_empty()).map(|(field, cell)| (field, cell.into()));
        tables.push(table, Row::new(at, cells.collect::<BTreeMap<_, _>>()))?;
    }
    tables.is_whole(table);
    Ok(())
}
