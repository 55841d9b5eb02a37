//! What belongs to a service in other tables: its own, and that of where it is.

use std::collections::BTreeSet;

use domain::{
    Text,
    partner::{LANGUAGES_MAX, Part},
};

use super::{
    Remarks,
    rows::{Row, Table, Tables},
};

/// A service's rows in other tables.
pub(super) struct Children<'a> {
    id: &'a str,
    service: &'a Row,
    tables: &'a Tables,
    /// Ids of where it is: of the service there, and of the location.
    there: Vec<&'a str>,
    locations: Vec<&'a str>,
}

impl<'a> Children<'a> {
    pub(super) fn of(id: &'a str, service: &'a Row, tables: &'a Tables) -> Self {
        let there = || tables.of(Table::ServiceAtLocation, "service_id", id);
        let ids = |field| there().filter_map(move |row| row.text(field)).collect::<BTreeSet<_>>().into_iter().collect();
        Self { id, service, tables, there: ids("id"), locations: ids("location_id") }
    }

    /// Whether the directory says something of it, be it that there is nothing.
    pub(super) fn say(&self, part: Part) -> bool {
        let service = || std::iter::once(self.id);
        let everywhere = || service().chain(self.there.iter().copied()).chain(self.locations.iter().copied());
        match part {
            Part::Hours => self.tables.says(Table::Schedules, everywhere()),
            Part::Languages => self.tables.says(Table::Languages, everywhere()),
            Part::Accessibility => {
                self.accessibility().is_some() || self.tables.says(Table::Accessibility, everywhere())
            }
            Part::Fees => self.tables.says(Table::CostOptions, service()),
        }
    }

    /// When it is open, in words: as the service says, or else its locations.
    pub(super) fn hours(&self) -> Option<String> {
        let of = |owner, id| self.tables.of(Table::Schedules, owner, id);
        let there = self.there.iter().flat_map(|id| of("service_at_location_id", id));
        let own = all(of("service_id", self.id).chain(there).filter_map(hours));
        own.or_else(|| all(self.locations.iter().flat_map(|id| of("location_id", id)).filter_map(hours)))
    }

    /// Codes of languages: as the service says, or else its locations.
    pub(super) fn languages(&self, remarks: &mut Remarks) -> BTreeSet<Text<35>> {
        let of = |owner, id| self.tables.of(Table::Languages, owner, id);
        let mut rows: Vec<_> = of("service_id", self.id).collect();
        if rows.is_empty() {
            rows = self.locations.iter().flat_map(|id| of("location_id", id)).collect();
        }
        let mut languages = BTreeSet::new();
        for row in rows {
            match row.text("code").filter(|code| is_language(code)).and_then(|code| code.parse().ok()) {
                Some(_) if languages.len() == LANGUAGES_MAX => {
                    let what = format!("is one of more than {LANGUAGES_MAX} languages of a service: it is left out");
                    remarks.note(&row.place, "code", what);
                }
                Some(code) => drop(languages.insert(code)),
                None => remarks.note(&row.place, "code", "is missing or no code of a language: it is left out"),
            }
        }
        languages
    }

    /// How one gets in and around.
    pub(super) fn accessibility(&self) -> Option<String> {
        let of = |table, field, id| self.tables.of(table, field, id);
        let rows = self.locations.iter().flat_map(|id| of(Table::Accessibility, "location_id", id));
        let inside = rows.flat_map(|row| ["description", "details"].map(|field| row.text(field))).flatten();
        let locations = self.locations.iter().flat_map(|id| of(Table::Locations, "id", id));
        let getting_there = locations.filter_map(|row| row.text("transportation"));
        all(inside.chain(getting_there).map(str::to_owned))
    }

    /// What it costs.
    pub(super) fn fees(&self) -> Option<String> {
        let own = self.service.text("fees_description").or(self.service.text("fees")).map(str::to_owned);
        let options = self.tables.of(Table::CostOptions, "service_id", self.id).filter_map(cost);
        all(own.into_iter().chain(options))
    }
}

/// Sentences and phrases one after the other, each once.
fn all(said: impl Iterator<Item = String>) -> Option<String> {
    let mut whole = String::new();
    let mut seen = BTreeSet::new();
    for said in said.filter(|said| seen.insert(said.clone())) {
        let between = match whole.chars().next_back() {
            None => "",
            Some('.' | '!' | '?') => " ",
            Some(_) => "; ",
        };
        whole.push_str(between);
        whole.push_str(said.trim_end());
    }
    (!whole.is_empty()).then_some(whole)
}

/// The parts that are said, with something between.
fn joined<'a>(parts: impl IntoIterator<Item = Option<&'a str>>, between: &str) -> Option<String> {
    let said: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!said.is_empty()).then(|| said.join(between))
}

/// From one day to another, as far as it is said.
fn valid(row: &Row) -> Option<String> {
    let from = row.text("valid_from").map(|day| format!("from {day}"));
    let to = row.text("valid_to").map(|day| format!("until {day}"));
    joined([from.as_deref(), to.as_deref()], " ")
}

/// A schedule in words.
fn hours(row: &Row) -> Option<String> {
    let time = |field| row.text(field).map(|time| time.strip_suffix(":00").filter(|t| t.contains(':')).unwrap_or(time));
    let open = joined([time("opens_at"), time("closes_at")], "-");
    let when = joined([row.text("byday"), open.as_deref(), valid(row).as_deref()], " ");
    joined([when.as_deref(), row.text("description")], ": ")
}

/// What something costs, in words.
fn cost(row: &Row) -> Option<String> {
    let currency = row.text("currency").map(str::to_uppercase);
    let amount = joined([row.text("amount"), currency.as_deref(), row.text("amount_description")], " ");
    let costs = joined([row.text("option"), amount.as_deref()], ": ");
    joined([costs.as_deref(), valid(row).as_deref()], " ")
}

/// Whether it looks like a tag of BCP 47.
fn is_language(code: &str) -> bool {
    let parts = || code.split('-');
    parts().all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
        && parts().next().is_some_and(|first| first.len() >= 2 && first.chars().all(|c| c.is_ascii_alphabetic()))
}
