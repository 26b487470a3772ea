//! Published flaws of this class, in the order of their list.

use super::Attack;
use super::State::{Later, Partly, Tried};

/// Rows of the list of published flaws.
pub(super) const PUBLISHED: &[Attack] = &[
    Attack {
        ids: "CVE-2026-22703 GHSA-whqx-f9j3-ch6m, CVE-2022-36056 GHSA-8gw7-4j42-w388, CVE-2022-23649 GHSA-ccxc-vr6p-4858, CVE-2024-53267, sigstore-rust#160",
        what: "a valid log entry of another signature",
        state: Tried(&[
            "every_log_entry_of_every_other_bundle_spliced_in",
            "denies-log-entry-of-another-signature",
            "denies-one-log-entry-good-and-one-bad",
        ]),
    },
    Attack {
        ids: "CVE-2026-48816, TOB-SIGSTORE-3",
        what: "`integratedTime` edited where nothing signs it",
        state: Tried(&["denies-log-time-that-nobody-signed", "denies-integrated-time-moved"]),
    },
    Attack {
        ids: "TOB-SIGSTORE-4, TOB-SIGSTORE-7, TOB-SIGSTORE-11",
        what: "a second time outside the certificate; a time from the future (of a stamp a minute is taken: clocks differ); a retired time stamp authority beside a live one",
        state: Tried(&[
            "denies-second-stamp-after-certificate-expired",
            "denies-log-time-from-the-future",
            "denies-stamp-of-retired-authority",
            "allows-stamp-of-authority-retired-since",
            "denies-stamp-over-another-signature",
        ]),
    },
    Attack {
        ids: "TOB-SIGSTORE-9, sigstore-rust#170",
        what: "a DSSE envelope of no signature, two, or one repeated",
        state: Tried(&[
            "a_bundle_of_no_signature_of_two_or_of_one_repeated",
            "envelopes_of_other_payload_types_with_more_signatures_or_more_members",
        ]),
    },
    Attack {
        ids: "CVE-2026-49834 GHSA-9vcr-p3rj-q5q6, sigstore-go#472",
        what: "entries of one log, or stamps of one authority, counted as several",
        state: Tried(&["one_log_or_one_time_stamp_counted_twice"]),
    },
    Attack {
        ids: "CVE-2020-15093 RUSTSEC-2020-0024, GHSA-pwqf-9h7j-7mv8, GHSA-3633-5h82-39pq",
        what: "one key or one person counted twice: a copied signature, two keys, a key and a certificate, a malleated signature",
        state: Tried(&[
            "one_person_approves_twice",
            "denies-one-person-with-two-keys",
            "denies-one-person-by-key-and-certificate",
            "an_ed25519_signature_with_another_s",
            "a_p256_signature_with_its_other_s_is_one_signers",
            "one_signature_in_two_encodings_is_one",
            "an_approval_in_other_base64_with_another_hint_is_the_same_persons",
            "one_key_under_two_uses_two_names_or_two_people",
            "refuses-key-under-two-names",
            "refuses-two-people-with-one-key",
        ]),
    },
    Attack {
        ids: "CVE-2026-54787 GHSA-wqqc-jjcq-vfxm",
        what: "signed outside the key's validity",
        state: Tried(&[
            "denies-stamped-after-key-ended",
            "denies-stamped-before-key-began",
            "denies-expired-key",
            "denies-key-not-yet-valid",
            "allows-signed-while-key-was-valid",
        ]),
    },
    Attack {
        ids: "CVE-2026-24122, cosign#4663",
        what: "an authority that expired before its certificate; a certificate without trusted time",
        state: Tried(&[
            "denies-authority-expired-before-its-certificate",
            "denies-unnamed-root-expired-before-its-certificate",
            "denies-neither-entry-nor-stamp",
            "denies-stamped-after-certificate-expired",
        ]),
    },
    Attack {
        ids: "GHSA-fx35-mq7g-6g98",
        what: "a bundle that carries its own key or authority",
        state: Tried(&["a_bundle_that_carries_its_own_key_or_authority"]),
    },
    Attack {
        ids: "CVE-2026-39395 GHSA-w6c6-c85g-mmv6, CVE-2022-35929 GHSA-vjxv-45g9-9296, GHSA-739f-hw6h-7wq8",
        what: "another predicate type, `_type` or payload type offered as the one wanted; malformed payloads",
        state: Tried(&[
            "statements_of_every_other_type_offered_as_provenance",
            "other_spellings_of_types_members_and_digests_in_signed_statements",
            "envelopes_of_other_payload_types_with_more_signatures_or_more_members",
            "denies-payload-of-another-type",
            "denies-malformed-predicate",
        ]),
    },
    Attack {
        ids: "CVE-2024-54140",
        what: "a checkpoint of another signature, root or origin",
        state: Tried(&[
            "a_checkpoint_of_another_signature_root_size_or_origin",
            "an_inclusion_proof_of_another_root_size_index_or_path",
            "denies-inclusion-proof-altered",
        ]),
    },
    Attack {
        ids: "GHSA-r2xv-vpr2-42m9",
        what: "one attestation of a set tampered with, its fields believed",
        state: Tried(&[
            "each_attestation_of_a_set_tampered_with_in_turn",
            "no_byte_of_evidence_that_is_changed_gives_a_false_allow",
        ]),
    },
    Attack {
        ids: "GHSA-5qp5-ph6r-qj9f",
        what: "a time stamp by a certificate without the sole critical use of stamping",
        state: Tried(&[
            "denies-stamp-of-another-instance",
            "denies-stamp-by-code-signing-certificate",
            "denies-stamp-by-certificate-of-two-uses",
            "denies-stamp-by-certificate-of-uncritical-use",
        ]),
    },
    Attack {
        ids: "GHSA-567m-4668-m656, GHSA-rgp5-33mp-jhfm, conforma/cli#1554",
        what: "an empty list of requirements passes",
        state: Tried(&[
            "requirements_that_ask_for_nothing",
            "no_policy_and_no_flag_is_a_recorded_deny",
            "refuses-empty-list",
            "refuses-empty-policies",
            "refuses-empty-requirement",
            "refuses-release-without-artifact",
        ]),
    },
    Attack {
        ids: "GHSA-r4fv-8r9j-vgcg",
        what: "of several of one type only the last is judged",
        state: Tried(&["good_and_bad_of_one_type_in_both_orders"]),
    },
    Attack {
        ids: "policy-controller#422, cosign#1233, in-toto/attestation#292",
        what: "one that matches is enough; a newer failing one is passed over; subjects of others beside ours",
        state: Tried(&[
            "every_one_has_to_hold_unless_the_latest_is_asked_for",
            "good_and_bad_of_one_type_in_both_orders",
            "a_subject_list_of_others_counts_for_ours_alone",
            "a_rejection_blocks_while_it_is_in_date",
            "denies-approval-taken-back",
            "an_environment_approval_counts_from_when_its_run_was_created",
        ]),
    },
    Attack {
        ids: "GHSA-g9jx-rqhm-mj7g, GHSA-c346-qp3r-53vf, GHSA-vmvj-p3hw-39q3",
        what: "a name that begins like the right one; the same result twice; materials that have nothing to do with the release",
        state: Tried(&[
            "names_that_begin_or_end_like_the_right_ones_or_differ_in_case",
            "provenance_of_another_commit_repository_or_builder",
            "denies-too-few-signatures",
            "denies-provenance-of-another-repository",
        ]),
    },
    Attack {
        ids: "GHSA-2v4r-xhmm-ghv8, CVE-2026-128036",
        what: "an unsigned policy where a signer is required; one bad file in a signed set",
        state: Later("signed policy sets are not built yet; digests pin sets"),
    },
    Attack {
        ids: "CVE-2026-44544, CVE-2026-128035",
        what: "an older policy that was valid once",
        state: Partly(
            &[
                "a_policy_set_rolled_back_to_a_lower_version",
                "a_version_that_a_planted_set_gave_denies_and_never_loosens",
                "a_second_set_of_the_same_name_and_a_set_behind_another_pin",
            ],
            "by version and pin; signed sets are not built yet",
        ),
    },
    Attack {
        ids: "GHSA-mpvw-hw8p-7x27",
        what: "an explicit empty constraint means anybody",
        state: Tried(&["constraints_that_are_empty_and_would_mean_anybody"]),
    },
    Attack {
        ids: "GHSA-pgpm-j729-qcvh",
        what: "digest sets of which a part is wrong, weak or unknown",
        state: Tried(&[
            "digest_sets_of_which_a_part_is_wrong_or_weak_or_of_unknown_algorithms",
            "refuses-upper-case-digest",
        ]),
    },
    Attack {
        ids: "GO-2025-3467, CVE-2025-25204 GHSA-fgw4-v983-mgp8",
        what: "exit 0 without evidence",
        state: Tried(&[
            "every_kind_of_evidence_missing_under_every_flag",
            "every_evidence_file_removed_in_turn",
            "no_file_of_evidence_that_is_removed_gives_a_false_allow",
            "a_registry_that_is_down_is_no_absence",
        ]),
    },
    Attack {
        ids: "CVE-2026-122321, CVE-2023-47630, CVE-2022-47633 GHSA-m3cq-xcx9-3gvm",
        what: "bytes or tags that change between check and use",
        state: Tried(&[
            "artifacts_and_evidence_swapped_while_the_gate_reads",
            "other_bytes_than_the_digest_deny",
            "other_bytes_the_second_time_change_nothing",
            "refuses-image-by-tag",
            "denies-wrong-byte-in-layer",
        ]),
    },
    Attack {
        ids: "kyverno#16336, kyverno#17173",
        what: "an old verdict for a new policy, environment or time",
        state: Tried(&[
            "an_old_allow_offered_for_a_new_policy_environment_or_time",
            "what_was_allowed_is_not_given_again_after_a_revocation_a_rejection_or_a_freeze",
            "what_was_denied_since_is_not_given_again_without_an_entry_of_its_own",
            "does_not_give_again_what_expired_ended_or_was_decided_otherwise",
        ]),
    },
    Attack {
        ids: "GO-2024-3230, CVE-2024-48921",
        what: "an exception by whom the policy is about",
        state: Later("waivers are not built yet, and refused by name"),
    },
    Attack {
        ids: "CVE-2026-48501 GHSA-8xvp-7hj6-mcj9",
        what: "credentials sent to another host; addresses inside evidence fetched",
        state: Tried(&[
            "addresses_inside_evidence_are_never_called",
            "shows_no_credentials_to_whoever_a_redirect_names",
            "shows_no_credentials_to_a_service_elsewhere",
            "follows_no_redirect_in_a_circle_or_away_from_security",
        ]),
    },
    Attack {
        ids: "CVE-2024-45395 GHSA-cq38-jh5f-37mq, CVE-2023-46737 GHSA-vfp6-jrw2-99g9, GHSA-88jx-383q-w4qc, GHSA-95pr-fxf5-86gv",
        what: "endless data",
        state: Tried(&[
            "more_log_entries_or_time_stamps_than_are_taken",
            "one_subject_or_digest_or_level_more_than_is_taken",
            "a_statement_of_all_subjects_there_are_and_one_of_more",
            "a_hundred_thousand_junk_files_are_a_recorded_deny",
            "pipes_devices_links_and_sparse_files_wherever_bytes_are_read",
            "an_artifact_without_end_and_one_that_is_padded_past_every_look",
            "an_index_that_lists_one_manifest_again_and_again",
            "signed_statements_that_grow_when_they_are_parsed",
            "lists_without_an_end_are_a_recorded_deny",
            "comes_to_an_end_with_whoever_never_does",
            "a_run_that_has_asked_as_often_as_it_may_asks_nobody_and_takes_nothing_for_absent",
            "indexes_that_list_ever_more_are_a_recorded_deny",
            "a_long_document_may_take_no_more_than_a_short_one",
            "a_payload_with_many_signatures_is_copied_until_it_is_too_much_and_no_further",
        ]),
    },
    Attack {
        ids: "cosign#4648 to #4653, #4881, #5016",
        what: "malformed payloads make a parser panic",
        state: Tried(&["no_mutant_of_a_document_makes_its_parser_panic_or_dwell"]),
    },
    Attack {
        ids: "wirelog#1287, sigstore-js#1656, fluxcd/website#1712",
        what: "patterns that are not anchored or not escaped",
        state: Tried(&[
            "patterns_hold_from_the_first_character_to_the_last",
            "an_identity_that_a_pattern_only_contains",
        ]),
    },
    Attack {
        ids: "conforma EC-2014, EC-1912, EC-1911, EC-1993",
        what: "schemes in another case; a bad date that is for ever; a clock set back",
        state: Partly(
            &[
                "names_that_begin_or_end_like_the_right_ones_or_differ_in_case",
                "other_spellings_of_types_members_and_digests_in_signed_statements",
                "refuses_a_clock_that_is_more_than_a_minute_behind",
            ],
            "dates of waivers come with waivers",
        ),
    },
    Attack {
        ids: "argo-cd#27741",
        what: "a check that passes when what it needs is missing",
        state: Tried(&[
            "refuses-absent-trust",
            "refuses-absent-log",
            "refuses-unknown-root",
            "refuses-rules-not-built-yet",
            "denies-no-rule",
        ]),
    },
    Attack {
        ids: "GHSA-v6px-jqx8-8xwj, GHSA-3vpg-3m94-v3qr, RUSTSEC-2026-0067, RUSTSEC-2026-0068",
        what: "evidence that leads out of its folder",
        state: Tried(&[
            "a_link_out_of_the_evidence_folder_is_not_followed",
            "layouts_of_evidence_that_lead_out_of_their_folder",
            "trust_inside_the_evidence_folder_is_refused",
            "a_policy_file_that_is_a_link_or_a_pipe",
        ]),
    },
    Attack {
        ids: "RUSTSEC-2018-0006, RUSTSEC-2025-0067, RUSTSEC-2025-0068, RUSTSEC-2024-0320",
        what: "YAML that is deep, grows, or is read in two ways",
        state: Tried(&[
            "documents_that_grow_when_they_are_read",
            "documents_made_to_cost_a_parser_time",
            "a_tag_in_a_document",
            "numbers_and_words_that_older_readers_of_yaml_take_for_others",
            "refuses-duplicate-key",
        ]),
    },
    Attack {
        ids: "duplicate JSON keys",
        what: "a member twice at any depth, trailing data, a byte order mark, what is no JSON",
        state: Tried(&[
            "a_member_twice_at_every_depth_of_a_signed_payload",
            "a_member_twice_at_every_depth_of_any_evidence",
            "payloads_that_strict_and_lenient_readers_read_differently",
            "denies-repeated-member",
            "denies-bytes-after-bundle",
            "denies-byte-order-mark",
        ]),
    },
    Attack {
        ids: "RUSTSEC-2026-0049, RUSTSEC-2026-0098, RUSTSEC-2026-0099, RUSTSEC-2026-0104",
        what: "a name that its authority may not certify",
        state: Tried(&["denies-name-outside-its-authoritys-constraints"]),
    },
    Attack {
        ids: "agent-bom#3697, agenticos#1648",
        what: "the log's tail cut, the log deleted, lines swapped, two writers, a torn line, a chain made again",
        state: Tried(&[
            "lines_cut_swapped_doubled_or_forged_are_noticed",
            "every_truncation_of_one_file_is_noticed",
            "the_log_deleted_and_made_again_with_audit_init",
            "the_log_rolled_back_to_an_older_genuine_state",
            "two_writers_take_turns",
            "many_gates_at_once_give_one_plan_and_one_entry",
            "a_torn_record_is_set_aside_and_a_whole_one_is_adopted",
            "remembers_heads_so_that_a_rollback_and_a_fork_are_noticed",
        ]),
    },
];
