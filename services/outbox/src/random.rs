//! Names that nobody has had, and codes that nobody guesses: chance is an argument.

use uuid::Uuid;

/// Digits of a code, a count.
const CODE_DIGITS: u32 = 8;

/// A name that nobody has had.
pub(crate) fn random(new_secret: fn() -> [u8; 32]) -> Uuid {
    let bytes = new_secret();
    uuid::Builder::from_random_bytes(*bytes.first_chunk().expect("16 of 32 bytes")).into_uuid()
}

/// A code that somebody can type.
pub(crate) fn code(new_secret: fn() -> [u8; 32]) -> String {
    let bytes = new_secret();
    let drawn = u64::from_be_bytes(*bytes.first_chunk().expect("8 of 32 bytes"));
    format!("{:0width$}", drawn % 10_u64.pow(CODE_DIGITS), width = CODE_DIGITS as usize)
}
