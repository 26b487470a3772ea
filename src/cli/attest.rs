//! `laforge attest`: a signed statement about artifacts.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::evidence::statement::Subject;
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::signing::statement;

use super::load::{self, Signing};
use super::sign::bundle_name;
use super::signer::SignerFlags;
use super::{Exit, Failure, Session};

/// Sign an attestation about artifacts: SLSA provenance, or any predicate.
#[derive(Debug, Args)]
pub(super) struct Attest {
    /// Files, or digests (sha256:…), that it is about
    #[arg(value_name = "ARTIFACT", required_unless_present = "release")]
    artifacts: Vec<String>,
    /// It is about every artifact of this release
    #[arg(long, value_name = "FILE", conflicts_with = "artifacts")]
    release: Option<PathBuf>,
    /// The predicate, as JSON
    #[arg(long, value_name = "FILE")]
    predicate: PathBuf,
    /// The predicate type; `provenance` tells SLSA v1 and v0.2 apart by the document
    #[arg(long = "type", value_name = "URI|provenance", default_value = "provenance")]
    predicate_type: String,
    /// The file to write (default: evidence/provenance-….sigstore.json)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerFlags,
}

impl Attest {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let signer = self.signer.signer(session)?;
        let signing = Signing::of_statement(&self.predicate_type);
        signer.warn_of_stranger(signing, session);
        let subjects = self.subjects(session)?;
        let predicate = json::parse(&session.read(&self.predicate, Exit::Usage)?).map_err(|error| {
            Failure::usage(format!("the predicate `{}` is not JSON", self.predicate.display()))
                .because(error.to_string())
        })?;
        let failed = |error| Failure::of(Exit::Usage, &error);
        let statement = match self.predicate_type.as_str() {
            "provenance" => statement::provenance(&subjects, predicate).map_err(failed)?,
            uri if uri.contains(':') => statement::attest(&subjects, uri, predicate),
            other => {
                return Err(Failure::usage(format!("`{other}` is not a predicate type"))
                    .hint("give its URI, such as https://in-toto.io/attestation/vulns, or `provenance`"));
            }
        };
        signer.announce(shown(&statement, &subjects), session);
        let bundle = signer.statement(&statement, &digest_of(&subjects)?, signing, session)?;
        let kind = if self.predicate_type == "provenance" { "provenance" } else { "attestation" };
        let first = subjects.first().and_then(|subject| subject.name.clone()).unwrap_or_default();
        let target = self.output.unwrap_or_else(|| Path::new("evidence").join(bundle_name(kind, &first)));
        session.create(&target, &bundle)?;
        let count =
            if subjects.len() == 1 { "1 subject".to_owned() } else { format!("{} subjects", subjects.len()) };
        session.say(&format!("attested {count}: {}\n", target.display()));
        Ok(Exit::Holds)
    }

    fn subjects(&self, session: &Session) -> Result<Vec<Subject>, Failure> {
        if let Some(file) = &self.release {
            let release = load::release(session, file)?;
            return Ok(release.artifacts.iter().map(|a| statement::subject(&a.name, &a.digest)).collect());
        }
        self.artifacts
            .iter()
            .map(|artifact| {
                if artifact.starts_with("sha256:") {
                    let claim: ClaimedDigest = artifact
                        .parse()
                        .map_err(|error| Failure::of(Exit::Usage, &error as &dyn std::error::Error))?;
                    return Ok(statement::subject(artifact, &claim));
                }
                let path = Path::new(artifact);
                let bytes = session.read(path, Exit::NoDecision)?;
                let name = path
                    .file_name()
                    .map_or_else(|| artifact.clone(), |name| name.to_string_lossy().into_owned());
                Ok(statement::subject(&name, &Digest::of_bytes(&bytes).claim()))
            })
            .collect()
    }
}

/// Everything that is about to be signed, but for the predicate's own members.
fn shown<'a>(statement: &Value, subjects: &[Subject]) -> impl Iterator<Item = (&'a str, String)> {
    let kind = statement.get("predicateType").and_then(Value::as_str).unwrap_or_default().to_owned();
    let subjects = subjects.iter().map(|subject| {
        let digests: Vec<String> = subject.digest.iter().map(|(name, hex)| format!("{name}:{hex}")).collect();
        ("subject", format!("{} {}", subject.name.as_deref().unwrap_or_default(), digests.join(" ")))
    });
    std::iter::once(("predicate", kind)).chain(subjects.collect::<Vec<_>>())
}

/// The digest of the first subject, by which a new bundle is looked at once more.
fn digest_of(subjects: &[Subject]) -> Result<ClaimedDigest, Failure> {
    let sha256 = subjects.first().and_then(|subject| subject.digest.get("sha256"));
    sha256
        .and_then(|hex| format!("sha256:{hex}").parse().ok())
        .ok_or_else(|| Failure::usage("there is nothing that the attestation could be about"))
}
