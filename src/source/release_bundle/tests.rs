//! Release bundles told as sentences: what is read of one, and what is none.

#![expect(clippy::disallowed_methods, reason = "an adapter's tests make the folders that it reads")]

use std::fs;

use super::*;
use crate::source::sample::folder;

const MANIFEST: &[u8] =
    br#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"x","size":1},"layers":[]}"#;

fn manifests() -> BTreeMap<ClaimedDigest, Vec<u8>> {
    [(Digest::of_bytes(MANIFEST).claim(), MANIFEST.to_vec())].into()
}

fn files() -> Files {
    let manifests = manifests();
    let collected = Collected {
        release: Digest::of_bytes(b"release"),
        evidence: vec![br#"{"payloadType":"x"}"#, b"junk", br#"{"verificationMaterial":{}}"#],
        images: manifests.keys().cloned().collect(),
        manifests: &manifests,
    };
    assert_eq!(archive::read(&collected.archive()).unwrap(), collected.files());
    collected.files()
}

fn among(folder: &tempfile::TempDir) -> (Bundles, Vec<PathBuf>) {
    Bundles::among(&[folder.path().to_owned()])
}

/// It is on record as none, its folder is read as any, and nothing of it stands for a registry.
#[track_caller]
fn is_broken(files: &Files, why: &str) {
    let folder = folder(files);
    let (bundles, others) = among(&folder);
    assert_eq!(others, [folder.path()]);
    assert!(bundles.evidence.is_empty() && bundles.manifests.is_empty() && bundles.covered.is_empty());
    let [broken] = bundles.broken() else { panic!("{:?}", bundles.broken()) };
    assert_eq!(broken.digest, Digest::of_bytes(&files[LIST]));
    assert!(broken.problem.problem.contains(why), "{}", broken.problem);
}

#[test]
fn reads_a_folder_and_an_archive_alike() {
    let folder = folder(&files());
    let tar = folder.path().with_extension("tar");
    fs::write(&tar, archive::write(&files())).unwrap();
    let plain = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), tar.clone()] {
        let (bundles, others) = Bundles::among(&[path, plain.path().to_owned()]);
        assert_eq!((bundles.evidence.len(), others.as_slice()), (3, &[plain.path().to_owned()][..]));
        let image = Digest::of_bytes(MANIFEST).claim();
        assert!(bundles.covers(Digest::of_bytes(b"release"), &image));
        assert!(!bundles.covers(Digest::of_bytes(b"another release"), &image));
        let registries = Registries::offline();
        assert_eq!(bundles.images(&registries).manifest("r/a", &image).unwrap(), MANIFEST);
        let other = Digest::of_bytes(b"x").claim();
        assert!(matches!(
            bundles.images(&registries).manifest("r/a", &other),
            Err(Unfetched::Unreachable { .. })
        ));
    }
    fs::remove_file(tar).unwrap();
}

#[test]
fn a_bundle_that_is_not_whole_is_none() {
    let names: Vec<String> = files().into_keys().collect();
    for name in &names {
        let mut cut = files();
        cut.remove(name);
        match name.as_str() {
            // Without its list it is a folder like any other; the layout is for other tools.
            LIST => assert!(among(&folder(&cut)).0.broken().is_empty()),
            "oci/index.json" | "oci/oci-layout" => assert_eq!(among(&folder(&cut)).0.covered.len(), 1),
            _ => {
                is_broken(&cut, "is listed and not there");
                let mut altered = files();
                altered.get_mut(name).unwrap().push(b' ');
                is_broken(&altered, "is not what its name says");
            }
        }
    }
    let mut more = files();
    more.insert(format!("evidence/{}.json", Digest::of_bytes(b"more").hex()), b"more".to_vec());
    is_broken(&more, "is not listed");
    let mut bare = files();
    bare.insert(LIST.to_owned(), format!(r#"{{"_type":"{TYPE}"}}"#).into_bytes());
    is_broken(&bare, "without a list of its files");
    let linked = folder(&files());
    std::os::unix::fs::symlink("bundle.json", linked.path().join("evidence/link.json")).unwrap();
    let (bundles, others) = among(&linked);
    assert_eq!((bundles.broken().len(), others.len()), (1, 1));
}

/// The files of a bundle of these manifests, every one of them an image of the release.
fn with_manifests(manifests: &[&[u8]]) -> Files {
    let manifests: BTreeMap<_, _> =
        manifests.iter().map(|bytes| (Digest::of_bytes(bytes).claim(), bytes.to_vec())).collect();
    let images = manifests.keys().cloned().collect();
    let (release, evidence) = (Digest::of_bytes(b"release"), Vec::new());
    Collected { release, evidence, manifests: &manifests, images }.files()
}

#[test]
fn a_layout_that_leads_to_evidence_makes_no_bundle() {
    let envelope = br#"{"payloadType":"x","payload":"","signatures":[]}"#;
    is_broken(&with_manifests(&[MANIFEST, envelope]), "is no manifest of an image");
    // What is a manifest to one reader and evidence to another.
    let both = String::from_utf8(MANIFEST.to_vec()).unwrap().replacen('{', r#"{"payloadType":"x","#, 1);
    let layer = json!({"mediaType": "application/vnd.dsse.envelope.v1+json", "size": both.len(),
        "digest": Digest::of_bytes(both.as_bytes())});
    let manifest = |layer: &Value| {
        json!({"schemaVersion": 2, "config": layer, "layers": [layer]}).to_string().into_bytes()
    };
    let leading = manifest(&layer);
    is_broken(&with_manifests(&[both.as_bytes(), &leading]), "has evidence in its layers");
    // A layer that no bundle ever has leads nowhere.
    let other =
        manifest(&json!({"mediaType": layer["mediaType"], "size": 1, "digest": Digest::of_bytes(b"x")}));
    assert!(among(&folder(with_manifests(&[MANIFEST, &other]))).0.broken().is_empty());
    // The list of the layout is what `laforge bundle` writes, and nothing else beside.
    for index in [
        r#"{"payloadType":"x","payload":"","signatures":[]}"#.to_owned(),
        json!({"schemaVersion": 2, "layers": [layer]}).to_string(),
        String::from_utf8(files()[INDEX].clone()).unwrap().replacen('{', r#"{"payloadType":"x","#, 1),
    ] {
        let mut files = files();
        files.insert(INDEX.to_owned(), index.into_bytes());
        is_broken(&files, "is not the list of its images");
        let archive = tempfile::Builder::new().suffix(".tar").tempfile().unwrap();
        fs::write(archive.path(), archive::write(&files)).unwrap();
        assert_eq!(Bundles::among(&[archive.path().to_owned()]).0.broken().len(), 1);
    }
}

#[test]
fn evidence_has_the_name_that_it_is_read_by_anywhere() {
    // As lines each would be a piece, and as a signature it would be one of a file.
    for ending in [".jsonl", ".sig", ".txt", "-1.json", ""] {
        let mut files = files();
        let junk = Digest::of_bytes(b"junk").hex();
        let bytes = files.remove(&format!("evidence/{junk}.json")).unwrap();
        files.insert(format!("evidence/{junk}{ending}"), bytes);
        is_broken(&files, "is not what its name says");
    }
}

#[test]
fn a_file_called_bundle_json_makes_no_bundle() {
    for list in ["", "[]", "null", r#"{"_type":"https://laforge.dev/release/v1"}"#, r#"{"mediaType":"x"}"#] {
        let folder = folder([(LIST, list.as_bytes())]);
        let (bundles, others) = among(&folder);
        assert_eq!((bundles.broken().len(), others.as_slice()), (0, &[folder.path().to_owned()][..]));
    }
    // Said twice, it says nothing.
    let twice = format!(r#"{{"_type":"x","_type":"{TYPE}"}}"#);
    assert!(among(&folder([(LIST, twice.into_bytes())])).0.broken().is_empty());
}

#[test]
fn an_archive_that_is_none_of_ours_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("cut.tar"), b"cut").unwrap();
    fs::write(at("other.tar"), archive::write(&[("a".to_owned(), b"a".to_vec())].into())).unwrap();
    let (bundles, others) = Bundles::among(&[at("cut.tar"), at("other.tar"), at("gone.tar")]);
    // What can't be read is unreachable, as whoever reads evidence finds out.
    assert_eq!(others, [at("gone.tar")]);
    assert!(bundles.evidence.is_empty() && bundles.covered.is_empty());
    let problems: Vec<_> = bundles.broken().iter().map(|broken| broken.problem.problem.as_str()).collect();
    assert_eq!(
        problems,
        [
            "is no archive that `laforge bundle` wrote: it ends too early",
            "is a release bundle without a list of its files that can be read"
        ]
    );
}

#[test]
fn a_bundle_stands_for_the_manifests_that_it_holds_itself() {
    let manifests = manifests();
    let nothing = BTreeMap::new();
    let of = |release: &[u8], manifests| {
        let (evidence, images) = (Vec::new(), BTreeSet::new());
        folder(&Collected { release: Digest::of_bytes(release), evidence, manifests, images }.files())
    };
    let (empty, other) = (of(b"release", &nothing), of(b"another release", &manifests));
    let (bundles, _) = Bundles::among(&[empty.path().to_owned(), other.path().to_owned()]);
    let image = Digest::of_bytes(MANIFEST).claim();
    assert!(!bundles.covers(Digest::of_bytes(b"release"), &image));
    assert!(bundles.covers(Digest::of_bytes(b"another release"), &image));
    assert_eq!(bundles.images(&Registries::offline()).manifest("r/a", &image).unwrap(), MANIFEST);
}
