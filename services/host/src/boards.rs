//! Boards: of each organisation, what all queues have found, kept in memory and brought up to date as things change and
//! as time goes on.
//!
//! Whoever reads a board waits until it is as far as they ask for, and until it knows what time it is. A board is made
//! when it is first read, and anew after a start: nothing of it is stored.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use domain::OrgId;
use eventlog::Position;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use web::{After, Clock, Problem, Read, VISIBLE_WAIT_MAX};

use crate::{
    Case, Change, Changes, Follower, Found, Item, ItemKey, Kind, Of, Queue, Rhythm, Scope, Task, Views, changes::QUEUE,
    follow,
};

/// Much that is said at once is seen at once; what time alone changes is seen within a second, or when it is read.
pub(crate) const RHYTHM: Rhythm = Rhythm {
    pause: Duration::from_millis(10),
    every: Some(Duration::from_secs(1)),
    again_after: Duration::from_secs(1),
};
/// Persons and groups of one queue that are looked at one by one, a count; of more, all are looked at.
const ONE_BY_ONE_MAX: usize = 1_024;
/// Persons and groups of a slow queue that are looked at before the others are seen to again, a count.
const SLOW_AT_ONCE: usize = 64;

/// The boards of all organisations. Clones share them.
#[derive(Clone)]
pub struct Boards(Arc<Shared>);

struct Shared {
    queues: RwLock<Vec<Arc<dyn Queue>>>,
    boards: Mutex<HashMap<OrgId, Board>>,
    /// Up to where in the log all boards are, slow queues apart.
    reached: watch::Sender<Position>,
    changes: Changes,
    views: Views,
    clock: Clock,
}

impl fmt::Debug for Boards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Boards")
    }
}

/// The board of an organisation: a slot for each queue.
struct Board {
    slots: Vec<Slot>,
}

/// What a queue has found.
struct Slot {
    items: HashMap<ItemKey, Item>,
    cases: Vec<Case>,
    next: Option<Timestamp>,
    /// Which time it was when something was last found.
    as_of: Timestamp,
    /// Of what it may be otherwise by now.
    stale: HashSet<Of>,
    /// Whether everything was ever found.
    whole: bool,
}

/// A board as it is read.
#[derive(Debug)]
pub struct BoardShown<'a> {
    /// Which time it is.
    pub now: Timestamp,
    /// What there is, in no order.
    pub items: Vec<&'a Item>,
    /// What is in whose care.
    pub cases: Vec<&'a Case>,
    /// Kinds of which not everything was found yet.
    pub counting: Vec<&'static Kind>,
}

impl Boards {
    /// Boards of what these views say.
    pub fn new(views: Views, clock: Clock) -> Self {
        let changes = views.changes().clone();
        let reached = watch::Sender::new(Position::START);
        Self(Arc::new(Shared { queues: RwLock::default(), boards: Mutex::default(), reached, changes, views, clock }))
    }

    /// Adds a queue. Whichever process has views has the queues of all contexts.
    pub fn add(&self, queue: impl Queue + 'static) {
        self.0.queues.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(queue));
    }

    /// What brings them up to date; when it ends, whoever follows changes is sent away.
    pub fn task(&self) -> Task {
        let boards = self.clone();
        let start = move |part, end: CancellationToken| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let (boards, ended) = (boards.clone(), end.clone());
            Box::pin(async move {
                follow(Keeper::new(boards.clone()), RHYTHM, part, end).await;
                if ended.is_cancelled() {
                    boards.0.changes.end();
                }
            })
        };
        Task { name: "boards", start: Box::new(start) }
    }

    /// All kinds of items.
    pub fn kinds(&self) -> Vec<&'static Kind> {
        self.queues().iter().flat_map(|queue| queue.kinds()).copied().collect()
    }

    /// Reads the board of an organisation once it is as far as `after`.
    ///
    /// # Errors
    /// 503 if it is not in time.
    pub async fn read<T>(
        &self,
        org: &OrgId,
        After(after): After,
        look: impl FnOnce(&BoardShown<'_>) -> T,
    ) -> Result<Read<T>, Problem> {
        let mut reached = self.0.reached.subscribe();
        let fresh = async {
            loop {
                let at = *reached.borrow_and_update();
                if at >= after && self.is_fresh(org) {
                    return Ok(at);
                }
                self.0.changes.nudge();
                reached.changed().await?;
            }
        };
        let at: Result<_, watch::error::RecvError> =
            timeout(VISIBLE_WAIT_MAX, fresh).await.map_err(|_| Problem::not_visible_yet())?;
        let at = at.map_err(|gone| Problem::internal(&gone))?;
        let (queues, boards) = (self.queues(), self.boards());
        let board = &boards[org];
        let counting = queues.iter().zip(&board.slots).filter(|(_, slot)| !slot.whole);
        let shown = BoardShown {
            now: self.0.clock.now(),
            items: board.slots.iter().flat_map(|slot| slot.items.values()).collect(),
            cases: board.slots.iter().flat_map(|slot| &slot.cases).collect(),
            counting: counting.flat_map(|(queue, _)| queue.kinds()).copied().collect(),
        };
        Ok(Read(at, look(&shown)))
    }

    /// Has the board of an organisation kept up to date from now on: whoever follows changes is told of its items.
    pub fn want(&self, org: &OrgId) {
        if !self.is_fresh(org) {
            self.0.changes.nudge();
        }
    }

    /// Whether the board knows what time it is; one that is not there is asked for.
    fn is_fresh(&self, org: &OrgId) -> bool {
        let (queues, now) = (self.queues(), self.0.clock.now());
        let mut boards = self.boards();
        let empty = || Board { slots: queues.iter().map(|_| Slot::unknown()).collect() };
        let board = boards.entry(org.clone()).or_insert_with(empty);
        queues.iter().zip(&board.slots).all(|(queue, slot)| queue.is_slow() || slot.is_fresh(now))
    }

    fn queues(&self) -> Vec<Arc<dyn Queue>> {
        self.0.queues.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn boards(&self) -> MutexGuard<'_, HashMap<OrgId, Board>> {
        self.0.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a change makes stale.
    fn touch(&self, queues: &[Arc<dyn Queue>], from: u64) -> Option<u64> {
        let mut boards = self.boards();
        let told = self.0.changes.look(from, |change| {
            let Some(board) = boards.get_mut(&change.org) else { return };
            for (queue, slot) in queues.iter().zip(&mut board.slots) {
                slot.spoil(queue.touched_by(change));
            }
        });
        told.map(|told| told.next)
    }

    /// Notes what time alone makes stale, or all of it.
    fn pass_time(&self, queues: &[Arc<dyn Queue>], now: Timestamp, all: bool) {
        for board in self.boards().values_mut() {
            for (queue, slot) in queues.iter().zip(&mut board.slots) {
                let by_time = !queue.is_slow() && slot.is_past(now);
                slot.spoil((all || by_time).then_some(Of::Everything));
            }
        }
    }

    /// What is stale, of queues that are slow or not.
    fn stale(&self, queues: &[Arc<dyn Queue>], slow: bool) -> Vec<(OrgId, usize, Of)> {
        let mut stale = vec![];
        for (org, board) in self.boards().iter_mut() {
            for (n, slot) in board.slots.iter_mut().enumerate().filter(|(n, _)| queues[*n].is_slow() == slow) {
                let of = slot.stale.iter().copied();
                let most = if slow { SLOW_AT_ONCE } else { usize::MAX };
                stale.extend(of.take(most).map(|of| (org.clone(), n, of)));
            }
        }
        stale
    }

    fn divide(&self, org: &OrgId, nth: usize, parts: Vec<Of>) {
        if let Some(board) = self.boards().get_mut(org) {
            board.slots[nth].divide(parts);
        }
    }

    /// Whether something slow is not done.
    fn is_counting(&self) -> bool {
        self.boards().values().flat_map(|board| &board.slots).any(|slot| !slot.stale.is_empty())
    }

    /// Keeps what was found instead of what was there, and tells whoever watches what of it is new.
    fn keep(&self, org: &OrgId, nth: usize, (asked, found): (Of, Found), now: Timestamp) {
        let mut boards = self.boards();
        let Some(board) = boards.get_mut(org) else { return };
        let first = !board.slots[nth].whole;
        let news = board.slots[nth].take((asked, found), now);
        // Whoever read while it was not whole was told that there may be more.
        let queue = self.queues()[nth].clone();
        let counted = (queue.is_slow() && first && board.slots[nth].whole).then(|| queue.kinds());
        let counted = counted.into_iter().flatten().map(|kind| (*kind, Scope::Organisation));
        drop(boards);
        let at = Position::START; // it is told where the views are by then
        let news = news.into_iter().filter(|_| !first).chain(counted);
        let change = |(kind, scope)| Change { at, org: org.clone(), topic: &QUEUE, scope, kind: Some(kind) };
        self.0.changes.tell(news.map(change), None);
    }
}

impl Slot {
    /// One of which nothing is known yet.
    fn unknown() -> Self {
        let (items, stale) = (HashMap::new(), [Of::Everything].into());
        Self { items, cases: vec![], next: None, as_of: Timestamp::MIN, stale, whole: false }
    }

    fn spoil(&mut self, of: Option<Of>) {
        let Some(of) = of else { return };
        if self.stale.contains(&Of::Everything) {
            return;
        }
        if of == Of::Everything || self.stale.len() == ONE_BY_ONE_MAX {
            self.stale = [Of::Everything].into();
        } else {
            self.stale.insert(of);
        }
    }

    /// Whether it is what there is at this time, as far as what happened is known.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.whole && self.stale.is_empty() && !self.is_past(now)
    }

    /// Whether it was found for another time: something has come since, or the clock was set back.
    fn is_past(&self, now: Timestamp) -> bool {
        now < self.as_of || self.next.is_some_and(|next| next <= now)
    }

    /// Everything is asked for in parts.
    fn divide(&mut self, parts: Vec<Of>) {
        self.stale = parts.into_iter().collect();
        (self.items, self.cases, self.whole) = (HashMap::new(), vec![], self.stale.is_empty());
    }

    /// Keeps what was found; answers of which kinds something is new, and whom it is about.
    fn take(&mut self, (asked, found): (Of, Found), now: Timestamp) -> HashSet<(&'static Kind, Scope)> {
        let Found { of, items, cases, next } = found;
        let before = std::mem::replace(&mut self.as_of, now);
        let mut old: HashMap<_, _> = self.items.extract_if(|_, item| of.has(item)).collect();
        let mut news = HashSet::new();
        for item in items {
            let was = old.remove(&item.key());
            let same = |was: &Item| *was == item && was.is_overdue(before) == item.is_overdue(now);
            if !was.as_ref().is_some_and(same) {
                news.insert((item.kind, scope(&item)));
                news.extend(was.map(|was| (was.kind, scope(&was))));
            }
            self.items.insert(item.key(), item);
        }
        news.extend(old.into_values().map(|gone| (gone.kind, scope(&gone))));
        self.cases.retain(|case| !of.has_case(case));
        self.cases.extend(cases);
        let due = self.items.values().filter_map(|item| item.due_at).filter(|due| *due > now).min();
        let known = self.next.filter(|next| of != Of::Everything && *next > now);
        self.next = [next, due, known].into_iter().flatten().min();
        self.stale.remove(&asked);
        self.whole |= self.stale.is_empty();
        news
    }
}

/// Whom an item is about, as far as it decides who may see it.
fn scope(item: &Item) -> Scope {
    match (item.group.filter(|_| item.for_leaders), item.member) {
        (Some(group), _) => Scope::Group(group),
        (None, Some(member)) => Scope::Member(member),
        (None, None) => Scope::Organisation,
    }
}

/// Who brings the boards up to date.
#[derive(Debug)]
pub(crate) struct Keeper {
    boards: Boards,
    /// The next change to look at.
    from: u64,
}

impl Keeper {
    /// One who has seen nothing yet.
    pub fn new(boards: Boards) -> Self {
        Self { boards, from: u64::MAX }
    }

    async fn find(&self, queues: &[Arc<dyn Queue>], slow: bool, now: Timestamp) -> anyhow::Result<()> {
        for (org, nth, of) in self.boards.stale(queues, slow) {
            if slow && of == Of::Everything {
                self.boards.divide(&org, nth, queues[nth].parts(&org).await?);
                continue;
            }
            let found = queues[nth].find(&org, of, now).await?;
            self.boards.keep(&org, nth, (of, found), now);
        }
        Ok(())
    }
}

#[async_trait]
impl Follower for Keeper {
    fn position(&self) -> watch::Receiver<Position> {
        self.boards.0.changes.positions()
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let (queues, now) = (self.boards.queues(), self.boards.0.clock.now());
        // Taken before anything is looked at: the rows are at least as far.
        let at = self.boards.0.changes.told().borrow().at;
        let next = self.boards.touch(&queues, self.from);
        self.boards.pass_time(&queues, now, next.is_none());
        self.from = next.unwrap_or_else(|| self.boards.0.changes.told().borrow().next);
        if !self.boards.0.views.are_whole() {
            self.from = u64::MAX; // what is folded anew says nothing of what changes meanwhile
            return Ok(());
        }
        self.find(&queues, false, now).await?;
        self.boards.0.reached.send_replace(at);
        self.find(&queues, true, now).await?;
        if self.boards.is_counting() {
            self.boards.0.changes.nudge();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::GroupId;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;
    use crate::Urgency;

    static KIND: Kind = Kind { name: "to_do", about: "things", why: "it is there", resolved_by: &[] };
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn group(n: u128) -> GroupId {
        GroupId(Uuid::from_u128(n))
    }

    fn item(n: u128, due_hours: Option<i64>) -> Item {
        Item {
            kind: &KIND,
            about: Uuid::from_u128(n),
            member: None,
            other: None,
            group: Some(group(n)),
            for_leaders: true,
            not_for: None,
            owner: None,
            urgency: Urgency::Routine,
            since: NOW,
            due_at: due_hours.map(|hours| NOW + SignedDuration::from_hours(hours)),
        }
    }

    fn news(slot: &mut Slot, of: Of, items: Vec<Item>, hours: i64) -> Vec<GroupId> {
        let news = slot.take((of, Found::items(of, items)), NOW + SignedDuration::from_hours(hours));
        let mut news: Vec<_> = news
            .into_iter()
            .map(|(_, scope)| match scope {
                Scope::Group(group) => group,
                other => panic!("{other:?}"),
            })
            .collect();
        news.sort_unstable();
        news
    }

    #[test]
    fn what_is_new_gone_or_overdue_is_told_and_nothing_else() {
        let mut slot = Slot::unknown();
        let items = || vec![item(1, None), item(2, Some(5))];
        assert_eq!(news(&mut slot, Of::Everything, items(), 0), [group(1), group(2)]);
        assert_eq!(news(&mut slot, Of::Everything, items(), 1), []);
        assert!(slot.is_fresh(NOW + SignedDuration::from_hours(4)));
        assert!(!slot.is_fresh(NOW + SignedDuration::from_hours(5)), "something is overdue from then on");
        assert!(!slot.is_fresh(NOW), "the clock was set back");
        assert_eq!(news(&mut slot, Of::Everything, items(), 5), [group(2)]);
        assert_eq!(news(&mut slot, Of::Group(group(2)), vec![], 6), [group(2)]);
        assert_eq!(slot.items.len(), 1, "the other group's item stays");
    }

    #[test]
    fn of_too_much_that_is_stale_all_is_and_all_that_was_asked_for_is_stale_no_more() {
        let mut slot = Slot::unknown();
        slot.spoil(Some(Of::Group(group(1))));
        assert_eq!(slot.stale, [Of::Everything].into(), "all of it is already");
        news(&mut slot, Of::Everything, vec![], 0);
        for n in 0..ONE_BY_ONE_MAX as u128 {
            slot.spoil(Some(Of::Group(group(n))));
            assert_eq!(slot.stale.len() as u128, n + 1);
        }
        slot.spoil(Some(Of::Group(group(ONE_BY_ONE_MAX as u128))));
        assert_eq!(slot.stale, [Of::Everything].into());
        slot.divide(vec![Of::Group(group(1)), Of::Group(group(2))]);
        assert!(!slot.whole);
        for n in [1, 2] {
            news(&mut slot, Of::Group(group(n)), vec![item(n, None)], 0);
        }
        assert!(slot.whole && slot.items.len() == 2);
    }
}
