//! Who calls, as an extractor that cannot be forgotten.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::Response,
};
use domain::{
    AttemptId, GroupId, LinkId, MemberId, OrgId, Subject, Text,
    access::ClientRegistered,
    member::{Field, TypedBy},
    referral::{LinkIssued, Purpose},
};

use eventlog::Position;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{
    Asking, Authenticator, Problem,
    authority::{May, Operation, Role, writable},
    command::KITH_POSITION,
    positions::Seal,
    rate_limits::Peer,
    read::{self, At, Wrote},
    token::Claims,
};

/// Someone with a valid token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Their organisation: the only one they can reach.
    pub org: OrgId,
    /// What they are to it.
    pub role: Role,
    /// Who they are.
    pub subject: Subject,
    groups: Arc<[GroupId]>,
    /// Of an API client: the operations that it may call. A person may call all that their role may.
    scopes: Option<Arc<[Text<64>]>>,
    /// The link by which they come, if they have no account.
    link: Option<Linked>,
    /// What names places in the log for them; none before they were let in.
    seal: Option<Seal>,
}

/// What links are good for: the ids of these operations.
const LINK_SCOPES: [&str; 2] = ["follow_link", "record_link_step"];

/// Scopes that clients were given before an operation had the name that it has now, each with that name: they go on.
const FORMER_SCOPES: &[(&str, &str)] = &[("list_meetings", "list_group_meetings")];

/// A link by which somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// In whose stream it is.
    pub member: MemberId,
    /// The one referral that it is for.
    pub attempt: AttemptId,
    /// Which link.
    pub link: LinkId,
    /// What for.
    pub purpose: Purpose,
}

impl From<Claims> for Caller {
    fn from(claims: Claims) -> Self {
        Self {
            org: claims.org,
            role: claims.role,
            subject: claims.sub,
            groups: claims.groups.into(),
            scopes: None,
            link: None,
            seal: None,
        }
    }
}

impl Caller {
    /// An API client.
    pub(crate) fn client(org: &OrgId, client: &ClientRegistered) -> Self {
        Self {
            org: org.clone(),
            role: client.role,
            subject: Subject::of_client(client.client),
            groups: client.groups.as_slice().into(),
            scopes: Some(client.scopes.as_slice().into()),
            link: None,
            seal: None,
        }
    }

    /// Whoever has a link: it is good for what it was issued for, and for nothing else.
    pub(crate) fn linked(org: &OrgId, member: MemberId, issued: &LinkIssued) -> Self {
        let LinkIssued { link, attempt, purpose, .. } = *issued;
        let scopes = LINK_SCOPES.map(|id| id.parse().expect("an operation's id"));
        Self {
            org: org.clone(),
            role: if purpose == Purpose::Member { Role::Member } else { Role::Partner },
            subject: Subject::of_link(link),
            groups: [].into(),
            scopes: Some(scopes.into()),
            link: Some(Linked { member, attempt, link, purpose }),
            seal: None,
        }
    }

    /// The link by which they come.
    ///
    /// # Errors
    /// 403 if they come with a token.
    pub fn link(&self) -> Result<Linked, Problem> {
        self.link.ok_or_else(|| Problem::forbidden("this is for whoever comes by a link"))
    }

    fn sealing(self, seal: Seal) -> Self {
        Self { seal: Some(seal), ..self }
    }

    /// Something with places in the log, to be shown to this caller: only their organisation's callers can give it back.
    ///
    /// # Errors
    /// 500 if nobody let the caller in.
    pub fn seal(&self, purpose: &str, text: &str) -> Result<String, Problem> {
        let seal = self.seal.as_ref().ok_or_else(|| Problem::internal(&"nobody let this caller in"))?;
        Ok(seal.seal(&self.org, purpose, text.as_bytes()))
    }

    /// Undoes [`Caller::seal`]; none if it was not sealed for this caller's organisation and purpose.
    pub fn open(&self, purpose: &str, sealed: &str) -> Option<String> {
        String::from_utf8(self.seal.as_ref()?.open(&self.org, purpose, sealed)?).ok()
    }

    /// The position that this caller's organisation was told; none if it was told none so.
    pub fn opened_position(&self, told: &str) -> Option<Position> {
        self.seal.as_ref()?.opened_position(&self.org, told)
    }

    /// A position as this caller may be told it; none if nobody let the caller in.
    pub fn told_position(&self, position: Position, now: Timestamp) -> Option<String> {
        Some(self.seal.as_ref()?.reached(&self.org, position, now))
    }

    /// Adds the groups that the log says a facilitator is assigned to.
    pub(crate) fn also_reaches(&mut self, assigned: impl Iterator<Item = GroupId>) {
        if self.role == Role::Facilitator {
            let more: Vec<_> = assigned.filter(|group| !self.groups.contains(group)).collect();
            if !more.is_empty() {
                self.groups = self.groups.iter().copied().chain(more).collect();
            }
        }
    }

    /// For whom something is done when it is done for this caller.
    pub fn asking(&self) -> Asking<'_> {
        (&self.org, self.subject.shared())
    }

    /// Whether the caller's role may call an operation, and, if it is a client, its scopes allow it.
    pub fn may_call(&self, may: &May) -> bool {
        may.roles.contains(&self.role) && self.in_scope(may.id)
    }

    fn in_scope(&self, id: &str) -> bool {
        let is = |scope: &Text<64>| scope.as_str() == id || FORMER_SCOPES.contains(&(scope.as_str(), id));
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(is))
    }

    /// Holds callers to their role, and clients to their scopes.
    fn may<Op: Operation>(&self) -> Result<(), Problem> {
        let May { id, roles, .. } = Op::MAY;
        match () {
            () if !roles.contains(&self.role) => {
                Err(Problem::forbidden(format!("{id} is not for the role {}", self.role.as_str())))
            }
            () if !self.in_scope(id) => Err(Problem::forbidden(format!("{id} is not a scope of this client"))),
            () => Ok(()),
        }
    }

    /// Holds callers to the fields of a member that their role may set.
    ///
    /// # Errors
    /// 403 if one of them is not.
    pub fn may_set<'a>(&self, fields: impl IntoIterator<Item = &'a Field>) -> Result<(), Problem> {
        match fields.into_iter().find(|field| !writable(self.role).contains(field)) {
            Some(field) => {
                Err(Problem::forbidden(format!("{} is not for the role {}", field.as_str(), self.role.as_str())))
            }
            None => Ok(()),
        }
    }

    /// Who it is, if what they begin opens no record until somebody else confirms it: whoever leads groups would open
    /// what they want to read themselves.
    pub fn proposes(&self) -> Option<Subject> {
        (self.role == Role::Facilitator).then(|| self.subject.clone())
    }

    /// Whether it was the caller who typed a member in, or somebody at a meeting of a group of theirs.
    pub fn typed(&self, by: &TypedBy) -> bool {
        let at_theirs = || by.group.is_some_and(|group| self.groups.contains(&group));
        self.role == Role::Facilitator && (by.subject == self.subject || at_theirs())
    }

    /// The groups that the caller is held to; none if to no certain ones.
    pub fn own_groups(&self) -> Option<&[GroupId]> {
        (self.role == Role::Facilitator).then_some(&self.groups)
    }
}

/// A caller who may do `Op`.
#[derive(Debug)]
pub struct CallerMay<Op> {
    /// Who calls.
    pub caller: Caller,
    op: PhantomData<Op>,
}

impl<S, Op: Operation> FromRequestParts<S> for CallerMay<Op>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = if let Some(checked) = parts.extensions.remove::<Caller>() {
            checked
        } else {
            let authenticator = Authenticator::from_ref(state);
            caller(&parts.headers, &parts.extensions, &authenticator).await?.sealing(authenticator.seal().await?)
        };
        caller.may::<Op>()?;
        Ok(Self { caller, op: PhantomData })
    }
}

/// A token with which somebody stays, to be looked at again.
#[derive(Debug)]
pub struct Session {
    token: Zeroizing<String>,
    authenticator: Authenticator,
}

impl<S: Send + Sync> FromRequestParts<S> for Session
where
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or_else(Problem::unauthenticated)?.to_owned().into();
        Ok(Self { token, authenticator: Authenticator::from_ref(state) })
    }
}

impl Session {
    /// Who it is, as of now; none if the token is not good any more.
    ///
    /// # Errors
    /// 503 if the log does not answer.
    pub async fn again(&self) -> Result<Option<Caller>, Problem> {
        let seal = self.authenticator.seal().await?;
        Ok(self.authenticator.again(&self.token).await?.map(|caller| caller.sealing(seal)))
    }
}

/// Refuses who has no valid token before anything else of the request is looked at.
///
/// # Errors
/// 401 to whoever has none.
pub async fn authenticate(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = caller(request.headers(), request.extensions(), &authenticator).await?;
    let (seal, org) = (authenticator.seal().await?, caller.org.clone());
    if let Some(after) = read::after(request.headers(), &seal, &org)? {
        request.extensions_mut().insert(after);
    }
    request.extensions_mut().insert(caller.sealing(seal.clone()));
    let mut response = next.run(request).await;
    let extensions = response.extensions_mut();
    let told = match (extensions.remove(), extensions.remove()) {
        (Some(Wrote(position)), _) => seal.wrote(&org, position, authenticator.clock.now()),
        (_, Some(At(position))) => seal.reached(&org, position, authenticator.clock.now()),
        (None, None) => return Ok(response),
    };
    response.headers_mut().insert(KITH_POSITION, HeaderValue::from_str(&told).expect("digits are ASCII"));
    Ok(response)
}

async fn caller(
    headers: &HeaderMap,
    extensions: &Extensions,
    authenticator: &Authenticator,
) -> Result<Caller, Problem> {
    authenticator.admit(token(headers), extensions.get::<Peer>().copied()).await
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    // Two of them are none: whoever is before us may have looked at the other one.
    let only = given.next().filter(|_| given.next().is_none());
    only.and_then(|value| value.to_str().ok()).and_then(bearer)
}

/// RFC 6750: the scheme's name in any case, one space.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
