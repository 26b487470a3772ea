//! Where a service listens, and over which connection.
//!
//! In: flags, and `service: tls`. Out: a listener and a certificate; or why not: what others could read and change on
//! the way is served on loopback alone, unless that is asked for.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;

use crate::config::service::{Service, Tls};
use crate::serve::Certificate;
use crate::trust::TrustRoot;

use super::{Exit, Failure};

/// Over which connection it is served.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionFlags {
    /// The PEM file of the certificate and its chain (default: `service: tls`)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The PEM file of its key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Speak HTTP elsewhere than on loopback, although whoever is on the way may read and change it
    #[arg(long)]
    insecure_listen: bool,
}

impl ConnectionFlags {
    /// What is configured, under what the command line says.
    pub(super) fn over(&self, service: Service) -> Service {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return service };
        let clients = service.tls.and_then(|tls| tls.clients);
        let tls = Tls { certificate: certificate.clone(), key: key.clone(), clients };
        Service { tls: Some(tls), ..service }
    }

    /// The certificate, if it may be served there with it.
    pub(super) fn certificate(
        &self,
        listen: SocketAddr,
        service: &Service,
    ) -> Result<Option<Certificate>, Failure> {
        if !listen.ip().is_loopback() && !self.insecure_listen && service.tls.is_none() {
            let message =
                format!("`{listen}` can be reached from other machines, and there is no certificate");
            return Err(Failure::usage(message)
                .because("whoever is on the way could read tokens, and change answers")
                .hint(
                    "give a certificate with `service: tls` in laforge.yaml, or --tls-certificate and --tls-key",
                )
                .hint("--insecure-listen does it all the same, behind a proxy that speaks TLS"));
        }
        service.tls.clone().map(Certificate::read).transpose().map_err(|error| {
            Failure::of(Exit::Usage, &error)
                .hint("`service: tls` in laforge.yaml, or --tls-certificate and --tls-key")
        })
    }
}

/// A right of a role that nobody has opens nothing: it is a role misspelt, which is better said before somebody is
/// kept out.
pub(super) fn check_roles(service: &Service, trust: &TrustRoot) -> Result<(), Failure> {
    let known: BTreeSet<&String> = trust.people.iter().flat_map(|person| &person.roles).collect();
    let Some(role) = service.access.values().flatten().find(|role| !known.contains(role)) else {
        return Ok(());
    };
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    let failure =
        Failure::usage(format!("`service: access` names the role `{role}`, and nobody in trust has it"));
    Err(match known.is_empty() {
        true => failure.hint("give people their `roles` in trust.yaml"),
        false => failure.hint(format!("roles of trust are {}", known.join(", "))),
    })
}

/// Listens.
pub(super) fn bound(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        Failure::new(Exit::NoDecision, format!("cannot listen on `{address}`"))
            .because(error.to_string())
            .hint("another program may have the port: name a free one with --listen")
    })
}
