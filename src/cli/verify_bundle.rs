//! `laforge verify-bundle`: one bundle on its own, by the sigstore-conformance client protocol.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::evidence::bundle::conformance::{
    ArtifactOrDigest, BundleError, BundleVerdict, ExpectedSigner, verify_bundle,
};
use crate::report::paint::{Tone, printable};
use crate::time;

use super::{Exit, Failure, Session};

/// Verify one Sigstore bundle. It answers for that bundle alone: no trust file, no policy.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("signer").required(true).multiple(true).args(["certificate_identity", "key"])))]
pub(super) struct VerifyBundle {
    /// The bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The certificate's subject alternative name, exact
    #[arg(long, value_name = "ID", requires = "certificate_oidc_issuer", conflicts_with = "key")]
    certificate_identity: Option<String>,
    /// The certificate's OIDC issuer, exact
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// The public key of a managed-key bundle
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// The Sigstore instance's trusted_root.json (default: the public-good instance)
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The artifact, or its digest as sha256:HEX or sha512:HEX
    #[arg(value_name = "ARTIFACT_OR_DIGEST")]
    artifact: String,
}

impl VerifyBundle {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let bundle = session.read(&self.bundle, Exit::Usage)?;
        let root = self.trusted_root.as_ref().map(|path| session.read(path, Exit::Usage)).transpose()?;
        let key = self.key.as_ref().map(|path| session.read(path, Exit::Usage)).transpose()?;
        // A key that is no text is a wrong key, not a wrong command line.
        let key = key.map(|key| String::from_utf8_lossy(&key).into_owned());
        let signer = match (&key, &self.certificate_identity, &self.certificate_oidc_issuer) {
            (Some(key), ..) => ExpectedSigner::Key(key),
            (None, Some(identity), Some(issuer)) => ExpectedSigner::Keyless { identity, issuer },
            _ => {
                return Err(Failure::usage(
                    "give --certificate-identity and --certificate-oidc-issuer, or --key",
                ));
            }
        };
        let verdict = if is_digest(&self.artifact) {
            verify_bundle(&bundle, ArtifactOrDigest::Digest(&self.artifact), signer, root.as_deref())
        } else {
            let path = PathBuf::from(&self.artifact);
            let mut file =
                session.open(&path).map_err(|error| Failure::io(Exit::Usage, "read", &path, &error))?;
            verify_bundle(&bundle, ArtifactOrDigest::Bytes(&mut file), signer, root.as_deref())
        };
        self.tell(verdict, session)
    }

    fn tell(&self, verdict: Result<BundleVerdict, BundleError>, session: &Session) -> Result<Exit, Failure> {
        match verdict {
            Ok(verdict) => {
                session.say(&format!(
                    "{}: {}\n",
                    session.paint.tone(Tone::Good, "verified"),
                    described(&verdict)
                ));
                Ok(Exit::Holds)
            }
            Err(error @ BundleError::Bundle(_)) => Err(Failure::of(Exit::Denied, &error).hint(
                "give a Sigstore bundle v0.1 to v0.3, such as `cosign sign-blob --bundle FILE` or `gh attestation \
                 download` write (a line of the latter's file); `laforge verify` takes other evidence, too",
            )),
            Err(error @ BundleError::Root(_)) => Err(Failure::of(Exit::Denied, &error)
                .hint("give the instance's trusted_root.json with --trusted-root")),
            Err(error @ BundleError::Key { .. }) => {
                Err(Failure::of(Exit::Denied, &error).hint("give the PEM text of a public key with --key"))
            }
            Err(error) if self.key.is_some() => Err(Failure::of(Exit::Denied, &error).hint(
                "this verb asks for a log entry or a time stamp; `laforge verify` judges keys by trust",
            )),
            Err(error) => Err(Failure::of(Exit::Denied, &error)),
        }
    }
}

fn described(verdict: &BundleVerdict) -> String {
    let signer = match &verdict.signer {
        Some((identity, issuer)) => format!("signed by {identity} (issuer {issuer})"),
        None => "signed with the given key".to_owned(),
    };
    let times: Vec<String> = verdict.times.iter().map(|at| time::to_seconds(*at)).collect();
    let times =
        if times.is_empty() { "no trusted time".to_owned() } else { format!("at {}", times.join(", ")) };
    let statement =
        verdict.predicate_type.as_deref().map(|kind| format!(", a statement of {kind}")).unwrap_or_default();
    printable(&format!("{signer}, {times}{statement}"))
}

/// A digest as the protocol writes it; anything else is a path.
fn is_digest(text: &str) -> bool {
    let hex =
        |digits: &str, length| digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.strip_prefix("sha256:").is_some_and(|digits| hex(digits, 64))
        || text.strip_prefix("sha512:").is_some_and(|digits| hex(digits, 128))
}
