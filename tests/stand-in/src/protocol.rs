//! The protocol's messages and services.
#![allow(missing_docs, dead_code, clippy::all, clippy::pedantic)]

pub mod event_store {
    pub mod client {
        include!("protocol/shared.rs");
        pub mod streams {
            include!("protocol/streams.rs");
        }
        pub mod gossip {
            include!("protocol/gossip.rs");
        }
        pub mod server_features {
            include!("protocol/server_features.rs");
        }
    }
}

pub mod google {
    pub mod rpc {
        include!("protocol/status.rs");
    }
}

pub use event_store::client as shared;
pub use event_store::client::{gossip, server_features, streams};
