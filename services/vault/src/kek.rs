//! The key that wraps the keys.

use std::fmt;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Key;

/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// The key-encryption key of one installation.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Kek([u8; 32]);

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek")
    }
}

/// Text that is no key, or a key that did not wrap what it shall unwrap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// Not 32 bytes in base64url.
    #[error("a key-encryption key is 43 characters of base64url, without padding: 32 bytes")]
    Text,
    /// Another key, or changed bytes.
    #[error("the key-encryption key does not fit: it is not the one that wrapped this, or this was changed")]
    Fit,
}

impl Kek {
    /// The key of these bytes, which must be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key as [`Kek::to_text`] wrote it; white space around it does not matter.
    ///
    /// # Errors
    /// If it is none. The text is not in the error.
    pub fn from_text(text: &str) -> Result<Self, KekError> {
        let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.trim().as_bytes()).map_err(|_| KekError::Text)?);
        bytes.as_slice().try_into().map(Self).map_err(|_| KekError::Text)
    }

    /// The key as text, to be kept where only the server can read it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL_NOPAD.encode(&self.0))
    }

    /// A name for it that tells nothing of it, to see which key wrapped something.
    pub fn id(&self) -> [u8; 8] {
        let digest = blake3::derive_key("kith vault 2026 id of a key-encryption key", &self.0);
        digest[..8].try_into().expect("eight of 32 bytes")
    }

    /// Wraps bytes; `nonce` must be random and new each time.
    pub(crate) fn wrap(&self, nonce: &[u8; NONCE_BYTES], associated: &[u8], bytes: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: bytes, aad: associated };
        let sealed = self.cipher().encrypt(&XNonce::from(*nonce), payload).expect("far less than the cipher's limit");
        [&nonce[..], &sealed].concat()
    }

    /// Undoes [`Kek::wrap`].
    pub(crate) fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_BYTES>().ok_or(KekError::Fit)?;
        let payload = Payload { msg: sealed, aad: associated };
        let bytes = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| KekError::Fit)?;
        Ok(Zeroizing::new(bytes))
    }

    pub(crate) fn unwrap_key(&self, associated: &[u8], wrapped: &[u8]) -> Result<Key, KekError> {
        let bytes = self.unwrap(associated, wrapped)?;
        bytes.as_slice().try_into().map(Key::new).map_err(|_| KekError::Fit)
    }

    /// Seals a whole file, such as a copy of the store.
    pub fn seal_file(&self, nonce: &[u8; NONCE_BYTES], name: &str, bytes: &[u8]) -> Vec<u8> {
        self.wrap(nonce, name.as_bytes(), bytes)
    }

    /// Undoes [`Kek::seal_file`].
    ///
    /// # Errors
    /// If another key sealed it, or it was changed, or it is another file.
    pub fn open_file(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KekError> {
        self.unwrap(name.as_bytes(), sealed)
    }

    /// A tag that nobody can make or change without the key, of what shall be read without it.
    pub fn tag(&self, bytes: &[u8]) -> [u8; 32] {
        let mut key = blake3::derive_key("kith vault 2026 tag of what is not sealed", &self.0);
        let tag = blake3::keyed_hash(&key, bytes).into();
        key.zeroize();
        tag
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}
