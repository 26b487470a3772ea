//! How much is asked of registries, how long their lists may be, and what of it is said.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use laforge::evidence::EvidenceSource as _;
use laforge::release::Release;
use laforge::release::digest::Algorithms;
use laforge::release::resolved::{Resolution, ResolvedRelease};
use laforge::source::directory::{EvidenceFolders, Files};
use laforge::source::gathering::AllEvidence;
use laforge::source::oci::{Patience, Registries, Settings};
use laforge::source::release_bundle::Bundles;
use laforge::yaml::Source;
use serde_json::{Value, json};

use super::server::{BUNDLE, INDEX, MANIFEST, Reply, digest};
use super::{Shipped, hurried, index};

fn resolved(shipped: &Shipped, registries: &Registries<'_>) -> ResolvedRelease {
    let source = Source::new("release.yaml", &shipped.example.read("release.yaml"));
    let release = Release::parse(&source, Path::new("")).unwrap();
    match release.resolve(&Files::new(Algorithms::Sha256), registries).unwrap() {
        Resolution::Matches(release) => release,
        Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
    }
}

fn within(patience: Patience) -> Registries<'static> {
    Registries::online(Settings { patience, ..Settings::default() })
}

#[test]
fn a_run_that_has_asked_as_often_as_it_may_asks_nobody_and_takes_nothing_for_absent() {
    let shipped = Shipped::new();
    let (index, leaves) = index(&shipped.registry);
    shipped.release(&index);
    for image in [&index, &leaves[0], &leaves[1]] {
        shipped.registry.attach(&shipped.signature(image), image);
    }
    // The index and its two platforms, and one question after that.
    let registries = within(Patience { requests: 4, ..hurried() });
    let release = resolved(&shipped, &registries);
    let (folders, bundles) = (EvidenceFolders::read(&[]), Bundles::among(&[]).0);
    let gathered = AllEvidence::of(&folders, &registries, &bundles).gather(&release);
    let asked = "is not asked in this run any more, which has asked registries ";
    for image in [&index, &leaves[0], &leaves[1]] {
        let wanted = image["digest"].as_str().unwrap();
        let of_it = gathered.unreachable.iter().filter(|one| one.source.contains(wanted));
        let causes: Vec<&str> = of_it.map(|one| one.cause.as_str()).collect();
        assert!(causes.len() <= 1, "once is enough: {causes:?}");
    }
    assert!(gathered.unreachable.len() >= 3, "{:?}", gathered.unreachable);
    assert!(gathered.unreachable.iter().all(|one| one.cause.contains(asked)), "{:?}", gathered.unreachable);
    assert!(shipped.registry.asked().len() < 12, "{}", shipped.registry.asked().len());
}

/// Descriptors of what is there under no name of evidence.
fn others(count: u32, artifact_type: &str) -> Vec<Value> {
    let other = |at: u32| json!({"mediaType": MANIFEST, "digest": digest(&at.to_le_bytes()), "size": 1, "artifactType": artifact_type});
    (0..count).map(other).collect()
}

#[test]
fn a_registry_that_does_not_filter_counts_no_referrer_twice() {
    let (shipped, image) = Shipped::signed();
    for other in others(210, "application/vnd.example.sbom") {
        shipped.registry.refer(&image, other);
    }
    for at in 0..90 {
        let junk = json!({"at": at}).to_string();
        let descriptor = shipped.registry.evidence(BUNDLE, junk.as_bytes(), &image);
        shipped.registry.refer(&image, descriptor);
    }
    shipped.deploy(&[]).ends_with_data().says("210 files of no kind of evidence");
}

#[test]
fn a_bundle_of_another_version_is_found_in_a_list_that_is_too_long() {
    for artifact_type in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle.v0.9+json",
    ] {
        let shipped = Shipped::new();
        let image = shipped.registry.image("payments");
        shipped.release(&image);
        for other in others(300, "application/vnd.example.scan") {
            shipped.registry.refer(&image, other);
        }
        let mut descriptor = shipped.registry.evidence(BUNDLE, &shipped.signature(&image), &image);
        descriptor["artifactType"] = artifact_type.into();
        shipped.registry.refer(&image, descriptor);
        shipped.deploy(&[]).ends_with_data().says("300 files of no kind of evidence");
    }
}

#[test]
fn what_an_index_among_the_referrers_lists_is_read() {
    let shipped = Shipped::new();
    let image = shipped.registry.image("payments");
    shipped.release(&image);
    let signature = shipped.registry.evidence(BUNDLE, &shipped.signature(&image), &image);
    let inner = shipped.registry.index(&[signature]);
    let outer = shipped.registry.index(std::slice::from_ref(&inner));
    shipped.registry.refer(&image, outer);
    shipped.deploy(&[]).ends_with_data();
    // That one of them is gone is no absence.
    shipped.registry.remove(inner["digest"].as_str().unwrap());
    shipped.inconclusive("signature-missing", "lists it and does not have it");
}

#[test]
fn indexes_that_list_ever_more_are_a_recorded_deny() {
    let (shipped, image) = Shipped::signed();
    let empty = |at: u32| {
        let document =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": [], "at": at});
        shipped.registry.push(MANIFEST, &document)
    };
    // Of either index there would be room.
    for half in [0, 600] {
        let listed: Vec<Value> = (half..half + 600).map(empty).collect();
        let descriptor = shipped.registry.index(&listed);
        shipped.registry.refer(&image, descriptor);
    }
    shipped.denied("evidence-limit").says("manifests with evidence of one image");
    assert!(shipped.registry.asked().len() < 1200, "{}", shipped.registry.asked().len());
}

#[test]
fn asks_for_the_types_that_it_reads_where_a_list_is_too_long() {
    let (shipped, image) = Shipped::signed();
    let bundle = shipped.registry.attach(&shipped.signature(&image), &image);
    let questions = std::sync::Arc::new(AtomicUsize::new(0));
    let asked = questions.clone();
    shipped.registry.script(move |request, _| {
        let list = |manifests: Vec<Value>| {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
            Some(Reply::bytes(INDEX, index.as_bytes()).with("OCI-Filters-Applied", "artifactType"))
        };
        match request.target.split_once("/referrers/")?.1.split_once("?artifactType=") {
            None => list(others(4100, "x")),
            Some((_, of_type)) => {
                asked.fetch_add(1, Ordering::SeqCst);
                list(if of_type.contains("bundle.v0.3") { vec![bundle.clone()] } else { Vec::new() })
            }
        }
    });
    shipped.deploy(&[]).ends_with_data().says("4100 files of no kind of evidence");
    assert_eq!(questions.load(Ordering::SeqCst), 8, "one for each type, as each is written");
}
