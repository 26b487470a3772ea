//! How to get in: the Pod's own service account, or a kubeconfig.
//!
//! In: what the executor's section names. Out: [`Access`]: an address, authorities, and a token or a client
//! certificate. Files are read here and, for a token, again for each request. Spec:
//! <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>.
#![expect(
    clippy::disallowed_methods,
    reason = "a driver reads its credentials: files, and the Pod's environment"
)]

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::tls::{Certificate, Identity};

use crate::rollout::executor::GatewayApiSection;

use super::kubeconfig::{self, KubeconfigError};

/// Where a Pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Why the API server can't be asked at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Neither a kubeconfig nor a Pod.
    #[error("this is no Pod with a service account, and no kubeconfig is named")]
    Nowhere,
    /// A file can't be read.
    #[error("`{}` can't be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A kubeconfig that can't be used.
    #[error("the kubeconfig `{}` can't be used", .file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: KubeconfigError,
    },
    /// Certificates or a key that are none.
    #[error("the {what} of `{server}` can't be read: {reason}")]
    Pem {
        /// The address.
        server: String,
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// An address that can't be used.
    #[error("the API server `{server}` can't be asked: {reason}")]
    Server {
        /// The address.
        server: String,
        /// Why.
        reason: String,
    },
}

/// Where the API server is, whom to believe there, and as whom to come.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Its address.
    pub server: String,
    /// PEM certificates; none are the system's.
    pub authority: Option<Vec<u8>>,
    /// As whom.
    pub login: Login,
}

/// As whom to come.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A bearer token.
    Token(String),
    /// A file that holds one; it is replaced from time to time.
    TokenFile(PathBuf),
    /// A client certificate and its key, both PEM.
    Certificate(Vec<u8>),
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What logs in is nobody's to print.
        out.debug_struct("Access").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The credentials of a section.
///
/// # Errors
/// [`CredentialsError`].
pub fn find(section: &GatewayApiSection) -> Result<Access, CredentialsError> {
    match &section.kubeconfig {
        Some(file) => of_kubeconfig(Path::new(file), section.context.as_deref()),
        None => {
            let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
            let address = variable("KUBERNETES_SERVICE_HOST").zip(variable("KUBERNETES_SERVICE_PORT"));
            of_pod(Path::new(ACCOUNT), address)
        }
    }
}

fn of_kubeconfig(file: &Path, context: Option<&str>) -> Result<Access, CredentialsError> {
    let text = fs::read_to_string(file).map_err(|source| unreadable(file, source))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let chosen = kubeconfig::choose(&text, context)
        .map_err(|source| CredentialsError::Kubeconfig { file: file.to_owned(), source })?;
    let held = |bytes: &kubeconfig::Bytes| match bytes {
        kubeconfig::Bytes::Inline(bytes) => Ok(bytes.clone()),
        kubeconfig::Bytes::File(name) => {
            let file = folder.join(name);
            fs::read(&file).map_err(|source| unreadable(&file, source))
        }
    };
    let login = match &chosen.user {
        kubeconfig::User::Token(token) => Login::Token(token.clone()),
        kubeconfig::User::TokenFile(name) => Login::TokenFile(folder.join(name)),
        kubeconfig::User::Certificate { certificate, key } => {
            let mut pem = held(certificate)?;
            pem.push(b'\n');
            pem.extend(held(key)?);
            Login::Certificate(pem)
        }
    };
    let authority = chosen.authority.as_ref().map(held).transpose()?;
    Ok(Access { server: chosen.server, authority, login })
}

fn of_pod(account: &Path, address: Option<(String, String)>) -> Result<Access, CredentialsError> {
    let (host, port) = address.ok_or(CredentialsError::Nowhere)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let authority = account.join("ca.crt");
    let authority = fs::read(&authority).map_err(|source| unreadable(&authority, source))?;
    let login = Login::TokenFile(account.join("token"));
    Ok(Access { server: format!("https://{host}:{port}"), authority: Some(authority), login })
}

fn unreadable(file: &Path, source: io::Error) -> CredentialsError {
    CredentialsError::Unreadable { file: file.to_owned(), source }
}

impl Access {
    /// Whom to believe; none for the system's.
    ///
    /// # Errors
    /// [`CredentialsError::Pem`].
    pub(super) fn authorities(&self) -> Result<Option<Vec<Certificate>>, CredentialsError> {
        let Some(pem) = &self.authority else { return Ok(None) };
        match Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
            Ok(_) => Err(self.no_pem("certificate authority", "no certificate in it")),
            Err(error) => Err(self.no_pem("certificate authority", &error.to_string())),
        }
    }

    /// The client certificate.
    ///
    /// # Errors
    /// [`CredentialsError::Pem`].
    pub(super) fn identity(&self) -> Result<Option<Identity>, CredentialsError> {
        let Login::Certificate(pem) = &self.login else { return Ok(None) };
        let identity = Identity::from_pem(pem);
        identity.map(Some).map_err(|error| self.no_pem("client certificate", &error.to_string()))
    }

    /// The token, read anew where it is a file's.
    ///
    /// # Errors
    /// The system's own.
    pub(super) fn token(&self) -> io::Result<Option<String>> {
        match &self.login {
            Login::Token(token) => Ok(Some(token.clone())),
            Login::TokenFile(file) => Ok(Some(fs::read_to_string(file)?.trim().to_owned())),
            Login::Certificate(_) => Ok(None),
        }
    }

    fn no_pem(&self, what: &'static str, reason: &str) -> CredentialsError {
        CredentialsError::Pem { server: self.server.clone(), what, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_comes_as_its_service_account_whose_token_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let address = || Some(("fd00::1".to_owned(), "443".to_owned()));
        assert!(matches!(of_pod(folder.path(), None), Err(CredentialsError::Nowhere)));
        let error = of_pod(folder.path(), address()).unwrap_err().to_string();
        assert_eq!(error, format!("`{}` can't be read", folder.path().join("ca.crt").display()));
        fs::write(folder.path().join("ca.crt"), "no PEM").unwrap();
        let access = of_pod(folder.path(), address()).unwrap();
        assert_eq!(access.server, "https://[fd00::1]:443");
        assert!(access.token().is_err(), "no token is an error, never a request without one");
        for token in ["first", "second"] {
            fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
            assert_eq!(access.token().unwrap().as_deref(), Some(token));
        }
        let error = access.authorities().unwrap_err().to_string();
        assert!(
            error.starts_with("the certificate authority of `https://[fd00::1]:443` can't be read"),
            "{error}"
        );
    }

    #[test]
    fn a_kubeconfig_names_files_beside_itself() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "config",
            "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: \
             {server: 'https://k', certificate-authority: ca}}]\nusers: [{name: u, user: {client-certificate: crt, \
             client-key: key}}]\n",
        );
        let file = folder.path().join("config");
        let error = of_kubeconfig(&file, None).unwrap_err().to_string();
        assert!(error.ends_with("can't be read"), "{error}");
        for (name, text) in [("ca", "CA"), ("crt", "CRT"), ("key", "KEY")] {
            write(name, text);
        }
        let access = of_kubeconfig(&file, None).unwrap();
        assert_eq!(access.authority.as_deref(), Some(&b"CA"[..]));
        assert!(access.login == Login::Certificate(b"CRT\nKEY".to_vec()));
        assert!(!format!("{access:?}").contains("KEY"));
        let error = of_kubeconfig(&file, Some("other")).unwrap_err();
        assert!(matches!(error, CredentialsError::Kubeconfig { .. }), "{error}");
    }
}
