//! What callers ask for, by chance: few people, few groups, so that requests meet.

use domain::{GroupId, HoldId, MeetingId, MemberId, OrgId};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use uuid::Uuid;
use web::Role;

use crate::book::Asked;

/// What callers of one organisation know of it.
#[derive(Debug)]
pub(crate) struct Known {
    pub org: OrgId,
    pub groups: Vec<GroupId>,
    pub meetings: Vec<MeetingId>,
    /// Members, those asked about most often last.
    pub members: Vec<MemberId>,
    /// Whom everybody asks about just now.
    focus: Vec<MemberId>,
    pub holds: Vec<(MemberId, HoldId)>,
    pub consents: Vec<(MemberId, String)>,
    pub glasses: Vec<(MemberId, String)>,
}

impl Known {
    pub fn new(org: &str) -> Self {
        let org = org.parse().expect("an organisation's name");
        let (groups, meetings, members, focus) = (vec![], vec![], vec![], vec![]);
        Self { org, groups, meetings, members, focus, holds: vec![], consents: vec![], glasses: vec![] }
    }

    /// Somebody, most often one of the few that everybody asks about just now.
    fn member(&self, chance: &mut StdRng) -> Option<MemberId> {
        let from = if chance.random_bool(0.85) { &self.focus } else { &self.members };
        from.choose(chance).or(self.members.last()).copied()
    }

    /// Now and then everybody asks about others, of those who came lately.
    pub fn look_around(&mut self, chance: &mut StdRng) {
        if self.focus.len() < FOCUS_MEMBERS || chance.random_bool(0.03) {
            let lately = &self.members[self.members.len().saturating_sub(LATELY_MEMBERS)..];
            self.focus = lately.sample(chance, FOCUS_MEMBERS).copied().collect();
        }
    }

    /// Learns of a member.
    pub fn meets(&mut self, member: MemberId) {
        if !self.members.contains(&member) {
            self.members.push(member);
        }
    }
}

/// Members whom most requests are about, a count: two who are merged, and a third.
const FOCUS_MEMBERS: usize = 3;
/// Those who came lately, a count.
const LATELY_MEMBERS: usize = 6;

/// Those who call, of each organisation.
pub(crate) const CALLERS: &[(Role, &str)] =
    &[(Role::Admin, "ann"), (Role::Coordinator, "cy"), (Role::Facilitator, "fay"), (Role::Auditor, "aud")];

/// Kinds of requests, and how often each is chosen if a run has it: a weight.
pub(crate) const KINDS: &[(&str, u32)] = &[
    ("register", 10),
    ("import", 3),
    ("change", 6),
    ("merge", 14),
    ("unmerge", 7),
    ("hold", 9),
    ("lift", 7),
    ("erase", 12),
    ("group", 1),
    ("plan", 2),
    ("enrol", 6),
    ("leave", 2),
    ("meeting", 3),
    ("mark", 8),
    ("walk_in", 3),
    ("consent", 2),
    ("restrict", 2),
    ("object", 2),
    ("glass", 2),
    ("review", 1),
    ("revoke", 1),
    ("open", 6),
    ("search", 2),
    ("list", 3),
];

/// A request that is to be sent.
pub(crate) struct Wish {
    pub caller: usize,
    pub asked: Asked,
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
}

impl Wish {
    fn post(asked: Asked, path: String, body: Value) -> Self {
        Self { caller: ADMIN, asked, method: "POST", path, body: Some(body) }
    }

    fn put(asked: Asked, path: String, body: Value) -> Self {
        Self { method: "PUT", ..Self::post(asked, path, body) }
    }

    fn get(asked: Asked, path: String) -> Self {
        Self { caller: ADMIN, asked, method: "GET", path, body: None }
    }

    fn by(self, caller: usize) -> Self {
        Self { caller, ..self }
    }
}

const ADMIN: usize = 0;
const FACILITATOR: usize = 2;
const AUDITOR: usize = 3;

fn id(chance: &mut StdRng) -> Uuid {
    uuid::Builder::from_random_bytes(chance.random()).into_uuid()
}

fn profile(chance: &mut StdRng) -> Value {
    let n = chance.random_range(0..5);
    let mut profile = json!({ "alias": format!("Bee {}", chance.random_range(0..50)) });
    if chance.random_bool(0.6) {
        profile["email"] = format!("bee{n}@example.org").into();
    }
    if chance.random_bool(0.4) {
        profile["phone"] = format!("+1 212 555 010{n}").into();
    }
    if chance.random_bool(0.4) {
        (profile["given_name"], profile["family_name"]) = ("Bea".into(), format!("Kowal{n}").into());
        profile["year_of_birth"] = (1980 + n).into();
    }
    profile
}

/// A Tuesday near today: groups meet on Tuesdays.
fn tuesday(today: Date, chance: &mut StdRng) -> Date {
    let back = i64::from(today.weekday().to_monday_zero_offset()) - 1;
    today.saturating_sub(back.days()).saturating_add((7 * chance.random_range(0..3_i64)).days())
}

/// A request of this kind; none if nobody knows anything to ask that about.
pub(crate) fn wish(kind: &str, known: &Known, now: Timestamp, chance: &mut StdRng) -> Option<Wish> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let wish = match kind {
        "register" => {
            let member = chance.random_bool(0.7).then(|| match known.member(chance) {
                // The same one twice, now and then.
                Some(again) if chance.random_bool(0.15) => again,
                _ => MemberId(id(chance)),
            });
            let mut body = json!({ "profile": profile(chance) });
            if let Some(member) = member {
                body["member"] = member.to_string().into();
            }
            Wish::post(Asked::Register(member), "/v1/members".into(), body).by(chance.random_range(0..2))
        }
        "import" => {
            let line = |line: u32, chance: &mut StdRng| {
                let mut line = json!({ "line": line, "profile": profile(chance) });
                if chance.random_bool(0.5) {
                    let ids = json!([{ "system": "old", "value": chance.random_range(0..6).to_string() }]);
                    line["profile"]["external_ids"] = ids;
                }
                line
            };
            let lines: Vec<_> = (0..chance.random_range(1..4)).map(|n| line(n, chance)).collect();
            let body = json!({ "duplicates": "import", "lines": lines });
            Wish::post(Asked::Register(None), "/v1/imports/members".into(), body)
        }
        "group" => {
            let details = json!({ "name": "Steps", "programme": id(chance), "focus": "addiction",
                "mode": "in_person", "listed": true });
            let schedule = json!({ "starts_on": "2025-01-07", "starts_at": "19:00:00", "duration_minutes": 90,
                "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY;BYDAY=TU" });
            let body = json!({ "details": details, "schedule": schedule });
            Wish::post(Asked::Group, "/v1/groups".into(), body)
        }
        "revoke" => {
            // Of nobody who calls here: they would be gone.
            let body = json!({ "subject": format!("gone-{}", chance.random_range(0..5)) });
            Wish::post(Asked::Other, "/v1/access/revocations".into(), body)
        }
        "search" => {
            let name = *["bee", "kowal", "bea"].choose(chance)?;
            let body = json!({ "name": name });
            Wish::post(Asked::Open(MemberId(Uuid::nil()), "search_members"), "/v1/members/search".into(), body)
        }
        "list" => {
            let lists = ["/v1/groups", "/v1/programmes", "/v1/broken-glass", "/v1/overdue-registers"];
            Wish::get(Asked::Other, (*lists.choose(chance)?).into())
        }
        "plan" | "enrol" | "leave" => of_group(kind, known, today, chance)?,
        "meeting" | "mark" | "walk_in" => of_meeting(kind, known, chance)?,
        _ => of_member(kind, known, today, chance)?,
    };
    Some(wish)
}

fn of_group(kind: &str, known: &Known, today: Date, chance: &mut StdRng) -> Option<Wish> {
    let group = *known.groups.choose(chance)?;
    Some(match kind {
        "plan" => {
            let day = tuesday(today, chance);
            let body = json!({ "from": day, "through": day });
            Wish::post(Asked::Plan(group), format!("/v1/groups/{group}/meetings"), body)
        }
        "enrol" => {
            let member = if chance.random_bool(0.7) { known.member(chance) } else { None };
            let mut body = json!({ "starts_on": today.saturating_sub(30.days()) });
            if let Some(member) = member {
                body["member"] = member.to_string().into();
            }
            Wish::post(Asked::Enrol(group, member), format!("/v1/groups/{group}/enrolments"), body)
        }
        _ => {
            let member = known.member(chance)?;
            let body = json!({ "ends_on": today, "reason": "moved away" });
            Wish::post(Asked::About(member), format!("/v1/groups/{group}/enrolments/{member}/withdrawal"), body)
        }
    })
}

fn of_meeting(kind: &str, known: &Known, chance: &mut StdRng) -> Option<Wish> {
    let meeting = *known.meetings.choose(chance)?;
    let at = |what: &str| format!("/v1/meetings/{meeting}/{what}");
    Some(match kind {
        "meeting" => {
            let what = *["open", "open", "open", "hold", "cancel", "reinstate"].choose(chance)?;
            Wish::post(Asked::Meeting(meeting), at(what), Value::Null)
        }
        "mark" => {
            let (member, mark) = (known.member(chance)?, *["present", "late", "excused", "absent"].choose(chance)?);
            let body = json!({ "mark": mark });
            let path = at(&format!("attendance/{member}"));
            Wish::put(Asked::Mark(meeting, member, mark), path, body)
                .by([ADMIN, FACILITATOR][chance.random_range(0..2)])
        }
        _ => {
            let body = json!({ "mark": "present", "alias": format!("Walk {}", chance.random_range(0..9)) });
            Wish::post(Asked::WalkIn(meeting), at("walk-ins"), body)
        }
    })
}

fn of_member(kind: &str, known: &Known, today: Date, chance: &mut StdRng) -> Option<Wish> {
    let member = known.member(chance)?;
    let of = |what: &str| format!("/v1/members/{member}{what}");
    Some(match kind {
        "change" => {
            let body = profile(chance);
            Wish { method: "PATCH", ..Wish::post(Asked::Change(member), of(""), body) }
        }
        "merge" => {
            let into = known.member(chance)?;
            Wish::post(Asked::Merge(member, into), of("/merge"), json!({ "into": into.to_string() }))
        }
        "unmerge" => Wish::post(Asked::Unmerge(member), of("/unmerge"), Value::Null),
        "hold" => {
            let body = json!({ "reason": "a claim", "review_on": today.saturating_add(90.days()) });
            Wish::post(Asked::Hold(member), of("/holds"), body)
        }
        "lift" => {
            let (member, hold) = *known.holds.choose(chance)?;
            let path = format!("/v1/members/{member}/holds/{hold}/lifting");
            Wish::post(Asked::Lift(member, hold), path, Value::Null)
        }
        "erase" => Wish::post(Asked::Erase(member), of("/erasure"), Value::Null),
        "consent" if chance.random_bool(0.6) || known.consents.is_empty() => {
            let body = json!({ "purpose": "research", "text": "research-1", "given_on": today, "means": "written" });
            Wish::post(Asked::About(member), of("/consents"), body)
        }
        "consent" => {
            let (member, consent) = known.consents.choose(chance)?.clone();
            let path = format!("/v1/members/{member}/consents/{consent}/withdrawal");
            Wish::post(Asked::About(member), path, json!({ "withdrawn_on": today }))
        }
        "restrict" => {
            let body = json!({ "restricted": chance.random_bool(0.4) });
            Wish::put(Asked::About(member), of("/restriction"), body)
        }
        "object" => {
            let body = json!({ "objects": chance.random_bool(0.5) });
            Wish::put(Asked::About(member), of("/objections/statistics"), body)
        }
        "glass" => {
            let who = [FACILITATOR, AUDITOR][chance.random_range(0..2)];
            Wish::post(Asked::Glass(member), of("/glass"), json!({ "reason": "an emergency" })).by(who)
        }
        "review" => {
            let (member, glass) = known.glasses.choose(chance)?.clone();
            let path = format!("/v1/members/{member}/glass/{glass}/review");
            Wish::post(Asked::About(member), path, json!({ "justified": true }))
        }
        "open" => match chance.random_range(0..4) {
            0 => Wish::get(Asked::Open(member, "show_record"), of("/record")),
            1 => Wish::get(Asked::About(member), of("/accesses")).by(AUDITOR),
            _ => Wish::get(Asked::Open(member, "show_member"), of("")).by(chance.random_range(0..2)),
        },
        _ => return None,
    })
}
