//! The listener's certificates, read again when asked to.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use anyhow::{Context, ensure};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::private;

/// A certificate and its key, in files.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads them.
    ///
    /// # Errors
    /// If they cannot be read or do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let config = RwLock::new(Arc::new(read(certificate, key)?));
        Ok(Self { certificate: certificate.into(), key: key.into(), config })
    }

    /// Reads them again. Connections that are open keep what they have.
    ///
    /// # Errors
    /// If they cannot be used; then those of before stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        let config = Arc::new(read(&self.certificate, &self.key)?);
        *self.config.write().expect("nothing panics while it is held") = config;
        Ok(())
    }

    /// What makes TLS of a connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.config.read().expect("nothing panics while it is held").clone().into()
    }
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("tls_certificate {} cannot be read", certificate.display()))?;
    ensure!(!chain.is_empty(), "tls_certificate {} has no certificate", certificate.display());
    let key_der = PrivateKeyDer::from_pem_slice(&private::read(key).context("tls_key")?);
    let key_der = key_der.with_context(|| format!("tls_key {} cannot be read", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .context("tls_certificate and tls_key cannot be used together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
