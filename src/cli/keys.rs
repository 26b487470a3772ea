//! Keys on the command line: secret ones that sign, public ones that verify.
//!
//! In: a file, a variable of the environment, a passphrase. Out: the key, or what the file holds in its place and
//! how to get a key out of that.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::KeySource;
use crate::key::secret::SecretKey;
use crate::key::{KeyError, PublicKey};
use crate::report::paint::printable;

use super::error::Failure;
use super::exit::Exit;
use super::prompt;
use super::session::Session;

/// Where the passphrase of an encrypted key is looked for.
pub(super) const PASSPHRASE: &str = "LAFORGE_KEY_PASSPHRASE";

/// How the label of every block ends that holds a secret.
const SECRET: &str = "PRIVATE KEY-----";

impl Session {
    /// A secret key's source on the command line: `env:NAME`, `file:PATH` or a path.
    ///
    /// # Errors
    /// As [`Session::secret_key`].
    pub fn secret_key_of(&self, source: &str) -> Result<SecretKey, Failure> {
        let source =
            KeySource::parse(source, Path::new("")).unwrap_or_else(|_| KeySource::File(source.into()));
        self.secret_key(&source)
    }

    /// Reads a secret key.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2: not there, not such a key, or not its passphrase.
    pub fn secret_key(&self, source: &KeySource) -> Result<SecretKey, Failure> {
        let shown = match source {
            KeySource::Environment(name) => format!("${name}"),
            KeySource::File(path) => path.display().to_string(),
        };
        let given = self.variable(PASSPHRASE);
        let mut typed = None;
        let passphrase = || {
            given.clone().or_else(|| {
                typed = prompt::secret(&format!("passphrase of the key `{}`: ", printable(&shown)), self);
                typed.clone()
            })
        };
        let text = self.key_text(source, &shown)?;
        let key = match source {
            KeySource::Environment(_) => SecretKey::from_variable(&text, passphrase),
            KeySource::File(_) => SecretKey::from_pem(&text, passphrase),
        };
        key.map_err(|error| match error {
            KeyError::Passphrase if typed.is_some() => {
                Failure::usage(format!("the passphrase does not open the key `{shown}`"))
            }
            KeyError::Passphrase if given.is_none() => {
                Failure::usage(format!("the key `{shown}` is encrypted, and no passphrase is given"))
                    .hint(format!("give it in the variable {PASSPHRASE}"))
            }
            KeyError::Passphrase => {
                Failure::usage(format!("the passphrase in {PASSPHRASE} does not open the key `{shown}`"))
            }
            KeyError::NotPem { .. } if matches!(source, KeySource::Environment(_)) => Failure::usage(
                format!("the key `{shown}` {error}"),
            )
            .hint("the variable holds the text of the `.key` file, or its base64 in one line (`base64 -w0`)"),
            _ => Failure::usage(format!("the key `{shown}` {error}")).hint(mended(&text)),
        })
    }

    fn key_text(&self, source: &KeySource, shown: &str) -> Result<String, Failure> {
        match source {
            KeySource::Environment(name) => self.variable(name).ok_or_else(|| {
                Failure::usage(format!("the key's variable `{shown}` is not set")).hint(
                    "set it to the PEM text of the key or its base64 in one line, or name a file with `file:PATH`",
                )
            }),
            KeySource::File(path) => {
                let text = self.read_text(path, Exit::Usage)?;
                if text.contains(SECRET) {
                    self.warn_of_readers(path);
                }
                Ok(text)
            }
        }
    }

    /// Says so when others may read a secret key's file, as `ssh` does; a courtesy, and no refusal: in a
    /// container everything may be readable.
    fn warn_of_readers(&self, path: &Path) {
        let Ok(meta) = fs::metadata(path) else { return };
        let mode = meta.permissions().mode() & 0o777;
        if meta.is_file() && mode & 0o044 != 0 {
            let shown = printable(&path.display().to_string());
            let text = format!("others may read the secret key `{shown}` (mode {mode:04o}): `chmod 600` it");
            self.say_last(text);
        }
    }

    /// Reads a public key from a PEM file.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub fn public_key(&self, path: &Path) -> Result<PublicKey, Failure> {
        let pem = self.read_text(path, Exit::Usage)?;
        PublicKey::from_pem(&pem)
            .map_err(|error| Failure::usage(format!("the key `{}` {error}", path.display())))
    }
}

/// How to get a key out of a file that holds none, by the label of its block.
fn mended(text: &str) -> &'static str {
    let holds = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if holds("PUBLIC KEY") {
        "that is a public key, which signs nothing: its secret half is the file that ends in `.key`"
    } else if holds("EC PRIVATE KEY") {
        "that is OpenSSL's older form: `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW` puts a P-256 key into PKCS#8"
    } else if holds("OPENSSH PRIVATE KEY") {
        "that is the form of OpenSSH: `laforge keygen` makes a key that signs here"
    } else {
        "P-256 and Ed25519 keys sign here, RSA and other curves don't: `laforge keygen` makes one"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_something_else_is_told_how_it_becomes_a_key() {
        for (label, said) in [
            ("PUBLIC KEY", "signs nothing"),
            ("EC PRIVATE KEY", "openssl pkcs8 -topk8"),
            ("OPENSSH PRIVATE KEY", "OpenSSH"),
            ("RSA PRIVATE KEY", "RSA and other curves don't"),
            ("PRIVATE KEY", "RSA and other curves don't"),
        ] {
            let hint = mended(&format!("-----BEGIN {label}-----\nMA==\n-----END {label}-----\n"));
            assert!(hint.contains(said), "{label}: {hint}");
        }
    }
}
