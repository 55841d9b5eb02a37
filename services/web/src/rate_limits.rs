//! How often may be asked: per caller, per address, and how often an address may be wrong.

use std::{
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{OrgId, Subject};
use lru::LruCache;
use tokio::time::Instant;

/// Most callers or addresses that are counted at a time, a count; those that were silent longest are forgotten.
const COUNTED_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// The address that a request came from, put into it by whoever listens. Of a trusted proxy's, the one that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// That the address has as many requests open as it may, put into one that is too many by whoever listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded;

/// So many at once, and then one every so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time for one.
    pub every: Duration,
    /// At once, a count.
    pub burst: u32,
}

impl Rate {
    /// So many in a time, and `burst` at once; none if there is no limit.
    pub fn new(count: u32, time: Duration, burst: u32) -> Option<Self> {
        (count > 0).then(|| Self { every: time / count, burst: burst.max(1) })
    }
}

/// Bits of an IPv6 address that tell customers apart. Providers give each home a /56 or more (RIPE-690): with fewer
/// bits one would pass for hundreds.
const CUSTOMER_BITS: u32 = 56;

/// Who is counted as one address: an IPv4 address, behind which there can be many; the /56 of an IPv6 customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let others = Ipv6Addr::BITS - CUSTOMER_BITS;
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() >> others << others).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl From<Peer> for Network {
    fn from(Peer(address): Peer) -> Self {
        address.into()
    }
}

/// A bucket for each key. Kept is only when it will be full again.
struct Buckets<K> {
    rate: Option<Rate>,
    full_at: Mutex<LruCache<K, Instant>>,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(rate: Option<Rate>) -> Self {
        Self { rate, full_at: Mutex::new(LruCache::new(COUNTED_MAX)) }
    }

    /// Takes one out of the bucket.
    ///
    /// # Errors
    /// If it is empty, says after how long it is not.
    fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.take_many(key, 1, now)
    }

    /// Takes so many out of the bucket, or all that it holds when it is full.
    fn take_many(&self, key: K, count: u32, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut full_at = self.full_at.lock().expect("nothing panics while it is held");
        let next = full_at.get(&key).map_or(now, |at| (*at).max(now)) + rate.every * count.min(rate.burst);
        match next.checked_duration_since(now + rate.every * rate.burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                full_at.put(key, next);
                Ok(())
            }
        }
    }

    /// After how long there is one in the bucket; none if there is one.
    fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let rate = self.rate?;
        let full_at = *self.full_at.lock().expect("nothing panics while it is held").peek(key)?;
        let wait = (full_at + rate.every).checked_duration_since(now + rate.every * rate.burst)?;
        (!wait.is_zero()).then_some(wait)
    }
}

/// The limits of one server. Clones count together.
#[derive(Clone)]
pub struct Rates {
    callers: Arc<Buckets<(OrgId, Subject)>>,
    addresses: Arc<Buckets<Network>>,
    refusals: Arc<Buckets<Network>>,
    audited: Arc<Buckets<(OrgId, Subject)>>,
    public: Arc<Buckets<Network>>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rates")
    }
}

impl Rates {
    /// No limits.
    pub const NONE: [Option<Rate>; 3] = [None; 3];

    /// Limits for each caller, for each address, and for the refusals (401) of each address.
    pub fn new([callers, addresses, refusals]: [Option<Rate>; 3]) -> Self {
        Self {
            callers: Arc::new(Buckets::new(callers)),
            addresses: Arc::new(Buckets::new(addresses)),
            refusals: Arc::new(Buckets::new(refusals)),
            audited: Arc::new(Buckets::new(None)),
            public: Arc::new(Buckets::new(None)),
        }
    }

    /// The same, and of what each caller looks at only so many bytes are written down.
    #[must_use]
    pub fn auditing(self, bytes: Option<Rate>) -> Self {
        Self { audited: Arc::new(Buckets::new(bytes)), ..self }
    }

    /// The same, and of what anybody may read each address reads only so much.
    #[must_use]
    pub fn showing(self, public: Option<Rate>) -> Self {
        Self { public: Arc::new(Buckets::new(public)), ..self }
    }

    /// Counts a look at what anybody may read.
    pub(crate) fn public(&self, peer: Option<Peer>, now: Instant) -> Result<(), Duration> {
        peer.map_or(Ok(()), |peer| self.public.take(peer.into(), now))
    }

    /// Takes room for what is written of a look.
    pub(crate) fn audit(&self, org: &OrgId, subject: &Subject, bytes: u32, now: Instant) -> Result<(), Duration> {
        self.audited.take_many((org.clone(), subject.clone()), bytes, now)
    }

    pub(crate) fn caller(&self, org: &OrgId, subject: &Subject, now: Instant) -> Result<(), Duration> {
        self.callers.take((org.clone(), subject.clone()), now)
    }

    pub(crate) fn address(&self, peer: Option<Peer>, now: Instant) -> Result<(), Duration> {
        peer.map_or(Ok(()), |peer| self.addresses.take(peer.into(), now))
    }

    /// After how long the address may be wrong again; none if it may.
    pub(crate) fn refusals_left(&self, peer: Option<Peer>, now: Instant) -> Result<(), Duration> {
        peer.and_then(|peer| self.refusals.wait(&peer.into(), now)).map_or(Ok(()), Err)
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, peer: Option<Peer>, now: Instant) {
        if let Some(peer) = peer {
            let _ = self.refusals.take(peer.into(), now); // one too many is refused before it is looked at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(address: &str) -> Peer {
        Peer(address.parse().unwrap())
    }

    #[test]
    fn a_burst_is_taken_at_once_and_then_one_every_so_often() {
        let (buckets, start) = (Buckets::new(Rate::new(2, SECOND, 3)), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.wait(&"ann", start), None);
            assert_eq!(buckets.take("ann", start), Ok(()));
        }
        assert_eq!(buckets.take("ann", start), Err(SECOND / 2));
        assert_eq!(buckets.wait(&"ann", start), Some(SECOND / 2));
        assert_eq!(buckets.take("bob", start), Ok(()), "each has a bucket of their own");
        assert_eq!(buckets.take("ann", start + SECOND / 2), Ok(()));
        assert!(buckets.take("ann", start + SECOND / 2).is_err());
        assert_eq!((0..9).filter(|_| buckets.take("ann", start + SECOND * 60).is_ok()).count(), 3, "never more");
    }

    #[test]
    fn what_is_larger_than_the_bucket_takes_a_full_one() {
        let (buckets, start) = (Buckets::new(Rate::new(2, SECOND, 10)), Instant::now());
        assert_eq!(buckets.take_many("ann", 1_000, start), Ok(()));
        assert_eq!(buckets.take_many("ann", 4, start), Err(SECOND * 2));
        assert_eq!(buckets.take_many("ann", 4, start + SECOND * 2), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let buckets = Buckets::new(Rate::new(0, SECOND, 1));
        assert!((0..1_000).all(|_| buckets.take("ann", Instant::now()).is_ok()));
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let (buckets, now) = (Buckets::new(Rate::new(1, SECOND, 1)), Instant::now());
        for n in 0..COUNTED_MAX.get() + 10 {
            buckets.take(n, now).unwrap();
        }
        assert_eq!(buckets.full_at.lock().unwrap().len(), COUNTED_MAX.get());
    }

    #[test]
    fn an_ipv6_customer_is_one_address_and_an_ipv4_address_is_the_same_in_both_forms() {
        let one = Rate::new(1, SECOND, 1);
        let (rates, now) = (Rates::new([None, one, one]), Instant::now());
        assert!(rates.address(Some(peer("2001:db8::1")), now).is_ok());
        assert!(rates.address(Some(peer("2001:db8::2:3")), now).is_err());
        assert!(rates.address(Some(peer("2001:db8:0:ff::1")), now).is_err());
        assert!(rates.address(Some(peer("2001:db8:0:100::1")), now).is_ok());
        assert!(rates.address(Some(peer("192.0.2.1")), now).is_ok());
        assert!(rates.address(Some(peer("::ffff:192.0.2.1")), now).is_err());
        assert!(rates.refusals_left(Some(peer("192.0.2.1")), now).is_ok());
        rates.refused(Some(peer("192.0.2.1")), now);
        assert_eq!(rates.refusals_left(Some(peer("192.0.2.1")), now), Err(SECOND));
        assert!(rates.refusals_left(None, now).is_ok(), "without an address nothing is counted");
    }
}
