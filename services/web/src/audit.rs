//! The audit: personal data is opened for nobody before it is written down.

use std::sync::Arc;

use domain::{DomainEvent, MemberId, Text, audit, member::Field};
use eventlog::{Append, EventLog, Expected, NewEvent, StreamName};
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::{Caller, Clock, Problem};

/// Writes down who opens whose personal data.
#[derive(Debug, Clone)]
pub struct Audit {
    log: Arc<dyn EventLog>,
    clock: Clock,
    new_id: fn() -> Uuid,
}

impl Audit {
    /// The audit in `log`. `new_id` makes ids of events: chance is an argument.
    pub fn new(log: Arc<dyn EventLog>, clock: Clock, new_id: fn() -> Uuid) -> Self {
        Self { log, clock, new_id }
    }

    /// Writes down that `operation` opens these fields of these members for the caller: without fields, something else
    /// that was sealed, such as a reason.
    ///
    /// # Errors
    /// 503 if it cannot be written: then nothing must be shown.
    pub async fn opened(
        &self,
        caller: &Caller,
        operation: &'static str,
        members: &[MemberId],
        fields: &[Field],
        glass: bool,
    ) -> Result<(), Problem> {
        for members in members.chunks(audit::MEMBERS_MAX) {
            let opened = audit::Opened {
                subject: caller.subject.clone(),
                role: short(caller.role.as_str())?,
                operation: short(operation)?,
                members: members.to_vec(),
                fields: fields.to_vec(),
                glass,
            };
            self.write(caller, audit::Event::Opened(opened)).await?;
        }
        Ok(())
    }

    async fn write(&self, caller: &Caller, event: audit::Event) -> Result<(), Problem> {
        let at = self.clock.now();
        let month = at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
        let stream = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("audit {} {month}", caller.org).as_bytes());
        let (event_type, version) = event.event_type();
        let append = Append {
            stream: StreamName::new(audit::CATEGORY, &caller.org, stream),
            // Nobody decides whether it happened.
            expected: Expected::Any,
            events: vec![NewEvent { id: (self.new_id)(), event_type, version, data: event.encode() }],
            metadata: serde_json::to_vec(
                &serde_json::json!({ "actor": caller.subject.as_str(), "role": caller.role.as_str() }),
            )
            .expect("two strings"),
            at,
            receipt: None,
        };
        self.log.append(append).await.map_err(|error| Problem::unavailable(&error))?;
        Ok(())
    }
}

/// Subjects are checked when tokens are, and are no longer than this.
fn short<const MAX: usize>(text: &str) -> Result<Text<MAX>, Problem> {
    text.parse().map_err(|error| Problem::internal(&error))
}
