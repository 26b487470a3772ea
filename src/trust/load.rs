//! `trust.yaml` to [`TrustRoot`]: every name looked up, every key read, every refusal made.
//!
//! In: the document, and a way to read the key and root files that it names. Out: [`TrustRoot`], or
//! [`TrustError`] with the place of the first thing that is not acceptable (`formats.md` section 2).
//! Signers and people are read in [`parties`], builders, gates and revocations in [`grants`].

mod grants;
mod parties;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::document::{API_VERSION, Document, RootEntry};
use super::embedded::{INSTANCES, embedded_root};
use super::uses::{Owner, Owners};
use super::{DEFAULT_ROOT, SigstoreRoot, TrustRoot, canonical};
use crate::key::PublicKey;
use crate::release::digest::Digest;
use crate::release::name::{self, MAX_NAME, MAX_TEXT};
use crate::time::{self, Timestamp};
use crate::yaml::{DocumentError, Place, Source, Spanned};
use crate::{json, key};

/// Why a trust document can't be used: exit 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The document, or a key or root that it names, is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file that it names could not be read.
    #[error("{place}: cannot read `{}`", path.display())]
    Unreadable {
        /// Where it is named.
        place: Place,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A key file has some hundred bytes; a trusted root some ten thousand.
const MAX_KEY_FILE: usize = 16 * 1024;
const MAX_ROOT_FILE: usize = 4 * 1024 * 1024;

/// Reads a file that the document names.
pub type ReadFile<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

impl TrustRoot {
    /// Reads a trust document; its paths are relative to `base`, the folder that it lies in.
    ///
    /// # Errors
    /// [`TrustError`] with the place of the first thing that is not acceptable.
    pub fn load(source: &Source, read: &mut ReadFile<'_>, base: &Path) -> Result<Self, TrustError> {
        let document: Document = source.read()?;
        let mut loader = Loader {
            source,
            read,
            base,
            files: Vec::new(),
            roots: BTreeSet::new(),
            owners: Owners::default(),
        };
        loader.trust(document)
    }
}

type Loaded<T> = Result<T, TrustError>;

struct Loader<'a, 'r> {
    source: &'a Source,
    read: &'a mut ReadFile<'r>,
    base: &'a Path,
    files: Vec<PathBuf>,
    /// The names of the roots that there are.
    roots: BTreeSet<String>,
    /// Who holds which key and identity.
    owners: Owners,
}

impl Loader<'_, '_> {
    fn trust(&mut self, document: Document) -> Loaded<TrustRoot> {
        self.exactly(&document.api_version, API_VERSION)?;
        self.exactly(&document.kind, "Trust")?;
        let roots = self.sigstore(&document.sigstore)?;
        let signers = self.signers(&document.signers)?;
        let people = self.people(&document.people)?;
        let builders = self.builders(&document.builders, &signers)?;
        let policy_signers = self.policy_signers(&document.policy_signers, &signers)?;
        let gates = self.gates(&document.gates)?;
        let revoked = self.revoked(&document.revoked)?;
        let mut trust = TrustRoot {
            roots,
            signers,
            people,
            builders,
            policy_signers,
            gates,
            revoked,
            digest: Digest::of_bytes(&[]),
            canonical: Vec::new(),
            files: std::mem::take(&mut self.files),
        };
        trust.canonical = canonical::form(&trust);
        trust.digest = Digest::of_bytes(&trust.canonical);
        Ok(trust)
    }

    /// The roots listed, and the public one unless a listed one has its name.
    fn sigstore(&mut self, entries: &[RootEntry]) -> Loaded<Vec<SigstoreRoot>> {
        let mut names = BTreeSet::new();
        let mut roots = Vec::new();
        for entry in entries {
            let name = self.unique(&entry.name, &mut names)?;
            roots.push(root(name, self.root_json(entry)?));
        }
        if names.insert(DEFAULT_ROOT.to_owned()) {
            let json = embedded_root(DEFAULT_ROOT).unwrap_or_default();
            roots.push(root(DEFAULT_ROOT.to_owned(), json.as_bytes().to_vec()));
        }
        self.roots = names;
        Ok(roots)
    }

    fn root_json(&mut self, entry: &RootEntry) -> Loaded<Vec<u8>> {
        match (&entry.instance, &entry.trusted_root) {
            (Some(instance), None) => self.instance(&entry.name.value, instance),
            (None, Some(path)) => {
                let bytes = self.file(path, MAX_ROOT_FILE)?;
                match json::parse(&bytes) {
                    Ok(value) if value.is_object() => Ok(bytes),
                    Ok(_) => self.refuse(path, format!("root `{}` is not a JSON object", path.value)),
                    Err(problem) => {
                        self.refuse(path, format!("root `{}` is not strict JSON: {problem}", path.value))
                    }
                }
            }
            _ => self.refuse(
                &entry.name,
                format!("root `{}` needs one of `instance` and `trustedRoot`", entry.name.value),
            ),
        }
    }

    /// An instance under another instance's name would be believed to be that one.
    fn instance(&self, name: &str, instance: &Spanned<String>) -> Loaded<Vec<u8>> {
        let Some(json) = embedded_root(&instance.value) else {
            let known = INSTANCES.join("`, `");
            return self
                .refuse(instance, format!("`{}` is not one of `{known}`", instance.value.escape_debug()));
        };
        if name != instance.value && INSTANCES.contains(&name) {
            return self
                .refuse(instance, format!("root `{name}` can't be the instance `{}`", instance.value));
        }
        Ok(json.as_bytes().to_vec())
    }

    /// The name of a root that there is.
    fn root_name(&self, at: Option<&Spanned<String>>) -> Loaded<String> {
        match at {
            None => Ok(DEFAULT_ROOT.to_owned()),
            Some(at) if self.roots.contains(&at.value) => Ok(at.value.clone()),
            Some(at) => {
                let message = format!("no root is named `{}`", at.value.escape_debug());
                Err(self.source.error_at(at, message).with_help(self.root_help(&at.value)).into())
            }
        }
    }

    /// How a root gets a name, or which names there are.
    fn root_help(&self, wanted: &str) -> String {
        if INSTANCES.contains(&wanted) {
            return format!("list it: `sigstore: [{{name: {wanted}, instance: {wanted}}}]`");
        }
        let names = self.roots.iter().map(String::as_str).collect::<Vec<_>>().join("`, `");
        format!("roots here are `{names}`; others are listed under `sigstore`")
    }

    /// A key that nobody else holds.
    fn own_key(&mut self, at: &Spanned<String>, owner: Owner) -> Loaded<PublicKey> {
        let key = self.key(at)?;
        match self.owners.take_key(key.id(), owner) {
            Ok(()) => Ok(key),
            Err(clash) => self.refuse(at, format!("key `{}` {clash}", at.value)),
        }
    }

    fn key(&mut self, at: &Spanned<String>) -> Loaded<PublicKey> {
        let bytes = self.file(at, MAX_KEY_FILE)?;
        let parsed = str::from_utf8(&bytes)
            .map_err(|_| key::KeyError::NotPem { expected: "PUBLIC KEY" })
            .and_then(PublicKey::from_pem);
        match parsed {
            Ok(key) => Ok(key),
            Err(problem) => {
                let error = self.source.error_at(at, format!("key `{}` {problem}", at.value));
                Err(error.with_help(key_help(&String::from_utf8_lossy(&bytes))).into())
            }
        }
    }

    fn file(&mut self, at: &Spanned<String>, limit: usize) -> Loaded<Vec<u8>> {
        if at.value.is_empty() || at.value.contains('\0') {
            return self.refuse(at, "is not a path");
        }
        let path = self.base.join(&at.value);
        self.files.push(path.clone());
        match (self.read)(&path) {
            Ok(bytes) if bytes.len() <= limit => Ok(bytes),
            Ok(_) => self.refuse(at, format!("`{}` is larger than {limit} bytes", at.value)),
            Err(source) => Err(TrustError::Unreadable { place: self.source.place(at), path, source }),
        }
    }

    /// A name that is new in its list.
    fn unique(&self, at: &Spanned<String>, names: &mut BTreeSet<String>) -> Loaded<String> {
        let name = name::read(self.source, at, MAX_NAME)?;
        if names.insert(name.clone()) {
            return Ok(name);
        }
        self.refuse(at, format!("`{}` appears twice", name.escape_debug()))
    }

    fn unique_names(&self, list: &[Spanned<String>]) -> Loaded<Vec<String>> {
        let mut names = BTreeSet::new();
        list.iter().map(|at| self.unique(at, &mut names)).collect()
    }

    fn filled<T>(&self, list: &Spanned<Vec<T>>, message: &str) -> Loaded<()> {
        if list.value.is_empty() { self.refuse(list, message) } else { Ok(()) }
    }

    /// A text that is compared as a whole: a pattern here would never match, and say nothing of it.
    fn exact(&self, at: &Spanned<String>) -> Loaded<String> {
        if at.value.starts_with("pattern:") {
            return self.refuse(at, format!("`{}`: no pattern is taken here", at.value.escape_debug()));
        }
        Ok(name::read(self.source, at, MAX_TEXT)?)
    }

    fn time(&self, at: &Spanned<String>) -> Loaded<Timestamp> {
        // What is hashed in whole seconds is held to in whole seconds.
        match time::parse(&at.value) {
            Ok(time) => Ok(time::whole_seconds(time)),
            Err(problem) => self.refuse(at, problem.to_string()),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&self, at: &Spanned<String>) -> Loaded<T> {
        match at.value.parse() {
            Ok(value) => Ok(value),
            Err(problem) => self.refuse(at, problem.to_string()),
        }
    }

    fn exactly(&self, at: &Spanned<String>, wanted: &str) -> Loaded<()> {
        if at.value == wanted {
            return Ok(());
        }
        self.refuse(at, format!("expected `{wanted}`, got `{}`", at.value.escape_debug()))
    }

    fn refuse<T, A>(&self, at: &Spanned<A>, message: impl Into<String>) -> Loaded<T> {
        Err(self.source.error_at(at, message).into())
    }
}

/// How to get a public key out of a file that holds none, or not one.
fn key_help(text: &str) -> &'static str {
    if text.contains("-----BEGIN CERTIFICATE-----") {
        "that is a certificate: `openssl x509 -pubkey -noout -in FILE` prints its key"
    } else if text.contains("PRIVATE KEY-----") {
        "that is a secret key, which nobody else may read: name its public half, the file that ends in `.pub`"
    } else if text.matches("-----BEGIN PUBLIC KEY-----").count() > 1 {
        "a file holds one key: put each into a file of its own, with an entry of its own"
    } else {
        "P-256, P-384 and Ed25519 keys are taken, RSA keys are not: `laforge keygen` makes one"
    }
}

fn root(name: String, json: Vec<u8>) -> SigstoreRoot {
    SigstoreRoot { name, digest: Digest::of_bytes(&json), json }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::{Identity, Pattern, Revoked, Use};
    use super::*;
    use crate::key::Algorithm;
    use crate::key::secret::SecretKey;

    const HEAD: &str = "apiVersion: laforge.dev/v1\nkind: Trust\n";
    const LOG: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// `x.pub` is the Ed25519 key whose seed is 32 times `x`; everything else as below.
    fn file(path: &Path) -> io::Result<Vec<u8>> {
        let name = path.strip_prefix("trust").unwrap().to_str().unwrap();
        match name {
            "gone.pub" => Err(io::ErrorKind::NotFound.into()),
            "p256.pub" => {
                Ok(SecretKey::generate(Algorithm::EcdsaP256).unwrap().public().to_pem().into_bytes())
            }
            "text.pub" => Ok(b"-----BEGIN CERTIFICATE-----\n".to_vec()),
            "huge.pub" => Ok(vec![b' '; MAX_KEY_FILE + 1]),
            "root.json" => Ok(b"{\"mediaType\": \"x\"}".to_vec()),
            "list.json" => Ok(b"[]".to_vec()),
            "twice.json" => Ok(b"{\"a\": 1, \"a\": 2}".to_vec()),
            key => Ok(public(key.as_bytes()[0]).to_pem().into_bytes()),
        }
    }

    fn public(seed: u8) -> PublicKey {
        SecretKey::from_ed25519_seed(&[seed; 32]).unwrap().public().clone()
    }

    fn load(body: &str) -> Result<TrustRoot, TrustError> {
        let source = Source::new("trust.yaml", &format!("{HEAD}{body}"));
        TrustRoot::load(&source, &mut file, Path::new("trust"))
    }

    fn loaded(body: &str) -> TrustRoot {
        load(body).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The refusal, after the place.
    fn refused(body: &str) -> String {
        let text = load(body).expect_err(body).to_string();
        assert!(text.starts_with("trust.yaml:"), "{text}");
        text.splitn(4, ':').last().unwrap().trim_start().to_owned()
    }

    fn refuses(cases: &[(&str, &str)]) {
        for (body, reason) in cases {
            assert_eq!(refused(body), *reason, "{body}");
        }
    }

    const WHOLE: &str = "\
sigstore: [{name: public-good, instance: public-good}, {name: acme, trustedRoot: root.json}]
signers:
  - {name: release-signing, use: artifact, key: a.pub, validFrom: 2026-01-01T01:00:00+01:00, validUntil: 2027-01-01T00:00:00.5Z}
  - {name: ci, use: [attestation, artifact], identity: {issuer: 'https://i', subject: 'pattern:https://github.com/acme/*@refs/tags/v*'}}
  - {name: slsa, use: attestation, identity: {root: acme, issuer: 'https://i', subject: 'https://github.com/slsa'}}
  - {name: scanner, use: attestation, key: b.pub, root: acme, predicateTypes: [https://z, https://a]}
  - {name: cosign, use: artifact, key: c.pub, simpleSigning: true}
people:
  - name: alice
    roles: [release-manager, owner]
    aliases: {github: alice}
    identities: [{key: d.pub, root: acme}, {issuer: 'https://accounts', subject: alice@example.com}]
builders: [{id: 'https://builder', level: 3, signer: slsa}, {id: 'https://builder', level: 2, signer: ci}]
gates:
  - {name: prod, key: e.pub, origin: gitops.example.com/prod, logId: 'LOG', environments: [production, eu], policyDigests: ['LOG']}
  - {name: prod-2, key: f.pub, origin: gitops.example.com/prod, logId: 'LOG', environments: [production]}
revoked: [{key: a.pub, since: 2026-10-01T00:00:00Z, reason: leaked}, {issuer: 'https://i', subject: 's', since: 2026-10-01T00:00:00Z, reason: left}]
";

    fn whole() -> TrustRoot {
        loaded(&WHOLE.replace("LOG", LOG))
    }

    #[test]
    fn a_file_that_holds_no_key_is_told_how_it_becomes_one() {
        let certificate = "-----BEGIN CERTIFICATE-----\n";
        let two = public(b'a').to_pem().repeat(2);
        for (text, said) in [
            (certificate, "openssl x509 -pubkey"),
            ("-----BEGIN EC PRIVATE KEY-----\n", "its public half"),
            (two.as_str(), "a file holds one key"),
            ("-----BEGIN PUBLIC KEY-----\nRSA\n", "RSA keys are not"),
        ] {
            assert!(key_help(text).contains(said), "{text}");
        }
        let help = |body: &str| match load(body).unwrap_err() {
            TrustError::Document(error) => error.help,
            other => panic!("{other}"),
        };
        let root =
            |name: &str| help(&format!("signers: [{{name: a, use: artifact, key: a.pub, root: {name}}}]"));
        assert_eq!(root("github").unwrap(), "list it: `sigstore: [{name: github, instance: github}]`");
        assert_eq!(root("b").unwrap(), "roots here are `public-good`; others are listed under `sigstore`");
        let certificate = help("signers: [{name: a, use: artifact, key: text.pub}]").unwrap();
        assert!(certificate.starts_with("that is a certificate"), "{certificate}");
    }

    #[test]
    fn reads_the_whole_document() {
        let trust = whole();
        let names: Vec<_> = trust.roots.iter().map(|root| root.name.as_str()).collect();
        assert_eq!(names, ["public-good", "acme"]);
        let ci = trust.signer("ci").unwrap();
        assert_eq!(ci.uses, [Use::Artifact, Use::Attestation]);
        let subject = Pattern::Glob("https://github.com/acme/*@refs/tags/v*".into());
        let identity = Identity::Keyless { root: "public-good".into(), issuer: "https://i".into(), subject };
        assert_eq!(ci.identity, identity);
        let scanner = trust.signer("scanner").unwrap();
        assert_eq!(scanner.identity, Identity::Key { root: "acme".into(), key: public(b'b') });
        assert_eq!(scanner.predicate_types, ["https://a", "https://z"]);
        assert!(trust.signer("cosign").unwrap().simple_signing);
        let alice = trust.people.iter().find(|person| person.name == "alice").unwrap();
        assert_eq!(alice.roles, ["release-manager", "owner"]);
        assert_eq!((alice.identities.len(), alice.aliases["github"].as_str()), (2, "alice"));
        assert_eq!(trust.gates[0].policy_digests.as_ref().map(Vec::len), Some(1));
        assert!(trust.gates[1].policy_digests.is_none() && trust.gates[0].log_id.to_string() == LOG);
        let at = |text| time::parse(text).unwrap();
        let leaked = Revoked::Key(public(b'a').id());
        assert!(trust.revocation(&leaked, at("2026-09-30T23:59:59Z")).is_none());
        assert_eq!(trust.revocation(&leaked, at("2026-10-01T00:00:00Z")).unwrap().reason, "leaked");
        assert_eq!(trust.files().first(), Some(&PathBuf::from("trust/root.json")));
        assert_eq!(trust.files().len(), 8);
    }

    /// Written out by hand as the page says, but for digests.
    #[test]
    fn digests_the_form_of_the_page() {
        let trust = whole();
        let key = |seed| public(seed).id().to_string();
        let public_good = Digest::of_bytes(embedded_root("public-good").unwrap().as_bytes()).to_string();
        let acme = Digest::of_bytes(b"{\"mediaType\": \"x\"}").to_string();
        let form = serde_json::json!({
            "_type": "https://laforge.dev/trust/v1",
            "sigstore": [{"name": "acme", "digest": acme}, {"name": "public-good", "digest": public_good}],
            "signers": [
                {"issuer": "https://i", "name": "ci", "predicateTypes": [], "root": "public-good", "subject": "pattern:https://github.com/acme/*@refs/tags/v*", "use": ["artifact", "attestation"]},
                {"issuer": "https://i", "name": "slsa", "predicateTypes": [], "root": "acme", "subject": "https://github.com/slsa", "use": ["attestation"]},
                {"key": key(b'c'), "name": "cosign", "predicateTypes": [], "root": "public-good", "simpleSigning": true, "use": ["artifact"]},
                {"key": key(b'a'), "name": "release-signing", "predicateTypes": [], "root": "public-good", "use": ["artifact"], "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z"},
                {"key": key(b'b'), "name": "scanner", "predicateTypes": ["https://a", "https://z"], "root": "acme", "use": ["attestation"]},
            ],
            "people": [{"name": "alice", "roles": ["owner", "release-manager"], "aliases": {"github": "alice"}, "identities": [
                {"issuer": "https://accounts", "root": "public-good", "subject": "alice@example.com"},
                {"key": key(b'd'), "root": "acme"},
            ]}],
            "builders": [{"id": "https://builder", "level": 2, "signer": "ci"}, {"id": "https://builder", "level": 3, "signer": "slsa"}],
            "policySigners": [],
            "gates": [
                {"environments": ["eu", "production"], "key": key(b'e'), "logId": LOG, "name": "prod", "origin": "gitops.example.com/prod"},
                {"environments": ["production"], "key": key(b'f'), "logId": LOG, "name": "prod-2", "origin": "gitops.example.com/prod"},
            ],
            "revoked": [
                {"issuer": "https://i", "reason": "left", "since": "2026-10-01T00:00:00Z", "subject": "s"},
                {"key": key(b'a'), "reason": "leaked", "since": "2026-10-01T00:00:00Z"},
            ],
        });
        let found: serde_json::Value = serde_json::from_slice(trust.canonical()).unwrap();
        let mut form = form;
        // Where each stands depends on what the keys' digests happen to be.
        for (name, list) in form.as_object_mut().unwrap() {
            let Some(list) = list.as_array_mut() else { continue };
            list.sort_by_key(json::canonical);
            assert!(found[name].as_array().unwrap().is_sorted_by_key(json::canonical), "{name}");
        }
        assert_eq!(found, form);
        assert_eq!(trust.digest(), Digest::of_bytes(trust.canonical()));
        assert_eq!(json::canonical(&found), trust.canonical());
    }

    #[test]
    fn takes_raw_payloads_from_a_listed_attestation_key_alone_and_only_then_digests_it() {
        let types = "predicateTypes: [https://p]";
        let plain = loaded(&format!("signers: [{{name: x, use: attestation, key: a.pub, {types}}}]"));
        let with = |members: &str| {
            loaded(&format!("signers: [{{name: x, use: attestation, key: a.pub, {types}, {members}}}]"))
        };
        assert_eq!(with("rawPayload: false").digest(), plain.digest());
        let raw = with("rawPayload: true");
        assert!(raw.signers[0].raw_payload && raw.digest() != plain.digest());
        let named = with("keyId: 'kms://one'");
        assert_eq!(named.signers[0].key_id.as_deref(), Some("kms://one"));
        assert_ne!(named.digest(), plain.digest());
        let only = "only a key with `use: attestation` has `rawPayload`";
        refuses(&[
            ("signers: [{name: x, use: artifact, key: a.pub, rawPayload: true}]", only),
            ("signers: [{name: x, use: vsa, key: a.pub, rawPayload: true}]", only),
            (
                "signers: [{name: x, use: attestation, identity: {issuer: i, subject: s}, rawPayload: true}]",
                only,
            ),
            (
                "signers: [{name: x, use: attestation, key: a.pub, rawPayload: true}]",
                "a signer with `rawPayload` lists its `predicateTypes`",
            ),
            (
                "signers: [{name: x, use: attestation, identity: {issuer: i, subject: s}, keyId: k}]",
                "only a signer with a `key` has a `keyId`",
            ),
        ]);
    }

    #[test]
    fn changes_its_digest_with_a_key_file_and_not_with_the_order() {
        let one = loaded("signers: [{name: x, use: artifact, key: a.pub}, {name: y, use: vsa, key: b.pub}]");
        let turned = loaded(
            "signers: [{name: y, use: vsa, key: b.pub}, {name: x, use: [artifact], root: public-good, key: a.pub}]",
        );
        assert_eq!(one.digest(), turned.digest());
        let source = Source::new("t", &format!("{HEAD}signers: [{{name: x, use: artifact, key: a.pub}}]"));
        let swapped = Cell::new(false);
        let mut read = |path: &Path| if swapped.get() { file(Path::new("trust/z.pub")) } else { file(path) };
        let before = TrustRoot::load(&source, &mut read, Path::new("trust")).unwrap().digest();
        swapped.set(true);
        let mut read = |path: &Path| if swapped.get() { file(Path::new("trust/z.pub")) } else { file(path) };
        assert_ne!(TrustRoot::load(&source, &mut read, Path::new("trust")).unwrap().digest(), before);
    }

    #[test]
    fn knows_the_public_root_by_itself() {
        let trust = loaded("");
        let expected = embedded_root("public-good").unwrap().as_bytes();
        assert_eq!(trust.roots.iter().find(|root| root.name == DEFAULT_ROOT).unwrap().json, expected);
        let own = loaded("sigstore: [{name: public-good, trustedRoot: root.json}]");
        assert_eq!(own.roots.len(), 1);
        assert_eq!(own.roots[0].json, b"{\"mediaType\": \"x\"}");
    }

    #[test]
    fn refuses_a_root_that_is_none() {
        refuses(&[
            ("sigstore: [{name: a}]", "root `a` needs one of `instance` and `trustedRoot`"),
            (
                "sigstore: [{name: a, instance: staging, trustedRoot: root.json}]",
                "root `a` needs one of `instance` and `trustedRoot`",
            ),
            (
                "sigstore: [{name: a, instance: acme}]",
                "`acme` is not one of `public-good`, `staging`, `github`",
            ),
            (
                "sigstore: [{name: public-good, instance: staging}]",
                "root `public-good` can't be the instance `staging`",
            ),
            ("sigstore: [{name: a, trustedRoot: list.json}]", "root `list.json` is not a JSON object"),
            ("sigstore: [{name: a, trustedRoot: ''}]", "is not a path"),
            (
                "sigstore: [{name: a, trustedRoot: root.json}, {name: a, instance: staging}]",
                "`a` appears twice",
            ),
            ("signers: [{name: a, use: artifact, key: a.pub, root: b}]", "no root is named `b`"),
            (
                "signers: [{name: a, use: artifact, identity: {root: b, issuer: i, subject: s}}]",
                "no root is named `b`",
            ),
            ("people: [{name: a, identities: [{key: a.pub, root: b}]}]", "no root is named `b`"),
        ]);
        let twice = refused("sigstore: [{name: a, trustedRoot: twice.json}]");
        assert!(
            twice.starts_with("root `twice.json` is not strict JSON: member `a` appears twice"),
            "{twice}"
        );
    }

    #[test]
    fn refuses_a_key_file_that_is_none() {
        let signer = |key: &str| format!("signers: [{{name: a, use: artifact, key: {key}}}]");
        assert_eq!(
            refused(&signer("text.pub")),
            "key `text.pub` is not a PEM file with one `PUBLIC KEY` block"
        );
        assert_eq!(refused(&signer("huge.pub")), "`huge.pub` is larger than 16384 bytes");
        assert_eq!(refused(&signer("gone.pub")), "cannot read `trust/gone.pub`");
        assert!(
            matches!(load(&signer("gone.pub")), Err(TrustError::Unreadable { place, .. }) if place.line == 3)
        );
    }

    #[test]
    fn refuses_a_signer_that_could_do_more_than_one_thing() {
        refuses(&[
            ("signers: [{name: a, use: [artifact, attestation], key: a.pub}]", "a key has one use"),
            (
                "signers: [{name: a, use: [], key: a.pub}]",
                "a signer has one use, or as a keyless identity `[artifact, attestation]`",
            ),
            (
                "signers: [{name: a, use: [artifact, artifact], key: a.pub}]",
                "a signer has one use, or as a keyless identity `[artifact, attestation]`",
            ),
            (
                "signers: [{name: a, use: [policy, attestation], identity: {issuer: i, subject: s}}]",
                "a signer has one use, or as a keyless identity `[artifact, attestation]`",
            ),
            (
                "signers: [{name: a, use: signing, key: a.pub}]",
                "`signing` is not one of `artifact`, `attestation`, `policy`, `vsa`",
            ),
            ("signers: [{name: a, use: artifact}]", "signer `a` needs one of `key` and `identity`"),
            (
                "signers: [{name: a, use: artifact, key: a.pub, identity: {issuer: i, subject: s}}]",
                "signer `a` needs one of `key` and `identity`",
            ),
            (
                "signers: [{name: a, use: artifact, root: public-good, identity: {issuer: i, subject: s}}]",
                "the root of an identity stands in `identity`",
            ),
            ("signers: [{name: a, use: artifact, identity: {issuer: '', subject: s}}]", "`issuer` is empty"),
            ("signers: [{name: a, use: artifact, identity: {issuer: i, subject: ''}}]", "`subject` is empty"),
            (
                "signers: [{name: a, use: artifact, identity: {issuer: 'pattern:*', subject: s}}]",
                "`pattern:*`: no pattern is taken here",
            ),
            (
                "signers: [{name: a, use: artifact, identity: {issuer: i, subject: 'pattern:**'}}]",
                "`pattern:**` would match anybody, or nobody",
            ),
            (
                "signers: [{name: a, use: artifact, identity: {issuer: i, subject: 'pattern:'}}]",
                "`pattern:` would match anybody, or nobody",
            ),
        ]);
    }

    #[test]
    fn refuses_limits_of_a_signer_that_mean_nothing() {
        refuses(&[
            (
                "signers: [{name: a, use: artifact, key: a.pub, predicateTypes: [x]}]",
                "only a signer with `use: attestation` has `predicateTypes`",
            ),
            (
                "signers: [{name: a, use: attestation, key: a.pub, predicateTypes: []}]",
                "`predicateTypes` is empty; leave it out for any type",
            ),
            (
                "signers: [{name: a, use: attestation, key: a.pub, predicateTypes: [x, x]}]",
                "`x` appears twice",
            ),
            (
                "signers: [{name: a, use: attestation, key: a.pub, simpleSigning: true}]",
                "only a signer with `use: artifact` has `simpleSigning`",
            ),
            (
                "signers: [{name: a, use: artifact, key: a.pub, validFrom: 2026-01-01}]",
                "`2026-01-01` is not a time such as 2026-11-24T12:00:00Z",
            ),
            (
                "signers: [{name: a, use: artifact, key: a.pub, validFrom: 2026-01-01T00:00:00Z, validUntil: 2026-01-01T00:00:00.9Z}]",
                "`validUntil` is not after `validFrom`: it would never count",
            ),
            (
                "signers: [{name: a, use: artifact, key: a.pub}, {name: a, use: artifact, key: b.pub}]",
                "`a` appears twice",
            ),
            ("signers: [{name: a, use: artifact, key: ''}]", "is not a path"),
        ]);
        assert!(
            refused(&format!("signers: [{{name: {}, use: vsa, key: a.pub}}]", "n".repeat(129)))
                .ends_with("is longer than 128 bytes")
        );
    }

    #[test]
    fn refuses_one_key_under_two_uses_names_or_people() {
        let gate =
            format!("gates: [{{name: g, key: a.pub, origin: o, logId: '{LOG}', environments: [e]}}]\n");
        let second_gate = format!(
            "gates: [{{name: g, key: a.pub, origin: o, logId: '{LOG}', environments: [e]}}, {{name: h, key: a.pub, origin: o, logId: '{LOG}', environments: [e]}}]"
        );
        let clash = |owner: &str| format!("key `a.pub` is also that of {owner}; one key has one use");
        for (body, owner) in [
            ("signers: [{name: a, use: artifact, key: a.pub}, {name: b, use: attestation, key: a.pub}]".to_owned(), "signer `a`"),
            ("signers: [{name: a, use: artifact, key: a.pub}, {name: b, use: artifact, key: a.pub}]".to_owned(), "signer `a`"),
            ("signers: [{name: a, use: artifact, key: a.pub}]\npeople: [{name: p, identities: [{key: a.pub}]}]".to_owned(), "signer `a`"),
            ("people: [{name: p, identities: [{key: a.pub}]}, {name: q, identities: [{key: a.pub}]}]".to_owned(), "person `p`"),
            ("people: [{name: p, identities: [{key: a.pub}, {key: a.pub}]}]".to_owned(), "person `p`"),
            (format!("{gate}people: [{{name: p, identities: [{{key: a.pub}}]}}]"), "person `p`"),
            (format!("{gate}signers: [{{name: s, use: vsa, key: a.pub}}]"), "signer `s`"),
            (second_gate, "gate `g`"),
        ] {
            assert_eq!(refused(&body), clash(owner), "{body}");
        }
    }

    #[test]
    fn refuses_one_identity_under_two_parties() {
        let signer = |name: &str, uses: &str, subject: &str| {
            format!("{{name: {name}, use: {uses}, identity: {{issuer: i, subject: '{subject}'}}}}")
        };
        let signers = |a: String, b: String| format!("signers: [{a}, {b}]");
        let person = |name: &str, root: &str| {
            format!("{{name: {name}, identities: [{{root: {root}, issuer: i, subject: s}}]}}")
        };
        let same = "identity `s` is also that of signer `a`; one identity is one party";
        let uses = "identity `s` overlaps with that of signer `a`; only `artifact` and `attestation` may share an identity";
        let people = "identity `s` is also that of person `p`; one identity is one party";
        let roots = "sigstore: [{name: github, instance: github}]\n";
        for (body, reason) in [
            (signers(signer("a", "artifact", "s"), signer("b", "attestation", "s")), same),
            (signers(signer("a", "policy", "pattern:s*"), signer("b", "attestation", "s")), uses),
            (signers(signer("a", "vsa", "pattern:*s"), signer("b", "[artifact, attestation]", "s")), uses),
            (
                format!(
                    "signers: [{}]\npeople: [{}]",
                    signer("a", "attestation", "s"),
                    person("p", "public-good")
                ),
                same,
            ),
            (
                format!(
                    "signers: [{}]\npeople: [{}]",
                    signer("a", "attestation", "pattern:s*"),
                    person("p", "public-good")
                ),
                same,
            ),
            (format!("people: [{}, {}]", person("p", "public-good"), person("q", "public-good")), people),
            (format!("{roots}people: [{}, {}]", person("p", "public-good"), person("q", "github")), people),
            (
                format!(
                    "{roots}signers: [{}]\npeople: [{}]",
                    signer("a", "attestation", "s"),
                    person("p", "github")
                ),
                same,
            ),
        ] {
            assert_eq!(refused(&body), reason, "{body}");
        }
        // One workload at two roots, or doing two things that one workload does, is no clash.
        loaded(&signers(signer("a", "artifact", "pattern:s*"), signer("b", "attestation", "s")));
        loaded(&format!(
            "{roots}signers: [{}, {}]",
            signer("a", "attestation", "s"),
            signer("b", "attestation", "s").replace("issuer", "root: github, issuer")
        ));
        loaded(&format!(
            "{roots}people: [{{name: p, identities: [{{issuer: i, subject: s}}, {{root: github, issuer: i, subject: s}}]}}]"
        ));
    }

    #[test]
    fn refuses_a_person_who_is_not_clearly_one() {
        refuses(&[
            ("people: [{name: p, identities: []}]", "a person has at least one identity"),
            (
                "people: [{name: p, identities: [{root: public-good}]}]",
                "an identity is a `key`, or an `issuer` and a `subject`",
            ),
            (
                "people: [{name: p, identities: [{issuer: i}]}]",
                "an identity is a `key`, or an `issuer` and a `subject`",
            ),
            (
                "people: [{name: p, identities: [{key: a.pub, issuer: i, subject: s}]}]",
                "an identity is a `key`, or an `issuer` and a `subject`",
            ),
            (
                "people: [{name: p, identities: [{issuer: i, subject: 'pattern:*@example.com'}]}]",
                "`pattern:*@example.com`: no pattern is taken here",
            ),
            ("people: [{name: p, identities: [{issuer: '', subject: s}]}]", "`issuer` is empty"),
            ("people: [{name: p, identities: [{issuer: i, subject: ' '}]}]", "`subject` is empty"),
            ("people: [{name: p, roles: [r, r], identities: [{key: a.pub}]}]", "`r` appears twice"),
            ("people: [{name: p, roles: [''], identities: [{key: a.pub}]}]", "a name here is empty"),
            (
                "people: [{name: p, identities: [{key: a.pub}]}, {name: p, identities: [{key: b.pub}]}]",
                "`p` appears twice",
            ),
            (
                "people: [{name: p, aliases: {github: x}, identities: [{key: a.pub}]}, {name: q, aliases: {github: x}, identities: [{key: b.pub}]}]",
                "alias `github:x` is also that of person `p`",
            ),
            (
                "people: [{name: p, aliases: {'git:hub': x}, identities: [{key: a.pub}]}]",
                "`git:hub` is not the name of a scheme",
            ),
            ("people: [{name: p, aliases: {github: ''}, identities: [{key: a.pub}]}]", "`github` is empty"),
        ]);
        assert_eq!(
            loaded("people: [{name: p, identities: [{key: a.pub}]}]").people[0].roles,
            Vec::<String>::new()
        );
    }

    #[test]
    fn refuses_a_builder_beyond_what_its_signer_can_prove() {
        let with = |builder: &str| {
            format!(
                "signers: [{{name: both, use: [artifact, attestation], identity: {{issuer: i, subject: both}}}}, \
                 {{name: art, use: artifact, identity: {{issuer: i, subject: 'pattern:w/*'}}}}, \
                 {{name: att, use: attestation, identity: {{issuer: i, subject: 'pattern:*/x'}}}}, \
                 {{name: sig, use: artifact, key: a.pub}}, {{name: sole, use: attestation, key: b.pub}}]\nbuilders: [{builder}]"
            )
        };
        for (builder, reason) in [
            ("{id: b, level: 0, signer: sole}", "level 0 is not 1, 2 or 3"),
            ("{id: b, level: 4, signer: sole}", "level 4 is not 1, 2 or 3"),
            ("{id: '', level: 1, signer: sole}", "`id` is empty"),
            ("{id: 'pattern:*', level: 1, signer: sole}", "`pattern:*`: no pattern is taken here"),
            ("{id: b, level: 1, signer: nobody}", "no signer is named `nobody`"),
            ("{id: b, level: 1, signer: sig}", "signer `sig` has no `use: attestation`"),
            (
                "{id: b, level: 1, signer: sole}, {id: b, level: 2, signer: sole}",
                "builder `b` with signer `sole` appears twice",
            ),
            (
                "{id: b, level: 3, signer: both}",
                "signer `both` can't vouch for level 3: its identity also signs artifacts, as `both`",
            ),
            (
                "{id: b, level: 3, signer: att}",
                "signer `att` can't vouch for level 3: its identity also signs artifacts, as `art`",
            ),
        ] {
            assert_eq!(refused(&with(builder)), reason);
        }
        let granted = loaded(&with(
            "{id: b, level: 3, signer: sole}, {id: b, level: 2, signer: both}, {id: b, level: 2, signer: att}",
        ));
        assert_eq!(granted.builders.len(), 3);
    }

    #[test]
    fn refuses_policy_signers_until_it_holds_sets_to_them() {
        let signers = "signers: [{name: p, use: policy, key: a.pub}, {name: v, use: vsa, key: b.pub}]\n";
        for (names, reason) in [
            ("[q]", "no signer is named `q`"),
            ("[v]", "signer `v` has no `use: policy`"),
            ("[p]", "signed policy sets are not built yet; leave `policySigners` out"),
        ] {
            assert_eq!(refused(&format!("{signers}policySigners: {names}")), reason);
        }
        loaded(&format!("{signers}policySigners: []"));
    }

    #[test]
    fn refuses_a_gate_that_no_executor_could_pin() {
        let gate = |from: &str, to: &str| {
            format!(
                "gates: [{{name: g, key: a.pub, origin: o.example/p, logId: '{LOG}', environments: [e]}}]"
            )
            .replace(from, to)
        };
        for (from, to, reason) in [
            ("a.pub", "p256.pub", "key `p256.pub` is not an Ed25519 key, which a log needs"),
            (
                "o.example/p",
                "https://o",
                "`https://o` is not an origin: 1 to 255 bytes without scheme, white space or `+`",
            ),
            (
                "o.example/p",
                "'o p'",
                "`o p` is not an origin: 1 to 255 bytes without scheme, white space or `+`",
            ),
            (
                "o.example/p",
                "o+p",
                "`o+p` is not an origin: 1 to 255 bytes without scheme, white space or `+`",
            ),
            ("o.example/p", "''", "`origin` is empty"),
            (
                "sha256:ba",
                "sha256:BA",
                "`sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad` is not a digest: expected `sha256:` and 64 lower-case hex digits",
            ),
            ("[e]", "[]", "a gate decides for at least one environment"),
            ("[e]", "[e, e]", "`e` appears twice"),
            ("[e]", "[e], trustDigests: []", "no digest would be taken; leave the list out for any"),
            (
                "[e]",
                "[e], policyDigests: [x]",
                "`x` is not a digest: expected `sha256:` and 64 lower-case hex digits",
            ),
        ] {
            assert_eq!(refused(&gate(from, to)), reason);
        }
        loaded(&gate("", ""));
    }

    #[test]
    fn refuses_a_revocation_that_would_revoke_nobody() {
        refuses(&[
            (
                "revoked: [{since: 2026-10-01T00:00:00Z, reason: r}]",
                "a revocation names a `key`, or an `issuer` and a `subject`",
            ),
            (
                "revoked: [{issuer: i, since: 2026-10-01T00:00:00Z, reason: r}]",
                "a revocation names a `key`, or an `issuer` and a `subject`",
            ),
            (
                "revoked: [{key: a.pub, issuer: i, subject: s, since: 2026-10-01T00:00:00Z, reason: r}]",
                "a revocation names a `key`, or an `issuer` and a `subject`",
            ),
            (
                "revoked: [{issuer: i, subject: 'pattern:*', since: 2026-10-01T00:00:00Z, reason: r}]",
                "`pattern:*`: no pattern is taken here",
            ),
            (
                "revoked: [{key: a.pub, since: yesterday, reason: r}]",
                "`yesterday` is not a time such as 2026-11-24T12:00:00Z",
            ),
            ("revoked: [{key: a.pub, since: 2026-10-01T00:00:00Z, reason: ''}]", "`reason` is empty"),
        ]);
    }

    #[test]
    fn refuses_members_that_nobody_reads() {
        for body in [
            "signer: []",
            "signers: [{name: a, use: vsa, keys: a.pub}]",
            "people: [{name: p, role: r, identities: [{key: a.pub}]}]",
            "metadata: {name: x}",
            "signers: []\nsigners: []",
            "builders: [{id: b, level: three, signer: s}]",
            "people: [{name: p, aliases: {github: a, github: b}, identities: [{key: a.pub}]}]",
            "signers: {}",
            "signers: [a]",
            "signers: [{name: [], use: vsa, key: a.pub}]",
            "signers: [{name: a, use: {}, key: a.pub}]",
            "signers: [{name: a, use: vsa, key: a.pub, predicateTypes: x}]",
        ] {
            refused(body);
        }
        let source = Source::new("trust.yaml", "apiVersion: laforge.dev/v1\nkind: Release\n");
        let error = TrustRoot::load(&source, &mut file, Path::new("trust")).unwrap_err();
        assert_eq!(error.to_string(), "trust.yaml:2:7: expected `Trust`, got `Release`");
    }

    #[test]
    fn describes_the_document_that_it_reads() {
        let schema = serde_json::to_value(TrustRoot::schema()).unwrap();
        let checker = jsonschema::validator_for(&schema).unwrap();
        let valid = |text: &str| {
            let value: serde_json::Value = serde_yaml::from_str(&format!("{HEAD}{text}")).unwrap();
            checker.is_valid(&value)
        };
        assert!(valid(&WHOLE.replace("LOG", LOG)) && valid("signers: []"));
        for body in [
            "signer: []",
            "signers: [{name: a, use: x, key: k}]",
            "signers: [{name: a, use: [x], key: k}]",
            "builders: [{id: b, level: 4, signer: s}]",
            "people: [{name: p, identities: []}]",
        ] {
            assert!(!valid(body), "{body}");
        }
    }
}
