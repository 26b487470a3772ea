//! A long log: how soon the services have read it, what they hold of it in memory, and how long each page takes.
//!
//! `cargo bench --bench log` makes a year of 20,000 entries; `LAFORGE_BENCH_ENTRIES=1000000` a long one, and
//! `LAFORGE_BENCH_FOLDER` keeps it (or finds it again). The floor of reading is hashing each line, of a page a request
//! that is answered from nothing, both in the same run. It prints; nothing here passes or fails on time.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs the program and prints"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't run should say so loudly")]

#[path = "log/asked.rs"]
mod asked;
#[path = "log/made.rs"]
mod made;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use asked::{Service, Took};
use chrono::{DateTime, TimeDelta, Utc};
use laforge::audit::Reader;
use laforge::audit::tree::leaf_hash;
use made::{Made, SEGMENT};
use sha2::{Digest as _, Sha256};

/// How often each page is asked for.
const TIMES: usize = 60;
const TOKEN: &str = "a-token";

fn main() {
    let entries: u64 = std::env::var("LAFORGE_BENCH_ENTRIES").map_or(20_000, |text| text.parse().unwrap());
    let kept = std::env::var_os("LAFORGE_BENCH_FOLDER").map(PathBuf::from);
    let temporary = tempfile::tempdir_in(".").unwrap();
    let example = kept.unwrap_or_else(|| temporary.path().join("example"));
    if !example.join("laforge.yaml").exists() {
        make(&example, entries);
    }
    let floor = floor(&example);
    println!("floor of reading: {:.2} s to hash each of {entries} lines", floor.as_secs_f64());
    studio(&example, floor);
    runtime(&example, floor);
    commands(&example, floor);
}

/// An example with a year of decisions behind it.
fn make(example: &Path, entries: u64) {
    let parent = example.parent().unwrap();
    fs::create_dir_all(parent).unwrap();
    laforge(parent, &["init", example.file_name().unwrap().to_str().unwrap(), "--example"]);
    laforge(example, &["deploy"]);
    let section = format!(
        "\nservice:\n  tokens: [{{name: bench, sha256: {}, rights: [read]}}]\n  admission: {{environment: production}}\n",
        hex::encode(Sha256::digest(TOKEN))
    );
    let config = fs::read_to_string(example.join("laforge.yaml")).unwrap();
    fs::write(example.join("laforge.yaml"), config + &section).unwrap();
    // What was seen of the log that is replaced now.
    fs::remove_dir_all(example.join("cache")).unwrap();
    let (asked, now) = (Instant::now(), Utc::now());
    let began = now - TimeDelta::days(365);
    let bytes = Made::begin(example, began).fill(began, now, entries);
    println!("made: {entries} entries, {} MB, in {:.1} s", bytes / 1_000_000, asked.elapsed().as_secs_f64());
}

/// How long hashing each line takes, on one core, from the disk as it is.
fn floor(example: &Path) -> Duration {
    let reader = Reader::open(&example.join(".laforge/audit")).unwrap();
    let began = Instant::now();
    let last = reader.lines().map(|line| leaf_hash(&line.unwrap().bytes)).last();
    assert!(last.is_some());
    began.elapsed()
}

fn commands(example: &Path, floor: Duration) {
    let size = Reader::open(&example.join(".laforge/audit")).unwrap().size();
    let (middle, range) = ((size / 2).to_string(), format!("{}..{size}", size - 100));
    for arguments in [
        &["audit", "list", "-n", "20"][..],
        &["audit", "list", "--release", "payments@1.50.3"],
        &["audit", "list", "--environment", "production", "--verdict", "fail", "-n", "20"],
        &["audit", "list", "--approver", "alice", "-n", "20"],
        &["audit", "show", &middle],
        &["audit", "status"],
        &["audit", "verify", "--fast"],
        &["audit", "verify", "--range", &range],
        &["audit", "verify"],
        &["deploy"],
    ] {
        let (took, memory) = measured(example, arguments);
        told(&format!("{} ({memory} MB)", arguments.join(" ")), took, floor);
    }
}

/// How long a run takes, and the megabytes of memory that it has at most.
fn measured(folder: &Path, arguments: &[&str]) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = program(folder, arguments).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        most = most.max(asked::megabytes(&fs::read_to_string(&status).unwrap_or_default(), "VmHWM"));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success(), "{arguments:?}: {ended}");
    (began.elapsed(), most)
}

fn told(what: &str, took: Duration, floor: Duration) {
    let (took, floor) = (took.as_secs_f64(), floor.as_secs_f64());
    println!("{what:<76} {took:>7.2} s, {:.1} of the floor", took / floor);
}

fn studio(example: &Path, floor: Duration) {
    let began = Instant::now();
    let (mut service, said) = Service::start(example, &["studio", "--actor", "bench"], "");
    let link = said.lines().find(|line| line.contains("/login?")).unwrap();
    let (_, head, _) = service.get(link.get(link.find("/login").unwrap()..).unwrap());
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    service.with(format!("cookie: {}\r\n", cookie.split(';').next().unwrap()));
    // What pages take while the log is read for the first time.
    let mut meanwhile = Vec::new();
    loop {
        let asked = Instant::now();
        let (_, _, page) = service.get("/decisions");
        if !page.contains("Reading the log") {
            break;
        }
        meanwhile.push(asked.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    told("studio: until all is read", began.elapsed(), floor);
    println!("studio: a page meanwhile: {}", Took::of(meanwhile));
    let idle = service.measure("/livez", TIMES);
    println!("floor of a page: {idle}");
    let size = Reader::open(&example.join(".laforge/audit")).unwrap().size();
    let (middle, month) = (size / 2, Utc::now() - TimeDelta::days(30));
    let month = month.format("%Y-%m-%dT%H:%M:%SZ");
    for path in [
        "/".to_owned(),
        "/?range=90d".to_owned(),
        "/decisions".to_owned(),
        "/decisions?release=payments".to_owned(),
        "/decisions?release=payments%401.50.3".to_owned(),
        "/decisions?environment=production".to_owned(),
        "/decisions?verdict=fail".to_owned(),
        "/decisions?actor=repo:acme/payments:runner-7".to_owned(),
        "/decisions?approver=alice".to_owned(),
        "/decisions?rule=approval-threshold".to_owned(),
        format!("/decisions?since={month}"),
        format!("/decisions?environment=production&verdict=fail&actor=nobody&since={month}"),
        format!("/decisions?before={middle}"),
        format!("/decisions?environment=production&after={middle}"),
        format!("/decisions/{middle}"),
        format!("/decisions/{}", size - 1),
        "/approvals".to_owned(),
        "/rollouts".to_owned(),
        "/policies".to_owned(),
        "/log".to_owned(),
    ] {
        page(&service, &path, &idle);
    }
    let (now, most) = service.memory();
    println!("studio: memory {now} MB, at most {most} MB");
    appended(example, &service, "studio", "/log");
}

fn page(service: &Service, path: &str, idle: &Took) {
    let took = service.measure(path, TIMES);
    let ratio = took.median().as_secs_f64() / idle.median().as_secs_f64().max(1e-6);
    println!("{path:<90} {took}, {ratio:.0} of the floor");
}

fn runtime(example: &Path, floor: Duration) {
    let began = Instant::now();
    let (mut service, _) = Service::start(example, &["runtime"], "");
    told("runtime: until it listens", began.elapsed(), floor);
    while service.get("/readyz").0 != 200 {
        thread::sleep(Duration::from_millis(10));
    }
    told("runtime: until it is ready", began.elapsed(), floor);
    let idle = service.measure("/livez", TIMES);
    println!("floor of an answer: {idle}");
    service.with(format!("authorization: Bearer {TOKEN}\r\n"));
    page(&service, "/metrics", &idle);
    let size = Reader::open(&example.join(".laforge/audit")).unwrap().size();
    let middle = size / 2;
    for path in [
        "/v1/log".to_owned(),
        "/v1/decisions".to_owned(),
        "/v1/decisions?limit=20".to_owned(),
        "/v1/decisions?release=payments%401.50.3".to_owned(),
        "/v1/decisions?environment=production&verdict=fail".to_owned(),
        "/v1/decisions?actor=nobody".to_owned(),
        format!("/v1/decisions?before={middle}"),
        format!("/v1/decisions/{middle}"),
        format!("/v1/decisions/{}/proof", size - 1),
    ] {
        page(&service, &path, &idle);
    }
    let (now, most) = service.memory();
    println!("runtime: memory {now} MB, at most {most} MB");
    appended(example, &service, "runtime", "/v1/log");
}

/// How long after its commit a service shows that an entry is there.
fn appended(example: &Path, service: &Service, name: &str, path: &str) {
    let folder = example.join(".laforge/audit");
    let mut took = Vec::new();
    for _ in 0..3 {
        let before = Reader::open(&folder).unwrap().size();
        let mut child = program(example, &["deploy", "--dry-run"]).spawn().unwrap();
        // As the page writes the size, and as JSON does.
        let sizes: Vec<String> = (1..4)
            .flat_map(|more| [format!(">{}<", before + more), format!("\"size\":{},", before + more)])
            .collect();
        let seen = loop {
            let text = service.get(path).2.replace('\u{202f}', "");
            if sizes.iter().any(|size| text.contains(size)) {
                break Utc::now();
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert!(child.wait().unwrap().success());
        // An entry's own time is from when its writer began; its commit is the last write to the journal.
        let size = Reader::open(&folder).unwrap().size();
        let journal = folder.join("journal").join(format!("{:020}.jsonl", (size - 1) - (size - 1) % SEGMENT));
        let committed = DateTime::<Utc>::from(fs::metadata(journal).unwrap().modified().unwrap());
        took.push((seen - committed).to_std().unwrap_or_default());
    }
    println!("{name}: a new entry is seen after {}", Took::of(took));
}

fn laforge(folder: &Path, arguments: &[&str]) {
    let output = program(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
    command.current_dir(folder).args(arguments).env("XDG_CACHE_HOME", folder.join("cache"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}
