//! `Read`: of a stream, of `$all`, and every subscription.

use bytes::Bytes;
use tokio::{sync::mpsc, time::sleep};
use tonic::{Request, Status};

use crate::{
    Node,
    append::{name, not_leader},
    faults::Ending,
    filter::Filter,
    protocol::{
        shared::{self, StreamIdentifier},
        streams::{
            ReadReq, ReadResp,
            read_req::{
                Options,
                options::{
                    AllOptions, CountOption, ReadDirection, StreamOption, StreamOptions, all_options::AllOption,
                    stream_options::RevisionOption,
                },
            },
            read_resp::{self, Content, ReadEvent, read_event},
        },
    },
    store::{Event, nth},
};

/// Events fetched at once, a count.
const FETCHED: usize = 512;
/// Answers that wait to be sent, a count.
const WAITING: usize = 256;

/// Answers on their way to the reader.
pub type Answers = mpsc::Receiver<Result<ReadResp, Status>>;
type Sender = mpsc::Sender<Result<ReadResp, Status>>;

/// A reader that is gone.
struct Gone;

/// How far to read.
#[derive(Clone, Copy)]
struct Way {
    backwards: bool,
    max: u64,
}

impl Node {
    pub(crate) async fn read(&self, request: Request<ReadReq>) -> Result<Answers, Status> {
        self.admit(&request)?;
        if let (true, Some((host, port))) =
            (request.metadata().contains_key("requires-leader"), self.leader_elsewhere())
        {
            return Err(not_leader(&host, port));
        }
        sleep(self.faults().of_read()).await;
        let options = request.into_inner().options.ok_or_else(|| Status::invalid_argument("no options"))?;
        let (sender, answers) = mpsc::channel(WAITING);
        let node = self.clone();
        let backwards = options.read_direction() == ReadDirection::Backwards;
        let Options { stream_option, count_option, filter_option, .. } = options;
        let filter = Filter::parse(filter_option)?;
        match (stream_option, count_option) {
            (Some(StreamOption::Stream(stream)), Some(CountOption::Count(max))) => {
                let way = Way { backwards, max };
                tokio::spawn(async move { node.read_stream(stream, way, &sender).await });
            }
            (Some(StreamOption::All(all)), Some(CountOption::Count(max))) => {
                let start = self.start(all)?;
                let way = Way { backwards, max };
                tokio::spawn(async move { node.read_all(start, way, filter, &sender).await });
            }
            (Some(StreamOption::All(all)), Some(CountOption::Subscription(_))) => {
                let after = self.subscribed_after(all)?;
                tokio::spawn(async move { node.subscribe(after, filter, &sender).await });
            }
            (Some(StreamOption::Stream(_)), Some(CountOption::Subscription(_))) => {
                return Err(Status::unimplemented("subscriptions to one stream"));
            }
            _ => return Err(Status::invalid_argument("what to read is not said")),
        }
        Ok(answers)
    }

    async fn read_stream(&self, asked: StreamOptions, way: Way, to: &Sender) -> Result<(), Gone> {
        match self.stream_events(&asked, way).await {
            Ok(Some(events)) => {
                for event in events {
                    send(to, content(event)).await?;
                }
                Ok(())
            }
            Ok(None) => {
                let missing = read_resp::StreamNotFound { stream_identifier: asked.stream_identifier };
                send(to, Content::StreamNotFound(missing)).await
            }
            Err(status) => to.send(Err(status)).await.map_err(|_| Gone),
        }
    }

    /// Events of a stream from a revision on, included; none if there is no stream.
    async fn stream_events(&self, asked: &StreamOptions, way: Way) -> Result<Option<Vec<Event>>, Status> {
        let name = name(asked.stream_identifier.clone())?;
        let max = usize::try_from(way.max).unwrap_or(usize::MAX);
        let from = match asked.revision_option {
            Some(RevisionOption::Revision(revision)) => revision,
            Some(RevisionOption::End(_)) => u64::MAX,
            _ => 0,
        };
        let stream = async |from, max| {
            self.kept().stream(&name, from, max).await.map_err(|error| Status::unavailable(error.to_string()))
        };
        if way.backwards {
            // Rare, and streams are short.
            let mut events = stream(0, usize::MAX).await?;
            let there = !events.is_empty();
            events.retain(|event| event.revision <= from);
            events.reverse();
            events.truncate(max);
            return Ok(there.then_some(events));
        }
        let events = stream(from, max).await?;
        let there = !events.is_empty() || !stream(0, 1).await?.is_empty();
        Ok(there.then_some(events))
    }

    /// After how many events reading `$all` starts: what is at the position is included, so that is one less.
    fn start(&self, asked: AllOptions) -> Result<u64, Status> {
        let count = self.kept().count().borrow().0;
        match asked.all_option {
            Some(AllOption::Position(position)) => {
                let n = nth(position.commit_position).ok_or_else(invalid_position)?;
                // Backwards, the event at the position is excluded.
                Ok(n.saturating_sub(1).min(count))
            }
            Some(AllOption::End(_)) => Ok(count),
            _ => Ok(0),
        }
    }

    async fn read_all(&self, start: u64, way: Way, filter: Option<Filter>, to: &Sender) -> Result<(), Gone> {
        let (mut at, mut left) = (start, way.max);
        while left > 0 {
            let most = if filter.is_some() { FETCHED as u64 } else { left.min(FETCHED as u64) };
            let events = if way.backwards {
                let from = at.saturating_sub(most);
                let wanted = usize::try_from(at - from).unwrap_or(FETCHED);
                let mut events = self.fetch(from, wanted, to).await?;
                at = from;
                events.reverse();
                events
            } else {
                let events = self.fetch(at, usize::try_from(most).unwrap_or(FETCHED), to).await?;
                at += events.len() as u64;
                events
            };
            if events.is_empty() {
                break;
            }
            for event in events.into_iter().filter(|event| filter.as_ref().is_none_or(|filter| filter.takes(event))) {
                if left == 0 {
                    break;
                }
                left -= 1;
                send(to, content(event)).await?;
            }
        }
        Ok(())
    }

    /// After which event a subscription starts: what is at the position is excluded.
    fn subscribed_after(&self, asked: AllOptions) -> Result<u64, Status> {
        match asked.all_option {
            Some(AllOption::Position(position)) => nth(position.commit_position).ok_or_else(invalid_position),
            Some(AllOption::End(_)) => Ok(self.kept().count().borrow().0),
            _ => Ok(0),
        }
    }

    async fn subscribe(&self, after: u64, filter: Option<Filter>, to: &Sender) -> Result<(), Gone> {
        let (mut count, mut endings) = (self.kept().count(), self.faults().endings());
        endings.mark_unchanged();
        send(to, Content::Confirmation(read_resp::SubscriptionConfirmation { subscription_id: "1".into() })).await?;
        let (mut at, mut live, mut since_checkpoint) = (after, false, 0);
        loop {
            count.mark_unchanged();
            let events = self.fetch(at, FETCHED, to).await?;
            if events.is_empty() {
                if !live {
                    live = true;
                    send(to, Content::CaughtUp(read_resp::CaughtUp {})).await?;
                }
                tokio::select! {
                    _ = count.changed() => continue,
                    () = to.closed() => return Err(Gone),
                    _ = endings.changed() => {}
                }
                let (_, ending) = *endings.borrow_and_update();
                match ending {
                    Ending::Well => return Ok(()),
                    Ending::Badly => {
                        return to.send(Err(Status::unavailable("the node shuts down"))).await.map_err(|_| Gone);
                    }
                    // As a message of which the reader's version knows no part.
                    Ending::Unknown => to.send(Ok(ReadResp { content: None })).await.map_err(|_| Gone)?,
                }
            }
            at += events.len() as u64;
            for event in events {
                since_checkpoint += 1;
                let position = event.position;
                if filter.as_ref().is_none_or(|filter| filter.takes(&event)) {
                    send(to, content(event)).await?;
                }
                if filter.as_ref().is_some_and(|filter| since_checkpoint >= filter.checkpoint_every) {
                    since_checkpoint = 0;
                    let checkpoint = read_resp::Checkpoint { commit_position: position, prepare_position: position };
                    send(to, Content::Checkpoint(checkpoint)).await?;
                }
            }
        }
    }

    async fn fetch(&self, after: u64, max: usize, to: &Sender) -> Result<Vec<Event>, Gone> {
        match self.kept().after(after, max).await {
            Ok(events) => Ok(events),
            Err(error) => {
                let _ = to.send(Err(Status::unavailable(error.to_string()))).await; // gone either way
                Err(Gone)
            }
        }
    }
}

fn invalid_position() -> Status {
    Status::invalid_argument("there is no event at this position")
}

async fn send(to: &Sender, content: Content) -> Result<(), Gone> {
    to.send(Ok(ReadResp { content: Some(content) })).await.map_err(|_| Gone)
}

fn content(event: Event) -> Content {
    let Event { position, revision, id, body } = event;
    let recorded = read_event::RecordedEvent {
        id: Some(shared::Uuid { value: Some(shared::uuid::Value::String(id.to_string())) }),
        stream_identifier: Some(StreamIdentifier { stream_name: Bytes::from(body.stream) }),
        stream_revision: revision,
        prepare_position: position,
        commit_position: position,
        metadata: body.metadata,
        custom_metadata: body.custom_metadata,
        data: body.data,
    };
    Content::Event(ReadEvent {
        event: Some(recorded),
        link: None,
        position: Some(read_event::Position::CommitPosition(position)),
    })
}
