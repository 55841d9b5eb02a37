//! What extractors need: the issuer, the clock, tokens seen lately.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use lru::LruCache;

use crate::{
    caller::Caller,
    token::{Claims, Issuer},
};

/// Tokens whose signature is not checked anew each time, a count.
const CHECKED_TOKENS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// Where time comes from: the composition root hands it in.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock that answers with `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// By digest.
type CheckedTokens = LruCache<[u8; 32], (Claims, Caller)>;

/// Checks who calls.
#[derive(Debug, Clone)]
pub struct Gate {
    issuer: Issuer,
    /// The time.
    pub clock: Clock,
    checked: Arc<Mutex<CheckedTokens>>,
}

impl Gate {
    /// The gate that accepts tokens of `issuer`.
    pub fn new(issuer: Issuer, clock: Clock) -> Self {
        Self { issuer, clock, checked: Arc::new(Mutex::new(LruCache::new(CHECKED_TOKENS))) }
    }

    /// Who calls with this token, if it is valid now.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let digest = blake3::hash(token.as_bytes()).into();
        let now = self.clock.now();
        let known = self.checked.lock().expect("nothing panics while it is held").get(&digest).cloned();
        let (claims, caller) = known.or_else(|| {
            let claims = self.issuer.check(token).ok()?;
            let checked = (claims.clone(), Caller::from(claims));
            self.checked.lock().expect("nothing panics while it is held").put(digest, checked.clone());
            Some(checked)
        })?;
        claims.valid_at(now).then_some(caller)
    }
}
