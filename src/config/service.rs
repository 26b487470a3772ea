//! `service:` in `laforge.yaml`: who may ask `runtime` and `studio` for what, and over which connection.
//!
//! In: the section, as [`section`] reads it. Out: a [`Service`], its paths resolved against the document's folder, or
//! a [`DocumentError`](crate::yaml::DocumentError) with the place. Nothing that is left out opens anything. Not
//! checked here: whether files exist, and whether trust names anybody with one of the roles.

mod section;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::release::registry::RegistryPattern;
pub use section::ServiceSection;

/// Who may ask for what, and over which connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Issuers whose tokens say who asks.
    pub issuers: Vec<Issuer>,
    /// Which roles have which right.
    pub access: BTreeMap<Grant, BTreeSet<String>>,
    /// Tokens of programs.
    pub tokens: Vec<Token>,
    /// The certificate.
    pub tls: Option<Tls>,
    /// Answers to an API server's webhook.
    pub admission: Option<Admission>,
    /// How people sign in to the studio.
    pub studio: Option<SignIn>,
    /// Who may ask as an engine.
    pub engines: Callers,
    /// Registries that images of an evaluation may name; none is any at a public address.
    pub registries: Option<Vec<RegistryPattern>>,
    /// How much is taken at a time.
    pub limits: Limits,
}

/// An issuer of OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its URL, exactly as in its tokens.
    pub issuer: String,
    /// The audience that a token has to be for.
    pub audience: String,
    /// Where its keys are.
    pub keys: KeysFrom,
    /// How often they are read anew.
    pub refresh: Duration,
    /// How long the last ones count while they can't be read.
    pub keep: Duration,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysFrom {
    /// In a file.
    File(PathBuf),
    /// At this address.
    Url(String),
    /// Where the issuer's discovery document says.
    Discovery,
}

/// A token of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Who it is.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: [u8; 32],
    /// What it may do.
    pub rights: BTreeSet<Grant>,
}

/// Certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The PEM file of the certificate and its chain.
    pub certificate: PathBuf,
    /// The PEM file of its key.
    pub key: PathBuf,
    /// Whose certificates clients may show, and what for.
    pub clients: Option<(PathBuf, BTreeSet<Grant>)>,
}

/// How people sign in to the studio: as a client of one of the issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Where browsers reach it: scheme, host and perhaps a port, without a slash at the end.
    pub url: String,
    /// The issuer that says who they are; one of [`Service::issuers`].
    pub issuer: String,
    /// The studio's name at that issuer, which is the audience of its tokens.
    pub client: String,
    /// The file of the secret by which the issuer knows it; none for a public client.
    pub secret: Option<PathBuf>,
}

/// Admission to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The environment of a namespace that is not listed.
    pub environment: String,
    /// Environments by namespace.
    pub namespaces: BTreeMap<String, String>,
    /// How long an allow counts; none for as long as its plan.
    pub valid_for: Option<Duration>,
    /// Who may ask.
    pub callers: Callers,
}

/// How much is taken at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub connections: usize,
    /// Requests that are answered.
    pub requests: usize,
    /// Bytes of a release that is to be evaluated.
    pub body_bytes: usize,
    /// How long a body may take.
    pub body_time: Duration,
    /// How long it goes on serving once it is asked to end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 64,
            body_bytes: 4 << 20,
            body_time: Duration::from_secs(10),
            drain: Duration::from_secs(1),
        }
    }
}

impl Default for Service {
    /// Nothing is open.
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            access: BTreeMap::new(),
            tokens: Vec::new(),
            tls: None,
            admission: None,
            studio: None,
            engines: Callers::Known,
            registries: None,
            limits: Limits::default(),
        }
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// See decisions, plans and rollouts.
    Read,
    /// Pause, resume and roll back.
    Control,
    /// Have releases decided.
    Evaluate,
    /// Ask for verdicts and gates, as the engine that shifts the traffic.
    Engine,
    /// Ask for admission, as an API server.
    Admission,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Callers {
    /// Whoever reaches it.
    Anyone,
    /// Whoever has the right, by a token or a certificate.
    Known,
}
