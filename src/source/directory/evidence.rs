//! Evidence in files, folders and OCI layouts (`formats.md` section 5).
//!
//! In: paths, and the release bundles that were among them. Out: [`EvidenceFolders`], every byte of it read
//! at construction, so that nothing can change between two looks; [`EvidenceFolders::gather`] parses it.
//! Folders are walked in the order of their names' bytes and no link in them is followed. A folder that is
//! an OCI layout is read as one, and what else lies in it as it is anywhere: whoever adds a file must not be
//! able to hide another. An I/O failure is `unreachable`, a document that does not parse `unreadable`, a limit
//! a recorded deny: none of them is silence.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::layout;
use crate::evidence::{BytesOf, Evidence, EvidenceSource, Gathered, OverLimit};
use crate::release::digest::Algorithms;
use crate::release::resolved::ResolvedRelease;
use crate::source::folder::walk::{Met, Obstacle, Room, Walker};
use crate::source::folder::{Bytes, Folder, Kind, open_file, read_bounded};
use crate::source::intake::{Intake, Limits};
use crate::source::release_bundle::Bundles;
use crate::trust::TrustRoot;

/// Names in all folders: reading them takes a moment, and sorting them holds them in memory.
const NAMES: usize = 65_536;

/// Folders within folders; each holds one handle open.
const DEPTH: usize = 32;

/// Everything that lies at the evidence paths.
pub struct EvidenceFolders {
    intake: Intake,
}

impl EvidenceFolders {
    /// Reads every path: a folder, an OCI layout, or a file, whatever it is called.
    pub fn read(paths: &[PathBuf]) -> Self {
        Self::read_within(paths, Limits::default(), NAMES)
    }

    /// The same, and the evidence of bundles beside them, within one set of limits.
    pub fn read_with(paths: &[PathBuf], bundles: &Bundles) -> Self {
        let mut folders = Self::read(paths);
        for broken in bundles.broken() {
            folders.intake.set_aside(broken.clone());
        }
        for (source, bytes) in bundles.evidence() {
            folders.intake.take(source, bytes.clone(), None);
        }
        folders
    }

    fn read_within(paths: &[PathBuf], limits: Limits, names: usize) -> Self {
        let mut paths = paths.to_vec();
        paths.sort();
        paths.dedup();
        let mut intake = Intake::new(limits);
        let mut room = Room { names, depth: DEPTH };
        let mut reader = Reader { intake: &mut intake, names, layouts: Vec::new() };
        for path in &paths {
            reader.path(path, &mut room);
        }
        Self { intake }
    }

    /// The algorithms that artifacts have to be read with, so that all of this can be held to them.
    pub fn algorithms(&self) -> Algorithms {
        self.intake.algorithms()
    }

    /// The artifacts whose bytes some of this may be over, under this trust.
    pub fn bytes_wanted(&self, trust: &TrustRoot) -> Vec<BytesOf> {
        self.intake.bytes_wanted(trust)
    }

    /// What was taken in, for a source that adds to it.
    pub(in crate::source) fn intake(&self) -> &Intake {
        &self.intake
    }
}

impl EvidenceSource for EvidenceFolders {
    fn gather(&self, _release: &ResolvedRelease) -> Gathered {
        self.intake.gathered()
    }
}

/// Reads what lies at paths.
struct Reader<'a> {
    intake: &'a mut Intake,
    /// The most names in all folders.
    names: usize,
    /// The OCI layouts that were read.
    layouts: Vec<PathBuf>,
}

impl Reader<'_> {
    /// A path that the user named: it is meant, whatever its name, and may be a link.
    fn path(&mut self, path: &Path, room: &mut Room) {
        let shown = path.display().to_string();
        if path.is_dir() {
            match Folder::open(path) {
                // What ends a walk is written down where the intake ends.
                Ok(folder) => {
                    let _ended = folder.walk(room, self);
                }
                Err(error) => self.intake.unreachable(&shown, &error),
            }
        } else {
            let holds = Holds::of(path.as_os_str());
            let read = open_file(path).and_then(|file| read_bounded(file, self.most(holds)));
            self.file(&shown, holds, read);
        }
    }

    /// A file of lines holds several documents, so that only their sum bounds it.
    fn most(&self, holds: Holds) -> u64 {
        match holds {
            Holds::Lines => self.intake.total_limit(),
            Holds::Document => self.intake.document_limit(),
        }
    }

    fn file(&mut self, source: &str, holds: Holds, read: io::Result<Bytes>) {
        match read {
            Ok(Bytes::All(bytes)) if holds == Holds::Lines => self.lines(source, &bytes),
            Ok(Bytes::All(bytes)) => self.document(source, bytes),
            Ok(Bytes::TooMany) => {
                let most = self.most(holds);
                let what = "bytes of one evidence file";
                self.intake.exceed(OverLimit::in_file(source.to_owned(), what, most));
            }
            Err(error) => self.intake.unreachable(source, &error),
        }
    }

    /// One document; a detached signature is made one of its bytes and its name.
    fn document(&mut self, source: &str, bytes: Vec<u8>) {
        let name = Path::new(source).file_name().unwrap_or_default().to_string_lossy();
        match Evidence::detached(&name, &bytes) {
            None => self.intake.take(source, bytes, None),
            Some(Ok(document)) => self.intake.take(source, document, None),
            Some(Err(problem)) => self.intake.take(source, bytes, Some(problem)),
        }
    }

    /// JSON lines: one document each, empty ones aside.
    fn lines(&mut self, source: &str, bytes: &[u8]) {
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() {
                self.intake.take(&format!("{source}:{}", at + 1), line.to_vec(), None);
            }
        }
    }
}

/// That a limit ended the walk; which, the intake knows.
struct Over;

impl Walker for Reader<'_> {
    type End = Over;

    fn enter(&mut self, folder: &Folder, entries: &[(OsString, Kind)]) {
        if entries.iter().any(|(name, kind)| name == "oci-layout" && *kind == Kind::File) {
            self.layouts.push(folder.path(OsStr::new("")));
            layout::read(folder, self.intake);
        }
    }

    fn meet(&mut self, met: &Met<'_>) -> Result<(), Over> {
        if self.intake.is_over() {
            return Err(Over);
        }
        match met.kind {
            Kind::Folder => {}
            Kind::File if self.layouts.iter().any(|root| layout::holds(root, &met.path())) => {}
            Kind::File if is_evidence(met.name()) => {
                let holds = Holds::of(met.name());
                let read = met.read(self.most(holds));
                self.file(&met.path().display().to_string(), holds, read);
            }
            Kind::File | Kind::Link | Kind::Special => self.intake.ignore(1),
        }
        Ok(())
    }

    fn obstructed(&mut self, by: Obstacle) -> Result<(), Over> {
        let (what, most) = match by {
            Obstacle::Unreadable { path, source } => {
                self.intake.unreachable(&path.display().to_string(), &source);
                return Ok(());
            }
            Obstacle::Names => ("names in evidence folders", self.names as u64),
            Obstacle::Depth => ("folders within evidence folders", DEPTH as u64),
        };
        self.intake.exceed(OverLimit::by_one(what, most));
        Err(Over)
    }
}

/// What a file of evidence holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Document,
    Lines,
}

impl Holds {
    fn of(name: &OsStr) -> Self {
        if name.as_encoded_bytes().ends_with(b".jsonl") { Self::Lines } else { Self::Document }
    }
}

/// The names that evidence has in a folder.
fn is_evidence(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [".sigstore.json", ".sigstore", ".json", ".jsonl", ".dsse", ".sig"]
        .iter()
        .any(|end| name.ends_with(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::key::Algorithm;
    use crate::key::secret::SecretKey;
    use crate::release::digest::Digest;
    use crate::source::sample;

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        sample::folder(files.iter().copied())
    }

    /// A signed envelope around a statement about this digest.
    fn envelope(algorithm: &str, digest: &str) -> Vec<u8> {
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"{algorithm}":"{digest}"}}}}],"predicateType":"https://x","predicate":{{}}}}"#
        );
        let payload_type = "application/vnd.in-toto+json";
        let pae = crate::evidence::envelope::pae(payload_type, statement.as_bytes());
        let signature = SecretKey::generate(Algorithm::Ed25519).unwrap().sign(&pae).unwrap();
        let base64 = |bytes: &[u8]| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        serde_json::json!({"payloadType": payload_type, "payload": base64(statement.as_bytes()), "signatures": [{"sig": base64(&signature)}]})
            .to_string()
            .into_bytes()
    }

    fn gather(folder: &Path) -> Gathered {
        EvidenceFolders::read(&[folder.to_owned()]).intake.gathered()
    }

    fn sources<'a>(folder: &TempDir, found: impl Iterator<Item = &'a str>) -> Vec<String> {
        let root = format!("{}/", folder.path().display());
        let mut names: Vec<_> = found.map(|source| source.replace(&root, "")).collect();
        names.sort();
        names
    }

    #[test]
    fn takes_evidence_by_name_and_counts_the_rest() {
        let (a, b, c) = (
            envelope("sha256", &"a".repeat(64)),
            envelope("sha256", &"b".repeat(64)),
            envelope("sha256", &"c".repeat(64)),
        );
        let lines = [a.as_slice(), b"\r\n\n", b.as_slice(), b"\nnot json\n"].concat();
        let folder = folder(&[
            ("deep/er/x.jsonl", &lines),
            ("c.dsse", &c),
            ("copy.sigstore.json", &c),
            ("junk.sigstore", b"{}"),
            ("README.md", b""),
            ("sub/x.json.bak", b""),
        ]);
        let gathered = gather(folder.path());
        let found = sources(&folder, gathered.found.iter().map(Evidence::source));
        assert_eq!(found, ["c.dsse", "deep/er/x.jsonl:1", "deep/er/x.jsonl:3"]);
        assert!(gathered.found.is_sorted_by_key(Evidence::digest));
        let unreadable = sources(&folder, gathered.unreadable.iter().map(|file| file.source.as_str()));
        assert_eq!(unreadable, ["deep/er/x.jsonl:4", "junk.sigstore"]);
        assert_eq!((gathered.ignored, gathered.unreachable.len(), gathered.over_limit), (2, 0, None));
    }

    #[test]
    fn gives_the_same_twice_and_whatever_the_order_of_paths() {
        let (one, two) = (folder(&[("a.json", b"1")]), folder(&[("b.json", b"2"), ("a.json", b"1")]));
        let paths =
            |list: &[&TempDir]| list.iter().map(|folder| folder.path().to_owned()).collect::<Vec<_>>();
        let forward = EvidenceFolders::read(&paths(&[&one, &two]));
        let backward = EvidenceFolders::read(&paths(&[&two, &one, &two]));
        let unreadable = forward.intake.gathered().unreadable;
        assert_eq!(unreadable.len(), 2);
        assert_eq!(unreadable, backward.intake.gathered().unreadable);
        assert_eq!(unreadable, forward.intake.gathered().unreadable);
    }

    #[test]
    fn never_follows_a_link_below_a_named_path() {
        let secret = folder(&[("secret.json", b"{}"), ("in/x.json", b"[]")]);
        let folder = folder(&[("a.json", b"1")]);
        symlink(secret.path().join("secret.json"), folder.path().join("b.json")).unwrap();
        symlink(secret.path().join("in"), folder.path().join("in")).unwrap();
        symlink(folder.path(), folder.path().join("loop")).unwrap();
        let gathered = gather(folder.path());
        assert_eq!(sources(&folder, gathered.unreadable.iter().map(|f| f.source.as_str())), ["a.json"]);
        assert_eq!((gathered.ignored, gathered.unreachable.len()), (3, 0));
        // A path that the user names is meant, also as a link.
        let named = secret.path().join("named");
        symlink(folder.path(), &named).unwrap();
        assert_eq!(gather(&named).unreadable.len(), 1);
    }

    #[test]
    fn takes_a_named_file_whatever_its_name() {
        let folder = folder(&[("evidence.txt", b"{}"), ("two.jsonl", b"1\n2")]);
        assert_eq!(gather(&folder.path().join("evidence.txt")).unreadable.len(), 1);
        assert_eq!(gather(&folder.path().join("two.jsonl")).unreadable.len(), 2);
    }

    #[test]
    fn says_what_it_could_not_reach() {
        let folder = folder(&[]);
        let gone = folder.path().join("gone");
        let gathered = gather(&gone);
        assert_eq!(gathered.unreachable.len(), 1);
        assert_eq!(gathered.unreachable[0].source, gone.display().to_string());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(gather(&folder.path().join("pipe")).unreachable.len(), 1);
        assert_eq!(gather(folder.path()).ignored, 1);
    }

    #[test]
    fn stops_at_a_hundred_thousand_names_and_says_so() {
        let folder = folder(&[]);
        for at in 0..100_000 {
            fs::File::create(folder.path().join(format!("{at}.json"))).unwrap();
        }
        let gathered = gather(folder.path());
        let over = OverLimit::by_one("names in evidence folders", 65_536);
        assert_eq!(
            (gathered.over_limit, gathered.found.len(), gathered.unreadable.len()),
            (Some(over), 0, 0)
        );
    }

    fn limited(folder: &TempDir, limits: Limits, names: usize) -> OverLimit {
        let read = EvidenceFolders::read_within(&[folder.path().to_owned()], limits, names);
        read.intake.gathered().over_limit.unwrap()
    }

    #[test]
    fn holds_every_limit_at_its_edge() {
        let folder = folder(&[("a.json", b"12345"), ("b.jsonl", b"1\n2"), ("c/d.txt", b"")]);
        let enough = Limits { pieces: 3, document: 5, total: 7 };
        let read = EvidenceFolders::read_within(&[folder.path().to_owned()], enough, 4);
        assert_eq!(read.intake.gathered().over_limit, None);
        for (limits, names, what, limit) in [
            (enough, 3, "names in evidence folders", 3),
            (Limits { pieces: 2, ..enough }, 4, "pieces of evidence", 2),
            (Limits { document: 4, ..enough }, 4, "bytes of one evidence file", 4),
            (Limits { total: 6, ..enough }, 4, "bytes of evidence", 6),
        ] {
            let one_file = what == "bytes of one evidence file";
            let source = one_file.then(|| folder.path().join("a.json").display().to_string());
            assert_eq!(limited(&folder, limits, names), OverLimit { source, what, limit, found: limit + 1 });
        }
        let deep = tempfile::tempdir().unwrap();
        fs::create_dir_all(deep.path().join("d/".repeat(DEPTH + 1))).unwrap();
        assert_eq!(limited(&deep, Limits::default(), NAMES).what, "folders within evidence folders");
    }

    #[test]
    fn what_can_not_be_read_is_told_once_and_no_more_often_than_pieces_are() {
        let mut intake = Intake::new(Limits { pieces: 2, ..Limits::default() });
        for source in ["b", "a", "b", "a"] {
            intake.unreachable(source, &"gone");
        }
        let told = intake.gathered().unreachable;
        assert_eq!(told.iter().map(|one| one.source.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(intake.gathered().over_limit, None);
        intake.unreachable("b", &"locked");
        let over = OverLimit::by_one("sources of evidence that can't be read", 2);
        assert_eq!((intake.gathered().over_limit, intake.gathered().unreachable), (Some(over), told));
        assert!(intake.is_over());
    }

    #[test]
    fn reads_artifacts_with_sha512_once_evidence_names_it() {
        let sha256 = folder(&[("a.json", &envelope("sha256", &"a".repeat(64)))]);
        let sha512 = folder(&[("a.json", &envelope("sha512", &"a".repeat(128))), ("b.json", b"{}")]);
        let algorithms = |folder: &TempDir| EvidenceFolders::read(&[folder.path().to_owned()]).algorithms();
        assert_eq!(algorithms(&sha256), Algorithms::Sha256);
        assert_eq!(algorithms(&sha512), Algorithms::Sha2);
    }

    #[test]
    fn reads_bundles_envelopes_and_signatures_out_of_a_layout() {
        let layout = TestLayout::new();
        let evidence = envelope("sha256", &"a".repeat(64));
        let bundle = layout.manifest("application/vnd.dev.sigstore.bundle.v0.3+json", &evidence, None);
        let other = envelope("sha256", &"b".repeat(64));
        let attestation = layout.manifest("application/vnd.dsse.envelope.v1+json", &other, None);
        let payload = br#"{"critical": {"type": "cosign container image signature", "identity": {"docker-reference": "r/a"}, "image": {"docker-manifest-digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}, "optional": null}"#;
        let simple = "application/vnd.dev.cosign.simplesigning.v1+json";
        let signature = layout.manifest(simple, payload, Some("c2ln"));
        let unsigned = layout.manifest(simple, b"{}", None);
        let image = layout.manifest("application/vnd.oci.image.layer.v1.tar", b"layer", None);
        let inner = layout.blob(
            &serde_json::json!({"schemaVersion": 2, "manifests": [attestation, bundle]})
                .to_string()
                .into_bytes(),
        );
        layout.index(&[bundle.clone(), signature, unsigned, image, inner]);
        let gathered = gather(layout.0.path());
        let problems: Vec<_> = gathered.unreadable.iter().map(|file| file.problem.to_string()).collect();
        assert_eq!(problems, ["has no `dev.cosignproject.cosign/signature` in base64 beside it"]);
        assert_eq!((gathered.found.len(), gathered.ignored, gathered.unreachable.len()), (3, 1, 0));
        let digests: Vec<_> = gathered.found.iter().map(Evidence::digest).collect();
        assert!(
            digests.contains(&Digest::of_bytes(&evidence)) && digests.contains(&Digest::of_bytes(&other))
        );
    }

    #[test]
    fn believes_no_blob_that_is_not_what_its_name_says() {
        let layout = TestLayout::new();
        let evidence = envelope("sha256", &"a".repeat(64));
        let bundle = layout.manifest("application/vnd.dev.sigstore.bundle.v0.3+json", &evidence, None);
        layout.index(&[bundle]);
        let path = layout.path(&Digest::of_bytes(&evidence).hex());
        fs::write(&path, b"{}").unwrap();
        let gathered = gather(layout.0.path());
        assert_eq!(gathered.unreadable[0].problem.to_string(), "its bytes are not those that its name says");
        fs::remove_file(&path).unwrap();
        assert_eq!(gather(layout.0.path()).unreachable.len(), 1);
        let outside = folder(&[("x", &evidence)]);
        symlink(outside.path().join("x"), &path).unwrap();
        let gathered = gather(layout.0.path());
        assert_eq!((gathered.found.len(), gathered.unreachable.len()), (0, 1));
        fs::write(layout.0.path().join("index.json"), "{").unwrap();
        assert_eq!(gather(layout.0.path()).unreadable.len(), 1);
    }

    /// An OCI layout on disk.
    struct TestLayout(TempDir);

    impl TestLayout {
        fn new() -> Self {
            let folder = folder(&[("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#)]);
            fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
            Self(folder)
        }

        fn path(&self, hex: &str) -> PathBuf {
            self.0.path().join("blobs/sha256").join(hex)
        }

        fn blob(&self, bytes: &[u8]) -> serde_json::Value {
            let digest = Digest::of_bytes(bytes);
            fs::write(self.path(&digest.hex()), bytes).unwrap();
            serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": bytes.len()})
        }

        /// A manifest with one layer.
        fn manifest(&self, media_type: &str, bytes: &[u8], signature: Option<&str>) -> serde_json::Value {
            let mut layer = self.blob(bytes);
            layer["mediaType"] = media_type.into();
            if let Some(signature) = signature {
                layer["annotations"] = serde_json::json!({"dev.cosignproject.cosign/signature": signature});
            }
            self.blob(&serde_json::json!({"schemaVersion": 2, "layers": [layer]}).to_string().into_bytes())
        }

        fn index(&self, manifests: &[serde_json::Value]) {
            let text = serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string();
            fs::write(self.0.path().join("index.json"), text).unwrap();
        }
    }
}
