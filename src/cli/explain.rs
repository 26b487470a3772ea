//! `laforge explain RULE`: what a finding means and how it is mended, from the page that documents it.

use clap::Args;

use crate::policy::RuleId;
use crate::report::rules;
use crate::wording::did_you_mean;

use super::{Exit, Failure, Session};

/// Say what a rule means and how to mend its finding.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The rule's id, as a finding names it
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

impl Explain {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Some(name) = self.rule else {
            return Err(Failure::usage("`laforge explain` without a rule is not built yet")
                .hint("name the rule of a finding; `laforge verify` says what is missing"));
        };
        let rule = RuleId::ALL.iter().find(|rule| rule.as_str() == name).ok_or_else(|| {
            let known: Vec<&str> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
            let failure = Failure::usage(format!("`{name}` is no rule of laforge"));
            match did_you_mean(&name, known.iter().copied()) {
                Some(meant) => failure.hint(meant),
                None => failure.hint(format!("one of {}", known.join(", "))),
            }
        })?;
        session.print_result(
            format!("{}\n\n{}\n\n{}\n", rule.as_str(), rules::section(*rule), rules::uri(*rule)).as_bytes(),
        )?;
        Ok(Exit::Holds)
    }
}
