//! Attacks that this design itself invites.

use super::Attack;
use super::State::{Later, Partly, Tried};

/// Attacks that this design itself invites.
pub(super) const INVITED: &[Attack] = &[
    Attack {
        ids: "two things at once",
        what: "an artifact whose bytes are a PAE or a simple-signing payload; one key under two uses, names, people",
        state: Tried(&[
            "a_pae_signed_as_a_file",
            "denies-encoding-as-artifact",
            "denies-encoding-signed-as-file",
            "denies-simple-signing-payload-as-artifact",
            "an_artifact_without_end_and_one_that_is_padded_past_every_look",
            "one_key_under_two_uses_two_names_or_two_people",
        ]),
    },
    Attack {
        ids: "the command line",
        what: "`--trust` or `--policy` that would loosen; a key file swapped under the same trust",
        state: Tried(&[
            "trust_on_the_command_line_that_would_loosen",
            "a_policy_on_the_command_line_only_adds",
            "a_key_file_swapped_under_an_unchanged_trust",
            "a_configuration_on_the_command_line_that_would_loosen_is_seen",
        ]),
    },
    Attack {
        ids: "another root, another time",
        what: "somebody's certificate of another root; log entries stripped; time stamps removed; `--now`",
        state: Tried(&[
            "denies-identity-of-another-root",
            "denies-wrong-root",
            "denies-log-entry-taken-out",
            "denies-certificate-as-managed-key",
            "denies-approval-without-trusted-time",
            "now_on_the_command_line_gives_no_plan",
        ]),
    },
    Attack {
        ids: "a plan around something else",
        what: "the entry of a deny, of another release or environment; a longer life",
        state: Tried(&[
            "a_plan_wrapped_around_something_else",
            "a_preview_is_no_plan",
            "a_plan_for_an_environment_that_the_gate_may_not_decide_for",
            "a_plan_that_has_expired_is_not_given_again",
        ]),
    },
    Attack {
        ids: "a copied log",
        what: "a plan from a copy; a log of one's own",
        state: Partly(
            &[
                "an_allow_recorded_in_a_copy_of_the_configured_log",
                "a_log_of_the_attackers_own_beside_the_pinned_one",
                "the_gates_log_in_another_place_with_another_key",
                "remembers_heads_so_that_a_rollback_and_a_fork_are_noticed",
            ],
            "executors, and a plan replayed after its rollback, are not built yet",
        ),
    },
    Attack {
        ids: "`--ttl`, freezes",
        what: "`--ttl 87600h`; a deploy shortly before a freeze",
        state: Tried(&["a_ttl_beyond_a_day_is_refused_and_a_freeze_ends_a_plan"]),
    },
    Attack {
        ids: "break-glass, waivers",
        what: "ordinary approvals offered as break-glass; a waiver by the builder",
        state: Later("neither is built yet; both are refused by name"),
    },
    Attack {
        ids: "separation of duties",
        what: "an author unknown, an author by the builder, an actor who approves",
        state: Tried(&[
            "denies-author-unknown",
            "denies-author-by-builder",
            "denies-author-approves",
            "denies-author-not-in-trust",
            "denies-workflow-actor-approves",
            "denies-workflow-actor-unknown",
        ]),
    },
    Attack {
        ids: "an approved image with other surroundings",
        what: "another config; 100,000 junk files",
        state: Tried(&[
            "an_approved_image_with_another_config",
            "denies-approval-before-config-changed",
            "a_hundred_thousand_junk_files_are_a_recorded_deny",
        ]),
    },
    Attack {
        ids: "the log made again",
        what: "deleted and created with `--audit-init`",
        state: Tried(&["the_log_deleted_and_made_again_with_audit_init"]),
    },
    Attack {
        ids: "every byte, file, fixture, validity, thread",
        what: "each byte flipped, each file removed or another's, the clock moved past each validity, 1 to 8 threads",
        state: Tried(&[
            "no_byte_of_evidence_that_is_changed_gives_a_false_allow",
            "no_file_of_evidence_that_is_cut_doubled_or_emptied_gives_a_false_allow",
            "no_file_of_evidence_that_is_removed_gives_a_false_allow",
            "no_evidence_of_another_fixture_gives_a_false_allow",
            "the_clock_moved_past_every_validity_gives_no_false_allow",
            "no_fixture_with_approvals_is_allowed_once_all_of_them_have_ended",
            "any_number_of_threads_gives_the_same_bytes_of_a_decision",
            "bytes_of_evidence_flipped",
        ]),
    },
];
