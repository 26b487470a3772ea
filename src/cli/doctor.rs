//! `laforge doctor`: whether what is configured is a gate, or lets anything through.
//!
//! In: configuration, trust, policies, the log. Out: one line per thing that makes the gate vacuous, with how to
//! mend it, and exit 10 if there is any. Nothing is recorded. Not checked: whether the people and keys in trust
//! are the right ones.

use clap::Args;
use serde_json::json;

use crate::audit::Reader;
use crate::config::{Config, ConfiguredLog};
use crate::report::paint::{Tone, printable};
use crate::trust::{Identity, Pattern, TrustRoot, Use};

use super::flags::{EvidenceFlags, Form};
use super::{Exit, Failure, Session, load};

/// Say what would make the gate vacuous: no rules, nobody who can approve, open patterns, no log.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

/// Something that makes a gate vacuous, and how to mend it.
struct Trouble {
    what: String,
    help: &'static str,
}

impl Trouble {
    fn new(what: impl Into<String>, help: &'static str) -> Self {
        Self { what: what.into(), help }
    }
}

impl Doctor {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let flags = EvidenceFlags { evidence: Vec::new(), trust: None, offline: true };
        let trust = load::trust(&flags, &config, session)?;
        let mut troubles = rules(&config, &trust);
        troubles.extend(people(&trust));
        troubles.extend(signers(&trust));
        troubles.extend(log(config.audit.as_ref(), &trust, session));
        let text = match self.output {
            Form::Human => human(&troubles, session),
            Form::Json => {
                let list: Vec<_> =
                    troubles.iter().map(|it| json!({"what": it.what, "help": it.help})).collect();
                format!("{:#}\n", json!({"sound": troubles.is_empty(), "troubles": list}))
            }
        };
        session.print(text.as_bytes())?;
        Ok(if troubles.is_empty() { Exit::Holds } else { Exit::Denied })
    }
}

fn human(troubles: &[Trouble], session: &Session) -> String {
    let paint = session.paint_out;
    if troubles.is_empty() {
        let word = paint.tone(Tone::Good, "sound");
        return format!("{word}: rules, people, patterns and log are those of a gate\n");
    }
    let word = paint.tone(Tone::Bad, "vacuous");
    let told = |Trouble { what, help }: &Trouble| format!("{word}: {}\n  help: {help}\n", printable(what));
    troubles.iter().map(told).collect()
}

/// Sets that demand something, and that not everybody who may write a file can change unseen.
fn rules(config: &Config, trust: &TrustRoot) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    if config.policies.is_empty() {
        troubles.push(Trouble::new(
            "no policy is configured: only the flags that a job gives, or leaves out, demand anything",
            "name a set with `policies: [{path: policies/}]` in laforge.yaml",
        ));
    }
    for policy in &config.policies {
        if load::policy_set(&policy.path.path, policy.digest.as_ref(), trust).is_err() {
            troubles.push(Trouble::new(
                format!("policy set `{}` can't be loaded under this trust", policy.path.path.display()),
                "`laforge policy check` says what is wrong in it, and where",
            ));
        }
        if policy.digest.is_none() {
            troubles.push(Trouble::new(
                format!("policy set `{}` is neither signed nor pinned", policy.path.path.display()),
                "pin what was reviewed: `{path: …, digest: \"sha256:…\"}` with the digest that `laforge policy check` prints",
            ));
        }
    }
    troubles
}

fn people(trust: &TrustRoot) -> Vec<Trouble> {
    let can = trust.people.iter().filter(|person| !person.roles.is_empty() && !person.identities.is_empty());
    match can.count() {
        0 => vec![Trouble::new(
            "nobody can approve: trust names no person with a role and an identity",
            "add `people: [{name, roles: [...], identities: [{key: FILE}]}]` to trust.yaml",
        )],
        1 => vec![Trouble::new(
            "one person alone can approve: whoever releases may be the one who approves",
            "name a second person in trust.yaml",
        )],
        _ => Vec::new(),
    }
}

/// Signers for each use, and no subject that a stranger could have.
fn signers(trust: &TrustRoot) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for (wanted, what) in [(Use::Artifact, "artifacts"), (Use::Attestation, "attestations")] {
        if !trust.signers.iter().any(|signer| signer.uses.contains(&wanted)) {
            troubles.push(Trouble::new(
                format!("nobody can sign {what}: trust names no signer for them"),
                "add `signers: [{name, use, key: FILE}]` to trust.yaml, or `identity: {root, issuer, subject}`",
            ));
        }
    }
    for signer in &trust.signers {
        if let Some(pattern) = open_pattern(&signer.identity) {
            troubles.push(Trouble::new(
                format!(
                    "signer `{}` has the open pattern `{pattern}`: it also takes identities of strangers",
                    signer.name
                ),
                "write the subject out, or let the pattern begin with a host and an owner of yours",
            ));
        }
    }
    troubles
}

/// A pattern whose fixed beginning names no owner, such as `https://github.com/**`.
fn open_pattern(identity: &Identity) -> Option<String> {
    let Identity::Keyless { subject: Pattern::Glob(text), .. } = identity else { return None };
    let fixed = text.split('*').next().unwrap_or_default();
    // Scheme, host and owner: what comes after them is inside of what one owner controls.
    let owned = match fixed.split_once("://") {
        Some((_, rest)) => {
            rest.split('/').filter(|part| !part.is_empty()).count() >= 2 && rest.matches('/').count() >= 2
        }
        None => fixed.contains('/'),
    };
    (!owned).then(|| text.clone())
}

fn log(audit: Option<&ConfiguredLog>, trust: &TrustRoot, session: &Session) -> Vec<Trouble> {
    let Some(audit) = audit else {
        return vec![Trouble::new(
            "no audit log is configured, so nothing can come out",
            "add `audit: {log, origin, key}` to laforge.yaml; `laforge audit init` makes a log",
        )];
    };
    let mut troubles = Vec::new();
    match &audit.key {
        None => troubles.push(Trouble::new(
            "the audit log has no key, so nothing can be recorded",
            "name it: `audit: {key: env:LAFORGE_AUDIT_KEY}`; `laforge keygen --use gate` makes one",
        )),
        Some(source) => {
            if session.secret_key(source).is_err() {
                troubles.push(Trouble::new(
                    "the audit log's key is not in reach here",
                    "on the gate's machine set its variable or put its file there; elsewhere that is as it should be",
                ));
            }
        }
    }
    match Reader::open(&audit.log.path) {
        Err(error) => troubles.push(Trouble::new(
            error.to_string(),
            "restore the log that is pinned, or fetch it from its branch; a first one is made by `laforge audit init`",
        )),
        Ok(reader) if !trust.gates.iter().any(|gate| gate.log_id == reader.log_id()) => {
            troubles.push(Trouble::new(
                "trust pins no gate with this log, which any other log could stand in for",
                "add what `laforge audit init` printed under `gates` in trust.yaml",
            ));
        }
        Ok(_) => {}
    }
    troubles
}
