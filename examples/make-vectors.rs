//! Makes `fixtures/vectors/`: one JSON document per format of `formats.md`, out of the project's own
//! code, for strangers to check (`tests/vectors.py` is one).
//!
//! `cargo run --example make-vectors [FOLDER]` takes a fixture that is allowed through the gate, into a
//! log that goes on from `genesis.json`. Entry 0 of a log holds random bytes, so that file is made once
//! and kept; everything else follows from it, byte for byte. `plan-example.json` is the design's own.

#![expect(clippy::disallowed_methods, reason = "reads a fixture, writes the vectors")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "says what it made")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::audit::entry::decision::DecisionEntry;
use laforge::audit::entry::{Body, Entry};
use laforge::audit::{AuditLog, LogConfig, NewLog, Reader};
use laforge::config::Config;
use laforge::evidence::envelope::pae;
use laforge::evidence::predicate::approval::{self, Approval};
use laforge::evidence::predicate::break_glass::{self, BreakGlass};
use laforge::evidence::predicate::source::{self, Source as Authorship};
use laforge::evidence::predicate::waiver::{self, Waiver};
use laforge::evidence::statement::{PAYLOAD_TYPE, Statement};
use laforge::gate::{self, Outcome, Times, World};
use laforge::json;
use laforge::key::secret::SecretKey;
use laforge::plan::{Mode, RolloutFlags};
use laforge::policy::{Caller, Flags, PolicySet, PolicySets, Request, Standard};
use laforge::release::Release;
use laforge::release::digest::{ClaimedDigest, Digest};
use laforge::rollout::Plan;
use laforge::signing::statement;
use laforge::signing::vsa::{Summary, resource_uri};
use laforge::source::directory::{EvidenceFolders, Files, read_policy_set};
use laforge::source::oci::Registries;
use laforge::time::{self, Timestamp};
use laforge::trust::TrustRoot;
use laforge::yaml::Source;
use serde_json::{Map, Value, json};

/// The fixture that is allowed, and its clock.
const CASE: (&str, &str) = ("fixtures/allows-bluegreen", "2026-03-02T12:00:00Z");
/// When the log was made.
const GENESIS: &str = "2026-03-01T12:00:00Z";
const ORIGIN: &str = "gitops.acme.test/payments/prod";
/// The seed of the log's key: known to all, so good for vectors alone.
const SEED: [u8; 32] = [42; 32];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("fixtures/vectors"), PathBuf::from);
    match make(&folder) {
        Ok(count) => {
            println!("{count} vectors in {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder)?;
    let genesis = folder.join("genesis.json");
    if !genesis.exists() {
        fs::write(&genesis, pretty(&new_genesis()?)?)?;
    }
    let vectors = vectors(Path::new(""), &json::parse(&fs::read(&genesis)?)?)?;
    for (name, vector) in &vectors {
        fs::write(folder.join(name), pretty(vector)?)?;
    }
    Ok(vectors.len())
}

fn pretty(value: &Value) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

/// A log of one entry, as the texts of its files.
fn new_genesis() -> Result<Value> {
    let scratch = tempfile::tempdir()?;
    let (log, caller) = (scratch.path().join("log"), Caller::unknown());
    AuditLog::create(&NewLog::new(&log, ORIGIN, &caller), &key()?, time::parse(GENESIS)?)?;
    let (mut folders, mut files) = (Vec::new(), Map::new());
    list(&log, "", &mut folders, &mut files)?;
    Ok(
        json!({"what": "a log of one entry, from which the other vectors go on", "folders": folders, "files": files}),
    )
}

fn list(
    folder: &Path,
    prefix: &str,
    folders: &mut Vec<String>,
    files: &mut Map<String, Value>,
) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            folders.push(path.clone());
            list(&entry.path(), &format!("{path}/"), folders, files)?;
        } else {
            files.insert(path, Value::String(fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

/// Puts the log of `genesis.json` on disk.
fn restore(genesis: &Value, log: &Path) -> Result<()> {
    fs::create_dir_all(log)?;
    for folder in genesis.get("folders").and_then(Value::as_array).into_iter().flatten() {
        fs::create_dir_all(log.join(folder.as_str().ok_or("a folder is a text")?))?;
    }
    for (path, text) in genesis.get("files").and_then(Value::as_object).into_iter().flatten() {
        fs::write(log.join(path), text.as_str().ok_or("a file is a text")?)?;
    }
    Ok(())
}

fn key() -> Result<SecretKey> {
    Ok(SecretKey::from_ed25519_seed(&SEED)?)
}

/// Every vector, by file name. `root` is the project's folder.
fn vectors(root: &Path, genesis: &Value) -> Result<BTreeMap<&'static str, Value>> {
    let case = Case::read(root)?;
    let scratch = tempfile::tempdir()?;
    let log = scratch.path().join("log");
    restore(genesis, &log)?;
    // A rehearsal first: the allow after it has a proof of more than one hash.
    case.decide(&log, Mode::DryRun)?;
    let plan = case.decide(&log, Mode::Enforce)?.ok_or("the fixture is not allowed")?;
    let reader = Reader::open(&log)?;
    let entry = Entry::parse(plan.approved().line())?;
    let Body::Decision(decision) = entry.body else { return Err("the entry is no decision".into()) };
    let mut vectors = log_vectors(&log, &reader, &plan)?;
    vectors.extend(decision_vectors(&case, &reader, &decision, &plan)?);
    vectors.insert("approval.json", case.approval()?);
    vectors.insert("predicates.json", predicates()?);
    vectors.insert("vsa.json", summary(&plan)?);
    Ok(vectors)
}

/// The fixture as the gate takes it.
struct Case {
    folder: PathBuf,
    config: Config,
    release: Release,
    standard: Standard,
    now: Timestamp,
}

impl Case {
    fn read(root: &Path) -> Result<Self> {
        let folder = root.join(CASE.0);
        let document =
            |name: &str| -> Result<Source> { Ok(Source::new(name, &fs::read_to_string(folder.join(name))?)) };
        let config = Config::read(&document("laforge.yaml")?, &folder)?;
        let release = Release::parse(&document("release.yaml")?, &folder)?;
        let trust = TrustRoot::load(&document("trust.yaml")?, &mut |path: &Path| fs::read(path), &folder)?;
        let mut sets = Vec::new();
        for policy in &config.policies {
            sets.push(PolicySet::load(read_policy_set(&policy.path.path)?, &trust)?);
        }
        let flags = Flags { signed: true, approved: true, provenance: true };
        let policies = PolicySets::new(sets, flags, &trust)?;
        let standard = Standard { trust, policies };
        Ok(Self { folder, config, release, standard, now: time::parse(CASE.1)? })
    }

    /// One call of the gate, and the plan if it allows.
    fn decide(&self, log: &Path, mode: Mode) -> Result<Option<Plan>> {
        let mut log = AuditLog::open(LogConfig::new(log, Some(key()?)), self.now)?;
        let paths: Vec<PathBuf> = self.config.evidence.iter().map(|path| path.path.clone()).collect();
        let evidence = EvidenceFolders::read(&paths);
        let artifacts = Files::new(evidence.algorithms());
        let images = Registries::offline();
        let world = World { artifacts: &artifacts, images: &images, evidence: &evidence };
        let rollout = self.config.rollout(&RolloutFlags::default())?;
        let request = Request { rollout, mode, caller: Caller::unknown() };
        let (release, standard) = (self.release.clone(), &self.standard);
        match gate::preflight(
            release,
            request,
            world,
            standard,
            &mut log,
            Times { judged: self.now, clock: self.now },
        )? {
            Outcome::Approved(plan) => Ok(Some(plan)),
            Outcome::Refused(_) | Outcome::Rehearsed(_) => Ok(None),
        }
    }

    /// An approval as its person signed it.
    fn approval(&self) -> Result<Value> {
        let text = fs::read_to_string(self.folder.join("evidence/approval-alice.sigstore.json"))?;
        Ok(json!({
            "what": "an approval: in-toto Statement in a DSSE envelope in a Sigstore bundle, signed with Ed25519",
            "page": "formats.md section 7",
            "bundle": text,
            "key": fs::read_to_string(self.folder.join("trust/alice.pub"))?,
            "release": self.release.claimed_digest(),
            "environment": self.release.environment,
        }))
    }
}

/// A predicate with one member that is another, or one more.
fn changed(of: &Value, member: &str, to: Value) -> Value {
    let mut predicate = of.clone();
    predicate.as_object_mut().and_then(|members| members.insert(member.to_owned(), to));
    predicate
}

/// A predicate without one of its members.
fn without(of: &Value, member: &str) -> Value {
    let mut predicate = of.clone();
    predicate.as_object_mut().and_then(|members| members.remove(member));
    predicate
}

/// Predicates of our own, sound and not: what each is, its type, and itself.
fn cases_of_predicates(approval: &Value) -> Vec<(&'static str, &'static str, Value)> {
    let break_glass = json!({"environment": "production", "rules": ["freeze"], "ticket": "INC-7",
        "reason": "checkout is down", "createdAt": "2026-03-02T11:00:00Z", "expiresAt": "2026-03-02T13:00:00Z"});
    let waiver = json!({"rule": "no-critical-vulnerabilities", "environment": "production", "owner": "security",
        "reason": "not reachable", "ticket": "SEC-12",
        "createdAt": "2026-03-02T11:00:00Z", "expiresAt": "2026-03-09T11:00:00Z"});
    let source = json!({"repository": "https://github.com/acme/payments", "commit": "4f1c".repeat(10),
        "authors": ["github:alice", "github:bob"], "committer": "github:alice"});
    vec![
        ("an approval", approval::TYPE, approval.clone()),
        ("a rejection", approval::TYPE, changed(approval, "decision", json!("rejected"))),
        ("a role narrows", approval::TYPE, changed(approval, "role", json!("sre"))),
        ("on behalf of somebody", approval::TYPE, changed(approval, "onBehalfOf", json!("github:alice"))),
        (
            "any offset of time",
            approval::TYPE,
            changed(approval, "createdAt", json!("2026-03-02T12:00:00.5+01:00")),
        ),
        ("another word than the two", approval::TYPE, changed(approval, "decision", json!("yes"))),
        ("an unknown member", approval::TYPE, changed(approval, "environments", json!(["staging"]))),
        ("a member that is null", approval::TYPE, changed(approval, "role", Value::Null)),
        ("a member of another type", approval::TYPE, changed(approval, "expiresAt", json!(1_772_535_600))),
        ("a space for the T", approval::TYPE, changed(approval, "createdAt", json!("2026-03-02 11:00:00Z"))),
        ("no end", approval::TYPE, without(approval, "expiresAt")),
        ("an override", break_glass::TYPE, break_glass.clone()),
        ("an override of nothing", break_glass::TYPE, changed(&break_glass, "rules", json!([]))),
        ("an override without a ticket", break_glass::TYPE, changed(&break_glass, "ticket", json!(""))),
        ("an approval offered as an override", break_glass::TYPE, approval.clone()),
        ("a waiver", waiver::TYPE, waiver.clone()),
        ("a waiver of nobody", waiver::TYPE, without(&waiver, "owner")),
        ("a waiver for ever", waiver::TYPE, without(&waiver, "expiresAt")),
        ("a waiver of several rules", waiver::TYPE, changed(&waiver, "rule", json!(["a", "b"]))),
        ("authors", source::TYPE, source.clone()),
        ("a commit without authors", source::TYPE, changed(&source, "authors", json!([]))),
        ("an author without a scheme", source::TYPE, changed(&source, "committer", json!("alice"))),
    ]
}

/// Statements of our own predicates, each with the verdict of a reader and the reason for it.
fn predicates() -> Result<Value> {
    let approval = json!({"decision": "approved", "environment": "production",
        "createdAt": "2026-03-02T11:00:00Z", "expiresAt": "2026-03-03T11:00:00Z"});
    let key = key()?;
    let subject = statement::subject("payments", &Digest::of_bytes(b"a release").claim());
    let mut vectors = Vec::new();
    for (name, predicate_type, predicate) in cases_of_predicates(&approval) {
        let text =
            json::canonical(&statement::attest(std::slice::from_ref(&subject), predicate_type, predicate));
        vectors.push(case_of(name, &text, &key)?);
    }
    // What no value can say: a member twice.
    let twice = String::from_utf8(json::canonical(&statement::attest(&[subject], approval::TYPE, approval)))?;
    let twice = twice.replace(r#""decision":"approved""#, r#""decision":"rejected","decision":"approved""#);
    vectors.push(case_of("a member twice", twice.as_bytes(), &key)?);
    Ok(json!({
        "what": "statements of the project's own predicates, signed with Ed25519, and what a reader makes of each",
        "page": "docs/predicates.md", "key": key.public().to_pem(), "cases": vectors,
    }))
}

/// One statement, its pre-authentication encoding, signature and verdict.
fn case_of(name: &str, text: &[u8], key: &SecretKey) -> Result<Value> {
    let encoded = pae(PAYLOAD_TYPE, text);
    Ok(json!({
        "name": name, "statement": std::str::from_utf8(text)?, "pae": STANDARD.encode(&encoded),
        "signature": STANDARD.encode(key.sign(&encoded)?),
        "verdict": if is_read(text) { "accepted" } else { "refused" },
    }))
}

fn is_read(text: &[u8]) -> bool {
    let Ok(statement) = Statement::read(text) else { return false };
    match statement.predicate_type.as_str() {
        approval::TYPE => Approval::read(&statement.predicate).is_ok(),
        break_glass::TYPE => BreakGlass::read(&statement.predicate).is_ok(),
        waiver::TYPE => Waiver::read(&statement.predicate).is_ok(),
        source::TYPE => Authorship::read(&statement.predicate).is_ok(),
        _ => false,
    }
}

/// The summary of the allow, as `deploy --vsa` would sign it.
fn summary(plan: &Plan) -> Result<Value> {
    let (report, entry) = (plan.approved().report(), plan.approved().reference());
    let artifacts = report.release.artifacts.iter();
    let summary = Summary {
        subjects: artifacts.map(|one| statement::subject(&one.name, &one.digest)).collect(),
        origin: entry.origin.clone(),
        log_id: entry.log_id.clone(),
        index: entry.index,
        time: report.now,
        resource_uri: resource_uri(
            &report.release.environment,
            &report.release.name,
            &report.release.version,
        ),
        policy_sets: report.policy.sets.iter().map(|set| (set.name.clone(), set.version)).collect(),
        policy: report.policy.digest.claim(),
        inputs: plan.approved().report().approvals.iter().map(|one| one.evidence.claim()).collect(),
        build_level: 3,
    };
    let key = key()?;
    let bundle = laforge::signing::statement_bundle(&summary.verification_summary(), &key)?;
    Ok(json!({
        "what": "a SLSA verification summary of an allow, in a Sigstore bundle, signed with Ed25519",
        "page": "docs/predicates.md", "bundle": String::from_utf8(bundle)?, "key": key.public().to_pem(),
        "expect": {
            "verifier": format!("https://{}", entry.origin), "resourceUri": summary.resource_uri,
            "level": "SLSA_BUILD_LEVEL_3", "policy": summary.policy,
            "subjects": summary.subjects.iter().map(|it| it.digest.get("sha256")).collect::<Vec<_>>(),
        },
    }))
}

/// A value that is hashed in its RFC 8785 form.
fn hashed(what: &str, page: &str, canonical: &[u8]) -> Result<Value> {
    Ok(json!({
        "what": what,
        "page": page,
        "value": json::parse(canonical)?,
        "canonical": std::str::from_utf8(canonical)?,
        "digest": Digest::of_bytes(canonical),
    }))
}

/// The log itself: lines, tree, checkpoints, journal, proof, envelope.
fn log_vectors(log: &Path, reader: &Reader, plan: &Plan) -> Result<BTreeMap<&'static str, Value>> {
    let segment = "00000000000000000000.jsonl";
    let mut lines = Vec::new();
    for line in reader.lines() {
        let line = line?;
        lines.push(json!({"line": String::from_utf8(line.bytes.clone())?, "leaf": line.leaf()}));
    }
    let journal = fs::read_to_string(log.join("journal").join(segment))?;
    let (vkey, head) = (reader.vkey().to_string(), reader.head());
    let approved = plan.approved();
    let line = std::str::from_utf8(approved.line())?;
    Ok(BTreeMap::from([
        (
            "entries.json",
            json!({
                "what": "a log's lines, each with its leaf hash; logId is the first",
                "page": "audit-log.md 1.3", "logId": reader.log_id(), "entries": lines, "root": head.root,
            }),
        ),
        (
            "checkpoint.json",
            json!({
                "what": "a checkpoint: a note signed with the log's Ed25519 key",
                "page": "audit-log.md 1.3", "note": reader.checkpoint(), "vkey": vkey,
                "size": head.size, "root": head.root,
            }),
        ),
        (
            "journal.json",
            json!({
                "what": "the records of the checkpoint journal, over the lines of entries.json",
                "page": "audit-log.md 1.4", "vkey": vkey, "records": journal.lines().collect::<Vec<_>>(),
            }),
        ),
        (
            "tlog-proof.json",
            json!({
                "what": "the inclusion proof of an entry in the checkpoint that its own commit signed",
                "page": "formats.md section 8", "proof": plan.proof(), "line": line, "vkey": vkey,
            }),
        ),
        (
            "envelope.json",
            json!({
                "what": "a plan as `deploy` prints it, and the pins that it is held against",
                "page": "formats.md section 8", "envelope": String::from_utf8(plan.envelope())?, "vkey": vkey,
                "logId": reader.log_id(), "planDigest": approved.plan_digest(),
            }),
        ),
    ]))
}

/// What a decision hashes: release, trust, policies, facts, report, plan, request and idem.
fn decision_vectors(
    case: &Case,
    reader: &Reader,
    decision: &DecisionEntry,
    plan: &Plan,
) -> Result<BTreeMap<&'static str, Value>> {
    let blob = |digest: &ClaimedDigest| -> Result<Vec<u8>> {
        Ok(reader.blob(digest)?.ok_or_else(|| format!("no blob {digest}"))?)
    };
    let facts = decision.facts.as_ref().ok_or("no facts")?;
    let sets: Vec<&PolicySet> = case.standard.policies.sets().collect();
    let configured = sets.first().ok_or("no policy set")?;
    let mut set = hashed("the manifest of a policy set", "formats.md section 3", configured.manifest())?;
    if let Some(members) = set.as_object_mut() {
        let mut files = Map::new();
        for file in configured.files() {
            files.insert(file.path.clone(), Value::String(String::from_utf8(file.bytes.clone())?));
        }
        members.insert("files".to_owned(), Value::Object(files));
    }
    let mut digests: Vec<String> = sets.iter().map(|set| set.digest().to_string()).collect();
    digests.sort();
    let policy = json!({"_type": "https://laforge.dev/policy-sets/v1", "sets": digests});
    let core = json::parse(plan.approved().core())?;
    let (request, idem) = asked(case, decision, &core)?;
    let section_9 = "formats.md section 9";
    let vectors = BTreeMap::from([
        (
            "release.json",
            hashed("a release: what approvals sign", "formats.md section 1", &release(&case.release))?,
        ),
        ("trust.json", hashed("trust", "formats.md section 2", case.standard.trust.canonical())?),
        ("policy-set.json", set),
        (
            "policy.json",
            hashed("the policy sets of a decision", "formats.md section 3", &json::canonical(&policy))?,
        ),
        ("facts.json", hashed("the facts of a decision", section_9, &blob(&facts.digest)?)?),
        ("report.json", hashed("the report of a decision", section_9, &blob(&decision.report.digest)?)?),
        ("plan.json", hashed("a plan core", "formats.md section 8", plan.approved().core())?),
        ("request.json", hashed("what was asked", section_9, &json::canonical(&request))?),
        ("idem.json", hashed("all that was asked and read", section_9, &json::canonical(&idem))?),
    ]);
    let recorded = [
        ("release.json", decision.release.digest.as_ref()),
        ("trust.json", Some(&decision.trust.digest)),
        ("policy.json", Some(&decision.policy.digest)),
        ("facts.json", Some(&facts.digest)),
        ("plan.json", decision.plan.as_ref().map(|plan| &plan.digest)),
        ("idem.json", Some(&decision.idem)),
    ];
    // A vector that is put together here has to be what the gate recorded.
    for (name, digest) in recorded {
        let made = vectors.get(name).and_then(|vector| vector.get("digest"));
        if made != digest.map(|digest| json!(digest)).as_ref() {
            return Err(format!("{name} is not what was recorded").into());
        }
    }
    Ok(vectors)
}

/// The release as `formats.md` section 1 lays it down.
fn release(release: &Release) -> Vec<u8> {
    let named = |artifacts: &[laforge::release::Artifact]| {
        let mut list: Vec<_> = artifacts.iter().map(|one| (one.name.clone(), one.digest.clone())).collect();
        list.sort();
        list.into_iter().map(|(name, digest)| json!({"name": name, "digest": digest})).collect::<Vec<_>>()
    };
    json::canonical(&json!({
        "_type": "https://laforge.dev/release/v1",
        "name": release.name, "version": release.version, "environment": release.environment,
        "source": release.source, "artifacts": named(&release.artifacts), "config": named(&release.config),
    }))
}

/// `request` and `idem` of a decision.
fn asked(case: &Case, decision: &DecisionEntry, core: &Value) -> Result<(Value, Value)> {
    let ttl = case.config.rollout(&RolloutFlags::default())?.ttl();
    let mut draft = core.as_object().cloned().unwrap_or_default();
    for decided in ["_type", "mode", "verification", "validity"] {
        draft.remove(decided);
    }
    let request = json!({
        "_type": laforge::plan::REQUEST_TYPE, "mode": decision.mode, "ttlSeconds": ttl.num_seconds(), "draft": draft,
    });
    let inputs: Vec<_> = decision.inputs.iter().map(|input| &input.digest).collect();
    let idem = json!({
        "_type": "https://laforge.dev/idem/v1",
        "release": decision.release.digest, "policy": decision.policy.digest, "trust": case.standard.trust.digest(),
        "request": Digest::of_value(&request), "inputs": inputs,
    });
    Ok((request, idem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors")
    }

    #[test]
    fn the_vectors_in_the_repository_are_what_this_makes() {
        if option_env!("LAFORGE_COMMIT").is_some() {
            eprintln!("skipped: entries of a release build name its commit");
            return;
        }
        let genesis = json::parse(&fs::read(folder().join("genesis.json")).unwrap()).unwrap();
        for (name, vector) in vectors(Path::new(env!("CARGO_MANIFEST_DIR")), &genesis).unwrap() {
            let there = fs::read(folder().join(name)).unwrap();
            assert!(there == pretty(&vector).unwrap(), "{name} differs");
        }
    }

    #[test]
    fn python_that_shares_no_code_agrees_with_every_vector() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors.py");
        let run = std::process::Command::new("python3").arg(script).arg(folder()).output();
        let Ok(run) = run else {
            eprintln!("skipped: there is no python3");
            return;
        };
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}{said}", String::from_utf8_lossy(&run.stdout));
    }
}
