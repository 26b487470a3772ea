//! Provenance rules: where a builder's predicate names repository, commit, ref, actor and runner.
//!
//! In: the rule documents beside this file, and a predicate. Out: [`Origin`]. A rule is data: a
//! predicate version, build types, and JSON pointers (<https://www.rfc-editor.org/rfc/rfc6901>).
//! The first rule that fits is used. A value may stand in several places; those that are there
//! must agree, and one that is absent, empty or not a text names nothing.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::evidence::predicate::provenance::Provenance;
use crate::evidence::predicate::source::Alias;
use crate::release::bare_repository;
use crate::trust::Pattern;
use crate::verify::set_aside::{Quoted, Why};
use crate::yaml::{DocumentError, Source};

/// The shipped rules, most special first.
const DOCUMENTS: [(&str, &str); 4] = [
    ("laforge.yaml", include_str!("laforge.yaml")),
    ("github-actions.yaml", include_str!("github-actions.yaml")),
    ("slsa-github-generator.yaml", include_str!("slsa-github-generator.yaml")),
    ("generic.yaml", include_str!("generic.yaml")),
];

#[expect(clippy::expect_used, reason = "the documents are part of the program, and a test reads them")]
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| read_all().expect("shipped rules are sound"));

fn read_all() -> Result<Vec<Rule>, DocumentError> {
    let mut rules = Vec::new();
    for (file, text) in DOCUMENTS {
        rules.extend(Source::new(file, text).read::<Document>()?.rules);
    }
    Ok(rules)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Rule>,
}

/// Where one builder writes what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    predicate_type: String,
    /// Exact, or `pattern:`.
    build_types: Vec<String>,
    /// Places of `git+REPOSITORY@REF`; a text without `git+` names nothing.
    #[serde(default)]
    git_uris: Vec<String>,
    /// Places of a repository's URI, `git+` and `@REF` allowed.
    #[serde(default)]
    repositories: Vec<String>,
    #[serde(default)]
    refs: Vec<String>,
    #[serde(default)]
    commits: Vec<String>,
    #[serde(default)]
    actors: Vec<Actor>,
    #[serde(default)]
    hosted: Vec<Hosted>,
}

/// Where a builder names who started it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actor {
    at: String,
    /// Of which aliases the name is; without it the text is `scheme:name` itself.
    scheme: Option<String>,
}

/// Where a builder names its runner, and which values say what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Hosted {
    at: String,
    hosted: Vec<Value>,
    self_hosted: Vec<Value>,
}

/// What a predicate says of where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Origin {
    /// Without `git+`, ref, `.git` and a last `/`.
    pub(super) repository: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) r#ref: Option<String>,
    pub(super) hosted: Option<bool>,
    /// Who started the build.
    pub(super) actors: Vec<Alias>,
}

/// Reads a predicate by the first rule that fits. Without one nothing is named.
pub(super) fn origin(provenance: &Provenance<'_>) -> Result<Origin, Why> {
    match RULES.iter().find(|rule| rule.fits(provenance)) {
        Some(rule) => rule.read(provenance.predicate),
        None => Ok(Origin::default()),
    }
}

impl Rule {
    fn fits(&self, provenance: &Provenance<'_>) -> bool {
        self.predicate_type == provenance.predicate_type
            && self.build_types.iter().any(|it| Pattern::parse(it).matches(&provenance.build_type))
    }

    fn read(&self, predicate: &Value) -> Result<Origin, Why> {
        let texts = |places: &[String]| -> Vec<&str> {
            places.iter().filter_map(|at| text_at(predicate, at)).collect()
        };
        let uris: Vec<(String, Option<String>)> = texts(&self.git_uris)
            .into_iter()
            .filter(|text| text.starts_with("git+"))
            .chain(texts(&self.repositories))
            .map(split_uri)
            .collect();
        let refs = texts(&self.refs).into_iter().map(str::to_owned);
        let commits = texts(&self.commits).into_iter().map(str::to_owned);
        let mut actors = Vec::new();
        for actor in &self.actors {
            actors.extend(actor.read(predicate));
        }
        Ok(Origin {
            repository: agreed("repository", uris.iter().map(|(repository, _)| repository.clone()))?,
            r#ref: agreed("ref", uris.into_iter().filter_map(|(_, r#ref)| r#ref).chain(refs))?,
            commit: agreed("commit", commits)?,
            hosted: self.hosted.iter().find_map(|hosted| hosted.read(predicate)),
            actors,
        })
    }
}

impl Actor {
    fn read(&self, predicate: &Value) -> Option<Alias> {
        let name = text_at(predicate, &self.at)?.to_owned();
        match &self.scheme {
            Some(scheme) => Some(Alias { scheme: scheme.clone(), name }),
            None => Alias::try_from(name).ok(),
        }
    }
}

impl Hosted {
    fn read(&self, predicate: &Value) -> Option<bool> {
        let value = predicate.pointer(&self.at)?;
        match (self.hosted.contains(value), self.self_hosted.contains(value)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

fn text_at<'a>(predicate: &'a Value, pointer: &str) -> Option<&'a str> {
    predicate.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The one value that all places name.
fn agreed(member: &'static str, values: impl Iterator<Item = String>) -> Result<Option<String>, Why> {
    let mut agreed: Option<String> = None;
    for value in values {
        match &agreed {
            Some(one) if *one != value => {
                let (one, other) = (Quoted::new(one), Quoted::new(&value));
                return Err(Why::Contradiction { member, one, other });
            }
            _ => agreed = Some(value),
        }
    }
    Ok(agreed)
}

/// `git+https://github.com/acme/payments.git@refs/tags/v1` as repository and ref.
///
/// The ref begins at the first `@` of the path, since an authority may hold one
/// (`ssh://git@host/…`) and a ref may hold more. Nothing else is made equal: scheme, host and path
/// are compared as they are written, case included.
fn split_uri(uri: &str) -> (String, Option<String>) {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    let path = uri.find("://").and_then(|scheme| {
        let authority = scheme + "://".len();
        Some(authority + uri.get(authority..)?.find('/')?)
    });
    let split = path.and_then(|path| Some(path + uri.get(path..)?.find('@')?));
    match split.and_then(|at| uri.split_at_checked(at)) {
        Some((repository, r#ref)) => {
            let r#ref = r#ref.strip_prefix('@').unwrap_or(r#ref);
            (repository_of(repository), (!r#ref.is_empty()).then(|| r#ref.to_owned()))
        }
        None => (repository_of(uri), None),
    }
}

/// A repository's URI as facts name it.
pub(super) fn repository_of(uri: &str) -> String {
    bare_repository(uri).to_owned()
}

#[cfg(test)]
mod tests;
