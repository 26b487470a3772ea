//! `laforge policy check`: parse and type-check a policy set against trust.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::flags::{EvidenceFlags, Form};
use super::schema::Schema;
use super::{Exit, Failure, Session, load};

/// Check policies.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Parse a policy set and check every name against trust
    Check(Check),
    /// Print a JSON Schema (the same as `laforge schema KIND`)
    Schema(Schema),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Parse a policy set and check every name against trust.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files or folders of policy (default: those that laforge.yaml names)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The trust file
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

impl Policy {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(session),
            Self::Schema(schema) => schema.run(session),
            Self::Other(words) => {
                Err(load::other_verb("policy ", &words, &["test", "impact", "sign", "lock"]))
            }
        }
    }
}

impl Check {
    fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let flags = EvidenceFlags { evidence: Vec::new(), trust: self.trust, offline: false };
        let trust = load::trust(&flags, &config, session)?;
        let mut sets = Vec::new();
        if self.paths.is_empty() {
            let mut configured = config.policies.iter();
            configured.try_for_each(|policy| load::refuse_absent("policy", &policy.path, session))?;
            sets.extend(
                config.policies.iter().map(|policy| (policy.path.path.clone(), policy.digest.clone())),
            );
        }
        sets.extend(self.paths.into_iter().map(|path| (path, None)));
        if sets.is_empty() {
            return Err(Failure::usage("no policy to check")
                .hint("name a file or a folder, or configure `policies:`"));
        }
        let mut text = String::new();
        let mut list = Vec::new();
        for (path, pin) in sets {
            let set = load::policy_set(&path, pin.as_ref(), &trust)?;
            text.push_str(&format!(
                "{}  {} v{}  {}\n",
                set.digest(),
                set.name(),
                set.version(),
                path.display()
            ));
            list.push(json!({
                "path": path.display().to_string(),
                "name": set.name(),
                "version": set.version(),
                "digest": set.digest(),
                "pinned": pin.is_some(),
            }));
        }
        if let Form::Json = self.output {
            text = format!("{:#}\n", json!({ "policies": list }));
        }
        session.print(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}
