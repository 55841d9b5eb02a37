//! What extractors need: who issues tokens, what the log says of them, the clock, tokens seen lately.

use std::{
    fmt,
    num::NonZeroUsize,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard},
};

use domain::{
    LocalDay, OrgId,
    access::{self, Access, ClockCorrected},
    referral::{self, Referral},
};
use eventlog::{Cause, EventLog, Loaded, Reply, Streams};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use lru::LruCache;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Compute, Problem,
    caller::Caller,
    client_key::ClientKey,
    import_turns::ImportTurns,
    link_key::LinkKey,
    positions::{LogSeal, Seal},
    rate_limits::{Peer, Rates},
    room::Rooms,
    token::{Claims, Issuer, KeySet, Provider},
};

/// Tokens whose signature is not checked anew each time, a count.
const CHECKED_TOKENS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// Where time comes from, and in which zone days are that belong to no group: the composition root hands it in.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    zone: TimeZone,
}

impl Clock {
    /// The clock that answers with `now`, in UTC.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), zone: TimeZone::UTC }
    }

    /// The same clock, in another zone.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// A time in the clock's zone: what days of groups are found from.
    pub fn local(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.zone.clone())
    }

    /// The day, for what belongs to no group.
    pub fn today(&self) -> LocalDay {
        LocalDay::of(&self.local(self.now()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What was accepted before.
#[derive(Debug, Clone)]
enum Checked {
    /// A token: what it says, and the keys of the provider that checked it, if it is not ours.
    Token(Claims, Option<Arc<KeySet>>),
    /// A client's key, or a link. Its hash is compared each time.
    Key,
}

/// By digest.
type CheckedTokens = LruCache<[u8; 32], Checked>;

/// Writes down that a clock had been ahead when something was revoked: what is issued from now on is not.
async fn correct_clock(access: &Streams<Access>, org: &OrgId, now: Timestamp) -> Result<(), Problem> {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("clock of {org} {now}").as_bytes());
    let cause = Cause::of_process("authenticator", id, now);
    let correct = access::Command::CorrectClock(ClockCorrected { at: now });
    access.transact(org, access::id(org), cause, correct, Reply::DONE).await?;
    tracing::warn!(%org, "a token was revoked by a clock that was ahead; tokens issued from now on are accepted");
    Ok(())
}

/// Checks who calls. Clones are the same authenticator: each request makes several.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Parts>);

/// What an authenticator is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    issuer: Option<Issuer>,
    provider: Option<Provider>,
    access: Option<Streams<Access>>,
    referrals: Option<Streams<Referral>>,
    rates: Rates,
    /// What the disk has room for.
    pub rooms: Rooms,
    /// The time.
    pub clock: Clock,
    /// Work that takes long.
    pub compute: Compute,
    /// Whose turn it is to import.
    pub(crate) import_turns: ImportTurns,
    checked: Arc<Mutex<CheckedTokens>>,
    seal: LogSeal,
}

impl Deref for Authenticator {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Authenticator {
    /// The authenticator that accepts tokens of `issuer`, as often as they come.
    pub fn new(issuer: Issuer, clock: Clock) -> Self {
        let checked = Arc::new(Mutex::new(LruCache::new(CHECKED_TOKENS)));
        let (rates, compute) = (Rates::new(Rates::NONE), Compute::default());
        Self(Arc::new(Parts {
            issuer: Some(issuer),
            provider: None,
            access: None,
            referrals: None,
            rates,
            rooms: Rooms::default(),
            clock,
            compute,
            import_turns: ImportTurns::default(),
            checked,
            seal: LogSeal::none(),
        }))
    }

    /// The authenticator with some parts that are others.
    fn with(self, change: impl FnOnce(Parts) -> Parts) -> Self {
        Self(Arc::new(change(Arc::unwrap_or_clone(self.0))))
    }

    /// Heeds what the log says of each organisation's access: revocations, clients, assignments. A server's authenticator does.
    #[must_use]
    pub fn heeding(self, access: Streams<Access>) -> Self {
        self.with(|parts| Parts { access: Some(access), ..parts })
    }

    /// Lets links in, if the log says that they are good. A server's authenticator does.
    #[must_use]
    pub fn admitting_links(self, referrals: Streams<Referral>) -> Self {
        self.with(|parts| Parts { referrals: Some(referrals), ..parts })
    }

    /// Seals positions with the key that is in the log, made by `chance` the first time. A server's authenticator does.
    #[must_use]
    pub fn sealing(self, log: Arc<dyn EventLog>, chance: fn() -> [u8; 32]) -> Self {
        self.with(|parts| Parts { seal: LogSeal::of(log, chance), ..parts })
    }

    /// What positions are sealed with.
    ///
    /// # Errors
    /// 503 if the log does not answer.
    pub(crate) async fn seal(&self) -> Result<Seal, Problem> {
        self.seal.get(self.clock.now()).await
    }

    /// Accepts the provider's tokens as well.
    #[must_use]
    pub fn trusting(self, provider: Provider) -> Self {
        self.with(|parts| Parts { provider: Some(provider), ..parts })
    }

    /// Accepts no tokens of the built-in issuer.
    #[must_use]
    pub fn without_issuer(self) -> Self {
        self.with(|parts| Parts { issuer: None, ..parts })
    }

    /// Answers nobody more often than this.
    #[must_use]
    pub fn limited(self, rates: Rates) -> Self {
        self.with(|parts| Parts { rates, ..parts })
    }

    /// How often callers may ask, and how much may be written of it.
    pub(crate) fn rates(&self) -> Rates {
        self.rates.clone()
    }

    /// Lets through what the disk has room for.
    #[must_use]
    pub fn within(self, rooms: Rooms) -> Self {
        self.with(|parts| Parts { rooms, ..parts })
    }

    /// Who calls with this token, from this address.
    ///
    /// # Errors
    /// 401 if it is not valid now, 429 if it comes too often, 503 if the log does not answer.
    pub(crate) async fn admit(&self, token: Option<&str>, peer: Option<Peer>) -> Result<Caller, Problem> {
        let digest = token.map(|token| blake3::hash(token.as_bytes()).into());
        let known = digest.and_then(|digest| self.checked().get(&digest).cloned());
        if known.is_none() {
            // Whoever was accepted before goes on, also from an address from which somebody guesses.
            self.rates.refusals_left(peer, Instant::now()).map_err(Problem::rate_limited)?;
        }
        let caller = match token.zip(digest) {
            Some((token, digest)) => self.caller(token, digest, known).await?,
            None => None,
        };
        let Some(caller) = caller else {
            self.rates.refused(peer, Instant::now());
            return Err(Problem::unauthenticated());
        };
        self.rates.caller(&caller.org, &caller.subject, Instant::now()).map_err(Problem::rate_limited)?;
        Ok(caller)
    }

    /// Who holds a token that was accepted before, as of now; none if it is not valid any more.
    ///
    /// # Errors
    /// 503 if the log does not answer.
    pub(crate) async fn again(&self, token: &str) -> Result<Option<Caller>, Problem> {
        let digest = blake3::hash(token.as_bytes()).into();
        let known = self.checked().get(&digest).cloned();
        self.caller(token, digest, known).await
    }

    async fn caller(&self, token: &str, digest: [u8; 32], known: Option<Checked>) -> Result<Option<Caller>, Problem> {
        let now = self.clock.now();
        if let Some(key) = ClientKey::parse(token) {
            let caller = self.client(&key, now).await?;
            if caller.is_some() {
                self.checked().put(digest, Checked::Key);
            }
            return Ok(caller);
        }
        if let Some(key) = LinkKey::parse(token) {
            let caller = self.link(&key, now).await?;
            if caller.is_some() {
                self.checked().put(digest, Checked::Key);
            }
            return Ok(caller);
        }
        let Some(claims) = self.claims(token, digest, known, now).await? else { return Ok(None) };
        if claims.valid_at(now) { self.holder(claims, now).await } else { Ok(None) }
    }

    /// What a token says that one of our issuers signed.
    async fn claims(
        &self,
        token: &str,
        digest: [u8; 32],
        known: Option<Checked>,
        now: Timestamp,
    ) -> Result<Option<Claims>, Problem> {
        match (known, &self.provider) {
            (Some(Checked::Token(claims, None)), _) => return Ok(Some(claims)),
            (Some(Checked::Token(claims, Some(keys))), Some(provider))
                if Arc::ptr_eq(&provider.keys(now).await, &keys) =>
            {
                return Ok(Some(claims));
            }
            _ => {}
        }
        let ours = self.issuer.as_ref().and_then(|issuer| issuer.check(token).ok()).map(|claims| (claims, None));
        let found = match (ours, &self.provider) {
            (Some(ours), _) => Some(ours),
            (None, Some(provider)) => {
                let checked = provider.check(token, now, &self.compute).await?;
                checked.map(|(claims, keys)| (claims, Some(keys)))
            }
            (None, None) => None,
        };
        let Some((claims, keys)) = found else { return Ok(None) };
        self.checked().put(digest, Checked::Token(claims.clone(), keys));
        Ok(Some(claims))
    }

    /// Who holds a token with these claims, unless it was revoked.
    async fn holder(&self, claims: Claims, now: Timestamp) -> Result<Option<Caller>, Problem> {
        let Some(access) = &self.access else { return Ok(Some(claims.into())) };
        let issued_at = Timestamp::from_second(claims.issued_at).unwrap_or(Timestamp::MIN);
        let (org, mut caller) = (claims.org.clone(), Caller::from(claims.clone()));
        let mut ahead = false;
        let heed = |loaded: &Loaded<access::State>| {
            let state = &loaded.state;
            if state.revoked(claims.jti.as_ref(), &claims.sub, issued_at) {
                ahead = state.revoked_ahead(claims.jti.as_ref(), &claims.sub, now);
                return None;
            }
            caller.also_reaches(state.groups_of(&claims.sub, now));
            Some(caller)
        };
        let admitted = access.look(&org, access::id(&org), heed).await?;
        if ahead {
            correct_clock(access, &org, now).await?;
        }
        Ok(admitted)
    }

    /// The client whose key it is.
    async fn client(&self, key: &ClientKey, now: Timestamp) -> Result<Option<Caller>, Problem> {
        let Some(access) = &self.access else { return Ok(None) };
        let heed = |loaded: &Loaded<access::State>| {
            let client = loaded.state.client(key.client, now).filter(|client| key.is(&client.key_hash))?;
            let mut caller = Caller::client(&key.org, client);
            caller.also_reaches(loaded.state.groups_of(&caller.subject.clone(), now));
            Some(caller)
        };
        Ok(access.look(&key.org, access::id(&key.org), heed).await?)
    }

    /// Whoever has the link.
    async fn link(&self, key: &LinkKey<'_>, now: Timestamp) -> Result<Option<Caller>, Problem> {
        let Some(referrals) = &self.referrals else { return Ok(None) };
        let Some((member, link)) = key.place(&self.seal().await?) else { return Ok(None) };
        let good = |loaded: &Loaded<referral::State>| {
            let known = loaded.state.link(&key.secret, now).ok().filter(|known| known.issued.link == link)?;
            Some(Caller::linked(&key.org, member, &known.issued))
        };
        Ok(referrals.look(&key.org, member, good).await?)
    }

    fn checked(&self) -> MutexGuard<'_, CheckedTokens> {
        self.checked.lock().expect("nothing panics while it is held")
    }
}
