//! One refusal per way to fail, by the step that finds it, over a log built here line by line.

use serde_json::{Value, json};

use super::*;
use crate::audit::note;
use crate::audit::tree::Hash;
use crate::key::Algorithm;
use crate::key::secret::SecretKey;
use crate::release::digest::ClaimedDigest;
use crate::rollout::log_policy::tests::Cosigner;
use crate::rollout::promotion;
use crate::rollout::schema;
use crate::time;

const PAGE: &str = include_str!("../../../fixtures/vectors/plan-example.json");
const ORIGIN: &str = "gitops.example.com/laforge/production";

/// A log that a gate signs, and the plan that one of its entries allows.
struct World {
    key: SecretKey,
    core: Value,
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
    fn new() -> Self {
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

    fn envelope(&self) -> Vec<u8> {
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
    fn with_core(mut self, path: &str, value: Value) -> Self {
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

    fn accept(&self, envelope: &[u8]) -> Result<AcceptedPlan, AcceptError> {
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
fn step_0_refuses_what_is_no_envelope_or_no_sound_core() {
    let world = World::new();
    let text = String::from_utf8(world.envelope()).unwrap();
    for wrong in [
        format!("{text}{{}}"),
        format!("\u{feff}{text}"),
        text.replacen("{\"auditEntry\"", "{\"more\":1,\"auditEntry\"", 1),
        text.replacen("\"mode\":\"enforce\"", "\"mode\":\"enforce\",\"mode\":\"enforce\"", 1),
        text.replacen("\"payloadType\"", "\"payload\"", 1),
        text.replacen("\"logId\":\"sha256:", "\"logId\":\"sha512:", 1),
    ] {
        assert_refused(said(world.accept(wrong.as_bytes())), 0, "not an envelope");
    }
    let other = world.edited("/payloadType", json!("application/json"));
    assert_refused(said(world.accept(&other)), 0, "`application/json`");
    for (path, value, words) in [
        ("/plan/_type", json!("https://laforge.dev/rollout-plan/v2"), "not a plan core"),
        ("/plan/kind", json!("RolloutPlanPreview"), "not a plan core"),
        ("/plan/deploys", json!([]), "contradicts itself"),
        ("/plan/subject/0/image", json!(null), "a null"),
        ("/plan/objectives/0/minSamples", json!(500.5), "whole one below 2^53"),
        ("/plan/objectives/0/minSamples", json!(9_007_199_254_740_992_u64), "whole one below 2^53"),
        ("/plan/objectives/0/minSamples", json!(-1), "whole one below 2^53"),
    ] {
        assert_refused(said(world.accept(&world.edited(path, value))), 0, words);
    }
    let preview = crate::plan::PlanDraft::preview(
        &crate::plan::RolloutRequest::of(None, &crate::plan::RolloutFlags::default()).unwrap(),
    );
    assert_refused(said(world.accept(&json::canonical(&preview))), 0, "not an envelope");
    assert_refused(said(world.accept(&json::canonical(&world.core))), 0, "not an envelope");
}

#[test]
fn step_1_refuses_an_edited_plan() {
    let world = World::new();
    let edited = world.edited("/plan/subject/0/digest/sha256", json!("5".repeat(64)));
    assert_refused(said(world.accept(&edited)), 1, "the plan has digest sha256:");
    let claimed = world.edited("/planDigest", json!(digest('5')));
    assert_refused(said(world.accept(&claimed)), 1, &digest('5'));
}

#[test]
fn step_2_refuses_another_entry_place_or_tree() {
    let world = World::new();
    for (path, value, words) in [
        ("/auditEntry/index", json!(3), "`index`"),
        ("/auditEntry/size", json!(8), "`size`"),
        ("/auditEntry/root", json!(digest('5')), "`root`"),
        ("/auditEntry/line", json!(world.lines[3]), "not in the log's tree"),
        ("/auditEntry/line", json!(format!("{} ", world.lines[6])), "not in the log's tree"),
        ("/proof", json!("c2sp.org/tlog-proof@v1\n"), "log proof can't be read"),
        ("/proof", json!("c2sp.org/tlog-proof@v1\nindex 6\n\nno note"), "no checkpoint"),
    ] {
        assert_refused(said(world.accept(&world.edited(path, value))), 2, words);
    }
    let mut proof = world.proof(world.note());
    proof.index = 3;
    assert_refused(
        said(world.accept(&world.edited("/proof", json!(proof.to_string())))),
        2,
        "not in the log's tree",
    );
    let mut proof = world.proof(world.note());
    proof.hashes.reverse();
    assert_refused(
        said(world.accept(&world.edited("/proof", json!(proof.to_string())))),
        2,
        "not in the log's tree",
    );
    let moved = World::new().with_entry("/seq", json!(5));
    assert_refused(moved.refusal(), 2, "`index`");
}

#[test]
fn step_3_refuses_keys_that_are_not_pinned_or_are_revoked() {
    let mut world = World::new();
    let genuine = world.note();
    let (kept, digits) = genuine.split_at(genuine.len() - 10);
    let other = if digits.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{kept}{other}{}", &digits[1..]);
    assert_refused(said(world.accept(&world.envelope_with(forged))), 3, "no gate that trust pins");

    let stranger = SecretKey::from_ed25519_seed(&[2; 32]).unwrap();
    let signed = world.checkpoint().sign(&stranger).unwrap();
    assert_refused(said(world.accept(&world.envelope_with(signed))), 3, "no gate that trust pins");

    let since = time::parse("2030-01-01T00:00:00Z").unwrap();
    let who = Revoked::Key(world.key.public().id());
    world.revoked.push(Revocation { who, since, reason: "leaked".into() });
    assert_refused(world.refusal(), 3, "the key of gate `prod` is revoked");
}

#[test]
fn step_3_refuses_another_origin_or_log() {
    let mut world = World::new();
    let named = Checkpoint { origin: "elsewhere.example/log".into(), ..world.checkpoint() };
    let borrowed = note::sign(&named.text(), ORIGIN, &world.key).unwrap();
    assert_refused(said(world.accept(&world.envelope_with(borrowed))), 3, "pinned with another `origin`");
    let own = named.sign(&world.key).unwrap();
    assert_refused(said(world.accept(&world.envelope_with(own))), 3, "of `elsewhere.example/log`");
    let claimed = world.edited("/auditEntry/origin", json!("elsewhere.example/log"));
    assert_refused(said(world.accept(&claimed)), 3, "pinned with another `origin`");
    let claimed = world.edited("/auditEntry/logId", json!(digest('5')));
    assert_refused(said(world.accept(&claimed)), 3, "pinned with another `logId`");
    world.gates.clear();
    let empty = World::new();
    let unpinned = Envelope::parse(&empty.envelope()).unwrap().accept(&world.acceptance());
    assert_refused(said(unpinned), 3, "no gate that trust pins");
}

#[test]
fn step_3_takes_either_key_of_a_rotated_gate() {
    let mut world = World::new();
    let next = SecretKey::from_ed25519_seed(&[3; 32]).unwrap();
    let second = Gate {
        name: "prod-2".into(),
        key: next.public().clone(),
        origin: ORIGIN.into(),
        log_id: world.gates[0].log_id.clone(),
        environments: vec!["production".into()],
        policy_digests: None,
        trust_digests: None,
    };
    world.gates.push(second);
    let by_next = world.checkpoint().sign(&next).unwrap();
    assert_eq!(world.accept(&world.envelope_with(by_next.clone())).unwrap().proven().gate(), "prod-2");
    let line = by_next.lines().last().unwrap();
    let by_both = format!("{}{line}\n", world.note());
    let who = Revoked::Key(world.key.public().id());
    world.revoked.push(Revocation { who, since: world.now, reason: "rotated".into() });
    assert_eq!(world.accept(&world.envelope_with(by_both)).unwrap().proven().gate(), "prod-2");
}

#[test]
fn step_4_refuses_entries_that_allow_nothing() {
    let mut world = World::new();
    world.lines[6] = heartbeat(6).to_string();
    assert_refused(world.refusal(), 4, "type `heartbeat`");
    for (path, value) in [("/action", json!("deny")), ("/action", json!("none")), ("/mode", json!("dry-run"))]
    {
        assert_refused(World::new().with_entry(path, value).refusal(), 4, "allows no rollout");
    }
    let mut unknown = heartbeat(6);
    unknown["type"] = json!("decision.v2");
    let mut world = World::new();
    world.lines[6] = unknown.to_string();
    assert_refused(world.refusal(), 4, "type `decision.v2`");
}

#[test]
fn step_4_refuses_the_line_of_another_plan_release_or_rule() {
    for (path, value, member) in [
        ("/plan/digest", json!(digest('5')), "plan"),
        ("/plan/size", json!(1), "plan"),
        ("/release/digest", json!(digest('5')), "release"),
        ("/release/environment", json!("staging"), "environment"),
        ("/policy/digest", json!(digest('5')), "policy"),
        ("/trust/digest", json!(digest('5')), "trust"),
        ("/facts/digest", json!(digest('5')), "facts"),
        ("/verdict", json!("fail"), "verdict"),
        ("/mode", json!("break-glass"), "mode"),
    ] {
        assert_refused(
            World::new().with_entry(path, value).refusal(),
            4,
            &format!("`{member}` is not the plan's"),
        );
    }
    assert_refused(World::new().with_entry("/prev", json!("x")).refusal(), 4, "line can't be read");
    let mut world = World::new();
    world.lines[6] = world.lines[6].replacen("\"action\"", "\"more\":1,\"action\"", 1);
    assert_refused(world.refusal(), 4, "line can't be read");
}

#[test]
fn step_5_refuses_what_the_gate_is_not_pinned_to() {
    let staging = World::new().with_core("/release/environment", json!("staging"));
    assert_refused(staging.refusal(), 5, "may not decide for environment `staging`");
    let pins = |digit| Some(vec![digest('5').parse().unwrap(), digest(digit).parse().unwrap()]);
    let mut world = World::new();
    world.gates[0].policy_digests = pins('a');
    world.gates[0].trust_digests = pins('b');
    drop(world.accept(&world.envelope()).unwrap());
    world.gates[0].trust_digests = pins('a');
    assert_refused(world.refusal(), 5, "under a trust that gate `prod` is not pinned to");
    world.gates[0].policy_digests = pins('b');
    assert_refused(world.refusal(), 5, "under a policy that gate `prod` is not pinned to");
    world.gates[0].policy_digests = Some(Vec::new());
    assert_refused(world.refusal(), 5, "under a policy");
}

fn accept_with_own(world: &World, own: &World, log_id: &ClaimedDigest) -> Result<Anchoring, AcceptError> {
    let own_log = OwnLog { origin: ORIGIN.into(), log_id: log_id.clone(), leaves: own.leaves() };
    let unanchored = Unanchored::Refuse;
    let acceptance = Acceptance { own_log: Some(&own_log), unanchored, ..world.acceptance() };
    let accepted = Envelope::parse(&world.envelope())?.accept(&acceptance)?;
    Ok(accepted.proven().anchoring())
}

#[test]
fn step_6_takes_the_own_log_when_it_goes_on_from_the_checkpoint() {
    let world = World::new();
    let log_id = world.gates[0].log_id.clone();
    assert_eq!(accept_with_own(&world, &world, &log_id).unwrap(), Anchoring::OwnLog);
    let mut exact = World::new();
    exact.lines.truncate(7);
    assert_eq!(accept_with_own(&world, &exact, &log_id).unwrap(), Anchoring::OwnLog);
}

#[test]
fn step_6_refuses_a_fork_even_where_unanchored_plans_are_taken() {
    let world = World::new();
    let log_id = world.gates[0].log_id.clone();
    let mut forks = Vec::new();
    for (line, words) in [(6, "`leaf`"), (2, "`root`")] {
        let mut own = World::new();
        own.lines[line] = heartbeat(40).to_string();
        forks.push((own, words));
    }
    for (own, words) in forks {
        assert_refused(said(accept_with_own(&world, &own, &log_id)), 6, words);
        let own_log = OwnLog { origin: ORIGIN.into(), log_id: log_id.clone(), leaves: own.leaves() };
        let acceptance = Acceptance { own_log: Some(&own_log), ..world.acceptance() };
        let accepted = Envelope::parse(&world.envelope()).unwrap().accept(&acceptance);
        assert_refused(said(accepted), 6, "the log was forked");
    }
    assert_refused(said(accept_with_own(&world, &world, &digest('5').parse().unwrap())), 6, "`logId`");
}

#[test]
fn step_6_refuses_what_nothing_anchors() {
    let world = World::new();
    let alone = Acceptance { unanchored: Unanchored::Refuse, ..world.acceptance() };
    assert_refused(said(Envelope::parse(&world.envelope()).unwrap().accept(&alone)), 6, "not excluded");
    let mut behind = World::new();
    behind.lines.truncate(4);
    let log_id = world.gates[0].log_id.clone();
    assert_refused(said(accept_with_own(&world, &behind, &log_id)), 6, "has 4 entries, fewer than the 7");
    let log_id = digest('5').parse().unwrap();
    let own_log = OwnLog { origin: "executor.example/log".into(), log_id, leaves: world.leaves() };
    let another = Acceptance { own_log: Some(&own_log), ..alone };
    assert_refused(said(Envelope::parse(&world.envelope()).unwrap().accept(&another)), 6, "not excluded");
}

#[test]
fn step_6_takes_a_quorum_of_witnesses() {
    let world = World::new();
    let (alice, bob) = (Cosigner::new("w1.example", 11), Cosigner::new("w2.example", 12));
    let log = VerifierKey::new(ORIGIN, world.key.public()).unwrap();
    let policy = |quorum: &str| {
        LogPolicy::parse(&format!(
            "log {log}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum {quorum}\n",
            alice.vkey(),
            bob.vkey()
        ))
        .unwrap()
    };
    let cosigned = format!("{}{}", world.note(), alice.line(&world.checkpoint().text(), 1_700_000_000));
    let envelope = world.envelope_with(cosigned);
    let accept = |policy: &LogPolicy| {
        let acceptance =
            Acceptance { log_policy: Some(policy), unanchored: Unanchored::Refuse, ..world.acceptance() };
        let accepted = Envelope::parse(&envelope)?.accept(&acceptance)?;
        Ok(accepted.proven().anchoring())
    };
    assert_eq!(accept(&policy("a")).unwrap(), Anchoring::Witnesses(1));
    assert_refused(said(accept(&policy("both"))), 6, "no quorum of witnesses");
    assert_refused(said(accept(&policy("none"))), 6, "no quorum of witnesses");
    let proven = |policy: &LogPolicy| {
        Envelope::parse(&envelope).unwrap().verify_proof(&world.gates, &world.revoked, Some(policy))
    };
    assert_eq!(proven(&policy("a")).unwrap().anchoring(), Anchoring::Witnesses(1));
    assert_refused(said(proven(&policy("both"))), 6, "no quorum of witnesses");
}

#[test]
fn step_7_refuses_before_and_after_and_leaves_a_restart_to_its_journal() {
    let mut world = World::new();
    for (now, words) in [
        ("2026-11-24T11:59:59Z", "may be started from 2026-11-24T12:00:00Z on"),
        ("2026-11-24T16:00:00Z", "ended at 2026-11-24T16:00:00Z"),
    ] {
        world.now = time::parse(now).unwrap();
        assert_refused(world.refusal(), 7, words);
        let open = Acceptance { journal: &|_| JournalState::Open, ..world.acceptance() };
        drop(Envelope::parse(&world.envelope()).unwrap().accept(&open).unwrap());
    }
    for now in ["2026-11-24T12:00:00Z", "2026-11-24T15:59:59Z"] {
        world.now = time::parse(now).unwrap();
        drop(world.accept(&world.envelope()).unwrap());
    }
}

#[test]
fn step_8_refuses_another_target_or_environment() {
    let world = World::new();
    let elsewhere = Acceptance { target: "staging", ..world.acceptance() };
    let refused = Envelope::parse(&world.envelope()).unwrap().accept(&elsewhere);
    assert_refused(said(refused), 8, "for target `production`, this executor for `staging`");
    let elsewhere = Acceptance { environment: "staging", ..world.acceptance() };
    let refused = Envelope::parse(&world.envelope()).unwrap().accept(&elsewhere);
    assert_refused(said(refused), 8, "for environment `production`");
}

#[test]
fn step_9_refuses_a_plan_that_was_run_to_its_end() {
    let world = World::new();
    let own: Digest = Digest::of_value(&world.core);
    let journal = |plan: &Digest| if *plan == own { JournalState::Ended } else { JournalState::Absent };
    let ended = Acceptance { journal: &journal, ..world.acceptance() };
    assert_refused(said(Envelope::parse(&world.envelope()).unwrap().accept(&ended)), 9, "to its end");
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
fn a_gate_with_a_key_that_signs_no_notes_signs_nothing() {
    let mut world = World::new();
    world.gates[0].key = SecretKey::generate(Algorithm::EcdsaP256).unwrap().public().clone();
    assert_refused(world.refusal(), 3, "no gate that trust pins");
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
