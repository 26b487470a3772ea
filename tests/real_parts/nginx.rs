//! The nginx driver, on the real nginx before two services.

use std::fs;
use std::path::PathBuf;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use laforge::release::digest::ClaimedDigest;
use laforge::rollout::driver::nginx::Nginx;
use laforge::rollout::driver::{Backends, DriverError, Remaining, Traffic as _};
use laforge::rollout::executor::NginxSection;
use laforge::rollout::machine::Weight;
use tempfile::TempDir;

use super::namespace::beside;
use super::parts::tell;
use super::server::Server;
use super::service::{Load, Service, ask};

const PORT: u16 = 8080;
/// Where it says which split is in force.
const READBACK: u16 = 8090;
/// What an operator begins with, as `docs/rollout.md` has it.
const BEGINS: &str = include_str!("../../docs/rollout.md");

/// An nginx and the two services behind it.
struct Front {
    folder: TempDir,
    _blue: Service,
    _green: Service,
    server: Server,
}

impl Front {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its workers are of another user, who has to come to nothing here but its own temporary folders.
        let (blue, green) = (Service::start(8081, "blue"), Service::start(8082, "green"));
        let text = format!(
            "user root;\nworker_processes 2;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\n  access_log \
             off;\n  include laforge.conf;\n  upstream blue {{ server 127.0.0.1:8081; }}\n  upstream green {{ server \
             127.0.0.1:8082; }}\n  server {{ listen 127.0.0.1:{PORT}; location / {{ proxy_pass http://$laforge_upstream; }} \
             }}\n  server {{ listen 127.0.0.1:{READBACK}; location = /split {{ return 200 $laforge_split; }} }}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let begins = BEGINS.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
        fs::write(folder.path().join("laforge.conf"), begins).unwrap();
        let here = format!("{}/", folder.path().display());
        let arguments = ["-p", &here, "-c", "nginx.conf", "-g", "daemon off;"];
        let server = Server::start(folder.path(), "nginx", &arguments, || ask(READBACK, "/split").is_ok());
        Self { folder, _blue: blue, _green: green, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn section(&self) -> NginxSection {
        let here = format!("{}/", self.folder.path().display());
        let nginx = |more: &[&str]| {
            let words = [
                &["env", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "nginx", "-p", &here, "-c", "nginx.conf"],
                more,
            ];
            words.concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        NginxSection {
            file: self.path("laforge.conf").display().to_string(),
            key: None,
            variable: None,
            test: nginx(&["-t"]),
            reload: nginx(&["-s", "reload"]),
            readback: format!("http://127.0.0.1:{READBACK}/split"),
            connections: Vec::new(),
        }
    }

    fn driver(&self) -> Nginx {
        driver(&self.section())
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path("laforge.conf")).unwrap()
    }
}

fn driver(section: &NginxSection) -> Nginx {
    let upstreams = Backends { stable: "blue".to_owned(), candidate: "green".to_owned() };
    let plan = ClaimedDigest::from_hex(&"ab".repeat(32)).unwrap();
    Nginx::new(section, upstreams, "green", plan, Duration::from_secs(5)).unwrap()
}

fn weight(percent: u64) -> Weight {
    Weight::new(percent).unwrap()
}

/// Waits until a weight is in force: a reload is asked for, not waited for.
#[track_caller]
fn comes(driver: &mut Nginx, percent: u64) {
    let began = Instant::now();
    while driver.read().unwrap().weight() != weight(percent) {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", driver.read());
        sleep(Duration::from_millis(20));
    }
    // Workers of before take no new connection once they are told, and they are told one after the other.
    sleep(Duration::from_millis(200));
}

fn said<T: std::fmt::Debug>(result: Result<T, DriverError>) -> String {
    let error = result.unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn splits_requests_about_as_commanded_and_exactly_at_both_ends() {
    beside(&["nginx"], "nginx::splits_requests_about_as_commanded_and_exactly_at_both_ends", || {
        let front = Front::start();
        let mut driver = front.driver();
        assert_eq!(driver.read().unwrap().weight(), weight(0));
        for percent in [20, 80, 100, 0] {
            driver.set(weight(percent), 1).unwrap();
            comes(&mut driver, percent);
            let load = Load::of(PORT, 1000);
            tell(&format!("nginx at {percent}: green {} of 1000\n", load.by("green")));
            // A split of hashes: five standard deviations at most, and none at either end.
            let bound = if percent % 100 == 0 { 0 } else { 64 };
            assert!(load.by("green").abs_diff(percent * 10) <= bound);
            assert_eq!(load.lost(), 0);
        }
    });
}

#[test]
fn reloads_under_load_lose_nothing() {
    beside(&["nginx"], "nginx::reloads_under_load_lose_nothing", || {
        let front = Front::start();
        let mut driver = front.driver();
        scope(|scope| {
            let load = scope.spawn(|| Load::steady(PORT, 300, Duration::from_secs(5)));
            for percent in [20, 80, 100, 0].into_iter().cycle().take(8) {
                driver.set(weight(percent), 1).unwrap();
                comes(&mut driver, percent);
                sleep(Duration::from_millis(200));
            }
            let load = load.join().unwrap();
            tell(&format!("nginx, 8 reloads: {} requests, {} lost\n", load.sent, load.lost()));
            assert_eq!((load.sent, load.lost(), load.failures), (1500, 0, Vec::new()));
        });
    });
}

#[test]
fn a_configuration_that_nginx_refuses_keeps_the_old_split() {
    beside(&["nginx"], "nginx::a_configuration_that_nginx_refuses_keeps_the_old_split", || {
        let front = Front::start();
        let mut driver = front.driver();
        driver.set(weight(20), 1).unwrap();
        comes(&mut driver, 20);
        let (before, whole) = (front.file(), fs::read_to_string(front.path("nginx.conf")).unwrap());
        fs::write(front.path("nginx.conf"), format!("{whole}\nno_such_directive on;\n")).unwrap();
        let refused = said(driver.set(weight(80), 1));
        let told = refused.starts_with("`env` ended with 1: ") && refused.contains("[emerg]");
        assert!(told && refused.contains("unknown directive \"no_such_directive\""), "{refused}");
        assert_eq!((front.file(), driver.read().unwrap().weight()), (before.clone(), weight(20)));
        fs::write(front.path("nginx.conf"), whole).unwrap();

        // A reload that fails, too: else the next start of nginx would take what nobody loaded.
        let section = NginxSection { reload: vec!["false".to_owned()], ..front.section() };
        assert_eq!(said(super::nginx::driver(&section).set(weight(80), 1)), "`false` ended with 1");
        assert_eq!(front.file(), before);
        let left = fs::read_dir(front.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains(".laforge")));
    });
}

#[test]
fn what_another_writer_did_is_seen() {
    beside(&["nginx"], "nginx::what_another_writer_did_is_seen", || {
        let front = Front::start();
        let mut driver = front.driver();
        driver.set(weight(20), 4).unwrap();
        comes(&mut driver, 20);
        let ours = front.file();
        for edited in [
            ours.replace("20.00% green", "90.00% green"),
            ours.replace("* blue", "* green"),
            ours.replace("epoch=4", "epoch=5"),
            format!("{ours}\n"),
            ours.replacen("# laforge", "# edited", 1),
        ] {
            let edited =
                if edited.contains("epoch=5") { edited.replacen("epoch=5", "epoch=4", 1) } else { edited };
            assert_ne!(edited, ours);
            fs::write(front.path("laforge.conf"), edited).unwrap();
            assert!(said(driver.read()).ends_with("laforge.conf` was changed by another writer"));
        }
        // Commanded again, it is laid over.
        driver.set(weight(20), 4).unwrap();
        assert_eq!((front.file(), driver.read().unwrap().weight()), (ours, weight(20)));
        // Another guard of the same plan, which was later, holds.
        let mut other = front.driver();
        assert_eq!(said(other.set(weight(80), 3)), "a command of epoch 3 came after epoch 4");
        driver.fence(6).unwrap();
        assert_eq!(said(driver.set(weight(80), 5)), "a command of epoch 5 came after epoch 6");
        assert_eq!(
            said(driver.close_connections()),
            "the nginx driver can't close connections to an upstream"
        );
        // Of other upstreams nothing is known.
        let upstreams = Backends { stable: "blue".to_owned(), candidate: "red".to_owned() };
        let plan = ClaimedDigest::from_hex(&"ab".repeat(32)).unwrap();
        let mut red = Nginx::new(&front.section(), upstreams, "red", plan, Duration::from_secs(1)).unwrap();
        assert!(said(red.read()).contains("answered `green=20 blue=80 epoch=4 plan=sha256:abab"));
        let elsewhere = NginxSection { readback: format!("http://127.0.0.1:{PORT}/"), ..front.section() };
        let answered = said(super::nginx::driver(&elsewhere).read());
        assert!(answered.ends_with("to `which split is in force`"), "{answered}");
        // Its workers would outlive a master that is killed.
        front.server.signal("-TERM");
        sleep(Duration::from_millis(500));
        assert!(said(driver.read()).ends_with("/split` can't be reached: Connection refused (os error 111)"));
    });
}

#[test]
fn what_remains_is_what_a_program_counts_or_unknown() {
    beside(&["nginx"], "nginx::what_remains_is_what_a_program_counts_or_unknown", || {
        let front = Front::start();
        assert_eq!(
            said(front.driver().remaining()),
            "the nginx driver can't count what is left at a slot: `nginx.connections` is not set"
        );
        let counted = |script: &str| {
            let connections = ["sh", "-c", script].map(str::to_owned).to_vec();
            driver(&NginxSection { connections, ..front.section() }).remaining()
        };
        let left = Remaining { weight: weight(0), connections: 3, in_flight: 3 };
        assert_eq!(counted(r#"[ "$LAFORGE_SLOT" = green ] && echo 3"#).unwrap(), left);
        for script in ["echo", "echo -1", "echo 3 4", "echo none"] {
            assert!(said(counted(script)).contains("to `how many connections are left`"), "{script}");
        }
        assert_eq!(said(counted("echo no ss >&2; exit 1")), "`sh` ended with 1: no ss");
    });
}

/// The file's epoch is anybody's who may write it, and one above the guard's own is none that a guard gave:
/// a raise may stop there, a way back must not.
#[test]
fn a_forged_epoch_in_the_file_is_in_no_lowerings_way() {
    beside(&["nginx"], "nginx::a_forged_epoch_in_the_file_is_in_no_lowerings_way", || {
        let front = Front::start();
        let mut driver = front.driver();
        driver.set(weight(20), 4).unwrap();
        comes(&mut driver, 20);
        let forged = front.file().replace("epoch=4", "epoch=9007199254740991");
        fs::write(front.path("laforge.conf"), forged).unwrap();
        assert!(matches!(driver.set(weight(80), 5), Err(DriverError::Fenced { .. })));
        driver.set(weight(0), 5).unwrap();
        comes(&mut driver, 0);
    });
}
