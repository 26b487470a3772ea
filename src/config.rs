//! `laforge.yaml`: the defaults of a configured repository (`cli.md`, "Shape").
//!
//! In: its text and the folder that it stands in. Out: [`Config`], every path resolved against that
//! folder, or a [`DocumentError`] with the place. What no issue has built yet is refused by name:
//! nothing is parsed and ignored. Not checked here: whether the paths exist.

mod key_source;
mod release_member;
pub mod service;

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::key::{is_origin, not_an_origin};
use crate::plan::request::{RolloutFlags, RolloutSection};
use crate::plan::{RolloutError, RolloutRequest, exact};
use crate::release::Release;
use crate::release::digest::ClaimedDigest;
use crate::rollout::executor::runtime::RuntimeSection;
use crate::rollout::executor::{Executor, ExecutorSection};
use crate::rollout::render::RenderSection;
use crate::yaml::{self, DocumentError, Place, Source, Spanned};

pub use key_source::{KeySource, KeySourceError};
use release_member::ReleaseMember;
use service::{Service, ServiceSection};

/// The file that is looked for in the folder where the program runs.
pub const FILE: &str = "laforge.yaml";

const API_VERSION: &str = "laforge.dev/v1";
const KIND: &str = "Config";

/// What a repository configures.
pub struct Config {
    /// The release.
    pub release: Option<ConfiguredRelease>,
    /// Rendered manifests: a file or a folder.
    pub manifests: Option<ConfiguredPath>,
    /// Files and folders of evidence.
    pub evidence: Vec<ConfiguredPath>,
    /// The trust document.
    pub trust: Option<ConfiguredPath>,
    /// Policy sets.
    pub policies: Vec<ConfiguredPolicy>,
    /// The audit log.
    pub audit: Option<ConfiguredLog>,
    /// What runs rollouts on this machine.
    pub executor: Option<Executor>,
    /// What rendered manifests need and no plan names.
    pub render: Option<RenderSection>,
    /// What the service needs that engines ask.
    pub runtime: Option<RuntimeSection>,
    /// Who may ask the services for what.
    pub service: Option<Service>,
    rollout: Option<RolloutSection>,
    source: Source,
}

/// A path and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredPath {
    /// The path, resolved against the document's folder.
    pub path: PathBuf,
    /// Where it was written.
    pub place: Place,
}

/// The release: a document of its own, or what manifests and images alone don't say.
#[derive(Debug, Clone)]
pub enum ConfiguredRelease {
    /// The document's file.
    Document(ConfiguredPath),
    /// Name, version, environment and source; no artifact yet.
    Inline(Box<Release>),
}

/// A policy set's folder and its pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredPolicy {
    /// The set's folder or file.
    pub path: ConfiguredPath,
    /// The digest that the set must have.
    pub digest: Option<ClaimedDigest>,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredLog {
    /// Its folder.
    pub log: ConfiguredPath,
    /// Its origin, when one is to be created.
    pub origin: Option<String>,
    /// Where its key comes from.
    pub key: Option<KeySource>,
    /// How many bytes must be free before anything is written.
    pub min_free: Option<u64>,
    /// Kinds of file system that are taken although they can't keep the log's promises.
    pub filesystems: Vec<String>,
}

/// The defaults of a repository: release, evidence, trust, policies, log and rollout.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a configuration document")]
#[schemars(rename = "Config")]
struct Document {
    /// The format's version.
    #[schemars(with = "String", extend("const" = API_VERSION))]
    api_version: Spanned<String>,
    /// The document's kind.
    #[schemars(with = "String", extend("const" = KIND))]
    kind: Spanned<String>,
    /// The release's file; or, where manifests or images are all that it delivers, the rest of it.
    release: Option<ReleaseMember>,
    /// Rendered Kubernetes manifests: a file or a folder.
    #[schemars(with = "Option<String>")]
    manifests: Option<Spanned<String>>,
    /// Files and folders of evidence.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    evidence: Vec<Spanned<String>>,
    /// The trust document's file.
    #[schemars(with = "Option<String>")]
    trust: Option<Spanned<String>>,
    /// Policy sets; a release is held to all of them.
    #[serde(default)]
    policies: Vec<PolicyEntry>,
    /// The audit log.
    audit: Option<AuditSection>,
    /// How to roll out.
    rollout: Option<RolloutSection>,
    /// What runs rollouts on this machine.
    executor: Option<ExecutorSection>,
    /// What rendered manifests need and no plan names.
    render: Option<RenderSection>,
    /// What the service needs that engines ask for verdicts.
    runtime: Option<RuntimeSection>,
    /// Who may ask the services for what, and over which connection.
    service: Option<ServiceSection>,
}

/// One policy set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `path` and perhaps `digest`")]
struct PolicyEntry {
    /// The set's folder or file.
    #[schemars(with = "String")]
    path: Spanned<String>,
    /// The digest that the set must have.
    digest: Option<ClaimedDigest>,
}

/// The audit log.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping with `log`")]
struct AuditSection {
    /// Its folder.
    #[schemars(with = "String")]
    log: Spanned<String>,
    /// Its origin: a URL without scheme, of a domain that you own, and the environment.
    #[schemars(with = "Option<String>")]
    origin: Option<Spanned<String>>,
    /// Its key: `env:NAME` or `file:PATH`.
    #[schemars(with = "Option<String>", extend("pattern" = "^(env|file):."))]
    key: Option<Spanned<String>>,
    /// How much must be free before anything is written: bytes, or with KiB, MiB or GiB.
    #[schemars(with = "Option<Size>")]
    min_free: Option<Spanned<String>>,
    /// Kinds of file system that are taken although they can't keep the log's promises.
    #[serde(default)]
    filesystems: Vec<String>,
    #[schemars(skip)]
    anchor: Option<Spanned<IgnoredAny>>,
    #[schemars(skip)]
    primary: Option<Spanned<IgnoredAny>>,
    #[schemars(skip)]
    mirror: Option<Spanned<IgnoredAny>>,
}

/// Bytes, or a text with a unit.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "describes a scalar in the schema; a reading takes its text")]
enum Size {
    Bytes(u64),
    Text(String),
}

/// The JSON Schema of `laforge.yaml`.
pub fn schema() -> schemars::Schema {
    yaml::schema_of::<Document>()
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config").field("file", &self.source.file()).finish_non_exhaustive()
    }
}

impl Config {
    /// Whether it sets up a gate: then a run without a release has verified nothing, and must not end well.
    pub fn is_a_gates(&self) -> bool {
        self.trust.is_some() || self.audit.is_some() || !self.policies.is_empty()
    }

    /// Whether nothing is configured at all.
    pub fn is_empty(&self) -> bool {
        let Self {
            release,
            manifests,
            evidence,
            trust,
            policies,
            audit,
            executor,
            render,
            runtime,
            service,
            rollout,
            source: _,
        } = self;
        let lists = evidence.is_empty() && policies.is_empty();
        let gate = release.is_none() && manifests.is_none() && trust.is_none() && audit.is_none();
        let rollouts = executor.is_none() && render.is_none() && runtime.is_none() && rollout.is_none();
        lists && gate && rollouts && service.is_none()
    }

    /// Reads the document; its paths are relative to `folder`.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable, or not built yet.
    pub fn read(source: &Source, folder: &Path) -> Result<Self, DocumentError> {
        let document: Document = source.read()?;
        let reader = Reader { source, folder };
        reader.check_kind(&document)?;
        reader.refuse_unbuilt(&document)?;
        let target = document.rollout.as_ref().and_then(|rollout| rollout.target.as_ref());
        let target = target.map(|target| target.value.as_str());
        let executor = reader.executor(document.executor.as_ref(), target)?;
        let runtime = document.runtime.map(|section| section.resolved(folder, executor.as_ref(), target));
        let policies = document
            .policies
            .iter()
            .map(|entry| ConfiguredPolicy { path: reader.path(&entry.path), digest: entry.digest.clone() });
        Ok(Self {
            release: document.release.map(|release| reader.release(release)).transpose()?,
            manifests: document.manifests.as_ref().map(|path| reader.path(path)),
            evidence: document.evidence.iter().map(|path| reader.path(path)).collect(),
            trust: document.trust.as_ref().map(|path| reader.path(path)),
            policies: policies.collect(),
            audit: document.audit.as_ref().map(|section| reader.log(section)).transpose()?,
            executor,
            render: document.render,
            runtime,
            service: document.service.map(|section| section.read(source, folder)).transpose()?,
            rollout: document.rollout,
            source: source.clone(),
        })
    }

    /// The rollout that is asked for: flags over this document over the defaults.
    ///
    /// # Errors
    /// [`RolloutError`] with the flag or the place.
    pub fn rollout(&self, flags: &RolloutFlags) -> Result<RolloutRequest, RolloutError> {
        RolloutRequest::of(self.rollout.as_ref().map(|section| (section, &self.source)), flags)
    }
}

/// Reads members against the document and its folder.
struct Reader<'a> {
    source: &'a Source,
    folder: &'a Path,
}

impl Reader<'_> {
    fn check_kind(&self, document: &Document) -> Result<(), DocumentError> {
        for (member, expected) in [(&document.api_version, API_VERSION), (&document.kind, KIND)] {
            if member.value != expected {
                let message = format!("`{}` is not `{expected}`", member.value);
                return Err(self.source.error_at(member, message));
            }
        }
        Ok(())
    }

    fn refuse_unbuilt(&self, document: &Document) -> Result<(), DocumentError> {
        let audit = |member: fn(&AuditSection) -> &Option<Spanned<IgnoredAny>>| {
            document.audit.as_ref().and_then(|section| member(section).as_ref())
        };
        let unbuilt = [
            ("audit.anchor", audit(|section| &section.anchor)),
            ("audit.primary", audit(|section| &section.primary)),
            ("audit.mirror", audit(|section| &section.mirror)),
        ];
        match unbuilt.into_iter().find_map(|(name, member)| Some((name, member?))) {
            Some((name, member)) => Err(self.source.error_at(member, format!("`{name}` is not built yet"))),
            None => Ok(()),
        }
    }

    fn release(&self, member: ReleaseMember) -> Result<ConfiguredRelease, DocumentError> {
        Ok(match member {
            ReleaseMember::Path(path) => ConfiguredRelease::Document(self.path(&path)),
            ReleaseMember::Inline(inline) => ConfiguredRelease::Inline(Box::new(inline.read(self.source)?)),
        })
    }

    fn path(&self, member: &Spanned<String>) -> ConfiguredPath {
        ConfiguredPath { path: self.folder.join(&member.value), place: self.source.place(member) }
    }

    fn executor(
        &self,
        section: Option<&ExecutorSection>,
        target: Option<&str>,
    ) -> Result<Option<Executor>, DocumentError> {
        section.map(|section| Executor::read(section, target, self.source, self.folder)).transpose()
    }

    fn log(&self, section: &AuditSection) -> Result<ConfiguredLog, DocumentError> {
        Ok(ConfiguredLog {
            log: self.path(&section.log),
            origin: section.origin.as_ref().map(|origin| self.origin(origin)).transpose()?,
            key: section.key.as_ref().map(|key| self.key(key)).transpose()?,
            min_free: section.min_free.as_ref().map(|size| self.size(size)).transpose()?,
            filesystems: section.filesystems.clone(),
        })
    }

    /// An origin is a key name of a signed note (<https://c2sp.org/signed-note>).
    fn origin(&self, member: &Spanned<String>) -> Result<String, DocumentError> {
        let origin = &member.value;
        match is_origin(origin) {
            true => Ok(origin.clone()),
            false => Err(self.source.error_at(member, not_an_origin(origin))),
        }
    }

    fn key(&self, member: &Spanned<String>) -> Result<KeySource, DocumentError> {
        KeySource::parse(&member.value, self.folder)
            .map_err(|error| self.source.error_at(member, error.to_string()))
    }

    fn size(&self, member: &Spanned<String>) -> Result<u64, DocumentError> {
        size(&member.value).ok_or_else(|| {
            let message = format!("`{}` is not a number of bytes such as 1048576 or 512MiB", member.value);
            self.source.error_at(member, message)
        })
    }
}

fn size(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let with_unit = units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (number, shift) = with_unit.unwrap_or((text, 0));
    exact::whole(number)?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: laforge.dev/v1\nkind: Config\n";

    fn read(body: &str) -> Result<Config, DocumentError> {
        Config::read(&Source::new(FILE, &format!("{HEAD}{body}")), Path::new("/repo"))
    }

    fn refused(body: &str) -> String {
        read(body).unwrap_err().to_string()
    }

    #[test]
    fn resolves_every_path_against_its_own_folder() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let config = read(&format!(
            "release: release.yaml\nevidence: [evidence/, /abs]\ntrust: ../trust.yaml\n\
             policies: [{{path: policies/, digest: '{digest}'}}, {{path: more}}]\n\
             audit: {{log: .laforge/audit, origin: gitops.example.com/payments/prod, key: file:k.pem, \
             minFree: 64MiB, filesystems: [fuse]}}\n\
             rollout: {{strategy: canary}}\n"
        ))
        .unwrap();
        let Some(ConfiguredRelease::Document(release)) = config.release else { panic!("no document") };
        assert_eq!(release.path, Path::new("/repo/release.yaml"));
        let evidence: Vec<_> = config.evidence.iter().map(|path| path.path.as_path()).collect();
        assert_eq!(evidence, [Path::new("/repo/evidence/"), Path::new("/abs")]);
        assert_eq!(config.trust.unwrap().path, Path::new("/repo/../trust.yaml"));
        assert_eq!(config.policies[0].digest.as_ref().unwrap().to_string(), digest);
        assert_eq!(config.policies[1].path.place.to_string(), "laforge.yaml:6:121");
        let audit = config.audit.unwrap();
        assert_eq!(audit.log.path, Path::new("/repo/.laforge/audit"));
        assert_eq!(audit.key, Some(KeySource::File("/repo/k.pem".into())));
        assert_eq!((audit.min_free, audit.filesystems), (Some(64 << 20), vec!["fuse".to_owned()]));
        assert_eq!(audit.origin.as_deref(), Some("gitops.example.com/payments/prod"));
    }

    #[test]
    fn holds_a_release_whose_artifacts_are_manifests_and_images() {
        let body = format!(
            "release:\n  name: payments\n  version: 2.10\n  environment: production\n  source: {{repository: \
             https://github.com/acme/payments, commit: {}, ref: refs/heads/main}}\nmanifests: deploy/rendered/\n",
            "4f1c".repeat(10)
        );
        let config = read(&body).unwrap();
        let Some(ConfiguredRelease::Inline(release)) = config.release else { panic!("not inline") };
        assert_eq!((release.name.as_str(), release.version.as_str()), ("payments", "2.10"));
        assert!(release.artifacts.is_empty());
        assert_eq!(config.manifests.unwrap().path, Path::new("/repo/deploy/rendered/"));
        for (from, to, reason) in [
            (
                "4f1c4f1c, ref",
                "4f1c, ref",
                "7:66: `4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c` is not a whole commit",
            ),
            ("  name: payments\n", "", "missing field `name`"),
            ("  name:", "  nam:", "unknown field `nam`"),
            ("release:\n", "release: [a]\nx:\n", "a path, or a mapping with `name`"),
        ] {
            let text = body.replace(from, to);
            assert_ne!(text, body);
            let said = refused(&text);
            assert!(said.contains(reason), "{to}: {said}");
        }
    }

    #[test]
    fn asks_for_its_rollout_with_places_in_it() {
        let config = read("rollout: {target: here, errorBudget: 2}\n").unwrap();
        let error = config.rollout(&RolloutFlags::default()).unwrap_err().to_string();
        assert!(error.starts_with("laforge.yaml:3:38: `2` is not an exact decimal"), "{error}");
        let flags = RolloutFlags { error_budget: Some("0.01".into()), ..RolloutFlags::default() };
        assert_eq!(config.rollout(&flags).unwrap().target(), Some("here"));
        assert_eq!(
            read("").unwrap().rollout(&RolloutFlags::default()).unwrap(),
            RolloutRequest::of(None, &RolloutFlags::default()).unwrap()
        );
    }

    #[test]
    fn says_what_is_not_built_yet_instead_of_ignoring_it() {
        for (body, name, place) in [
            ("audit: {log: a, anchor: {required: true}}\n", "audit.anchor", "3:25"),
            ("audit: {log: a, primary: x}\n", "audit.primary", "3:26"),
            ("audit: {log: a, mirror: []}\n", "audit.mirror", "3:25"),
        ] {
            assert_eq!(refused(body), format!("laforge.yaml:{place}: `{name}` is not built yet"));
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (body, wrong) in [
            ("realease: x\n", "realease"),
            ("audit: {log: a, key: k.pem}\n", "`k.pem` is not a source of a key"),
            ("audit: {log: a, key: 'env:A-B'}\n", "`env:A-B` is not a source of a key"),
            ("audit: {log: a, origin: a b}\n", "`a b` is not an origin"),
            ("audit: {log: a, origin: a+b}\n", "`a+b` is not an origin"),
            ("audit: {log: a, minFree: 1.5GiB}\n", "`1.5GiB` is not a number of bytes"),
            ("audit: {origin: a}\n", "log"),
            ("policies: [{path: p, digest: sha1:x}]\n", "`sha1:x` is not a digest"),
            ("policies: [policies/]\n", "a mapping of members to values is expected here"),
            ("rollout: {steps: [100]}\n", "steps"),
        ] {
            let error = refused(body);
            assert!(error.starts_with("laforge.yaml:3:") && error.contains(wrong), "{body} {error}");
        }
        let kind =
            Config::read(&Source::new(FILE, "apiVersion: laforge.dev/v1\nkind: Trust\n"), Path::new("."));
        assert_eq!(kind.unwrap_err().to_string(), "laforge.yaml:2:7: `Trust` is not `Config`");
    }

    #[test]
    fn takes_a_key_from_the_environment_or_a_file() {
        let folder = Path::new("/repo");
        let from = |text| KeySource::parse(text, folder);
        assert_eq!(from("env:LAFORGE_AUDIT_KEY"), Ok(KeySource::Environment("LAFORGE_AUDIT_KEY".into())));
        assert_eq!(from("file:a:b"), Ok(KeySource::File("/repo/a:b".into())));
        for wrong in ["", "env:", "file:", "key", "ENV:A", "env:A=B"] {
            assert!(from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_schema_knows_every_member_and_no_other() {
        let schema = serde_json::to_value(schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let document = serde_json::json!({
            "apiVersion": API_VERSION, "kind": KIND, "release": "r", "evidence": ["e"], "trust": "t",
            "policies": [{"path": "p"}], "audit": {"log": "l", "key": "env:K", "minFree": "1GiB"},
            "rollout": {"strategy": "staged", "errorBudget": 0.02, "latencyBudgetMs": 450,
                        "trafficSteps": [5, 50, 100], "migration": {"command": ["m"], "class": "expand"}},
        });
        assert!(validator.is_valid(&document), "{:?}", validator.validate(&document).err());
        for (path, wrong) in [("/kind", "Trust"), ("/audit/key", "k.pem"), ("/rollout/strategy", "big-bang")]
        {
            let mut document = document.clone();
            *document.pointer_mut(path).unwrap() = serde_json::json!(wrong);
            assert!(!validator.is_valid(&document), "{path}");
        }
        let mut typo = document;
        typo["rollout"]["trafficStep"] = serde_json::json!([100]);
        assert!(!validator.is_valid(&typo));
    }
}
