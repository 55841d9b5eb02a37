//! An answer that takes long: it begins before it is known, so that neither the caller nor a proxy takes it for dead.

use std::{future::Future, io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use tokio::{task::JoinHandle, time::interval};
use tracing::Instrument;

use super::{IMPORT_LINES_AT_ONCE, Progress};
use crate::{Answer, Problem};

/// How long an answer may take before it begins without its end: less than proxies wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often it shows from then on that it goes on.
const SHOWS_EVERY: Duration = Duration::from_secs(1);

/// The answer, if it is there soon; else one that begins now: white space before its JSON, a new line for each
/// [`IMPORT_LINES_AT_ONCE`] lines that were planned or done, a space where there were none. If it comes to nothing then,
/// the connection is cut: sent again, the command says why. Its end has no position either: sent again, it has.
pub(super) async fn when_done(
    work: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    progress: Progress,
) -> Result<Response, Problem> {
    let mut task = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(ANSWER_WITHIN, &mut task).await {
        Ok(done) => Ok(come_to_its_end(done)?.into_response()),
        Err(_) => Ok(later(task, progress)),
    }
}

fn come_to_its_end(done: Result<Result<Answer, Problem>, tokio::task::JoinError>) -> Result<Answer, Problem> {
    // Whoever panics answers where every operation's panics are counted.
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(ended) => Err(Problem::internal(&ended)),
    })
}

fn later(task: JoinHandle<Result<Answer, Problem>>, progress: Progress) -> Response {
    let waiting = (task, interval(SHOWS_EVERY), progress, 0);
    let body = stream::unfold(Some(waiting), |waiting| async move {
        let (mut task, mut every, progress, shown) = waiting?;
        tokio::select! {
            done = &mut task => match done {
                Ok(Ok(Answer(done))) => Some((Ok(Bytes::from(done.reply.body)), None)),
                Ok(Err(_)) | Err(_) => Some((Err(io::Error::other("the import came to no end")), None)),
            },
            _ = every.tick() => {
                let now = progress.lines() / IMPORT_LINES_AT_ONCE;
                let space = if now > shown { "\n".repeat(now - shown) } else { " ".to_owned() };
                Some((Ok(Bytes::from(space)), Some((task, every, progress, now))))
            }
        }
    });
    let mut response = Body::from_stream(body.boxed()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use eventlog::{Done, Position, Reply};

    use super::*;

    /// An import of a thousand lines that takes so long, and then ends so.
    async fn import(takes: Duration, ends: Result<(), Problem>) -> Result<Response, Problem> {
        let progress = Progress::default();
        let seen = progress.clone();
        let work = async move {
            progress.step(1_000);
            tokio::time::sleep(takes).await;
            let reply = Reply::json(200, &"done");
            ends.map(|()| Answer(Done { position: Position::START, events: 0, reply, replayed: false }))
        };
        when_done(work, seen).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_long_begins_with_white_space_that_says_how_far_it_is() {
        let soon = import(ANSWER_WITHIN / 2, Ok(())).await.unwrap();
        assert_eq!(to_bytes(soon.into_body(), 100).await.unwrap(), "\"done\"");
        let late = import(ANSWER_WITHIN * 2, Ok(())).await.unwrap();
        assert_eq!(late.headers()[CONTENT_TYPE], "application/json");
        let said = to_bytes(late.into_body(), 100).await.unwrap();
        let said = std::str::from_utf8(&said).unwrap();
        assert!(said.starts_with("\n\n\n    ") && said.ends_with("\"done\""), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_to_nothing_is_a_problem_or_is_cut_off_where_it_has_begun() {
        let problem = || Err(Problem::overloaded());
        assert!(import(ANSWER_WITHIN / 2, problem()).await.is_err());
        let late = import(ANSWER_WITHIN * 2, problem()).await.unwrap();
        assert!(to_bytes(late.into_body(), 100).await.is_err());
    }
}
