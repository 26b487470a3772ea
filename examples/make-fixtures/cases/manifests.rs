//! Rendered manifests: what is deployed as a whole, and the images that it runs.

use laforge::policy::finding::RuleId::{ApprovalThreshold, ImageNotPinned};
use laforge::release::digest::ClaimedDigest;

use super::Case;
use super::Expect::{Allows, Denies, Refuses};
use super::kinds::signed_image;
use crate::image;
use crate::scene::Scene;

const FILE: &str = "deploy/app.yaml";

pub(super) const CASES: &[Case] = &[
    Case::bare(
        "allows-manifests",
        "Manifests whose one image is the release's, approved together with it.",
        Allows,
        |scene| {
            let digest = deployed(scene, "");
            signed_image(scene, &digest);
        },
    ),
    Case::bare(
        "denies-manifests-with-a-tag",
        "A second container of the manifests names its image by a tag.",
        Denies(&[ImageNotPinned]),
        |scene| {
            let digest =
                deployed(scene, "        - {name: sidecar, image: \"registry.acme.test/sidecar:1.4\"}\n");
            signed_image(scene, &digest);
        },
    ),
    Case::bare(
        "denies-manifests-with-an-image-elsewhere",
        "A custom resource names an image where no Pod specification is, by its latest tag.",
        Denies(&[ImageNotPinned]),
        |scene| {
            let more = "---\napiVersion: acme.test/v1\nkind: Migration\nmetadata: {name: before}\n\
                        spec: {steps: [{image: registry.acme.test/migrate}]}\n";
            let digest = deployed(scene, more);
            signed_image(scene, &digest);
        },
    ),
    Case::bare(
        "denies-manifests-changed-after-approval",
        "The approved image with other arguments than those that were approved.",
        Denies(&[ApprovalThreshold]),
        |scene| {
            let digest = deployed(scene, "");
            signed_image(scene, &digest);
            scene.edit(FILE, "args: [serve]", "args: [serve, --no-auth]");
        },
    ),
    Case::sound(
        "refuses-manifests-with-a-merge-key",
        "A merge key brings a container that only some readers see.",
        Refuses(2, "a merge key, which some readers follow and others don't"),
        |scene| broken(scene, "x: &x {image: evil}\nspec: {containers: [{<<: *x, name: app}]}\n"),
    ),
    Case::sound(
        "refuses-manifests-with-a-repeated-member",
        "An image is named twice in one container, and readers take one or the other.",
        Refuses(2, "the member `image` appears twice"),
        |scene| broken(scene, "spec: {containers: [{name: app, image: a, image: b}]}\n"),
    ),
    Case::sound(
        "refuses-manifests-in-other-letters",
        "`Image` is an image to some readers and nothing to others.",
        Refuses(2, "`Image` is `image` to some readers and nothing to others"),
        |scene| broken(scene, "spec: {containers: [{name: app, Image: evil}]}\n"),
    ),
    Case::sound(
        "refuses-manifests-that-are-two-texts",
        "A line that ends for YAML 1.1 in the middle of a comment.",
        Refuses(2, "ends a line for some readers and not for others"),
        |scene| broken(scene, "spec: {} # harmless\u{85}image: evil\n"),
    ),
    Case::sound(
        "refuses-manifests-cut-short",
        "A manifest that can't be parsed can't be gated.",
        Refuses(2, "is not YAML"),
        |scene| broken(scene, "spec: {containers: [\n"),
    ),
    Case::sound(
        "refuses-chart-that-is-not-rendered",
        "A folder with a chart: what it would deploy is not yet written down.",
        Refuses(2, "is to be rendered"),
        |scene| {
            broken(scene, "spec: {}\n");
            scene.put("deploy/Chart.yaml", b"apiVersion: v2\nname: payments\nversion: 2.4.0\n");
        },
    ),
    Case::sound(
        "refuses-manifests-of-no-release",
        "Manifests alone, which say neither name nor environment.",
        Refuses(2, "are of no release"),
        |scene| {
            broken(scene, "spec: {}\n");
            scene.edit("laforge.yaml", "release: release.yaml\n", "");
        },
    ),
];

/// Deploys the image by manifests, with more behind them.
fn deployed(scene: &mut Scene, more: &str) -> ClaimedDigest {
    let digest = image::manifest(scene);
    image::released(scene, &digest);
    configured(scene);
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: payments, labels: {{image: none}}}}\ndata: {{workers: \"4\"}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: payments}}\nspec:\n  template:\n    spec:\n      \
         containers:\n        - {{name: app, image: \"registry.acme.test/payments:2.4.0@{digest}\", args: [serve]}}\n{more}"
    );
    scene.put(FILE, text.as_bytes());
    digest
}

fn configured(scene: &mut Scene) {
    scene.edit("laforge.yaml", "release: release.yaml\n", "release: release.yaml\nmanifests: deploy/\n");
}

/// A Pod whose text goes on as this.
fn broken(scene: &mut Scene, rest: &str) {
    configured(scene);
    scene.put(FILE, format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: payments}}\n{rest}").as_bytes());
}
