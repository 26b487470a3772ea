//! Provenance rules: where a builder's predicate names repository, commit, ref, workflow, trigger,
//! run, actor and runner.
//!
//! In: the rule documents beside this file, and a predicate. Out: [`Origin`]. A rule is data: a
//! predicate version, build types, and JSON pointers (<https://www.rfc-editor.org/rfc/rfc6901>).
//! The first rule that fits is used. A value may stand in several places; those that are there
//! must agree, and one that is absent, empty or not a text names nothing.

mod uri;

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use crate::evidence::predicate::provenance::Provenance;
use crate::evidence::predicate::source::Alias;
use crate::trust::Pattern;
use crate::verify::set_aside::{Quoted, Why};
use crate::yaml::{DocumentError, Source};
pub(super) use uri::{repository_of, without_dots};
use uri::{split_fragment, split_uri};

/// The shipped rules, most special first. Each is read when no rule before it fits.
static SHIPPED: [Shipped; 12] = [
    Shipped::new("laforge.yaml", include_str!("laforge.yaml")),
    Shipped::new("github-actions.yaml", include_str!("github-actions.yaml")),
    Shipped::new("slsa-github-generator.yaml", include_str!("slsa-github-generator.yaml")),
    Shipped::new("npm.yaml", include_str!("npm.yaml")),
    Shipped::new("gitlab.yaml", include_str!("gitlab.yaml")),
    Shipped::new("google-cloud-build.yaml", include_str!("google-cloud-build.yaml")),
    Shipped::new("buildkit.yaml", include_str!("buildkit.yaml")),
    Shipped::new("tekton-chains.yaml", include_str!("tekton-chains.yaml")),
    Shipped::new("witness.yaml", include_str!("witness.yaml")),
    Shipped::new("jenkins.yaml", include_str!("jenkins.yaml")),
    Shipped::new("red-hat-pipelines.yaml", include_str!("red-hat-pipelines.yaml")),
    Shipped::new("generic.yaml", include_str!("generic.yaml")),
];

/// One document of rules.
struct Shipped {
    file: &'static str,
    text: &'static str,
    rules: OnceLock<Vec<Rule>>,
}

impl Shipped {
    const fn new(file: &'static str, text: &'static str) -> Self {
        Self { file, text, rules: OnceLock::new() }
    }

    #[expect(clippy::expect_used, reason = "the documents are part of the program, and a test reads them")]
    fn rules(&self) -> &[Rule] {
        self.rules.get_or_init(|| self.read().expect("shipped rules are sound"))
    }

    fn read(&self) -> Result<Vec<Rule>, DocumentError> {
        Ok(Source::new(self.file, self.text).read::<Document>()?.rules)
    }
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
    /// Places of entries with a `uri` of `git+REPOSITORY@REF`, whose `digest` names the commit; one without
    /// `git+` names nothing, its digest no commit.
    #[serde(default)]
    sources: Vec<String>,
    /// Places of `REPOSITORY#REF`, `git+` allowed.
    #[serde(default)]
    fragment_uris: Vec<String>,
    /// Places of a repository's URI, `git+` and `@REF` allowed.
    #[serde(default)]
    repositories: Vec<Place>,
    #[serde(default)]
    refs: Vec<Place>,
    #[serde(default)]
    commits: Vec<String>,
    /// Lists of dependencies of which the only git repository is the source.
    #[serde(default)]
    only_git: Vec<OnlyGit>,
    #[serde(default)]
    workflows: Vec<Workflow>,
    #[serde(default)]
    triggers: Vec<Place>,
    #[serde(default)]
    runs: Vec<Place>,
    #[serde(default)]
    actors: Vec<Actor>,
    #[serde(default)]
    hosted: Vec<Hosted>,
}

/// Where a text stands.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a JSON pointer, or `at` with `prefix` or `below`")]
enum Place {
    At(String),
    Prefixed(Prefixed),
    Below(Below),
}

/// Where a text stands that means more than it says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prefixed {
    at: String,
    /// What it leaves out, such as `refs/tags/` of a tag's name.
    prefix: String,
}

/// Where a path stands that is below a URL which stands elsewhere; one that is no URL names nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    at: String,
    below: String,
}

/// A list of dependencies of which the only git repository is the source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyGit {
    list: String,
    /// Only entries of this name are looked at.
    named: Option<String>,
}

/// Where a builder names its workflow: as one text, or as a path in the repository of a git URI or
/// of a place of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Workflow {
    at: Option<Place>,
    path: Option<String>,
    git_uri: Option<String>,
    repository: Option<String>,
    r#ref: Option<String>,
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
    /// `REPOSITORY/PATH@REF`, or as much of it as the builder names.
    pub(super) workflow: Option<String>,
    /// The event that started the build, in the builder's words.
    pub(super) trigger: Option<String>,
    /// The run of the build, in the builder's words.
    pub(super) run: Option<String>,
    /// Who started the build.
    pub(super) actors: Vec<Alias>,
}

/// Reads a predicate by the first rule that fits. Without one nothing is named.
pub(super) fn origin(provenance: &Provenance<'_>) -> Result<Origin, Why> {
    match SHIPPED.iter().flat_map(Shipped::rules).find(|rule| rule.fits(provenance)) {
        Some(rule) => rule.read(&provenance.predicate),
        None => Ok(Origin::default()),
    }
}

impl Rule {
    fn fits(&self, provenance: &Provenance<'_>) -> bool {
        self.predicate_type == provenance.predicate_type
            && self.build_types.iter().any(|it| Pattern::parse(it).matches(&provenance.build_type))
    }

    fn read(&self, predicate: &Value) -> Result<Origin, Why> {
        let mut source = self.source(predicate);
        source.commits.extend(texts(predicate, &self.commits).map(str::to_owned));
        source.refs.extend(said(predicate, &self.refs));
        let workflows = self.workflows.iter().filter_map(|workflow| workflow.read(predicate));
        Ok(Origin {
            repository: agreed("repository", source.repositories.into_iter())?,
            r#ref: agreed("ref", source.refs.into_iter())?,
            commit: agreed("commit", source.commits.into_iter())?,
            hosted: self.runner(predicate)?,
            workflow: agreed("workflow", workflows)?,
            trigger: agreed("trigger", said(predicate, &self.triggers))?,
            run: said(predicate, &self.runs).next(),
            actors: self.actors.iter().filter_map(|actor| actor.read(predicate)).collect(),
        })
    }

    /// Whether somebody else hosts the runner: all places that say so agree.
    fn runner(&self, predicate: &Value) -> Result<Option<bool>, Why> {
        let word = |hosted| if hosted { "hosted" } else { "self-hosted" }.to_owned();
        let said = self.hosted.iter().filter_map(|hosted| hosted.read(predicate));
        Ok(agreed("runner", said.map(word))?.map(|word| word == "hosted"))
    }

    /// Everything that URIs and dependencies say of the source.
    fn source(&self, predicate: &Value) -> Named {
        let mut named = Named::default();
        for entry in self.sources.iter().filter_map(|at| predicate.pointer(at)) {
            named.extend(git_entry(entry));
        }
        for uri in texts(predicate, &self.fragment_uris) {
            named.take(split_fragment(uri));
        }
        for uri in said(predicate, &self.repositories) {
            named.take(split_uri(&uri));
        }
        // Of one kind of entry among several that names two, another kind doesn't say which it was.
        let lists: Option<Vec<_>> = self.only_git.iter().map(|list| list.read(predicate)).collect();
        named.extend(lists.into_iter().flatten().flatten());
        named
    }
}

/// What a predicate says of the source, in all the places where it says it.
#[derive(Default)]
struct Named {
    repositories: Vec<String>,
    refs: Vec<String>,
    commits: Vec<String>,
}

impl Named {
    fn take(&mut self, (repository, r#ref): (String, Option<String>)) {
        self.repositories.push(repository);
        self.refs.extend(r#ref);
    }
}

impl<'a> Extend<GitEntry<'a>> for Named {
    fn extend<T: IntoIterator<Item = GitEntry<'a>>>(&mut self, entries: T) {
        for (uri, commits) in entries {
            self.take(split_uri(uri));
            self.commits.extend(commits.into_iter().flatten().map(str::to_owned));
        }
    }
}

impl Place {
    fn read(&self, predicate: &Value) -> Option<String> {
        match self {
            Self::At(at) => text_at(predicate, at).map(str::to_owned),
            Self::Prefixed(Prefixed { at, prefix }) => {
                text_at(predicate, at).map(|text| format!("{prefix}{text}"))
            }
            Self::Below(Below { at, below }) => {
                let url = text_at(predicate, below).filter(|url| url.contains("://"))?;
                text_at(predicate, at).map(|text| format!("{url}/{text}"))
            }
        }
    }
}

/// A git repository's URI, and what its entry calls the commit, in either way of naming one.
type GitEntry<'a> = (&'a str, [Option<&'a str>; 2]);

/// An entry that is a git repository.
fn git_entry(entry: &Value) -> Option<GitEntry<'_>> {
    let uri = text_at(entry, "/uri").filter(|uri| uri.starts_with("git+"))?;
    Some((uri, ["/digest/gitCommit", "/digest/sha1"].map(|at| text_at(entry, at))))
}

impl OnlyGit {
    /// The one git repository with what it calls its commit, if there is any; `None`: there are two
    /// of them, which are no source, since nobody says which.
    fn read<'a>(&self, predicate: &'a Value) -> Option<Option<GitEntry<'a>>> {
        let is_named = |entry: &&Value| {
            self.named.as_deref().is_none_or(|name| entry.get("name").and_then(Value::as_str) == Some(name))
        };
        let list = predicate.pointer(&self.list).and_then(Value::as_array);
        let mut found = list.into_iter().flatten().filter(is_named).filter_map(git_entry);
        let first = found.next();
        found.all(|other| Some(other) == first).then_some(first)
    }
}

impl Workflow {
    fn read(&self, predicate: &Value) -> Option<String> {
        if let Some(place) = &self.at {
            return place.read(predicate);
        }
        let at = |pointer: &Option<String>| pointer.as_deref().and_then(|at| text_at(predicate, at));
        let path = at(&self.path)?;
        let (repository, mut r#ref) = match at(&self.git_uri) {
            Some(uri) => split_uri(uri),
            None => (repository_of(at(&self.repository)?), None),
        };
        r#ref = at(&self.r#ref).map(str::to_owned).or(r#ref);
        let workflow = format!("{repository}/{path}");
        Some(r#ref.map_or(workflow.clone(), |r#ref| format!("{workflow}@{}", r#ref)))
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

fn texts<'a>(predicate: &'a Value, places: &'a [String]) -> impl Iterator<Item = &'a str> {
    places.iter().filter_map(|at| text_at(predicate, at))
}

fn said<'a>(predicate: &'a Value, places: &'a [Place]) -> impl Iterator<Item = String> + 'a {
    places.iter().filter_map(|place| place.read(predicate))
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

#[cfg(test)]
mod tests;
