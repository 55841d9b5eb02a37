//! Show a member's whole record.

use std::fmt::Write;

use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
};
use domain::{
    ConsentId, HoldId, MeetingId, MemberId, Subject,
    meeting::Mood,
    member::{Details, Field, Means, Profile, Purpose, Record},
};
use eventlog::give_way;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use vault::{Key, SealedAs, VaultError};
use web::{After, Caller, CallerMay, Path, Problem, Problems, Query, Read};

use crate::{
    OF_MEMBERS, Projections,
    audit_view::{self, Opening},
    op,
    opening::{Look, UNREADABLE, unreadable},
    person::{self, MemberAttendance, MemberView},
    reason_view::{self, Reason, ReasonFor},
    record_view,
    register_view::{self, SealedMood},
};

/// Most openings in a record, a count; the rest is listed by `list_accesses`.
const ACCESSES_MAX: usize = 1_000;

/// How the record is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RecordFormat {
    /// For machines.
    #[default]
    Json,
    /// For the member to read.
    Html,
}

/// What is asked of the record.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordQuery {
    /// json (the default) or html.
    #[serde(default)]
    #[param(inline)]
    format: RecordFormat,
}

/// Everything that is kept about a member (GDPR Art. 15 and 20).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MemberRecord {
    member: MemberView,
    #[serde(flatten)]
    agreed: Agreed,
    /// Second records of the same person, which were merged into this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    second_records: Vec<SecondRecord>,
    /// What was written about the person, in the order of the records.
    reasons: Vec<ReasonLine>,
    /// The mark at each meeting, latest first.
    attendances: Vec<MemberAttendance>,
    /// How the person said they feel, in the order of the records, latest meeting first.
    moods: Vec<MoodLine>,
    /// Who opened the record, latest first; at most 1,000.
    accesses: Vec<Opening>,
}

/// A second record of the same person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SecondRecord {
    id: MemberId,
    profile: Profile,
    #[serde(flatten)]
    agreed: Agreed,
}

/// What a member allows and forbids, and what keeps the record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Agreed {
    consents: Vec<ConsentLine>,
    /// Purposes to which the member objected.
    objections: Vec<Purpose>,
    /// Legal holds that keep the record from being erased, and when each is reviewed.
    holds: Vec<HoldLine>,
}

/// Something that was written about a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReasonLine {
    at: Timestamp,
    given_for: ReasonFor,
    reason: String,
}

/// How a member said they feel at a meeting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MoodLine {
    meeting: MeetingId,
    starts_at: Timestamp,
    /// Missing if it cannot be read: it was changed, or the member's key is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    mood: Option<Mood>,
    /// Who entered it.
    entered_by: Subject,
}

/// A consent that was not withdrawn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConsentLine {
    consent: ConsentId,
    purpose: Purpose,
    text: String,
    given_on: Date,
    means: Means,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// A legal hold.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct HoldLine {
    hold: HoldId,
    review_on: Date,
}

/// Show a member's record
///
/// Everything that is kept about a member but for their care, opened, and who has seen it: for the member to have, as JSON
/// or as a page to read. Check-ins and goals are in their journey.
#[utoipa::path(get, path = "/v1/members/{member}/record", tag = "views",
    params(("member" = MemberId, Path, description = "Whose record"), RecordQuery),
    responses(
        (status = 200, description = "The record", content((MemberRecord = "application/json"), (String = "text/html"))),
        Problems,
    ))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_record(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowRecord>,
    after: After,
    Path(member): Path<MemberId>,
    Query(RecordQuery { format }): Query<RecordQuery>,
) -> Result<Response, Problem> {
    caller.require_member(member, true)?;
    let (org, now) = (caller.org.clone(), projections.now());
    let read = move |connection: &_| {
        let Some(found) = person::find(connection, org.as_str(), member, &now)? else { return Ok(None) };
        let attendances = person::attendances(connection, org.as_str(), member)?;
        let (mut seconds, mut reasons, mut moods) = (Vec::new(), Vec::new(), Vec::new());
        let records = record_view::same_person(connection, org.as_str(), member)?;
        let accesses = audit_view::of_person(connection, org.as_str(), &records, None, ACCESSES_MAX)?;
        for id in records {
            reasons.push((id, reason_view::of_member(connection, org.as_str(), id)?));
            moods.extend(register_view::moods_of(connection, org.as_str(), id)?);
            if id != member {
                seconds.extend(record_view::find(connection, org.as_str(), id)?.map(|record| (id, record)));
            }
        }
        Ok(Some((found, seconds, reasons, attendances, moods, accesses)))
    };
    let Read(position, ((mut view, record), seconds, reasons, attendances, moods, mut accesses)) = projections
        .find(&[OF_MEMBERS, &[&reason_view::REASONS, &audit_view::OPENINGS]].concat(), after, "member", read)
        .await?;
    accesses.truncate(ACCESSES_MAX);
    let sealed = [(member, &record)].into_iter().chain(seconds.iter().map(|(id, record)| (*id, record)));
    let sealed: Vec<_> = sealed.map(|(id, record)| (id, record.fields.clone())).collect();
    let look = Look::at_members(&caller, "show_record", position, sealed.iter().map(|(id, _)| *id));
    let mut opened = projections.open_all(look, sealed, Field::ALL).await?;
    view.profile = opened.profiles.remove(&member).unwrap_or_default();
    view.unreadable = opened.unreadable.contains(&member);
    let mut second_records = Vec::with_capacity(seconds.len());
    for (id, record) in seconds {
        let (profile, agreed) =
            (opened.profiles.remove(&id).unwrap_or_default(), projections.agreed(&caller, id, &record).await?);
        second_records.push(SecondRecord { id, profile, agreed });
    }
    let agreed = projections.agreed(&caller, member, &record).await?;
    let reasons = projections.reasons(&caller, reasons).await?;
    let moods = projections.mood_lines(&caller, moods).await?;
    let record = MemberRecord { member: view, agreed, second_records, reasons, attendances, moods, accesses };
    let write = move || match format {
        RecordFormat::Json => Read(position, record).into_response(),
        RecordFormat::Html => Html(page(&record)).into_response(),
    };
    Ok(projections.authenticator.compute.run(caller.asking(), write).await?)
}

impl Projections {
    async fn reasons(&self, caller: &Caller, sealed: Vec<(MemberId, Vec<Reason>)>) -> Result<Vec<ReasonLine>, Problem> {
        let mut lines = Vec::new();
        for (member, reasons) in sealed.into_iter().filter(|(_, reasons)| !reasons.is_empty()) {
            let key = match self.personal.vault.key(&caller.org, member).await {
                // Erased since the view was read.
                Err(VaultError::Erased) => continue,
                Err(VaultError::Missing(_)) => None,
                key => key?,
            };
            for (at, given_for, sealed) in reasons {
                let opened = key.as_ref().map(|key| key.open(&caller.org, member.0, given_for.sealed_as(), &sealed));
                give_way(sealed.as_str().len()).await;
                let reason = if let Some(Ok(opened)) = opened {
                    String::from_utf8_lossy(&opened).into_owned()
                } else {
                    unreadable(member, &"a reason does not open");
                    UNREADABLE.to_owned()
                };
                lines.push(ReasonLine { at, given_for, reason });
            }
        }
        Ok(lines)
    }

    async fn mood_lines(&self, caller: &Caller, sealed: Vec<SealedMood>) -> Result<Vec<MoodLine>, Problem> {
        let mut opened = self.moods(caller, &sealed).await?;
        let line = |SealedMood { member, meeting, starts_at, entered_by, .. }| {
            let mood = opened.remove(&(member, meeting))?;
            Some(MoodLine { meeting, starts_at, mood, entered_by })
        };
        Ok(sealed.into_iter().filter_map(line).collect())
    }

    async fn agreed(&self, caller: &Caller, member: MemberId, record: &Record) -> Result<Agreed, Problem> {
        let key = match self.personal.vault.key(&caller.org, member).await {
            Err(VaultError::Missing(_)) => None,
            key => key?,
        };
        let open = |sealed: &domain::Sealed| -> Option<Details> {
            let key: &Key = key.as_ref()?;
            let opened = key.open(&caller.org, member.0, SealedAs::Consent, sealed);
            let opened = opened.map_err(|error| unreadable(member, &error)).ok()?;
            // The parser's words could hold what it could not read.
            domain::stored(&opened).map_err(|_| unreadable(member, &"a consent is none")).ok()
        };
        let lines = record.permissions.consents.values().map(|given| ConsentLine {
            consent: given.consent,
            purpose: given.purpose,
            text: given.text.to_string(),
            given_on: given.given_on,
            means: given.means,
            expires_on: given.expires_on,
            details: given.details.as_ref().and_then(open),
        });
        Ok(Agreed {
            consents: lines.collect(),
            objections: record.permissions.objections.iter().copied().collect(),
            holds: record
                .holds
                .iter()
                .map(|(hold, review_on)| HoldLine { hold: *hold, review_on: *review_on })
                .collect(),
        })
    }
}

/// The record as a page that needs nothing else.
fn page(record: &MemberRecord) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Your record</title>\
         <style>body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
         dt{font-weight:bold}dd{margin:0 0 .5rem 1.5rem}li{margin-bottom:.5rem}</style>\
         <h1>Your record</h1><p>Everything that is kept about you, and who has seen it.</p>",
    );
    let value = serde_json::to_value(record).expect("string keys only");
    write_html(&mut html, &value);
    html
}

fn write_html(html: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            html.push_str("<dl>");
            for (name, value) in fields {
                let _ = write!(html, "<dt>{}</dt><dd>", escaped(&name.replace('_', " ")));
                write_html(html, value);
                html.push_str("</dd>");
            }
            html.push_str("</dl>");
        }
        Value::Array(items) if items.is_empty() => html.push_str("none"),
        Value::Array(items) => {
            html.push_str("<ol>");
            for item in items {
                html.push_str("<li>");
                write_html(html, item);
                html.push_str("</li>");
            }
            html.push_str("</ol>");
        }
        Value::String(text) => html.push_str(&escaped(text)),
        Value::Null => html.push('–'),
        Value::Bool(yes) => html.push_str(if *yes { "yes" } else { "no" }),
        Value::Number(number) => html.push_str(&number.to_string()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_member_wrote_is_text_on_the_page() {
        let mut html = String::new();
        write_html(&mut html, &serde_json::json!({ "alias": "<script>alert('x')</script>" }));
        assert_eq!(html, "<dl><dt>alias</dt><dd>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</dd></dl>");
    }
}
