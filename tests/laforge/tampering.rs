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
//! By default some of the bytes are tried; `LAFORGE_SWEEP=full` tries each of them in two ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::example::copy;
use crate::judged::{Bench, Judged};

/// How a byte is changed.
type Change = fn(usize, u8) -> u8;

const CHANGES: [Change; 2] = [|at, byte| byte ^ (1 << (at % 8)), |_, byte| byte ^ 0xff];

/// By default every so many-th byte; a prime, so that it falls on other places of each line.
const STRIDE: usize = 41;

fn is_full() -> bool {
    std::env::var("LAFORGE_SWEEP").is_ok_and(|value| value == "full")
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
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), settled(value, same))).collect()
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
    let all = benches.iter().flat_map(|bench| bench.evidence().into_iter().map(move |file| (bench, file)));
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
        let (stride, changes) = if is_full() { (1, &CHANGES[..]) } else { (STRIDE, &CHANGES[..1]) };
        for change in changes {
            for at in (subject.bytes.len() % 7..subject.bytes.len()).step_by(stride) {
                let mut bytes = subject.bytes.clone();
                bytes[at] = change(at, bytes[at]);
                tally.count(subject.judge(&bytes), || format!("{} byte {at}", subject.shown()));
            }
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
            subject.without.allows.then(|| is_part_of(&subject.without.facts, &subject.untouched.facts));
        tally.count(earned, || subject.shown());
    });
    tally.holds("removals", all.len());
}

/// Whether every member and item of one value is in another.
fn is_part_of(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.iter().all(|item| other.iter().any(|it| is_part_of(item, it)))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.iter().all(|(name, value)| other.get(name).is_some_and(|it| is_part_of(value, it)))
        }
        _ => one == other,
    }
}

/// Evidence of another fixture may be as good: signed by the same party about the same bytes. Then the facts are
/// the same but for the evidence and its time.
#[test]
fn no_evidence_of_another_fixture_gives_a_false_allow() {
    let benches = Bench::allowing();
    let pool: BTreeSet<Vec<u8>> = benches
        .iter()
        .flat_map(|bench| {
            bench
                .evidence()
                .into_iter()
                .map(|file| fs::read(bench.folder.join("evidence").join(file)).unwrap())
        })
        .collect();
    let pool: Vec<Vec<u8>> = pool.into_iter().collect();
    let subjects = subjects(&benches);
    let tally = Tally::default();
    over(&subjects, |(bench, file)| {
        let subject = Subject::of(bench, file);
        let known = unsigned(&subject.untouched.facts);
        let step = if is_full() { 1 } else { 3 };
        for other in pool.iter().step_by(step).filter(|other| **other != subject.bytes) {
            fs::write(subject.copy.path().join(&subject.file), other).unwrap();
            let judged = bench.judge(subject.copy.path(), bench.now);
            let earned = judged.allows.then(|| is_part_of(&unsigned(&judged.facts), &known));
            tally.count(earned, || format!("{} replaced", subject.shown()));
        }
    });
    tally.holds("replacements", 500);
}

/// Facts without which piece of evidence proves them, and when that was.
fn unsigned(facts: &Value) -> Value {
    match facts {
        Value::Array(items) => items.iter().map(unsigned).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                !matches!(name.as_str(), "evidence" | "time" | "timeKind" | "expiresAt" | "leaves")
            })
            .map(|(name, value)| (name.clone(), unsigned(value)))
            .collect(),
        other => other.clone(),
    }
}

// ---- The clock.

/// Every moment that documents and evidence of a fixture speak of, and ends that follow from them.
fn moments(bench: &Bench) -> BTreeSet<DateTime<Utc>> {
    let mut texts: Vec<String> = ["trust.yaml", "policies/production.yaml"]
        .iter()
        .filter_map(|name| fs::read_to_string(bench.folder.join(name)).ok())
        .collect();
    for file in bench.evidence() {
        let bytes = fs::read(bench.folder.join("evidence").join(file)).unwrap();
        for signed in signed_in(&bytes) {
            texts.extend(signed.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut found = BTreeSet::from([bench.now]);
    for text in &texts {
        let starts = text.match_indices("20").map(|(at, _)| at);
        found.extend(starts.filter_map(|at| laforge::time::parse(text.get(at..at + 20)?).ok()));
        let unix = text.match_indices("integratedTime\":\"").map(|(at, name)| at + name.len());
        found.extend(unix.filter_map(|at| DateTime::from_timestamp(text.get(at..at + 10)?.parse().ok()?, 0)));
    }
    let ends = [TimeDelta::minutes(10), TimeDelta::hours(4), TimeDelta::hours(24), TimeDelta::days(365)];
    let spread = found.iter().flat_map(|at| ends.iter().flat_map(move |end| [*at + *end, *at - *end]));
    found.iter().copied().chain(spread).collect()
}

/// What an allow at a time must not do, by the evidence's own dates; none where it is sound.
fn too_late(bench: &Bench, judged: &Judged, at: DateTime<Utc>) -> Option<String> {
    let slack = TimeDelta::seconds(60);
    let Some(plan) = &judged.report.plan else { return Some("no plan".to_owned()) };
    let mut least = at + TimeDelta::hours(24);
    for approval in judged.report.approvals.iter().filter(|approval| approval.counted) {
        let digest = approval.evidence.to_string();
        let facts = judged.facts["approvals"].as_array().unwrap();
        let fact = facts.iter().find(|fact| fact["evidence"] == digest.as_str())?;
        let expires = laforge::time::parse(fact["expiresAt"].as_str().unwrap()).unwrap();
        if expires <= at || approval.time > at + slack {
            return Some(format!("an approval of {} until {expires} counts", approval.time));
        }
        least = least.min(expires);
    }
    if plan.not_after <= at || plan.not_after > least {
        return Some(format!("the plan lives until {}", plan.not_after));
    }
    let trust = &bench.standard.trust;
    for fact in facts_of(&judged.facts, "signatures").chain(facts_of(&judged.facts, "provenances")) {
        let time = fact.get("time").and_then(Value::as_str).map(|text| laforge::time::parse(text).unwrap());
        if time.is_some_and(|time| time > at + slack) {
            return Some(format!("a signature from the future counts: {fact}"));
        }
        let judged_at = time.unwrap_or(at);
        let signer = trust.signers.iter().find(|signer| fact["signer"] == signer.name.as_str())?;
        let begins = signer.valid_from.is_none_or(|from| from <= judged_at);
        let lasts = signer.valid_until.is_none_or(|until| judged_at < until);
        if !begins || !lasts {
            return Some(format!("a signature outside its key's validity counts: {fact}"));
        }
    }
    None
}

fn facts_of<'a>(facts: &'a Value, list: &'a str) -> impl Iterator<Item = &'a Value> {
    let artifacts = facts["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    artifacts
        .iter()
        .flat_map(move |artifact| artifact[list].as_array().map(Vec::as_slice).unwrap_or_default())
}

#[test]
fn the_clock_moved_past_every_validity_gives_no_false_allow() {
    let benches = Bench::allowing();
    let tally = Tally::default();
    over(&benches, |bench| {
        let evidence = bench.folder.join("evidence");
        let moments: Vec<_> = moments(bench).into_iter().collect();
        for moment in moments.iter().step_by(if is_full() { 1 } else { 3 }) {
            for at in [*moment - TimeDelta::seconds(1), *moment, *moment + TimeDelta::seconds(1)] {
                let judged = bench.judge(&evidence, at);
                let wrong = judged.allows.then(|| too_late(bench, &judged, at)).flatten();
                let earned = judged.allows.then_some(wrong.is_none());
                tally.count(earned, || format!("{} at {at}: {}", bench.name, wrong.unwrap_or_default()));
            }
        }
    });
    tally.holds("times", 500);
}

/// Evidence with an end is not allowed once every end has passed.
#[test]
fn no_fixture_with_approvals_is_allowed_once_all_of_them_have_ended() {
    for bench in Bench::allowing() {
        let evidence = bench.folder.join("evidence");
        let judged = bench.judge(&evidence, bench.now);
        let ends = judged.facts["approvals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fact| fact["expiresAt"].as_str().unwrap());
        if let Some(last) = ends.max() {
            let last = laforge::time::parse(last).unwrap();
            assert!(!bench.judge(&evidence, last).allows, "{} at {last}", bench.name);
        }
    }
}

// ---- Threads.

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
