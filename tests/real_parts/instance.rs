//! A private Sigstore instance: certificate authority, transparency log, CT log, time stamps, and an issuer.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::issuer::{self, Issuer};
use super::parts::Parts;

/// How long all servers together may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// The instance, up until it is dropped.
pub struct Instance<'p> {
    pub parts: &'p Parts,
    pub issuer: Issuer,
    folder: TempDir,
    servers: Vec<(&'static str, Child)>,
}

impl<'p> Instance<'p> {
    /// Makes keys, starts the servers and waits for them; writes signing config and trusted root.
    pub fn start(parts: &'p Parts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_parts");
        let made = Command::new(here.join("keys")).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::copy(here.join("fulcio.yaml"), folder.path().join("fulcio.yaml")).unwrap();
        let issuer = Issuer::start();
        let mut instance = Self { parts, issuer, folder, servers: Vec::new() };
        instance.serve(
            "timestamp-server",
            "serve --host 127.0.0.1 --port 7004 --timestamp-signer file --file-signer-key-path stamps.key \
             --certificate-chain-path stamps-chain.pem --disable-ntp-monitoring",
        );
        instance.serve(
            "tesseract",
            "--private_key=ct.key --origin=ct.test --storage_dir=ct --roots_pem_file=authority-root.pem \
             --http_endpoint=127.0.0.1:7006 --checkpoint_interval=100ms --batch_max_age=50ms",
        );
        instance.serve(
            "rekor",
            "serve --http-address 127.0.0.1 --http-port 7003 --grpc-address 127.0.0.1 --grpc-port 7103 \
             --http-metrics-port 7203 --hostname rekor.test --storage-dir log --signer-filepath log.key \
             --checkpoint-interval 200ms --batch-max-age 50ms",
        );
        instance.until(&[(7004, "/ping"), (7006, "/ct/v1/get-roots"), (7003, "/healthz")]);
        instance.serve(
            "fulcio",
            "serve --host 127.0.0.1 --port 7002 --grpc-host 127.0.0.1 --grpc-port 7102 --metrics-port 7202 \
             --config-path fulcio.yaml --ca fileca --fileca-cert authority-chain.pem --fileca-key authority.key \
             --fileca-key-passwd x --fileca-watch=false --ct-log-url http://127.0.0.1:7006 --ct-log-origin ct.test \
             --ct-log-public-key-path ct.pub --legacy-unix-domain-socket @laforge-real-parts",
        );
        instance.until(&[(7002, "/healthz"), (issuer::PORT, "/.well-known/openid-configuration")]);
        instance.describe();
        instance
    }

    /// A file of the instance.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The flags that send a signer here.
    pub fn flags(&self, token: &str) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        [
            "--signing-config",
            &path("signing-config.json"),
            "--trusted-root",
            &path("trusted-root.json"),
            "--identity-token",
            token,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Ends one server, as a crash would.
    pub fn end(&mut self, part: &str) {
        let (_, server) = self.servers.iter_mut().find(|(name, _)| *name == part).unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Starts a server in the instance's folder; it ends with the instance.
    pub fn serve(&mut self, part: &'static str, arguments: &str) {
        let log = File::create(self.path(&format!("{part}.log"))).unwrap();
        let server = self
            .parts
            .command(part)
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.servers.push((part, server));
    }

    /// Waits until all of these say 200.
    #[track_caller]
    pub fn until(&mut self, ready: &[(u16, &str)]) {
        let began = Instant::now();
        for (port, path) in ready {
            while !answers(*port, path) {
                for (part, server) in &mut self.servers {
                    let log = || fs::read_to_string(self.folder.path().join(format!("{part}.log"))).unwrap();
                    assert!(server.try_wait().unwrap().is_none(), "{part} ended: {}", log());
                    assert!(began.elapsed() < READY, "nothing answers on {port}; {part} says: {}", log());
                }
                sleep(Duration::from_millis(30));
            }
        }
    }

    /// The two files that clients are given. Rekor's host name is its checkpoints' origin.
    fn describe(&self) {
        let since = "start-time=2026-01-01T00:00:00Z";
        self.cosign(&[
            "signing-config",
            "create",
            "--fulcio",
            &format!("url=http://127.0.0.1:7002,api-version=1,{since},operator=acme"),
            "--rekor",
            &format!("url=http://127.0.0.1:7003,api-version=2,{since},operator=acme"),
            "--rekor-config",
            "ANY",
            "--tsa",
            &format!("url=http://127.0.0.1:7004/api/v1/timestamp,api-version=1,{since},operator=acme"),
            "--tsa-config",
            "ANY",
            "--out",
            "signing-config.json",
        ]);
        self.cosign(&[
            "trusted-root",
            "create",
            "--fulcio",
            "url=http://127.0.0.1:7002,certificate-chain=authority-chain.pem",
            "--rekor",
            &format!("url=https://rekor.test,public-key=log.pub,{since},origin=rekor.test"),
            "--ctfe",
            &format!("url=http://127.0.0.1:7006,public-key=ct.pub,{since},origin=ct.test"),
            "--tsa",
            "url=http://127.0.0.1:7004,certificate-chain=stamps-chain.pem",
            "--out",
            "trusted-root.json",
        ]);
    }

    #[track_caller]
    fn cosign(&self, arguments: &[&str]) {
        let output =
            self.parts.command("cosign").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "cosign {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        for (_, server) in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Whether something says 200 there.
fn answers(port: u16, path: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    ask().is_ok_and(|head| head.ends_with("200"))
}
