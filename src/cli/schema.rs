//! `laforge schema`: the JSON Schema of every document kind.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::config;
use crate::evidence::predicate;
use crate::plan;
use crate::policy;
use crate::release::Release;
use crate::rollout::simulate::scenario;
use crate::source::release_bundle;
use crate::trust::TrustRoot;

use super::{Exit, Failure, Session};

/// Print the JSON Schema of a document kind.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// The kind
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// laforge.yaml
    Config,
    /// release.yaml
    Release,
    /// trust.yaml
    Trust,
    /// A policy
    Policy,
    /// policy-set.yaml
    PolicySet,
    /// The JSON report
    Report,
    /// The rollout plan
    Plan,
    /// bundle.json, the list of a release bundle's files
    Bundle,
    /// A scenario of `laforge rollout simulate`
    Scenario,
    /// The predicate of an approval
    Approval,
    /// The predicate of a break-glass record
    BreakGlass,
    /// The predicate of a source statement
    Source,
    /// The predicate of a waiver
    Waiver,
}

impl Schema {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        session.print_result(format!("{:#}\n", self.kind.schema()).as_bytes())?;
        Ok(Exit::Holds)
    }
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Config => config::schema().into(),
            Self::Release => Release::schema().into(),
            Self::Trust => TrustRoot::schema().into(),
            Self::Policy => policy::policy_schema(),
            Self::PolicySet => policy::policy_set_schema(),
            Self::Report => policy::report_schema(),
            Self::Plan => plan::schema().into(),
            Self::Bundle => release_bundle::schema().into(),
            Self::Scenario => scenario::schema().into(),
            Self::Approval => own("approval"),
            Self::BreakGlass => own("break-glass"),
            Self::Source => own("source"),
            Self::Waiver => own("waiver"),
        }
    }
}

/// The schema of a predicate of our own.
fn own(name: &str) -> Value {
    let schemas = predicate::own_schemas();
    schemas.into_iter().find(|(own, _)| *own == name).map(|(_, schema)| schema).unwrap_or_default()
}
