//! A year of a log, made in seconds: entries, blobs and signed records as `formats.md` and `audit-log.md` 1.2 to 1.5
//! have them.
//!
//! In: an example that its own gate decided once, and a number of entries. Out: its log anew, with that many: lines of
//! the one decision's form, of other releases, people and outcomes. Each has a record of its own, signed by the log's
//! key, so `laforge audit verify` takes all of it. What is left out is the sync of each commit.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use laforge::audit::checkpoint::Checkpoint;
use laforge::audit::tree::{Frontier, Hash, Head, leaf_hash};
use laforge::audit::{AuditLog, NewLog, Reader};
use laforge::key::secret::SecretKey;
use laforge::policy::Caller;
use sha2::{Digest as _, Sha256};

/// Lines of a segment: what `laforge init` gives a log.
pub(crate) const SEGMENT: u64 = 65_536;
/// Allows of so many last days have a plan of their own, as a service reads it.
const OWN_PLANS: TimeDelta = TimeDelta::days(8);

const NAMES: [&str; 12] = [
    "payments", "checkout", "ledger", "search", "catalog", "identity", "mailer", "pricing", "invoices",
    "quotes", "shipping", "reports",
];
const ENVIRONMENTS: [&str; 4] = ["production", "staging", "canary", "development"];
const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
const MILESTONES: [&str; 3] = ["rollout.started", "rollout.paused", "rollout.completed"];
const RULES: [&str; 4] =
    ["signature-missing", "provenance-missing", "separation-of-duties", "artifact-digest"];

/// A log that is being made.
pub(crate) struct Made {
    folder: PathBuf,
    key: SecretKey,
    origin: String,
    form: Form,
    dice: Dice,
}

/// What a decision's line consists of, but for what differs.
struct Form {
    source: String,
    inputs: String,
    policy: String,
    plan: String,
    core: String,
    artifact: String,
}

/// Numbers that are the same in each run, by xorshift (Marsaglia, <https://doi.org/10.18637/jss.v008.i14>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap();
        words.get(at).unwrap()
    }

    fn hex(&mut self) -> String {
        hex::encode(Sha256::digest(self.below(u64::MAX).to_le_bytes()))
    }
}

impl Made {
    /// Begins an example's log anew at this time, and pins it.
    pub(crate) fn begin(example: &Path, began: DateTime<Utc>) -> Self {
        let folder = example.join(".laforge/audit");
        let reader = Reader::open(&folder).unwrap();
        let line = String::from_utf8(reader.line(3).unwrap().unwrap().bytes).unwrap();
        let (origin, old) = (reader.origin().to_owned(), reader.log_id().to_string());
        let pem = fs::read_to_string(example.join(".laforge/audit.key")).unwrap();
        let key = SecretKey::from_pem(&pem, || None).unwrap();
        let form = Form::of(&line, &folder);
        let evidence = example.join("kept");
        fs::rename(folder.join("evidence"), &evidence).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let caller = Caller::unknown();
        let created = AuditLog::create(&NewLog::new(&folder, &origin, &caller), &key, began).unwrap();
        fs::remove_dir_all(folder.join("evidence")).unwrap();
        fs::rename(&evidence, folder.join("evidence")).unwrap();
        let trust = fs::read_to_string(example.join("trust.yaml")).unwrap();
        fs::write(example.join("trust.yaml"), trust.replace(&old, &created.log_id.to_string())).unwrap();
        Self { folder, key, origin, form, dice: Dice(0x9e37_79b9_7f4a_7c15) }
    }

    /// Fills it up to so many entries, the last of them at this time; gives its bytes.
    pub(crate) fn fill(mut self, began: DateTime<Utc>, now: DateTime<Utc>, entries: u64) -> u64 {
        let first = Reader::open(&self.folder).unwrap().line(0).unwrap().unwrap().bytes;
        let (mut frontier, mut prev) = (Frontier::default(), leaf_hash(&first));
        frontier.push(prev);
        let mut files = Files::open(&self.folder, 0, first.len() as u64 + 1);
        let key = Reader::open(&self.folder).unwrap().vkey().short();
        let (span, mut bytes, mut note) = (now - began, files.length, String::new());
        for seq in 1..entries {
            let time = began + span / i32::try_from(entries).unwrap() * i32::try_from(seq).unwrap();
            let line = self.line(seq, prev, time, now);
            if seq % SEGMENT == 0 {
                files = Files::open(&self.folder, seq, 0);
            }
            prev = leaf_hash(line.as_bytes());
            frontier.push(prev);
            bytes += line.len() as u64 + 1;
            note = self.record(&mut files, &line, &frontier, &key);
        }
        if !note.is_empty() {
            fs::write(self.folder.join("checkpoint"), note).unwrap();
        }
        bytes
    }

    /// Writes a line and the record of its commit; gives the record's note.
    fn record(&self, files: &mut Files, line: &str, frontier: &Frontier, key: &str) -> String {
        files.entries.write_all(format!("{line}\n").as_bytes()).unwrap();
        files.length += line.len() as u64 + 1;
        let head = Head { size: frontier.size(), root: frontier.root() };
        let note = Checkpoint { origin: self.origin.clone(), head }.sign(&self.key).unwrap();
        let hashes: Vec<String> = frontier.hashes().iter().map(|hash| format!("\"{hash}\"")).collect();
        let (size, root, first, length) = (head.size, head.root, files.first, files.length);
        let record = format!(
            "{{\"size\":{size},\"root\":\"{root}\",\"segment\":\"{first:020}\",\"length\":{length},\"frontier\":[{}],\
             \"key\":\"{key}\",\"note\":{}}}\n",
            hashes.join(","),
            serde_json::to_string(&note).unwrap()
        );
        files.journal.write_all(record.as_bytes()).unwrap();
        note
    }

    fn line(&mut self, seq: u64, prev: Hash, time: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let head = |kind: &str| {
            let micros = time.to_rfc3339_opts(SecondsFormat::Micros, true);
            format!(
                "{{\"_type\":\"https://laforge.dev/entry/v1\",\"seq\":{seq},\"prev\":\"{prev}\",\"time\":\"{micros}\",\"type\":\"{kind}\""
            )
        };
        let tool = "\"tool\":{\"version\":\"0.1.0\"}";
        let nobody = "\"actor\":{\"id\":\"unknown\",\"type\":\"unknown\",\"verified\":false}";
        match self.dice.below(1000) {
            0 => format!("{},{nobody},{tool}}}", head("heartbeat")),
            1 => {
                let (kind, place) =
                    (self.dice.of(&["policy.changed", "trust.changed"]), self.dice.of(&ENVIRONMENTS));
                let to = self.dice.hex();
                format!("{},{nobody},{tool},\"environment\":\"{place}\",\"to\":\"sha256:{to}\"}}", head(kind))
            }
            2 => {
                let digest = self.dice.hex();
                format!(
                    "{},{nobody},{tool},\"file\":\"entries/{:020}.jsonl\",\"offset\":{seq},\"length\":7,\"digest\":\"sha256:{digest}\",\"cause\":\"unsigned-lines\"}}",
                    head("log.recovered"),
                    seq - seq % SEGMENT,
                )
            }
            3..=80 => format!("{},{nobody},{tool},{}", head(self.dice.of(&MILESTONES)), self.rollout()),
            _ => format!("{},{}", head("decision"), self.decision(seq, time, now)),
        }
    }

    /// What happened to a rollout, of a plan of another log.
    fn rollout(&mut self) -> String {
        let (name, environment) = (self.dice.of(&NAMES), self.dice.of(&ENVIRONMENTS));
        let (plan, release, leaf) = (self.dice.hex(), self.dice.hex(), self.dice.hex());
        format!(
            "\"plan\":{{\"digest\":\"sha256:{plan}\",\"size\":3885}},\"release\":{{\"name\":\"{name}\",\"version\":\"1.0.0\",\"environment\":\"{environment}\",\"digest\":\"sha256:{release}\"}},\
             \"target\":\"{environment}\",\"state\":\"Shifting\",\"epoch\":3,\"journal\":{{\"length\":9,\"leaf\":\"sha256:{leaf}\"}}}}"
        )
    }

    /// A decision's members: six of ten are allows, two denied for want of an approval.
    fn decision(&mut self, seq: u64, time: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let seconds = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (name, environment) = (self.dice.of(&NAMES), self.dice.of(&ENVIRONMENTS));
        let version = format!("{}.{}.{}", 1 + seq / 100_000, seq / 1_000 % 100, self.dice.below(10));
        let roll = self.dice.below(10);
        let (verdict, action, mode) = match roll {
            0..=5 => ("pass", "allow", "enforce"),
            6 => ("pass", "none", "dry-run"),
            7 => ("error", "deny", "enforce"),
            _ => ("fail", "deny", "enforce"),
        };
        let rule = match roll {
            7 => "evidence-unreachable",
            8 => "approval-threshold",
            _ => self.dice.of(&RULES),
        };
        let findings = match action {
            "deny" => format!(
                "{{\"rule\":\"{rule}\",\"severity\":\"deny\",\"subject\":\"{name}.tar.gz\",\"message\":\"`{name}.tar.gz` has less than it needs\"}}"
            ),
            _ => String::new(),
        };
        let people = self.people(&seconds);
        let (digest, idem, runner) = (self.dice.hex(), self.dice.hex(), self.dice.below(40));
        let Form { source, inputs, policy, .. } = &self.form;
        let body = format!(
            "\"clock\":\"{seconds}\",\"verdict\":\"{verdict}\",\"action\":\"{action}\",\"mode\":\"{mode}\",\
             \"actor\":{{\"id\":\"repo:acme/{name}:runner-{runner}\",\"issuer\":\"https://ci.example.com\",\"type\":\"workload\",\"verified\":false}},\
             \"release\":{{\"name\":\"{name}\",\"version\":\"{version}\",\"environment\":\"{environment}\",\"digest\":\"sha256:{digest}\",{source}}},\
             \"approvals\":[{people}],\"findings\":[{findings}],{inputs},\
             \"totals\":{{\"artifacts\":3,\"approvals\":2,\"findings\":{},\"inputs\":8}},{policy},",
            u8::from(!findings.is_empty())
        );
        let plan = match action {
            "allow" => self.plan(time, now),
            _ => String::new(),
        };
        format!("{body}{plan}\"tool\":{{\"version\":\"0.1.0\"}},\"idem\":\"sha256:{idem}\"}}")
    }

    fn people(&mut self, seconds: &str) -> String {
        let pair = [self.dice.of(&PEOPLE), self.dice.of(&PEOPLE)];
        let one = |person: &&str| {
            let evidence = hex::encode(Sha256::digest(person.as_bytes()));
            format!(
                "{{\"person\":\"{person}\",\"time\":\"{seconds}\",\"timeKind\":\"claimed\",\"evidence\":\"sha256:{evidence}\",\"counted\":true}}"
            )
        };
        pair.iter().map(one).collect::<Vec<_>>().join(",")
    }

    /// The plan of an allow: one of its own where somebody would still ask for it.
    fn plan(&mut self, time: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let Form { core, plan, artifact, .. } = &self.form;
        if now - time > OWN_PLANS {
            return format!("\"plan\":{{\"digest\":\"sha256:{plan}\",\"size\":{}}},", core.len());
        }
        let own = core.replace(artifact.as_str(), &self.dice.hex());
        let digest = hex::encode(Sha256::digest(own.as_bytes()));
        let path = blob(&self.folder, &digest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &own).unwrap();
        format!("\"plan\":{{\"digest\":\"sha256:{digest}\",\"size\":{}}},", own.len())
    }
}

impl Form {
    fn of(line: &str, folder: &Path) -> Self {
        let plan = between(line, "\"plan\":{\"digest\":\"sha256:", "\"").to_owned();
        let core = fs::read_to_string(blob(folder, &plan)).unwrap();
        Self {
            source: format!("\"source\":{}", between(line, "\"source\":", "},\"approvals\"")),
            inputs: format!("\"inputs\":{}", between(line, "\"inputs\":", ",\"totals\"")),
            policy: format!("\"policy\":{}", between(line, "\"policy\":", ",\"plan\"")),
            artifact: between(&core, "\"subject\":[{\"digest\":{\"sha256\":\"", "\"").to_owned(),
            plan,
            core,
        }
    }
}

/// Both files of a segment, and where its lines end.
struct Files {
    first: u64,
    length: u64,
    entries: BufWriter<File>,
    journal: BufWriter<File>,
}

impl Files {
    fn open(folder: &Path, first: u64, length: u64) -> Self {
        let open = |kind: &str| {
            let path = folder.join(kind).join(format!("{first:020}.jsonl"));
            BufWriter::new(File::options().create(true).append(true).open(path).unwrap())
        };
        Self { first, length, entries: open("entries"), journal: open("journal") }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

fn blob(folder: &Path, hex: &str) -> PathBuf {
    folder.join("evidence/sha256").join(hex.get(..2).unwrap()).join(hex)
}
