//! The services of one Sigstore instance: who certifies, where it is logged, who stamps the time.
//!
//! In: a Sigstore SigningConfig v0.2 as JSON, or the public-good instance's, which the crate
//! `sigstore-trust-root` ships as of its release (`repository/signing_config.json`, from the instance's TUF
//! repository). Out: [`Services`], each reached by https or on this machine.
//! Spec: <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto> (`SigningConfig`).
//! Not ours: the library asks the machine's clock which of several services is in service.

use std::fmt;

use reqwest::Url;
use sigstore_sign::SigningServices;
use sigstore_sign::trust_root::{SIGSTORE_PRODUCTION_SIGNING_CONFIG, SigningConfig};

use crate::evidence::limits::quoted;
use crate::json::{self, JsonError};
use crate::network::is_loopback;

/// Domains of the instances whose logs anyone can read.
const PUBLIC: [&str; 2] = ["sigstore.dev", "sigstage.dev"];

/// Where a keyless signature is made.
#[derive(Debug)]
pub struct Services {
    wire: SigningServices,
}

/// What takes part in a keyless signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Certifies whom a token names.
    Authority,
    /// Logs the signature.
    Log,
    /// Stamps the time.
    TimeStamps,
    /// The CI's token endpoint.
    Tokens,
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Authority => "certificate authority (Fulcio)",
            Self::Log => "transparency log (Rekor)",
            Self::TimeStamps => "time stamp authority",
            Self::Tokens => "CI's token endpoint",
        })
    }
}

/// Why services can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// Not JSON, or read in more than one way.
    #[error("signing config cannot be read")]
    Json(#[from] JsonError),
    /// Of another kind, or without a service that is needed.
    #[error("signing config cannot be used: {detail}")]
    Unusable {
        /// What the library says.
        detail: String,
    },
    /// A token sent there could be read on the way.
    #[error("`{url}` is neither https nor on this machine: whoever is on the way could take the token")]
    Exposed {
        /// The address.
        url: String,
    },
}

impl Services {
    /// Those of the public-good instance, whose log anyone can read.
    ///
    /// # Errors
    /// [`ServicesError`] when none of those known is in service any more.
    pub fn public_good() -> Result<Self, ServicesError> {
        Self::read(SIGSTORE_PRODUCTION_SIGNING_CONFIG.as_bytes())
    }

    /// Those that a signing config names.
    ///
    /// # Errors
    /// [`ServicesError`] when a signature made there would not be whole, or not safely asked for.
    pub fn read(config: &[u8]) -> Result<Self, ServicesError> {
        let unusable =
            |error: &dyn fmt::Display| ServicesError::Unusable { detail: quoted(&error.to_string()) };
        // Read once by us, so that no member can be there twice.
        let config = json::parse(config)?.to_string();
        let config = SigningConfig::from_json(&config).map_err(|error| unusable(&error))?;
        let wire = SigningServices::from_signing_config(&config).map_err(|error| unusable(&error))?;
        for url in [wire.fulcio_url(), wire.rekor_url(), wire.tsa_url().unwrap_or_default()] {
            safe(url)?;
        }
        Ok(Self { wire })
    }

    /// Where one of them is.
    pub fn url(&self, service: Service) -> &str {
        match service {
            Service::Authority => self.wire.fulcio_url(),
            Service::Log => self.wire.rekor_url(),
            Service::TimeStamps => self.wire.tsa_url().unwrap_or_default(),
            Service::Tokens => self.wire.oidc_url().unwrap_or_default(),
        }
    }

    /// Whether its log is one of those that the whole world reads.
    pub fn is_public(&self) -> bool {
        let host = Url::parse(self.wire.rekor_url()).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| {
            PUBLIC.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
        })
    }

    /// In the library's terms.
    pub(super) fn wire(&self) -> &SigningServices {
        &self.wire
    }
}

/// An address that a token may be sent to: by https, or to this machine.
pub(super) fn safe(text: &str) -> Result<Url, ServicesError> {
    let exposed = || ServicesError::Exposed { url: quoted(text) };
    let url = Url::parse(text).map_err(|_| exposed())?;
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(_)) if is_loopback(&url) => Ok(url),
        _ => Err(exposed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(fulcio: &str, rekor: &str) -> Value {
        let at = |url: &str, version: u32| {
            json!([{"url": url, "majorApiVersion": version, "validFor": {"start": "2026-01-01T00:00:00Z"},
                "operator": "acme"}])
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": at(fulcio, 1),
            "rekorTlogUrls": at(rekor, 2),
            "tsaUrls": at("https://tsa.acme.example/api/v1/timestamp", 1),
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        })
    }

    fn read(config: &Value) -> Result<Services, ServicesError> {
        Services::read(config.to_string().as_bytes())
    }

    #[test]
    fn the_public_instance_is_known_and_said_to_be_public() {
        let services = Services::public_good().unwrap();
        assert!(services.is_public());
        assert_eq!(services.url(Service::Authority), "https://fulcio.sigstore.dev");
        assert!(services.url(Service::TimeStamps).starts_with("https://timestamp.sigstore.dev"));
    }

    #[test]
    fn a_private_instance_is_none_of_the_public_ones() {
        for log in ["https://rekor.acme.example", "https://evilsigstore.dev", "http://127.0.0.1:7003"] {
            assert!(!read(&config("https://fulcio.acme.example", log)).unwrap().is_public(), "{log}");
        }
    }

    #[test]
    fn refuses_to_send_a_token_in_the_clear_to_another_machine() {
        for url in
            ["http://fulcio.acme.example", "ftp://127.0.0.1", "fulcio", "http://127.0.0.1.acme.example"]
        {
            let refused = read(&config(url, "https://rekor.acme.example"));
            assert!(matches!(refused, Err(ServicesError::Exposed { url: got }) if got == url), "{url}");
        }
        assert!(read(&config("http://127.0.0.1:7002", "http://localhost:7003")).is_ok());
        assert!(read(&config("http://127.0.0.2:7002", "http://[::1]:7003")).is_ok());
    }

    #[test]
    fn refuses_a_config_that_says_two_things_or_leaves_a_service_out() {
        assert!(matches!(
            Services::read(br#"{"mediaType": "a", "mediaType": "b"}"#),
            Err(ServicesError::Json(_))
        ));
        for (member, worse) in
            [("mediaType", json!("text/plain")), ("tsaUrls", json!([])), ("caUrls", json!([]))]
        {
            let mut config = config("https://fulcio.acme.example", "https://rekor.acme.example");
            config[member] = worse;
            assert!(matches!(read(&config), Err(ServicesError::Unusable { .. })), "{member}");
        }
        let mut all = config("https://fulcio.acme.example", "https://rekor.acme.example");
        all["rekorTlogConfig"] = json!({"selector": "EXACT", "count": 2});
        assert!(matches!(read(&all), Err(ServicesError::Unusable { .. })));
    }
}
