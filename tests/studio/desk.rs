//! A desk: an example repository whose gate decided this and that, and a studio that shows it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_laforge");
const REQUIRED: [&str; 3] = ["--require-signed", "--require-approved", "--require-provenance"];

/// What this machine runs: nothing starts it here, so its programs need not be there.
const EXECUTOR: &str = r#"
executor:
  environment: production
  state: .laforge/rollouts
  driver: haproxy
  haproxy: {socket: /run/haproxy/admin.sock, backend: app}
  slots:
    blue: {probe: "http://127.0.0.1:8081", runs: [cat, blue.digest]}
    green: {probe: "http://127.0.0.1:8082", runs: [cat, green.digest]}
  commands: {start: [/bin/true], stop: [/bin/true]}
  metrics: {prometheus: {url: "http://127.0.0.1:9090", scrapeSeconds: 5}}
"#;

const ROLES: &str = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: roles}
spec:
  require:
    approvals: {atLeast: 2, roles: {release-manager: 1, sre: 1}, maxAge: 24h, distinctFrom: [source-author]}
";

/// A repository of its own.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    /// The example, with a log that holds nothing but its own beginning.
    pub(crate) fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        assert!(desk.laforge(&["init", ".", "--example"]).success, "init");
        desk
    }

    /// A desk without anything.
    pub(crate) fn bare() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// An allow, a deny for want of approvals, a deny for want of signatures, a rehearsal.
    pub(crate) fn decided() -> Self {
        let desk = Self::new();
        assert_eq!(desk.deploy(&["-o", "plan.json"]), 0);
        desk.without("evidence/approval-bob.sigstore.json", |desk| assert_eq!(desk.deploy(&[]), 10));
        desk.without("evidence/signature-sbom.json.sigstore.json", |desk| assert_eq!(desk.deploy(&[]), 10));
        assert_eq!(desk.deploy(&["--dry-run"]), 0);
        desk
    }

    /// With an executor, so that rollouts can be here.
    pub(crate) fn executes(self) -> Self {
        let config = self.read("laforge.yaml");
        self.write("laforge.yaml", &format!("{config}{EXECUTOR}"));
        self
    }

    /// With a second policy, which asks for one approval of each role.
    pub(crate) fn with_roles(self) -> Self {
        fs::create_dir(self.path("roles")).unwrap();
        self.write(
            "roles/policy-set.yaml",
            "apiVersion: laforge.dev/v1\nkind: PolicySet\nmetadata: {name: roles, version: 3}\n",
        );
        self.write("roles/roles.yaml", ROLES);
        self
    }

    /// Bob takes his approval back.
    pub(crate) fn rejected(&self) {
        let words = ["reject", "--release", "release.yaml", "--key", "file:keys/bob.key", "--yes"];
        assert!(self.laforge(&words).success);
    }

    /// Does something while a file is away.
    pub(crate) fn without(&self, file: &str, run: impl FnOnce(&Self)) {
        let (here, away) = (self.path(file), self.path("away"));
        fs::rename(&here, &away).unwrap();
        run(self);
        fs::rename(&away, &here).unwrap();
    }

    pub(crate) fn deploy(&self, more: &[&str]) -> i32 {
        self.laforge(&[&["deploy"][..], &REQUIRED, more].concat()).code
    }

    pub(crate) fn laforge(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        let output = command.output().unwrap();
        Run {
            success: output.status.success(),
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A studio of this desk, for somebody who may control.
    pub(crate) fn studio(&self) -> Studio {
        self.studio_with(&["--control", "--actor", "alice"])
    }

    pub(crate) fn studio_with(&self, more: &[&str]) -> Studio {
        let mut command = Command::new(PROGRAM);
        command.args(["studio", "--listen", "127.0.0.1:0"]).args(more);
        command.current_dir(self.folder.path()).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut link = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut link).unwrap();
        let link = link.trim().to_owned();
        let address = link.strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();
        Studio { child, address, link, cookie: String::new() }
    }
}

impl Desk {
    /// The studio of `service: studio`, once it answers on a port of loopback.
    pub(crate) fn studio_for_people(&self, port: u16) -> Studio {
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(PROGRAM);
        command.args(["studio", "--listen", &address]);
        command.current_dir(self.folder.path()).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut studio = Studio { child, address, link: String::new(), cookie: String::new() };
        let began = Instant::now();
        while TcpStream::connect(&studio.address).is_err() {
            assert!(
                studio.is_up() && began.elapsed() < Duration::from_secs(30),
                "the studio does not answer"
            );
            thread::sleep(Duration::from_millis(20));
        }
        studio
    }
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) success: bool,
    pub(crate) code: i32,
    pub(crate) stdout: String,
}

/// The commands that a page gives to be copied, as they are copied.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("<div class=\"command\"><pre tabindex=\"0\"><code>").skip(1);
    let texts = blocks.map(|block| block.split_once("</code>").unwrap().0);
    texts
        .map(|text| text.replace("<span class=\"unit\">", "").replace("</span>", "").replace("&quot;", "\""))
        .collect()
}

/// A studio that runs until it is dropped.
pub(crate) struct Studio {
    child: Child,
    pub(crate) address: String,
    pub(crate) link: String,
    cookie: String,
}

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

impl Studio {
    /// The same, after its link was opened and the log was read.
    pub(crate) fn opened(mut self) -> Self {
        let path = self.link.split_once(&self.address).unwrap().1.to_owned();
        let answer = self.ask("GET", &path, &[], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        self.settle();
        self
    }

    /// Waits until the log is read.
    pub(crate) fn settle(&self) {
        let began = Instant::now();
        while self.get("/").text().contains("Reading the log") {
            assert!(began.elapsed() < Duration::from_secs(60), "the log is not read");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a page says something.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str, text: &str) -> String {
        let began = Instant::now();
        loop {
            let page = self.get(path).text();
            if page.contains(text) {
                return page;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "`{text}` does not appear at {path}: {page}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("Cookie", &self.cookie)], b"")
    }

    /// A page that is there.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// What a browser of this studio sends with a form.
    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = Self::form(&[&[("token", self.token().as_str())][..], form].concat());
        let headers = [("Cookie", self.cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
        self.ask("POST", path, &headers, body.as_bytes())
    }

    pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
        let plain = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        pairs.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join("&")
    }

    /// The token of its forms.
    pub(crate) fn token(&self) -> String {
        let page = self.page("/log");
        page.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {}\r\n", self.address));
        }
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// Whether it still runs.
    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
