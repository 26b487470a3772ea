//! `laforge rollout run --reverify`: the plan's release decided again, by this machine's own word.
//!
//! In: an accepted plan and what is configured here: release, evidence, trust, policies. Out: nothing, if it
//! is allowed here too, for the same release and the same rollout; else exit 13 (or 10 or 11, as `verify`).
//! An executor that does this needs no gate to be honest.

use std::collections::BTreeMap;

use clap::Parser;
use serde_json::Value;

use crate::cli::flags::GateFlags;
use crate::cli::reports::exit_of;
use crate::cli::{Exit, Failure, Session, verify};
use crate::config::Config;
use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::rollout::envelope::ProvenPlan;

/// Members of a core that a second decision can't have in common with the first.
const OWN: [&str; 3] = ["mode", "validity", "verification"];

/// What is configured, and no flag.
#[derive(Debug, Parser)]
struct Configured {
    #[command(flatten)]
    gate: GateFlags,
}

/// Decides again, and holds the plan against what comes out.
pub(super) fn reverify(
    plan: &ProvenPlan,
    config: &Config,
    recorded: &BTreeMap<String, u64>,
    session: &Session,
) -> Result<(), Failure> {
    let Configured { gate } = Configured::parse_from(["laforge"]);
    let decision = verify::decide(&gate, config, Mode::Enforce, recorded, session)?;
    let report = decision.report();
    if report.verdict != Verdict::Pass {
        let exit = exit_of(report.verdict);
        let findings =
            report.findings.iter().map(|finding| format!("{}: {}", finding.rule.as_str(), finding.message));
        let failure = Failure::new(exit, "the release is not allowed here (--reverify)");
        return Err(findings.fold(failure, Failure::because));
    }
    let Some(core) = decision.core().and_then(|core| serde_json::from_slice::<Value>(core.canonical()).ok())
    else {
        return Err(Failure::new(Exit::Integrity, "a second decision gives no plan (--reverify)"));
    };
    match difference(&serde_json::json!(plan.core()), &core) {
        None => {
            session.say("decided again here: allowed, for the same release and the same rollout\n");
            Ok(())
        }
        Some(member) => Err(Failure::new(
            Exit::Integrity,
            format!("the plan's `{member}` is not what would be planned here (--reverify)"),
        )
        .hint("`release:` and `rollout:` in this machine's laforge.yaml have to be those of the gate")),
    }
}

/// The first member in which two cores differ, their own ones aside.
fn difference(plan: &Value, own: &Value) -> Option<String> {
    let (plan, own) = (plan.as_object()?, own.as_object()?);
    let mut names = plan.keys().chain(own.keys()).filter(|name| !OWN.contains(&name.as_str()));
    names.find(|name| plan.get(*name) != own.get(*name)).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_first_member_that_differs_and_no_own_one() {
        let plan = json!({"deploys": ["a"], "mode": "enforce", "target": "t", "validity": 1});
        let with = |member: &str, value: Value| {
            let mut own = plan.clone();
            own[member] = value;
            difference(&plan, &own)
        };
        assert_eq!(with("mode", json!("break-glass")), None);
        assert_eq!(with("validity", json!(2)), None);
        assert_eq!(with("deploys", json!(["b"])), Some("deploys".to_owned()));
        assert_eq!(with("more", json!(1)), Some("more".to_owned()));
    }
}
