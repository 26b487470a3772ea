//! What a signer is told when a token or a service is wrong, by the real services; and where a token comes from.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use super::instance::Instance;
use super::issuer::{CI, PEOPLE};
use super::namespace::within;
use super::repository::{ARTIFACT, COMMIT, Repository, job, run};

const SIGN: [&str; 4] = ["sign", ARTIFACT, "-o", "new.sigstore.json"];

/// Signs with flags, where it is expected to fail with these words, and nothing is written.
#[track_caller]
fn fails(repository: &Repository, flags: &[String], code: i32, words: &[&str]) {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let ended = repository.laforge(&[&SIGN[..], &flags].concat()).ends(code);
    words.iter().fold(ended, |ended, words| ended.says(words));
    assert!(fs::metadata(repository.path("new.sigstore.json")).is_err(), "something was written");
}

#[test]
fn a_token_that_the_authority_does_not_take_is_refused_with_its_words() {
    within("services::a_token_that_the_authority_does_not_take_is_refused_with_its_words", |parts| {
        let instance = Instance::start(parts);
        let (repository, issuer) = (Repository::of(&instance), &instance.issuer);
        let claims = |more: serde_json::Value| {
            let mut claims = json!({"sub": "u", "email": "alice@acme.test", "email_verified": true});
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            claims
        };
        let refused =
            "error: the certificate authority (Fulcio) at http://127.0.0.1:7002 refused with HTTP 4";
        for wrong in [
            issuer.token(PEOPLE, &claims(json!({"aud": "kubernetes"}))),
            issuer.token(PEOPLE, &claims(json!({"email_verified": false}))),
            issuer.token("http://127.0.0.1:7001/unknown", &claims(json!({}))),
            issuer.token(CI, &json!({"sub": "repo:acme/payments"})),
            issuer.person(PEOPLE, "alice@acme.test") + "AA",
        ] {
            fails(&repository, &instance.flags(&wrong), 1, &[refused, "help: it did not take the token"]);
        }
        let over = issuer.token(PEOPLE, &claims(json!({"exp": 1_700_000_000})));
        fails(
            &repository,
            &instance.flags(&over),
            2,
            &["expired at 2023-11-14T22:13:20Z", "help: get a fresh one"],
        );
    });
}

#[test]
fn a_service_that_is_down_is_named_and_nothing_is_written() {
    within("services::a_service_that_is_down_is_named_and_nothing_is_written", |parts| {
        let mut instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        let flags = instance.flags(&instance.issuer.person(PEOPLE, "alice@acme.test"));
        for (part, said) in [
            (
                "timestamp-server",
                "error: the time stamp authority at http://127.0.0.1:7004/api/v1/timestamp can't be reached",
            ),
            ("rekor", "error: the transparency log (Rekor) at http://127.0.0.1:7003 can't be reached"),
            ("fulcio", "error: the certificate authority (Fulcio) at http://127.0.0.1:7002 can't be reached"),
        ] {
            instance.end(part);
            fails(&repository, &flags, 1, &[said, "help: nothing was written"]);
        }
    });
}

#[test]
fn a_bundle_that_does_not_hold_under_the_root_at_hand_is_not_written() {
    within("services::a_bundle_that_does_not_hold_under_the_root_at_hand_is_not_written", |parts| {
        let instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        // A root whose log has another key: the checkpoint's signature is nobody's.
        repository.change("trust/acme-root.json", |root| {
            root["tlogs"][0]["publicKey"]["rawBytes"] =
                "MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
        });
        let mut flags = instance.flags(&instance.issuer.person(PEOPLE, "alice@acme.test"));
        let root = flags.iter().position(|flag| flag == "--trusted-root").unwrap();
        flags[root + 1] = "trust/acme-root.json".to_owned();
        fails(
            &repository,
            &flags,
            10,
            &["does not hold under the root `trust/acme-root.json`", "nothing was written"],
        );
    });
}

#[test]
fn a_token_is_found_where_each_ci_puts_it_and_what_is_signed_is_shown_before() {
    within("services::a_token_is_found_where_each_ci_puts_it_and_what_is_signed_is_shown_before", |parts| {
        let instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        let config = instance.path("signing-config.json").display().to_string();
        let token = instance.issuer.token(CI, &job(COMMIT, "github-hosted"));
        repository.write("token", format!("{token}\n").as_bytes());
        // Verified by the root that the configured trust names, since no flag names one.
        let sign = |name: &str, more: &[&str], variables: &[(&str, &str)]| {
            let arguments = [&["sign", ARTIFACT, "--signing-config", &config, "-o", name], more].concat();
            run(repository.command(&arguments).envs(variables.iter().copied()))
        };
        let shown = sign("1.sigstore.json", &[], &[("SIGSTORE_ID_TOKEN", &token)]).ends(0);
        shown
            .says("about to sign:\n      artifact payments.tar.gz (artifacts/payments.tar.gz)\n")
            .says("signer repo:acme/payments:ref:refs/tags/v2.4.0 (issuer http://127.0.0.1:7001/ci)")
            .says("published http://127.0.0.1:7003, for whoever reads that log")
            .says("verified: signed by https://github.com/acme/builders/.github/workflows/build.yml@refs/tags/v3")
            .says("under the root `acme`")
            .says("warning: trust names no signer with `use: artifact` with this identity");
        sign("2.sigstore.json", &["--identity-token", "env:MINE"], &[("MINE", &token)]).ends(0);
        sign("3.sigstore.json", &["--identity-token", "file:token"], &[]).ends(0);
        let (url, served) = github(&token);
        let github =
            [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job")];
        sign("4.sigstore.json", &[], &github).ends(0);
        assert!(served.join().unwrap().contains("audience=sigstore"));
        sign("5.sigstore.json", &[], &[]).ends(2).says("neither a key nor an identity token");
        sign("6.sigstore.json", &["--offline"], &github).ends(2).says("--offline forbids it");
        sign("7.sigstore.json", &["--identity-token", "env:NONE"], &[]).ends(2).says("`$NONE` is not set");
        assert!(fs::metadata(repository.path("5.sigstore.json")).is_err());
    });
}

/// GitHub's endpoint: answers once.
fn github(token: &str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
    let body = json!({"value": token}).to_string();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 8192];
        let length = stream.read(&mut request).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (url, served)
}
