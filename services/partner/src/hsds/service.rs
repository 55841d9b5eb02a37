//! A service of a directory.

use domain::{
    ServiceId,
    partner::{ListedService, Part, Service, Status},
};
use jiff::civil::Date;
use serde::{Deserialize, de::IntoDeserializer};

use super::{
    Origin, Remarks,
    children::Children,
    id,
    rows::{Row, Tables},
};

/// The service that a row, with all that belongs to it, says; none, with a remark, if it cannot be used.
pub(super) fn read(
    row: &Row,
    tables: &Tables,
    origin: &Origin,
    remarks: &mut Remarks,
) -> Option<(ServiceId, ListedService)> {
    let id = id(row, "id", remarks)?;
    let Some(name) = remarks.text(row, "name") else {
        remarks.reject(&row.place, "name", "is missing or cannot be read");
        return None;
    };
    let Some(status) = row.text("status").and_then(status) else {
        let what = "must be active, inactive, defunct or temporarily closed";
        remarks.reject(&row.place, "status", what);
        return None;
    };
    let (minimum_age, maximum_age) = ages(row, remarks);
    let children = Children::of(id, row, tables);
    let details = Service {
        name,
        status,
        description: remarks.text(row, "description"),
        application_process: remarks.text(row, "application_process"),
        eligibility_description: remarks.text(row, "eligibility_description"),
        minimum_age,
        maximum_age,
        hours: children.hours().and_then(|said| remarks.cut(&row.place, "schedules", &said)),
        languages: children.languages(remarks),
        accessibility: children.accessibility().and_then(|said| remarks.cut(&row.place, "accessibility", &said)),
        fees_description: children.fees().and_then(|said| remarks.cut(&row.place, "fees_description", &said)),
        alert: remarks.text(row, "alert"),
        assured_date: assured_date(row, remarks),
        may_receive: [].into(),
        source: origin.source_of(id),
    };
    let parts = [Part::Hours, Part::Languages, Part::Accessibility, Part::Fees];
    let unsaid = parts.into_iter().filter(|part| !children.say(*part)).collect();
    Some((origin.service(id), ListedService { details, unsaid }))
}

fn status(word: &str) -> Option<Status> {
    let word = word.to_lowercase();
    Status::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(word.as_str())).ok()
}

/// Youngest and oldest age; neither if they contradict each other.
fn ages(row: &Row, remarks: &mut Remarks) -> (Option<u8>, Option<u8>) {
    let ages = [age(row, "minimum_age", remarks), age(row, "maximum_age", remarks)];
    if let [Some(least), Some(most)] = ages
        && least > most
    {
        remarks.note(&row.place, "minimum_age", "is more than maximum_age: both are left out");
        return (None, None);
    }
    (ages[0], ages[1])
}

fn age(row: &Row, field: &'static str, remarks: &mut Remarks) -> Option<u8> {
    let said = row.text(field)?;
    // Numbers come as `12`, `12.0` and `"12"`.
    let age = said.strip_suffix(".0").unwrap_or(said).parse().ok();
    if age.is_none() {
        remarks.note(&row.place, field, format!("is not a number of years from 0 to {}: it is left out", u8::MAX));
    }
    age
}

fn assured_date(row: &Row, remarks: &mut Remarks) -> Option<Date> {
    let date = row.text("assured_date")?.parse().ok();
    if date.is_none() {
        remarks.note(&row.place, "assured_date", "is not a date such as 2026-01-31: it is left out");
    }
    date
}
