//! Show a member's referrals.

use std::collections::{HashMap, hash_map::Entry};

use axum::extract::State;
use domain::{
    AttemptId, ConsentId, DomainEvent, LinkId, MemberId, NeedId, OrgId, PartnerId,
    partner::{Calendar, Item},
    referral::{
        self, Actor, Allowed, Answer, Attempt, By, Closing, Event, NeedEnd, NeedWords, Outcome, Purpose, Reason, Stage,
        What, clocks::Times, reason::Party,
    },
    route::Urgency,
};
use eventlog::Recorded;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use vault::{Key, SealedAs};
use web::{After, Caller, CallerMay, Opening, Path, Problem, Problems, Read, Role};

use crate::{Referrals, list_referrals::Progress, op};

/// A member's needs, with the story of each referral; what they allow; and where they are not to be referred for a while.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReferralStories {
    member: MemberId,
    /// Of all records of the person, in the order in which they were stated.
    needs: Vec<NeedStory>,
    /// Consents to disclose, also such as are over.
    disclosures: Vec<ShownDisclosure>,
    /// Partners to which they are not referred again for a while.
    rests: Vec<Rest>,
}

/// A need, and what was done for it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct NeedStory {
    need: NeedId,
    urgency: Urgency,
    stated_at: Timestamp,
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    based_on: Option<NeedId>,
    /// What it says; missing if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<NeedWords>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<NeedEnd>,
    referrals: Vec<ReferralStory>,
}

/// The story of a referral.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReferralStory {
    referral: AttemptId,
    /// In whose record it is.
    member: MemberId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<AttemptId>,
    #[serde(flatten)]
    progress: Progress,
    times: Times,
    /// What is told, once it was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    /// Why it ended, or is to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// At whom it failed, by that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<Party>,
    /// Why the partner's access was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    closing: Option<Closing>,
    /// What the partner says that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// What the member says.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    /// Whether partner and member say different things.
    discordant: bool,
    /// Whether somebody else than the partner says that the member was at the last appointment.
    #[serde(skip_serializing_if = "Option::is_none")]
    attended: Option<bool>,
    /// If it was sent without consent: who decided that, why, until when, and what somebody else thinks of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    overridden: Option<ShownOverride>,
    /// Other referrals of the need that are under way, once this one was taken on: to be withdrawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rivals: Vec<AttemptId>,
    /// What happened, the first first.
    steps: Vec<StoryStep>,
    /// Links, also such as are no longer good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<ShownLink>,
}

/// Something that happened to a referral.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StoryStep {
    at: Timestamp,
    /// What; missing where it was drafted, and where it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<What>,
    to: Stage,
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// That something was sent without consent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownOverride {
    by: By,
    at: Timestamp,
    until: Timestamp,
    /// Why; not shown to the member here.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether it was right; missing as long as nobody has reviewed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    justified: Option<bool>,
}

/// A link, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownLink {
    link: LinkId,
    purpose: Purpose,
    until: Timestamp,
    revoked: bool,
}

/// A consent to disclose.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownDisclosure {
    consent: ConsentId,
    /// Why it allows nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Closing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partners: Vec<PartnerId>,
    treating: bool,
    items: Vec<Item>,
    from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    text: String,
}

/// A partner to which a member is not referred again for a while.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Rest {
    partner: PartnerId,
    reason: Reason,
    until: Timestamp,
}

/// Show a member's referrals
///
/// Each as a story: what happened, what is due, whose turn it is; the member's word beside the partner's.
#[utoipa::path(get, path = "/v1/members/{member}/referrals", tag = "referrals",
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 200, description = "The referrals", body = ReferralStories), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_referrals(
    State(referrals): State<Referrals>,
    CallerMay { caller, .. }: CallerMay<op::ShowReferrals>,
    after: After,
    Path(member): Path<MemberId>,
) -> Result<Read<ReferralStories>, Problem> {
    let position = after.seen_by(&referrals.log.head()).await?;
    let (permitted, _) = referrals.members.require_visible(&caller, member).await?;
    referrals.members.require_going_on(&caller, member, true).await?;
    let org = permitted.org();
    referrals.members.record(org, member).await?;
    let persons = referrals.members.persons(org).await?;
    let opening = Opening { at: position, ..Opening::naming("show_referrals", vec![member]) };
    referrals.audit.opened(&caller, opening).await?;
    let mut stories = ReferralStories { member, needs: vec![], disclosures: vec![], rests: vec![] };
    for record in persons.records(&member) {
        let Told { needs, disclosures, rests } = referrals.tell(&caller, *record).await?;
        stories.needs.extend(needs);
        stories.disclosures.extend(disclosures);
        stories.rests.extend(rests);
    }
    stories.needs.sort_by_key(|story| story.stated_at);
    Ok(Read(position, stories))
}

/// Events of a record of which the stories are told where requests are served, a count; more take long enough to be told
/// elsewhere.
const TOLD_HERE_MAX: usize = 300;

impl Referrals {
    /// What one record has.
    async fn tell(&self, caller: &Caller, record: MemberId) -> Result<Told, Problem> {
        let org = &caller.org;
        let state = self.streams.look(org, record, |known| known.state.clone()).await?;
        if state.needs.is_empty() && state.consents.is_empty() {
            return Ok(Told::default());
        }
        let events = self.streams.events(org, record).await?;
        let key = self.members.key(org, record).await?;
        let opened = Reader { org: org.clone(), key, of_staff: caller.role != Role::Member };
        let mut calendars: HashMap<PartnerId, Calendar> = HashMap::new();
        for attempt in state.attempts.values() {
            let partner = attempt.drafted.partner;
            if let Entry::Vacant(entry) = calendars.entry(partner) {
                entry.insert(self.calendar(org, partner).await?);
            }
        }
        let now = self.authenticator.clock.now();
        let is_long = events.len() > TOLD_HERE_MAX;
        let tell = move || Told::of(record, &state, &events, (&opened, &calendars, now));
        let told = self.authenticator.compute.run_if(is_long, caller.asking(), tell).await?;
        told.map_err(|error| Problem::internal(&error))
    }
}

/// What one record has.
#[derive(Default)]
struct Told {
    needs: Vec<NeedStory>,
    disclosures: Vec<ShownDisclosure>,
    rests: Vec<Rest>,
}

impl Told {
    fn of(
        member: MemberId,
        state: &referral::State,
        events: &[Recorded],
        (opened, calendars, now): (&Reader, &HashMap<PartnerId, Calendar>, Timestamp),
    ) -> Result<Self, domain::DecodeError> {
        let happened = Happened::of(opened, events)?;
        let mut links: HashMap<AttemptId, Vec<ShownLink>> = HashMap::new();
        for known in state.links.values() {
            links.entry(known.issued.attempt).or_default().push(ShownLink::of(known));
        }
        let mut stories: HashMap<NeedId, Vec<ReferralStory>> = HashMap::new();
        for (attempt, steps) in happened.steps {
            let Some(attempt) = state.attempts.get(&attempt) else { continue };
            let progress = Progress::new(attempt, &calendars[&attempt.drafted.partner], now);
            let links = links.remove(&attempt.drafted.attempt).unwrap_or_default();
            let overridden = opened.overridden(attempt);
            let story =
                ReferralStory { overridden, steps, links, ..ReferralStory::new(member, state, attempt, progress) };
            stories.entry(attempt.drafted.need).or_default().push(story);
        }
        let need = |need: &NeedId| {
            let known = state.needs.get(need)?;
            let stated = &known.stated;
            Some(NeedStory {
                need: stated.need,
                urgency: stated.urgency,
                stated_at: stated.at,
                by: stated.by.clone(),
                based_on: stated.based_on,
                says: opened.json(stated.need, SealedAs::Need, &stated.says),
                end: known.closed.as_ref().map(|closed| closed.end),
                referrals: stories.remove(need).unwrap_or_default(),
            })
        };
        let shown = |allowed: &Allowed| ShownDisclosure::new(allowed, state.withdrawn.get(&allowed.consent).copied());
        let stand = state.rests.iter().filter(|(_, until)| now < **until);
        let rest = |((partner, reason), until): (&(PartnerId, Reason), &Timestamp)| Rest {
            partner: *partner,
            reason: *reason,
            until: *until,
        };
        Ok(Self {
            needs: happened.needs.iter().filter_map(need).collect(),
            disclosures: state.consents.values().map(shown).collect(),
            rests: stand.map(rest).collect(),
        })
    }
}

impl ReferralStory {
    fn new(member: MemberId, state: &referral::State, attempt: &Attempt, progress: Progress) -> Self {
        Self {
            referral: attempt.drafted.attempt,
            member,
            parent: attempt.drafted.parent,
            progress,
            times: attempt.times.clone(),
            items: attempt.sent.as_ref().map(referral::Sent::items).unwrap_or_default(),
            reason: attempt.reason.map(|(_, reason)| reason),
            party: attempt.attribution().map(|known| known.party),
            closing: attempt.closing,
            outcome: attempt.outcome,
            answer: attempt.answer,
            discordant: attempt.is_discordant(),
            attended: attempt.attended,
            overridden: None,
            rivals: if attempt.accepted && attempt.stage.is_live() { state.rivals(attempt) } else { vec![] },
            steps: vec![],
            links: vec![],
        }
    }
}

impl ShownLink {
    fn of(known: &referral::Link) -> Self {
        let referral::LinkIssued { link, purpose, .. } = known.issued;
        Self { link, purpose, until: known.until, revoked: known.revoked }
    }
}

impl ShownDisclosure {
    fn new(allowed: &Allowed, ended: Option<Closing>) -> Self {
        Self {
            consent: allowed.consent,
            ended,
            partners: allowed.partners.iter().copied().collect(),
            treating: allowed.treating,
            items: allowed.items.iter().copied().collect(),
            from: allowed.from,
            until: allowed.until,
            text: allowed.text.to_string(),
        }
    }
}

/// Opens what was sealed of one record.
struct Reader {
    org: OrgId,
    key: Key,
    /// Whether what staff and partners note is shown: to the member, only what they said themselves.
    of_staff: bool,
}

impl Reader {
    fn json<T: serde::de::DeserializeOwned>(
        &self,
        of: impl Into<uuid::Uuid>,
        what: SealedAs,
        sealed: &domain::Sealed,
    ) -> Option<T> {
        serde_json::from_slice(&self.key.open(&self.org, of.into(), what, sealed).ok()?).ok()
    }

    fn note(&self, attempt: AttemptId, sealed: Option<&domain::Sealed>, by: &By) -> Option<String> {
        if !self.of_staff && by.actor != Actor::Member {
            return None;
        }
        let opened = self.key.open(&self.org, attempt.0, SealedAs::Note, sealed?).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    fn overridden(&self, attempt: &Attempt) -> Option<ShownOverride> {
        let known = attempt.overridden.as_ref()?;
        let reason = || self.key.open(&self.org, known.attempt.0, SealedAs::Reason, &known.reason).ok();
        let reason = self.of_staff.then(reason).flatten().and_then(|opened| String::from_utf8(opened.to_vec()).ok());
        let justified = attempt.reviewed.as_ref().map(|reviewed| reviewed.justified);
        Some(ShownOverride { by: known.by.clone(), at: known.at, until: known.until, reason, justified })
    }
}

/// What happened, as the log says.
#[derive(Default)]
struct Happened {
    /// Needs, in the order in which they were stated.
    needs: Vec<NeedId>,
    /// Of each referral, in the order in which they were drafted.
    steps: Vec<(AttemptId, Vec<StoryStep>)>,
}

impl Happened {
    fn of(opened: &Reader, events: &[Recorded]) -> Result<Self, domain::DecodeError> {
        let (mut happened, mut places) = (Self::default(), HashMap::new());
        for event in events {
            let event = Event::decode(&event.event_type, event.version, &event.data)?;
            let (attempt, step) = match event {
                Event::NeedStated(stated) => {
                    happened.needs.push(stated.need);
                    continue;
                }
                Event::Drafted(drafted) => {
                    places.insert(drafted.attempt, happened.steps.len());
                    happened.steps.push((drafted.attempt, vec![]));
                    let note = opened.note(drafted.attempt, drafted.note.as_ref(), &drafted.by);
                    (drafted.attempt, StoryStep { at: drafted.at, what: None, to: Stage::Draft, by: drafted.by, note })
                }
                Event::Sent(sent) => {
                    (sent.attempt, StoryStep { at: sent.at, what: None, to: Stage::Sent, by: sent.by, note: None })
                }
                Event::Moved(moved) => {
                    let note = opened.note(moved.attempt, moved.note.as_ref(), &moved.by);
                    let (what, to) = (Some(moved.what), moved.to);
                    (moved.attempt, StoryStep { at: moved.at, what, to, by: moved.by, note })
                }
                _ => continue,
            };
            if let Some(place) = places.get(&attempt) {
                happened.steps[*place].1.push(step);
            }
        }
        Ok(happened)
    }
}
