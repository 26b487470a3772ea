//! npm's publish attestation: the registry's word that it took in a package.
//!
//! Spec: <https://github.com/npm/attestation/blob/main/specs/publish/v0.1/README.md>. In: an
//! authenticated statement. Out: [`Publish`]. The registry signs with a managed key
//! (`keys.json`, a signer with `use: attestation`), and its subject is a package URL with the
//! tarball's SHA-512. To the gate it is an attestation of which only the type counts; that it says what
//! the corpus has it say is judged here.

use laforge::evidence::statement::Statement;
use serde::Deserialize;
use serde_json::json;

/// `https://github.com/npm/attestation/tree/main/specs/publish/v0.1`.
pub(super) const TYPE: &str = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1";

/// A package as the registry took it in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Publish {
    /// Its name, scope included.
    name: String,
    /// Its version.
    version: String,
}

impl Publish {
    /// Reads a publish statement, whose one subject must be the package that the predicate names.
    pub(super) fn read(statement: &Statement) -> Result<Self, String> {
        let publish = Self::deserialize(&statement.predicate).map_err(|error| error.to_string())?;
        let [subject] = statement.subject.as_slice() else {
            return Err(format!("wanted one subject, got {}", statement.subject.len()));
        };
        let (wanted, got) = (publish.package_url(), subject.name.as_deref().unwrap_or_default());
        if got != wanted {
            return Err(format!("wanted the subject `{wanted}`, got `{got}`"));
        }
        Ok(publish)
    }

    /// The package's URL (<https://github.com/package-url/purl-spec>), as npm writes it.
    fn package_url(&self) -> String {
        format!("pkg:npm/{}@{}", self.name.replace('@', "%40"), self.version)
    }
}

fn statement(subjects: &[&str]) -> Statement {
    let subject = subjects.iter().map(|name| json!({"name": name, "digest": {"sha512": "ab".repeat(64)}}));
    let value = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": TYPE,
        "subject": subject.collect::<Vec<_>>(),
        "predicate": {"name": "@acme/payments", "version": "2.4.0", "registry": "https://registry.example"},
    });
    Statement::read(value.to_string().as_bytes()).unwrap()
}

#[test]
fn is_of_the_package_that_its_subject_names() {
    let publish = Publish::read(&statement(&["pkg:npm/%40acme/payments@2.4.0"])).unwrap();
    assert_eq!((publish.name.as_str(), publish.version.as_str()), ("@acme/payments", "2.4.0"));
}

#[test]
fn refuses_a_subject_of_another_name_or_more_than_one() {
    let ours = "pkg:npm/%40acme/payments@2.4.0";
    for subjects in [&["pkg:npm/%40acme/payments@2.4.1"][..], &["pkg:npm/payments@2.4.0"], &[ours, ours]] {
        assert!(Publish::read(&statement(subjects)).is_err(), "{subjects:?}");
    }
}
