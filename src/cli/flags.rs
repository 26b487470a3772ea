//! Flags that several verbs share, grouped as `--help` shows them (`cli.md`).

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::plan::{self, RolloutRequest};
use crate::policy::Flags;

use super::Failure;

/// What `deploy` and `verify` share.
#[derive(Debug, Args)]
pub(super) struct GateFlags {
    #[command(flatten)]
    pub(super) release: ReleaseFlags,
    #[command(flatten)]
    pub(super) evidence: EvidenceFlags,
    #[command(flatten)]
    pub(super) policy: PolicyFlags,
    #[command(flatten)]
    pub(super) rollout: RolloutFlags,
    #[command(flatten)]
    pub(super) refused: NotBuiltYet,
    /// Judge as of TIME (RFC 3339); with `deploy` this is a dry run, always
    #[arg(long, value_name = "TIME", help_heading = "Time")]
    pub(super) now: Option<String>,
    /// Write a report: human, json, sarif, junit, markdown or html, as FORMAT=FILE to a file (repeatable). Without
    /// FILE, `verify` writes it to stdout, and `deploy`, whose stdout is the plan's, to stderr in the place of all else
    #[arg(long = "report", value_name = "FORMAT[=FILE]", help_heading = "Output")]
    pub(super) reports: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Release")]
pub(super) struct ReleaseFlags {
    /// The release to judge
    #[arg(long, value_name = "FILE")]
    pub(super) release: Option<PathBuf>,
    /// Rendered Kubernetes manifests: a file, a folder, or `-`; their images must carry digests
    #[arg(long, value_name = "PATH|-")]
    pub(super) manifests: Option<PathBuf>,
    /// An image beside the release's artifacts, read from its registry (repeatable)
    #[arg(long, value_name = "REF@sha256:…")]
    pub(super) image: Vec<String>,
    /// The environment; it must be the release's
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(super) struct EvidenceFlags {
    /// A file or folder of evidence (repeatable; replaces what laforge.yaml names)
    #[arg(long, value_name = "PATH")]
    pub(super) evidence: Vec<PathBuf>,
    /// The trust file; where laforge.yaml names one, it must resolve to the same trust digest
    #[arg(long, value_name = "FILE")]
    pub(super) trust: Option<PathBuf>,
    /// Reach no network at all: what only a registry has is unreachable
    #[arg(long)]
    pub(super) offline: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyFlags {
    /// A policy set, optionally pinned (repeatable; adds to the configured ones)
    #[arg(long, value_name = "PATH[@sha256:…]")]
    pub(super) policy: Vec<String>,
    /// Each artifact is signed by a signer that trust names for it
    #[arg(long)]
    require_signed: bool,
    /// Somebody with a role approved this release digest and environment, and nobody rejected it
    #[arg(long)]
    require_approved: bool,
    /// Each artifact has provenance of a trusted builder, from the release's source commit
    #[arg(long)]
    require_provenance: bool,
}

impl PolicyFlags {
    pub(super) fn required(&self) -> Flags {
        Flags {
            signed: self.require_signed,
            approved: self.require_approved,
            provenance: self.require_provenance,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Rollout")]
pub(super) struct RolloutFlags {
    /// How traffic moves
    #[arg(long, value_enum)]
    pub(super) strategy: Option<Strategy>,
    /// The candidate's weights, rising to 100
    #[arg(long, value_name = "LIST")]
    pub(super) traffic_steps: Option<String>,
    /// Latency budget in milliseconds, at the configured quantile
    #[arg(long, value_name = "MS")]
    pub(super) latency_budget: Option<String>,
    /// Error budget as a fraction of requests
    #[arg(long, value_name = "FRACTION")]
    pub(super) error_budget: Option<String>,
    /// How long the plan may be started, at most 24h
    #[arg(long, value_name = "DURATION")]
    pub(super) ttl: Option<String>,
    /// Where the plan may run
    #[arg(long, value_name = "ID")]
    pub(super) target: Option<String>,
    /// Expected requests per second, to size the windows
    #[arg(long, value_name = "N")]
    pub(super) expected_rps: Option<String>,
}

impl RolloutFlags {
    /// The rollout that is asked for: these flags over `laforge.yaml` over the defaults.
    pub(super) fn request(&self, config: &Config) -> Result<RolloutRequest, Failure> {
        config.rollout(&self.plan()).map_err(Failure::from)
    }

    /// As the plan's room takes them.
    pub(super) fn plan(&self) -> plan::RolloutFlags {
        plan::RolloutFlags {
            strategy: self.strategy.map(|strategy| strategy.as_str().to_owned()),
            traffic_steps: self.traffic_steps.clone(),
            latency_budget: self.latency_budget.clone(),
            error_budget: self.error_budget.clone(),
            ttl: self.ttl.clone(),
            target: self.target.clone(),
            expected_rps: self.expected_rps.clone(),
        }
    }

    /// The first flag given.
    pub(super) fn first(&self) -> Option<&'static str> {
        [
            (self.strategy.is_some(), "--strategy"),
            (self.traffic_steps.is_some(), "--traffic-steps"),
            (self.latency_budget.is_some(), "--latency-budget"),
            (self.error_budget.is_some(), "--error-budget"),
            (self.ttl.is_some(), "--ttl"),
            (self.target.is_some(), "--target"),
            (self.expected_rps.is_some(), "--expected-rps"),
        ]
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
    }
}

/// A whole number on the command line.
///
/// # Errors
/// What is expected instead.
pub(super) fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number, 0 or more, is expected, such as 7".to_owned())
}

/// An address to listen on.
///
/// # Errors
/// What is expected instead.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address and a port are expected, such as 127.0.0.1:8088".to_owned())
}

/// How a reading verb prints.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Form {
    /// Aligned text
    Human,
    /// JSON; of an entry, its original bytes
    Json,
}

/// How traffic moves.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Strategy {
    /// Candidate at full size beside stable, weights in steps
    Bluegreen,
    /// Candidate grows with its weight
    Canary,
    /// Canary, then half, then all
    Staged,
}

impl Strategy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bluegreen => "bluegreen",
            Self::Canary => "canary",
            Self::Staged => "staged",
        }
    }
}

/// Flags whose meaning is fixed and whose part is not built yet: named here, so that they are
/// refused for what they are and never ignored.
#[derive(Debug, Args)]
pub(super) struct NotBuiltYet {
    #[arg(long, hide = true)]
    break_glass: bool,
    #[arg(long, value_name = "TEXT", hide = true)]
    reason: Option<String>,
    #[arg(long, value_name = "ID", hide = true)]
    ticket: Option<String>,
}

impl NotBuiltYet {
    /// The first flag given that is not built yet.
    pub(super) fn first(&self) -> Option<&'static str> {
        [
            (self.break_glass, "--break-glass"),
            (self.reason.is_some(), "--reason"),
            (self.ticket.is_some(), "--ticket"),
        ]
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
    }
}
