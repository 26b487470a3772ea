//! What a certificate claims about the workload that signed, against what a predicate says.
//!
//! Spec: <https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>. In: an [`Origin`] and who
//! signed. Out: the origin with the certificate's word wherever it has one, or the contradiction.
//! The certificate's Build Config is the workflow that was started, its Build Signer the one that
//! signed, a reusable one among them: the first is compared with the predicate's workflow, the
//! second with its builder (`level` in the room above).

use super::rule::{Origin, repository_of};
use crate::evidence::attestation::SignedBy;
use crate::verify::set_aside::{Quoted, Why};

/// Words of the runner environment, and whether somebody else hosts it.
const RUNNERS: [(&str, bool); 3] = [("github-hosted", true), ("gitlab-hosted", true), ("self-hosted", false)];

/// The predicate's origin with what the certificate claims: they agree, or nothing counts.
pub(super) fn reconciled(origin: Origin, by: &SignedBy) -> Result<Origin, Why> {
    let SignedBy::Certificate { claims, .. } = by else { return Ok(origin) };
    let claim = |name: &str| claims.get(name).filter(|it| !it.is_empty()).cloned();
    let repository = claim("sourceRepositoryUri").map(|uri| repository_of(&uri));
    let hosted = match claim("runnerEnvironment") {
        Some(runner) => agree_on_runner(origin.hosted, &runner)?,
        None => origin.hosted,
    };
    let trigger = claim("buildTrigger").or_else(|| claim("githubWorkflowTrigger"));
    Ok(Origin {
        repository: agree("repository", repository, origin.repository)?,
        commit: agree("commit", claim("sourceRepositoryDigest"), origin.commit)?,
        r#ref: agree("ref", claim("sourceRepositoryRef"), origin.r#ref)?,
        workflow: agree_on_uri("workflow", claim("buildConfigUri"), origin.workflow)?,
        trigger: agree("trigger", trigger, origin.trigger)?,
        run: agree_on_uri("run", claim("runInvocationUri"), origin.run)?,
        hosted,
        actors: origin.actors,
    })
}

fn agree(
    member: &'static str,
    certificate: Option<String>,
    predicate: Option<String>,
) -> Result<Option<String>, Why> {
    match (certificate, predicate) {
        (Some(certificate), Some(predicate)) if certificate != predicate => {
            let (certificate, predicate) = (Quoted::new(&certificate), Quoted::new(&predicate));
            Err(Why::ClaimsMismatch { member, certificate, predicate })
        }
        (certificate, predicate) => Ok(certificate.or(predicate)),
    }
}

/// A predicate may name a path or a number where the certificate names a URI: then there is nothing
/// to compare, and the certificate stands.
fn agree_on_uri(
    member: &'static str,
    certificate: Option<String>,
    predicate: Option<String>,
) -> Result<Option<String>, Why> {
    let comparable = predicate.filter(|text| certificate.is_none() || text.contains("://"));
    agree(member, certificate, comparable)
}

/// What a runner environment says. Another word than those known says nothing, and then the
/// predicate's is not believed either.
fn agree_on_runner(predicate: Option<bool>, runner: &str) -> Result<Option<bool>, Why> {
    let certificate = RUNNERS.iter().find(|(word, _)| *word == runner).map(|(_, hosted)| *hosted);
    match (certificate, predicate) {
        (Some(certificate), Some(predicate)) if certificate != predicate => Err(Why::ClaimsMismatch {
            member: "runner",
            certificate: Quoted::new(runner),
            predicate: Quoted::new(if predicate { "hosted" } else { "self-hosted" }),
        }),
        _ => Ok(certificate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "https://github.com/acme/payments/actions/runs/7/attempts/1";

    fn certificate(claims: &[(&'static str, &str)]) -> SignedBy {
        SignedBy::Certificate {
            root: "public-good".to_owned(),
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            subject: "x".to_owned(),
            claims: claims.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            lasting_since: None,
        }
    }

    fn with(origin: Origin, claims: &[(&'static str, &str)]) -> Result<Origin, &'static str> {
        reconciled(origin, &certificate(claims)).map_err(|why| match why {
            Why::ClaimsMismatch { member, .. } => member,
            _ => "something else",
        })
    }

    fn origin(workflow: &str, run: &str) -> Origin {
        Origin { workflow: Some(workflow.to_owned()), run: Some(run.to_owned()), ..Origin::default() }
    }

    #[test]
    fn a_called_workflow_is_not_the_one_that_was_started() {
        let caller = "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1";
        let called = "https://github.com/acme/build/.github/workflows/build.yml@refs/tags/v3";
        let claims = [("buildConfigUri", caller), ("buildSignerUri", called)];
        let agreed = with(origin(caller, "7"), &claims).unwrap();
        assert_eq!((agreed.workflow.as_deref(), agreed.run.as_deref()), (Some(caller), Some("7")));
        assert_eq!(with(origin(called, "7"), &claims), Err("workflow"));
    }

    #[test]
    fn the_certificate_stands_where_the_predicate_names_a_path_or_a_number() {
        let workflow = "https://gitlab.com/acme/payments//.gitlab-ci.yml@refs/heads/main";
        let claims = [("buildConfigUri", workflow), ("runInvocationUri", RUN)];
        let agreed = with(origin(".gitlab-ci.yml", "7-1"), &claims).unwrap();
        assert_eq!((agreed.workflow.as_deref(), agreed.run.as_deref()), (Some(workflow), Some(RUN)));
    }

    #[test]
    fn another_run_or_another_trigger_is_a_contradiction() {
        let other = RUN.replace("runs/7", "runs/8");
        assert_eq!(with(origin("x", &other), &[("runInvocationUri", RUN)]), Err("run"));
        let pushed = || Origin { trigger: Some("push".to_owned()), ..Origin::default() };
        assert_eq!(with(pushed(), &[("buildTrigger", "pull_request")]), Err("trigger"));
        assert_eq!(with(pushed(), &[("githubWorkflowTrigger", "pull_request")]), Err("trigger"));
        assert_eq!(with(pushed(), &[("buildTrigger", "")]).unwrap(), pushed());
    }
}
