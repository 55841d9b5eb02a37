//! The view of partners and their services, and what these said of their capacity.

use domain::{
    AnyEvent, DomainEvent, PartnerId, ServiceId, Subject,
    partner::{
        Capacity, CapacityAnswer, CapacityAsked, CapacityStated, Changed, Closed, Details, Event, Item, Registered,
        Reopened, Service, ServiceDescribed,
    },
};
use host::{Folding, Scope, View, row};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use utoipa::ToSchema;
use vault::folded;

use crate::topics;

/// Partners and their services.
pub(crate) const PARTNERS: View = View {
    name: "partners",
    version: 1,
    schema: "
        CREATE TABLE partners (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            name TEXT NOT NULL,
            folded TEXT NOT NULL, -- the name, to search by
            closed INTEGER NOT NULL,
            details TEXT NOT NULL, -- JSON
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX partners_by_name ON partners (org, name, id);
        CREATE TABLE services (
            org TEXT NOT NULL,
            partner BLOB NOT NULL,
            id BLOB NOT NULL,
            name TEXT NOT NULL,
            folded TEXT NOT NULL, -- the name, to search by
            status TEXT NOT NULL,
            details TEXT NOT NULL, -- JSON
            capacity TEXT,
            as_of TEXT, -- local date
            asked_by TEXT,
            asked_at INTEGER, -- seconds since 1970
            PRIMARY KEY (org, partner, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX services_active ON services (org, name, partner, id) WHERE status = 'active';",
    tables: &[
        ("partners", "SELECT org, hex(id), name, folded, closed, details FROM partners ORDER BY org, id"),
        (
            "services",
            "SELECT org, hex(partner), hex(id), name, folded, status, details, capacity, as_of, asked_by, asked_at
             FROM services ORDER BY org, partner, id",
        ),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return Ok(()) };
    folding.tell(&topics::PARTNERS, Scope::Organisation);
    match event {
        Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => describe(folding, details),
        Event::Closed(Closed {}) => close(folding, true),
        Event::Reopened(Reopened {}) => close(folding, false),
        Event::ServiceDescribed(described) => describe_service(folding, described),
        Event::CapacityAsked(asked) => ask(folding, asked),
        Event::CapacityStated(stated) => state(folding, stated),
    }
}

fn describe(folding: &Folding<'_>, details: &Details) -> rusqlite::Result<()> {
    let (id, name) = (folding.event.stream.id(), details.name.as_str());
    let json = serde_json::to_string(details).expect("string keys only");
    folding
        .rows
        .prepare_cached(
            "INSERT INTO partners VALUES (?1, ?2, ?3, ?4, 0, ?5)
             ON CONFLICT DO UPDATE SET name = ?3, folded = ?4, details = ?5",
        )?
        .execute(params![folding.org(), id.as_bytes(), name, folded(name), json])?;
    Ok(())
}

fn close(folding: &Folding<'_>, closed: bool) -> rusqlite::Result<()> {
    folding.rows.prepare_cached("UPDATE partners SET closed = ?3 WHERE org = ?1 AND id = ?2")?.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        closed
    ])?;
    Ok(())
}

fn describe_service(folding: &Folding<'_>, described: &ServiceDescribed) -> rusqlite::Result<()> {
    let ServiceDescribed { service, details } = described;
    let (partner, status) = (folding.event.stream.id(), <&'static str>::from(details.status));
    let json = serde_json::to_string(details).expect("string keys only");
    folding
        .rows
        .prepare_cached(
            "INSERT INTO services (org, partner, id, name, folded, status, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET name = ?4, folded = ?5, status = ?6, details = ?7",
        )?
        .execute(params![
            folding.org(),
            partner.as_bytes(),
            service.0.as_bytes(),
            details.name.as_str(),
            folded(details.name.as_str()),
            status,
            json
        ])?;
    Ok(())
}

fn ask(folding: &Folding<'_>, asked: &CapacityAsked) -> rusqlite::Result<()> {
    let CapacityAsked { service, by, at } = asked;
    let partner = folding.event.stream.id();
    folding
        .rows
        .prepare_cached("UPDATE services SET asked_by = ?4, asked_at = ?5 WHERE org = ?1 AND partner = ?2 AND id = ?3")?
        .execute(params![folding.org(), partner.as_bytes(), service.0.as_bytes(), by.as_str(), at.as_second()])?;
    Ok(())
}

fn state(folding: &Folding<'_>, stated: &CapacityStated) -> rusqlite::Result<()> {
    let CapacityStated { service, answer: CapacityAnswer { capacity, as_of } } = stated;
    let (partner, capacity) = (folding.event.stream.id(), <&'static str>::from(capacity));
    folding
        .rows
        .prepare_cached(
            "UPDATE services SET capacity = ?4, as_of = ?5, asked_by = NULL, asked_at = NULL
             WHERE org = ?1 AND partner = ?2 AND id = ?3",
        )?
        .execute(params![folding.org(), partner.as_bytes(), service.0.as_bytes(), capacity, as_of.to_string()])?;
    Ok(())
}

/// A partner in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PartnerRow {
    pub id: PartnerId,
    pub name: String,
    /// Whether it was closed: nobody is referred to it.
    pub closed: bool,
    /// Services of it that are active; a count.
    pub active_services: u32,
}

/// Which partners are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Part of their names, in any case.
    pub name: Option<String>,
    /// Closed ones only, or open ones only.
    pub closed: Option<bool>,
}

/// Partners by name, after this one.
pub(crate) fn list(
    connection: &Connection,
    org: &str,
    wanted: &Wanted,
    after: Option<PartnerId>,
    rows: usize,
) -> rusqlite::Result<Vec<PartnerRow>> {
    let after = after.map(|id| id.0.into_bytes());
    let part = wanted.name.as_deref().map(folded);
    let mut statement = connection.prepare_cached(
        "SELECT id, name, closed,
                (SELECT count(*) FROM services
                 WHERE services.org = ?1 AND services.partner = partners.id AND services.status = 'active')
         FROM partners
         WHERE org = ?1
           AND (?2 IS NULL OR (name, id) > (SELECT name, id FROM partners WHERE org = ?1 AND id = ?2))
           AND (?3 IS NULL OR instr(folded, ?3) > 0) AND (?4 IS NULL OR closed = ?4)
         ORDER BY name, id LIMIT ?5",
    )?;
    let found = statement.query_map(params![org, after, part, wanted.closed, row::limit(rows)], |row| {
        Ok(PartnerRow {
            id: PartnerId(row::uuid(row, 0)?),
            name: row.get(1)?,
            closed: row.get(2)?,
            active_services: row.get(3)?,
        })
    })?;
    found.collect()
}

/// What a partner said of a service's capacity, and who has asked since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceCapacity {
    /// What was said last, and of which day; none if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<CapacityAnswer>,
    /// Who waits for an answer, if somebody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<CapacityQuestion>,
}

/// A question that was not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CapacityQuestion {
    /// Who asked.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
}

/// A service of a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceView {
    pub id: ServiceId,
    pub details: Service,
    pub capacity: ServiceCapacity,
}

/// The columns of [`ServiceCapacity`], from this one on.
fn capacity(row: &Row<'_>, first: usize) -> rusqlite::Result<ServiceCapacity> {
    let capacity: Option<Capacity> = row::maybe_word(row, first)?;
    let as_of: Option<Date> = row::maybe_text(row, first + 1)?;
    let by: Option<Subject> = row::maybe_text(row, first + 2)?;
    let at = by.as_ref().map(|_| row::time(row, first + 3)).transpose()?;
    Ok(ServiceCapacity {
        answer: capacity.zip(as_of).map(|(capacity, as_of)| CapacityAnswer { capacity, as_of }),
        asked: by.zip(at).map(|(by, at)| CapacityQuestion { by, at }),
    })
}

/// What a partner is and whether it is closed, and its services by name.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    id: PartnerId,
) -> rusqlite::Result<Option<(Details, bool, Vec<ServiceView>)>> {
    let partner = connection
        .prepare_cached("SELECT details, closed FROM partners WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| Ok((row::json(row, 0)?, row.get(1)?)))
        .optional()?;
    let Some((details, closed)) = partner else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT id, details, capacity, as_of, asked_by, asked_at FROM services
         WHERE org = ?1 AND partner = ?2 ORDER BY name, id",
    )?;
    let services = statement.query_map(params![org, id.0.as_bytes()], |row| {
        let (id, details) = (ServiceId(row::uuid(row, 0)?), row::json(row, 1)?);
        Ok(ServiceView { id, details, capacity: capacity(row, 2)? })
    })?;
    Ok(Some((details, closed, services.collect::<Result<_, _>>()?)))
}

/// A service that members can be referred to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceRow {
    pub service: ServiceId,
    pub name: String,
    pub partner: PartnerId,
    pub partner_name: String,
    pub details: Service,
    pub capacity: ServiceCapacity,
}

/// Which services are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suited {
    /// Part of their names or their partners', in any case.
    pub name: Option<String>,
    /// A language that is spoken there; also regional forms of it.
    pub language: Option<String>,
    /// What was said last of their capacity.
    pub capacity: Option<Capacity>,
    /// What they may be told.
    pub may_receive: Option<Item>,
}

/// Active services of open partners by name, after this one.
pub(crate) fn services(
    connection: &Connection,
    org: &str,
    suited: &Suited,
    after: Option<(PartnerId, ServiceId)>,
    rows: usize,
) -> rusqlite::Result<Vec<ServiceRow>> {
    let (partner, id) = after.map(|(partner, id)| (partner.0.into_bytes(), id.0.into_bytes())).unzip();
    let mut statement = connection.prepare_cached(
        "SELECT services.id, services.name, partner, partners.name, services.details, capacity, as_of, asked_by, asked_at
         FROM services JOIN partners ON partners.org = services.org AND partners.id = partner
         WHERE services.org = ?1 AND status = 'active' AND NOT closed
           AND (?2 IS NULL OR (services.name, partner, services.id) >
                (SELECT name, partner, id FROM services WHERE org = ?1 AND partner = ?2 AND id = ?3))
           AND (?4 IS NULL OR instr(partners.folded, ?4) > 0 OR instr(services.folded, ?4) > 0)
           AND (?5 IS NULL OR EXISTS (
                SELECT 1 FROM json_each(services.details, '$.languages')
                WHERE substr(lower(value) || '-', 1, length(?5) + 1) = lower(?5) || '-'))
           AND (?6 IS NULL OR capacity = ?6)
           AND (?7 IS NULL OR EXISTS (SELECT 1 FROM json_each(services.details, '$.may_receive') WHERE value = ?7))
         ORDER BY services.name, partner, services.id LIMIT ?8",
    )?;
    let part = suited.name.as_deref().map(folded);
    let capacity_word: Option<&'static str> = suited.capacity.map(Into::into);
    let item: Option<&'static str> = suited.may_receive.map(Into::into);
    let values = params![org, partner, id, part, suited.language, capacity_word, item, row::limit(rows)];
    let found = statement.query_map(values, |row| {
        Ok(ServiceRow {
            service: ServiceId(row::uuid(row, 0)?),
            name: row.get(1)?,
            partner: PartnerId(row::uuid(row, 2)?),
            partner_name: row.get(3)?,
            details: row::json(row, 4)?,
            capacity: capacity(row, 5)?,
        })
    })?;
    found.collect()
}
