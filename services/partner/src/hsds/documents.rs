//! Documents as an HSDS API answers them, whole ones and lists of them, and all tables in one JSON: made rows.

use std::collections::BTreeMap;

use super::{
    DirectoryError, File, Place, Remarks,
    cell::Cell,
    rows::{FIELDS, Row, Table, Tables},
};

/// Longest pointer to something that is read, in characters: documents are nested no deeper than HSDS says.
const POINTER_CHARS_MAX: usize = 300;
/// Fields of documents of which nothing is kept: of taxonomies and their terms, and of an API about itself.
const OF_OTHERS: [&str; 8] =
    ["version", "profile", "parent_id", "taxonomy", "taxonomy_id", "vocabulary", "term_uri", "code"];

/// Adds what a JSON file says.
pub(super) fn read(name: &str, file: &File, tables: &mut Tables, remarks: &mut Remarks) -> Result<(), DirectoryError> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let place = Place { file: file.name.clone(), at: String::new() };
    match serde_json::from_str(text) {
        Ok(cell) => Reader { tables, remarks, is_of_taxonomies: name.starts_with("taxonom") }.document(&cell, &place),
        Err(error) => {
            remarks.reject(&place, "", format!("is not JSON: {}", web::scrubbed(&error)));
            Ok(())
        }
    }
}

struct Reader<'a> {
    tables: &'a mut Tables,
    remarks: &'a mut Remarks,
    is_of_taxonomies: bool,
}

fn below(place: &Place, name: &str) -> Place {
    Place { file: place.file.clone(), at: format!("{}/{name}", place.at) }
}

impl Reader<'_> {
    fn document(&mut self, cell: &Cell, place: &Place) -> Result<(), DirectoryError> {
        let has = |name| cell.get(name).is_some();
        match cell {
            Cell::List(all) => self.each(all, place, Self::document),
            Cell::Object(_) => match cell.list("contents") {
                Some(page) => self.each(page, &below(place, "contents"), Self::document),
                None if Table::ALL.iter().any(|table| has(table.file())) => self.all_tables(cell, place),
                None if has("location_type") => self.location(cell, place),
                None if has("location") || has("service") || (has("service_id") && has("location_id")) => {
                    self.service_at_location(cell, place, None)
                }
                None if ["status", "organization", "organization_id"].into_iter().any(has) => {
                    self.service(cell, place, None)
                }
                None if self.is_of_taxonomies || OF_OTHERS.into_iter().any(has) => Ok(()),
                None if has("id") && has("name") => self.organization(cell, place),
                None => {
                    self.reject(place);
                    Ok(())
                }
            },
            Cell::Nothing | Cell::Text(_) => {
                self.reject(place);
                Ok(())
            }
        }
    }

    fn reject(&mut self, place: &Place) {
        self.remarks.reject(place, "", "is no organization, service, service_at_location or location of HSDS");
    }

    fn each(
        &mut self,
        all: &[Cell],
        place: &Place,
        mut read: impl FnMut(&mut Self, &Cell, &Place) -> Result<(), DirectoryError>,
    ) -> Result<(), DirectoryError> {
        all.iter().enumerate().try_for_each(|(n, cell)| {
            let place = below(place, &n.to_string());
            if place.at.len() <= POINTER_CHARS_MAX {
                return read(self, cell, &place);
            }
            self.remarks.reject(&place, "", "is nested deeper than documents of HSDS are");
            Ok(())
        })
    }

    fn all_tables(&mut self, cell: &Cell, place: &Place) -> Result<(), DirectoryError> {
        for table in Table::ALL {
            let Some(rows) = cell.list(table.file()) else { continue };
            self.each(rows, &below(place, table.file()), |reader, cell, place| reader.row(table, cell, place, None))?;
            self.tables.is_whole(table);
        }
        Ok(())
    }

    fn organization(&mut self, cell: &Cell, place: &Place) -> Result<(), DirectoryError> {
        self.row(Table::Organizations, cell, place, None)?;
        let id = text(cell, "id");
        let (services, locations) = (cell.list("services"), cell.list("locations"));
        let read = |reader: &mut Self, cell: &Cell, place: &Place| reader.service(cell, place, id);
        self.each(services.unwrap_or_default(), &below(place, "services"), read)?;
        self.each(locations.unwrap_or_default(), &below(place, "locations"), Self::location)
    }

    fn service(&mut self, cell: &Cell, place: &Place, within: Option<&str>) -> Result<(), DirectoryError> {
        let organization = cell.get("organization").filter(|nested| matches!(nested, Cell::Object(_)));
        if let Some(organization) = organization {
            self.organization(organization, &below(place, "organization"))?;
        }
        let owner = organization.and_then(|nested| text(nested, "id")).or(within).map(|id| ("organization_id", id));
        self.row(Table::Services, cell, place, owner)?;
        let id = text(cell, "id");
        for (table, name) in
            [(Table::Schedules, "schedules"), (Table::Languages, "languages"), (Table::CostOptions, "cost_options")]
        {
            self.children(table, cell, place, (name, "service_id"))?;
        }
        let read = |reader: &mut Self, cell: &Cell, place: &Place| reader.service_at_location(cell, place, id);
        self.each(cell.list("service_at_locations").unwrap_or_default(), &below(place, "service_at_locations"), read)
    }

    fn service_at_location(&mut self, cell: &Cell, place: &Place, within: Option<&str>) -> Result<(), DirectoryError> {
        let mut ids = within.map(|id| ("service_id", id)).into_iter().collect::<Vec<_>>();
        for (name, field) in [("service", "service_id"), ("location", "location_id")] {
            let Some(nested) = cell.get(name).filter(|nested| matches!(nested, Cell::Object(_))) else { continue };
            let place = below(place, name);
            match name {
                "service" => self.service(nested, &place, None)?,
                _ => self.location(nested, &place)?,
            }
            ids.extend(text(nested, "id").map(|id| (field, id)));
        }
        self.row(Table::ServiceAtLocation, cell, place, ids)?;
        self.children(Table::Schedules, cell, place, ("schedules", "service_at_location_id"))
    }

    fn location(&mut self, cell: &Cell, place: &Place) -> Result<(), DirectoryError> {
        self.row(Table::Locations, cell, place, None)?;
        for (table, name) in
            [(Table::Schedules, "schedules"), (Table::Languages, "languages"), (Table::Accessibility, "accessibility")]
        {
            self.children(table, cell, place, (name, "location_id"))?;
        }
        Ok(())
    }

    /// Rows that belong to what has them in a list.
    fn children(
        &mut self,
        table: Table,
        cell: &Cell,
        place: &Place,
        (name, field): (&str, &'static str),
    ) -> Result<(), DirectoryError> {
        let (Some(all), Some(owner)) = (cell.list(name), text(cell, "id")) else { return Ok(()) };
        self.tables.is_said(table, owner);
        let row = |reader: &mut Self, cell: &Cell, place: &Place| reader.row(table, cell, place, Some((field, owner)));
        self.each(all, &below(place, name), row)
    }

    /// A row of what stands in an object, with the ids of what it belongs to.
    fn row<'b>(
        &mut self,
        table: Table,
        cell: &Cell,
        place: &Place,
        owners: impl IntoIterator<Item = (&'static str, &'b str)>,
    ) -> Result<(), DirectoryError> {
        let mut cells = BTreeMap::new();
        for field in FIELDS {
            cells.extend(text(cell, field).map(|text| (field, text.into())));
        }
        cells.extend(owners.into_iter().map(|(field, id)| (field, id.into())));
        self.tables.push(table, Row::new(place.clone(), cells))
    }
}

fn text<'a>(cell: &'a Cell, field: &str) -> Option<&'a str> {
    match cell.get(field) {
        Some(Cell::Text(text)) => Some(text),
        _ => None,
    }
}
