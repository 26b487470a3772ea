//! Draft and core.
//!
//! In: a resolved release and a rollout request. Out: a [`PlanDraft`], and once a decision
//! completes it a [`PlanCore`] with its RFC 8785 bytes and its planDigest (`formats.md` section 8).

use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{ResolvedArtifact, ResolvedRelease};
use crate::time::{self, Timestamp};

use super::members::{
    ApiVersion, Kind, Metadata, MigrationClass, Objective, PauseCondition, Phase, PlannedRelease, Role,
    Rollback, Strategy, StrategyType, Subject, SubjectDigest,
};
use super::{REQUEST_TYPE, RolloutRequest, TYPE, phases};

/// What would be rolled out, before anyone decided.
#[derive(Debug)]
pub struct PlanDraft {
    members: Map<String, Value>,
    request: RolloutRequest,
}

/// A draft completed by a decision: what is hashed, recorded and run.
#[derive(Debug)]
pub struct PlanCore {
    canonical: Vec<u8>,
    digest: Digest,
    not_after: Timestamp,
}

/// How a decision was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The rules held.
    Enforce,
    /// Evaluated, and nothing follows.
    DryRun,
    /// Listed rules were overridden by signed records.
    BreakGlass,
}

/// The members `verification` of a core.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// `pass`.
    pub verdict: Verdict,
    /// The policy digest.
    pub policy_digest: Digest,
    /// The trust digest.
    pub trust_digest: Digest,
    /// The facts digest.
    pub facts_digest: Digest,
    /// Waivers used: none until waivers are built.
    pub waivers: Vec<ClaimedDigest>,
}

/// What the policy says: pass, fail, or cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every rule holds.
    Pass,
    /// Some rule does not.
    Fail,
    /// Evidence could not be reached: neither yes nor no.
    Error,
}

/// The members `validity` of a core.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// From when it may be started: the gate's `now`.
    #[serde(serialize_with = "crate::time::seconds")]
    pub not_before: Timestamp,
    /// Until when.
    #[serde(serialize_with = "crate::time::seconds")]
    pub not_after: Timestamp,
    /// What set the end.
    pub limited_by: LimitedBy,
}

/// What set a plan's end; on a tie the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitedBy {
    /// The ttl asked for.
    Ttl,
    /// A counted approval ends.
    Approval,
    /// A waiver ends.
    Waiver,
    /// Evidence becomes older than a policy's `maxAge`.
    MaxAge,
    /// A freeze begins.
    Freeze,
    /// The policy's own limit.
    Policy,
    /// A break-glass record ends.
    BreakGlass,
}

/// The members of a draft, in their wire form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DraftMembers {
    release: PlannedRelease,
    target: String,
    subject: Vec<Subject>,
    deploys: Vec<String>,
    api_version: ApiVersion,
    kind: Kind,
    metadata: Metadata,
    #[serde(flatten)]
    course: Course,
}

/// What a preview and a plan have in common: the members from `strategy` on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Course {
    strategy: Strategy,
    objectives: Vec<Objective>,
    phases: Vec<Phase>,
    pause_conditions: Vec<PauseCondition>,
    rollback: Rollback,
}

impl Course {
    fn of(request: &RolloutRequest) -> Self {
        Self {
            strategy: phases::strategy(request),
            objectives: vec![request.error.objective(), request.latency.objective()],
            phases: phases::phases(request),
            pause_conditions: phases::pause_conditions(),
            rollback: phases::rollback(request),
        }
    }
}

impl PlanDraft {
    /// What would be rolled out: a pure function of release and request.
    pub fn of(release: &ResolvedRelease, request: &RolloutRequest) -> Self {
        let planned = PlannedRelease {
            name: release.name().to_owned(),
            version: release.version().to_owned(),
            environment: release.environment().to_owned(),
            digest: release.digest().claim(),
        };
        Self::from_parts(planned, subjects(release), request)
    }

    /// The draft over what it takes of a release.
    fn from_parts(release: PlannedRelease, subject: Vec<Subject>, request: &RolloutRequest) -> Self {
        let members = DraftMembers {
            target: request.target().unwrap_or(&release.environment).to_owned(),
            deploys: deploys(&subject, request),
            subject,
            api_version: ApiVersion::V1,
            kind: Kind::RolloutPlan,
            metadata: Metadata { name: format!("{}-{}", release.name, release.version) },
            course: Course::of(request),
            release,
        };
        Self { members: object(&members), request: request.clone() }
    }

    /// `RolloutPlanPreview`: `executable: false`, bound to nothing.
    pub fn preview(request: &RolloutRequest) -> Value {
        let mut preview = object(&Course::of(request));
        preview.insert("apiVersion".to_owned(), json!(ApiVersion::V1));
        preview.insert("kind".to_owned(), json!("RolloutPlanPreview"));
        preview.insert("executable".to_owned(), json!(false));
        Value::Object(preview)
    }

    /// The draft's members (the core without `_type`, `mode`, `verification`, `validity`).
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The strategy, to match on.
    pub fn strategy_type(&self) -> StrategyType {
        self.request.strategy
    }

    /// The candidate's weights.
    pub fn traffic_steps(&self) -> Vec<u64> {
        self.request.steps.iter().map(|step| step.weight).collect()
    }

    /// The error budget, in parts per million.
    pub fn error_budget_ppm(&self) -> u64 {
        self.request.error.ppm
    }

    /// The latency budget, in milliseconds.
    pub fn latency_budget_ms(&self) -> u64 {
        self.request.latency.threshold_ms
    }

    /// The class of the migration, when there is one to run.
    pub fn migration_class(&self) -> Option<MigrationClass> {
        self.request.migration_class()
    }

    /// The backup that the migration relies on, when it names one.
    pub fn backup(&self) -> Option<&str> {
        self.request.migration.backup.as_deref()
    }

    /// How long it may be started at most.
    pub fn ttl(&self) -> Duration {
        self.request.ttl
    }

    /// The digest of what is asked: `request` of an `idem` (`formats.md` section 9).
    pub fn request_digest(&self, mode: Mode) -> Digest {
        Digest::of_value(&json!({
            "_type": REQUEST_TYPE,
            "mode": mode,
            "ttlSeconds": self.ttl().num_seconds(),
            "draft": self.members,
        }))
    }

    /// Completes the draft.
    pub fn complete(self, mode: Mode, verification: Verification, validity: Validity) -> PlanCore {
        let mut core = self.members;
        core.insert("_type".to_owned(), json!(TYPE));
        core.insert("mode".to_owned(), json!(mode));
        core.insert("verification".to_owned(), json!(verification));
        core.insert("validity".to_owned(), json!(validity));
        let canonical = json::canonical(&core);
        PlanCore {
            digest: Digest::of_bytes(&canonical),
            canonical,
            not_after: time::whole_seconds(validity.not_after),
        }
    }
}

/// Every artifact as candidate, then what it replaces, then the configuration, each by name.
fn subjects(release: &ResolvedRelease) -> Vec<Subject> {
    let version = Some(release.version());
    let candidate = release.artifacts().iter().map(|artifact| resolved(Role::Candidate, artifact, version));
    let config = release.config().iter().map(|artifact| resolved(Role::Config, artifact, None));
    let stable = release.replaces().into_iter().flat_map(|replaced| {
        replaced.artifacts.iter().map(|(name, digest)| Subject {
            role: Role::Stable,
            name: name.clone(),
            version: Some(replaced.version.clone()),
            image: None,
            digest: SubjectDigest { sha256: digest.hex() },
        })
    });
    let mut subjects: Vec<Subject> = candidate.chain(stable).chain(config).collect();
    subjects.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
    subjects
}

fn resolved(role: Role, artifact: &ResolvedArtifact, version: Option<&str>) -> Subject {
    Subject {
        role,
        name: artifact.name().to_owned(),
        version: version.map(str::to_owned),
        image: artifact.image().map(|image| image.repository.clone()),
        digest: SubjectDigest { sha256: artifact.digest().hex() },
    }
}

/// What an executor may run: as configured, else all images, else all artifacts, by name; but never the
/// backup of the migration by default, which is there to be restored.
fn deploys(subjects: &[Subject], request: &RolloutRequest) -> Vec<String> {
    if let Some(names) = &request.deploys {
        return names.iter().map(|name| name.value.clone()).collect();
    }
    let backup = request.migration.backup.as_deref();
    let runs = |subject: &&Subject| subject.role == Role::Candidate && Some(subject.name.as_str()) != backup;
    let candidates = || subjects.iter().filter(runs);
    let any_image = candidates().any(|subject| subject.image.is_some());
    let deployed = candidates().filter(|subject| subject.image.is_some() || !any_image);
    deployed.map(|subject| subject.name.clone()).collect()
}

/// The members of a value that is an object.
fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        // Structs with string keys and integers serialize to objects.
        _ => Map::new(),
    }
}

impl PlanCore {
    /// The core's RFC 8785 bytes.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }
    /// The planDigest.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// When it ends.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::request::{RolloutFlags, RolloutSection};
    use crate::plan::{RecordedCore, recorded::Unsound};
    use crate::yaml::Source;
    use proptest::prelude::*;

    /// The example of `rollout.md` section 3, as that page prints it.
    const PAGE: &str = include_str!("../../fixtures/vectors/plan-example.json");

    fn page() -> Value {
        let mut vector: Value = serde_json::from_str(PAGE).unwrap();
        vector["value"].take()
    }

    #[derive(serde::Deserialize)]
    struct Document {
        rollout: RolloutSection,
    }

    /// A digest that can't be computed from known bytes, as the page's fillers are.
    fn filler(digit: char) -> ClaimedDigest {
        format!("sha256:{}", digit.to_string().repeat(64)).parse().unwrap()
    }

    fn subject(role: Role, name: &str, version: Option<&str>, digit: char) -> Subject {
        let digest = SubjectDigest { sha256: filler(digit).hex() };
        Subject { role, name: name.into(), version: version.map(str::to_owned), image: None, digest }
    }

    fn page_request() -> RolloutRequest {
        let yaml = "rollout: {migration: {command: [migrate, --mode, shadow], class: expand}}\n";
        let source = Source::new("laforge.yaml", yaml);
        let document: Document = source.read().unwrap();
        let flags = RolloutFlags {
            strategy: Some("bluegreen".into()),
            traffic_steps: Some("20,80,100".into()),
            latency_budget: Some("450".into()),
            error_budget: Some("0.02".into()),
            ..RolloutFlags::default()
        };
        RolloutRequest::of(Some((&document.rollout, &source)), &flags).unwrap()
    }

    fn page_draft(request: &RolloutRequest) -> PlanDraft {
        let release = PlannedRelease {
            name: "laforge-runtime".into(),
            version: "2.4.0".into(),
            environment: "production".into(),
            digest: filler('2'),
        };
        let mut candidate = subject(Role::Candidate, "runtime", Some("2.4.0"), '1');
        candidate.image = Some("registry.example/laforge/runtime".into());
        let subjects = vec![
            candidate,
            subject(Role::Stable, "runtime", Some("2.3.1"), '0'),
            subject(Role::Config, "runtime-config", None, 'c'),
        ];
        PlanDraft::from_parts(release, subjects, request)
    }

    fn completed(draft: PlanDraft) -> PlanCore {
        let digest = Digest::of_bytes(b"");
        let verification = Verification {
            verdict: Verdict::Pass,
            policy_digest: digest,
            trust_digest: digest,
            facts_digest: digest,
            waivers: Vec::new(),
        };
        let now = time::parse("2026-11-24T12:00:00.9Z").unwrap();
        let validity = Validity { not_before: now, not_after: now + draft.ttl(), limited_by: LimitedBy::Ttl };
        draft.complete(Mode::Enforce, verification, validity)
    }

    #[test]
    fn drafts_the_plan_of_the_page_and_its_digest() {
        let page = page();
        let draft = page_draft(&page_request());
        let mut core = draft.members().clone();
        // Only the decision's members are taken from the page: its digests are fillers of no bytes.
        for decided in ["_type", "mode", "verification", "validity"] {
            core.insert(decided.to_owned(), page[decided].clone());
        }
        assert_eq!(Value::Object(core.clone()), page);
        let canonical = json::canonical(&core);
        assert_eq!(canonical.len(), 3782);
        assert_eq!(
            Digest::of_bytes(&canonical).to_string(),
            "sha256:0f6a1e7de935d345f0e680c136f51f185888424d2fae1132a9ab0b107211cfa2"
        );
    }

    #[test]
    fn deploys_no_backup_unless_told_to() {
        let deployed = |section: &str, subjects: &[Subject]| {
            let source = Source::new("laforge.yaml", &format!("rollout: {section}\n"));
            let document: Document = source.read().unwrap();
            let read = RolloutRequest::of(Some((&document.rollout, &source)), &RolloutFlags::default());
            deploys(subjects, &read.unwrap())
        };
        let named = |name| subject(Role::Candidate, name, Some("2.4.0"), '1');
        let image = Subject { image: Some("registry.example/web".into()), ..named("web") };
        let contract = "{migration: {command: [m], class: contract, backup: nightly}}";
        assert_eq!(deployed(contract, &[named("api"), named("nightly")]), ["api"]);
        assert_eq!(deployed(contract, &[named("api"), named("nightly"), image]), ["web"]);
        assert_eq!(deployed("{}", &[named("api"), named("nightly")]), ["api", "nightly"]);
        let told = "{deploys: [nightly], migration: {command: [m], class: contract, backup: nightly}}";
        assert_eq!(deployed(told, &[named("api"), named("nightly")]), ["nightly"]);
    }

    #[test]
    fn completes_a_draft_to_a_core_that_reads_back_byte_for_byte() {
        let core = completed(page_draft(&page_request()));
        let recorded: RecordedCore = json::decode(core.canonical()).unwrap();
        recorded.check().unwrap();
        assert_eq!(json::canonical(&recorded), core.canonical());
        assert_eq!(Digest::of_bytes(core.canonical()), core.digest());
        assert_eq!(core.not_after(), time::parse("2026-11-24T16:00:00Z").unwrap());
        assert_eq!(recorded.validity.not_before, time::parse("2026-11-24T12:00:00Z").unwrap());
    }

    #[test]
    fn previews_only_what_is_bound_to_nothing() {
        let preview = PlanDraft::preview(&page_request());
        let names: Vec<&str> = preview.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "apiVersion",
            "executable",
            "kind",
            "objectives",
            "pauseConditions",
            "phases",
            "rollback",
            "strategy",
        ];
        assert_eq!(names, expected);
        assert_eq!(preview["kind"], "RolloutPlanPreview");
        assert_eq!(preview["executable"], false);
        let page = page();
        for common in ["strategy", "objectives", "phases", "pauseConditions", "rollback"] {
            assert_eq!(preview[common], page[common], "{common}");
        }
        assert!(serde_json::from_value::<RecordedCore>(preview).is_err());
    }

    #[test]
    fn deploys_all_images_or_else_all_artifacts_unless_told() {
        let request = RolloutRequest::of(None, &RolloutFlags::default()).unwrap();
        let mut subjects = vec![
            subject(Role::Candidate, "chart", None, '1'),
            subject(Role::Candidate, "image", None, '2'),
            subject(Role::Stable, "image", None, '3'),
            subject(Role::Config, "settings", None, '4'),
        ];
        assert_eq!(deploys(&subjects, &request), ["chart", "image"]);
        subjects[1].image = Some("registry.example/image".into());
        assert_eq!(deploys(&subjects, &request), ["image"]);
        let source = Source::new("laforge.yaml", "rollout: {deploys: [image, chart]}\n");
        let document: Document = source.read().unwrap();
        let told = RolloutRequest::of(Some((&document.rollout, &source)), &RolloutFlags::default()).unwrap();
        assert_eq!(deploys(&subjects, &told), ["image", "chart"]);
    }

    #[test]
    fn asks_for_the_same_only_with_the_same_mode_ttl_and_draft() {
        let request = page_request();
        let digest = page_draft(&request).request_digest(Mode::Enforce);
        assert_eq!(digest, page_draft(&request).request_digest(Mode::Enforce));
        assert_ne!(digest, page_draft(&request).request_digest(Mode::DryRun));
        let longer = RolloutRequest { ttl: Duration::hours(5), ..request.clone() };
        assert_ne!(digest, page_draft(&longer).request_digest(Mode::Enforce));
        let elsewhere = RolloutFlags { target: Some("elsewhere".into()), ..RolloutFlags::default() };
        let elsewhere = RolloutRequest::of(None, &elsewhere).unwrap();
        assert_ne!(digest, page_draft(&elsewhere).request_digest(Mode::Enforce));
    }

    #[test]
    fn refuses_a_core_that_contradicts_itself() {
        let sound = completed(page_draft(&page_request()));
        let edited = |path: &str, value: Value| {
            let mut core: Value = json::parse(sound.canonical()).unwrap();
            *core.pointer_mut(path).unwrap() = value;
            serde_json::from_value::<RecordedCore>(core).map(|core| core.check())
        };
        for (path, value, wrong) in [
            ("/phases/2/steps/0/backendRefs/1/weight", json!(21), Unsound::Weights),
            ("/phases/2/steps/0/index", json!(1), Unsound::Weights),
            ("/strategy/trafficSteps/0", json!(30), Unsound::Weights),
            ("/phases/2/steps", json!([]), Unsound::Weights),
            ("/phases/2/steps/1/objectives", json!([]), Unsound::Objectives),
            ("/phases/3/objectives/0", json!("other"), Unsound::Objectives),
            ("/objectives/1/id", json!("error-budget"), Unsound::Objectives),
            ("/objectives/0/minSamples", json!(149), Unsound::Budget),
            ("/objectives/0/maxRatioPpm", json!(1_000_000), Unsound::Budget),
            ("/deploys", json!([]), Unsound::Deploys),
            ("/deploys/0", json!("runtime-config"), Unsound::Deploys),
            ("/rollback/backendRefs/0/weight", json!(99), Unsound::Rollback),
            ("/validity/notAfter", json!("2026-11-24T12:00:00Z"), Unsound::Validity),
            ("/validity/notAfter", json!("2026-11-25T12:00:01Z"), Unsound::Validity),
            ("/mode", json!("dry-run"), Unsound::Mode),
            ("/mode", json!("break-glass"), Unsound::Mode),
            ("/verification/verdict", json!("fail"), Unsound::Mode),
        ] {
            assert_eq!(edited(path, value).unwrap(), Err(wrong), "{path}");
        }
        assert_eq!(
            edited("/phases/2", json!({"type": "Shift", "id": "s", "steps": []})).unwrap(),
            Err(Unsound::Weights)
        );
        assert!(edited("/validity/notAfter", json!("2026-11-24T17:00:00+01:00")).is_err());
        assert!(edited("/phases/1", json!({"type": "Shift", "id": "s", "steps": [], "more": 1})).is_err());
        assert!(edited("/objectives/0/minSamples", json!(500.0)).is_err());
    }

    #[test]
    fn the_schema_takes_the_page_and_refuses_a_typo() {
        let schema = serde_json::to_value(crate::plan::schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut page = page();
        assert!(validator.is_valid(&page), "{:?}", validator.validate(&page).err().map(|e| e.to_string()));
        page["rollback"]["pauseDedlineSeconds"] = json!(1);
        assert!(!validator.is_valid(&page));
    }

    proptest! {
        #[test]
        fn every_request_that_is_taken_gives_a_sound_plan_and_always_the_same(
            steps in proptest::collection::btree_set(1_u64..100, 0..6),
            strategy in proptest::sample::select(vec!["bluegreen", "canary", "staged"]),
            ppm in 1_u64..1_000_000,
            ms in 1_u64..100_000,
            minutes in 1_u64..=1440,
        ) {
            let mut weights: Vec<String> = steps.iter().map(u64::to_string).collect();
            weights.push("100".to_owned());
            let flags = RolloutFlags {
                strategy: Some(strategy.to_owned()),
                traffic_steps: Some(weights.join(",")),
                latency_budget: Some(ms.to_string()),
                error_budget: Some(format!("0.{ppm:06}")),
                ttl: Some(format!("{minutes}m")),
                ..RolloutFlags::default()
            };
            let request = RolloutRequest::of(None, &flags).unwrap();
            let core = completed(page_draft(&request));
            let recorded: RecordedCore = json::decode(core.canonical()).unwrap();
            prop_assert_eq!(recorded.check(), Ok(()));
            prop_assert_eq!(json::canonical(&recorded), core.canonical());
            prop_assert_eq!(completed(page_draft(&request)).digest(), core.digest());
        }
    }
}
