//! Witness's attestation collections: what several attestors saw of one step, in one predicate.
//!
//! Spec: <https://github.com/in-toto/witness/blob/main/docs/concepts/collection.md>, and the attestors of
//! <https://github.com/in-toto/go-witness/tree/main/attestation>. In: the predicate of an authenticated
//! statement. Out: [`Collection`]: the same with its attestors by their type, so that a rule can point at
//! one wherever it stands in the list. A collection names no builder: it is the one that Witness's own
//! `slsa` attestor names where this CI's attestor ran. Not checked: what an attestor says; whoever signed
//! the collection ran it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PredicateError, read};

/// `https://witness.testifysec.com/attestation-collection/v0.1`.
pub(super) const TYPE: &str = "https://witness.testifysec.com/attestation-collection/v0.1";

/// What a build is of that no attestor of a CI saw.
const ANYWHERE: &str = "https://witness.dev/witness-default-builder@v0.1";

/// The command that was run.
const COMMAND: &str = "https://witness.dev/attestations/command-run/v0.1";

/// Attestors of a CI, and the builder that each stands for.
const CIS: [(&str, &str); 3] = [
    (
        "https://witness.dev/attestations/github/v0.1",
        "https://witness.dev/witness-github-action-builder@v0.1",
    ),
    (
        "https://witness.dev/attestations/gitlab/v0.1",
        "https://witness.dev/witness-gitlab-component-builder@v0.1",
    ),
    (
        "https://witness.dev/attestations/jenkins/v0.1",
        "https://witness.dev/witness-jenkins-component-builder@v0.1",
    ),
];

/// One step, as Witness saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collection {
    /// Who built.
    pub(super) builder: &'static str,
    /// The type of the CI's attestor, or of the collection where there is none.
    pub(super) build_type: &'static str,
    /// When the command ended.
    pub(super) finished_on: Option<String>,
    /// `name`, `parameters` (`step` and `command`), and `attestations` by type.
    pub(super) predicate: Value,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Shape {
    name: String,
    attestations: Vec<Attestor>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Attestor {
    r#type: String,
    attestation: Value,
    endtime: Option<String>,
}

impl Collection {
    /// Reads a collection.
    ///
    /// # Errors
    /// [`PredicateError`] also where two attestors are of one type, or of two CIs: nobody says which of
    /// them is meant.
    pub(super) fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let malformed = |problem: String| PredicateError::Malformed { predicate_type: TYPE, problem };
        let Shape { name, attestations } = read(TYPE, predicate)?;
        let mut by_type = Map::new();
        let mut finished_on = None;
        for Attestor { r#type, attestation, endtime } in attestations {
            if r#type == COMMAND {
                finished_on = endtime;
            }
            if by_type.insert(r#type.clone(), attestation).is_some() {
                return Err(malformed(format!("two attestors of type `{type}`")));
            }
        }
        let mut cis = CIS.iter().filter(|(attestor, _)| by_type.contains_key(*attestor));
        let (build_type, builder) = cis.next().copied().unwrap_or((TYPE, ANYWHERE));
        if cis.next().is_some() {
            return Err(malformed("attestors of two CIs".to_owned()));
        }
        let command = by_type.get(COMMAND).and_then(|command| command.get("cmd")).cloned();
        let parameters = json!({"step": name, "command": command});
        let predicate = json!({"name": name, "parameters": parameters, "attestations": by_type});
        Ok(Self { builder, build_type, finished_on, predicate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attestor(name: &str, attestation: Value) -> Value {
        json!({
            "type": format!("https://witness.dev/attestations/{name}/v0.1"), "attestation": attestation,
            "starttime": "2026-11-24T11:59:00Z", "endtime": "2026-11-24T12:00:00.5+01:00",
        })
    }

    fn read_all(attestations: Vec<Value>) -> Result<Collection, PredicateError> {
        Collection::read(&json!({"name": "build", "attestations": attestations}))
    }

    #[test]
    fn names_the_builder_of_the_ci_whose_attestor_ran() {
        let command = || attestor("command-run", json!({"cmd": ["make", "all"], "exitcode": 0}));
        let read = read_all(vec![command(), attestor("jenkins", json!({"jobname": "payments"}))]).unwrap();
        assert_eq!(read.builder, "https://witness.dev/witness-jenkins-component-builder@v0.1");
        assert_eq!(read.build_type, "https://witness.dev/attestations/jenkins/v0.1");
        assert_eq!(read.finished_on.as_deref(), Some("2026-11-24T12:00:00.5+01:00"));
        assert_eq!(read.predicate["parameters"], json!({"step": "build", "command": ["make", "all"]}));
        let anywhere = read_all(vec![command()]).unwrap();
        assert_eq!((anywhere.builder, anywhere.build_type), (ANYWHERE, TYPE));
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways_and_what_is_no_collection() {
        let git = || attestor("git", json!({"commithash": "ab"}));
        assert!(read_all(vec![git(), git()]).is_err());
        assert!(read_all(vec![attestor("github", json!({})), attestor("gitlab", json!({}))]).is_err());
        for wrong in [json!({}), json!({"name": "x"}), json!({"name": 1, "attestations": []}), json!([])] {
            assert!(Collection::read(&wrong).is_err(), "{wrong}");
        }
    }
}
