//! `laforge trust show`: whose word counts, under which digest.
//!
//! In: the trust file that is configured, or named. Out: what it grants once every refusal is made, with its
//! defaults written out; `-o json` is the trust digest and the very value that it is over. No network is reached.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::report::paint::printable;
use crate::time::{self, Timestamp};
use crate::trust::embedded::{INSTANCES, embedded_root};
use crate::trust::{Gate, Identity, Person, Revocation, Revoked, Signer, SigstoreRoot, TrustRoot};

use super::flags::{EvidenceFlags, Form};
use super::{Exit, Failure, Session, load};

/// Show whose word counts.
#[derive(Debug, Subcommand)]
pub(super) enum Trust {
    /// Everything that the trust in force grants, and its digest
    Show(Show),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Everything that the trust in force grants, and its digest.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The trust file; where laforge.yaml names one, it must resolve to the same trust digest
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

impl Trust {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Show(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("trust ", &words, &["update"])),
        }
    }
}

impl Show {
    fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let flags = EvidenceFlags { evidence: Vec::new(), trust: self.trust, offline: true };
        let trust = load::trust(&flags, &config, session)?;
        let text = match self.output {
            Form::Human => human(&trust),
            Form::Json => format!("{:#}\n", document(&trust)?),
        };
        session.print_result(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}

/// The digest, and what it is over.
fn document(trust: &TrustRoot) -> Result<Value, Failure> {
    let granted: Value =
        serde_json::from_slice(trust.canonical()).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
    Ok(json!({"digest": trust.digest(), "trust": granted}))
}

fn human(trust: &TrustRoot) -> String {
    let mut out = format!("trust {}\n", trust.digest());
    section(&mut out, "sigstore", trust.roots.iter().map(root));
    section(&mut out, "signers", trust.signers.iter().map(signer));
    section(&mut out, "people", trust.people.iter().map(person));
    section(
        &mut out,
        "builders",
        trust.builders.iter().map(|builder| {
            format!("{}  up to level {}, by signer {}", builder.id, builder.level, builder.signer)
        }),
    );
    section(&mut out, "policySigners", trust.policy_signers.iter().cloned());
    section(&mut out, "gates", trust.gates.iter().map(gate));
    section(&mut out, "revoked", trust.revoked.iter().map(revocation));
    out
}

/// A section with a line for each of its members; an empty one says so, since it lets nobody in.
fn section(out: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    let _ = writeln!(out, "\n{name}{}", if lines.is_empty() { ": none" } else { "" });
    for line in lines {
        let _ = writeln!(out, "  {}", printable(&line));
    }
}

fn root(root: &SigstoreRoot) -> String {
    let embedded = |name: &&str| embedded_root(name).is_some_and(|json| json.as_bytes() == root.json);
    let from = match INSTANCES.iter().find(|name| embedded(name)) {
        Some(instance) => format!("the root of `{instance}` that this program carries"),
        None => "a root of its own".to_owned(),
    };
    format!("{}  {}  {from}", root.name, root.digest)
}

fn signer(signer: &Signer) -> String {
    let uses: Vec<String> = signer.uses.iter().map(ToString::to_string).collect();
    let mut line = format!("{}  {}: {}", signer.name, uses.join(", "), identity(&signer.identity));
    if !signer.predicate_types.is_empty() {
        let _ = write!(line, "; predicates {}", signer.predicate_types.join(", "));
    }
    line.push_str(&bound("from", signer.valid_from));
    line.push_str(&bound("until", signer.valid_until));
    for (is, what) in [
        (signer.simple_signing, "; cosign's simple signing alone"),
        (signer.raw_payload, "; payloads as they are, without PAE"),
    ] {
        line.push_str(if is { what } else { "" });
    }
    line
}

fn bound(word: &str, at: Option<Timestamp>) -> String {
    at.map(|at| format!("; {word} {}", time::to_seconds(at))).unwrap_or_default()
}

fn person(person: &Person) -> String {
    let identities: Vec<String> = person.identities.iter().map(identity).collect();
    let aliases: Vec<String> =
        person.aliases.iter().map(|(scheme, name)| format!("; {scheme}: {name}")).collect();
    format!("{}  {}: {}{}", person.name, person.roles.join(", "), identities.join(", "), aliases.concat())
}

fn identity(of: &Identity) -> String {
    match of {
        Identity::Key { root, key } => format!("key {} ({root})", key.id()),
        Identity::Keyless { root, issuer, subject } => format!("`{subject}` of {issuer} ({root})"),
    }
}

fn gate(gate: &Gate) -> String {
    let pins = [("policies", &gate.policy_digests), ("trust", &gate.trust_digests)];
    let pins = pins.iter().filter_map(|(what, pinned)| {
        pinned.as_ref().map(|pinned| format!("; {} digests of {what} pinned", pinned.len()))
    });
    let environments = gate.environments.join(", ");
    format!(
        "{}  {} for {environments}, log {}{}",
        gate.name,
        gate.origin,
        gate.log_id,
        pins.collect::<String>()
    )
}

fn revocation(revocation: &Revocation) -> String {
    let who = match &revocation.who {
        Revoked::Key(key) => format!("key {key}"),
        Revoked::Keyless { issuer, subject } => format!("`{subject}` of {issuer}"),
    };
    format!("{who}  since {}: {}", time::to_seconds(revocation.since), revocation.reason)
}
