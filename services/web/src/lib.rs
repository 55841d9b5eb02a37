//! What every operation over HTTP has in common: who calls and what they may, commands that happen once, reads that
//! see what was written, problems, limits.
//!
//! An operation's signature says it all: [`Command`], [`CallerMay`] or, without a token, [`Anybody`] is its authority and
//! cannot be forgotten.

#[cfg(test)]
mod attacks;
mod audit;
mod authenticator;
mod authority;
mod calendar_key;
mod caller;
mod client_key;
mod command;
mod compute;
mod extract;
mod import;
mod import_turns;
mod limits;
mod link_key;
mod nobody;
mod page;
mod permitted;
mod positions;
mod private;
mod problem;
mod problem_pages;
mod public;
mod rate_limits;
mod read;
mod room;
mod scrub;
mod security_headers;
mod signing;
mod token;

pub use audit::{Audit, Opening};
pub use authenticator::{Authenticator, Clock};
pub use authority::{Also, May, Operation, Role, readable, writable};
pub use calendar_key::{CalendarKey, new_calendar_key};
pub use caller::{Caller, CallerMay, Linked, Session, authenticate};
pub use client_key::new_client_key;
pub use command::{Answer, BODY_BYTES_MAX, Command, IDEMPOTENCY_KEY_CHARS_MAX, LargeCommand, Nothing, Search};
pub use compute::{Asking, Compute, Undone, WAITING_MAX, WAITING_OF_CALLER_MAX, WAITING_OF_ORG_MAX};
pub use extract::{Path, Query};
pub use import::{
    Became, IMPORT_BYTES_MAX, IMPORT_LINES_AT_ONCE, IMPORT_LINES_MAX, IfDuplicate, ImportCommand, ImportFile,
    ImportLine, ImportReport, Importer, Imports, LineReport, OnError, Planned, Progress, Run,
};
pub use limits::{Limits, limit, no_such_method, no_such_path, observe};
pub use link_key::new_link_key;
pub use page::{PAGE_ROWS_MAX, Page, PageQuery};
pub use permitted::{Guarded, Permitted};
pub use positions::{POSITION_DIGITS_MAX, Seal};
pub use private::{Private, Sealable};
pub use problem::{Problem, ProblemBody, Problems, PublicProblems};
pub use problem_pages::PAGES;
pub use public::{Anybody, Door, KEPT_SECONDS, PUBLIC_AT_ONCE_MAX, Unshared, for_anybody};
pub use rate_limits::{Crowded, Network, Peer, Rate, Rates};
pub use read::{AFTER_POSITIONS_MAX, After, At, LogEnd, Read, VISIBLE_WAIT_MAX};
pub use room::{Looks, Room, Rooms};
pub use scrub::scrubbed;
pub use security_headers::{SecurityHeaders, add_security_headers};
pub use signing::{NotSigned, Signer};
pub use token::{
    Claims, Issuer, KEYS_AGE_MAX, KEYS_BYTES_MAX, KEYS_STALE_MAX, KeySource, Mapping, Provider, REFRESH_PAUSE,
    SUBJECT_CHARS_MAX, TOKEN_TTL_MAX, TokenError,
};
