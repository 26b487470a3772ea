//! A fixture judged in this process, as `laforge verify` would: for sweeps of more runs than processes allow.
//!
//! In: a fixture's folder; then evidence folders and times. Out: [`Judged`], the decision as far as a sweep
//! compares it. Everything but the evidence is read once.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use laforge::config::Config;
use laforge::gate::{World, judge};
use laforge::plan::Mode;
use laforge::plan::request::RolloutFlags;
use laforge::policy::account::Action;
use laforge::policy::{
    Actor, ActorType, Caller, DecisionReport, Flags, PolicySet, PolicySets, Request, Standard,
};
use laforge::release::Release;
use laforge::release::deployed::Deployed;
use laforge::source::directory::{EvidenceFolders, Files, read_policy_set};
use laforge::source::manifests::read_manifests;
use laforge::trust::TrustRoot;
use laforge::yaml::Source;
use serde_json::{Value, json};

use crate::parsers::NoImages;

/// A fixture, ready to be judged again and again.
pub struct Bench {
    pub name: String,
    pub folder: PathBuf,
    pub standard: Standard,
    pub now: DateTime<Utc>,
    release: Release,
    request: Request,
}

/// What came of it.
pub struct Judged {
    pub allows: bool,
    pub facts: Value,
    pub report: DecisionReport,
    /// The digests of all evidence that was read.
    pub inputs: BTreeSet<String>,
    /// Everything that a decision says, as one text.
    pub whole: String,
}

impl Bench {
    /// The fixtures that are expected to be allowed, by name.
    pub fn allowing() -> Vec<Self> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut folders: Vec<PathBuf> =
            fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let is_allowed =
            |folder: &&PathBuf| folder.file_name().unwrap().to_str().unwrap().starts_with("allows-");
        folders.iter().filter(is_allowed).filter_map(|folder| Self::of(folder)).collect()
    }

    /// A fixture; none where what it asks for is not read from its own folders alone.
    fn of(folder: &Path) -> Option<Self> {
        let source = |name: &str| Source::new(name, &fs::read_to_string(folder.join(name)).unwrap());
        let expected: Value =
            serde_yaml::from_str(&fs::read_to_string(folder.join("expect.yaml")).unwrap()).unwrap();
        let config = Config::read(&source("laforge.yaml"), folder).ok()?;
        if config.evidence.len() != 1 || config.evidence[0].path != folder.join("evidence/") {
            return None;
        }
        let mut read = |path: &Path| -> io::Result<Vec<u8>> { fs::read(path) };
        let trust = TrustRoot::load(&source("trust.yaml"), &mut read, folder).ok()?;
        let sets = config
            .policies
            .iter()
            .map(|policy| PolicySet::load(read_policy_set(&policy.path.path).unwrap(), &trust).unwrap());
        let policies = PolicySets::new(sets.collect(), Flags::default(), &trust).ok()?;
        let actor =
            Actor { id: "unknown".to_owned(), issuer: None, r#type: ActorType::Unknown, verified: false };
        let mut release = Release::parse(&source("release.yaml"), folder).ok()?;
        if let Some(manifests) = &config.manifests {
            let files = read_manifests(&manifests.path, &mut io::empty()).unwrap();
            release.deploy(Deployed::read(&files).unwrap()).unwrap();
        }
        Some(Self {
            name: folder.file_name()?.to_str()?.to_owned(),
            folder: folder.to_owned(),
            now: laforge::time::parse(expected["now"].as_str()?).ok()?,
            release,
            request: Request {
                rollout: config.rollout(&RolloutFlags::default()).ok()?,
                mode: Mode::Enforce,
                caller: Caller { actor, ci: None, trace: None },
            },
            standard: Standard { trust, policies },
        })
    }

    /// Judges the fixture with the evidence that lies in a folder.
    pub fn judge(&self, evidence: &Path, now: DateTime<Utc>) -> Judged {
        let evidence = EvidenceFolders::read(&[evidence.to_owned()]);
        let wanted = evidence.bytes_wanted(&self.standard.trust);
        let artifacts = Files::new(evidence.algorithms()).with_bytes(wanted);
        let world = World { artifacts: &artifacts, images: &NoImages, evidence: &evidence };
        let decision = judge(self.release.clone(), &self.request, world, &self.standard, now, || ()).unwrap();
        let inputs = decision.inputs().iter().map(|input| input.digest.to_string()).collect();
        let (idem, has_core) = (decision.idem(), decision.core().is_some());
        let report = decision.into_report();
        assert_eq!(
            has_core,
            report.action == Action::Allow,
            "{}: a plan without an allow, or none with it",
            self.name
        );
        let facts = report.facts.as_ref().map_or(Value::Null, |facts| json!(facts));
        let plan = report.plan.as_ref().map(|plan| plan.digest.to_string());
        let whole = format!("{facts}\n{:?}\n{:?}\n{plan:?}\n{idem}", report.findings, report.set_aside);
        Judged { allows: report.action == Action::Allow, facts, report, inputs, whole }
    }

    /// The files of its evidence, relative to the evidence folder.
    pub fn evidence(&self) -> Vec<PathBuf> {
        let root = self.folder.join("evidence");
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path.strip_prefix(&root).unwrap().to_owned()),
                }
            }
        }
        files.sort();
        files
    }
}
