//! Lists of referrers that are too long: what is of no kind of evidence is counted, and what may be is never left
//! out in silence.

use serde_json::{Value, json};

use super::Shipped;
use super::server::{BUNDLE, INDEX, MANIFEST, Reply, digest};

/// Referrers that nobody can have, as a list calls them.
fn listed(count: u32, artifact_type: &str) -> Vec<Value> {
    let one = |at: u32| json!({"mediaType": MANIFEST, "digest": digest(&at.to_le_bytes()), "size": 1, "artifactType": artifact_type});
    (0..count).map(one).collect()
}

#[test]
fn whatever_evidence_may_be_called_is_found_among_hundreds_of_other_things() {
    for artifact_type in [
        json!("application/vnd.in-toto+json"),
        json!("application/vnd.dev.cosign.artifact.att.v1+json"),
        json!("application/vnd.dev.cosign.artifact.sig.v1+json"),
        json!("application/vnd.in-toto.bundle"),
        json!("application/vnd.oci.empty.v1+json"),
        json!(""),
        Value::Null,
    ] {
        let shipped = Shipped::new();
        let image = shipped.registry.image("payments");
        shipped.release(&image);
        for other in listed(300, "application/vnd.example.scan") {
            shipped.registry.refer(&image, other);
        }
        let mut descriptor = shipped.registry.evidence(BUNDLE, &shipped.signature(&image), &image);
        descriptor["artifactType"] = artifact_type;
        shipped.registry.refer(&image, descriptor);
        shipped.deploy(&[]).ends_with_data().says("300 files of no kind of evidence");
    }
}

#[test]
fn what_may_be_evidence_and_is_left_out_is_a_recorded_deny_and_the_rest_is_read() {
    for artifact_type in ["application/vnd.in-toto+json", "application/vnd.in-toto.bundle", ""] {
        let (shipped, image) = Shipped::signed();
        for other in listed(300, artifact_type) {
            shipped.registry.refer(&image, other);
        }
        let said = shipped.denied("evidence-limit").says("referrers of one image that may be evidence");
        assert!(said.stderr.contains(image["digest"].as_str().unwrap()), "{}", said.stderr);
        assert!(!said.stderr.contains("signature-missing"), "{}", said.stderr);
    }
}

#[test]
fn pages_that_nobody_looked_at_are_a_recorded_deny_and_the_rest_is_read() {
    let (shipped, image) = Shipped::signed();
    let bundle = shipped.registry.attach(&shipped.signature(&image), &image);
    shipped.registry.script(move |asked, _| {
        let list = asked.target.split_once("/referrers/")?.1;
        let index = |manifests: &[Value]| {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
            Reply::bytes(INDEX, index.as_bytes())
        };
        Some(match list.split_once("?artifactType=") {
            Some((_, of_type)) if of_type.contains("bundle.v0.3") => index(std::slice::from_ref(&bundle)),
            Some(_) => index(&[]),
            None => {
                let path = asked.target.split('?').next().unwrap();
                index(&listed(4100, "x")).with("Link", format!("<{path}?n=2>; rel=\"next\""))
            }
        })
    });
    let said = shipped.denied("evidence-limit").says("holds more than 4096 referrers of one image");
    assert!(!said.stderr.contains("signature-missing"), "{}", said.stderr);
}
