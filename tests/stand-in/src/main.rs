//! The stand-in as a process, to be killed and to be asked by clients in other languages.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Parser;
use stand_in::{Cluster, Options, StandIn, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Speaks `KurrentDB`'s protocol, for tests.
#[derive(Debug, Parser)]
struct Flags {
    /// File of the log
    #[arg(long)]
    log: PathBuf,
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Certificate (PEM)
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// Key (PEM)
    #[arg(long)]
    key: Option<PathBuf>,
    /// User and password without whom nothing is answered, as name:password
    #[arg(long)]
    user: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { log, listen, certificate, key, user } = Flags::parse();
    let read = |file: PathBuf| std::fs::read_to_string(file);
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            // tonic uses the one of the process, and of the two that are linked in none is one by itself.
            let provider = rustls::crypto::ring::default_provider().install_default();
            anyhow::ensure!(provider.is_ok(), "a provider of cryptography is there already");
            Some((read(certificate)?, read(key)?))
        }
        _ => None,
    };
    let named = |user: String| {
        let (name, password) = user.split_once(':').context("--user: it is not name:password")?;
        Ok::<_, anyhow::Error>((name.to_owned(), password.to_owned()))
    };
    let user = user.map(named).transpose()?;
    let node = StandIn::start_node(Store::open(&log)?, Cluster::default(), listen, Options { user, tls }).await?;
    println!("{}", node.address);
    std::future::pending().await
}
