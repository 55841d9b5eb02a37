//! Names that nobody has had: chance is an argument.

use uuid::Uuid;

/// A name that nobody has had.
pub(crate) fn random(new_secret: fn() -> [u8; 32]) -> Uuid {
    let bytes = new_secret();
    uuid::Builder::from_random_bytes(*bytes.first_chunk().expect("16 of 32 bytes")).into_uuid()
}
