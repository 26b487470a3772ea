//! Credentials as other tools keep them: `config.json` of Docker, and the helpers that it names.
//!
//! In: the folder of `config.json`. Out: a [`Credential`] for one host, or none. A helper's name is
//! letters, digits and dashes, so that it is a program on the path and never a path; it runs without a
//! shell, is told the host on its standard input, and is ended when it takes too long.
//! Spec: <https://docs.docker.com/reference/cli/docker/login/#credential-stores>.
#![expect(clippy::disallowed_methods, reason = "runs the helper that the user configured for registries")]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::place::key_of;
use crate::json;
use crate::source::folder::open_file;

/// Bytes of `config.json` and of a helper's answer: both hold a few secrets.
const MAX_BYTES: u64 = 1 << 20;

/// How long a helper may take; some ask a cloud for a token.
const HELPER_TIME: Duration = Duration::from_secs(20);

/// The user's name that says that the secret is a refresh token.
const TOKEN_USER: &str = "<token>";

/// What opens a registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// A name and a secret.
    Basic {
        /// Who.
        user: String,
        /// The secret.
        secret: String,
    },
    /// A refresh token, to be shown to the token service only.
    Refresh(String),
}

/// Why credentials could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CredentialError {
    /// A file that could not be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file that is not what it should be. What it holds is not said: it holds secrets.
    #[error("`{}` is no `config.json` of Docker", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A helper whose name is none.
    #[error("`{name}` is no name of a credential helper: expected lower-case letters, digits and dashes")]
    HelperName {
        /// The name.
        name: String,
    },
    /// A helper that failed.
    #[error("`docker-credential-{name}` {problem}")]
    Helper {
        /// The helper.
        name: String,
        /// What went wrong.
        problem: &'static str,
    },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Where credentials are kept. Nothing is read before a registry asks for some.
pub(super) struct Credentials {
    folder: Option<PathBuf>,
    config: OnceLock<Result<Config, CredentialError>>,
}

impl Credentials {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, config: OnceLock::new() }
    }

    /// The credential for a host, which is `host[:port]` as the user writes it.
    pub(super) fn of(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        let config = match self.config.get_or_init(|| self.read()) {
            Ok(config) => config,
            Err(error) => return Err(error.clone()),
        };
        let named = |key: &String| host_of(key) == host;
        if let Some((key, helper)) = config.cred_helpers.iter().find(|(key, _)| named(key)) {
            return ask(helper, key);
        }
        let entry = config.auths.iter().find(|(key, _)| named(key));
        if let Some(credential) = entry.and_then(|(_, entry)| entry.credential()) {
            return Ok(Some(credential));
        }
        match &config.creds_store {
            Some(helper) => ask(helper, entry.map_or(host, |(key, _)| key)),
            None => Ok(None),
        }
    }

    fn read(&self) -> Result<Config, CredentialError> {
        let Some(folder) = &self.folder else { return Ok(Config::default()) };
        let path = folder.join("config.json");
        let bytes = match read_bounded(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(error) => return Err(CredentialError::Unreadable { path, reason: error.to_string() }),
        };
        // Unlike documents of ours it has members that other tools add.
        json::decode(&bytes).map_err(|_| CredentialError::Malformed { path })
    }
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Some(Credential::Refresh(token.clone()));
        }
        let text = String::from_utf8(STANDARD.decode(self.auth.as_ref()?).ok()?).ok()?;
        let (user, secret) = text.split_once(':')?;
        let secret = secret.trim_end_matches('\0');
        (!user.is_empty()).then(|| Credential::Basic { user: user.to_owned(), secret: secret.to_owned() })
    }
}

/// `https://index.docker.io/v1/` and `index.docker.io` are one host.
fn host_of(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    key_of(key.split('/').next().unwrap_or_default())
}

/// Reads a file whole. A variable of the environment may name the folder: a pipe there would never end.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Asks a helper for the credential of a server.
fn ask(name: &str, server: &str) -> Result<Option<Credential>, CredentialError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || !name.bytes().all(letter) {
        return Err(CredentialError::HelperName { name: name.chars().take(64).collect() });
    }
    let failed = |problem| CredentialError::Helper { name: name.to_owned(), problem };
    let child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| failed("can't be run: is it on the path?"))?;
    let (succeeded, said) = heard_out(child, server, HELPER_TIME).map_err(failed)?;
    if !succeeded {
        let text = String::from_utf8_lossy(&said);
        return match text.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed("failed")),
        };
    }
    let answered: Answered =
        json::decode(&said).map_err(|_| failed("gave something else than credentials"))?;
    Ok(Some(match answered.user == TOKEN_USER {
        true => Credential::Refresh(answered.secret),
        false => Credential::Basic { user: answered.user, secret: answered.secret },
    }))
}

/// What a helper says, and whether it succeeded. One that takes longer than it may is ended.
fn heard_out(mut child: Child, server: &str, time: Duration) -> Result<(bool, Vec<u8>), &'static str> {
    let said = converse(&mut child, server, time);
    if said.is_err() {
        // It may have ended by itself; then there is nothing to end.
        let _ = child.kill();
        let _ = child.wait();
    }
    said
}

/// Tells a helper the server and waits for its answer, for as long as it may take.
fn converse(child: &mut Child, server: &str, time: Duration) -> Result<(bool, Vec<u8>), &'static str> {
    let started = Instant::now();
    if let Some(mut input) = child.stdin.take() {
        // One that ends without reading has its reasons, which its status tells.
        let _ = input.write_all(server.as_bytes());
    }
    let output = child.stdout.take().ok_or("says nothing")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = output.take(MAX_BYTES).read_to_end(&mut said).map(|_| said);
        // Nobody listens any more once the time is over.
        let _ = sender.send(read);
    });
    while started.elapsed() < time {
        match child.try_wait() {
            Ok(Some(status)) => {
                // A process that it left behind may hold its output open for ever.
                let said = receiver.recv_timeout(time.saturating_sub(started.elapsed()));
                let said = said.map_err(|_| "takes too long")?.map_err(|_| "says nothing")?;
                return Ok((status.success(), said));
            }
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(_) => return Err("can't be waited for"),
        }
    }
    Err("takes too long")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn credentials(config: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let credentials = Credentials::new(Some(folder.path().to_owned()));
        (folder, credentials)
    }

    fn basic(user: &str, secret: &str) -> Option<Credential> {
        Some(Credential::Basic { user: user.to_owned(), secret: secret.to_owned() })
    }

    impl std::fmt::Debug for Credential {
        fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str(match self {
                Self::Basic { .. } => "basic",
                Self::Refresh(_) => "refresh",
            })
        }
    }

    #[test]
    fn finds_the_entry_of_exactly_one_host() {
        let auth = STANDARD.encode("alice:s:ecret");
        let config = format!(
            r#"{{"auths": {{"r.example:5000": {{"auth": "{auth}"}}, "https://index.docker.io/v1/": {{"auth": "{auth}"}},
            "acr.example": {{"auth": "{auth}", "identitytoken": "refresh"}}, "empty.example": {{}}}}, "HttpHeaders": {{}}}}"#
        );
        let (_folder, credentials) = credentials(&config);
        for (host, expected) in [
            ("r.example:5000", basic("alice", "s:ecret")),
            ("index.docker.io", basic("alice", "s:ecret")),
            ("acr.example", Some(Credential::Refresh("refresh".into()))),
            ("r.example", None),
            ("evil.r.example:5000", None),
            ("empty.example", None),
        ] {
            assert_eq!(credentials.of(host).unwrap(), expected, "{host}");
        }
    }

    #[test]
    fn has_none_without_a_file_and_says_what_is_wrong_with_one() {
        assert_eq!(Credentials::new(None).of("r.example"), Ok(None));
        let (folder, _) = credentials("{}");
        assert_eq!(Credentials::new(Some(folder.path().join("none"))).of("r.example"), Ok(None));
        let (_folder, credentials) = credentials("secret: s3cret");
        let error = credentials.of("r.example").unwrap_err();
        assert!(
            error.to_string().ends_with("is no `config.json` of Docker")
                && !error.to_string().contains("s3cret")
        );
    }

    #[test]
    fn waits_for_no_pipe_and_reads_no_device() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let of = || Credentials::new(Some(folder.path().to_owned())).of("r.example").unwrap_err().to_string();
        let refused =
            format!("cannot read `{}`: it is a pipe, a socket or a device, and no file", path.display());
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(of(), refused);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(of(), refused);
    }

    #[test]
    fn runs_no_helper_whose_name_is_a_path_or_a_command() {
        for name in ["../evil", "a/b", "", "a b", "a;b", "A", "a.b", "$(x)"] {
            let config = serde_json::json!({"credHelpers": {"r.example": name}}).to_string();
            let (_folder, credentials) = credentials(&config);
            let refused = credentials.of("r.example").unwrap_err();
            assert!(matches!(refused, CredentialError::HelperName { .. }), "{name}: {refused}");
        }
        let (_folder, credentials) = credentials(r#"{"credsStore": "no-such-helper"}"#);
        let refused = credentials.of("r.example").unwrap_err().to_string();
        assert_eq!(refused, "`docker-credential-no-such-helper` can't be run: is it on the path?");
    }

    #[test]
    fn hears_a_helper_out_and_ends_one_that_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let heard = |child| heard_out(child, "r.example", HELPER_TIME);
        assert_eq!(heard(script("told", "cat")), Ok((true, b"r.example".to_vec())));
        assert!(!heard(script("failed", "echo credentials not found in native keychain; exit 1")).unwrap().0);
        let hurried = |child| heard_out(child, "r.example", Duration::from_millis(300));
        let started = Instant::now();
        for (name, text) in [
            ("hangs", "exec sleep 600"),
            ("hangs-after-an-answer", "echo '{}'; exec sleep 600"),
            // It ends, and what it left behind holds its output open.
            ("leaves-one-behind", "sleep 20 & exit 0"),
        ] {
            let child = script(name, text);
            let id = child.id();
            assert_eq!(hurried(child), Err("takes too long"), "{name}");
            assert!(!Path::new(&format!("/proc/{id}")).exists(), "{name} is still there");
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}
