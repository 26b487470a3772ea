//! An issuer's keys that rotate, and an issuer that is gone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::issuer::{Issuer, Key};
use crate::login::site;
use crate::site::{ALL, until};

#[test]
fn a_key_that_was_rotated_in_counts_at_once_and_the_old_one_soon_no_more() {
    let (old, new) = (Key::new("old", 1), Key::new("new", 2));
    let issuer = Issuer::start(&old);
    let site = site(&issuer, ", refresh: 1s");
    let service = site.serve(&[]);
    let claims = issuer.claims("olga@acme.example");
    let (before, after) = (old.sign(&old.header(), &claims), new.sign(&new.header(), &claims));
    let status = |token: &str| service.ask("GET", "/v1/log", Some(token), None).status;
    assert_eq!((status(&before), status(&after)), (200, 401));
    issuer.has(Some(&new));
    // No more often than it is read anew anyway.
    until("the new key counts", || status(&after) == 200);
    until("the old one counts no more", || status(&before) == 401);
}

#[test]
fn keys_of_an_issuer_that_is_gone_count_for_a_while_and_then_nobody_is_let_in_by_them() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let site = site(&issuer, ", refresh: 1s, keep: 4s");
    let service = site.serve(&[]);
    let token = key.sign(&key.header(), &issuer.claims("olga@acme.example"));
    let ask = || service.ask("GET", "/v1/log", Some(&token), None);
    assert_eq!(ask().status, 200);
    issuer.has(None);
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(2) {
        assert_eq!(ask().status, 200, "after {:?}", gone.elapsed());
        sleep(Duration::from_millis(200));
    }
    until("nobody is let in", || ask().status == 503);
    assert!(ask().problem(503).contains("can't be read: "));
    // A program's token is no issuer's.
    assert_eq!(service.ask("GET", "/v1/log", Some(ALL), None).status, 200);
    issuer.has(Some(&key));
    until("it is back", || ask().status == 200);
}

#[test]
fn keys_may_be_a_file_that_is_exchanged() {
    let (old, new) = (Key::new("a", 1), Key::new("a", 2));
    let issuer = Issuer::start(&old);
    let site = site(&issuer, ", jwks: keys.json, refresh: 1s");
    let write = |key: &Key| {
        let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": key.public()});
        site.write("keys.json", &serde_json::json!({ "keys": [key] }).to_string());
    };
    write(&old);
    let service = site.serve(&[]);
    let claims = issuer.claims("olga@acme.example");
    let status =
        |key: &Key| service.ask("GET", "/v1/log", Some(&key.sign(&key.header(), &claims)), None).status;
    assert_eq!((status(&old), status(&new)), (200, 401));
    write(&new);
    until("the new file counts", || status(&new) == 200);
    assert_eq!(status(&old), 401);
}
