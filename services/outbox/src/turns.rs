//! Whose turn it is, if more wants to be sent than can be at once: what is urgent first; then whoever's organisation has
//! least under way, and whose turn was longest ago. So nobody waits for somebody else's messages to end, however many.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use domain::OrgId;

use crate::under_way::UnderWay;

/// How soon something has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Haste {
    /// It is only noted that it is not sent.
    Last,
    /// In its time.
    Due,
    /// Before all that is not.
    Urgent,
}

/// Something that is due to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due<K> {
    pub haste: Haste,
    pub org: OrgId,
    pub to: K,
}

/// Who had their turn when.
pub(crate) struct Turns<K> {
    /// Turns there were, a count.
    count: u64,
    orgs: HashMap<OrgId, u64>,
    all: HashMap<(OrgId, K), u64>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { count: 0, orgs: HashMap::new(), all: HashMap::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Turns<K> {
    /// Begins as much of what is due as can be under way; of what had its turn equally long ago, what stands first.
    pub fn begin<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        &mut self,
        mut due: Vec<Due<K>>,
        under_way: &mut UnderWay<(OrgId, K)>,
        work: impl Fn(OrgId, K) -> F,
    ) {
        // What is not due any more has no turn to wait for.
        let wanted: HashSet<_> = due.iter().map(|due| (due.org.clone(), due.to)).collect();
        self.all.retain(|of, _| wanted.contains(of));
        self.orgs.retain(|org, _| due.iter().any(|due| due.org == *org) || under_way.count(|(of, _)| of == org) > 0);
        due.retain(|due| under_way.count(|of| *of == (due.org.clone(), due.to)) == 0);
        while under_way.has_room()
            && let Some(next) = self.next(&due, |org| under_way.count(|(of, _)| of == org))
        {
            let Due { org, to, .. } = due.remove(next);
            self.count += 1;
            self.orgs.insert(org.clone(), self.count);
            self.all.insert((org.clone(), to), self.count);
            under_way.begin((org.clone(), to), work(org, to));
        }
    }

    fn next(&self, due: &[Due<K>], under_way: impl Fn(&OrgId) -> usize) -> Option<usize> {
        let busy: HashMap<&OrgId, usize> = due.iter().map(|due| (&due.org, under_way(&due.org))).collect();
        let turn = |Due { haste, org, to }: &Due<K>| {
            let own = self.all.get(&(org.clone(), *to)).copied().unwrap_or_default();
            (Reverse(*haste), busy[org], self.orgs.get(org).copied().unwrap_or_default(), own)
        };
        due.iter().enumerate().min_by_key(|(n, due)| (turn(due), *n)).map(|(n, _)| n)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is begun, with so much room, of what is due to numbers in organisations, each of which then ends.
    fn begun(turns: &mut Turns<u8>, room: usize, due: &[(Haste, &str, u8)]) -> Vec<String> {
        let mut under_way = UnderWay::new(room);
        let due =
            due.iter().map(|(haste, org, to)| Due { haste: *haste, org: org.parse().unwrap(), to: *to }).collect();
        let begun = Arc::new(Mutex::new(Vec::new()));
        turns.begin(due, &mut under_way, |org, to| {
            begun.lock().unwrap().push(format!("{org} {to}"));
            async { Ok(()) }
        });
        begun.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn of_many_that_never_have_done_each_has_its_turn_whatever_its_name() {
        let due: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|org| (Haste::Due, org, 0)).to_vec();
        let mut turns = Turns::default();
        assert_eq!(begun(&mut turns, 4, &due), ["a 0", "b 0", "c 0", "d 0"]);
        assert_eq!(begun(&mut turns, 4, &due), ["e 0", "f 0", "a 0", "b 0"]);
    }

    #[tokio::test]
    async fn who_has_much_does_not_keep_who_has_little_waiting_and_what_is_urgent_waits_for_nothing() {
        use Haste::{Due, Last, Urgent};
        let mut due = vec![(Due, "a", 1), (Due, "a", 2), (Due, "a", 3), (Due, "b", 1), (Last, "c", 1)];
        let mut turns = Turns::default();
        assert_eq!(begun(&mut turns, 3, &due), ["a 1", "b 1", "a 2"]);
        due.push((Urgent, "a", 4));
        assert_eq!(begun(&mut turns, 2, &due), ["a 4", "b 1"]);
        assert_eq!(begun(&mut turns, 9, &due).last().unwrap(), "c 1");
    }
}
