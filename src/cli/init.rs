//! `laforge init`: a configuration, trust, policies, an audit log and its key; with `--example` a
//! small release with its evidence.

mod example;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::audit::{AuditLog, NewLog};
use crate::key::secret::SecretKey;
use crate::key::{Algorithm, is_origin};
use crate::plan::request::is_target;

use super::caller;
use super::load;
use super::{Exit, Failure, Session};

/// The shipped policy that `init` starts with.
pub(super) const BASELINE: &str = include_str!("../../policies/baseline.yaml");
const AUDIT_KEY: &str = ".laforge/audit.key";
const AUDIT_LOG: &str = ".laforge/audit";

/// Write laforge.yaml, trust.yaml, policies/, an audit log and its key.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to set up
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Add a small release of 3 artifacts with its evidence, which the gate allows at once
    #[arg(long)]
    example: bool,
    /// The environment that releases are for
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// The log's origin: a schema-less URL that you own, and the environment
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
}

/// What `trust.yaml` starts with.
pub(super) struct Trusted {
    signers: Vec<Value>,
    people: Vec<Value>,
    builders: Vec<Value>,
}

impl Init {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        if !is_target(&self.environment) {
            return Err(Failure::usage(format!("`{}` is not an environment's name", self.environment))
                .hint("lower-case letters, digits, `.`, `_` and `-`, at most 63, such as production"));
        }
        if self.origin.as_deref().is_some_and(|origin| !is_origin(origin)) {
            return Err(Failure::usage("the origin is not one that a log can have")
                .hint("a URL without scheme that you own, and the environment: gitops.example.com/payments/production"));
        }
        if session.exists(&self.folder) && !session.is_folder(&self.folder) {
            return Err(Failure::usage(format!("`{}` is no folder", self.folder.display()))
                .hint("name a folder, which is made where it is missing"));
        }
        self.refuse_what_is_there(session)?;
        let trusted = match self.example {
            true => example::write(&self.folder, &self.environment, session)?,
            false => Trusted { signers: Vec::new(), people: Vec::new(), builders: Vec::new() },
        };
        let gate = self.audit_log(session)?;
        let put = |path: &str, text: &str| session.create(&self.folder.join(path), text.as_bytes());
        put("trust.yaml", &trust_yaml(trusted, &gate)?)?;
        put("policies/baseline.yaml", BASELINE)?;
        put("policies/policy-set.yaml", POLICY_SET)?;
        session.create_folder(&self.folder.join("evidence"))?;
        put("laforge.yaml", &self.config_yaml(&gate))?;
        put(".gitignore", IGNORED)?;
        session.say(&self.next_steps());
        Ok(Exit::Holds)
    }

    fn refuse_what_is_there(&self, session: &Session) -> Result<(), Failure> {
        let mut names = vec!["laforge.yaml", "trust.yaml", "policies", AUDIT_LOG, AUDIT_KEY];
        if self.example {
            names.extend(["release.yaml", "artifacts", "evidence", "keys"]);
        }
        match names.into_iter().find(|name| session.exists(&self.folder.join(name))) {
            None => Ok(()),
            Some(name) => {
                Err(Failure::usage(format!("`{}` is already there", self.folder.join(name).display()))
                    .hint("init overwrites nothing: set up another folder, or remove it first"))
            }
        }
    }

    /// Makes the key and the log, and says how executors pin them.
    fn audit_log(&self, session: &Session) -> Result<Gate, Failure> {
        let failed = |error| Failure::of(Exit::NoDecision, &error as &dyn std::error::Error);
        let key = SecretKey::generate(Algorithm::Ed25519).map_err(failed)?;
        let origin = match &self.origin {
            Some(origin) => origin.clone(),
            None => {
                let random = SecretKey::generate(Algorithm::Ed25519).map_err(failed)?.public().id().hex();
                format!("laforge.invalid/{}/{}", random.get(..8).unwrap_or("0"), self.environment)
            }
        };
        let public = key.public().to_pem();
        session.create_secret(&self.folder.join(AUDIT_KEY), key.to_pem(None).map_err(failed)?.as_bytes())?;
        session.create(&self.folder.join("trust/audit.pub"), public.as_bytes())?;
        let log = self.folder.join(AUDIT_LOG);
        let caller = caller::of(session);
        let new = NewLog { seen: load::seen_folder(session), ..NewLog::new(log, &origin, &caller) };
        let created =
            AuditLog::create(&new, &key, session.now()).map_err(|error| load::audit_failure(&error))?;
        Ok(Gate { origin, log_id: created.log_id.to_string(), environment: self.environment.clone() })
    }

    fn config_yaml(&self, gate: &Gate) -> String {
        format!(
            "# What laforge uses where no flag says otherwise. --policy adds to `policies`; `trust` and `audit` stay as they are here.\n\
             apiVersion: laforge.dev/v1\n\
             kind: Config\n\
             release: release.yaml\n\
             evidence: [evidence/]\n\
             trust: trust.yaml\n\
             policies: [{{path: policies/}}]\n\
             # The key belongs to the gate, never to the build job: in CI write `key: env:LAFORGE_AUDIT_KEY`.\n\
             audit: {{log: {AUDIT_LOG}, origin: \"{origin}\", key: \"file:{AUDIT_KEY}\"}}\n\
             rollout: {{strategy: bluegreen, trafficSteps: [20, 80, 100], latencyBudgetMs: 450, errorBudget: 0.02}}\n",
            origin = gate.origin,
        )
    }

    fn next_steps(&self) -> String {
        let folder = self.folder.display();
        let next = match self.example {
            true => {
                format!("laforge -C {folder} deploy --require-signed --require-approved --require-provenance")
            }
            false => {
                let (trust, release) = (self.folder.join("trust.yaml"), self.folder.join("release.yaml"));
                format!(
                    "name your signers, people and builders in {}, and write {}",
                    trust.display(),
                    release.display()
                )
            }
        };
        format!(
            "set up {folder}: laforge.yaml, trust.yaml, policies/, an audit log and its key\nnext: {next}\n"
        )
    }
}

/// The log as `gates` pins it.
struct Gate {
    origin: String,
    log_id: String,
    environment: String,
}

/// `trust.yaml`, its members in the order that people read them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrustDocument {
    api_version: &'static str,
    kind: &'static str,
    signers: Vec<Value>,
    people: Vec<Value>,
    builders: Vec<Value>,
    gates: Vec<Value>,
}

fn trust_yaml(trusted: Trusted, gate: &Gate) -> Result<String, Failure> {
    let document = TrustDocument {
        api_version: "laforge.dev/v1",
        kind: "Trust",
        signers: trusted.signers,
        people: trusted.people,
        builders: trusted.builders,
        gates: vec![json!({
            "name": gate.environment,
            "key": "trust/audit.pub",
            "origin": gate.origin,
            "logId": gate.log_id,
            "environments": [gate.environment],
        })],
    };
    let body = serde_yaml::to_string(&document).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
    Ok(format!("{TRUST_HEAD}{body}"))
}

const TRUST_HEAD: &str = "\
# Whose word counts, for what. Keep this file and the keys it names behind review.
#   signers:  {name, use: artifact|attestation, key: FILE} or {name, use, identity: {root, issuer, subject}}
#   people:   {name, roles: [...], aliases: {github: NAME}, identities: [{key: FILE}]}
#   builders: {id, level: 1..3, signer: NAME}
";

const POLICY_SET: &str = "\
apiVersion: laforge.dev/v1
kind: PolicySet
metadata: {name: baseline, version: 1}
";

const IGNORED: &str = "\
# Secrets, and the log: keep it where history can't be rewritten, not in this branch.
/.laforge/
/keys/
*.key
";
