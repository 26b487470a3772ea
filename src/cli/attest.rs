//! `laforge attest`: a signed statement about artifacts.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::evidence::predicate::own_schemas;
use crate::evidence::statement::Subject;
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::signing::statement;

use super::load::{self, Signing};
use super::sign::{EVIDENCE, bundle_name};
use super::signer::SignerFlags;
use super::{Exit, Failure, Session};

/// The predicate type that its document tells apart.
const PROVENANCE: &str = "provenance";

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
    #[arg(long = "type", value_name = "URI|provenance", default_value = PROVENANCE)]
    predicate_type: String,
    /// The file to write (default: evidence/provenance-….sigstore.json, or attestation-… with artifact and type)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerFlags,
}

impl Attest {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        // A keyless signature is published, for ever: whatever can fail here fails before it.
        let subjects = self.subjects(session)?;
        let digest = digest_of(&subjects)?;
        let statement = self.statement(&subjects, session)?;
        let target = self.target(&subjects);
        session.refuse_uncreatable([&target])?;
        let signer = self.signer.signer(session)?;
        let signing = Signing::of_statement(&self.predicate_type);
        signer.warn_of_stranger(signing, session);
        signer.announce(shown(&statement, &subjects), session);
        let bundle = signer.statement(&statement, &digest, signing, session)?;
        session.create(&target, &bundle)?;
        let count =
            if subjects.len() == 1 { "1 subject".to_owned() } else { format!("{} subjects", subjects.len()) };
        session.say(&format!("attested {count}: {}\n", target.display()));
        Ok(Exit::Holds)
    }

    fn statement(&self, subjects: &[Subject], session: &Session) -> Result<Value, Failure> {
        let file = self.predicate.display();
        let predicate = json::parse(&session.read(&self.predicate, Exit::Usage)?).map_err(|error| {
            Failure::usage(format!("the predicate `{file}` is not JSON")).because(error.to_string())
        })?;
        if !predicate.is_object() {
            return Err(Failure::usage(format!("the predicate `{file}` is no JSON object"))
                .hint("a predicate has members: `{\"scanner\": …}`"));
        }
        match self.predicate_type.as_str() {
            PROVENANCE => statement::provenance(subjects, predicate).map_err(|error| {
                Failure::of(Exit::Usage, &error).because(format!("it is the predicate in `{file}`"))
            }),
            uri if uri.contains(':') => {
                refuse_misshapen(uri, &predicate, &self.predicate)?;
                Ok(statement::attest(subjects, uri, predicate))
            }
            other => Err(Failure::usage(format!("`{other}` is not a predicate type"))
                .hint("give its URI, such as https://in-toto.io/attestation/vulns, or `provenance`")),
        }
    }

    /// The file to write. Its name tells predicate types apart, since a job attests more than one of an artifact.
    fn target(&self, subjects: &[Subject]) -> PathBuf {
        if let Some(output) = &self.output {
            return output.clone();
        }
        let first = subjects.first().and_then(|subject| subject.name.as_deref()).unwrap_or_default();
        let name = match self.predicate_type.as_str() {
            PROVENANCE => bundle_name(PROVENANCE, first),
            uri => {
                let of = uri.split_once("://").map_or(uri, |(_, rest)| rest);
                bundle_name("attestation", &format!("{first}-{of}"))
            }
        };
        Path::new(EVIDENCE).join(name)
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
                session.refuse_pipe(path)?;
                let bytes = session.read(path, Exit::NoDecision)?;
                let name = path
                    .file_name()
                    .map_or_else(|| artifact.clone(), |name| name.to_string_lossy().into_owned());
                Ok(statement::subject(&name, &Digest::of_bytes(&bytes).claim()))
            })
            .collect()
    }
}

/// Refuses a predicate of our own that is none, or that another verb makes: no gate would count it.
fn refuse_misshapen(uri: &str, predicate: &Value, file: &Path) -> Result<(), Failure> {
    let schemas = own_schemas();
    let Some((name, schema)) =
        schemas.iter().find(|(_, schema)| schema.get("$id").is_some_and(|id| id == uri))
    else {
        return Ok(());
    };
    if *name == "approval" {
        return Err(Failure::usage(format!("`{uri}` is a person's word, and this verb signs none")).hint(
            "`laforge approve` and `laforge reject` show what is signed, and tie it to a release and its environment",
        ));
    }
    let validator = jsonschema::validator_for(schema).map_err(|error| Failure::usage(error.to_string()))?;
    validator.validate(predicate).map_err(|error| {
        Failure::usage(format!("the predicate `{}` is no {name} as its type demands", file.display()))
            .because(error.to_string())
            .hint(format!("`laforge schema {name}` says what it holds"))
    })
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
