//! A log built here line by line, and what is accepted of it.
//!
//! One refusal per way to fail, by the step that finds it: steps 0 to 3 in `genuine`, 4 to 9 in `applicable`.

use serde_json::{Value, json};

use super::*;
use crate::audit::tree::Hash;
use crate::key::secret::SecretKey;
use crate::rollout::promotion;
use crate::rollout::schema;
use crate::time;

mod applicable;
mod genuine;

const PAGE: &str = include_str!("../../../fixtures/vectors/plan-example.json");
const ORIGIN: &str = "gitops.example.com/laforge/production";

/// A log that a gate signs, and the plan that one of its entries allows.
pub(in crate::rollout) struct World {
    key: SecretKey,
    pub(in crate::rollout) core: Value,
    lines: Vec<String>,
    index: usize,
    gates: Vec<Gate>,
    revoked: Vec<Revocation>,
    now: Timestamp,
}

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn heartbeat(seq: usize) -> Value {
    json!({
        "_type": "https://laforge.dev/entry/v1", "seq": seq, "prev": digest('9'),
        "time": "2026-11-24T12:00:00.123456Z", "type": "heartbeat",
        "actor": {"id": "unknown", "type": "unknown", "verified": false}, "tool": {"version": "0.1.0"},
    })
}

/// The entry that allows a core, written without this program's types.
fn decision(seq: usize, core: &Value) -> Value {
    let canonical = json::canonical(core);
    let verification = &core["verification"];
    json!({
        "_type": "https://laforge.dev/entry/v1", "seq": seq, "prev": digest('9'),
        "time": "2026-11-24T12:00:00.123456Z", "type": "decision", "clock": "2026-11-24T12:00:00Z",
        "verdict": "pass", "action": "allow", "mode": core["mode"],
        "actor": {"id": "unknown", "type": "unknown", "verified": false},
        "release": {
            "name": core["release"]["name"], "version": core["release"]["version"],
            "environment": core["release"]["environment"], "digest": core["release"]["digest"],
            "source": {"repository": "r", "commit": "c", "ref": "refs/tags/v1"},
            "artifacts": [{"name": "runtime", "digest": digest('1')}],
        },
        "approvals": [], "findings": [], "inputs": [],
        "totals": {"artifacts": 1, "approvals": 0, "findings": 0, "inputs": 0},
        "policy": {"digest": verification["policyDigest"], "sets": []},
        "trust": {"digest": verification["trustDigest"]}, "facts": {"digest": verification["factsDigest"]},
        "report": {"digest": digest('7')},
        "plan": {"digest": Digest::of_bytes(&canonical).to_string(), "size": canonical.len()},
        "tool": {"version": "0.1.0"}, "idem": digest('8'),
    })
}

impl World {
    pub(in crate::rollout) fn new() -> Self {
        let core = serde_json::from_str::<Value>(PAGE).unwrap()["value"].take();
        let key = SecretKey::from_ed25519_seed(&[1; 32]).unwrap();
        let mut lines: Vec<String> = (0..9).map(|seq| heartbeat(seq).to_string()).collect();
        lines[6] = decision(6, &core).to_string();
        let log_id = tree::leaf_hash(lines[0].as_bytes()).to_string();
        let gate = Gate {
            name: "prod".into(),
            key: key.public().clone(),
            origin: ORIGIN.into(),
            log_id: log_id.parse().unwrap(),
            environments: vec!["production".into()],
            policy_digests: None,
            trust_digests: None,
        };
        let now = time::parse("2026-11-24T13:00:00Z").unwrap();
        Self { key, core, lines, index: 6, gates: vec![gate], revoked: Vec::new(), now }
    }

    fn leaves(&self) -> Vec<Hash> {
        self.lines.iter().map(|line| tree::leaf_hash(line.as_bytes())).collect()
    }

    /// The log's own commit of the entry: the tree that it completes.
    fn committed(&self) -> Vec<Hash> {
        self.leaves()[..=self.index].to_vec()
    }

    fn checkpoint(&self) -> Checkpoint {
        let leaves = self.committed();
        let head = tree::Head { size: leaves.len() as u64, root: tree::root(&leaves) };
        Checkpoint { origin: ORIGIN.into(), head }
    }

    fn note(&self) -> String {
        self.checkpoint().sign(&self.key).unwrap()
    }

    fn proof(&self, note: String) -> TlogProof {
        let hashes = tree::inclusion_proof(&self.committed(), self.index).unwrap();
        TlogProof { index: self.index as u64, extra: None, hashes, checkpoint: note }
    }

    fn reference(&self) -> LogReference {
        let head = self.checkpoint().head;
        LogReference {
            origin: ORIGIN.into(),
            log_id: self.gates[0].log_id.clone(),
            index: self.index as u64,
            size: head.size,
            root: head.root.to_string().parse().unwrap(),
        }
    }

    pub(in crate::rollout) fn envelope(&self) -> Vec<u8> {
        self.envelope_with(self.note())
    }

    fn envelope_with(&self, note: String) -> Vec<u8> {
        let core = json::canonical(&self.core);
        let digest = Digest::of_bytes(&core).to_string();
        let line = self.lines[self.index].as_bytes();
        promotion::envelope(&core, &digest, &self.reference(), line, &self.proof(note).to_string())
    }

    /// The envelope with one member replaced after everything was signed.
    fn edited(&self, path: &str, value: Value) -> Vec<u8> {
        let mut envelope: Value = json::parse(&self.envelope()).unwrap();
        *envelope.pointer_mut(path).unwrap() = value;
        json::canonical(&envelope)
    }

    /// The same log whose entry has one member replaced before it is hashed and signed.
    fn with_entry(mut self, path: &str, value: Value) -> Self {
        let mut line: Value = serde_json::from_str(&self.lines[self.index]).unwrap();
        *line.pointer_mut(path).unwrap() = value;
        self.lines[self.index] = line.to_string();
        self
    }

    /// The same log deciding another plan, entry and all.
    pub(in crate::rollout) fn with_core(mut self, path: &str, value: Value) -> Self {
        *self.core.pointer_mut(path).unwrap() = value;
        self.lines[self.index] = decision(self.index, &self.core).to_string();
        self
    }

    fn acceptance(&self) -> Acceptance<'_> {
        Acceptance {
            gates: &self.gates,
            revoked: &self.revoked,
            now: self.now,
            environment: "production",
            target: "production",
            own_log: None,
            log_policy: None,
            unanchored: Unanchored::Accept,
            journal: &|_| JournalState::Absent,
        }
    }

    pub(in crate::rollout) fn accept(&self, envelope: &[u8]) -> Result<AcceptedPlan, AcceptError> {
        Envelope::parse(envelope)?.accept(&self.acceptance())
    }

    fn refusal(&self) -> (u8, String) {
        said(self.accept(&self.envelope()))
    }
}

/// The step and the words of a refusal.
fn said<T: std::fmt::Debug>(result: Result<T, AcceptError>) -> (u8, String) {
    let error = result.unwrap_err();
    (error.step(), error.to_string())
}

#[track_caller]
fn assert_refused(refusal: (u8, String), step: u8, words: &str) {
    assert_eq!(refusal.0, step, "{}", refusal.1);
    assert!(refusal.1.contains(words), "{}", refusal.1);
}

#[test]
fn accepts_what_a_pinned_gate_recorded() {
    let world = World::new();
    let accepted = world.accept(&world.envelope()).unwrap();
    let proven = accepted.proven();
    assert_eq!(
        proven.digest().to_string(),
        "sha256:0f6a1e7de935d345f0e680c136f51f185888424d2fae1132a9ab0b107211cfa2"
    );
    assert_eq!((proven.gate(), proven.reference()), ("prod", &world.reference()));
    assert_eq!(proven.anchoring(), Anchoring::None);
    assert_eq!(json::canonical(proven.core()), json::canonical(&world.core));
}

#[test]
fn an_envelope_is_in_canonical_form_and_any_form_of_the_same_is_accepted() {
    let world = World::new();
    let envelope = world.envelope();
    let value = json::parse(&envelope).unwrap();
    assert_eq!(envelope, [json::canonical(&value).as_slice(), b"\n"].concat());
    assert_eq!(envelope, world.envelope());
    drop(world.accept(&serde_json::to_vec_pretty(&value).unwrap()).unwrap());
    let schema = serde_json::to_value(schema()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&value));
}

#[test]
fn verify_proof_takes_steps_1_to_5_alone() {
    let mut world = World::new();
    world.now = time::parse("2030-01-01T00:00:00Z").unwrap();
    let proven = Envelope::parse(&world.envelope()).unwrap().verify_proof(&world.gates, &[], None).unwrap();
    assert_eq!((proven.anchoring(), proven.gate()), (Anchoring::None, "prod"));
    world.gates[0].environments.clear();
    let refused = Envelope::parse(&world.envelope()).unwrap().verify_proof(&world.gates, &[], None);
    assert_refused(said(refused), 5, "may not decide");
}

#[test]
fn no_flipped_bit_of_an_envelope_is_accepted() {
    let world = World::new();
    let envelope = world.envelope();
    let sample = (0..envelope.len()).step_by(7);
    for at in sample {
        let mut flipped = envelope.clone();
        flipped[at] ^= 1 << (at % 7);
        if flipped.trim_ascii() != envelope.trim_ascii() {
            let accepted = world.accept(&flipped);
            assert!(accepted.is_err(), "byte {at}: {accepted:?}");
        }
    }
}
