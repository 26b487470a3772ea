//! A forge in a folder: a bare repository, clones of it as runners have them, the audit log on a branch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::example::{self, Example, Run, finished};

/// The project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the program under test is.
pub fn bin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_laforge")).parent().unwrap()
}

/// Where the log is kept.
pub const BRANCH: &str = "laforge-audit";

/// A bare repository and clones of it, in one folder.
pub struct Forge {
    folder: TempDir,
}

impl Forge {
    /// The example on `main`, its log on the branch.
    pub fn new() -> Self {
        let forge = Self { folder: tempfile::tempdir().unwrap() };
        let example = Example::new();
        example::copy(&example.path(""), &forge.path("first"));
        forge.git("", &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["remote", "add", "origin", "../remote.git"],
            &["add", "--all"],
            &["commit", "--quiet", "--message=one"],
            &["push", "--quiet", "origin", "main"],
        ] {
            forge.git("first", arguments);
        }
        let started = forge.with_log("first", &["--branch", BRANCH, "--start"]);
        assert_eq!(started.code, 0, "{}", started.stderr);
        forge
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A fresh clone, as a runner has it: with the key, and without a log.
    pub fn clone_to(&self, name: &str) -> PathBuf {
        self.git("", &["clone", "--quiet", "--depth=1", "--no-local", "remote.git", name]);
        fs::create_dir(self.path(name).join(".laforge")).unwrap();
        fs::copy(self.path("first/.laforge/audit.key"), self.path(name).join(".laforge/audit.key")).unwrap();
        self.path(name)
    }

    pub fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let run = finished(self.command("git", folder).args(arguments).output().unwrap());
        assert_eq!(run.code, 0, "git {arguments:?}: {}", run.stderr);
        run.stdout
    }

    pub fn command(&self, program: &str, folder: &str) -> Command {
        let mut command = example::at_home(program, &self.path(folder));
        command.env("PATH", format!("{}:/usr/bin:/bin", bin().display()));
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@example.com");
        }
        command
    }

    pub fn with_log(&self, folder: &str, arguments: &[&str]) -> Run {
        let script = root().join("deploy/ci/with-log");
        finished(self.command(script.to_str().unwrap(), folder).args(arguments).output().unwrap())
    }

    /// The commits of the branch, newest first.
    pub fn commits(&self) -> Vec<String> {
        let listed = self.git("remote.git", &["rev-list", BRANCH]);
        listed.lines().map(str::to_owned).collect()
    }

    /// The decisions that the branch's log holds, after it was verified.
    pub fn decisions(&self) -> Vec<Value> {
        let log = tempfile::tempdir().unwrap();
        let archive = self.path("log.tar");
        self.git("remote.git", &["archive", "--output", archive.to_str().unwrap(), BRANCH]);
        let unpacked =
            Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(log.path()).status().unwrap();
        assert!(unpacked.success());
        let folders = ["evidence/sha256", "quarantine"];
        folders.iter().for_each(|name| fs::create_dir_all(log.path().join(name)).unwrap());
        let log = log.path().to_str().unwrap();
        example::run_in(&self.path("first"), &["audit", "verify", "--audit-log", log]).ends_with_data();
        let listed =
            example::run_in(&self.path("first"), &["audit", "list", "--audit-log", log, "-o", "jsonl"]);
        let entries = listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter(|entry| entry["type"] == "decision").collect()
    }
}
