//! Policy sets: files to rules, and the digests that name them (`formats.md` section 3).
//!
//! In: the files of a folder (or one file) and trust. Out: [`PolicySet`], every name checked, and
//! [`PolicySets`] with the `--require-*` flags as one more set. Not checked here: signatures of
//! sets, so trust that names `policySigners` is refused rather than passed over.

mod error;
mod policy;

pub use error::PolicyError;

use std::sync::Arc;

use serde::Serialize;

use crate::json;
use crate::release::digest::Digest;
use crate::release::name::{self, MAX_NAME};
use crate::trust::{TrustRoot, Use};
use crate::yaml::Source;

use super::document::PolicySetDocument;
use super::rule::Rule;
use super::rule::approvals::Approvals;
use super::rule::provenance::Provenance;
use super::rule::signatures::Signatures;
use policy::{Policy, text_of};

/// How many sets can be configured: their manifests and files go into every entry's blobs.
pub const MOST_SETS: usize = 4;

/// The file beside the policies that gives a set its name and version.
const SET_FILE: &str = "policy-set.yaml";

/// The name of a set without [`SET_FILE`].
const UNNAMED: &str = "unnamed";

/// The name of the set of the `--require-*` flags.
const FLAGS: &str = "flags";

/// The `--require-*` flags: one more set, named `flags`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--require-signed`.
    pub signed: bool,
    /// `--require-approved`.
    pub approved: bool,
    /// `--require-provenance`.
    pub provenance: bool,
}

/// One policy set.
#[derive(Debug)]
pub struct PolicySet {
    name: String,
    version: u64,
    manifest: Vec<u8>,
    digest: Digest,
    files: Vec<PolicyFile>,
    policies: Vec<Policy>,
}

/// All sets in force.
#[derive(Debug)]
pub struct PolicySets {
    configured: Vec<PolicySet>,
    flags: Option<PolicySet>,
    digest: Digest,
}

/// One file of a set, its path relative to the set's folder with `/`.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// The path in the set's manifest.
    pub path: String,
    /// The path as the user would name it.
    pub shown: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Manifest<'a> {
    #[serde(rename = "_type")]
    r#type: &'static str,
    name: &'a str,
    version: u64,
    files: Vec<ManifestFile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    require: Option<&'a [&'a str]>,
}

#[derive(Serialize)]
struct ManifestFile<'a> {
    path: &'a str,
    digest: Digest,
}

#[derive(Serialize)]
struct SetsManifest<'a> {
    #[serde(rename = "_type")]
    r#type: &'static str,
    sets: &'a [Digest],
}

impl PolicySet {
    /// Parses and checks a set; every name that it refers to must be in trust with a fitting use.
    ///
    /// # Errors
    /// [`PolicyError`] with file, line and column.
    pub fn load(mut files: Vec<PolicyFile>, trust: &TrustRoot) -> Result<Self, PolicyError> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        refuse_repeated_path(&files)?;
        let (name, version) = match files.iter().find(|file| file.path == SET_FILE) {
            Some(file) => named(&text_of(file)?)?,
            None => (UNNAMED.to_owned(), 0),
        };
        let manifest = manifest(&name, version, &files, None);
        let digest = Digest::of_bytes(&manifest);
        let policies = files.iter().filter(|file| file.path != SET_FILE);
        let policies: Vec<_> =
            policies.map(|file| Policy::load(file, &digest.claim(), trust)).collect::<Result<_, _>>()?;
        if policies.is_empty() {
            return Err(PolicyError::Empty);
        }
        Ok(Self { name, version, manifest, digest, files, policies })
    }

    /// The set of the flags that were given, if any was.
    fn of_flags(flags: Flags, trust: &TrustRoot) -> Result<Option<Self>, PolicyError> {
        let mut require = Vec::new();
        let mut rules = Vec::new();
        if flags.approved {
            let people = trust.people.iter().filter(|one| !one.roles.is_empty());
            demand(people, "--require-approved", "people with roles")?;
            require.push("approved");
            rules.push(Rule::Approvals(Approvals::flag()));
        }
        if flags.provenance {
            demand(trust.builders.iter(), "--require-provenance", "`builders`")?;
            require.push("provenance");
            rules.push(Rule::Provenance(Arc::new(Provenance::flag())));
        }
        if flags.signed {
            let signers = trust.signers.iter().filter(|signer| signer.uses.contains(&Use::Artifact));
            demand(signers, "--require-signed", "a signer with `use: artifact`")?;
            require.push("signed");
            rules.push(Rule::Signatures(Signatures::flag()));
        }
        if require.is_empty() {
            return Ok(None);
        }
        let manifest = manifest(FLAGS, 0, &[], Some(&require));
        let digest = Digest::of_bytes(&manifest);
        let policies = vec![Policy::of_flags(rules)];
        Ok(Some(Self { name: FLAGS.to_owned(), version: 0, manifest, digest, files: Vec::new(), policies }))
    }

    /// Its digest: that of its manifest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its name, or `unnamed`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, or 0.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Its manifest's bytes.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Its files, by path.
    pub fn files(&self) -> &[PolicyFile] {
        &self.files
    }

    /// Its policies that apply to an environment.
    pub(super) fn selected<'a>(&'a self, environment: &'a str) -> impl Iterator<Item = &'a Policy> {
        self.policies.iter().filter(move |policy| policy.applies_to(environment))
    }
}

impl PolicySets {
    /// Configured sets (at most 4) and the flags. A set that is given twice counts once.
    ///
    /// # Errors
    /// [`PolicyError`]: too many sets, two of one name, or a flag whose needs trust does not meet.
    pub fn new(configured: Vec<PolicySet>, flags: Flags, trust: &TrustRoot) -> Result<Self, PolicyError> {
        let mut sets: Vec<PolicySet> = Vec::new();
        for set in configured {
            if sets.iter().any(|other| other.digest == set.digest) {
                continue;
            }
            if set.name != UNNAMED && sets.iter().any(|other| other.name == set.name) {
                return Err(PolicyError::RepeatedName { name: set.name });
            }
            sets.push(set);
        }
        if sets.len() > MOST_SETS {
            return Err(PolicyError::TooManySets { count: sets.len() });
        }
        if !sets.is_empty() && !trust.policy_signers.is_empty() {
            return Err(PolicyError::SignersNotBuilt);
        }
        let flags = PolicySet::of_flags(flags, trust)?;
        let digest = digest_of(sets.iter().chain(&flags));
        Ok(Self { configured: sets, flags, digest })
    }

    /// The policy digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The sets, configured ones first, then `flags`.
    pub fn sets(&self) -> impl Iterator<Item = &PolicySet> {
        self.configured.iter().chain(&self.flags)
    }

    /// The sets that files hold.
    pub(super) fn configured(&self) -> &[PolicySet] {
        &self.configured
    }

    /// Name and version of each configured set.
    pub fn set_versions(&self) -> Vec<(String, u64)> {
        self.configured.iter().map(|set| (set.name.clone(), set.version)).collect()
    }

    /// Holds each configured set to the last version that is on record for it.
    ///
    /// # Errors
    /// [`PolicyError::RolledBack`] for the first that is lower.
    pub fn refuse_rollback(&self, recorded: impl Fn(&str) -> Option<u64>) -> Result<(), PolicyError> {
        for set in &self.configured {
            match recorded(&set.name) {
                Some(recorded) if recorded > set.version => {
                    return Err(PolicyError::RolledBack {
                        name: set.name.clone(),
                        found: set.version,
                        recorded,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the log keeps of them: each manifest, then its files.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        let of_set = |set: &PolicySet| {
            std::iter::once(set.manifest.clone())
                .chain(set.files.iter().map(|file| file.bytes.clone()))
                .collect()
        };
        self.sets().flat_map(|set| -> Vec<Vec<u8>> { of_set(set) }).collect()
    }
}

fn digest_of<'a>(sets: impl Iterator<Item = &'a PolicySet>) -> Digest {
    let mut digests: Vec<_> = sets.map(|set| set.digest).collect();
    digests.sort();
    Digest::of_value(&SetsManifest { r#type: "https://laforge.dev/policy-sets/v1", sets: &digests })
}

fn manifest(name: &str, version: u64, files: &[PolicyFile], require: Option<&[&str]>) -> Vec<u8> {
    let files = files
        .iter()
        .map(|file| ManifestFile { path: &file.path, digest: Digest::of_bytes(&file.bytes) })
        .collect();
    json::canonical(&Manifest { r#type: "https://laforge.dev/policy-set/v1", name, version, files, require })
}

/// That trust has at least one of what a flag needs.
fn demand<T>(
    mut having: impl Iterator<Item = T>,
    flag: &'static str,
    needs: &'static str,
) -> Result<(), PolicyError> {
    having.next().map(|_| ()).ok_or(PolicyError::FlagUnmet { flag, needs })
}

fn refuse_repeated_path(sorted: &[PolicyFile]) -> Result<(), PolicyError> {
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    match pairs.find(|(one, next)| one.path == next.path) {
        Some((file, _)) => Err(PolicyError::RepeatedPath { path: file.path.clone() }),
        None => Ok(()),
    }
}

fn named(source: &Source) -> Result<(String, u64), PolicyError> {
    let PolicySetDocument { metadata, .. } = PolicySetDocument::read(source)?;
    name::read(source, &metadata.name, MAX_NAME)?;
    if [FLAGS, UNNAMED].contains(&metadata.name.value.as_str()) {
        let mut error =
            source.error_at(&metadata.name, format!("`{}` is a reserved name", metadata.name.value));
        error.help = Some("give the set a name of its own".to_owned());
        return Err(error.into());
    }
    Ok((metadata.name.value, metadata.version.value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::policy::samples::{file, load, loaded, policy, refused, trust, trust_of};

    use super::*;

    const SPEC: &str = "{require: {approvals: {atLeast: 1}}}";

    fn set_file(metadata: &str) -> PolicyFile {
        let text = format!("apiVersion: laforge.dev/v1\nkind: PolicySet\nmetadata: {metadata}\n");
        file("policy-set.yaml", &text)
    }

    fn named(name: &str, version: u64) -> PolicySet {
        let files =
            vec![file("a.yaml", &policy(SPEC)), set_file(&format!("{{name: {name}, version: {version}}}"))];
        PolicySet::load(files, &trust()).unwrap()
    }

    #[test]
    fn digests_a_set_and_all_sets_as_the_page_says() {
        let text = policy(SPEC);
        let files =
            vec![file("b.yaml", &text), set_file("{name: production, version: 7}"), file("a/c.yml", &text)];
        let set_digest = Digest::of_bytes(&files[1].bytes).to_string();
        let set = PolicySet::load(files, &trust()).unwrap();
        let text = Digest::of_bytes(text.as_bytes()).to_string();
        let manifest = json!({
            "_type": "https://laforge.dev/policy-set/v1", "name": "production", "version": 7,
            "files": [{"path": "a/c.yml", "digest": text}, {"path": "b.yaml", "digest": text},
                      {"path": "policy-set.yaml", "digest": set_digest}],
        });
        assert_eq!(set.digest(), Digest::of_value(&manifest));
        assert_eq!(set.digest(), Digest::of_bytes(set.manifest()));
        assert_eq!((set.name(), set.version()), ("production", 7));

        let flags = Flags { signed: true, approved: true, provenance: true };
        let sets = PolicySets::new(vec![set], flags, &trust()).unwrap();
        let flags = json!({
            "_type": "https://laforge.dev/policy-set/v1", "name": "flags", "version": 0, "files": [],
            "require": ["approved", "provenance", "signed"],
        });
        let mut digests = [Digest::of_value(&manifest).to_string(), Digest::of_value(&flags).to_string()];
        digests.sort();
        let all = json!({"_type": "https://laforge.dev/policy-sets/v1", "sets": digests});
        assert_eq!(sets.digest(), Digest::of_value(&all));
        let blobs: Vec<_> = sets.blobs().iter().map(|blob| Digest::of_bytes(blob)).collect();
        assert_eq!((blobs.len(), blobs[0]), (5, Digest::of_value(&manifest)));
        assert_eq!(blobs[4], Digest::of_value(&flags));
    }

    #[test]
    fn changes_the_digest_with_every_byte_path_and_flag() {
        let of = |path: &str, text: &str| PolicySet::load(vec![file(path, text)], &trust()).unwrap().digest();
        let text = policy(SPEC);
        assert_ne!(of("a.yaml", &text), of("b.yaml", &text));
        assert_ne!(of("a.yaml", &text), of("a.yaml", &format!("{text}\n")));
        let with = |flags| PolicySets::new(Vec::new(), flags, &trust()).unwrap().digest();
        let signed = Flags { signed: true, ..Flags::default() };
        assert_ne!(with(signed), with(Flags { approved: true, ..signed }));
        let none = json!({"_type": "https://laforge.dev/policy-sets/v1", "sets": []});
        assert_eq!(with(Flags::default()), Digest::of_value(&none));
    }

    #[test]
    fn reads_name_and_version_and_refuses_reserved_names() {
        let refuse = |metadata: &str| {
            PolicySet::load(vec![file("a.yaml", &policy(SPEC)), set_file(metadata)], &trust())
                .unwrap_err()
                .to_string()
        };
        let long = "x".repeat(129);
        for (metadata, reason) in [
            ("{name: flags, version: 1}", "3:18: `flags` is a reserved name"),
            ("{name: unnamed, version: 1}", "3:18: `unnamed` is a reserved name"),
            ("{name: a, version: 0}", "3:30: `0` is less than 1"),
            ("{name: a}", "3:12: missing field `version`"),
            (&format!("{{name: {long}, version: 1}}"), &format!("3:18: `{long}` is longer than 128 bytes")),
        ] {
            assert_eq!(refuse(metadata), format!("policies/policy-set.yaml:{reason}"));
        }
        let single = loaded(SPEC);
        assert_eq!((single.name(), single.version()), ("unnamed", 0));
    }

    #[test]
    fn refuses_a_set_without_a_policy_and_files_that_are_no_text() {
        let only_named = PolicySet::load(vec![set_file("{name: a, version: 1}")], &trust());
        assert!(matches!(only_named, Err(PolicyError::Empty)));
        assert!(matches!(PolicySet::load(Vec::new(), &trust()), Err(PolicyError::Empty)));
        let twice = vec![file("a.yaml", &policy(SPEC)), file("a.yaml", &policy(SPEC))];
        assert!(
            matches!(PolicySet::load(twice, &trust()), Err(PolicyError::RepeatedPath { path }) if path == "a.yaml")
        );
        let binary = PolicyFile { bytes: vec![0xff], ..file("a.yaml", "") };
        assert!(matches!(PolicySet::load(vec![binary], &trust()), Err(PolicyError::NotText { .. })));
    }

    #[test]
    fn takes_four_sets_each_name_once_and_the_same_set_once() {
        let new = |sets: Vec<PolicySet>| PolicySets::new(sets, Flags::default(), &trust());
        let named_sets = |count: u64| (1..=count).map(|at| named(&format!("s{at}"), at)).collect::<Vec<_>>();
        assert_eq!(new(named_sets(4)).unwrap().sets().count(), 4);
        assert!(matches!(new(named_sets(5)), Err(PolicyError::TooManySets { count: 5 })));
        let clash = new(vec![named("a", 1), named("a", 2)]);
        assert!(matches!(clash, Err(PolicyError::RepeatedName { name }) if name == "a"));
        assert_eq!(new(vec![named("a", 1), named("a", 1)]).unwrap().sets().count(), 1);
        let unnamed = vec![loaded(SPEC), loaded("{require: {approvals: {atLeast: 2}}}")];
        assert_eq!(
            new(unnamed).unwrap().set_versions(),
            [("unnamed".to_owned(), 0), ("unnamed".to_owned(), 0)]
        );
    }

    #[test]
    fn refuses_a_version_below_the_one_on_record() {
        let sets = PolicySets::new(vec![named("a", 7)], Flags::default(), &trust()).unwrap();
        let held = |recorded| sets.refuse_rollback(|name| (name == "a").then_some(recorded));
        held(7).unwrap();
        held(6).unwrap();
        sets.refuse_rollback(|_| None).unwrap();
        let error = held(8).unwrap_err().to_string();
        assert_eq!(error, "policy set `a` is at version 7, and version 8 is on record");
    }

    #[test]
    fn refuses_flags_that_trust_can_not_meet() {
        let bare = trust_of(
            "apiVersion: laforge.dev/v1\nkind: Trust\npeople: [{name: d, roles: [], identities: [{key: h.pub}]}]\n",
        );
        let refuse = |flags| PolicySets::new(Vec::new(), flags, &bare).unwrap_err().to_string();
        let none = Flags::default();
        assert_eq!(
            refuse(Flags { signed: true, ..none }),
            "`--require-signed` needs a signer with `use: artifact` in the trust file, and it names none"
        );
        assert_eq!(
            refuse(Flags { approved: true, ..none }),
            "`--require-approved` needs people with roles in the trust file, and it names none"
        );
        assert_eq!(
            refuse(Flags { provenance: true, ..none }),
            "`--require-provenance` needs `builders` in the trust file, and it names none"
        );
        PolicySets::new(Vec::new(), none, &bare).unwrap();
    }

    #[test]
    fn loads_the_shipped_policies_against_a_plausible_trust() {
        let shipped = [
            ("baseline.yaml", include_str!("../../policies/baseline.yaml")),
            ("production.yaml", include_str!("../../policies/production.yaml")),
        ];
        for (path, text) in shipped {
            PolicySet::load(vec![file(path, text)], &trust()).unwrap_or_else(|error| panic!("{error}"));
        }
        let folder = shipped.map(|(path, text)| file(path, text)).into();
        let set = PolicySet::load(folder, &trust()).unwrap();
        assert_eq!((set.selected("production").count(), set.selected("staging").count()), (2, 1));
    }

    #[test]
    fn loads_the_whole_format_as_its_page_shows_it() {
        let text = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {environments: [production, 'pattern:prod-*']}
  artifacts: {byDigest: deny}
  require:
    signatures:   {each: artifact, atLeast: 1, from: [release]}
    approvals:    {atLeast: 2, roles: {release-manager: 1, sre: 1}, maxAge: 24h, distinctFrom: [source-author, workflow-actor, deployer, policy-signer], trustedTime: required}
    provenance:   {each: artifact, minLevel: 3, source: https://github.com/acme/payments, ref: \"pattern:refs/tags/v*\", commit: release, hostedRunner: required}
  freeze:  [{name: weekend, timezone: Europe/Berlin, from: \"Fri 16:00\", to: \"Mon 08:00\"}, {name: year-end, from: 2026-12-18, to: 2027-01-04}]
  rollout: {strategies: [bluegreen, canary, staged], firstStepAtMost: 10, maxTtl: 4h, maxErrorBudget: 0.02, maxLatencyBudgetMs: 500, migration: [expand]}
";
        let set = PolicySet::load(vec![file("production.yaml", text)], &trust()).unwrap();
        let rules: Vec<_> = set.selected("prod-eu").flat_map(|policy| &policy.rules).collect();
        assert_eq!(rules.len(), 6);
        assert_eq!(set.selected("prod/eu").count() + set.selected("Production").count(), 0);
    }

    #[test]
    fn refuses_what_is_not_built_and_what_says_nothing() {
        for (spec, reason) in [
            ("{require: {}}", "4:17: an empty section says nothing"),
            ("{}", "4:7: an empty section says nothing"),
            ("{require: ~, freeze: []}", "4:17: `require` says nothing"),
            ("{match: {environments: []}}", "4:30: an empty list says nothing"),
            ("{rules: [{id: x}]}", "4:15: `spec.rules` is not built yet"),
            ("{waivers: {roles: [security]}}", "4:17: `spec.waivers` is not built yet"),
            ("{breakGlass: {maxTtl: 2h}}", "4:20: `spec.breakGlass` is not built yet"),
            ("{require: {attestations: []}}", "4:32: an empty list says nothing"),
            ("{require: {correlate: [run-id]}}", "4:29: `correlate` has nothing to tie together"),
            ("{artifacts: {byDigest: maybe}}", "4:30: unknown value `maybe`, expected one of allow, deny"),
        ] {
            assert_eq!(refused(spec), format!("policies/test.yaml:{reason}"), "{spec}");
        }
        assert!(refused("{requires: {}}").contains("unknown field `requires`"));
        assert!(refused("{require: {signature: {}}}").contains("unknown field `signature`"));
        let wrong_kind = policy(SPEC).replace("kind: Policy", "kind: Polcy");
        let error = PolicySet::load(vec![file("a.yaml", &wrong_kind)], &trust()).unwrap_err().to_string();
        assert!(error.starts_with("policies/a.yaml:2:7: unknown value `Polcy`"), "{error}");
        load(SPEC).unwrap();
    }
}
