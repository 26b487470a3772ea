//! The example release in a folder of its own, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The three flags that a CI step gives.
pub const REQUIRED: [&str; 3] = ["--require-signed", "--require-approved", "--require-provenance"];

/// A folder to run in; gone when it is dropped.
pub struct Example {
    folder: TempDir,
}

/// How a run ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Asserts the code and that a run that is no pass put nothing on stdout.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        if code != 0 {
            assert_eq!(self.stdout, "", "stderr: {}", self.stderr);
        }
        self
    }

    /// Asserts exit 0; stdout holds what was asked for.
    #[track_caller]
    pub fn ends_with_data(self) -> Self {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        self
    }

    /// Asserts that stderr says something, however its lines are broken.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let unbroken = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(self.stderr.contains(text) || unbroken.contains(text), "`{text}` is not in: {}", self.stderr);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Made once, copied for each test: making it generates keys.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let example = folder.path().join("example");
            run_in(folder.path(), &["init", example.to_str().unwrap(), "--example"]).ends(0);
            folder
        })
        .path()
}

impl Example {
    /// A fresh copy of the example.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&template().join("example"), folder.path());
        Self { folder }
    }

    /// An empty folder.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Another folder with the same content.
    pub fn fork(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file; it must be there.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}: {text}");
        self.write(name, &text.replace(from, to));
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Names of the files in a folder, sorted.
    pub fn list(&self, name: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs the program here.
    pub fn run(&self, arguments: &[&str]) -> Run {
        run_in(self.folder.path(), arguments)
    }

    /// `deploy` with the three flags and more.
    pub fn deploy(&self, more: &[&str]) -> Run {
        self.run(&[&["deploy"], &REQUIRED[..], more].concat())
    }

    /// The lines of the audit log.
    pub fn entries(&self) -> Vec<Value> {
        let listed = self.run(&["audit", "list", "-o", "jsonl"]);
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last entry that is a decision.
    #[track_caller]
    pub fn last_decision(&self) -> Value {
        self.entries().into_iter().rev().find(|entry| entry["type"] == "decision").expect("a decision")
    }

    /// Asserts that nothing allowed, and that the deny is on record with these rules among its findings.
    #[track_caller]
    pub fn denied(&self, more: &[&str], rules: &[&str]) {
        let before = self.entries().len();
        self.deploy(more).ends(10);
        assert!(self.entries().len() > before, "the deny is not on record");
        let decision = self.last_decision();
        assert_eq!(decision["action"], "deny");
        assert!(decision.get("plan").is_none(), "{decision}");
        let found: Vec<&str> =
            decision["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
        for rule in rules {
            assert!(found.contains(rule), "`{rule}` is not among {found:?}");
        }
    }
}

/// The program's path.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_laforge");

/// The program, with a home of its own so that tests share no memory of heads.
pub fn command(folder: &Path) -> Command {
    at_home(PROGRAM, folder)
}

/// Any program in that home: one that runs ours, for instance.
pub fn at_home(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("XDG_CACHE_HOME", folder.join(".cache"));
    command.stdin(Stdio::null());
    command
}

pub fn run_in(folder: &Path, arguments: &[&str]) -> Run {
    finished(command(folder).args(arguments).output().unwrap())
}

pub fn finished(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
