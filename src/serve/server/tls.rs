//! The certificate, its key, and whose certificates clients may show.
//!
//! In: PEM files. Out: what the next connection is begun with; TLS 1.2 or 1.3. Files that change are read again, so
//! that a certificate is renewed without a connection being lost; a new pair that can't be used is told, and the old
//! one kept. Specs: <https://www.rfc-editor.org/rfc/rfc8446>, <https://www.rfc-editor.org/rfc/rfc9325>.
#![expect(clippy::disallowed_methods, reason = "the certificate and its key are files")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::super::login::Shown;
use crate::config::service::Tls;

/// Bytes of a file.
const MOST_BYTES: u64 = 1024 * 1024;

/// What connections are begun with, as of now.
pub struct Certificate {
    files: Tls,
    now: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Vec<Trace>>,
}

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that can't be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file without what it should hold.
    #[error("`{}` holds no {what} as PEM", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Certificate and key don't belong together, or one of them can't be used.
    #[error("the certificate can't be used with its key")]
    Pair(#[from] rustls::Error),
    /// Authorities of clients.
    #[error("the clients' authority can't be used")]
    Clients(#[from] VerifierBuilderError),
}

/// What a file was, so that another one in its place is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace(Option<(u64, u64, u64, i64, i64)>);

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]: nobody could connect.
    pub fn read(files: Tls) -> Result<Self, TlsError> {
        let seen = Mutex::new(traces(&files));
        let now = RwLock::new(Arc::new(configured(&files)?));
        Ok(Self { files, now, seen })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner)).into()
    }

    /// Reads the files again where they changed; says whether there is a new pair now.
    pub(in crate::serve) fn renew(&self) -> Result<bool, TlsError> {
        let found = traces(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return Ok(false);
        }
        // One that is half way there is told once, and read again when the rest changes.
        *seen = found;
        let renewed = Arc::new(configured(&self.files)?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(true)
    }
}

fn traces(files: &Tls) -> Vec<Trace> {
    let clients = files.clients.iter().map(|(authority, _)| authority);
    let trace = |path: &PathBuf| {
        // Of what a link leads to: secrets are exchanged by their links.
        let meta = fs::metadata(path).ok();
        Trace(meta.map(|it| (it.dev(), it.ino(), it.len(), it.mtime(), it.mtime_nsec())))
    };
    [&files.certificate, &files.key].into_iter().chain(clients).map(trace).collect()
}

fn configured(files: &Tls) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some((authority, _)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authority)? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            // Whoever shows none may have a token.
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| TlsError::Empty { path: files.key.clone(), what: "private key" })?;
    let mut config = builder.with_single_cert(certificates(&files.certificate)?, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let empty = || TlsError::Empty { path: path.to_owned(), what: "certificate" };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(empty)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > MOST_BYTES {
        return Err(failed(std::io::ErrorKind::InvalidInput.into()));
    }
    fs::read(path).map_err(failed)
}

/// Whose certificate a client showed; it is verified.
pub(super) fn shown<S>(stream: &TlsStream<S>) -> Option<Shown> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let digest = hex::encode(Sha256::digest(certificate.as_ref()));
    Some(Shown { name: format!("certificate {}", digest.get(..16).unwrap_or(&digest)) })
}
