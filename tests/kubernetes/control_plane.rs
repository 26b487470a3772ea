//! A control plane of a test's own: etcd and an API server, on the namespace's loopback. No controller runs, unless a
//! test starts some ([`super::nodes`]): what is judged is what the API server takes.
//!
//! It would listen everywhere without `--bind-address`, and refuses a loopback address without the reconciler flag.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::manifests;
use super::parts::Parts;

/// How long anything here may take to get ready.
const READY: Duration = Duration::from_secs(120);
/// Whoever asks, by a token: an administrator, and the control plane's own programs under their own names.
const TOKENS: &str = "admintok,admin,u1,\"system:masters\"\n\
                      kcmtok,system:kube-controller-manager,u2\nschedulertok,system:kube-scheduler,u3\n";

/// A running control plane; ends when it is dropped.
pub struct ControlPlane<'a> {
    parts: &'a Parts,
    folder: TempDir,
    running: Vec<Child>,
}

impl Drop for ControlPlane<'_> {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl<'a> ControlPlane<'a> {
    /// Starts one, and waits until it answers and a namespace `laforge` can hold Pods.
    pub fn start(parts: &'a Parts) -> Self {
        let mut plane = Self { parts, folder: tempfile::tempdir().unwrap(), running: Vec::new() };
        fs::write(plane.path("tokens.csv"), TOKENS).unwrap();
        plane.make_key();
        plane.make_authority();
        let etcd = ["--unsafe-no-fsync", "--listen-peer-urls", "http://127.0.0.1:0", "--log-level", "error"];
        let data = plane.text("etcd");
        plane.run("etcd", &[&["--data-dir", data.as_str()], &etcd[..]].concat());
        plane.run_api_server();
        plane.kubeconfig_of("kubeconfig", "token: admintok");
        plane.wait("the API server", |plane| plane.kubectl(&["get", "--raw", "/readyz"]).status.success());
        plane.kubectl_ok(&["create", "namespace", "laforge"]);
        let enforce = "pod-security.kubernetes.io/enforce=restricted";
        plane.kubectl_ok(&["label", "namespace", "laforge", enforce]);
        // A controller's work; without the account every Pod would be refused.
        plane.kubectl_ok(&["-n", "laforge", "create", "serviceaccount", "default"]);
        plane
    }

    fn run_api_server(&mut self) {
        let (certs, key, tokens) = (self.text("certs"), self.text("sa.key"), self.text("tokens.csv"));
        let clients = self.text("ca.crt");
        self.run(
            "kube-apiserver",
            &[
                "--etcd-servers=http://127.0.0.1:2379",
                &format!("--cert-dir={certs}"),
                "--bind-address=127.0.0.1",
                "--secure-port=6443",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                "--service-account-issuer=https://kubernetes.default.svc",
                &format!("--service-account-key-file={key}"),
                &format!("--service-account-signing-key-file={key}"),
                &format!("--token-auth-file={tokens}"),
                &format!("--client-ca-file={clients}"),
                "--authorization-mode=RBAC",
                "--allow-privileged",
            ],
        );
    }

    /// A file in the control plane's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Starts a part, which ends with the control plane; what it says is in `PART.log`.
    pub fn run(&mut self, part: &str, arguments: &[&str]) {
        let mut command = self.parts.command(part);
        command.args(arguments);
        self.run_command(part, command);
    }

    /// The same of any program.
    pub fn run_command(&mut self, name: &str, mut command: Command) {
        let said = fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        self.running.push(command.spawn().unwrap());
    }

    /// What a program of the control plane has said.
    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    fn make_key(&self) {
        self.openssl(&["genrsa", "-out", "sa.key", "2048"]);
    }

    /// An authority for clients, and an administrator's certificate of it.
    fn make_authority(&self) {
        let request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj"];
        let authority = ["/CN=clients", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt"];
        self.openssl(&[&request[..], &authority].concat());
        // Of version 3, as rustls wants it: `x509 -req` would make one of version 1.
        let client =
            ["/O=system:masters/CN=carla", "-x509", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2"];
        let files = ["-keyout", "client.key", "-out", "client.crt"];
        self.openssl(&[&request[..], &client, &files].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// As an administrator; the API server's own certificate is its authority.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// A kubeconfig of another user, as its `user:` says; files that it names lie in the same folder.
    pub fn kubeconfig_of(&self, name: &str, user: &str) -> PathBuf {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:6443', certificate-authority: \
             certs/apiserver.crt}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        );
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// As somebody with a client certificate.
    pub fn by_certificate(&self) -> PathBuf {
        self.kubeconfig_of("carla", "client-certificate: client.crt, client-key: client.key")
    }

    /// As a service account that may read and patch one route, and nothing else: what a guard needs.
    pub fn as_guard(&self, route: &str) -> PathBuf {
        let named = format!("--resource-name={route}");
        let role = [
            "create",
            "role",
            "guard",
            "--verb=get,patch",
            "--resource=httproutes.gateway.networking.k8s.io",
        ];
        let bind = ["create", "rolebinding", "guard", "--role=guard", "--serviceaccount=laforge:default"];
        self.kubectl_ok(&[&["-n", "laforge"], &role[..], &[&named]].concat());
        self.kubectl_ok(&[&["-n", "laforge"], &bind[..]].concat());
        let token = self.kubectl_ok(&["-n", "laforge", "create", "token", "default"]);
        fs::write(self.path("token"), token).unwrap();
        let kubeconfig = self.kubeconfig_of("guard", "tokenFile: token");
        let shown = kubeconfig.to_str().unwrap();
        // The API server's own authorizer hears of a role a moment later.
        self.wait("the guard's role", |plane| {
            let asked = ["-n", "laforge", "get", "httproute", route];
            let mut command = plane.parts.command("kubectl");
            command.args(["--kubeconfig", shown]).args(asked).env("HOME", plane.folder.path());
            command.output().unwrap().status.success()
        });
        kubeconfig
    }

    /// Waits for something that comes soon.
    #[track_caller]
    pub fn wait(&self, what: &str, is_ready: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_ready(self) {
            assert!(began.elapsed() < READY, "{what} is not there:\n{}", self.said("kube-apiserver"));
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// `kubectl` with these arguments.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_command().args(arguments).output().unwrap()
    }

    fn kubectl_command(&self) -> Command {
        let mut command = self.parts.command("kubectl");
        command.arg("--kubeconfig").arg(self.kubeconfig()).env("HOME", self.folder.path());
        command
    }

    /// The same, which has to go well; what it printed.
    #[track_caller]
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with a document on its standard input; what it said where it did not go well.
    pub fn kubectl_with(&self, arguments: &[&str], document: &str) -> Result<String, String> {
        let mut command = self.kubectl_command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// An object as JSON.
    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl_ok(&["-n", "laforge", "get", kind, name, "-o", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// Installs definitions that were built beside a part, and waits until they are served.
    pub fn define_all(&self, folder: &Path) {
        // Applying on the client's side would copy them into an annotation that is too small.
        self.kubectl_ok(&["create", "-f", folder.to_str().unwrap()]);
        self.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    }

    /// Installs the corpus's definitions, of each kind the first; false where there is no corpus.
    pub fn define(&self) -> bool {
        let Some(files) = manifests::definitions() else { return false };
        for file in files.iter().filter(|file| !is_experimental(file)) {
            // Applying on the client's side would copy them into an annotation that is too small.
            self.kubectl_ok(&["create", "-f", file.to_str().unwrap()]);
        }
        self.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
        true
    }
}

fn is_experimental(file: &Path) -> bool {
    file.to_str().unwrap().contains("experimental")
}
