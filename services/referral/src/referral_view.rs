//! The view of referrals: how far each has come, for those who look after many. What one says stands in the log alone.

use std::collections::BTreeMap;

use domain::{
    AnyEvent, AttemptId, DomainEvent, MemberId, OrgId, PartnerId,
    member::Purpose,
    people,
    referral::{Allowed, Attempt, Basis, Event, Stage, Withdrawn},
};
use host::{Folding, Scope, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::topics;

/// Referrals, consents that end, and referrals of whom was erased.
pub(crate) const REFERRALS: View = View {
    name: "referrals",
    version: 2,
    schema: "
        CREATE TABLE referrals (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            member BLOB NOT NULL,
            partner BLOB NOT NULL,
            position INTEGER NOT NULL, -- where it was drafted
            updated_at INTEGER NOT NULL, -- microseconds since 1970; of one partner, each later than those before
            stage TEXT NOT NULL,
            ends_at INTEGER, -- seconds since 1970: when what is told without consent ends
            attempt TEXT NOT NULL, -- JSON: all that is known of it but what the partner reads
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX referrals_by_position ON referrals (org, position);
        CREATE INDEX referrals_by_stage ON referrals (org, stage, position);
        CREATE INDEX referrals_of_partner ON referrals (org, partner, position);
        CREATE INDEX referrals_of_partner_by_update ON referrals (org, partner, updated_at);
        CREATE INDEX referrals_of_member ON referrals (org, member);
        CREATE INDEX referrals_that_lapse ON referrals (stage) WHERE stage IN ('sent', 'received', 'cancel_requested');
        CREATE INDEX referrals_that_end ON referrals (ends_at) WHERE ends_at IS NOT NULL;
        CREATE TABLE disclosures (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            id BLOB NOT NULL,
            until INTEGER NOT NULL, -- seconds since 1970
            PRIMARY KEY (org, member, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX disclosures_that_end ON disclosures (until);
        CREATE TABLE referral_erasures (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            partner BLOB NOT NULL,
            at INTEGER NOT NULL, -- seconds since 1970
            updated_at INTEGER NOT NULL, -- as of referrals
            PRIMARY KEY (org, partner, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE referral_partners (
            org TEXT NOT NULL,
            partner BLOB NOT NULL,
            updated_at INTEGER NOT NULL, -- the latest of all that was ever its
            PRIMARY KEY (org, partner)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE referral_persons (
            org TEXT NOT NULL,
            member BLOB NOT NULL, -- a second record
            into_member BLOB NOT NULL, -- into which it was merged
            PRIMARY KEY (org, member)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX referral_persons_by_into ON referral_persons (org, into_member);",
    tables: &[
        (
            "referrals",
            "SELECT org, hex(id), hex(member), hex(partner), position, updated_at, stage, ends_at, attempt
             FROM referrals ORDER BY org, id",
        ),
        ("disclosures", "SELECT org, hex(member), hex(id), until FROM disclosures ORDER BY org, member, id"),
        (
            "referral_erasures",
            "SELECT org, hex(id), hex(partner), at, updated_at FROM referral_erasures ORDER BY org, partner, id",
        ),
        ("referral_partners", "SELECT org, hex(partner), updated_at FROM referral_partners ORDER BY org, partner"),
        ("referral_persons", "SELECT org, hex(member), hex(into_member) FROM referral_persons ORDER BY org, member"),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY, people::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["referrals", "disclosures", "referral_persons"],
    keeps: &[(
        "ids of referrals that were sent, and to which partner",
        "so that the partner learns that it has to delete what it was told (GDPR Art. 19)",
    )],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if let Some(event) = event.of::<people::Event>() {
        return person(folding, event);
    }
    let Some(event) = event.of() else { return Ok(()) };
    folding.tell(&topics::REFERRALS, Scope::Member(MemberId(folding.event.stream.id())));
    if let Event::Erased(erased) = event {
        return tell(folding, &erased.told, erased.at);
    }
    if folding.is_erased(MemberId(folding.event.stream.id()))? {
        return Ok(()); // nothing follows an erasure
    }
    match event {
        Event::Drafted(drafted) => write(folding, &Attempt::new(drafted.clone()), Some(folding.position())),
        Event::Sent(sent) => change(folding, sent.attempt, event),
        Event::Moved(moved) => change(folding, moved.attempt, event),
        Event::Overridden(overridden) => change(folding, overridden.attempt, event),
        Event::OverrideReviewed(reviewed) => change(folding, reviewed.attempt, event),
        Event::Allowed(allowed) => allow(folding, allowed),
        Event::Withdrawn(withdrawn) => withdraw(folding, withdrawn),
        Event::NeedStated(_)
        | Event::NeedChanged(_)
        | Event::NeedClosed(_)
        | Event::LinkIssued(_)
        | Event::LinkExtended(_)
        | Event::LinkRevoked(_)
        | Event::RestLifted(_)
        | Event::Erased(_) => Ok(()),
    }
}

/// What is said of people elsewhere, as far as a partner may read more or less because of it.
fn person(folding: &Folding<'_>, event: &people::Event) -> rusqlite::Result<()> {
    use people::{Event, Merged, Objected, ObjectionWithdrawn, Restricted, Unmerged, Unrestricted};
    let member = match event {
        Event::Merged(Merged { from, into, .. }) => {
            merge(folding, *from, *into)?;
            *into
        }
        Event::Unmerged(Unmerged { from, into }) => {
            let delete = "DELETE FROM referral_persons WHERE org = ?1 AND member = ?2";
            folding.rows.prepare_cached(delete)?.execute(params![folding.org(), from.0.as_bytes()])?;
            show_again(folding, *from)?;
            *into
        }
        Event::Restricted(Restricted { member })
        | Event::Unrestricted(Unrestricted { member })
        | Event::Objected(Objected { member, purpose: Purpose::Referral })
        | Event::ObjectionWithdrawn(ObjectionWithdrawn { member, purpose: Purpose::Referral }) => *member,
        Event::Adopted(adopted) => {
            for (member, person) in &adopted.people {
                if let Some(into) = person.merged_into {
                    merge(folding, *member, into)?;
                }
            }
            return Ok(());
        }
        Event::Objected(_)
        | Event::ObjectionWithdrawn(_)
        | Event::ToldApart(_)
        | Event::HoldPlaced(_)
        | Event::HoldLifted(_)
        | Event::Erased(_) => return Ok(()),
    };
    show_again(folding, member)
}

fn merge(folding: &Folding<'_>, from: MemberId, into: MemberId) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO referral_persons VALUES (?1, ?2, ?3)";
    folding.rows.prepare_cached(insert)?.execute(params![folding.org(), from.0.as_bytes(), into.0.as_bytes()])?;
    Ok(())
}

/// Has partners look again at what is with them of a person, under any of their records.
fn show_again(folding: &Folding<'_>, member: MemberId) -> rusqlite::Result<()> {
    let mut found = folding.rows.prepare_cached(
        "WITH RECURSIVE above (id) AS (
             VALUES (?2)
             UNION SELECT into_member FROM above CROSS JOIN referral_persons ON member = above.id WHERE org = ?1),
         records (id) AS (
             SELECT id FROM above
             UNION SELECT member FROM records CROSS JOIN referral_persons ON into_member = records.id WHERE org = ?1)
         SELECT referrals.id, partner, attempt FROM referrals
         WHERE org = ?1 AND member IN (SELECT id FROM records) ORDER BY position",
    )?;
    let rows = found.query_map(params![folding.org(), member.0.as_bytes()], |row| {
        Ok((row::uuid(row, 0)?, PartnerId(row::uuid(row, 1)?), row::json::<Attempt>(row, 2)?))
    })?;
    for (id, partner, attempt) in rows.collect::<Result<Vec<_>, _>>()? {
        if attempt.stage.is_live() {
            let updated_at = updated_at(folding, partner)?;
            let update = "UPDATE referrals SET updated_at = ?3 WHERE org = ?1 AND id = ?2";
            folding.rows.prepare_cached(update)?.execute(params![folding.org(), id.as_bytes(), updated_at])?;
        }
    }
    Ok(())
}

fn change(folding: &Folding<'_>, id: AttemptId, event: &Event) -> rusqlite::Result<()> {
    let known: Option<Attempt> = folding
        .rows
        .prepare_cached("SELECT attempt FROM referrals WHERE org = ?1 AND id = ?2")?
        .query_row(params![folding.org(), id.0.as_bytes()], |row| row::json(row, 0))
        .optional()?;
    let Some(mut attempt) = known else { return Ok(()) };
    attempt.evolve(event);
    // What the partner reads is long, and read in the log alone.
    if let Some(sent) = &mut attempt.sent {
        let Ok(nothing) = "".parse();
        sent.projection = nothing;
    }
    write(folding, &attempt, None)
}

/// Writes a referral, which begins at `position` or is there already.
fn write(folding: &Folding<'_>, attempt: &Attempt, position: Option<i64>) -> rusqlite::Result<()> {
    let ends_at = match attempt.sent.as_ref().filter(|_| attempt.stage.is_live()).map(|sent| &sent.basis) {
        Some(Basis::Override { until, .. }) => Some(until.as_second()),
        Some(Basis::Consent(_)) | None => None,
    };
    let json = serde_json::to_string(attempt).expect("string keys only");
    let drafted = &attempt.drafted;
    let updated_at = updated_at(folding, drafted.partner)?;
    if let Some(position) = position {
        let mut insert =
            folding.rows.prepare_cached("INSERT INTO referrals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        insert.execute(params![
            folding.org(),
            drafted.attempt.0.as_bytes(),
            folding.event.stream.id().as_bytes(),
            drafted.partner.0.as_bytes(),
            position,
            updated_at,
            attempt.stage.as_str(),
            ends_at,
            json,
        ])?;
    } else {
        let mut update = folding.rows.prepare_cached(
            "UPDATE referrals SET updated_at = ?3, stage = ?4, ends_at = ?5, attempt = ?6 WHERE org = ?1 AND id = ?2",
        )?;
        let stage = attempt.stage.as_str();
        update.execute(params![folding.org(), drafted.attempt.0.as_bytes(), updated_at, stage, ends_at, json])?;
    }
    Ok(())
}

/// When a referral to the partner changes by this event: later than any did before, whatever clocks say, so that a partner
/// that asks for what is later than the latest that it knows misses nothing.
fn updated_at(folding: &Folding<'_>, partner: PartnerId) -> rusqlite::Result<i64> {
    let mut next = folding.rows.prepare_cached(
        "INSERT INTO referral_partners VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET updated_at = max(?3, updated_at + 1) RETURNING updated_at",
    )?;
    let recorded = folding.event.recorded_at.as_microsecond();
    next.query_row(params![folding.org(), partner.0.as_bytes(), recorded], |row| row.get(0))
}

fn allow(folding: &Folding<'_>, allowed: &Allowed) -> rusqlite::Result<()> {
    let Some(until) = allowed.until else { return Ok(()) };
    let mut insert = folding.rows.prepare_cached("INSERT INTO disclosures VALUES (?1, ?2, ?3, ?4)")?;
    let member = folding.event.stream.id();
    insert.execute(params![folding.org(), member.as_bytes(), allowed.consent.0.as_bytes(), until.as_second()])?;
    Ok(())
}

fn withdraw(folding: &Folding<'_>, withdrawn: &Withdrawn) -> rusqlite::Result<()> {
    let mut delete =
        folding.rows.prepare_cached("DELETE FROM disclosures WHERE org = ?1 AND member = ?2 AND id = ?3")?;
    for consent in &withdrawn.consents {
        delete.execute(params![folding.org(), folding.event.stream.id().as_bytes(), consent.0.as_bytes()])?;
    }
    Ok(())
}

/// Keeps of whom was erased which partners have to be told: which referral it was, and nothing of whom.
fn tell(folding: &Folding<'_>, told: &BTreeMap<AttemptId, PartnerId>, at: Timestamp) -> rusqlite::Result<()> {
    let mut insert = folding.rows.prepare_cached("INSERT INTO referral_erasures VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (attempt, partner) in told {
        let (at, updated_at) = (at.as_second(), updated_at(folding, *partner)?);
        insert.execute(params![folding.org(), attempt.0.as_bytes(), partner.0.as_bytes(), at, updated_at])?;
    }
    Ok(())
}

/// A referral, as far as lists need it.
#[derive(Debug, Clone)]
pub(crate) struct ReferralRow {
    pub member: MemberId,
    pub position: i64,
    pub attempt: Attempt,
}

/// A referral, of which the columns begin here.
fn referral(row: &Row<'_>, column: usize) -> rusqlite::Result<ReferralRow> {
    let (member, position) = (MemberId(row::uuid(row, column)?), row.get(column + 1)?);
    Ok(ReferralRow { member, position, attempt: row::json(row, column + 2)? })
}

/// Which referrals are listed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub stage: Option<Stage>,
    pub partner: Option<PartnerId>,
}

/// Referrals after the one that was drafted at this position, in their order.
pub(crate) fn referrals(
    connection: &Connection,
    org: &str,
    wanted: Wanted,
    after: Option<i64>,
    rows: usize,
) -> rusqlite::Result<Vec<ReferralRow>> {
    let (stage, partner) = (wanted.stage.map(Stage::as_str), wanted.partner.map(|partner| partner.0.into_bytes()));
    let by = match (stage, partner) {
        (_, Some(_)) => "AND partner = ?5 AND (?4 IS NULL OR stage = ?4)",
        (Some(_), None) => "AND stage = ?4 AND ?5 IS NULL",
        (None, None) => "AND ?4 IS NULL AND ?5 IS NULL",
    };
    let sql = format!(
        "SELECT member, position, attempt FROM referrals WHERE org = ?1 AND position > ?2 {by}
         ORDER BY position LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let params = params![org, after.unwrap_or(0), row::limit(rows), stage, partner];
    statement.query_map(params, |row| referral(row, 0))?.collect()
}

/// What a partner is told of one of its referrals.
#[derive(Debug, Clone)]
pub(crate) struct Fed {
    /// When it last changed, in microseconds since 1970: of one partner no two are alike.
    pub updated_at: i64,
    pub what: FedWhat,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one page
pub(crate) enum FedWhat {
    /// It was sent.
    Sent(ReferralRow),
    /// Whose it was, was erased then.
    Erased(AttemptId, Timestamp),
}

/// What was sent to a partner and changed between these instants, in microseconds, both included, and after the one of
/// `after`; the one that changed first first.
pub(crate) fn fed(
    connection: &Connection,
    (org, partner): (&str, PartnerId),
    (from, through): (i64, i64),
    after: Option<i64>,
    rows: usize,
) -> rusqlite::Result<Vec<Fed>> {
    let mut statement = connection.prepare_cached(
        "SELECT updated_at, member, position, attempt, NULL, NULL FROM referrals
         WHERE org = ?1 AND partner = ?2 AND updated_at BETWEEN ?3 AND ?4 AND attempt ->> '$.sent' IS NOT NULL
         UNION ALL
         SELECT updated_at, NULL, NULL, NULL, id, at FROM referral_erasures
         WHERE org = ?1 AND partner = ?2 AND updated_at BETWEEN ?3 AND ?4
         ORDER BY 1 LIMIT ?5",
    )?;
    let from = after.map_or(from, |after| from.max(after.saturating_add(1)));
    let params = params![org, partner.0.as_bytes(), from, through, row::limit(rows)];
    let found = statement.query_map(params, |row| {
        let erased = row.get::<_, Option<[u8; 16]>>(4)?;
        let what = match erased {
            Some(_) => FedWhat::Erased(AttemptId(row::uuid(row, 4)?), row::time(row, 5)?),
            None => FedWhat::Sent(referral(row, 1)?),
        };
        Ok(Fed { updated_at: row.get(0)?, what })
    })?;
    found.collect()
}

/// Referrals of these records, or of all, each with the record under which the person goes on.
pub(crate) fn waiting(
    connection: &Connection,
    org: &str,
    records: Option<&[MemberId]>,
) -> rusqlite::Result<Vec<(MemberId, Attempt)>> {
    let of_all = "SELECT member, attempt FROM referrals WHERE org = ?1 AND ?2 IS NULL";
    let of_some = "SELECT member, attempt FROM referrals
                   WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2))";
    let mut statement = connection.prepare_cached(if records.is_some() { of_some } else { of_all })?;
    let records = records.map(|records| records.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>());
    let records = records.map(|records| serde_json::to_string(&records).expect("strings"));
    let rows = statement.query_map(params![org, records], |row| {
        let member = projections::goes_on_as(connection, org, MemberId(row::uuid(row, 0)?))?;
        Ok((member, row::json(row, 1)?))
    })?;
    rows.collect()
}

/// Records of which a consent, or what is told without one, has ended by now.
pub(crate) fn that_end(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(OrgId, MemberId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, member FROM disclosures WHERE until <= ?1
         UNION SELECT org, member FROM referrals WHERE ends_at <= ?1",
    )?;
    statement.query_map([now.as_second()], |row| Ok((row::text(row, 0)?, MemberId(row::uuid(row, 1)?))))?.collect()
}

/// Referrals to which time alone does something some day: nobody has answered, or they are to be cancelled.
pub(crate) fn that_lapse(connection: &Connection) -> rusqlite::Result<Vec<(OrgId, MemberId, Attempt)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, member, attempt FROM referrals WHERE stage IN ('sent', 'received', 'cancel_requested')",
    )?;
    let rows =
        statement.query_map([], |row| Ok((row::text(row, 0)?, MemberId(row::uuid(row, 1)?), row::json(row, 2)?)))?;
    rows.collect()
}
