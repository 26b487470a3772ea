//! Attacks that this design itself invites.

use super::Attack;
use super::State::{Later, Tried};

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
        ids: "one workload, two signers",
        what: "a certificate that two signers of trust match, where two have to sign or attest, each time anew",
        state: Tried(&[
            "denies-one-workload-that-two-signers-match",
            "denies-one-workload-that-attests-for-two-signers",
            "counts_one_identity_that_fits_two_signers_once_however_often_it_signs",
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
        ids: "evidence that brings more than evidence",
        what: "policies or the log where evidence is put; trust that leads through a link there; names that are no text",
        state: Tried(&[
            "trust_inside_the_evidence_folder_is_refused",
            "a_policy_or_the_log_inside_an_evidence_path_is_refused",
            "finds_a_path_that_leads_into_evidence_or_through_it",
            "evidence_and_folders_whose_names_are_no_text",
        ]),
    },
    Attack {
        ids: "evidence that is added to take another piece away",
        what: "the same bytes where they are no evidence: beside a file, under another blob's name, as an archive; an OCI layout put into the folder; a bundle that makes a stray whole; a file that is too large",
        state: Tried(&[
            "bytes_that_are_no_evidence_in_one_place_stay_evidence_in_another",
            "a_broken_bundle_of_the_same_bytes_takes_nothing_away",
            "an_oci_layout_that_is_put_into_a_folder_hides_no_file_of_it",
            "a_bundle_is_judged_as_what_it_was_made_of",
            "a_file_that_is_too_large_is_named_and_the_others_are_read",
        ]),
    },
    Attack {
        ids: "documents of two readings",
        what: "merge keys that lay members under others; names of characters that no screen shows; members of nothing, \
               which loosen as absent ones do",
        state: Tried(&[
            "a_merge_key_that_lays_members_under_those_that_are_read",
            "a_name_with_characters_that_no_screen_shows",
            "names_in_a_release_that_a_screen_would_not_show",
            "no_member_of_any_document_may_be_null",
            "a_member_whose_lines_are_commented_out_does_not_loosen_trust",
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
        state: Tried(&[
            "an_allow_recorded_in_a_copy_of_the_configured_log",
            "a_log_of_the_attackers_own_beside_the_pinned_one",
            "the_gates_log_in_another_place_with_another_key",
            "remembers_heads_so_that_a_rollback_and_a_fork_are_noticed",
            "refuses_the_plan_of_a_copied_log",
            "a_plan_that_was_rolled_back_and_a_journal_that_was_touched_are_refused",
        ]),
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
        what: "an author unknown, an author by the builder, an actor who approves, an actor by a lesser build",
        state: Tried(&[
            "denies-author-unknown",
            "denies-author-by-builder",
            "denies-author-approves",
            "denies-author-not-in-trust",
            "denies-workflow-actor-approves",
            "denies-workflow-actor-unknown",
            "denies-workflow-actor-by-lesser-build",
        ]),
    },
    Attack {
        ids: "old evidence made young",
        what: "a key's old scan or success that doesn't say when it was made, stamped or logged anew",
        state: Tried(&[
            "denies-scan-stamped-anew",
            "denies-success-stamped-anew",
            "a_fresh_stamp_renews_no_old_attestation_and_lifts_it_over_no_failure",
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
        ids: "an index that shows two sides",
        what: "platforms hidden by a layer, by a mark, by members in other letters, or by another platform's name",
        state: Tried(&[
            "a_layer_that_is_an_index_as_well_hides_none_of_its_platforms",
            "a_signature_over_one_platform_is_none_over_another_of_the_same_name",
            "members_in_other_letters_show_a_runtime_no_other_platform",
            "marks_of_attestations_hide_no_platform_that_something_runs_on",
            "an_index_in_an_index_and_a_platform_listed_twice_hide_none",
            "a_document_that_is_manifest_and_index_is_neither",
        ]),
    },
    Attack {
        ids: "images in manifests that nobody sees",
        what: "lists and members beside references, labels that are none, Pods left to the cluster, Rollouts of a namesake, parameters of Argo CD",
        state: Tried(&[
            "a_list_of_images_under_image_is_seen",
            "what_stands_beside_a_pinned_reference_is_seen",
            "what_is_called_a_label_and_is_no_text_is_seen",
            "a_workload_that_leaves_its_containers_to_the_cluster_is_seen",
            "a_rollout_takes_its_pods_from_the_very_object_that_is_seen",
            "what_changes_how_a_folder_is_rendered_is_refused",
            "an_image_is_seen_however_its_name_and_place_are_spelled",
            "kinds_that_hold_data_hide_no_list_and_no_pod",
            "references_that_a_runtime_reads_by_something_else_than_the_digest_are_none",
        ]),
    },
    Attack {
        ids: "another builder's words",
        what: "two repositories, commits or runners in one predicate; one builder's members under another's build type",
        state: Tried(&[
            "of_two_repositories_in_a_pipeline_none_is_the_source",
            "a_commit_that_is_named_in_two_ways_is_one",
            "a_runner_that_is_hosted_and_is_not_is_none",
            "one_builders_words_under_anothers_build_type_name_no_source",
            "build_types_that_begin_or_end_like_a_known_one_are_read_as_any_others",
        ]),
    },
    Attack {
        ids: "bytes read for a signature, a signature beside a file, a certificate without an issuer",
        what: "a signature over other bytes than the digest that its bundle names; a `.sig` file of another artifact, use or program; a workflow's certificate for GitHub's own",
        state: Tried(&[
            "denies-ed25519-message-over-another-file",
            "denies-ed25519-message-over-digest-alone",
            "denies-detached-signature-over-another-file",
            "denies-detached-signature-of-another-name",
            "denies-detached-signature-by-builder",
            "denies-detached-signature-of-another-program",
            "denies-github-release-by-workflow",
            "denies-github-release-of-another-repository",
            "denies-raw-payload-by-other-key",
            "denies-witness-collection-of-another-commit",
        ]),
    },
    Attack {
        ids: "junk that costs more than itself",
        what: "`.sig` files of a few bytes beside a large artifact; the bytes of one held for keys that sign no files; a list of referrers that names one again and again, or calls a bundle by another version",
        state: Tried(&[
            "junk_beside_a_large_artifact_is_held_against_keys_that_sign_files_alone",
            "what_is_left_untried_is_set_aside_with_the_reason",
            "nobody_but_signers_of_files_makes_the_gate_hold_the_bytes_of_one",
            "a_registry_that_does_not_filter_counts_no_referrer_twice",
            "a_bundle_of_another_version_is_found_in_a_list_that_is_too_long",
            "what_an_index_among_the_referrers_lists_is_read",
        ]),
    },
    Attack {
        ids: "packs, bundles, keys that sign payloads alone",
        what: "what stands around a piece; a byte of an archive; a raw signature as another, and the other way around",
        state: Tried(&[
            "a_pack_makes_one_persons_word_nobody_elses",
            "a_rejection_in_a_pack_that_is_broken_elsewhere_is_heard",
            "a_key_that_signs_payloads_alone_signs_nothing_else",
            "what_other_keys_sign_alone_is_no_statement",
            "what_verifiers_say_is_not_said_by_a_key_for_attestations",
            "no_byte_of_a_bundle_that_is_changed_is_read",
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
    Attack {
        ids: "the service's port",
        what: "objects made to cost time, more images than are asked for; other spellings of digests, methods, paths, headers, lengths; a rehearsal as an allow",
        state: Tried(&[
            "an_object_made_to_cost_time_holds_up_no_other_question",
            "more_pieces_than_are_taken_are_asked_of_no_registry",
            "spellings_of_a_digest_or_a_namespace_borrow_no_allow",
            "other_methods_paths_and_headers_are_no_way_around_a_right",
            "a_rehearsal_lets_no_image_in_and_gives_no_plan",
        ]),
    },
    Attack {
        ids: "the service as a way into its network",
        what: "images named at its own machine, at a cloud's metadata, at private addresses in other spellings; a name whose second answer leads inside; a redirect; a proxy",
        state: Tried(&[
            "an_address_inside_the_network_is_asked_for_nobody",
            "where_a_name_leads_is_found_out_when_it_is_connected_to",
            "a_name_that_leads_inside_at_its_second_answer_is_not_followed",
            "a_listed_registry_leads_nowhere_inside",
            "the_configured_release_names_its_registry_and_nobody_else_does",
            "behind_a_proxy_only_what_is_listed_is_asked",
        ]),
    },
    Attack {
        ids: "a request or a gate of another rollout",
        what: "a pause, a resume or a rollback that was meant for the rollout before; a Canary of another plan, or of none that it names",
        state: Tried(&[
            "a_request_that_is_meant_for_another_rollout_is_left_to_none",
            "the_command_line_leaves_no_request_to_another_rollout_either",
            "a_canary_of_another_plan_or_of_none_that_it_names_is_held",
        ]),
    },
    Attack {
        ids: "a Pod by a way that nobody is asked about",
        what: "every kind that a Pod is made of; the revision that a StatefulSet goes back to, made anew with another image; an update that keeps a tag",
        state: Tried(&[
            "what_the_log_allows_is_admitted_and_all_else_is_refused_with_the_reason",
            "a_revision_that_a_controller_goes_back_to_is_asked_about_as_what_it_holds",
            "an_update_that_brings_nothing_is_admitted",
        ]),
    },
    Attack {
        ids: "an allow kept in reserve",
        what: "a release decided twice, and rolled back by one of its plans; an image that the version before has, too",
        state: Tried(&[
            "a_release_that_was_rolled_back_is_whichever_of_its_plans_was_rolled_out",
            "what_another_release_has_too_is_not_rolled_back_with_it",
            "a_new_decision_lets_in_again_what_was_rolled_back_before_it",
        ]),
    },
    Attack {
        ids: "what costs time to tell, or commands a runner",
        what: "thousands of containers without an image; manifests of one long line; commands of Azure Pipelines and TeamCity in names and texts",
        state: Tried(&[
            "containers_without_an_image_are_as_few_as_images_are",
            "manifests_on_one_line_are_told_a_thousand_times_within_time",
            "shows_the_same_of_a_long_document_and_only_the_place_in_a_long_line",
            "commands_of_any_runner_are_written_out",
        ]),
    },
    Attack {
        ids: "evidence that costs before it is known whose it is",
        what: "sets in certificates and time stamps that take hours to sort; a million short objects; platforms of a megabyte each; by a builder's key, texts that are told for each artifact; registries that answer everything, just in time",
        state: Tried(&[
            "a_certificate_whose_names_take_an_hour_to_sort",
            "a_certificate_in_an_annotation_whose_names_take_an_hour_to_sort",
            "a_time_stamp_whose_sets_take_an_hour_to_sort",
            "documents_of_a_million_short_objects_are_refused_before_they_fill_memory",
            "platforms_with_long_names_or_without_number_fill_neither_memory_nor_the_log",
            "provenance_of_long_texts_fills_neither_memory_nor_the_log",
            "parameters_below_a_name_of_a_megabyte_are_not_written_out",
            "registries_that_answer_just_in_time_again_and_again_are_given_up",
        ]),
    },
    Attack {
        ids: "a source that is somebody else's",
        what: "a repository of which git resolves `..` before it fetches; other spellings of ours; a branch that is named like the end of a pattern",
        state: Tried(&[
            "a_repository_that_git_fetches_from_elsewhere_is_not_ours",
            "a_repository_that_leaves_the_folder_of_a_pattern_is_not_in_it",
            "a_branch_that_is_named_like_the_end_of_a_pattern_is_another_branch",
        ]),
    },
];
