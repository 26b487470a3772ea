//! The example in a folder of its own, and the service that serves it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A token with every right.
pub(crate) const ALL: &str = "a-token-with-every-right";
/// One that only reads.
pub(crate) const READER: &str = "a-token-that-reads";
/// One without any right.
pub(crate) const NOBODY: &str = "a-token-without-rights";

/// A folder with the example, configured for a service.
pub(crate) struct Site {
    folder: TempDir,
}

/// A service that runs; it ends with this.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
    pub(crate) probes: u16,
    said: PathBuf,
    client: Client,
    scheme: &'static str,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) challenge: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it is a problem document of this status, and what it says.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.kind.as_str()), (status, "application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }
}

fn template() -> &'static Path {
    static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let output = laforge(folder.path(), &["init", "example", "--example"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            folder
        })
        .path()
}

fn command(folder: &Path) -> Command {
    set_up(Command::new(env!("CARGO_BIN_EXE_laforge")), folder)
}

fn set_up(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command.env("XDG_CACHE_HOME", folder.join(".cache")).env("TMPDIR", folder.join(".tmp"));
    command
}

fn laforge(folder: &Path, arguments: &[&str]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The tokens of every site, as `service: tokens` names them.
fn tokens() -> String {
    format!(
        "  tokens:\n  - {{name: tester, sha256: {}, rights: [read, control, evaluate, engine, admission]}}\n  - {{name: \
         reader, sha256: {}, rights: [read]}}\n  - {{name: nobody, sha256: {}, rights: []}}\n",
        sha256(ALL),
        sha256(READER),
        sha256(NOBODY)
    )
}

impl Site {
    /// With tokens, and more lines of `service:`, each indented by two.
    pub(crate) fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&template().join("example"), folder.path());
        let site = Self { folder };
        fs::create_dir(site.path(".tmp")).unwrap();
        let text = format!("{}\nservice:\n{}{more}", site.read("laforge.yaml"), tokens());
        site.write("laforge.yaml", &text);
        site
    }

    pub(crate) fn new() -> Self {
        Self::with("")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces text in a file; it must be there.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}: {text}");
        self.write(name, &text.replace(from, to));
    }

    /// Has rollouts at `payments-prod`, whose journals are in `state`.
    pub(crate) fn roll_out(&self) {
        let section = "runtime: {environment: production, target: payments-prod, state: state, prometheus: {url: \
                       'http://127.0.0.1:9'}}\n";
        self.write("laforge.yaml", &(self.read("laforge.yaml") + section));
    }

    /// Runs the program here, well.
    #[track_caller]
    pub(crate) fn laforge(&self, arguments: &[&str]) -> String {
        let output = laforge(self.folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program here; how it ended, and what it said on stderr.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = laforge(self.folder.path(), arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// What the program says that does not begin, for the way it is configured.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        self.refused_under(&[], arguments)
    }

    /// The same under more variables of the environment.
    #[track_caller]
    pub(crate) fn refused_under(&self, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let output =
            command(self.folder.path()).envs(variables.iter().copied()).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        said
    }

    /// The entries of its log.
    pub(crate) fn entries(&self) -> Vec<Value> {
        let listed = self.laforge(&["audit", "list", "-o", "jsonl"]);
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The digest of one of the example's artifacts, as `sha256:…`.
    pub(crate) fn digest_of(&self, name: &str) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(fs::read(self.path(name)).unwrap())))
    }

    /// The service, once it is ready.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Service {
        let service = self.begin(arguments, Client::builder());
        service.until_ready();
        service
    }

    /// The service of a plan that engines ask about, once it is ready.
    pub(crate) fn serve_plan_under(&self, variables: &[(&str, &str)], plan: &str) -> Service {
        let service = self.begin_under(variables, &[plan], Client::builder());
        service.until_ready();
        service
    }

    /// The service, asked by a client of one's own.
    pub(crate) fn begin(&self, arguments: &[&str], client: reqwest::blocking::ClientBuilder) -> Service {
        self.begin_under(&[], arguments, client)
    }

    /// The same under more variables of the environment, once it is ready.
    pub(crate) fn serve_under(&self, variables: &[(&str, &str)]) -> Service {
        let service = self.begin_under(variables, &[], Client::builder());
        service.until_ready();
        service
    }

    /// The service where names lead to other addresses, once it is ready: in a namespace of mounts of its own. None
    /// where this machine gives no such namespace.
    pub(crate) fn serve_where(&self, hosts: &str) -> Option<Service> {
        let own = Command::new("unshare").args(["--mount", "true"]).status();
        if !own.is_ok_and(|status| status.success()) {
            return None;
        }
        self.write("hosts", hosts);
        let mut wrapped = Command::new("unshare");
        let script = "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"";
        wrapped.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_laforge")]);
        let service = self.begin_by(set_up(wrapped, self.folder.path()), &[], Client::builder());
        service.until_ready();
        Some(service)
    }

    fn begin_under(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
        client: reqwest::blocking::ClientBuilder,
    ) -> Service {
        let mut command = command(self.folder.path());
        command.envs(variables.iter().copied());
        self.begin_by(command, arguments, client)
    }

    fn begin_by(
        &self,
        mut command: Command,
        arguments: &[&str],
        client: reqwest::blocking::ClientBuilder,
    ) -> Service {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let said = self.path(&format!(".said-{number}"));
        let child = command
            .args(["runtime", "--listen", "127.0.0.1:0", "--probes", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        // The service ends an idle connection after five seconds: one that is about to be ended is not used again.
        let client = client.no_proxy().pool_idle_timeout(Duration::from_secs(2));
        let client = client.timeout(Duration::from_secs(30)).build().unwrap();
        let mut service = Service { child, port: 0, probes: 0, said, client, scheme: "http" };
        service.find();
        service
    }
}

impl Service {
    /// Where it says that it answers.
    fn find(&mut self) {
        let began = Instant::now();
        loop {
            let said = self.said();
            let port = |line: &str| -> Option<u16> {
                line.split("://127.0.0.1:").nth(1)?.split(' ').next()?.parse().ok()
            };
            let main = said.lines().find(|line| line.ends_with(" answers"));
            let probes = said.lines().find(|line| line.ends_with(" answers probes"));
            if let (Some(main), Some(probes)) = (main, probes) {
                self.scheme = if main.contains("https://") { "https" } else { "http" };
                (self.port, self.probes) = (port(main).unwrap(), port(probes).unwrap());
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {said}");
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not answer: {said}");
            sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_ready(&self) {
        let began = Instant::now();
        while self.probe("/readyz").status != 200 {
            assert!(began.elapsed() < Duration::from_secs(30), "it is not ready: {}", self.said());
            sleep(Duration::from_millis(20));
        }
    }

    /// What it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Asks, with a token or without one.
    pub(crate) fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.try_ask(method, path, token, body).unwrap()
    }

    pub(crate) fn try_ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().map(answer)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Some(ALL), None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(ALL), Some(body))
    }

    /// Asks where probes are answered.
    pub(crate) fn probe(&self, path: &str) -> Answer {
        answer(self.client.get(format!("http://127.0.0.1:{}{path}", self.probes)).send().unwrap())
    }

    /// Sends bytes as they are, and gives what comes back until the connection ends.
    pub(crate) fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may close before all of it is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code(),
                None if began.elapsed() > Duration::from_secs(30) => {
                    panic!("it does not end: {}", self.said())
                }
                None => sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(response: Response) -> Answer {
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, kind) = (response.status().as_u16(), header("content-type").unwrap_or_default());
    let challenge = header("www-authenticate");
    Answer { status, kind, challenge, body: response.text().unwrap() }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        sleep(Duration::from_millis(50));
    }
}
