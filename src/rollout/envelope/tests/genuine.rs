//! Steps 0 to 3: whether the envelope is sound, and a pinned gate's log holds its line.

use super::*;
use crate::audit::note;
use crate::key::Algorithm;

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
fn a_gate_with_a_key_that_signs_no_notes_signs_nothing() {
    let mut world = World::new();
    world.gates[0].key = SecretKey::generate(Algorithm::EcdsaP256).unwrap().public().clone();
    assert_refused(world.refusal(), 3, "no gate that trust pins");
}
