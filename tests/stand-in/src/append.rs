//! `Append` and `BatchAppend`.

use std::collections::HashMap;

use bytes::Bytes;
use eventlog::{AppendError, Appended, Expected};
use jiff::Timestamp;
use prost::Message;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming, metadata::MetadataValue};
use uuid::Uuid;

use crate::{
    Node,
    faults::Fault,
    protocol::{
        google::rpc,
        shared::{self, StreamIdentifier},
        streams::{
            AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, append_req, append_resp, batch_append_req,
            batch_append_resp,
        },
    },
    store::{APPEND_BYTES_MAX, Body},
};

/// An append as it was asked for.
#[derive(Debug, Clone)]
struct Asked {
    stream: String,
    expected: Expected,
    events: Vec<(Uuid, Body)>,
}

/// What came of it.
enum Outcome {
    Written(Appended),
    Conflict { current: Option<u64> },
}

impl Node {
    pub(crate) async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<AppendResp, Status> {
        self.admit(&request)?;
        let connection = request.extensions().get::<CancellationToken>().cloned();
        let asked = received(request.into_inner()).await?;
        let expected = asked.expected;
        let outcome = self.write(asked, connection).await?;
        let result = match outcome {
            Outcome::Written(appended) => append_resp::Result::Success(success(&appended)),
            Outcome::Conflict { current } => append_resp::Result::WrongExpectedVersion(conflict(expected, current)),
        };
        Ok(AppendResp { result: Some(result) })
    }

    /// One append of a batch; its answer.
    pub(crate) async fn append_of_batch(
        &self,
        request: BatchAppendReq,
        connection: Option<CancellationToken>,
    ) -> Result<BatchAppendResp, Status> {
        let correlation_id = request.correlation_id.clone();
        let asked = asked_in_batch(request)?;
        let (stream, expected) = (asked.stream.clone(), asked.expected);
        let result = match self.write(asked, connection).await {
            Ok(Outcome::Written(appended)) => batch_append_resp::Result::Success(batch_append_resp::Success {
                current_revision_option: Some(match appended.revision {
                    Some(revision) => batch_append_resp::success::CurrentRevisionOption::CurrentRevision(revision),
                    None => batch_append_resp::success::CurrentRevisionOption::NoStream(()),
                }),
                position_option: Some(batch_append_resp::success::PositionOption::Position(
                    shared::AllStreamPosition {
                        commit_position: appended.position.0,
                        prepare_position: appended.position.0,
                    },
                )),
            }),
            Ok(Outcome::Conflict { current }) => batch_append_resp::Result::Error(conflict_in_batch(expected, current)),
            Err(status) => batch_append_resp::Result::Error(rpc::Status {
                code: status.code() as i32,
                message: status.message().into(),
                details: None,
            }),
        };
        Ok(BatchAppendResp {
            correlation_id,
            stream_identifier: Some(StreamIdentifier { stream_name: stream.into() }),
            result: Some(result),
            expected_stream_position: None,
        })
    }

    async fn write(&self, asked: Asked, connection: Option<CancellationToken>) -> Result<Outcome, Status> {
        let lost = || {
            if let Some(connection) = connection {
                connection.cancel();
            }
            Err(Status::unavailable("the connection is lost")) // nobody hears it
        };
        if let Some((host, port)) = self.leader_elsewhere() {
            return Err(not_leader(&host, port));
        }
        let size: usize = asked.events.iter().map(|(_, body)| body.data.len() + body.custom_metadata.len()).sum();
        if size > APPEND_BYTES_MAX {
            return Err(exception(
                Status::invalid_argument("Maximum Append Size exceeded"),
                "maximum-append-size-exceeded",
            ));
        }
        match self.faults().of_append() {
            None => self.store(asked).await,
            Some(Fault::LostBefore) => lost(),
            Some(Fault::LostAfter) => {
                self.store(asked).await?;
                lost()
            }
            Some(Fault::NotLeader(host, port)) => Err(not_leader(&host, port)),
            Some(Fault::Slow(by)) => {
                sleep(by).await;
                self.store(asked).await
            }
            Some(Fault::Conflict) => {
                let current = self.kept().stream(&asked.stream, 0, usize::MAX).await.map_err(unavailable)?;
                Ok(Outcome::Conflict { current: current.last().map(|event| event.revision) })
            }
            Some(Fault::Twice) => {
                self.store(asked.clone()).await?;
                self.store(asked).await
            }
            Some(Fault::Unavailable) => Err(Status::unavailable("Server Is Not Ready")),
            Some(Fault::TimedOut) => {
                self.store(asked).await?;
                Err(Status::aborted("Operation timed out: Commit phase timeout."))
            }
            Some(Fault::Deleted) => {
                Err(exception(Status::failed_precondition("Event stream is deleted."), "stream-deleted"))
            }
        }
    }

    #[allow(clippy::disallowed_methods)] // a server of its own has the time of its own
    async fn store(&self, asked: Asked) -> Result<Outcome, Status> {
        let now = Timestamp::now();
        // In ticks of 100 ns.
        let created = (now.as_nanosecond() / 100).to_string();
        let Asked { stream, expected, mut events } = asked;
        for (_, body) in &mut events {
            body.metadata.insert("created".into(), created.clone());
        }
        match self.kept().append(&stream, expected, events, now).await {
            Ok(appended) => Ok(Outcome::Written(appended)),
            Err(AppendError::WrongExpectedRevision { current, .. }) => Ok(Outcome::Conflict { current }),
            Err(error) => Err(unavailable(error)),
        }
    }
}

async fn received(mut messages: Streaming<AppendReq>) -> Result<Asked, Status> {
    use append_req::{Content, options::ExpectedStreamRevision as Wish};
    let mut asked = None;
    while let Some(message) = messages.message().await? {
        match (message.content, &mut asked) {
            (Some(Content::Options(options)), None) => {
                let expected = match options.expected_stream_revision {
                    Some(Wish::Revision(revision)) => Expected::Exact(revision),
                    Some(Wish::NoStream(_)) => Expected::NoStream,
                    Some(Wish::StreamExists(_)) => Expected::StreamExists,
                    Some(Wish::Any(_)) => Expected::Any,
                    None => return Err(Status::invalid_argument("no expected revision")),
                };
                asked = Some(Asked { stream: name(options.stream_identifier)?, expected, events: Vec::new() });
            }
            (Some(Content::ProposedMessage(event)), Some(asked)) => {
                let append_req::ProposedMessage { id, metadata, custom_metadata, data } = event;
                asked.events.push(proposed(&asked.stream, id, metadata, custom_metadata, data)?);
            }
            _ => return Err(Status::invalid_argument("options come first, and once")),
        }
    }
    asked.ok_or_else(|| Status::invalid_argument("no options"))
}

fn asked_in_batch(request: BatchAppendReq) -> Result<Asked, Status> {
    use batch_append_req::options::ExpectedStreamPosition as Wish;
    let options = request.options.ok_or_else(|| Status::invalid_argument("no options"))?;
    if !request.is_final {
        return Err(Status::unimplemented("appends in several requests"));
    }
    let expected = match options.expected_stream_position {
        Some(Wish::StreamPosition(revision)) => Expected::Exact(revision),
        Some(Wish::NoStream(())) => Expected::NoStream,
        Some(Wish::StreamExists(())) => Expected::StreamExists,
        Some(Wish::Any(())) => Expected::Any,
        None => return Err(Status::invalid_argument("no expected position")),
    };
    let stream = name(options.stream_identifier)?;
    let event = |event: batch_append_req::ProposedMessage| {
        proposed(&stream, event.id, event.metadata, event.custom_metadata, event.data)
    };
    let events = request.proposed_messages.into_iter().map(event).collect::<Result<_, _>>()?;
    Ok(Asked { stream, expected, events })
}

pub fn name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let bytes = identifier.map(|identifier| identifier.stream_name).unwrap_or_default();
    let name = String::from_utf8(bytes.into()).unwrap_or_default();
    if name.is_empty() { Err(Status::invalid_argument("no stream")) } else { Ok(name) }
}

fn proposed(
    stream: &str,
    id: Option<shared::Uuid>,
    metadata: HashMap<String, String>,
    custom_metadata: Bytes,
    data: Bytes,
) -> Result<(Uuid, Body), Status> {
    if !metadata.contains_key("type") || !metadata.contains_key("content-type") {
        return Err(Status::invalid_argument("Required metadata `type` or `content-type` is missing"));
    }
    let id = match id.and_then(|id| id.value) {
        Some(shared::uuid::Value::Structured(id)) => {
            Uuid::from_u64_pair(id.most_significant_bits.cast_unsigned(), id.least_significant_bits.cast_unsigned())
        }
        Some(shared::uuid::Value::String(id)) => {
            id.parse().map_err(|_| Status::invalid_argument("an event's id is no UUID"))?
        }
        None => return Err(Status::invalid_argument("an event has no id")),
    };
    Ok((id, Body { stream: stream.into(), metadata, custom_metadata, data }))
}

fn success(appended: &Appended) -> append_resp::Success {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    let position =
        append_resp::Position { commit_position: appended.position.0, prepare_position: appended.position.0 };
    append_resp::Success {
        current_revision_option: Some(match appended.revision {
            Some(revision) => CurrentRevisionOption::CurrentRevision(revision),
            None => CurrentRevisionOption::NoStream(shared::Empty {}),
        }),
        position_option: Some(match appended.position.0 {
            0 => PositionOption::NoPosition(shared::Empty {}),
            _ => PositionOption::Position(position),
        }),
    }
}

fn conflict(expected: Expected, current: Option<u64>) -> append_resp::WrongExpectedVersion {
    use append_resp::wrong_expected_version::{CurrentRevisionOption, ExpectedRevisionOption as Wish};
    let empty = shared::Empty {};
    append_resp::WrongExpectedVersion {
        current_revision_option_20_6_0: None,
        expected_revision_option_20_6_0: None,
        current_revision_option: Some(match current {
            Some(revision) => CurrentRevisionOption::CurrentRevision(revision),
            None => CurrentRevisionOption::CurrentNoStream(empty),
        }),
        expected_revision_option: Some(match expected {
            Expected::Exact(revision) => Wish::ExpectedRevision(revision),
            Expected::NoStream => Wish::ExpectedNoStream(empty),
            Expected::StreamExists => Wish::ExpectedStreamExists(empty),
            Expected::Any => Wish::ExpectedAny(empty),
        }),
    }
}

fn conflict_in_batch(expected: Expected, current: Option<u64>) -> rpc::Status {
    use shared::wrong_expected_version::{
        CurrentStreamRevisionOption as Current, ExpectedStreamPositionOption as Wish,
    };
    let conflict = shared::WrongExpectedVersion {
        current_stream_revision_option: Some(match current {
            Some(revision) => Current::CurrentStreamRevision(revision),
            None => Current::CurrentNoStream(()),
        }),
        expected_stream_position_option: Some(match expected {
            Expected::Exact(revision) => Wish::ExpectedStreamPosition(revision),
            Expected::NoStream => Wish::ExpectedNoStream(()),
            Expected::StreamExists => Wish::ExpectedStreamExists(()),
            Expected::Any => Wish::ExpectedAny(()),
        }),
    };
    rpc::Status {
        code: rpc::Code::FailedPrecondition as i32,
        message: "WrongExpectedVersion".into(),
        details: Some(prost_types::Any {
            type_url: "type.googleapis.com/event_store.client.WrongExpectedVersion".into(),
            value: conflict.encode_to_vec(),
        }),
    }
}

/// As the server says it: the kind of the error is in the trailers.
fn exception(mut status: Status, kind: &'static str) -> Status {
    status.metadata_mut().insert("exception", MetadataValue::from_static(kind));
    status
}

/// Says who leads.
pub fn not_leader(host: &str, port: u16) -> Status {
    let mut status = exception(Status::not_found("Leader info available"), "not-leader");
    let host = host.parse().expect("a host's name is ASCII");
    status.metadata_mut().insert("leader-endpoint-host", host);
    status.metadata_mut().insert("leader-endpoint-port", port.into());
    status
}

fn unavailable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}
