//! Programs, by real ones: their ends, their timeouts with all that they started, and their words.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use laforge::release::digest::ClaimedDigest;
use laforge::rollout::driver::DriverError;
use laforge::rollout::driver::exec::{Commands, Progress, Variables, runs};
use laforge::rollout::driver::probe::{NotReady, Probe};
use laforge::rollout::executor::CommandsSection;

use super::namespace::beside;
use super::service::{self, Service, ask};

/// Long for what ends by itself.
const LONG: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn starts(script: &str, timeout: Duration) -> Result<(), DriverError> {
    let section = CommandsSection { start: shell(script), ..CommandsSection::default() };
    Commands::new(&section, timeout).start(&Variables::default())
}

/// Whether a process runs, and is no zombie.
fn lives(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[track_caller]
fn pid(file: &Path) -> String {
    let began = Instant::now();
    loop {
        let pid = fs::read_to_string(file).unwrap_or_default();
        if pid.ends_with('\n') {
            return pid.trim().to_owned();
        }
        assert!(began.elapsed() < LONG, "no process");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_way_to_fail_has_its_message() {
    for (script, message) in [
        ("exit 3", "`sh` ended with 3"),
        ("echo one; echo two >&2; echo >&2; exit 1", "`sh` ended with 1: two"),
        ("echo said aloud; exit 1", "`sh` ended with 1: said aloud"),
        ("printf 'red \\033[31m' >&2; exit 1", "`sh` ended with 1: red  [31m"),
        ("kill -9 $$", "`sh` was killed"),
    ] {
        assert_eq!(starts(script, LONG).unwrap_err().to_string(), message, "{script}");
    }
    let none = |program: &str| {
        let section = CommandsSection { start: vec![program.to_owned()], ..CommandsSection::default() };
        Commands::new(&section, LONG).start(&Variables::default()).unwrap_err().to_string()
    };
    assert_eq!(none("/none/such"), "`/none/such` could not be started: entity not found");
    assert_eq!(none("/etc/passwd"), "`/etc/passwd` could not be started: permission denied");
    assert_eq!(none(""), "`` can't be a program: its name is empty");
    let unset = Commands::new(&CommandsSection::default(), LONG);
    unset.start(&Variables::default()).unwrap();
    assert_eq!(
        unset.migrate(&[], &Variables::default()).unwrap_err().to_string(),
        "the exec driver can't migrate: `commands.migrate` is not set"
    );
}

#[test]
fn a_timeout_ends_the_whole_group_also_those_that_do_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grandchild");
    let script = format!(
        "sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 0.1; done' & trap '' TERM; wait; wait",
        file.display()
    );
    let began = Instant::now();
    let error = starts(&script, Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "`sh` was killed after 1 s");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let grandchild = pid(&file);
    sleep(Duration::from_millis(200));
    assert!(!lives(&grandchild));
}

#[test]
fn what_a_program_leaves_running_is_left_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server");
    let script = format!("sleep 30 & echo $! > {}", file.display());
    let began = Instant::now();
    starts(&script, LONG).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    let server = pid(&file);
    assert!(lives(&server));
    std::process::Command::new("kill").arg(&server).status().unwrap();
}

#[test]
fn variables_are_those_of_the_rollout_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("variables");
    let print = format!(
        "env | grep -E '^LAFORGE_([SVDIPA]|REL)' | sort > {}; env | grep -c ^PATH= >> {0}",
        file.display()
    );
    let section =
        CommandsSection { scale: shell(&print), alarm: shell(&print), ..CommandsSection::default() };
    let commands = Commands::new(&section, LONG);
    let variables = Variables {
        slot: Some("green".to_owned()),
        version: Some("2.4.0; rm -rf $HOME".to_owned()),
        ..Variables::default()
    };
    commands.scale(50, &variables).unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "LAFORGE_SCALE=50\nLAFORGE_SLOT=green\nLAFORGE_VERSION=2.4.0; rm -rf $HOME\n1\n"
    );
    commands.alarm("paused: breach\nof error-budget", &Variables::default()).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "LAFORGE_ALARM=paused: breach of error-budget\n1\n");
}

#[test]
fn a_migration_is_polled_and_ends_when_it_is_told_or_dropped() {
    let migrate = |script: &str, plan: &[&str]| {
        let section = CommandsSection { migrate: shell(script), ..CommandsSection::default() };
        let plan: Vec<String> = plan.iter().map(|word| (*word).to_owned()).collect();
        Commands::new(&section, LONG).migrate(&plan, &Variables::default()).unwrap()
    };
    let until_it_ends = |script: &str, plan: &[&str]| {
        let (mut migration, began) = (migrate(script, plan), Instant::now());
        loop {
            match migration.poll() {
                Ok(Progress::Running) if began.elapsed() < LONG => sleep(Duration::from_millis(10)),
                ended => return (ended.map_err(|error| error.to_string()), migration.poll().is_ok()),
            }
        }
    };
    assert_eq!(until_it_ends("sleep 0.1", &[]), (Ok(Progress::Done), true));
    let failed = (Err("`sh` ended with 7: no lock on --mode shadow".to_owned()), false);
    assert_eq!(until_it_ends(r#"echo "no lock on $0 $1" >&2; exit 7"#, &["--mode", "shadow"]), failed);
    let folder = tempfile::tempdir().unwrap();
    for dropped in [false, true] {
        let file = folder.path().join(format!("child-{dropped}"));
        let mut migration = migrate(&format!("sleep 30 & echo $! > {}; wait", file.display()), &[]);
        let child = pid(&file);
        assert_eq!(migration.poll().unwrap(), Progress::Running);
        assert!(lives(&child));
        match dropped {
            true => drop(migration),
            false => migration.kill(),
        }
        sleep(Duration::from_millis(100));
        assert!(!lives(&child));
    }
}

#[test]
fn what_runs_is_digests_and_nothing_else() {
    let (a, b) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let told = |script: &str| {
        runs(&shell(script), &Variables::default(), LONG)
            .map(|digests| digests.iter().map(ClaimedDigest::to_string).collect::<BTreeSet<_>>())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        told(&format!("echo {b}; echo {a}; echo; echo {b}")),
        Ok(BTreeSet::from([a.clone(), b.clone()]))
    );
    assert_eq!(told("true"), Ok(BTreeSet::new()));
    let refused =
        |answer: &str| Err(format!("`sh` answered `{answer}` to `what runs there, as `sha256:…` lines`"));
    for (script, answer) in [
        (format!("echo {a}; echo latest"), "latest"),
        (format!("echo ' {a}'"), a.as_str()),
        ("echo sha256:abc".to_owned(), "sha256:abc"),
        (format!("echo {}", a.to_uppercase()), a.to_uppercase().as_str()),
        (format!("yes {a} | head -n 2000"), "more than anyone reads"),
    ] {
        assert_eq!(told(&script), refused(answer), "{script}");
    }
    assert_eq!(told("echo x; echo why >&2; exit 2"), Err("`sh` ended with 2: why".to_owned()));
}

#[test]
fn a_flood_is_read_and_only_its_end_kept() {
    let error = starts("yes | head -c 30000000; echo the end; exit 1", LONG).unwrap_err();
    assert_eq!(error.to_string(), "`sh` ended with 1: the end");
}

#[test]
fn a_candidate_is_started_probed_and_stopped() {
    beside(&["ip"], "exec::a_candidate_is_started_probed_and_stopped", || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let (name, value) = service::variable(8081, "2.4.0");
        let start = format!("{name}='{value}' \"$@\" >/dev/null 2>&1 & echo $! > {}", file.display());
        let start = [shell(&start), vec!["sh".to_owned()], service::arguments()].concat();
        let stop = shell(&format!("kill $(cat {})", file.display()));
        let commands = Commands::new(&CommandsSection { start, stop, ..CommandsSection::default() }, LONG);
        let probe = Probe::new("http://127.0.0.1:8081", "/readyz", Duration::from_millis(500)).unwrap();
        let refused = |answer: &Result<u64, NotReady>| matches!(answer, Err(NotReady::Unreachable(reason)) if reason.contains("refused"));
        assert!(refused(&probe.ask()));
        commands.start(&Variables::default()).unwrap();
        let began = Instant::now();
        while probe.ask().is_err() {
            assert!(began.elapsed() < LONG);
            sleep(Duration::from_millis(20));
        }
        assert!(probe.ask().unwrap() < 500);
        assert_eq!(ask(8081, "/control?ready=503").unwrap().status, 200);
        assert_eq!(probe.ask(), Err(NotReady::Status(503)));
        assert_eq!(ask(8081, "/").unwrap().body, "2.4.0\n");
        assert_eq!(ask(8081, "/served").unwrap().body, "Served { total: 1, errors: 0, slow: 0 }\n");
        commands.stop(&Variables::default()).unwrap();
        sleep(Duration::from_millis(100));
        assert!(refused(&probe.ask()));
    });
}

#[test]
fn a_probe_takes_no_longer_than_it_may_and_follows_nobody() {
    beside(&["ip"], "exec::a_probe_takes_no_longer_than_it_may_and_follows_nobody", || {
        let service = Service::start(8081, "2.4.0");
        let ask = |path: &str| {
            Probe::new("http://127.0.0.1:8081/", path, Duration::from_millis(300)).unwrap().ask()
        };
        service.behave("slow=1&latency=150");
        assert!((150..300).contains(&ask("/").unwrap()));
        service.behave("latency=2000");
        assert_eq!(ask("/"), Err(NotReady::TimedOut(300)));
        service.behave("ready=302");
        assert_eq!(ask("/readyz"), Err(NotReady::Status(302)));
        for (address, path) in
            [("127.0.0.1:8081", "/"), ("ftp://x", "/"), ("http://x", "readyz"), ("http://", "/")]
        {
            let refused = Probe::new(address, path, LONG).unwrap_err().to_string();
            assert!(refused.contains("can't be the address of a probe"), "{refused}");
        }
    });
}
