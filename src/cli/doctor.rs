//! `laforge doctor`: whether what is configured is a gate, or lets anything through.
//!
//! In: configuration, trust, policies, the log. Out: one line per thing that makes the gate vacuous, with how to
//! mend it, and exit 10 if there is any; and warnings of identities that look like a slip of the pen, which end
//! nothing. Nothing is recorded. Not checked: whether the people and keys in trust
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
        let warnings = slips(&trust);
        let text = match self.output {
            Form::Human => human(&troubles, &warnings, session),
            Form::Json => {
                let list = |of: &[Trouble]| -> Vec<_> {
                    of.iter().map(|it| json!({"what": it.what, "help": it.help})).collect()
                };
                let (sound, troubles, warnings) = (troubles.is_empty(), list(&troubles), list(&warnings));
                format!("{:#}\n", json!({"sound": sound, "troubles": troubles, "warnings": warnings}))
            }
        };
        session.print(text.as_bytes())?;
        Ok(if troubles.is_empty() { Exit::Holds } else { Exit::Denied })
    }
}

fn human(troubles: &[Trouble], warnings: &[Trouble], session: &Session) -> String {
    let paint = session.paint_out;
    let told = |of: &[Trouble], tone, word| -> String {
        let word = paint.tone(tone, word);
        let lines = of.iter().map(|it| format!("{word}: {}\n  help: {}\n", printable(&it.what), it.help));
        lines.collect()
    };
    let mut text = told(troubles, Tone::Bad, "vacuous") + &told(warnings, Tone::Warning, "warning");
    if troubles.is_empty() {
        let word = paint.tone(Tone::Good, "sound");
        let but = if warnings.is_empty() { "" } else { ", but for the warnings" };
        text.push_str(&format!("{word}: rules, people, patterns and log are those of a gate{but}\n"));
    }
    text
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

/// Identities that are compared letter for letter and written as if they were not: nobody would ever have them.
fn slips(trust: &TrustRoot) -> Vec<Trouble> {
    let signers = trust.signers.iter().map(|it| (format!("signer `{}`", it.name), &it.identity));
    let people = trust
        .people
        .iter()
        .flat_map(|it| it.identities.iter().map(move |identity| (format!("person `{}`", it.name), identity)));
    let mut slips = Vec::new();
    for (whose, identity) in signers.chain(people) {
        let Identity::Keyless { issuer, subject, .. } = identity else { continue };
        if let Pattern::Exact(subject) = subject
            && looks_like_a_pattern(subject)
        {
            slips.push(Trouble::new(
                format!("{whose} has the subject `{subject}`, which is compared letter for letter"),
                "begin it with `pattern:`, where `*` is any run without `/` or `@` and `**` any run, or write it out",
            ));
        }
        if looks_like_a_pattern(issuer) {
            slips.push(Trouble::new(
                format!("{whose} has the issuer `{issuer}`, which is compared letter for letter"),
                "write the issuer out, as the token's `iss` has it: no pattern is taken there",
            ));
        }
        if issuer.ends_with('/') {
            slips.push(Trouble::new(
                format!("{whose} has the issuer `{issuer}`, which ends in `/`, as few issuers do"),
                "write it as the token's `iss` has it, and leave the `/` out unless it stands there",
            ));
        }
    }
    slips
}

/// A glob's stars, or the ends and the dots of a regular expression.
fn looks_like_a_pattern(text: &str) -> bool {
    text.contains('*') || text.starts_with('^') || text.ends_with('$')
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
