//! Every code of the contract for every family of verbs, in one table.
//!
//! What a rollout that runs ends with is `tests/real_parts/rollout.rs`'s, what the rollout verbs end with where
//! nothing runs `tests/rollout_journal`'s.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use laforge::cli::Exit;

use crate::example::{Example, REQUIRED, copy};

/// What there is to run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The example, as it is.
    Sound,
    /// The same after an allow: `plan.json`, and `edited.json` with another deadline.
    Allowed,
    /// Nothing.
    Empty,
    /// An artifact is gone.
    Unreadable,
    /// An artifact is another one.
    Altered,
    /// An approval is gone.
    Unapproved,
    /// So is it, and `approvals/` can't be read.
    Unreachable,
    /// The log is gone.
    Unlogged,
    /// A line of the log was touched.
    Touched,
    /// The policy does not parse.
    Broken,
    /// Another release, signed keyless under a root of its own.
    Keyless,
}

use Place::{
    Allowed, Altered, Broken, Empty, Keyless, Sound, Touched, Unapproved, Unlogged, Unreachable, Unreadable,
};

impl Place {
    fn make(self) -> Example {
        let example = match self {
            Empty | Keyless => Example::empty(),
            _ => Example::new(),
        };
        match self {
            Sound | Empty => {}
            Keyless => copy(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/allows-keyless-logged"),
                &example.path(""),
            ),
            Allowed => {
                example.deploy(&["-o", "plan.json"]).ends(0);
                let plan = example.read("plan.json");
                assert!(plan.contains("\"pauseDeadlineSeconds\":"));
                example.write(
                    "edited.json",
                    &plan.replace("\"pauseDeadlineSeconds\":", "\"pauseDeadlineSeconds\":1"),
                );
            }
            Unreadable => example.remove("artifacts/sbom.json"),
            Altered => example.write("artifacts/sbom.json", "another\n"),
            Unapproved => example.remove("evidence/approval-bob.sigstore.json"),
            Unreachable => {
                example.remove("evidence/approval-bob.sigstore.json");
                // It leads back to itself: nobody can read it, root included.
                std::os::unix::fs::symlink("approvals", example.path("approvals")).unwrap();
                example.edit("laforge.yaml", "evidence: [evidence/]", "evidence: [evidence/, approvals]");
            }
            Unlogged => fs::remove_dir_all(example.path(".laforge/audit")).unwrap(),
            Touched => {
                let segment = ".laforge/audit/entries/00000000000000000000.jsonl";
                example.edit(segment, "\"origin\":", "\"Origin\":");
            }
            Broken => example.edit("policies/baseline.yaml", "kind: Policy", "kind: Policy\nkind: Policy"),
        }
        example
    }
}

/// A command line, in its words.
type Words = &'static str;

/// Where, what, and how it ends.
const TABLE: &[(Place, Words, Exit)] = &[
    // The gate.
    (Sound, "deploy", Exit::Holds),
    (Empty, "deploy", Exit::Usage),
    (Unreadable, "deploy", Exit::NoDecision),
    (Sound, "deploy --strategy sideways", Exit::Usage),
    (Broken, "deploy", Exit::Usage),
    (Unapproved, "deploy", Exit::Denied),
    (Altered, "deploy", Exit::Denied),
    (Unreachable, "deploy", Exit::Inconclusive),
    (Unlogged, "deploy", Exit::NotRecorded),
    (Touched, "deploy", Exit::Integrity),
    (Unapproved, "deploy --dry-run", Exit::Denied),
    (Unlogged, "deploy --dry-run", Exit::NotRecorded),
    (Sound, "verify", Exit::Holds),
    (Unreadable, "verify", Exit::NoDecision),
    (Empty, "verify", Exit::Usage),
    (Broken, "verify", Exit::Usage),
    (Unapproved, "verify", Exit::Denied),
    (Unreachable, "verify", Exit::Inconclusive),
    (Unlogged, "verify", Exit::Holds),
    // One bundle.
    (Keyless, "verify-bundle BUNDLE artifacts/payments.tar.gz", Exit::Holds),
    (Keyless, "verify-bundle BUNDLE artifacts/config.yaml", Exit::Denied),
    (Keyless, "verify-bundle BUNDLE --certificate-identity stranger artifacts/payments.tar.gz", Exit::Usage),
    (Keyless, "verify-bundle BUNDLE artifacts/nowhere", Exit::Usage),
    (
        Sound,
        "verify-bundle --bundle evidence/signature-sbom.json.sigstore.json artifacts/sbom.json",
        Exit::Usage,
    ),
    // Evidence.
    (Sound, "approve --key keys/alice.key --yes -o again.json", Exit::Holds),
    (Sound, "approve --key keys/alice.key -o again.json", Exit::Usage),
    (Sound, "approve --key keys/nobody.key", Exit::Usage),
    (Sound, "approve --break-glass --key keys/alice.key", Exit::Usage),
    (Sound, "reject --key keys/alice.key --yes --reason no -o no.json", Exit::Holds),
    (Empty, "reject --key keys/alice.key", Exit::Usage),
    (Sound, "sign --key keys/release.key -o signature.json artifacts/sbom.json", Exit::Holds),
    (Unreadable, "sign --key keys/release.key -o signature.json artifacts/sbom.json", Exit::NoDecision),
    (Sound, "sign --offline artifacts/sbom.json", Exit::Usage),
    (
        Sound,
        "attest --key keys/ci.key --type https://example.com/p --predicate release.yaml artifacts/sbom.json",
        Exit::Usage,
    ),
    (Sound, "keygen --use person --insecure-unencrypted -o carol", Exit::Holds),
    (Sound, "keygen --use person --insecure-unencrypted -o keys/alice", Exit::Usage),
    (Sound, "keygen --use magic", Exit::Usage),
    (Sound, "bundle -o bundled", Exit::Holds),
    (Empty, "bundle -o bundled", Exit::Usage),
    (Altered, "bundle -o bundled", Exit::Denied),
    (Unreadable, "bundle -o bundled", Exit::NoDecision),
    (Unreachable, "bundle -o bundled", Exit::Inconclusive),
    // What is read.
    (Allowed, "inspect plan.json", Exit::Holds),
    (Sound, "inspect release.yaml", Exit::Usage),
    (Sound, "policy check", Exit::Holds),
    (Sound, "policy check -o json", Exit::Holds),
    (Broken, "policy check", Exit::Usage),
    (Sound, "policy schema", Exit::Usage),
    (Sound, "trust show", Exit::Holds),
    (Empty, "trust show", Exit::Usage),
    (Sound, "trust update", Exit::Usage),
    (Sound, "schema plan", Exit::Holds),
    (Sound, "schema plane", Exit::Usage),
    (Sound, "explain approval-threshold", Exit::Holds),
    (Sound, "explain nothing", Exit::Usage),
    (Sound, "doctor", Exit::Denied),
    (Empty, "doctor", Exit::Usage),
    (Sound, "completions zsh", Exit::Holds),
    (Sound, "completions tcsh", Exit::Usage),
    (Sound, "man rollout run", Exit::Holds),
    (Sound, "man rollout jump", Exit::Usage),
    (Empty, "init .", Exit::Holds),
    (Sound, "init .", Exit::Usage),
    // The log.
    (Sound, "audit status", Exit::Holds),
    (Empty, "audit status", Exit::Usage),
    (Unlogged, "audit status", Exit::NotRecorded),
    (Sound, "audit list", Exit::Holds),
    (Sound, "audit list --rule freeze --fail-empty", Exit::Empty),
    (Unlogged, "audit list", Exit::NotRecorded),
    (Touched, "audit list", Exit::Integrity),
    (Allowed, "audit show 1", Exit::Holds),
    (Sound, "audit show --release other --fail-empty", Exit::Empty),
    (Sound, "audit show 77", Exit::Usage),
    (Sound, "audit verify", Exit::Holds),
    (Unlogged, "audit verify", Exit::NotRecorded),
    (Touched, "audit verify", Exit::Integrity),
    (Sound, "audit anchor --to file=head", Exit::Holds),
    (Touched, "audit anchor --to file=head", Exit::Integrity),
    (Allowed, "audit verify-proof plan.json", Exit::Holds),
    (Allowed, "audit verify-proof edited.json", Exit::Integrity),
    (Allowed, "audit verify-proof nowhere.json", Exit::Usage),
    (Sound, "audit init", Exit::NotRecorded),
    (Sound, "audit refold", Exit::Usage),
    // What a plan is for.
    (Allowed, "render kubernetes plan.json", Exit::Usage),
    (Allowed, "render kubernetes edited.json --environment production --target production", Exit::Integrity),
    (Allowed, "render nomad plan.json", Exit::Usage),
    (Sound, "rollout simulate", Exit::Holds),
    (Sound, "rollout run", Exit::Usage),
    (Allowed, "runtime edited.json", Exit::Usage),
    (Empty, "studio", Exit::Usage),
];

/// What `BUNDLE` stands for: the bundle of the keyless release, its root, and who has to have signed it.
const BUNDLE: [&str; 8] = [
    "--bundle",
    "evidence/signature.sigstore.json",
    "--trusted-root",
    "trust/acme-root.json",
    "--certificate-oidc-issuer",
    "https://token.actions.githubusercontent.com",
    "--certificate-identity",
    "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0",
];

/// What is wrong with a row, if anything is.
fn wrong((place, words, exit): &(Place, Words, Exit)) -> Option<String> {
    let example = place.make();
    let mut arguments: Vec<&str> = Vec::new();
    for word in words.split(' ') {
        match word {
            "BUNDLE" => arguments.extend(BUNDLE),
            word => arguments.push(word),
        }
    }
    if matches!(arguments[0], "deploy" | "verify") {
        arguments.extend(REQUIRED);
    }
    let run = example.run(&arguments);
    (run.code != i32::from(exit.code()))
        .then(|| format!("{place:?}: {words} ended with {}\n{}", run.code, run.stderr))
}

#[test]
fn every_family_of_verbs_ends_with_its_code() {
    let rows = Mutex::new(TABLE.iter());
    let next = || rows.lock().unwrap().next();
    let worker = || std::iter::from_fn(next).filter_map(wrong).collect::<Vec<String>>();
    let found: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_code_and_no_verb_is_left_out() {
    let pinned: BTreeSet<u8> = TABLE.iter().map(|(_, _, exit)| exit.code()).collect();
    assert_eq!(pinned, Exit::ALL.iter().map(|(exit, _)| exit.code()).collect());
    let run: BTreeSet<&str> = TABLE.iter().filter_map(|(_, words, _)| words.split(' ').next()).collect();
    let command = laforge::cli::command();
    let verbs: BTreeSet<&str> = command.get_subcommands().map(|verb| verb.get_name()).collect();
    assert_eq!(run, verbs);
}
