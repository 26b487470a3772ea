//! What haproxy says, read strictly; and the order of two commands. Real ones: `tests/real_parts`.

use proptest::prelude::*;

use super::*;

#[test]
fn a_weight_is_what_haproxy_writes_and_nothing_else() {
    let read = ["20 (initial 0)", "256 (initial 100)", "0 (initial 1)"].map(weight);
    assert_eq!(read, [Some(20), Some(256), Some(0)]);
    for other in [
        "",
        "20",
        "20 ",
        "No such server.",
        "257 (initial 0)",
        "20% (initial 0)",
        "-1 (initial 0)",
        "+1 (initial 0)",
        "20 (initial 0",
        "20 (initial x)",
        "20 (initial 0) ",
        "0020 (initial 0)",
    ] {
        assert_eq!(weight(other), None, "{other}");
    }
}

#[test]
fn a_name_that_ends_a_command_is_refused() {
    let section = |backend: &str| HaproxySection {
        socket: "/run/haproxy.sock".to_owned(),
        backend: backend.to_owned(),
        state_file: None,
    };
    let servers = |candidate: &str| Backends { stable: "blue".to_owned(), candidate: candidate.to_owned() };
    assert!(Haproxy::new(&section("app"), servers("green.1:a_b-c"), TIMEOUT).is_ok());
    for (backend, candidate, said) in [
        ("app", "x; disable server app/blue", "`x; disable server app/blue` can't be a server"),
        ("app", "", "`` can't be a server"),
        ("app/x", "green", "`app/x` can't be the backend"),
        ("app\nshow", "green", "`app show` can't be the backend"),
    ] {
        let refused = Haproxy::new(&section(backend), servers(candidate), TIMEOUT).unwrap_err().to_string();
        assert!(refused.starts_with(said), "{refused}");
    }
}

/// The shares, in order: before, between and after.
fn course(now: Weights, wanted: Weights) -> [Weights; 3] {
    let between = match now.candidate_goes_first(wanted) {
        true => Weights { candidate: wanted.candidate, ..now },
        false => Weights { stable: wanted.stable, ..now },
    };
    [now, between, wanted]
}

proptest! {
    #[test]
    fn between_two_commands_nobody_has_nothing_and_the_candidate_not_too_much(
        candidate in 0_u64..=256,
        stable in 0_u64..=256,
        percent in 0_u64..=100,
    ) {
        prop_assume!(candidate + stable > 0);
        let now = Weights { candidate, stable };
        let [_, between, wanted] = course(now, Weights { candidate: percent, stable: 100 - percent });
        prop_assert!(between.candidate + between.stable > 0);
        prop_assert!(between.is_at_most(now) || between.is_at_most(wanted), "{between:?}");
    }
}
