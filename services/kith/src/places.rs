//! Places of connections: how many there are, how many of them one address may take, and who goes when there is no
//! room.
//!
//! Whoever is waited for can go: who has not finished a TLS handshake or the head of a request, or is sent what changes;
//! then who does not go on with a body. Of an address that has more places than others first, and of these who is waited
//! for longest. Whoever is being answered stays.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use web::Network;

/// Whoever is not waited for.
const BUSY: u64 = u64::MAX;
/// Whoever has to go.
const GONE: u64 = u64::MAX - 1;
/// Added to the turn of who is in the middle of a body, so that they come after all others.
const BODY: u64 = 1 << 62;

/// All places. Clones share them.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    all_max: usize,
    address_max: usize,
    /// The next turn: whoever was waited for from an earlier one on goes before others.
    turn: AtomicU64,
    taken: Mutex<Taken>,
    /// Whether somebody waits for a place.
    wanted: AtomicBool,
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    seats: HashMap<u64, Arc<Seat>>,
    by_address: HashMap<Network, usize>,
}

/// Somebody's place.
struct Seat {
    /// Who is counted; of a trusted proxy nobody, because it asks for others.
    address: Option<Network>,
    /// Since which turn they are waited for, or [`BUSY`], or [`GONE`].
    since: AtomicU64,
    gone: CancellationToken,
}

/// The place of a connection, until it is dropped.
pub struct Place {
    places: Places,
    number: u64,
    seat: Arc<Seat>,
}

/// Why there is no place.
enum NoPlace {
    /// They have as many as they may, and all of those are being answered.
    ForThem,
    /// All are being answered.
    ForAnybody,
}

/// The place of a request that a proxy passed on, until it is dropped.
pub struct Share {
    places: Places,
    address: Network,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places")
    }
}

impl Places {
    /// So many in all, and so many for each address, counts; 0 for any number.
    pub fn new(all_max: usize, address_max: usize) -> Self {
        let address_max = if address_max == 0 { usize::MAX } else { address_max };
        let (turn, taken) = (AtomicU64::new(0), Mutex::default());
        let (wanted, changed) = (AtomicBool::new(false), Notify::new());
        Self(Arc::new(Inner { all_max, address_max, turn, taken, wanted, changed }))
    }

    /// A place for a connection from this address, taken from somebody else if need be. Waits while all are being
    /// answered; one who listens asks at a time. None if that address has as many as it may, and all of those are being answered.
    pub async fn take(&self, address: Option<Network>) -> Option<Place> {
        let mut found = self.find(address);
        if matches!(found, Err(NoPlace::ForAnybody)) {
            self.0.wanted.store(true, Ordering::SeqCst);
            while let Err(NoPlace::ForAnybody) = found {
                let changed = self.0.changed.notified();
                found = self.find(address);
                if matches!(found, Err(NoPlace::ForAnybody)) {
                    changed.await;
                }
            }
            self.0.wanted.store(false, Ordering::SeqCst);
        }
        found.ok()
    }

    /// A place, if there is one now.
    fn find(&self, address: Option<Network>) -> Result<Place, NoPlace> {
        let mut taken = self.taken();
        if let Some(address) = address
            && taken.of(address) >= self.0.address_max
            && !taken.send_away(Some(address))
        {
            return Err(NoPlace::ForThem);
        }
        let room = taken.seats.len() < self.0.all_max || taken.send_away(None);
        if room { Ok(self.seat(&mut taken, address)) } else { Err(NoPlace::ForAnybody) }
    }

    /// A place for a request that a proxy passed on, of those that this address may have. None if it has no more.
    pub fn share(&self, address: Network) -> Option<Share> {
        let mut taken = self.taken();
        if taken.of(address) >= self.0.address_max {
            return None;
        }
        *taken.by_address.entry(address).or_default() += 1;
        Some(Share { places: self.clone(), address })
    }

    fn seat(&self, taken: &mut Taken, address: Option<Network>) -> Place {
        let number = self.turn();
        let seat = Arc::new(Seat { address, since: AtomicU64::new(number), gone: CancellationToken::new() });
        taken.seats.insert(number, seat.clone());
        if let Some(address) = address {
            *taken.by_address.entry(address).or_default() += 1;
        }
        Place { places: self.clone(), number, seat }
    }

    /// Tells whoever waits for a place to look again.
    fn change(&self) {
        if self.0.wanted.load(Ordering::SeqCst) {
            self.0.changed.notify_waiters();
        }
    }

    fn turn(&self) -> u64 {
        self.0.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().expect("nothing panics while it is held")
    }
}

impl Taken {
    fn of(&self, address: Network) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }

    /// Sends away somebody who is waited for, of an address if one is given: of those who have most places, whoever was
    /// waited for longest. False if nobody is waited for.
    fn send_away(&mut self, address: Option<Network>) -> bool {
        loop {
            let theirs = self.seats.iter().filter(|(_, seat)| address.is_none() || seat.address == address);
            let waited_for = theirs.map(|(number, seat)| (seat, seat.since.load(Ordering::Acquire), *number));
            let first = waited_for.filter(|(_, since, _)| *since < GONE).min_by_key(|(seat, since, number)| {
                // A proxy's connections are for others, and each counts as one of its own.
                let places = seat.address.map_or(1, |address| self.of(address));
                (*since & BODY, Reverse(places), *since, *number)
            });
            let Some((_, since, number)) = first else { return false };
            let gone = self.seats[&number].since.compare_exchange(since, GONE, Ordering::AcqRel, Ordering::Relaxed);
            // Whoever went on meanwhile stays.
            if gone.is_ok() {
                self.seats[&number].gone.cancel();
                self.leave(number);
                return true;
            }
        }
    }

    fn leave(&mut self, number: u64) {
        if let Some(address) = self.seats.remove(&number).and_then(|seat| seat.address) {
            self.give_back(address);
        }
    }

    fn give_back(&mut self, address: Network) {
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Place {
    /// When whoever has this place has to go.
    pub fn gone(&self) -> &CancellationToken {
        &self.seat.gone
    }

    /// From now on they are being answered. False if they have to go.
    pub fn is_answered(&self) -> bool {
        self.be(BUSY)
    }

    /// From now on their next request is waited for.
    pub fn is_waited_for(&self) {
        self.be(self.places.turn());
        self.places.change();
    }

    /// From now on more of the body of their request is waited for.
    pub fn is_in_a_body(&self) {
        self.be(self.places.turn() | BODY);
        self.places.change();
    }

    fn be(&self, since: u64) -> bool {
        let be = |before| (before != GONE).then_some(since);
        self.seat.since.fetch_update(Ordering::SeqCst, Ordering::Acquire, be).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().leave(self.number);
        self.places.change();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.places.taken().give_back(self.address);
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use tokio::time::timeout;

    use super::*;

    fn address(n: u8) -> Network {
        IpAddr::from([192, 0, 2, n]).into()
    }

    fn gone(places: &[Place]) -> Vec<usize> {
        (0..places.len()).filter(|n| places[*n].gone().is_cancelled()).collect()
    }

    #[tokio::test]
    async fn who_was_waited_for_longest_goes_and_who_is_answered_stays() {
        let places = Places::new(4, 0);
        let mut all = Vec::new();
        for n in 0..4 {
            all.push(places.take(Some(address(n))).await.unwrap());
        }
        assert!(all[0].is_answered());
        all[1].is_in_a_body();
        assert!(all[2].is_answered());
        all[2].is_waited_for();
        all.push(places.take(Some(address(5))).await.unwrap());
        assert_eq!(gone(&all), [3], "the others were heard of since");
        all.push(places.take(Some(address(6))).await.unwrap());
        assert_eq!(gone(&all), [2, 3]);
        assert!(all[4].is_answered() && all[5].is_answered());
        all.push(places.take(Some(address(7))).await.unwrap());
        assert_eq!(gone(&all), [1, 2, 3], "in the middle of a body, after all others");
        assert!(!all[1].is_answered() && all[6].is_answered());
        let waits = places.take(Some(address(8)));
        assert!(timeout(Duration::from_millis(20), waits).await.is_err(), "all are being answered");
        let waits = tokio::spawn({
            let places = places.clone();
            async move { places.take(Some(address(8))).await.is_some() }
        });
        tokio::task::yield_now().await;
        all[0].is_waited_for();
        assert!(waits.await.unwrap() && gone(&all) == [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn who_has_many_places_goes_before_whoever_has_one_however_long_they_are_waited_for() {
        let places = Places::new(6, 0);
        let mut all = Vec::new();
        for from in [1, 2, 9, 9, 9, 9] {
            all.push(places.take(Some(address(from))).await.unwrap());
        }
        for newcomer in [3, 9, 4] {
            all.push(places.take(Some(address(newcomer))).await.unwrap());
        }
        assert_eq!(gone(&all), [2, 3, 4], "of who has most, the oldest");
        for newcomer in [5, 6] {
            all.push(places.take(Some(address(newcomer))).await.unwrap());
        }
        assert_eq!(gone(&all), [0, 2, 3, 4, 5], "once nobody has more than another, the oldest of all");
    }

    #[tokio::test]
    async fn an_address_has_only_so_many_and_takes_more_from_itself() {
        let places = Places::new(10, 2);
        let mut all = vec![places.take(Some(address(9))).await.unwrap()];
        for _ in 0..4 {
            all.push(places.take(Some(address(1))).await.unwrap());
        }
        assert_eq!(gone(&all), [1, 2], "of its own, the oldest");
        assert!(all[3].is_answered() && all[4].is_answered());
        assert!(places.take(Some(address(1))).await.is_none() && places.take(Some(address(2))).await.is_some());
        assert!(places.take(None).await.is_some(), "a proxy's own connections are nobody's");
        assert!(places.share(address(1)).is_none());
        all.pop();
        let share = places.share(address(1)).unwrap();
        assert!(places.take(Some(address(1))).await.is_none());
        drop(share);
        assert!(places.take(Some(address(1))).await.is_some());
        drop(all);
        let taken = places.taken();
        assert!(taken.seats.is_empty() && taken.by_address.is_empty(), "nothing is remembered of who left");
    }
}
