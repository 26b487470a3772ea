//! Allowing fixtures whose evidence is tampered with, byte by byte and file by file, and whose clock is moved.
//!
//! A **false allow** is an allow that is not *earned*. An allow with one file of evidence changed is earned when
//! 1. its facts are those of the untouched case, once the changed file's digest is put back, and, if that file is
//!    named in them at all, what is signed in it (payload, its type, signature, certificate, message digest) decodes
//!    to the same bytes: then only something was changed that nobody signs and nothing is decided by; or
//! 2. its facts are those of the case without that file, which is allowed as well: then the file proves nothing
//!    any more, and nothing that it proved was needed.
//!
//! Times are facts: a changed log time or time stamp is never earned, whoever wrote it.
//!
//! By default every 41st byte is changed, of each file that is there under the same bytes once; `LAFORGE_SWEEP=N` says
//! every how many-th, and `LAFORGE_SWEEP=1` tries every byte of every file, and all else that is thinned;
//! `LAFORGE_SWEEP_OF=FIXTURE` tries one fixture's alone.

mod clock;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::example::copy;
use crate::judged::{Bench, Judged};

/// How a byte is changed: by one bit, or by all of them.
type Change = fn(usize, u8) -> u8;

const CHANGES: [Change; 2] = [|at, byte| byte ^ (1 << (at / 2 % 8)), |_, byte| byte ^ 0xff];

/// By default every so many-th byte; a prime, so that it falls on other places of each line.
const STRIDE: usize = 41;

fn stride() -> usize {
    std::env::var("LAFORGE_SWEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(STRIDE)
}

fn is_full() -> bool {
    stride() == 1
}

/// What a sweep counted.
#[derive(Default)]
struct Tally {
    tried: AtomicUsize,
    earned: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn count(&self, earned: Option<bool>, what: impl FnOnce() -> String) {
        self.tried.fetch_add(1, Ordering::Relaxed);
        match earned {
            None => {}
            Some(true) => {
                self.earned.fetch_add(1, Ordering::Relaxed);
            }
            Some(false) => self.wrong.lock().unwrap().push(what()),
        }
    }

    #[track_caller]
    #[expect(clippy::print_stdout, reason = "what a sweep counted is its result")]
    fn holds(self, name: &str, at_least: usize) {
        let (tried, earned) = (self.tried.into_inner(), self.earned.into_inner());
        let wrong = self.wrong.into_inner().unwrap();
        println!("{name}: {tried} tried, {earned} allows that are earned, {} false allows", wrong.len());
        assert!(wrong.is_empty(), "{} false allows:\n{}", wrong.len(), wrong.join("\n"));
        assert!(tried >= at_least, "{name}: only {tried} tried");
    }
}

/// Runs something for all of a list on two threads.
fn over<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

/// One file of one fixture's evidence, in a copy that may be spoiled.
struct Subject<'a> {
    bench: &'a Bench,
    file: PathBuf,
    bytes: Vec<u8>,
    copy: tempfile::TempDir,
    untouched: Judged,
    without: Judged,
}

impl<'a> Subject<'a> {
    fn of(bench: &'a Bench, file: &Path) -> Self {
        let copied = tempfile::tempdir().unwrap();
        copy(&bench.folder.join("evidence"), copied.path());
        let bytes = fs::read(copied.path().join(file)).unwrap();
        let untouched = bench.judge(copied.path(), bench.now);
        assert!(untouched.allows, "{}: {:?}", bench.name, untouched.report.findings);
        fs::remove_file(copied.path().join(file)).unwrap();
        let without = bench.judge(copied.path(), bench.now);
        Self { bench, file: file.to_owned(), bytes, copy: copied, untouched, without }
    }

    /// Judges with other bytes in the file's place; whether an allow is earned, if it is one.
    fn judge(&self, bytes: &[u8]) -> Option<bool> {
        fs::write(self.copy.path().join(&self.file), bytes).unwrap();
        let judged = self.bench.judge(self.copy.path(), self.bench.now);
        judged.allows.then(|| self.is_earned(&judged, bytes))
    }

    fn is_earned(&self, judged: &Judged, bytes: &[u8]) -> bool {
        let gone: BTreeSet<&String> = self.untouched.inputs.difference(&judged.inputs).collect();
        let new: BTreeSet<&String> = judged.inputs.difference(&self.untouched.inputs).collect();
        let facts = settled(&judged.facts, &new);
        let counts = new.iter().any(|digest| judged.facts.to_string().contains(digest.as_str()));
        let as_before = facts == settled(&self.untouched.facts, &gone)
            && (!counts || signed_in(&self.bytes) == signed_in(bytes));
        let as_without = self.without.allows && facts == settled(&self.without.facts, &BTreeSet::new());
        as_before || as_without
    }

    fn shown(&self) -> String {
        format!("{}/evidence/{}", self.bench.name, self.file.display())
    }
}

/// Facts with some digests made one, and lists in an order that depends on nothing else.
fn settled(facts: &Value, same: &BTreeSet<&String>) -> Value {
    match facts {
        Value::String(text) if same.contains(text) => Value::from("changed"),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| settled(item, same)).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        // An index is vouched for by its leaves; of their evidence it names whichever has the least digest.
        Value::Object(members) => {
            let told = |name: &str| name != "evidence" || !members.contains_key("leaves");
            let members = members.iter().filter(|(name, _)| told(name));
            members.map(|(name, value)| (name.clone(), settled(value, same))).collect()
        }
        other => other.clone(),
    }
}

/// Everything in a piece of evidence that is signed or signs, decoded as leniently as can be.
fn signed_in(bytes: &[u8]) -> Vec<BTreeMap<&'static str, Vec<u8>>> {
    const MEMBERS: [(&str, &str); 11] = [
        ("payload", "/dsseEnvelope/payload"),
        ("type", "/dsseEnvelope/payloadType"),
        ("signature", "/dsseEnvelope/signatures/0/sig"),
        ("payload", "/payload"),
        ("type", "/payloadType"),
        ("signature", "/signatures/0/sig"),
        ("signature", "/signature"),
        ("signature", "/messageSignature/signature"),
        ("digest", "/messageSignature/messageDigest/digest"),
        ("certificate", "/verificationMaterial/certificate/rawBytes"),
        ("certificate", "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes"),
    ];
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, lenient);
    let of = |document: &[u8]| {
        let value: Value = serde_json::from_slice(document).ok()?;
        let member = |(name, pointer): (&'static str, &str)| {
            let text = value.pointer(pointer)?.as_str()?.replace('-', "+").replace('_', "/");
            Some((name, standard.decode(&text).unwrap_or_else(|_| text.into_bytes())))
        };
        Some(MEMBERS.into_iter().filter_map(member).collect::<BTreeMap<_, _>>())
    };
    match of(bytes) {
        Some(whole) => vec![whole],
        None => bytes.split(|byte| *byte == b'\n').filter_map(of).collect(),
    }
}

/// Every file of every allowing fixture's evidence; by default those of the same bytes once.
fn subjects(benches: &[Bench]) -> Vec<(&Bench, PathBuf)> {
    let mut seen = BTreeSet::new();
    let one = std::env::var("LAFORGE_SWEEP_OF").ok();
    let asked = benches.iter().filter(|bench| one.as_ref().is_none_or(|one| *one == bench.name));
    let all = asked.flat_map(|bench| bench.evidence().into_iter().map(move |file| (bench, file)));
    all.filter(|(bench, file)| {
        is_full() || seen.insert(fs::read(bench.folder.join("evidence").join(file)).unwrap())
    })
    .collect()
}

#[test]
fn no_byte_of_evidence_that_is_changed_gives_a_false_allow() {
    let benches = Bench::allowing();
    let subjects = subjects(&benches);
    let tally = Tally::default();
    over(&subjects, |(bench, file)| {
        let subject = Subject::of(bench, file);
        for at in (subject.bytes.len() % stride().min(7)..subject.bytes.len()).step_by(stride()) {
            let mut bytes = subject.bytes.clone();
            bytes[at] = CHANGES[at % 2](at, bytes[at]);
            tally.count(subject.judge(&bytes), || format!("{} byte {at}", subject.shown()));
        }
    });
    tally.holds("bytes", 1000);
}

#[test]
fn no_file_of_evidence_that_is_cut_doubled_or_emptied_gives_a_false_allow() {
    let benches = Bench::allowing();
    let subjects = subjects(&benches);
    let tally = Tally::default();
    over(&subjects, |(bench, file)| {
        let subject = Subject::of(bench, file);
        let whole = &subject.bytes;
        let cuts = [0, 1, whole.len() / 3, whole.len() / 2, whole.len() - 1].map(|end| whole[..end].to_vec());
        let more = [[whole.as_slice(), whole].concat(), [b"\xef\xbb\xbf", whole.as_slice()].concat()];
        let padded = [[whole.as_slice(), b"\0"].concat(), [whole.as_slice(), b"{}"].concat()];
        for bytes in cuts.iter().chain(&more).chain(&padded) {
            tally.count(subject.judge(bytes), || format!("{}: {} bytes", subject.shown(), bytes.len()));
        }
    });
    tally.holds("cuts", 300);
}

/// Without a file, an allow is earned when nothing new is proved: each fact left is one of the untouched case's.
#[test]
fn no_file_of_evidence_that_is_removed_gives_a_false_allow() {
    let benches = Bench::allowing();
    let tally = Tally::default();
    let all: Vec<_> = benches
        .iter()
        .flat_map(|bench| bench.evidence().into_iter().map(move |file| (bench, file)))
        .collect();
    over(&all, |(bench, file)| {
        let subject = Subject::of(bench, file);
        let earned =
            subject.without.allows.then(|| is_proved(&subject.without.facts, &[&subject.untouched.facts]));
        tally.count(earned, || subject.shown());
    });
    tally.holds("removals", all.len());
}

/// Whether each fact is one of others': of one artifact signatures may be the one's and provenances the other's.
fn is_proved(fact: &Value, others: &[&Value]) -> bool {
    match fact {
        Value::Array(items) => {
            let known: Vec<&Value> = others.iter().filter_map(|other| other.as_array()).flatten().collect();
            items.iter().all(|item| match item.get("digest") {
                Some(digest) => {
                    let same = known.iter().filter(|other| other.get("digest") == Some(digest));
                    is_proved(item, &same.copied().collect::<Vec<_>>())
                }
                None => known.contains(&item),
            })
        }
        Value::Object(members) => members.iter().all(|(name, value)| {
            is_proved(value, &others.iter().filter_map(|other| other.get(name)).collect::<Vec<_>>())
        }),
        _ => others.contains(&fact),
    }
}

/// Evidence of another fixture may be as good: its party is trusted here too, and speaks of the same bytes. Then each
/// fact is one of this case or of the other, whichever piece proves it, and when.
#[test]
fn no_evidence_of_another_fixture_gives_a_false_allow() {
    let benches = Bench::allowing();
    let mut pool: BTreeMap<Vec<u8>, Value> = BTreeMap::new();
    for bench in &benches {
        let evidence = bench.folder.join("evidence");
        let facts = unsigned(&bench.judge(&evidence, bench.now).facts);
        pool.extend(
            bench.evidence().iter().map(|file| (fs::read(evidence.join(file)).unwrap(), facts.clone())),
        );
    }
    let subjects = subjects(&benches);
    let tally = Tally::default();
    over(&subjects, |(bench, file)| {
        let subject = Subject::of(bench, file);
        let own = unsigned(&subject.untouched.facts);
        let step = if is_full() { 1 } else { 5 };
        for (other, theirs) in pool.iter().step_by(step).filter(|(other, _)| **other != subject.bytes) {
            fs::write(subject.copy.path().join(&subject.file), other).unwrap();
            let judged = bench.judge(subject.copy.path(), bench.now);
            let earned = judged.allows.then(|| is_proved(&unsigned(&judged.facts), &[&own, theirs]));
            tally.count(earned, || format!("{} replaced: {}", subject.shown(), judged.facts));
        }
    });
    tally.holds("replacements", 250);
}

/// Facts without which piece of evidence proves them, and when that was; and without whom the parties of separated
/// duties come to, which the people of a case's own trust decide.
fn unsigned(facts: &Value) -> Value {
    match facts {
        Value::Array(items) => items.iter().map(unsigned).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                let left_out = ["evidence", "time", "timeKind", "expiresAt", "leaves", "people", "unknown"];
                !left_out.contains(&name.as_str())
            })
            .map(|(name, value)| (name.clone(), unsigned(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_of_a_decision() {
    let benches = Bench::allowing();
    for bench in benches.iter().step_by(if is_full() { 1 } else { 6 }) {
        let evidence = bench.folder.join("evidence");
        let alone = bench.judge(&evidence, bench.now).whole;
        for threads in 1..=8 {
            let all: Vec<String> = std::thread::scope(|scope| {
                let work = || bench.judge(&evidence, bench.now).whole;
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            assert!(all.iter().all(|one| *one == alone), "{} on {threads} threads", bench.name);
        }
    }
}
