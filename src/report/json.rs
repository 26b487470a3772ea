//! The JSON report: the recorded account, and what the log and the clock add to it (`cli.md`).

use serde_json::{Value, json};

use crate::audit::LogReference;
use crate::policy::DecisionReport;

/// How long the steps took, in whole milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// From loading the configuration to the end.
    pub total_ms: u64,
}

/// One object, pretty-printed, with a line feed.
pub fn render(report: &DecisionReport, audit: Option<&LogReference>, timing: Timing) -> String {
    let mut value = report.to_value();
    if let Value::Object(members) = &mut value {
        if let Some(audit) = audit {
            members.insert("audit".to_owned(), json!(audit));
        }
        members.insert("timing".to_owned(), json!({ "totalMs": timing.total_ms }));
    }
    format!("{value:#}\n")
}
