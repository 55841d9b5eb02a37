//! Opening sealed scores: what a report on outcomes does with the answers of many members.

use std::{path::Path, time::Instant};

use anyhow::Context;
use domain::{
    CheckInId, DomainEvent, MemberId, OrgId,
    care::{self, CheckInRecorded, EnteredBy, When},
    instrument::{Answer, Given, shipped},
    protocol::Edition,
};
use eventlog::{Position, Recorded, StreamName};
use jiff::{Timestamp, civil::date};
use reporting::{FactStore, Facts, Opener, Period};
use uuid::Uuid;
use vault::{Kek, Key, SealedAs, Vault};
use web::Sealable;

use super::{Bench, Figures};
use crate::load::per_second;

/// Members, a count.
const MEMBERS: u64 = 20_000;
/// Check-ins of each, a count.
const CHECK_INS: u64 = 10;
/// How often all of it is opened, a count: the best counts, as others want the processor too.
const TIMES: usize = 5;
/// Events that become facts at once, a count.
const BATCH: usize = 10_000;

/// Measures how many full PHQ-9 a second are opened and scored, from the keys in the vault on.
///
/// # Errors
/// If the disk refuses, or not everything opens.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let dir = bench.place.join("scores");
    std::fs::create_dir_all(&dir)?;
    let org: OrgId = "scores".parse()?;
    let members: Vec<_> = (0..bench.count(MEMBERS)).map(|n| MemberId(Uuid::from_u64_pair(1, n))).collect();
    let vault = Vault::open(&dir.join("vault.db"), Kek::new([3; 32]), fresh)?;
    let mut keys = Vec::with_capacity(members.len());
    for member in &members {
        keys.push((*member, vault.key_or_new(&org, *member).await?));
    }
    let (facts, period) = (dir.clone(), Period::new("2026-01".parse()?, "2026-12".parse()?)?);
    let write = (keys, org.clone());
    tokio::task::spawn_blocking(move || write_facts(&facts, write)).await??;
    let mut best = 0.0_f64;
    for _ in 0..TIMES {
        let (facts, of) = (dir.clone(), org.clone());
        let sealed = tokio::task::spawn_blocking(move || Facts::at(&facts).outcomes(&of, period)).await??;
        let started = Instant::now();
        let keys = vault.keys(&org, &members).await?;
        let instruments = sealed.editions().iter().map(|(id, version)| shipped(id, *version).cloned()).collect();
        let opener = Opener::new(org.clone(), keys, instruments);
        let outcomes = sealed.open(&opener, false);
        best = best.max(per_second(sealed.check_ins() as u64, started.elapsed()));
        let change = outcomes.changes.first().context("a score")?;
        anyhow::ensure!(change.scores == members.len() as u64 * CHECK_INS, "{} scores open", change.scores);
    }
    figures.add("scores_open_per_s", best, "goal ≥ 500,000; full PHQ-9 of 20,000 members, opened, scored, paired");
    Ok(())
}

/// A key for each, which nobody has to guess here.
fn fresh() -> [u8; 56] {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [7; 56];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    bytes
}

fn write_facts(dir: &Path, (keys, org): (Vec<(MemberId, Key)>, OrgId)) -> anyhow::Result<()> {
    let mut facts = FactStore::open(dir)?;
    let taken = (0..CHECK_INS).flat_map(|n| keys.iter().map(move |(member, key)| (n, *member, key)));
    let mut batch = Vec::with_capacity(BATCH);
    for (position, (n, member, key)) in taken.enumerate() {
        batch.push(recorded(position as u64 + 1, &org, (member, key), n)?);
        if batch.len() == BATCH {
            facts.apply(&batch)?;
            batch.clear();
        }
    }
    Ok(facts.apply(&batch)?)
}

/// The n-th check-in of a member, as the log has it.
fn recorded(position: u64, org: &OrgId, (member, key): (MemberId, &Key), n: u64) -> anyhow::Result<Recorded> {
    let check_in = CheckInId(Uuid::from_u64_pair(2, position));
    let answers = (1..=9).map(|item: u64| {
        let raw = u8::try_from((item + n + position) % 4)?;
        Ok((item.to_string().parse()?, Answer::Answered(raw)))
    });
    let given = Given::Answers(answers.collect::<anyhow::Result<_>>()?);
    let day = date(2026, i8::try_from(n % 12)? + 1, 1);
    let event = care::Event::CheckInRecorded(CheckInRecorded {
        check_in,
        edition: Edition { instrument: "phq-9".parse()?, version: 1, norm_set: None },
        when: When { on: day, group: None, meeting: None },
        language: None,
        entered_by: EnteredBy::Member,
        answers: key.seal(org, check_in.0, SealedAs::Answers, &given.bytes()),
    });
    let (event_type, version) = event.event_type();
    Ok(Recorded {
        position: Position(position),
        stream: StreamName::new(care::Event::CATEGORY, org, member.0),
        revision: n,
        id: Uuid::from_u64_pair(3, position),
        event_type: event_type.into(),
        version,
        recorded_at: Timestamp::UNIX_EPOCH,
        data: event.encode().into(),
        metadata: b"{}".as_slice().into(),
    })
}
