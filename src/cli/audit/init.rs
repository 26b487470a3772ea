//! `laforge audit init`: a log where nothing is, and what trust has to say of it.
//!
//! In: a folder, an origin and a key. Out: the log; on stdout the entry of `gates` in `trust.yaml` that pins it, and
//! the PEM file that the entry names.

use clap::Args;
use serde::Serialize;

use crate::audit::{AuditLog, NewLog};
use crate::plan::request::is_target;

use super::super::load::{self, LogPlace};
use super::super::{Exit, Failure, Session, caller};
use super::Which;

/// Create a log where nothing is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    #[command(flatten)]
    which: Which,
    /// The log's origin: a schema-less URL that you own, and the environment
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// The log's secret key, Ed25519 and used for nothing else: file:PATH or env:NAME
    #[arg(long, value_name = "SOURCE")]
    audit_key: Option<String>,
}

impl Init {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let place = LogPlace::of(self.which.audit_log.as_ref(), self.audit_key.as_ref(), &config)?;
        let origin = self.origin.or_else(|| place.origin().map(str::to_owned)).ok_or_else(|| {
            Failure::usage("a log needs an origin")
                .hint("give --origin, such as gitops.example.com/payments/production")
        })?;
        let source = place.key.as_ref().ok_or_else(|| {
            Failure::usage("a log needs a key")
                .hint("`laforge keygen --use gate -o audit` makes one; name it with --audit-key")
        })?;
        let key = session.secret_key(source)?;
        let caller = caller::of(session);
        let pins = place.expectations(load::trust_in_reach(session).as_ref(), session).pins;
        if pins.iter().any(|pin| pin.origin == origin || pin.key == *key.public()) {
            // No refusal: a log that moves to where it will live is made like this. Only `deploy --audit-init` makes
            // one unasked, and refuses.
            session.say(&format!(
                "warning: trust pins another log of the origin `{origin}` or of this key: if that one is lost, this is no mending of it\n"
            ));
        }
        let new = NewLog { seen: load::seen_folder(session), ..NewLog::new(&place.folder, &origin, &caller) };
        let created =
            AuditLog::create(&new, &key, session.now()).map_err(|error| load::audit_failure(&error))?;
        session.say(&format!("created {} of {origin}; pin it, behind review:\n", place.folder.display()));
        session.print(pinned(&origin, &created.log_id.to_string(), &key.public().to_pem())?.as_bytes())?;
        Ok(Exit::Holds)
    }
}

/// `gates` of `trust.yaml`.
#[derive(Serialize)]
struct Pinning {
    gates: [Gate; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    name: String,
    key: String,
    origin: String,
    log_id: String,
    environments: [String; 1],
}

/// The entry that pins the log, and the key's file. By convention an origin ends with its environment.
fn pinned(origin: &str, log_id: &str, key: &str) -> Result<String, Failure> {
    let environment = origin.rsplit('/').next().filter(|name| is_target(name)).unwrap_or("production");
    let file = format!("trust/{environment}-gate.pub");
    let gate = Gate {
        name: environment.to_owned(),
        key: file.clone(),
        origin: origin.to_owned(),
        log_id: log_id.to_owned(),
        environments: [environment.to_owned()],
    };
    let entry = serde_yaml::to_string(&Pinning { gates: [gate] })
        .map_err(|error| Failure::of(Exit::NoDecision, &error))?;
    Ok(format!(
        "# For trust.yaml (where there are `gates`, add the entry to them). `environments`: those that it decides for.\n\
         {entry}\
         # For the file {file}, beside trust.yaml:\n\
         {key}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_the_environment_that_the_origin_ends_with() {
        let text = pinned("gitops.example.com/payments/staging", "sha256:aa", "PEM\n").unwrap();
        assert_eq!(
            text,
            "# For trust.yaml (where there are `gates`, add the entry to them). `environments`: those that it decides for.\n\
             gates:\n\
             - name: staging\n  \
               key: trust/staging-gate.pub\n  \
               origin: gitops.example.com/payments/staging\n  \
               logId: sha256:aa\n  \
               environments:\n  \
               - staging\n\
             # For the file trust/staging-gate.pub, beside trust.yaml:\n\
             PEM\n"
        );
    }

    #[test]
    fn an_origin_that_ends_with_no_environment_decides_for_production() {
        let text = pinned("gitops.example.com/Payments_Log!", "sha256:aa", "PEM\n").unwrap();
        assert!(text.contains("\n- name: production\n  key: trust/production-gate.pub\n"), "{text}");
    }
}
