//! `laforge keygen`: a key pair for one use.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::key::Algorithm;
use crate::key::secret::SecretKey;
use crate::report::paint::printable;

use super::keys::PASSPHRASE;
use super::outputs::refuse_dash;
use super::prompt;
use super::{Exit, Failure, Session};

/// Make a key pair for one use; the secret part is encrypted at rest, under $LAFORGE_KEY_PASSPHRASE.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// What the key is for: one key, one use
    #[arg(long = "use", value_enum, value_name = "USE")]
    r#use: KeyUse,
    /// The signature algorithm [default: ecdsa-p256, and ed25519 for a gate, which takes no other]
    #[arg(long, value_enum)]
    algorithm: Option<KeyKind>,
    /// Where to write: PREFIX.key and PREFIX.pub
    #[arg(short, long, value_name = "PREFIX")]
    output: PathBuf,
    /// Write the secret key without encryption, readable by its owner alone
    #[arg(long)]
    insecure_unencrypted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyUse {
    /// Signatures over artifacts
    Artifact,
    /// Attestations such as provenance
    Attestation,
    /// A person's approvals
    Person,
    /// Policy sets
    Policy,
    /// The audit log of a gate
    Gate,
    /// Verification summaries
    Vsa,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyKind {
    /// ECDSA on P-256 with SHA-256
    EcdsaP256,
    /// Ed25519
    Ed25519,
}

impl Keygen {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let algorithm = match (self.r#use, self.algorithm) {
            (KeyUse::Gate, Some(KeyKind::EcdsaP256)) => {
                return Err(Failure::usage("a gate's key is Ed25519").hint("leave --algorithm out"));
            }
            (KeyUse::Gate, _) | (_, Some(KeyKind::Ed25519)) => Algorithm::Ed25519,
            (_, Some(KeyKind::EcdsaP256) | None) => Algorithm::EcdsaP256,
        };
        refuse_dash(&self.output)?;
        let (secret_path, public_path) = (with_ending(&self.output, "key"), with_ending(&self.output, "pub"));
        session.refuse_uncreatable([&secret_path, &public_path])?;
        let passphrase = self.passphrase(session)?;
        let failed = |error| Failure::of(Exit::NoDecision, &error);
        let key = SecretKey::generate(algorithm).map_err(failed)?;
        let secret = key.to_pem(passphrase.as_deref()).map_err(failed)?;
        session.create_secret(&secret_path, secret.as_bytes())?;
        session.create(&public_path, key.public().to_pem().as_bytes())?;
        session.say(&format!(
            "wrote {} (keep it) and {} (name it in trust.yaml under {})\n",
            secret_path.display(),
            public_path.display(),
            self.r#use.home(),
        ));
        session.print(format!("{}\n", key.public().id()).as_bytes())?;
        Ok(Exit::Holds)
    }

    fn passphrase(&self, session: &Session) -> Result<Option<String>, Failure> {
        match (session.variable(PASSPHRASE), self.insecure_unencrypted) {
            (_, true) => Ok(None),
            (Some(passphrase), false) => Ok(Some(passphrase)),
            (None, false) => self.typed(session).map(Some),
        }
    }

    /// A passphrase that is typed twice alike.
    fn typed(&self, session: &Session) -> Result<String, Failure> {
        let question =
            format!("passphrase for the key `{}`: ", printable(&self.output.display().to_string()));
        let passphrase = prompt::secret(&question, session).ok_or_else(|| {
            Failure::usage("a secret key is encrypted at rest, and no passphrase is given").hint(format!(
                "set {PASSPHRASE}, or pass --insecure-unencrypted for a key that only its machine guards"
            ))
        })?;
        match prompt::secret("the same once more: ", session) {
            Some(again) if again == passphrase => Ok(passphrase),
            _ => {
                Err(Failure::usage("the two passphrases are not one")
                    .hint("run it again: nothing was written"))
            }
        }
    }
}

impl KeyUse {
    /// Where in `trust.yaml` the public part belongs.
    fn home(self) -> &'static str {
        match self {
            Self::Artifact => "`signers`, use: artifact",
            Self::Attestation => "`signers`, use: attestation",
            Self::Policy => "`signers`, use: policy",
            Self::Vsa => "`signers`, use: vsa",
            Self::Person => "the `identities` of a person in `people`",
            Self::Gate => "`gates`",
        }
    }
}

fn with_ending(prefix: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
