//! Faults from outside: system calls that fail or are never reached, and processes killed at any moment.
//!
//! `strace` injects at the Nth call of a kind, for N = 1, 2, … until the program ends without reaching it. After
//! each fault: a plan that came out has its entry in the log, what was acknowledged is still there byte for byte,
//! the next `deploy` succeeds, and the log verifies. After EIO alone writers may stop and say `NEEDS_REPAIR`.
//! Power loss, where synced bytes differ from written ones, is simulated in the library's own tests.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::example::{Example, PROGRAM, REQUIRED, Run, at_home, command, finished};

/// More points than any sweep may need; reaching it says that the step must grow.
const MOST_POINTS: usize = 80;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Kill,
    Io,
    Full,
}

impl Fault {
    fn injection(self) -> &'static str {
        match self {
            Self::Kill => "signal=KILL",
            Self::Io => "error=EIO",
            Self::Full => "error=ENOSPC",
        }
    }
}

/// How a run that meets an error may end: never in a panic, and never with what would be said of a release that is
/// refused (10) or of a log that was touched (13). With 127 the loader gives up before the program begins.
const ENDS: [i32; 6] = [0, 1, 2, 11, 12, 127];

/// Calls of one kind, each `step`th of which fails in its turn.
struct Sweep {
    calls: &'static str,
    fault: Fault,
    step: usize,
}

const fn sweep(calls: &'static str, fault: Fault, step: usize) -> Sweep {
    Sweep { calls, fault, step }
}

// A question mark lets `strace` pass over calls that a machine does not have.
const WRITES: &str = "write,pwrite64";
const RENAMES: &str = "?rename,renameat,?renameat2";
const FOLDERS: &str = "?mkdir,mkdirat";
const OPENS: &str = "?open,openat";
const CUTS: &str = "ftruncate,?unlink,unlinkat";

/// Deaths. A folder's sync comes once per blob, and opens are mostly of libraries and inputs: steps pass over some.
const KILLS: [Sweep; 6] = [
    sweep(WRITES, Fault::Kill, 1),
    sweep("fdatasync", Fault::Kill, 1),
    sweep("fsync", Fault::Kill, 2),
    sweep(RENAMES, Fault::Kill, 1),
    sweep(FOLDERS, Fault::Kill, 3),
    sweep(OPENS, Fault::Kill, 5),
];

/// Calls that fail.
const ERRORS: [Sweep; 9] = [
    sweep(WRITES, Fault::Io, 1),
    sweep("fdatasync", Fault::Io, 1),
    sweep("fsync", Fault::Io, 2),
    sweep(RENAMES, Fault::Io, 1),
    sweep("read", Fault::Io, 9),
    sweep(WRITES, Fault::Full, 1),
    sweep(RENAMES, Fault::Full, 2),
    sweep(FOLDERS, Fault::Full, 3),
    sweep(OPENS, Fault::Full, 5),
];

/// Whether `strace` can trace here. Without it a test says so and ends, unless the parts are required.
fn can_trace() -> bool {
    let tried = at_home("strace", Path::new("/")).args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let reason = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "strace is required here: {reason}");
    super::skipped(&format!("no fault injection, strace can't trace here ({reason})"));
    false
}

/// A faulted run.
struct Faulted {
    run: Run,
    hit: bool,
    killed: bool,
}

/// Runs the program with a fault at the `nth` of these calls.
fn inject(example: &Example, sweep: &Sweep, nth: usize, arguments: &[&str]) -> Faulted {
    let trace = example.path("trace");
    let calls = sweep.calls;
    // The filter halves the time, but with it `strace` 6.1 never sends the signal of an injection without an error.
    let filter: &[&str] = if sweep.fault == Fault::Kill { &[] } else { &["--seccomp-bpf"] };
    let output = at_home("strace", &example.path("."))
        .args(["-f", "-qq", "-o", trace.to_str().unwrap()])
        .args(filter)
        .args(["-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:{}:when={nth}", sweep.fault.injection())])
        .arg(PROGRAM)
        .args(arguments)
        .output()
        .unwrap();
    let killed = output.status.signal().is_some();
    let hit = killed || String::from_utf8_lossy(&fs::read(&trace).unwrap()).contains("(INJECTED)");
    Faulted { run: finished(output), hit, killed }
}

/// A scene: a folder as it is before the fault, and the command that meets it.
struct Scene {
    example: Example,
    arguments: Vec<&'static str>,
    /// Where the plan comes out, if not on stdout.
    file: Option<&'static str>,
}

impl Scene {
    fn new(example: Example, more: &[&'static str], file: Option<&'static str>) -> Self {
        let mut arguments = [&["deploy"], &REQUIRED[..], more].concat();
        arguments.extend(file.iter().flat_map(|file| ["-o", file]));
        Self { example, arguments, file }
    }

    /// Sweeps over it; how many points were hit.
    fn sweep_all<'a>(&self, sweeps: impl IntoIterator<Item = &'a Sweep>) -> usize {
        let acknowledged = lines(&self.example);
        sweeps.into_iter().map(|sweep| self.sweep(sweep, &acknowledged)).sum()
    }

    fn sweep(&self, sweep: &Sweep, acknowledged: &[String]) -> usize {
        for point in 0..MOST_POINTS {
            let nth = 1 + point * sweep.step;
            let example = self.example.fork();
            let faulted = inject(&example, sweep, nth, &self.arguments);
            let at = format!("{:?} at call {nth} of {}", sweep.fault, sweep.calls);
            if !faulted.hit {
                assert_eq!(faulted.run.code, 0, "{at}, never reached: {}", faulted.run.stderr);
                assert!(point > 0, "{at}: no call was reached at all, so nothing was tried");
                return point;
            }
            self.holds_after(&faulted, &example, sweep.fault, acknowledged, &at);
        }
        panic!("{:?} of {}: more than {MOST_POINTS} points, take a larger step", sweep.fault, sweep.calls);
    }

    /// The plan that came out, whole or not at all.
    fn plan(&self, run: &Run, example: &Example, at: &str) -> Option<String> {
        let text = match self.file {
            None => run.stdout.clone(),
            Some(file) => {
                assert_eq!(run.stdout, "", "{at}");
                fs::read_to_string(example.path(file)).unwrap_or_default()
            }
        };
        (!text.is_empty()).then_some(text)
    }

    /// What must hold after any fault.
    fn holds_after(&self, faulted: &Faulted, example: &Example, fault: Fault, before: &[String], at: &str) {
        let run = &faulted.run;
        assert!(faulted.killed || ENDS.contains(&run.code), "{at}: exit {}: {}", run.code, run.stderr);
        let plan = self.plan(run, example, at);
        let succeeded = run.code == 0 && !faulted.killed;
        assert!(!succeeded || plan.is_some(), "{at}: exit 0 without a plan: {}", run.stderr);

        let next = example.run(&self.arguments);
        let marked = example.path(".laforge/audit/NEEDS_REPAIR").exists();
        if marked {
            assert_eq!(fault, Fault::Io, "{at}: marked for repair");
            assert_eq!(next.code, 12, "{at}: {}", next.stderr);
            assert!(next.stderr.contains("NEEDS_REPAIR"), "{at}: {}", next.stderr);
        } else {
            assert_eq!(next.code, 0, "{at}: the next deploy: {}", next.stderr);
            let again = self.plan(&next, example, at);
            assert!(again.is_some(), "{at}: the next deploy has no plan");
            // The same request before the plan expires is the same plan, byte for byte.
            assert!(plan.is_none() || plan == again, "{at}: two plans for one request");
        }

        let log = lines(example);
        assert!(log.starts_with(before), "{at}: an acknowledged entry is gone or changed");
        for plan in [plan, self.plan(&next, example, at).filter(|_| next.code == 0)].iter().flatten() {
            assert!(log.contains(&entry_of(plan, at)), "{at}: a plan without its entry");
        }
        let verified = example.run(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{at}: {}{}", verified.stdout, verified.stderr);
        assert!(
            !marked || format!("{}{}", verified.stdout, verified.stderr).contains("NEEDS_REPAIR"),
            "{at}"
        );
    }
}

/// The committed entries' exact bytes.
fn lines(example: &Example) -> Vec<String> {
    let listed = example.run(&["audit", "list", "-o", "jsonl"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    listed.stdout.lines().map(str::to_owned).collect()
}

/// The entry that a plan carries.
#[track_caller]
fn entry_of(plan: &str, at: &str) -> String {
    let plan: Value = serde_json::from_str(plan).unwrap_or_else(|error| panic!("{at}: a torn plan: {error}"));
    plan["auditEntry"]["line"].as_str().unwrap().to_owned()
}

/// The example with a log that has acknowledged a deploy.
fn deployed() -> Example {
    let example = Example::new();
    example.deploy(&[]).ends_with_data();
    example
}

#[test]
fn no_death_at_any_system_call_lets_a_plan_out_without_its_entry() {
    if can_trace() {
        let points = Scene::new(Example::new(), &[], None).sweep_all(&KILLS);
        println!("{points} deaths in a first deploy");
        assert!(points > 80, "only {points}");
    }
}

#[test]
fn no_failing_system_call_lets_a_plan_out_without_its_entry() {
    if can_trace() {
        let points = Scene::new(Example::new(), &[], None).sweep_all(&ERRORS);
        println!("{points} errors in a first deploy");
        assert!(points > 120, "only {points}");
    }
}

#[test]
fn no_fault_tears_a_plan_file_or_loses_the_entry_that_was_acknowledged_before() {
    if can_trace() {
        // Its blobs are mostly there already; what is new are the entry and the file.
        let scene = Scene::new(deployed(), &["--traffic-steps", "7,100"], Some("plan.json"));
        let sweeps =
            KILLS.iter().chain(&ERRORS).filter(|sweep| sweep.calls != OPENS && sweep.calls != "read");
        let points = scene.sweep_all(sweeps);
        println!("{points} faults in a second deploy, into a file");
        assert!(points > 60, "only {points}");
    }
}

#[test]
fn no_fault_during_recovery_loses_what_was_set_aside_or_acknowledged() {
    if !can_trace() {
        return;
    }
    let example = deployed();
    // As a writer leaves it that died in the middle of its journal record.
    append(&example, ".laforge/audit/entries/00000000000000000000.jsonl", "{\"_type\":\"torn\"}\n{\"half");
    append(&example, ".laforge/audit/journal/00000000000000000000.jsonl", "{\"size\":5,\"ro");
    let scene = Scene::new(example, &["--traffic-steps", "9,100"], None);
    let points = scene.sweep_all(&[
        sweep(WRITES, Fault::Kill, 1),
        sweep("fdatasync", Fault::Kill, 1),
        sweep(RENAMES, Fault::Kill, 1),
        sweep(CUTS, Fault::Kill, 1),
        sweep(WRITES, Fault::Full, 1),
        sweep(CUTS, Fault::Io, 1),
    ]);
    println!("{points} faults during recovery");
    assert!(points > 30, "only {points}");
}

fn append(example: &Example, name: &str, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(example.path(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Processes that the loop is after, and for how long it tries.
const DEATHS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(40);
const WRITERS: usize = 4;

/// What the writers saw.
#[derive(Default)]
struct Seen {
    attempts: usize,
    kills: usize,
    acknowledged: usize,
    plans: Vec<String>,
}

#[test]
fn writers_killed_at_any_moment_lose_nothing_that_was_acknowledged() {
    let example = Example::new();
    let started = Instant::now();
    example.deploy(&[]).ends_with_data();
    let whole = started.elapsed();
    let before = lines(&example);

    let seen = Mutex::new(Seen::default());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (example, seen) = (&example, &seen);
            scope.spawn(move || kill_writers(example, writer, whole, seen));
        }
    });
    let seen = seen.into_inner().unwrap();

    example.deploy(&["--traffic-steps", "99,100"]).ends_with_data();
    let verified = example.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let log = lines(&example);
    assert!(log.starts_with(&before));
    let log: BTreeSet<_> = log.into_iter().collect();
    for plan in &seen.plans {
        assert!(log.contains(&entry_of(plan, "after a kill")), "a plan without its entry: {plan}");
    }
    println!(
        "{} attempts, {} killed, {} acknowledged, {} plans came out",
        seen.attempts,
        seen.kills,
        seen.acknowledged,
        seen.plans.len()
    );
    assert!(seen.kills >= DEATHS / 2 && seen.acknowledged > 0, "{} kills say too little", seen.kills);
}

/// One writer after another, each killed after a while that is sometimes too long.
fn kill_writers(example: &Example, writer: usize, whole: Duration, seen: &Mutex<Seen>) {
    let until = Instant::now() + PATIENCE;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(writer as u64 + 1);
    for attempt in 0.. {
        {
            let seen = seen.lock().unwrap();
            if seen.kills >= DEATHS && seen.acknowledged > 0 || Instant::now() > until {
                return;
            }
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Four writers share the cores and the lock, so a whole run takes several times as long as one alone.
        let patience = whole.mul_f64((random % 1000) as f64 / 300.0);
        // Each asks for a plan of its own, or most would find the same entry.
        let steps = format!("{},100", 1 + (attempt * WRITERS + writer) % 98);
        let (output, killed) = killed_after(example, patience, &steps);
        let plan = String::from_utf8(output.stdout).unwrap();
        let mut seen = seen.lock().unwrap();
        seen.attempts += 1;
        seen.kills += usize::from(killed);
        if !killed {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{stderr}");
            assert_ne!(plan, "", "exit 0 without a plan: {stderr}");
            seen.acknowledged += 1;
        }
        if !plan.is_empty() {
            seen.plans.push(plan);
        }
    }
}

/// A deploy that is killed unless it ends before.
fn killed_after(example: &Example, patience: Duration, steps: &str) -> (Output, bool) {
    let mut child = command(&example.path("."))
        .arg("deploy")
        .args(REQUIRED)
        .args(["--traffic-steps", steps])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + patience;
    // Both pipes hold more than a plan and its report, so a writer never waits for this reader.
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let killed = output.status.signal().is_some();
    (output, killed)
}
