//! Mutants of well-formed documents, fed to every parser: none panics, none takes long.
//!
//! The mutants come from a seeded generator, so that a failure is the same everywhere: the message names the parser,
//! the seed document and the number. Deeper searches are for the fuzz targets in `fuzz/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::parsers::{MANIFEST, PARSERS, lines_of};

/// Mutants per parser, spread over its seeds.
const MUTANTS: usize = 2500;
/// Seeds per parser: more would be near copies of each other.
const MOST_SEEDS: usize = 50;
/// Steps can't be counted from outside; this is some hundred times what any mutant takes on an idle machine.
const LONGEST: Duration = Duration::from_secs(10);

/// Splices of what means something to one of the grammars.
const TOKENS: [&[u8]; 32] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551616",
    b"9007199254740993",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\t",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"<<: ",
    b"---\n",
    b"# ",
    b"=",
    b"\xe2\x80\x94 ",
    b"sha256:",
    b"2026-13-01T00:00:00Z",
];

/// xorshift64*: enough for variety, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A range of a text, short more often than long.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length);
        let most = if self.below(4) == 0 { length - start } else { (length - start).min(16) };
        start..start + self.below(most + 1)
    }
}

/// A seed with one to four changes.
fn mutant(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(random.range(seed.len().min(bytes.len())))),
            4 => {
                let piece = bytes[random.range(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            5 => {
                let piece = other[random.range(other.len())].to_vec();
                let end = at + random.below((bytes.len() - at).min(piece.len()) + 1);
                drop(bytes.splice(at..end, piece));
            }
            6 => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            // Deep or long: one piece many times.
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].repeat(1 + random.below(300));
                drop(bytes.splice(at..at, token));
            }
        }
    }
    bytes
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Distinct files of this folder and ending, of all fixtures, evenly thinned.
fn files(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let mut found = BTreeSet::new();
    for case in fs::read_dir(root()).unwrap() {
        let Ok(listed) = fs::read_dir(case.unwrap().path().join(folder)) else { continue };
        for file in listed.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            if endings.iter().any(|ending| file.to_str().unwrap().ends_with(ending)) {
                found.insert(fs::read(file).unwrap());
            }
        }
    }
    thinned(found.into_iter().collect())
}

fn thinned(all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let step = all.len().div_ceil(MOST_SEEDS).max(1);
    all.into_iter().step_by(step).collect()
}

fn vector(name: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join("vectors").join(name)).unwrap()).unwrap()
}

fn text(value: &Value) -> Vec<u8> {
    value.as_str().unwrap().into()
}

/// The payloads of all DSSE envelopes.
fn statements() -> Vec<Vec<u8>> {
    let all = evidence();
    let payload = |bytes: &Vec<u8>| -> Option<Vec<u8>> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let envelope = value.get("dsseEnvelope").unwrap_or(&value);
        STANDARD.decode(envelope["payload"].as_str()?).ok()
    };
    all.iter().filter_map(payload).collect()
}

fn predicates() -> Vec<Vec<u8>> {
    let predicate = |bytes: &Vec<u8>| -> Option<Vec<u8>> {
        let statement: Value = serde_json::from_slice(bytes).ok()?;
        statement.get("predicate").map(|predicate| predicate.to_string().into_bytes())
    };
    statements().iter().filter_map(predicate).collect()
}

/// A manifest, and indexes that list it.
fn images() -> Vec<Vec<u8>> {
    let digest = hex::encode(Sha256::digest(MANIFEST));
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{digest}"),
        "size": MANIFEST.len(), "platform": {"os": "linux", "architecture": "amd64", "variant": "v8"}}]});
    vec![MANIFEST.to_vec(), index.to_string().into_bytes()]
}

/// The vector's journal, whole and cut after each record.
fn journals() -> Vec<Vec<u8>> {
    let vector = fs::read_to_string(root().join("vectors/journal.json")).unwrap();
    let records = lines_of(&vector, "/records", "");
    (1..=records.len())
        .map(|count| records[..count].iter().map(|record| format!("{record}\n")).collect::<String>().into())
        .collect()
}

fn evidence() -> Vec<Vec<u8>> {
    files("evidence", &[".json", ".dsse", ".jsonl"])
}

fn seeds(parser: &str) -> Vec<Vec<u8>> {
    let checkpoint = vector("checkpoint.json");
    let note = text(&checkpoint["note"]);
    match parser {
        "evidence" => evidence(),
        "verification" => vec![signed_and_logged(), signed_and_logged()],
        "json" => evidence(),
        "statement" => statements(),
        "predicate" => predicates(),
        "image" => images(),
        "release" => files("", &["release.yaml"]),
        "manifests" => files("deploy", &[".yaml"]),
        "trust" => files("", &["trust.yaml"]),
        "key" => files("trust", &[".pub"]),
        "root" => files("trust", &["root.json"]),
        "policy" => files("policies", &[".yaml"]),
        "config" => files("", &["laforge.yaml"]),
        "entry" => {
            vector("entries.json")["entries"].as_array().unwrap().iter().map(|e| text(&e["line"])).collect()
        }
        "checkpoint" => {
            vec![note.split(|byte| *byte == b'\n').take(3).collect::<Vec<_>>().join(&b'\n'), note]
                .into_iter()
                .map(|text| if text.ends_with(b"\n") { text } else { [text, b"\n".to_vec()].concat() })
                .collect()
        }
        "note" => vec![note, text(&checkpoint["vkey"])],
        "proof" => vec![text(&vector("tlog-proof.json")["proof"])],
        "plan" => vec![text(&vector("envelope.json")["envelope"])],
        "log_policy" => vec![log_policy(checkpoint["vkey"].as_str().unwrap())],
        "journal" => journals(),
        other => panic!("no seeds for `{other}`"),
    }
}

/// A keyless bundle with a log entry: the most that verification reads.
fn signed_and_logged() -> Vec<u8> {
    fs::read(root().join("allows-keyless-logged/evidence/signature.sigstore.json")).unwrap()
}

/// A policy with two witnesses, whose keys are the log's in the form of a witness.
fn log_policy(vkey: &str) -> Vec<u8> {
    let key = STANDARD.decode(vkey.splitn(3, '+').nth(2).unwrap()).unwrap();
    let witness = |name: &str| {
        let key = [&[4], &key[1..]].concat();
        let id = Sha256::digest([name.as_bytes(), b"\n", &key].concat());
        format!("witness {name} {name}+{}+{}\n", hex::encode(&id[..4]), STANDARD.encode(key))
    };
    let text =
        format!("# pinned\nlog {vkey} https://log.example\n{}group both any w\nquorum both\n", witness("w"));
    text.into_bytes()
}

#[test]
fn no_mutant_of_a_document_makes_its_parser_panic_or_dwell() {
    let (left, right) = PARSERS.split_at(PARSERS.len() / 2);
    let work =
        |parsers: &'static [super::parsers::Parser]| move || parsers.iter().map(feed).collect::<Vec<_>>();
    let told: Vec<String> = thread::scope(|scope| {
        let halves = [scope.spawn(work(left)), scope.spawn(work(right))];
        halves.into_iter().flat_map(|half| half.join().expect("a mutant that panics")).collect()
    });
    println!("{}", told.join("\n"));
}

/// Feeds one parser with its mutants, and tells in a line what came of it.
fn feed(parser: &super::parsers::Parser) -> String {
    let name = parser.name;
    let seeds = seeds(name);
    assert!(seeds.iter().any(|seed| (parser.takes)(seed)), "{name} takes none of its {} seeds", seeds.len());
    let mut random = Random(0x6c61_666f_7267_6501);
    let (mut taken, mut longest) = (0, Duration::ZERO);
    for number in 0..MUTANTS {
        let seed = number % seeds.len();
        let other = random.below(seeds.len());
        let mutant = mutant(&seeds[seed], &seeds[other], &mut random);
        let started = Instant::now();
        let _told = Told { name, number, mutant: &mutant };
        taken += usize::from((parser.takes)(&mutant));
        longest = longest.max(started.elapsed());
        assert!(longest < LONGEST, "{name}: mutant {number} of seed {seed} took {longest:?}");
    }
    format!("{name}: {} seeds, {MUTANTS} mutants, {taken} taken, longest {longest:?}", seeds.len())
}

/// Says which mutant it was when a parser panics.
struct Told<'a> {
    name: &'a str,
    number: usize,
    mutant: &'a [u8],
}

impl Drop for Told<'_> {
    #[expect(clippy::print_stderr, reason = "read only when the test fails")]
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        eprintln!("{}: mutant {}: {}", self.name, self.number, self.mutant.escape_ascii());
    }
}
