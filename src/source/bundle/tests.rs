#![expect(clippy::disallowed_methods, reason = "an adapter's tests make the folders that it reads")]

use std::fs;

use super::*;

const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

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

fn unpack(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn among(folder: &tempfile::TempDir) -> Result<(Bundles, Vec<PathBuf>), BundleError> {
    Bundles::among(&[folder.path().to_owned()])
}

#[test]
fn reads_a_folder_and_an_archive_alike() {
    let folder = unpack(&files());
    let tar = folder.path().with_extension("tar");
    fs::write(&tar, archive::write(&files())).unwrap();
    let plain = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), tar.clone()] {
        let (bundles, others) = Bundles::among(&[path, plain.path().to_owned()]).unwrap();
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
fn refuses_a_bundle_that_is_not_whole() {
    let names: Vec<String> = files().into_keys().collect();
    for name in &names {
        let mut cut = files();
        cut.remove(name);
        match name.as_str() {
            // Without its list it is a folder like any other; the layout is for other tools.
            LIST => assert_eq!(among(&unpack(&cut)).unwrap().1.len(), 1),
            "oci/index.json" | "oci/oci-layout" => assert!(among(&unpack(&cut)).is_ok()),
            _ => {
                assert!(matches!(among(&unpack(&cut)), Err(BundleError::NotWhole { .. })), "{name}");
                let mut altered = files();
                altered.get_mut(name).unwrap().push(b' ');
                assert!(matches!(among(&unpack(&altered)), Err(BundleError::NotWhole { .. })), "{name}");
            }
        }
    }
    let mut more = files();
    more.insert(format!("evidence/{}.json", Digest::of_bytes(b"more").hex()), b"more".to_vec());
    assert!(matches!(among(&unpack(&more)), Err(BundleError::NotWhole { .. })));
    let mut other = files();
    other.insert(LIST.to_owned(), br#"{"_type":"https://laforge.dev/release/v1"}"#.to_vec());
    assert!(matches!(among(&unpack(&other)), Err(BundleError::List { .. })));
    let linked = unpack(&files());
    std::os::unix::fs::symlink("bundle.json", linked.path().join("evidence/link.json")).unwrap();
    assert!(matches!(among(&linked), Err(BundleError::NotWhole { .. })));
}
