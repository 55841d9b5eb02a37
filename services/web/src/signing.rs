//! What the server says and signs: receipts that can be checked later, by whoever has the data directory.

use std::fmt;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

use crate::token::PKCS8_PREFIX;

/// Type of what is signed, so that no token passes for a receipt; that no receipt passes for a token, its missing
/// claims see to.
const TYPE: &str = "kith-receipt+jwt";
/// Longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 * 1024;

/// A receipt that this server did not sign, or that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this server did not sign the receipt, or it was changed")]
pub struct NotSigned;

/// Signs receipts, and knows its own.
#[derive(Clone)]
pub struct Signer {
    signing: EncodingKey,
    checking: DecodingKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// The signer with this Ed25519 key.
    pub fn new(seed: &[u8; 32]) -> Self {
        let public = SigningKey::from_bytes(seed).verifying_key();
        Self {
            signing: EncodingKey::from_ed_der(&[&PKCS8_PREFIX[..], seed].concat()),
            checking: DecodingKey::from_ed_der(public.as_bytes()),
        }
    }

    /// The receipt, as a compact JWS.
    pub fn sign(&self, receipt: &impl Serialize) -> String {
        let header = Header { typ: Some(TYPE.into()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, receipt, &self.signing).expect("string keys only, and a key that was checked")
    }

    /// What was signed.
    ///
    /// # Errors
    /// If it was not this server, or not a receipt.
    pub fn check<T: DeserializeOwned>(&self, receipt: &str) -> Result<T, NotSigned> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims::<&str>(&[]);
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let fits = receipt.len() <= RECEIPT_BYTES_MAX;
        let decoded = jsonwebtoken::decode(receipt.trim(), &self.checking, &validation).map_err(|_| NotSigned)?;
        let typed = decoded.header.typ.as_deref() == Some(TYPE);
        if fits && typed { Ok(decoded.claims) } else { Err(NotSigned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_known_by_who_signed_it_and_by_nobody_else() {
        let signer = Signer::new(&[1; 32]);
        let receipt = signer.sign(&serde_json::json!({ "position": 7 }));
        let said: serde_json::Value = signer.check(&receipt).unwrap();
        assert_eq!(said["position"], 7);
        assert_eq!(Signer::new(&[2; 32]).check::<serde_json::Value>(&receipt), Err(NotSigned));
        let changed = receipt.replacen('.', ".e30", 1);
        assert_eq!(signer.check::<serde_json::Value>(&changed), Err(NotSigned));
    }
}
