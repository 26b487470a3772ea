//! Who calls: what the environment says of the CI run. None of it is verified, and it says so.

use crate::policy::{Actor, ActorType, Caller, CiRun};

use super::Session;

/// The caller, by the environment's word.
pub(super) fn of(session: &Session) -> Caller {
    let set = |name: &str| session.variable(name);
    if set("GITHUB_ACTIONS").as_deref() == Some("true") {
        let run_id = set("GITHUB_RUN_ID").unwrap_or_default();
        let run_at = |(server, repository)| format!("{server}/{repository}/actions/runs/{run_id}");
        let known = set("GITHUB_SERVER_URL").zip(set("GITHUB_REPOSITORY")).filter(|_| !run_id.is_empty());
        let url = known.map(run_at);
        return workload("github", run_id, set("GITHUB_RUN_ATTEMPT"), url);
    }
    if set("GITLAB_CI").is_some() {
        return workload("gitlab", set("CI_PIPELINE_ID").unwrap_or_default(), None, set("CI_PIPELINE_URL"));
    }
    Caller::unknown()
}

/// A claim of the environment names the run, never an identity: the actor stays `unknown`.
fn workload(provider: &str, run_id: String, attempt: Option<String>, url: Option<String>) -> Caller {
    let actor =
        Actor { id: "unknown".to_owned(), issuer: None, r#type: ActorType::Workload, verified: false };
    // No run has as many attempts as a number that not every JSON reader takes exactly.
    let attempt = attempt.and_then(|attempt| attempt.parse::<u32>().ok()).map_or(1, u64::from);
    let ci = CiRun { provider: provider.to_owned(), run_id, attempt, url };
    Caller { actor, ci: Some(ci), trace: None }
}
