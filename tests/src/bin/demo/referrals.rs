//! Referrals in the demo: some members are referred to three partners, each with a course that is known beforehand; and
//! whether the report says so.

use std::collections::BTreeMap;

use anyhow::Context;
use domain::{MemberId, PartnerId};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::Method;
use reporting::{FunnelRow, ReferralsReport};
use serde_json::{Value, json};
use tests::http::Client;

use super::{READS_AT_ONCE, Show, step};

/// Most members who are referred, a count.
const REFERRED_MAX: usize = 300;
/// What partners are called.
const PARTNERS: [&str; 3] = ["Harbour Counselling", "Lighthouse Clinic", "Riverside Advice"];

/// How a referral goes: what the partner does by its link, then what the coordinator does.
struct Course {
    partner: &'static [&'static str],
    coordinator: &'static [&'static str],
    /// What it adds to the funnel.
    counts: fn(&mut FunnelRow),
}

/// The courses, one member after the other.
const COURSES: [Course; 10] = [
    Course { partner: &[], coordinator: &[], counts: |row| row.under_way += 1 },
    Course {
        partner: &[""],
        coordinator: &[],
        counts: |row| (row.opened, row.under_way) = (row.opened + 1, row.under_way + 1),
    },
    Course {
        partner: &["", r#"{"decline":{"reason":"no_capacity"}}"#],
        coordinator: &[],
        counts: |row| {
            decided(row);
            row.declined_by_service += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#, r#"{"waitlist":{"position":3}}"#],
        coordinator: &[],
        counts: |row| {
            accepted(row);
            row.under_way += 1;
        },
    },
    Course {
        partner: &[
            r#"{"accept":{}}"#,
            r#"{"schedule":{"starts_at":"2027-01-05T15:00:00Z"}}"#,
            r#"{"record_no_show":{"reason":"transport"}}"#,
            r#"{"give_up":{"tries":3,"channels":["phone","sms"]}}"#,
        ],
        coordinator: &[],
        counts: |row| {
            accepted(row);
            row.unreachable += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#],
        coordinator: &["withdraw"],
        counts: |row| {
            accepted(row);
            row.withdrawn += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#, r#"{"engage":{}}"#, r#"{"complete":{"outcome":"service_received"}}"#],
        coordinator: &[r#"{"answer":{"answer":"helped"}}"#],
        counts: |row| {
            completed(row);
            row.helped += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#, r#"{"engage":{}}"#, r#"{"complete":{"outcome":"service_received"}}"#],
        coordinator: &[r#"{"answer":{"answer":"not"}}"#],
        counts: |row| {
            completed(row);
            row.not_helped += 1;
            row.discordant += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#, r#"{"engage":{}}"#, r#"{"complete":{"outcome":"partly_received"}}"#],
        coordinator: &[r#"{"answer":{"answer":"partly"}}"#],
        counts: |row| {
            completed(row);
            row.partly += 1;
        },
    },
    Course {
        partner: &["", r#"{"accept":{}}"#],
        coordinator: &[r#"{"decline_for_member":{"reason":"found_other_help"}}"#],
        counts: |row| {
            accepted(row);
            row.declined_by_member += 1;
        },
    },
];

fn decided(row: &mut FunnelRow) {
    row.opened += 1;
    row.decided += 1;
}

fn accepted(row: &mut FunnelRow) {
    decided(row);
    row.accepted += 1;
}

fn completed(row: &mut FunnelRow) {
    accepted(row);
    row.contacted += 1;
    row.completed += 1;
}

/// A partner, and the service that members are referred to.
struct Referee {
    partner: PartnerId,
    service: String,
}

/// What the report must say, and up to where to read for it.
pub(super) struct Referred {
    rows: Vec<FunnelRow>,
    position: u64,
}

impl Referred {
    /// Up to where to read to see all of it.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How many members withdrew their consent: no partner has acknowledged that.
    pub(super) fn withdrawn(&self) -> usize {
        self.rows.iter().map(|row| usize::try_from(row.withdrawn).unwrap_or(usize::MAX)).sum()
    }
}

impl Show<'_> {
    /// Refers some of these members, and lets each side answer.
    pub(super) async fn refer(&self, members: &[MemberId]) -> anyhow::Result<Referred> {
        let referees = self.referees().await?;
        let members = &members[..members.len().min(REFERRED_MAX)];
        step(&format!("{} members are referred to {} partners, who answer by links", members.len(), referees.len()));
        let mut rows: BTreeMap<PartnerId, FunnelRow> = BTreeMap::new();
        for n in 0..members.len() {
            let partner = referees[n % referees.len()].partner;
            let row =
                rows.entry(partner).or_insert_with(|| FunnelRow { partner: Some(partner), ..FunnelRow::default() });
            (row.people, row.sent) = (row.people + 1, row.sent + 1);
            (COURSES[n % COURSES.len()].counts)(row);
        }
        let one = |(n, member): (usize, &MemberId)| {
            self.refer_one(*member, &referees[n % referees.len()], &COURSES[n % COURSES.len()])
        };
        let sent = stream::iter(members.iter().enumerate().map(one)).buffer_unordered(READS_AT_ONCE);
        let positions: Vec<u64> = sent.try_collect().await?;
        Ok(Referred { rows: rows.into_values().collect(), position: positions.into_iter().max().unwrap_or_default() })
    }

    async fn referees(&self) -> anyhow::Result<Vec<Referee>> {
        let (mut client, mut referees) = (self.client(), Vec::new());
        for name in PARTNERS {
            let calendar = json!({ "time_zone": "America/New_York", "working_days": ["MO", "TU", "WE", "TH", "FR"] });
            let partner = said(&mut client, "/v1/partners", json!({ "name": name, "calendar": calendar })).await?.0;
            let partner: PartnerId = partner["id"].as_str().context("a partner's id")?.parse()?;
            let service = partner.to_string();
            let path = format!("/v1/partners/{partner}/services/{service}");
            let details = json!({ "name": name, "status": "active", "may_receive": ["alias", "ask"] });
            client.command(Method::PUT, &path, &path, &details).await?.ok()?;
            referees.push(Referee { partner, service });
        }
        Ok(referees)
    }

    /// Refers one member, as the course says; answers up to where to read to see it.
    async fn refer_one(&self, member: MemberId, to: &Referee, course: &Course) -> anyhow::Result<u64> {
        let (mut client, of) = (self.client(), |what: &str| format!("/v1/members/{member}/{what}"));
        let need = json!({ "urgency": "routine", "says": { "ask": "Somebody to talk to" },
            "refer_to": { "partner": to.partner, "service": to.service } });
        let referral = said(&mut client, &of("needs"), need).await?.0["referral"].take();
        let referral = of(&format!("referrals/{}", referral.as_str().context("a referral's id")?));
        let elements =
            ["subject", "discloser", "information", "recipient", "purpose", "revocation", "end", "signature"];
        let allow = json!({ "law": "part2", "partners": [to.partner], "items": ["ask"], "text": "demo", "means": "verbal",
            "elements": elements });
        said(&mut client, &of("disclosures"), allow).await?;
        let preview = said(&mut client, &format!("{referral}/preview"), json!({})).await?.0;
        let sending = json!({ "preview": preview["preview"], "link": true });
        let (sent, mut position) = said(&mut client, &format!("{referral}/sending"), sending).await?;
        let link = sent["link"]["path"].as_str().and_then(|path| path.split_once('#')).context("a link")?.1;
        let mut partner = Client::new(self.address, link);
        for what in course.partner {
            let step = if what.is_empty() {
                said(&mut partner, "/v1/link/opening", json!({})).await?
            } else {
                said(&mut partner, "/v1/link/steps", json!({ "what": serde_json::from_str::<Value>(what)? })).await?
            };
            position = position.max(step.1);
        }
        for what in course.coordinator {
            let step = if *what == "withdraw" {
                said(&mut client, &of("disclosures/withdrawal"), json!({ "means": "verbal" })).await?
            } else {
                let what: Value = serde_json::from_str(what)?;
                said(&mut client, &format!("{referral}/steps"), json!({ "what": what })).await?
            };
            position = position.max(step.1);
        }
        Ok(position)
    }

    /// Where the report on referrals says something else than is known; one sentence each. And rows compared.
    pub(super) async fn compare_referrals(&self, known: &Referred) -> anyhow::Result<(usize, Vec<String>)> {
        let report = self.funnel("partner", known.position).await?;
        let mut found = Vec::new();
        for row in &known.rows {
            let said = report.rows.iter().find(|said| said.partner == row.partner).cloned().unwrap_or_default();
            let medians = [said.median_days_to_decision, said.median_days_to_contact];
            // All of it happened just now.
            if medians.iter().any(|median| median.is_none_or(|days| days > 1.0)) && row.contacted > 0 {
                found.push(format!("referrals were decided and contacted after {medians:?} days"));
            }
            let said = FunnelRow { median_days_to_decision: None, median_days_to_contact: None, ..said };
            if said != *row {
                found.push(format!("the funnel says {said:?}, but it was {row:?}"));
            }
        }
        Ok((known.rows.len(), found))
    }

    /// The funnel, for who looks on.
    pub(super) async fn tell_funnel(&self, known: &Referred) -> anyhow::Result<()> {
        for row in self.funnel("partner", known.position).await?.rows {
            println!(
                "Referrals: {} sent, {} opened, {} accepted, {} completed; {} members say that it helped, {} that it did not",
                row.sent,
                row.opened,
                row.accepted,
                row.completed,
                row.helped + row.partly,
                row.not_helped
            );
        }
        println!();
        Ok(())
    }

    async fn funnel(&self, by: &str, position: u64) -> anyhow::Result<ReferralsReport> {
        let today = kith::clock().now().to_zoned(jiff::tz::TimeZone::UTC).date();
        // Of yesterday, if it was midnight meanwhile.
        let month = |day: jiff::civil::Date| format!("{:04}-{:02}", day.year(), day.month());
        let (from, through) = (month(today.yesterday()?), month(today));
        let path = format!("/v1/reports/referrals?from={from}&through={through}&by={by}");
        let answer = self.read(&mut self.client(), &path, position).await?;
        serde_json::from_slice(&answer.body).context("the report on referrals cannot be read")
    }
}

/// Sends a command, under a key that it has by what it says; answers what was said, and up to where to read to see it.
async fn said(client: &mut Client, path: &str, body: Value) -> anyhow::Result<(Value, u64)> {
    // Links say the same to the same path: each is another caller, whose keys are its own.
    let key = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{path} {body}").as_bytes()).to_string();
    let answer = client.command(Method::POST, path, &key, &body).await?.ok().with_context(|| format!("POST {path}"))?;
    let position = answer.position.unwrap_or_default();
    Ok((if answer.body.is_empty() { Value::Null } else { answer.json() }, position))
}
