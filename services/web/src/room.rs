//! Whether the disk has room for what is asked.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{Also, May, Problem};

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// For everything.
    #[default]
    Enough,
    /// For reads, which are written down, and for commands that must always be possible.
    Little,
    /// For those commands only.
    None,
}

/// Longest wait for the room that is held for commands that must always be possible.
const HELD_WITHIN: Duration = Duration::from_secs(2);

/// What the disk has room for, as it changes. Clones share it.
#[derive(Debug, Clone)]
pub struct Rooms {
    room: watch::Receiver<Room>,
    needed: Arc<Notify>,
    looks: watch::Receiver<u64>,
}

/// The other end: of whoever looks after the disk.
#[derive(Debug)]
pub struct Looks {
    /// What it has room for.
    pub room: watch::Sender<Room>,
    /// Told when room that is held is needed.
    pub needed: Arc<Notify>,
    /// How often it was looked, and given back what was needed.
    pub looks: watch::Sender<u64>,
}

impl Looks {
    /// Both ends.
    pub fn new() -> (Self, Rooms) {
        let looks = Self { room: watch::Sender::default(), needed: Arc::default(), looks: watch::Sender::default() };
        let (room, needed) = (looks.room.subscribe(), looks.needed.clone());
        let rooms = Rooms { room, needed, looks: looks.looks.subscribe() };
        (looks, rooms)
    }
}

impl Default for Rooms {
    /// Where nobody looks, there is enough.
    fn default() -> Self {
        Looks::new().1
    }
}

impl Rooms {
    /// Whether there is room for this command.
    ///
    /// # Errors
    /// 503 if there is not.
    pub async fn command(&self, operation: &May) -> Result<(), Problem> {
        let room = *self.room.borrow();
        match room {
            Room::Enough => {}
            _ if !operation.is(Also::WhenFull) => return Err(Problem::disk_full()),
            Room::Little => {}
            Room::None => {
                // What is held is given back for these only, so that whatever filled the disk does not fill that, too.
                let mut looks = self.looks.clone();
                looks.mark_unchanged();
                self.needed.notify_one();
                let _ = timeout(HELD_WITHIN, looks.changed()).await;
            }
        }
        Ok(())
    }

    /// Whether there is room to write down what a read opens.
    ///
    /// # Errors
    /// 503 if there is not.
    pub fn reading(&self) -> Result<(), Problem> {
        if *self.room.borrow() == Room::None { Err(Problem::disk_full()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_must_be_done_is_done_also_when_the_disk_is_full() {
        let may = |also| May { id: "any", roles: &[], also };
        let (Looks { room, .. }, rooms) = Looks::new();
        let allowed = async || {
            (
                rooms.command(&may(&[Also::WhenFull])).await.is_ok(),
                rooms.reading().is_ok(),
                rooms.command(&may(&[])).await.is_ok(),
            )
        };
        assert_eq!(allowed().await, (true, true, true));
        room.send_replace(Room::Little);
        assert_eq!(allowed().await, (true, true, false));
        room.send_replace(Room::None);
        assert_eq!(allowed().await, (true, false, false));
    }
}
