//! A directory as tables, whatever it came as: rows with the ids of what they belong to.

use std::collections::{BTreeMap, BTreeSet};

use super::{DirectoryError, File, Place, ROWS_MAX, Remarks, csv_file, documents};

/// A table of the datapackage, as far as Kith reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Organizations,
    Services,
    ServiceAtLocation,
    Locations,
    Schedules,
    Languages,
    Accessibility,
    CostOptions,
}

impl Table {
    pub(super) const ALL: [Self; 8] = [
        Self::Organizations,
        Self::Services,
        Self::ServiceAtLocation,
        Self::Locations,
        Self::Schedules,
        Self::Languages,
        Self::Accessibility,
        Self::CostOptions,
    ];

    /// The file in which it stands.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Organizations => "organizations.csv",
            Self::Services => "services.csv",
            Self::ServiceAtLocation => "service_at_location.csv",
            Self::Locations => "locations.csv",
            Self::Schedules => "schedules.csv",
            Self::Languages => "languages.csv",
            Self::Accessibility => "accessibility.csv",
            Self::CostOptions => "cost_options.csv",
        }
    }
}

/// Tables of HSDS of which nothing is kept.
pub(super) const NOT_READ: [&str; 13] = [
    "addresses.csv",
    "attributes.csv",
    "contacts.csv",
    "funding.csv",
    "meta_table_descriptions.csv",
    "metadata.csv",
    "organization_identifiers.csv",
    "phones.csv",
    "programs.csv",
    "required_documents.csv",
    "service_areas.csv",
    "taxonomies.csv",
    "taxonomy_terms.csv",
];

/// Fields that Kith reads, or by which documents are told apart.
pub(super) const FIELDS: [&str; 36] = [
    "id",
    "organization_id",
    "service_id",
    "location_id",
    "service_at_location_id",
    "name",
    "status",
    "description",
    "application_process",
    "eligibility_description",
    "minimum_age",
    "maximum_age",
    "fees_description",
    "fees",
    "alert",
    "assured_date",
    "transportation",
    "byday",
    "opens_at",
    "closes_at",
    "valid_from",
    "valid_to",
    "code",
    "details",
    "option",
    "currency",
    "amount",
    "amount_description",
    "location_type",
    "version",
    "profile",
    "parent_id",
    "taxonomy",
    "taxonomy_id",
    "vocabulary",
    "term_uri",
];

/// A row: its values that are not empty, by field.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub place: Place,
    cells: BTreeMap<&'static str, Box<str>>,
}

impl Row {
    pub(super) fn new(place: Place, cells: BTreeMap<&'static str, Box<str>>) -> Self {
        Self { place, cells }
    }

    /// The value of a field; none if it is missing, empty, or no text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.cells.get(field).map(AsRef::as_ref)
    }
}

/// All that was found in the files.
#[derive(Debug, Default)]
pub(super) struct Tables {
    rows: BTreeMap<Table, Vec<Row>>,
    count: usize,
    /// Tables that were there as such, so that what is not in them is not so.
    whole: BTreeSet<Table>,
    /// The same of what belongs to one thing, by its id.
    said: BTreeSet<(Table, Box<str>)>,
    /// The rows of a table that belong to something, by its field and id.
    by_owner: BTreeMap<(Table, &'static str, Box<str>), Vec<usize>>,
}

/// Fields that name what a row belongs to, or itself.
const OWNERS: [&str; 4] = ["id", "service_id", "location_id", "service_at_location_id"];

impl Tables {
    /// Adds what stands in a file. A file that cannot be read has a remark.
    pub(super) fn add(&mut self, file: &File, remarks: &mut Remarks) -> Result<(), DirectoryError> {
        let name = file.name.as_str().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        let whole = Place { file: file.name.clone(), at: String::new() };
        match name.rsplit_once('.') {
            Some((_, "json")) => documents::read(&name, file, self, remarks),
            Some((_, "csv")) => match Table::ALL.into_iter().find(|table| table.file() == name) {
                Some(table) => csv_file::read(table, file, self, remarks),
                None if NOT_READ.contains(&&*name) => Ok(()),
                None => {
                    remarks.note(&whole, "", "is no table of HSDS: it is not read");
                    Ok(())
                }
            },
            _ => {
                remarks.reject(&whole, "", "is neither .json nor .csv: it is not read");
                Ok(())
            }
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, table: Table, row: Row) -> Result<(), DirectoryError> {
        if self.count == ROWS_MAX {
            return Err(DirectoryError::Rows(row.place.file.to_string()));
        }
        self.count += 1;
        let rows = self.rows.entry(table).or_default();
        for owner in OWNERS {
            if let Some(id) = row.text(owner) {
                self.by_owner.entry((table, owner, id.into())).or_default().push(rows.len());
            }
        }
        rows.push(row);
        Ok(())
    }

    /// The whole table is there.
    pub(super) fn is_whole(&mut self, table: Table) {
        self.whole.insert(table);
    }

    /// All of a table is there that belongs to what has this id.
    pub(super) fn is_said(&mut self, table: Table, owner: &str) {
        self.said.insert((table, owner.into()));
    }

    /// Whether it is known what a table has for one of these.
    pub(super) fn says<'a>(&self, table: Table, owners: impl IntoIterator<Item = &'a str>) -> bool {
        self.whole.contains(&table) || owners.into_iter().any(|owner| self.said.contains(&(table, Box::from(owner))))
    }

    /// The rows of a table in which a field has this id.
    pub(super) fn of(&self, table: Table, owner: &'static str, id: &str) -> impl Iterator<Item = &Row> {
        let rows = self.rows.get(&table).map(Vec::as_slice).unwrap_or_default();
        let found = self.by_owner.get(&(table, owner, Box::from(id)));
        found.into_iter().flatten().filter_map(move |at| rows.get(*at))
    }

    /// The rows of a table by their id, each once, with what all that have its id say; where they differ the first one is
    /// taken, with a remark. Rows without an id stand alone.
    pub(super) fn merged(&self, table: Table, remarks: &mut Remarks) -> Vec<Row> {
        let mut merged = Vec::<Row>::new();
        let mut known = BTreeMap::<&str, usize>::new();
        for row in self.rows.get(&table).into_iter().flatten() {
            let first = row.text("id").and_then(|id| known.get(id).copied());
            if let Some(first) = first {
                merge(&mut merged[first], row, remarks);
                continue;
            }
            known.extend(row.text("id").map(|id| (id, merged.len())));
            merged.push(row.clone());
        }
        merged
    }
}

fn merge(first: &mut Row, second: &Row, remarks: &mut Remarks) {
    for (field, said) in &second.cells {
        let known = first.cells.entry(field).or_insert_with(|| said.clone());
        if known != said {
            let Place { file, at } = &first.place;
            remarks.note(&second.place, field, format!("is another one in {file} at {at}, which is taken"));
        }
    }
}
