//! TLS: a certificate that is renewed, one that can't be, and clients that show theirs.

use std::process::Command;

use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};
use serde_json::json;

use crate::site::{Service, Site, until};

/// An authority, and certificates of it, by openssl.
fn openssl(site: &Site, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(site.path(".")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn authority(site: &Site, name: &str) {
    let (key, certificate, subject) = (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let more = ["-x509", "-keyout", &key, "-out", &certificate, "-subj", &subject];
    openssl(site, &[&["req"], &elliptic[..], &more].concat());
}

/// A certificate for 127.0.0.1, of an authority.
pub(crate) fn issue(site: &Site, authority: &str, name: &str) {
    let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        site,
        &[&["req"], &elliptic[..], &["-keyout", &key, "-out", &request, "-subj", "/CN=x"]].concat(),
    );
    site.write("ext", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
    let (by, with) = (format!("{authority}.crt"), format!("{authority}.key"));
    openssl(
        site,
        &[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &by,
            "-CAkey",
            &with,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "ext",
            "-out",
            &certificate,
        ],
    );
}

pub(crate) fn trusting(site: &Site, authority: &str) -> reqwest::blocking::ClientBuilder {
    let certificate = Certificate::from_pem(site.read(&format!("{authority}.crt")).as_bytes()).unwrap();
    // A connection of its own for each request, so that each sees the certificate of then.
    Client::builder().tls_certs_only([certificate]).pool_max_idle_per_host(0)
}

fn place(site: &Site, name: &str) {
    site.write("tls.crt", &site.read(&format!("{name}.crt")));
    site.write("tls.key", &site.read(&format!("{name}.key")));
}

fn answers(service: &Service, client: &Client) -> bool {
    client.get(service.url("/livez")).send().is_ok_and(|answer| answer.status() == 200)
}

#[test]
fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let site = Site::new();
    for name in ["one", "two"] {
        authority(&site, name);
        issue(&site, name, &format!("{name}-leaf"));
    }
    place(&site, "one-leaf");
    let files = ["--tls-certificate", "tls.crt", "--tls-key", "tls.key"];
    let service = site.begin(&files, trusting(&site, "one"));
    service.until_ready();
    let client = |authority: &str| trusting(&site, authority).no_proxy().build().unwrap();
    let (first, second) = (client("one"), client("two"));
    assert!(answers(&service, &first) && !answers(&service, &second));
    // A key that is not the certificate's: told, and the old pair stays.
    site.write("tls.key", &site.read("two-leaf.key"));
    until("the broken pair is told", || service.said().contains("\"renewed\":false"));
    assert!(answers(&service, &first));
    place(&site, "two-leaf");
    until("the new one is served", || answers(&service, &second));
    assert!(!answers(&service, &first));
}

#[test]
fn a_client_may_show_a_certificate_instead_of_a_token() {
    let site = Site::with(
        "  tls: {certificate: tls.crt, key: tls.key, clients: {authority: clients.crt, rights: [admission]}}\n  \
         admission: {environment: production, callers: known}\n",
    );
    for name in ["one", "clients", "strangers"] {
        authority(&site, name);
        issue(&site, name, &format!("{name}-leaf"));
    }
    place(&site, "one-leaf");
    let service = site.begin(&[], trusting(&site, "one"));
    service.until_ready();
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                        "request": {"uid": "7", "operation": "DELETE"}});
    let asked = |path: &str, shows: Option<&str>| {
        let client = trusting(&site, "one").no_proxy();
        let client = match shows {
            None => client,
            Some(name) => {
                let pem = site.read(&format!("{name}.crt")) + &site.read(&format!("{name}.key"));
                client.identity(Identity::from_pem(pem.as_bytes()).unwrap())
            }
        };
        let request = client.build().unwrap().post(service.url(path));
        let request = request.header("content-type", "application/json").body(review.to_string());
        request.send().map_or(0, |answer| answer.status().as_u16())
    };
    assert_eq!(asked("/v1/admission", None), 401);
    assert_eq!(asked("/v1/admission", Some("clients-leaf")), 200);
    assert_eq!(asked("/v1/evaluate", Some("clients-leaf")), 403);
    assert_eq!(asked("/v1/admission", Some("strangers-leaf")), 0, "the handshake should fail");
}

#[test]
fn http_is_spoken_on_loopback_alone() {
    let site = Site::new();
    let refused = Command::new(env!("CARGO_BIN_EXE_laforge"))
        .current_dir(site.path("."))
        .args(["runtime", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("can be reached from other machines, and there is no certificate"), "{said}");
}
