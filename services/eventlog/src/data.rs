//! What an event in the log says, and what was made of it.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use domain::AnyEvent;

/// What an event says, as JSON. Clones share what was made of it.
#[derive(Clone)]
pub struct Data(Arc<Said>);

struct Said {
    json: Bytes,
    event: OnceLock<AnyEvent>,
}

impl Data {
    /// What `decode` makes of it, the first time; the same again after that.
    pub(crate) fn once<E>(&self, decode: impl FnOnce(&[u8]) -> Result<AnyEvent, E>) -> Result<AnyEvent, E> {
        if let Some(event) = self.0.event.get() {
            return Ok(event.clone());
        }
        let event = decode(&self.0.json)?;
        Ok(self.0.event.get_or_init(|| event).clone())
    }
}

impl<T: Into<Bytes>> From<T> for Data {
    fn from(json: T) -> Self {
        Self(Arc::new(Said { json: json.into(), event: OnceLock::new() }))
    }
}

impl Deref for Data {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0.json
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Data {}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.json.fmt(f)
    }
}
