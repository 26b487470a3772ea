//! Who signs: a local key, or whoever an OIDC token names. What `sign`, `attest`, `approve` and `reject` share.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::evidence::bundle::conformance::{ArtifactOrDigest, BundleError, ExpectedSigner, verify_bundle};
use crate::evidence::bundle::instance::Instance;
use crate::key::secret::SecretKey;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::report::paint::{Tone, printable};
use crate::signing::keyless::ambient::{self, TokenRequest};
use crate::signing::keyless::services::{Service, Services, ServicesError};
use crate::signing::keyless::token::{Token, TokenError};
use crate::signing::keyless::{Keyless, KeylessError, Trouble};
use crate::signing::{self, SigningError};
use crate::time;
use crate::trust::embedded::embedded_root;
use crate::trust::{DEFAULT_ROOT, Identity};

use super::load::{self, Signing};
use super::{Exit, Failure, Session};

/// Where a token is looked for when no flag names one; GitLab's `id_tokens` sets it too.
const TOKEN: &str = "SIGSTORE_ID_TOKEN";
/// Where GitHub Actions says how a job gets its token.
const ACTIONS: (&str, &str) = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN");

#[derive(Debug, Args)]
#[command(next_help_heading = "Signer")]
pub(super) struct SignerFlags {
    /// The secret key: a PEM file, file:PATH or env:NAME (its passphrase: $LAFORGE_KEY_PASSPHRASE); without it, sign
    /// keyless with an OIDC token
    #[arg(long, value_name = "SOURCE")]
    key: Option<String>,
    /// Keyless: the token, or env:NAME or file:PATH (default: $SIGSTORE_ID_TOKEN, else GitHub Actions' own)
    #[arg(long, value_name = "TOKEN|env:NAME|file:PATH", conflicts_with = "key")]
    identity_token: Option<String>,
    /// Keyless: the Sigstore instance to sign with, as a SigningConfig (default: the public-good instance)
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    signing_config: Option<PathBuf>,
    /// Keyless: that instance's trusted_root.json; the bundle must hold under it before it is written
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    trusted_root: Option<PathBuf>,
    /// Reach no network at all: keyless signing is refused
    #[arg(long)]
    offline: bool,
}

/// Who signs.
pub(super) enum Signer {
    /// A key at hand.
    Key(SecretKey),
    /// Whoever a token names.
    Keyless {
        /// With what, and where.
        keyless: Box<Keyless>,
        /// The roots that a bundle is held under before it is written.
        roots: Roots,
    },
}

/// The trusted roots at hand.
#[derive(Debug)]
pub(super) enum Roots {
    /// The one that the bundle must hold under, and its name.
    Demanded(String, Vec<u8>),
    /// Those of the configured trust; the bundle may be of another instance.
    Trusted(Vec<(String, Vec<u8>)>),
}

impl SignerFlags {
    /// The signer that the flags and the environment give.
    pub(super) fn signer(&self, session: &Session) -> Result<Signer, Failure> {
        if let Some(source) = &self.key {
            return Ok(Signer::Key(session.secret_key_of(source)?));
        }
        if self.offline {
            return Err(Failure::usage("keyless signing reaches out, and --offline forbids it")
                .hint("sign with a local key: --key SOURCE"));
        }
        let services = match &self.signing_config {
            Some(path) => Services::read(&session.read(path, Exit::Usage)?).map_err(|error| {
                of_services(&error).because(format!("it is what --signing-config `{}` says", path.display()))
            }),
            None => Services::public_good().map_err(|error| of_services(&error)),
        }?;
        let roots = self.roots(&services, session)?;
        let token = self.token(session)?;
        let keyless = Keyless::new(token, services, session.now()).map_err(|error| of_token(&error))?;
        Ok(Signer::Keyless { keyless: Box::new(keyless), roots })
    }

    fn roots(&self, services: &Services, session: &Session) -> Result<Roots, Failure> {
        if let Some(path) = &self.trusted_root {
            let root = session.read(path, Exit::Usage)?;
            // Before anything is signed: the signature would be in the log, and nothing at hand could hold it.
            Instance::prepare(&root).map_err(|error| {
                Failure::of(Exit::Usage, &error)
                    .because(format!("it is what --trusted-root `{}` says", path.display()))
                    .hint("give the `trusted_root.json` of the instance that signs")
            })?;
            return Ok(Roots::Demanded(path.display().to_string(), root));
        }
        match embedded_root(DEFAULT_ROOT).filter(|_| self.signing_config.is_none() && services.is_public()) {
            Some(root) => Ok(Roots::Demanded(DEFAULT_ROOT.to_owned(), root.as_bytes().to_vec())),
            None => {
                let trusted = load::trust_in_reach(session).map(|trust| trust.roots).unwrap_or_default();
                Ok(Roots::Trusted(trusted.into_iter().map(|root| (root.name, root.json)).collect()))
            }
        }
    }

    fn token(&self, session: &Session) -> Result<Token, Failure> {
        let text = match self.identity_token.as_deref().map(|source| (source, source.split_once(':'))) {
            Some((_, Some(("env", name)))) => Some(session.variable(name).ok_or_else(|| no_token_in(name))?),
            Some((_, Some(("file", path)))) => Some(session.read_text(Path::new(path), Exit::Usage)?),
            Some((token, _)) => Some(token.to_owned()),
            None => session.variable(TOKEN),
        };
        match (text, session.variable(ACTIONS.0), session.variable(ACTIONS.1)) {
            (Some(text), ..) => Token::read(&text).map_err(|error| of_token(&error)),
            (None, Some(url), Some(bearer)) => {
                ambient::fetch(&TokenRequest { url, bearer }).map_err(|error| of_keyless(&error))
            }
            _ => Err(Failure::usage("neither a key nor an identity token to sign with").hint(format!(
                "give --key SOURCE, or --identity-token; in CI: GitHub Actions with `permissions: {{id-token: \
                 write}}`, GitLab with `id_tokens: {{{TOKEN}: {{aud: sigstore}}}}`"
            ))),
        }
    }
}

impl Signer {
    /// Says what trust makes of this signer, as far as that is known before it signs.
    pub(super) fn warn_of_stranger(&self, signing: Signing, session: &Session) {
        if let Self::Key(_) = self {
            load::warn_of_stranger(&|it| self.is(it), "key", signing, session);
        }
    }

    /// Says so when trust gives nobody with this key or identity the role that is to count: the gate would count
    /// the record for none.
    pub(super) fn warn_of_role(&self, role: Option<&str>, session: &Session) {
        let (Some(role), Some(trust)) = (role, load::trust_in_reach(session)) else { return };
        let Some(person) = trust.people.iter().find(|it| it.identities.iter().any(|it| self.is(it))) else {
            return;
        };
        if !person.roles.iter().any(|it| it == role) {
            let roles = if person.roles.is_empty() { "none".to_owned() } else { person.roles.join(", ") };
            session.tell(&format!(
                "warning: `{}` has no role `{}` in trust (roles: {}), so the gate will set this aside\n",
                printable(&person.name),
                printable(role),
                printable(&roles)
            ));
        }
    }

    /// Whether trust names this signer so, as far as that is known before it signs.
    fn is(&self, identity: &Identity) -> bool {
        match (self, identity) {
            (Self::Key(key), Identity::Key { key: named, .. }) => named == key.public(),
            (Self::Keyless { keyless, .. }, Identity::Keyless { issuer, subject, .. }) => {
                issuer == keyless.token().issuer() && subject.matches(keyless.token().identity())
            }
            _ => false,
        }
    }

    /// Who signs, by what, and where that will be read: label and text of each line.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let keyless = match self {
            Self::Key(key) => return vec![("key", key.public().id().to_string())],
            Self::Keyless { keyless, .. } => keyless,
        };
        let (token, services) = (keyless.token(), keyless.services());
        let log = services.url(Service::Log);
        let published = match services.is_public() {
            true => format!("{log}, a PUBLIC log: identity and digest can be read by anyone, for ever"),
            false => format!("{log}, for whoever reads that log, for ever"),
        };
        vec![
            ("signer", format!("{} (issuer {})", token.identity(), token.issuer())),
            (
                "token",
                format!("for the audience {}, until {}", token.audience(), time::to_seconds(token.expires())),
            ),
            ("certified by", services.url(Service::Authority).to_owned()),
            ("published", published),
            ("stamped by", services.url(Service::TimeStamps).to_owned()),
        ]
    }

    /// Shows who signs what and where, when that reaches out; a local key's signature goes nowhere.
    pub(super) fn announce<'a>(&self, what: impl Iterator<Item = (&'a str, String)>, session: &Session) {
        if matches!(self, Self::Keyless { .. }) {
            session.tell(&table(what.chain(self.described())));
        }
    }

    /// A short name that tells signers apart, for names of files.
    pub(super) fn short_name(&self) -> String {
        let digest = match self {
            Self::Key(key) => key.public().id().hex(),
            Self::Keyless { keyless, .. } => {
                let who = format!("{}\n{}", keyless.token().issuer(), keyless.token().identity());
                Digest::of_bytes(who.as_bytes()).hex()
            }
        };
        digest.get(..8).unwrap_or_default().to_owned()
    }

    /// Signs an artifact.
    pub(super) fn artifact(&self, bytes: &[u8], session: &Session) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Key(key) => signing::artifact_bundle(bytes, key).map_err(|error| of_signing(&error)),
            Self::Keyless { keyless, roots } => {
                let bundle = keyless.artifact_bundle(bytes).map_err(|error| of_keyless(&error))?;
                check(&bundle, &Digest::of_bytes(bytes).claim(), roots, Signing::Artifact, session)?;
                Ok(bundle)
            }
        }
    }

    /// Signs a statement about a digest, which is one of its subjects.
    pub(super) fn statement(
        &self,
        statement: &Value,
        subject: &ClaimedDigest,
        signing: Signing,
        session: &Session,
    ) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Key(key) => signing::statement_bundle(statement, key).map_err(|error| of_signing(&error)),
            Self::Keyless { keyless, roots } => {
                let bundle = keyless.statement_bundle(statement).map_err(|error| of_keyless(&error))?;
                check(&bundle, subject, roots, signing, session)?;
                Ok(bundle)
            }
        }
    }
}

/// `about to sign:` and one line for each label.
pub(super) fn table<'a>(rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut out = String::from("about to sign:\n");
    for (label, text) in rows {
        out.push_str(&format!("  {label:>12} {}\n", printable(&text)));
    }
    out
}

/// Holds a new bundle against the roots at hand, as the gate will, and says who it names.
fn check(
    bundle: &[u8],
    subject: &ClaimedDigest,
    roots: &Roots,
    signing: Signing,
    session: &Session,
) -> Result<(), Failure> {
    let subject = subject.to_string();
    let under = |root: &[u8]| {
        verify_bundle(
            bundle,
            ArtifactOrDigest::Digest(&subject),
            ExpectedSigner::WhoeverIsCertified,
            Some(root),
        )
    };
    let held = match roots {
        Roots::Demanded(name, root) => {
            Some((name, under(root).map_err(|error| does_not_hold(name, &error))?))
        }
        Roots::Trusted(roots) => roots.iter().find_map(|(name, root)| Some((name, under(root).ok()?))),
    };
    let Some((name, verdict)) = held else {
        session.tell(
            "warning: not verified: no trusted root at hand is of this instance (--trusted-root FILE)\n",
        );
        return Ok(());
    };
    let (subject, issuer) = verdict.signer.unwrap_or_default();
    let at: Vec<String> = verdict.times.iter().map(|at| time::to_seconds(*at)).collect();
    session.say(&format!(
        "{}: signed by {} (issuer {}) at {}, under the root `{name}`\n",
        session.paint.tone(Tone::Good, "verified"),
        printable(&subject),
        printable(&issuer),
        at.join(", "),
    ));
    let is_this = |it: &Identity| match it {
        Identity::Keyless { issuer: named, subject: pattern, .. } => {
            *named == issuer && pattern.matches(&subject)
        }
        Identity::Key { .. } => false,
    };
    load::warn_of_stranger(&is_this, "identity", signing, session);
    Ok(())
}

fn does_not_hold(root: &str, error: &BundleError) -> Failure {
    Failure::of(Exit::Denied, error)
        .because(format!("the bundle was made, and it does not hold under the root `{root}`"))
        .hint("nothing was written; give the trusted root of the instance that signs (--trusted-root)")
}

fn no_token_in(name: &str) -> Failure {
    Failure::usage(format!("the token's variable `${name}` is not set"))
        .hint("set it to the token's text, or name a file with `file:PATH`")
}

fn of_signing(error: &SigningError) -> Failure {
    Failure::of(Exit::NoDecision, error)
}

fn of_services(error: &ServicesError) -> Failure {
    Failure::of(Exit::Usage, error).hint(
        "--signing-config takes a Sigstore SigningConfig v0.2, such as `cosign signing-config create` writes",
    )
}

fn of_token(error: &TokenError) -> Failure {
    let hint = match error {
        TokenError::Expired { .. } => "get a fresh one: tokens live for minutes",
        TokenError::Audience { .. } => "ask the issuer for a token with `aud: sigstore`",
        _ => "it is three base64url parts with dots between: header.claims.signature",
    };
    Failure::of(Exit::Usage, error).hint(hint)
}

fn of_keyless(error: &KeylessError) -> Failure {
    match error {
        KeylessError::Signing(error) => of_signing(error),
        KeylessError::Token(error) => of_token(error),
        KeylessError::Services(error) => of_services(error),
        KeylessError::Service { service, trouble, .. } => {
            Failure::of(Exit::NoDecision, error).hint(mended(*service, trouble))
        }
        other => Failure::of(Exit::NoDecision, other),
    }
}

/// How to mend what a service did.
fn mended(service: Service, trouble: &Trouble) -> &'static str {
    match (service, trouble) {
        (_, Trouble::Unreachable { .. }) => {
            "nothing was written: check the address, and that this machine may reach it; then run it again"
        }
        (Service::Authority, Trouble::Refused { status: 400..=403, .. }) => {
            "it did not take the token: its issuer must be one that the authority knows, its audience the one that \
             the authority asks for, its e-mail verified, its time not over"
        }
        (Service::Tokens, Trouble::Refused { .. }) => "the job needs `permissions: {id-token: write}`",
        (_, Trouble::Refused { status: 429 | 500..=599, .. }) => "nothing was written: run it again later",
        _ => "nothing was written: check that the signing config names this kind of service there",
    }
}
