//! Backups as gates, before a real PostgreSQL: the scripts of `deploy/k8s/backup.yaml` as they stand there dump a
//! database, restore the dump and attest that; the gate takes the attestation of a contracting migration's backup,
//! and nothing less.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{Duration, SecondsFormat, Utc};
use serde::Deserialize as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::namespace::beside;
use super::parts;
use super::repository::{Run, run};

/// What runs the scripts: `nobody`, as PostgreSQL refuses to be run by root.
const NOBODY: u32 = 65534;
const TABLES: &str = "\
CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO accounts SELECT n, 'account ' || n FROM generate_series(1, 3000) n;
CREATE TABLE \"odd 'name\" (day date) PARTITION BY RANGE (day);
CREATE TABLE year PARTITION OF \"odd 'name\" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO \"odd 'name\" VALUES ('2026-11-30'), ('2026-12-01');
CREATE ROLE reader;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts TO reader USING (true);
CREATE EXTENSION amcheck;
";

/// A database, the volume of its backups, and a repository whose gate reads the attestations there.
struct Site {
    folder: TempDir,
    programs: PathBuf,
}

/// The folder of PostgreSQL's programs, of which Debian puts none on the path but clients' wrappers.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").is_file()).max()
}

impl Site {
    fn start(programs: PathBuf) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), programs };
        fs::set_permissions(site.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["backups", "database", "scripts", "work"] {
            fs::create_dir(site.path(folder)).unwrap();
            chown(site.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for (name, script) in scripts() {
            fs::write(site.path("scripts").join(name), script).unwrap();
        }
        fs::create_dir(site.path("bin")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_laforge"), site.path("bin/laforge")).unwrap();
        site.initialise();
        site.database("initdb --pgdata=database/cluster --username=postgres --auth=trust").ends(0);
        site.database(
            "pg_ctl --pgdata=database/cluster --log=database/log --wait --options=\"-c listen_addresses= -c \
             unix_socket_directories=$PWD/database\" start >database/started 2>&1",
        )
        .ends(0);
        site.database("createdb payments && psql -q -v ON_ERROR_STOP=1 -d payments -f database/tables.sql")
            .ends(0);
        site
    }

    /// What the scripts' Pods are given: where the database is, and the key of restore tests.
    fn initialise(&self) {
        fs::write(self.path("database/tables.sql"), TABLES).unwrap();
        let service =
            format!("[backup]\nhost={}\nuser=postgres\ndbname=payments\n", self.path("database").display());
        fs::write(self.path("database/pg_service.conf"), service).unwrap();
        run(Command::new(env!("CARGO_BIN_EXE_laforge"))
            .args(["init", "gate", "--example"])
            .current_dir(self.folder.path()))
        .ends(0);
        let keygen = ["keygen", "--use", "attestation", "--insecure-unencrypted", "-o", "trust/restore-test"];
        self.laforge(&keygen).ends(0);
        fs::rename(self.path("gate/trust/restore-test.key"), self.path("restore-test.pem")).unwrap();
        chown(self.path("restore-test.pem"), Some(NOBODY), Some(NOBODY)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a line of shell as nobody, with PostgreSQL's programs.
    fn shell(&self, line: &str, variables: &[(&str, &str)]) -> Run {
        let path = format!("{}:{}:/usr/bin:/bin", self.programs.display(), self.path("bin").display());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", line]);
        command.current_dir(self.folder.path()).env_clear().env("PATH", path).envs(variables.iter().copied());
        run(command.stdin(Stdio::null()))
    }

    fn database(&self, line: &str) -> Run {
        let socket = self.path("database").display().to_string();
        self.shell(line, &[("PGHOST", &socket), ("PGUSER", "postgres")])
    }

    /// Runs a script as its container does.
    fn script(&self, name: &str, roles: &str) -> Run {
        let at = |name: &str| self.path(name).display().to_string();
        let (backups, scripts, work) = (at("backups"), at("scripts"), at("work"));
        let (key, service) = (at("restore-test.pem"), at("database/pg_service.conf"));
        self.shell(
            &format!("exec sh {scripts}/{name}"),
            &[
                ("BACKUPS", &backups),
                ("SCRIPTS", &scripts),
                ("WORK", &work),
                ("KEY", &key),
                ("KEEP", "2"),
                ("KEEP_TESTED", "1"),
                ("ROLES", roles),
                ("PGSERVICEFILE", &service),
                ("PGSERVICE", "backup"),
            ],
        )
    }

    /// The dumps that are there, oldest first.
    fn dumps(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("backups")).unwrap().map(|entry| entry.unwrap().path());
        let mut dumps: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|it| it == "dump")).collect();
        dumps.sort();
        dumps
    }

    fn result(&self) -> Value {
        let result: Value =
            serde_json::from_slice(&fs::read(self.path("work/result.json")).unwrap()).unwrap();
        json!([result["result"], result["passedTests"], result["failedTests"]])
    }

    fn laforge(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
        run(command.args(arguments).current_dir(self.path("gate")).env_clear())
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path("gate").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in {name}: {text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// A contracting migration of what runs already, with a dump as its backup, approved by both people.
    fn contract(&self, dump: &Path) {
        let attestations = self.path("backups/attestations");
        self.edit("laforge.yaml", "[evidence/]", &format!("[evidence/, \"{}/\"]", attestations.display()));
        let migration = "migration: {command: [migrate, up], class: contract, backup: nightly}, strategy:";
        self.edit("laforge.yaml", "strategy:", migration);
        let signer = "signers:\n- {name: restore-test, use: attestation, key: trust/restore-test.pub, predicateTypes: \
                      ['https://in-toto.io/attestation/test-result/v0.1']}\n";
        self.edit("trust.yaml", "signers:\n", signer);
        let rule = "  rollout: {backup: {restoreTestedWithin: 7d, from: [restore-test]}}\n  require:\n";
        self.edit("policies/baseline.yaml", "  require:\n", rule);
        let release: Value =
            serde_yaml::from_str(&fs::read_to_string(self.path("gate/release.yaml")).unwrap()).unwrap();
        let runs: Vec<Value> = release["spec"]["artifacts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|artifact| json!({"name": artifact["name"], "digest": artifact["digest"]}))
            .collect();
        let replaces = json!({"version": "2.4.0", "artifacts": runs});
        let nightly = format!(
            "  replaces: {replaces}\n  artifacts:\n    - {{name: nightly, digest: \"{}\"}}\n",
            digest(dump)
        );
        self.edit("release.yaml", "  artifacts:\n", &nightly);
        self.approve();
    }

    fn approve(&self) {
        for who in ["alice", "bob"] {
            let (key, target) = (format!("keys/{who}.key"), format!("evidence/approval-{who}.sigstore.json"));
            fs::remove_file(self.path("gate").join(&target)).unwrap();
            self.laforge(&["approve", "--release", "release.yaml", "--yes", "--key", &key, "-o", &target])
                .ends(0);
        }
    }

    /// The rules that deny it some days from now.
    fn findings(&self, ahead: Duration) -> Vec<String> {
        let now = (Utc::now() + ahead).to_rfc3339_opts(SecondsFormat::Secs, true);
        let run = self.laforge(&["verify", "--now", &now, "--report", "json"]);
        assert!(matches!(run.code, 0 | 10), "{}: {}", run.code, run.stderr);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let mut rules: Vec<String> =
            findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
        rules.sort();
        rules
    }
}

/// The scripts, as the manifest holds them.
fn scripts() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/k8s/backup.yaml");
    let text = fs::read_to_string(path).unwrap();
    let mut objects = serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
    let map = objects.find(|object| object["kind"] == "ConfigMap").unwrap();
    let files = map["data"].as_object().unwrap().iter();
    files.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect()
}

fn digest(file: &Path) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(fs::read(file).unwrap())))
}

#[test]
fn a_contracting_migration_needs_a_backup_that_was_restored() {
    let Some(programs) = programs() else { return parts::skip("PostgreSQL is not installed") };
    beside(&["ip", "setpriv"], "postgres::a_contracting_migration_needs_a_backup_that_was_restored", || {
        let site = Site::start(programs);
        site.script("restore-test", "").ends(1).says("no dump to restore");
        site.script("dump", "").ends(0);
        let dump = site.dumps().pop().unwrap();
        let name = dump.file_stem().unwrap().to_str().unwrap();
        assert!(name.ends_with(&digest(&dump).replace(':', "-")), "{name}");
        fs::create_dir(site.path("backups/attestations")).unwrap();
        chown(site.path("backups/attestations"), Some(NOBODY), Some(NOBODY)).unwrap();
        site.contract(&dump);
        site.laforge(&["deploy"]).ends(10).says("no restore test of backup `nightly` passed within 7d");

        site.script("restore-test", "reader").ends(0);
        assert_eq!(site.result(), json!(["PASSED", ["digest", "restore", "rows", "amcheck"], []]));
        let plan = site.laforge(&["deploy"]).ends(0).stdout;
        let plan: Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan["plan"]["phases"][0]["backup"], "nightly");
        assert_eq!(
            plan["plan"]["deploys"],
            json!(["payments-worker.tar.gz", "payments.tar.gz", "sbom.json"])
        );
        // The approvals are of a day; the restore test is of seven.
        assert_eq!(site.findings(Duration::days(6)), ["approval-threshold"]);
        assert_eq!(site.findings(Duration::days(8)), ["approval-threshold", "rollout-backup"]);

        spoiled(&site, &dump);
    });
}

/// The dump rots; another one is whole under its name and can't be restored; nothing is left of one that failed.
fn spoiled(site: &Site, dump: &Path) {
    let mut bytes = fs::read(dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].copy_from_slice(b"spoiled!");
    fs::write(dump, &bytes).unwrap();
    site.script("restore-test", "reader").ends(1).says("failed: digest");
    assert_eq!(site.result(), json!(["FAILED", [], ["digest"]]));
    site.laforge(&["deploy"]).ends(10).says("wanted result `PASSED`, got `FAILED`");

    let renamed = format!("20991231T000000Z-{}", digest(dump).replace(':', "-"));
    fs::copy(dump, site.path("backups").join(format!("{renamed}.dump"))).unwrap();
    fs::copy(dump.with_extension("rows"), site.path("backups").join(format!("{renamed}.rows"))).unwrap();
    chown(site.path("backups").join(format!("{renamed}.dump")), Some(NOBODY), Some(NOBODY)).unwrap();
    chown(site.path("backups").join(format!("{renamed}.rows")), Some(NOBODY), Some(NOBODY)).unwrap();
    site.script("restore-test", "reader").ends(1).says("failed: restore");
    assert_eq!(site.result(), json!(["FAILED", ["digest"], ["restore"]]));
    fs::remove_file(site.path("backups").join(format!("{renamed}.dump"))).unwrap();

    // Rows that a restore doesn't bring back.
    site.script("dump", "").ends(0);
    let newest = site.dumps().pop().unwrap();
    let rows = fs::read_to_string(newest.with_extension("rows")).unwrap();
    assert_eq!(rows, "public.accounts|3000\npublic.year|2\n");
    fs::write(newest.with_extension("rows"), rows.replace("3000", "3001")).unwrap();
    site.script("restore-test", "reader").ends(1).says("failed: rows");
    // The newest two stay, and the newest that passed.
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        site.script("dump", "").ends(0);
    }
    let dumps = site.dumps();
    assert_eq!((dumps.len(), &dumps[0], dumps.contains(&newest)), (3, &dump.to_path_buf(), false));

    site.database("pg_ctl --pgdata=database/cluster --mode=immediate stop >database/stopped 2>&1").ends(0);
    let before = site.dumps();
    assert_ne!(site.script("dump", "").code, 0);
    assert_eq!(site.dumps(), before);
}
