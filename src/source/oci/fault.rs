//! Why a registry gave nothing that can be used.
//!
//! In: what went wrong on the way. Out: [`Fault`], one line for whoever has to mend it, which names the
//! host and no URL (one may hold a signature that lets anyone read). None of these is an answer: who
//! asked can't tell.

use std::net::IpAddr;
use std::time::Duration;

use super::credentials::CredentialError;

/// What went wrong between a question and its answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Fault {
    /// No registry may be asked.
    #[error(
        "only a registry has it, and `--offline` reaches none: bring it with `laforge bundle`, give the image as an OCI layout, or run without `--offline`"
    )]
    Offline,
    /// A host that no URL can be made of.
    #[error("`{host}` is no host that can be asked")]
    Host {
        /// What was written.
        host: String,
    },
    /// A host that is not on the list.
    #[error("`{host}` is not among the registries that may be asked here")]
    Unlisted {
        /// The host.
        host: String,
    },
    /// A host inside the network, which is not on the list.
    #[error("{}, and not among the registries that may be asked here", inside_text(.host, *.at))]
    Inside {
        /// The host: the registry's, or where it led to.
        host: String,
        /// The address that its name leads to; none where it is an address itself, or this machine's name.
        at: Option<IpAddr>,
    },
    /// Nothing came back.
    #[error("`{host}` did not answer after {attempts} times: {reason}")]
    Silent {
        /// The host.
        host: String,
        /// How often it was asked.
        attempts: u32,
        /// What the network says.
        reason: String,
    },
    /// Something else than an answer came back.
    #[error("`{host}` answered {status}{} to request {attempts}{}", code_text(.code.as_deref()), login_text(.host, *.status))]
    Refused {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own word for it.
        code: Option<String>,
        /// How often it was asked.
        attempts: u32,
    },
    /// It asks to be left alone for longer than a gate can wait.
    #[error("`{host}` answered {status} and asks to wait {} s, which is more than is waited", .wait.as_secs())]
    AsksToWait {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it asks for.
        wait: Duration,
    },
    /// The host's failures have cost all that they may.
    #[error("`{host}` is not asked again in this run, after failures that took {} s; the last: {last}", .lost.as_secs())]
    GivenUp {
        /// The host.
        host: String,
        /// What they took.
        lost: Duration,
        /// The last of them.
        last: String,
    },
    /// The run has asked registries for as long as it may.
    #[error("`{host}` is not asked in this run any more, which has asked registries for {} s", .whole.as_secs())]
    TooSlow {
        /// The host.
        host: String,
        /// For how long.
        whole: Duration,
    },
    /// The run has asked registries as often as it may.
    #[error("`{host}` is not asked in this run any more, which has asked registries {requests} times")]
    TooMany {
        /// The host.
        host: String,
        /// How often.
        requests: u64,
    },
    /// More bytes than there should be.
    #[error("`{host}` gives more than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The most that is read.
        limit: u64,
    },
    /// Other bytes than those that the digest names.
    #[error("`{host}` gave other bytes than those of {wanted}")]
    OtherBytes {
        /// The host.
        host: String,
        /// The digest.
        wanted: String,
    },
    /// A document that the registry lists, and then has not.
    #[error("`{host}` lists it and does not have it")]
    Gone {
        /// The host.
        host: String,
    },
    /// A document under a false name.
    #[error("`{host}` calls it `{got}`, and it is not one")]
    ContentType {
        /// The host.
        host: String,
        /// The `Content-Type`.
        got: String,
    },
    /// A list that no registry should give.
    #[error("`{host}` gave a list of referrers that {problem}")]
    Listing {
        /// The host.
        host: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A redirect that is not followed.
    #[error("`{host}` redirects {problem}")]
    Redirect {
        /// The host.
        host: String,
        /// Why not.
        problem: &'static str,
    },
    /// A token service that credentials are not shown to.
    #[error("`{host}` asks for a token of `{realm}`, which is neither its own host nor a domain above it")]
    ForeignRealm {
        /// The registry.
        host: String,
        /// The service that it names.
        realm: String,
    },
    /// A token service that gave no token.
    #[error("`{host}` gave no token: `docker login` to the registry, as whoever may read it")]
    NoToken {
        /// The token service.
        host: String,
    },
    /// Credentials that could not be read.
    #[error("credentials for `{host}`: {cause}")]
    Credentials {
        /// The registry.
        host: String,
        /// Why.
        cause: CredentialError,
    },
    /// The client could not be made.
    #[error("no secure connection can be made here: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
}

impl Fault {
    /// Whether nothing that is asked for in this run will be had any more, of whomever.
    pub(super) fn is_the_end(&self) -> bool {
        matches!(self, Self::TooSlow { .. } | Self::TooMany { .. })
    }
}

fn inside_text(host: &str, at: Option<IpAddr>) -> String {
    match at {
        Some(at) => format!("`{host}` is at {at}, which is no public address"),
        None => format!("`{host}` is no public address"),
    }
}

/// What mends an answer that asks who is asking.
fn login_text(host: &str, status: u16) -> String {
    match status {
        401 | 403 => format!(": `docker login {host}` as whoever may read it"),
        _ => String::new(),
    }
}

fn code_text(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
