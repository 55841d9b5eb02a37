//! What may leave the house, and by which way: what whoever runs it says.

/// What whoever runs Kith says of what leaves it.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Whether endpoints may be spoken to without TLS.
    pub plain_endpoints: bool,
    /// Whether endpoints may have addresses that are none of the internet.
    pub private_endpoints: bool,
}
