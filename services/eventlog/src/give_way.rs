//! Work that is done where requests are served: in pieces, so that it holds up nobody.

use tokio::task::coop::consume_budget;

/// How much of an event counts as one step, in bytes; after 128 steps (tokio's) others go on.
const STEP_BYTES: usize = 512;

/// Lets others go on, if much was done since they last did. To be called after each of many pieces of work, with the
/// bytes that it was about.
pub async fn give_way(bytes: usize) {
    for _ in 0..=bytes / STEP_BYTES {
        consume_budget().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn others_go_on_in_the_middle_of_long_work() {
        static PIECES: AtomicUsize = AtomicUsize::new(0);
        tokio::spawn(async {
            for _ in 0..1_000 {
                PIECES.fetch_add(1, Ordering::Relaxed);
                give_way(10 * STEP_BYTES).await;
            }
        });
        tokio::task::yield_now().await;
        let done = PIECES.load(Ordering::Relaxed);
        assert!((1..20).contains(&done), "{done}");
    }
}
