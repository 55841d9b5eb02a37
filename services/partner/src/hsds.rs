//! Directories in HSDS 3.0 (Human Services Data Specification of Open Referral): each organization becomes a partner, each
//! of its services a service.
//!
//! Files are documents as an HSDS API answers them, whole ones and lists, or tables: CSV of the datapackage, or all tables
//! in one JSON. What several files say of one thing is put together. A directory is kept by many hands: what cannot be
//! read is left out with a [`Remark`]; an organization or service that cannot be used is rejected with one; neither
//! stops the rest.
//!
//! Reading is pure and its ids are derived, so that reading the same directory again, on whatever day, gives the same
//! partners: an import writes only what has changed.
//!
//! | HSDS | here |
//! |---|---|
//! | organization `id`, `name` | the partner's source and name |
//! | service `id`, `name`, `status`, `description`, `application_process`, `eligibility_description`, `minimum_age`, `maximum_age`, `alert`, `assured_date` | the same |
//! | service `fees_description` (or `fees`), `cost_options` | `fees_description` |
//! | `schedules` of the service and of where it is, or else of the locations | `hours` |
//! | `languages` of the service, or else of its locations | `languages` |
//! | `accessibility` and `transportation` of its locations | `accessibility` |
//!
//! Not kept: contacts, phones, e-mail and web addresses, postal addresses, programs, funding, areas, required documents,
//! taxonomies, attributes, metadata, identifiers, licences, accreditations, interpretation services and deprecated fields.
//! Contacts are people; an organization's e-mail address can be a person's, and links are sent to `mailbox`: somebody
//! enters it who knows whose it is.

mod cell;
mod children;
mod csv_file;
mod documents;
mod remark;
mod rows;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use domain::{
    OrgId, PartnerId, ServiceId, Text,
    partner::{ListedService, Source},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use self::remark::{Remark, Remarks};
use self::rows::{Row, Table, Tables};

/// Largest directory, in bytes of the body that it is sent in.
pub const DIRECTORY_BYTES_MAX: usize = 16 << 20;
/// Most files of a directory, a count.
pub(crate) const FILES_MAX: usize = 1_000;
/// Most rows and objects of a directory that are read, a count.
pub(crate) const ROWS_MAX: usize = 100_000;
/// Longest id of an organization or service, in characters.
pub(crate) const ID_CHARS_MAX: usize = 100;

/// Under which the ids of all that is imported are derived.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c8b_5d4e_6a0f_4e53_9b1d_6b69_7468_0002);

/// A file of a directory, as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HsdsFile)]
pub(crate) struct File {
    /// Its name, which says how it is read: `.json`, or `.csv` with the name of a table of the datapackage.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "services.csv")]
    pub name: Text<100>,
    /// All that stands in it.
    pub text: String,
}

/// Whose directory it is, and for whom it is read.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Who imports it, and owns the partners.
    pub org: OrgId,
    /// Short name of the directory: ids are its own.
    pub directory: Text<80>,
}

impl Origin {
    fn uuid(&self, of: &str) -> Uuid {
        let org = Uuid::new_v5(&NAMESPACE, self.org.as_str().as_bytes());
        let directory = Uuid::new_v5(&org, self.directory.as_str().as_bytes());
        Uuid::new_v5(&directory, of.as_bytes())
    }

    /// The partner of the organization with this id in the directory.
    pub fn partner(&self, organization: &str) -> PartnerId {
        PartnerId(self.uuid(&format!("organization:{organization}")))
    }

    /// The service with this id in the directory.
    pub fn service(&self, service: &str) -> ServiceId {
        ServiceId(self.uuid(&format!("service:{service}")))
    }

    fn source_of(&self, id: &str) -> Option<Source> {
        Some(Source { directory: self.directory.clone(), id: id.parse().ok()? })
    }
}

/// A directory that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Too many files.
    #[error("the directory has {0} files, at most {FILES_MAX} are possible")]
    Files(usize),
    /// Too much in them.
    #[error("{0} goes beyond {ROWS_MAX} rows and objects, the most that are read of a directory")]
    Rows(String),
}

/// What a directory says.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Partners, in the order of their ids in the directory.
    pub partners: Vec<FoundPartner>,
    /// What is odd about it, in its order.
    pub remarks: Remarks,
    /// Organizations that cannot be used, a count; each has a remark.
    pub partners_rejected: usize,
    /// Services that cannot be used, a count; each has a remark.
    pub services_rejected: usize,
}

/// An organization that was found.
#[derive(Debug)]
pub(crate) struct FoundPartner {
    /// Derived from the importing organisation, the directory and the organization's id.
    pub id: PartnerId,
    /// Its id in the directory.
    pub source: Source,
    /// Its name; none if only services say that there is one.
    pub name: Option<Text<200>>,
    /// Where it, or else the first of its services, stands.
    pub place: Place,
    /// Its services.
    pub services: BTreeMap<ServiceId, ListedService>,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// In which file.
    pub file: Text<100>,
    /// In which line of a CSV file, or a pointer into a JSON file.
    pub at: String,
}

/// Reads a directory.
///
/// # Errors
/// If it is too large. Nothing that one file says.
pub(crate) fn read(files: &[File], origin: &Origin) -> Result<Directory, DirectoryError> {
    if files.len() > FILES_MAX {
        return Err(DirectoryError::Files(files.len()));
    }
    let (mut tables, mut found) = (Tables::default(), Directory::default());
    for file in files {
        tables.add(file, &mut found.remarks)?;
    }
    let mut partners = BTreeMap::<String, FoundPartner>::new();
    for row in tables.merged(Table::Organizations, &mut found.remarks) {
        match partner(&row, origin, &mut found.remarks) {
            Some((id, partner)) => drop(partners.insert(id, partner)),
            None => found.partners_rejected += 1,
        }
    }
    for row in tables.merged(Table::Services, &mut found.remarks) {
        let read = service::read(&row, &tables, origin, &mut found.remarks);
        let placed = read.and_then(|(service, listed)| {
            Some((of_service(&row, &mut partners, origin, &mut found.remarks)?, service, listed))
        });
        match placed {
            Some((partner, service, listed)) => drop(partner.services.insert(service, listed)),
            None => found.services_rejected += 1,
        }
    }
    found.partners = partners.into_values().collect();
    Ok(found)
}

fn partner(row: &Row, origin: &Origin, remarks: &mut Remarks) -> Option<(String, FoundPartner)> {
    let id = id(row, "id", remarks)?;
    let Some(name) = remarks.text(row, "name") else {
        remarks.reject(&row.place, "name", "is missing or cannot be read");
        return None;
    };
    let place = row.place.clone();
    let found = FoundPartner {
        id: origin.partner(id),
        source: origin.source_of(id)?,
        name: Some(name),
        place,
        services: BTreeMap::new(),
    };
    Some((id.to_owned(), found))
}

/// The partner of a service, if the service says which.
fn of_service<'a>(
    row: &Row,
    partners: &'a mut BTreeMap<String, FoundPartner>,
    origin: &Origin,
    remarks: &mut Remarks,
) -> Option<&'a mut FoundPartner> {
    let id = id(row, "organization_id", remarks)?;
    let nameless = FoundPartner {
        id: origin.partner(id),
        source: origin.source_of(id)?,
        name: None,
        place: row.place.clone(),
        services: BTreeMap::new(),
    };
    Some(partners.entry(id.to_owned()).or_insert(nameless))
}

/// An id: short and without white space or control characters. What has none is rejected.
fn id<'a>(row: &'a Row, field: &'static str, remarks: &mut Remarks) -> Option<&'a str> {
    let id = row.text(field).filter(|id| id.len() <= ID_CHARS_MAX && id.chars().all(|c| c.is_ascii_graphic()));
    if id.is_none() {
        remarks.reject(&row.place, field, "is missing, or no id that can be used");
    }
    id
}
