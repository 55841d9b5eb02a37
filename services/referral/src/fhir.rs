//! A need, its referrals, and what they rest on, as FHIR R4 resources. Which status each stage is, and what a guide loses
//! of it, says [`domain::referral::fhir`]. Nothing of what the need says is in them: whoever is handed a bundle learns what
//! happened, and what the member allowed them to be told they read elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    MemberId, OrgId, PartnerId,
    referral::{
        Allowed, Attempt, Basis, Need, State,
        fhir::{BserStatus, Guide, LOSSES, TaskStatus, bser, gravity, gravity_business_status, priority},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a bundle is made of.
pub(crate) struct Exported<'a> {
    pub guide: Guide,
    pub org: &'a OrgId,
    pub record: MemberId,
    pub state: &'a State,
    pub need: &'a Need,
    /// What partners are called.
    pub partners: BTreeMap<PartnerId, String>,
}

impl Exported<'_> {
    /// All of it: the need as a `ServiceRequest`, each referral as a `Task`, consents, who sent what, and what the member
    /// says. What the guide loses is named in an `OperationOutcome`.
    pub fn bundle(&self) -> Value {
        let attempts: Vec<_> = self.state.of_need(self.need.stated.need).collect();
        let (mut resources, mut consents) = (vec![self.patient(), self.request(&attempts)], BTreeSet::new());
        let mut losses = BTreeSet::new();
        resources.extend(self.partners.iter().map(|(id, name)| organization(id.0, name)));
        for attempt in attempts {
            losses.extend(self.losses(attempt));
            let Some(task) = self.task(attempt) else { continue };
            resources.push(task);
            resources.extend(self.provenance(attempt));
            resources.extend(self.answer(attempt));
            if let Some(Basis::Consent(clauses)) = attempt.sent.as_ref().map(|sent| &sent.basis) {
                consents.extend(clauses.values().copied());
            }
        }
        resources.extend(consents.iter().filter_map(|id| self.state.consents.get(id)).map(|known| self.consent(known)));
        if !losses.is_empty() {
            let issue =
                |text: &String| json!({ "severity": "information", "code": "informational", "diagnostics": text });
            resources
                .push(json!({ "resourceType": "OperationOutcome", "id": derived_id("losses", self.need.stated.need),
                "issue": losses.iter().map(issue).collect::<Vec<_>>() }));
        }
        let entry = |resource: Value| {
            let id = resource["id"].as_str().unwrap_or_default();
            json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": resource })
        };
        json!({ "resourceType": "Bundle", "type": "collection", "entry": resources.into_iter().map(entry).collect::<Vec<_>>() })
    }

    fn losses(&self, attempt: &Attempt) -> Vec<String> {
        let name: &str = self.guide.into();
        let of_stage = LOSSES.iter().filter(|loss| loss.guide == self.guide && loss.stage == attempt.stage);
        let id = attempt.drafted.attempt;
        of_stage.map(|loss| format!("{name}: referral {id}, {}: {}", loss.stage.as_str(), loss.what)).collect()
    }

    /// Whoever it is about, without anything that is known of them.
    fn patient(&self) -> Value {
        json!({ "resourceType": "Patient", "id": self.record })
    }

    fn request(&self, attempts: &[&Attempt]) -> Value {
        let stated = &self.need.stated;
        let status: &str = self.need.request_status(attempts.iter().any(|attempt| attempt.sent.is_some())).into();
        let mut request = json!({ "resourceType": "ServiceRequest", "id": stated.need, "status": status, "intent": "order",
            "priority": priority(stated.urgency), "subject": reference(self.record.0), "authoredOn": instant(stated.at),
            "requester": self.requester() });
        if let Some(earlier) = stated.based_on {
            request["basedOn"] = json!([reference(earlier.0)]);
        }
        request["supportingInfo"] = consents(attempts).iter().map(|id| reference(*id)).collect();
        without_nothing(request)
    }

    /// None of what has no equivalent in the guide.
    fn task(&self, attempt: &Attempt) -> Option<Value> {
        let (status, business) = self.status(attempt)?;
        let (drafted, status) = (&attempt.drafted, <&str>::from(status));
        let sent = attempt.sent.as_ref();
        let last = attempt.last.as_ref().map(|moved| moved.at).or(sent.map(|sent| sent.at)).unwrap_or(drafted.at);
        let urgency = sent.map_or(self.need.stated.urgency, |sent| sent.urgency);
        let mut task = json!({ "resourceType": "Task", "id": drafted.attempt, "status": status, "intent": "order",
            "priority": priority(urgency), "focus": reference(drafted.need.0), "for": reference(self.record.0),
            "code": coded("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
            "authoredOn": instant(drafted.at), "lastModified": instant(last), "requester": self.requester(),
            "owner": reference(drafted.partner.0) });
        if let Some(business) = business {
            task["businessStatus"] = business;
        }
        if let Some((_, reason)) = attempt.reason {
            let word: &str = reason.into();
            task["statusReason"] = json!({ "coding": [{ "code": word }], "text": word });
        }
        if let Some(parent) = drafted.parent {
            task["partOf"] = json!([reference(parent.0)]);
        }
        if let Some(outcome) = attempt.outcome {
            let word: &str = outcome.into();
            task["output"] = json!([{ "type": { "text": "outcome" },
                "valueCodeableConcept": { "coding": [{ "code": word }], "text": word } }]);
        }
        Some(task)
    }

    fn status(&self, attempt: &Attempt) -> Option<(TaskStatus, Option<Value>)> {
        match self.guide {
            Guide::Gravity => {
                let local = |word| json!({ "coding": [{ "code": word }], "text": word });
                Some((gravity(attempt.stage, attempt.accepted), gravity_business_status(attempt.stage).map(local)))
            }
            Guide::Bser => {
                let (status, business) = bser(attempt.stage)?;
                let system = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS";
                Some((status, business.map(|code: BserStatus| coded(system, code.into()))))
            }
        }
    }

    /// Who sent it, and for whom.
    fn provenance(&self, attempt: &Attempt) -> Option<Value> {
        let sent = attempt.sent.as_ref()?;
        let who = sent.by.subject.as_ref().map_or("unknown", |subject| subject.as_str());
        Some(json!({ "resourceType": "Provenance", "id": derived_id("sent", attempt.drafted.attempt),
            "target": [reference(attempt.drafted.attempt.0)], "recorded": instant(sent.at),
            "agent": [{ "who": { "identifier": { "value": who } }, "onBehalfOf": self.requester() }],
            "activity": coded("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CREATE") }))
    }

    /// What the member says, beside what the partner says in the `Task`.
    fn answer(&self, attempt: &Attempt) -> Option<Value> {
        let (answer, at) = (attempt.answer?, attempt.times.member_confirmed?);
        let word: &str = answer.into();
        Some(
            json!({ "resourceType": "Observation", "id": derived_id("answer", attempt.drafted.attempt), "status": "final",
            "code": { "text": "Whether it helped, as the member says" }, "subject": reference(self.record.0),
            "focus": [reference(attempt.drafted.attempt.0)], "effectiveDateTime": instant(at),
            "valueCodeableConcept": { "coding": [{ "code": word }], "text": word } }),
        )
    }

    fn consent(&self, allowed: &Allowed) -> Value {
        let status = if self.state.withdrawn.contains_key(&allowed.consent) { "inactive" } else { "active" };
        let recipient = coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP");
        let actor = |partner: &PartnerId| json!({ "role": recipient, "reference": reference(partner.0) });
        let item = |item: &domain::partner::Item| json!({ "text": <&str>::from(*item) });
        let mut period = json!({ "start": instant(allowed.from) });
        if let Some(until) = allowed.until {
            period["end"] = instant(until);
        }
        let law: &str = allowed.law.into();
        let known = allowed.partners.iter().filter(|partner| self.partners.contains_key(*partner));
        let provision = json!({ "type": "permit", "period": period, "actor": known.map(actor).collect::<Vec<_>>(),
            "code": allowed.items.iter().map(item).collect::<Vec<_>>() });
        json!({ "resourceType": "Consent", "id": allowed.consent, "status": status,
            "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
            "category": [coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IDSCL")],
            "patient": reference(self.record.0), "dateTime": instant(allowed.from), "organization": [self.requester()],
            "sourceReference": { "display": allowed.text }, "policyRule": { "text": law },
            "provision": without_nothing(provision) })
    }

    /// The organisation, by its name here.
    fn requester(&self) -> Value {
        json!({ "identifier": { "value": self.org }, "type": "Organization" })
    }
}

/// The id of a resource that is no thing of ours.
fn derived_id(what: &str, of: impl Into<Uuid>) -> String {
    Uuid::new_v5(&of.into(), what.as_bytes()).to_string()
}

/// The consents on which they rest.
fn consents(attempts: &[&Attempt]) -> BTreeSet<Uuid> {
    let clauses = attempts.iter().filter_map(|attempt| match &attempt.sent.as_ref()?.basis {
        Basis::Consent(clauses) => Some(clauses.values().map(|consent| consent.0)),
        Basis::Override { .. } => None,
    });
    clauses.flatten().collect()
}

fn organization(id: Uuid, name: &str) -> Value {
    json!({ "resourceType": "Organization", "id": id, "active": true, "name": name })
}

fn reference(id: Uuid) -> Value {
    json!({ "reference": format!("urn:uuid:{id}") })
}

fn coded(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// FHIR has no fractions finer than it needs; seconds are ours.
fn instant(at: Timestamp) -> Value {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string().into()
}

/// FHIR has no empty lists.
fn without_nothing(mut resource: Value) -> Value {
    if let Value::Object(fields) = &mut resource {
        fields.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    resource
}
