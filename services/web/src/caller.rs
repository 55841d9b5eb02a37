//! Who calls, as an extractor that cannot be forgotten.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts, Request, State},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::Response,
};
use domain::{GroupId, MemberId, OrgId};

use crate::{
    Gate, Problem,
    authority::{Operation, Role},
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
    pub subject: Arc<str>,
    groups: Arc<[GroupId]>,
}

impl From<Claims> for Caller {
    fn from(claims: Claims) -> Self {
        Self { org: claims.org, role: claims.role, subject: claims.sub, groups: claims.groups.into() }
    }
}

impl Caller {
    /// Holds facilitators to their own groups.
    ///
    /// # Errors
    /// 403 if the group is not one of theirs.
    pub fn may_group(&self, group: GroupId) -> Result<(), Problem> {
        match self.own_groups() {
            Some(own) if !own.contains(&group) => Err(Problem::forbidden("facilitators reach their own groups only")),
            _ => Ok(()),
        }
    }

    /// Holds members to themselves.
    ///
    /// # Errors
    /// 403 if the member is somebody else.
    pub fn may_member(&self, member: MemberId) -> Result<(), Problem> {
        if self.role == Role::Member && self.subject.parse() != Ok(member) {
            return Err(Problem::forbidden("members reach themselves only"));
        }
        Ok(())
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
    Gate: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let checked = parts.extensions.remove::<Caller>().map(Ok);
        let caller = checked.unwrap_or_else(|| caller(&parts.headers, &Gate::from_ref(state)))?;
        if Op::ROLES.contains(&caller.role) {
            Ok(Self { caller, op: PhantomData })
        } else {
            Err(Problem::forbidden(format!("{} is not for the role {}", Op::ID, caller.role.as_str())))
        }
    }
}

/// Refuses who has no valid token before anything else of the request is looked at.
///
/// # Errors
/// 401 to whoever has none.
pub async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let caller = caller(request.headers(), &gate)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn caller(headers: &HeaderMap, gate: &Gate) -> Result<Caller, Problem> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    bearer.and_then(|token| gate.caller(token)).ok_or_else(Problem::unauthenticated)
}

/// RFC 6750: the scheme's name in any case, one space.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
