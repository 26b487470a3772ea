//! Steps 4 to 9: whether the line allows this plan, and it may be started here, now, once.

use super::*;
use crate::release::digest::ClaimedDigest;
use crate::rollout::log_policy::tests::Cosigner;

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
