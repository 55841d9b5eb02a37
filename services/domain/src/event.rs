//! Events as storage: a name, a version and JSON that must load for ever.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::text::mended;

/// Bytes that are not the event they claim to be.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A type or version that this build of Kith does not know.
    #[error("event type `{event_type}` version {version} is not known")]
    Unknown {
        /// As stored.
        event_type: String,
        /// As stored.
        version: u16,
    },
    /// The data does not fit the type.
    #[error("data of `{event_type}` version {version} does not fit")]
    Data {
        /// As stored.
        event_type: String,
        /// As stored.
        version: u16,
        /// What the parser said.
        source: serde_json::Error,
    },
}

/// Everything about one type of event that is the same for all of its events.
#[derive(Debug, Clone)]
pub struct EventType {
    /// `noun.verb`, in the past tense, e.g. `attendance.recorded`.
    pub name: &'static str,
    /// Version of the data's shape, from 1.
    pub version: u16,
    /// JSON Schema of the data.
    pub schema: fn() -> schemars::Schema,
}

/// What can have happened to one kind of stream: the type of its events is the kind.
pub trait DomainEvent: Debug + Clone + PartialEq + Sized + Send + Sync + 'static {
    /// First part of the stream's name, the same for all streams of this kind.
    const CATEGORY: &'static str;
    /// All types of event of this kind of stream, of each the older versions first.
    fn types() -> Vec<EventType>;
    /// Name of the event's type and the version of its data.
    fn event_type(&self) -> (&'static str, u16);
    /// The data as JSON.
    fn encode(&self) -> Vec<u8>;
    /// The event that was stored.
    ///
    /// # Errors
    /// If the type is not known or the data does not fit it.
    fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, DecodeError>;
}

/// Declares the events of a kind of stream, named by the category of its streams: an enum over payload structs, each with
/// its stored name and version, and in parentheses what it was in older versions, which are read as the present one.
macro_rules! events {
    ($(#[$doc:meta])* pub enum $enum:ident of $category:literal { $(
        $(#[$vdoc:meta])* $variant:ident = $name:literal v $version:literal $((v $older:literal $old:ident))*
    ),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant)] // events live for one match
        pub enum $enum { $($(#[$vdoc])* $variant($variant)),+ }

        impl $crate::event::DomainEvent for $enum {
            const CATEGORY: &'static str = $category;

            fn types() -> Vec<$crate::event::EventType> {
                vec![$(
                    $($crate::event::EventType {
                        name: $name, version: $older, schema: || schemars::schema_for!($old),
                    },)*
                    $crate::event::EventType {
                        name: $name, version: $version, schema: || schemars::schema_for!($variant),
                    }
                ),+]
            }

            fn event_type(&self) -> (&'static str, u16) {
                match self { $(Self::$variant(_) => ($name, $version)),+ }
            }

            fn encode(&self) -> Vec<u8> {
                match self { $(Self::$variant(data) => serde_json::to_vec(data)),+ }
                    .expect("event data has string keys only")
            }

            fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, $crate::event::DecodeError> {
                match (event_type, version) {
                    $(
                        ($name, $version) => $crate::event::stored(data).map(Self::$variant),
                        $(($name, $older) => $crate::event::stored::<$old>(data).map(|old| Self::$variant(old.into())),)*
                    )+
                    _ => return Err($crate::event::DecodeError::Unknown { event_type: event_type.into(), version }),
                }
                .map_err(|source| $crate::event::DecodeError::Data { event_type: event_type.into(), version, source })
            }
        }
    };
}
pub(crate) use events;

/// What was stored as JSON, in an event or sealed. Texts that were taken when less was asked of them are read as what can
/// be kept of them.
///
/// # Errors
/// If it does not fit its type.
pub fn stored<T: DeserializeOwned>(data: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(data).or_else(|error| {
        let json = serde_json::from_slice(data).map(mended);
        json.and_then(serde_json::from_value).map_err(|_| error)
    })
}
