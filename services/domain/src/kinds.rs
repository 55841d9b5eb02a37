//! The kinds of stream there are: the one list.

use std::{any::Any, fmt, sync::Arc};

use crate::{
    DecodeError, DomainEvent, EventType, access, audit, care, endpoint, group, letter, mailbox, meeting, member,
    partner, people, programme, protocol, referral, roster, route,
};

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind::of::<programme::Event>(),
    Kind::of::<group::Event>(),
    Kind::of::<roster::Event>(),
    Kind::of::<meeting::Event>(),
    Kind::of::<access::Event>(),
    Kind::of::<member::Event>(),
    Kind::of::<people::Event>(),
    Kind::of::<protocol::Event>(),
    Kind::of::<care::Event>(),
    Kind::of::<partner::Event>(),
    Kind::of::<route::Event>(),
    Kind::of::<referral::Event>(),
    Kind::of::<endpoint::Event>(),
    Kind::of::<mailbox::Event>(),
    Kind::of::<letter::Event>(),
    Kind::of::<audit::Event>(),
];

/// A kind of stream.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// First part of its streams' names.
    pub category: &'static str,
    /// Types of its events, of each the older versions first.
    pub types: fn() -> Vec<EventType>,
    decode: fn(&str, u16, &[u8]) -> Result<AnyEvent, DecodeError>,
}

impl Kind {
    /// The kind with these events.
    pub const fn of<E: DomainEvent>() -> Self {
        let decode = |event_type: &str, version, data: &[u8]| {
            E::decode(event_type, version, data).map(|event| AnyEvent(Arc::new(event)))
        };
        Self { category: E::CATEGORY, types: E::types, decode }
    }
}

/// An event of any kind of stream, for those who read the whole log: they ask whether it is of one that they know.
#[derive(Clone)]
pub struct AnyEvent(Arc<dyn Known>);

/// What all events can do, whatever they are.
trait Known: Any + fmt::Debug + Send + Sync {
    fn encode(&self) -> Vec<u8>;
}

impl<E: DomainEvent> Known for E {
    fn encode(&self) -> Vec<u8> {
        DomainEvent::encode(self)
    }
}

impl AnyEvent {
    /// The event that was stored in a stream of `category`.
    ///
    /// # Errors
    /// If the category or type is not known or the data does not fit it.
    pub fn decode(category: &str, event_type: &str, version: u16, data: &[u8]) -> Result<Self, DecodeError> {
        let kind = KINDS.iter().find(|kind| kind.category == category);
        let kind = kind.ok_or_else(|| DecodeError::Unknown { event_type: event_type.into(), version })?;
        (kind.decode)(event_type, version, data)
    }

    /// As an event of one kind, if it is one.
    pub fn of<E: DomainEvent>(&self) -> Option<&E> {
        (&*self.0 as &dyn Any).downcast_ref()
    }

    /// The data as JSON.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// Every type of event that Kith writes, with the category of its streams.
    pub fn types() -> Vec<(&'static str, EventType)> {
        let of = |kind: &'static Kind| (kind.types)().into_iter().map(|event_type| (kind.category, event_type));
        KINDS.iter().flat_map(of).collect()
    }
}

impl fmt::Debug for AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
