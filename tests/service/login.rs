//! Who is let in where.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Issuer, Key};
use crate::site::{ALL, NOBODY, READER, Service, Site};

/// A site where alice releases, olga reads, and an issuer says who they are.
pub(crate) fn site(issuer: &Issuer, more: &str) -> Site {
    let site = Site::with(&format!(
        "  oidc: [{{issuer: '{}', audience: {AUDIENCE}{more}}}]\n  access: {{read: [auditor, release-manager], control: \
         [release-manager], evaluate: [release-manager]}}\n  admission: {{environment: production, callers: known}}\n",
        issuer.url
    ));
    let person = |name: &str, role: &str| {
        format!(
            "- {{name: {name}, roles: [{role}], identities: [{{issuer: '{}', subject: {name}@acme.example}}]}}\n",
            issuer.url
        )
    };
    let people =
        [person("rita", "release-manager"), person("olga", "auditor"), person("nora", "guest")].concat();
    site.edit("trust.yaml", "people:\n", &format!("people:\n{people}"));
    site
}

/// Method and path of everything that the document names, with values for its parameters.
fn routes(service: &Service) -> Vec<(String, String, bool)> {
    let document = service.get("/openapi.json").json();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path.replace("{index}", "0").replace("{target}", "payments-prod");
            let path = path.replace("{verb}", "pause").replace("{gate}", "start");
            let open = operation["security"].as_array().unwrap().is_empty();
            routes.push((method.to_uppercase(), path, open));
        }
    }
    assert_eq!(routes.len(), 19);
    routes
}

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[name] = member;
    value
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_bad_token_is_refused_on_every_route_but_probes() {
    let (key, other) = (Key::new("a", 1), Key::new("a", 2));
    let issuer = Issuer::start(&key);
    let site = site(&issuer, "");
    let service = site.serve(&[]);
    let (header, claims) = (key.header(), issuer.claims("rita@acme.example"));
    let now = chrono::Utc::now().timestamp();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none", "kid": "a"})), part(&claims));
    // Whoever takes the public key for a secret would take this.
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "a"})), part(&claims));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public().as_bytes());
    let symmetric =
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&secret, signed.as_bytes()).as_ref()));
    let elsewhere = format!("{}/elsewhere", issuer.url);
    let bad = [
        ("none", None),
        ("nonsense", Some("nonsense".to_owned())),
        ("expired", Some(key.sign(&header, &with(&claims, "exp", json!(now - 120))))),
        ("not yet", Some(key.sign(&header, &with(&claims, "nbf", json!(now + 600))))),
        ("alg none", Some(unsigned)),
        ("a public key as a secret", Some(symmetric)),
        ("another issuer's key", Some(other.sign(&header, &claims))),
        ("another issuer", Some(key.sign(&header, &with(&claims, "iss", json!("https://id.example"))))),
        ("another audience", Some(key.sign(&header, &with(&claims, "aud", json!("other"))))),
        ("a key id that points elsewhere", Some(key.sign(&with(&header, "kid", json!(elsewhere)), &claims))),
        ("a header that points elsewhere", Some(key.sign(&with(&header, "jku", json!(elsewhere)), &claims))),
        ("something critical", Some(key.sign(&with(&header, "crit", json!(["b64"])), &claims))),
    ];
    let good = key.sign(&header, &claims);
    assert_eq!(service.ask("GET", "/v1/log", Some(&good), None).status, 200);
    let routes = routes(&service);
    for (method, path, open) in &routes {
        for (what, token) in &bad {
            let answer = service.ask(method, path, token.as_deref(), Some(&json!({})));
            match open {
                true => assert_eq!(answer.status, 200, "{what} {method} {path}"),
                false => {
                    answer.problem(401);
                    assert_eq!(
                        answer.challenge.as_deref(),
                        Some("Bearer realm=\"laforge\""),
                        "{what} {path}"
                    );
                }
            }
        }
        if !open {
            for (what, token) in [
                ("a token without rights", NOBODY.to_owned()),
                ("a person whose role has none", key.sign(&header, &issuer.claims("nora@acme.example"))),
                ("somebody whom trust does not name", key.sign(&header, &issuer.claims("eve@acme.example"))),
                (
                    "an address that nobody verified",
                    key.sign(&header, &with(&claims, "email_verified", json!(false))),
                ),
            ] {
                let said = service.ask(method, path, Some(&token), Some(&json!({}))).problem(403);
                assert!(!said.is_empty(), "{what} {method} {path}");
            }
        }
    }
    assert_eq!(site.entries().len(), 1, "somebody had something decided");
}

#[test]
fn reading_and_controlling_are_rights_of_their_own() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let site = site(&issuer, "");
    site.roll_out();
    let service = site.serve(&[]);
    let token = |name: &str| key.sign(&key.header(), &issuer.claims(&format!("{name}@acme.example")));
    let (olga, rita) = (token("olga"), token("rita"));
    let pause = |token: &str| {
        let path = "/v1/rollouts/payments-prod/pause";
        service.ask("POST", path, Some(token), Some(&json!({"reason": "so"}))).status
    };
    assert_eq!(service.ask("GET", "/v1/log", Some(&olga), None).status, 200);
    assert_eq!((pause(&olga), pause(READER)), (403, 403));
    // Nothing is rolled out: 409 is past the door.
    assert_eq!((pause(&rita), pause(ALL)), (409, 409));
    let evaluated = service.ask("POST", "/v1/evaluate", Some(&olga), Some(&json!({})));
    assert!(evaluated.problem(403).contains("`olga` has no right to `evaluate`"));
    assert_eq!(service.ask("POST", "/v1/evaluate", Some(&rita), Some(&json!({}))).status, 200);
    let entries = site.entries();
    let decision = entries.iter().rev().find(|entry| entry["type"] == "decision").unwrap();
    assert_eq!(decision["actor"], json!({"id": "rita", "type": "person", "verified": true}));
    assert_eq!(service.ask("POST", "/v1/evaluate", Some(ALL), Some(&json!({"dryRun": true}))).status, 200);
    let entries = site.entries();
    let decision = entries.iter().rev().find(|entry| entry["type"] == "decision").unwrap();
    assert_eq!(decision["actor"], json!({"id": "tester", "type": "workload", "verified": true}));
}

#[test]
fn nothing_is_open_that_is_not_opened() {
    let site = Site::new();
    let text = site.read("laforge.yaml");
    let (before, _) = text.split_once("\nservice:\n").unwrap();
    site.write("laforge.yaml", before);
    let service = site.serve(&[]);
    for path in ["/v1/log", "/metrics", "/openapi.json"] {
        let said = service.ask("GET", path, None, None).problem(401);
        assert_eq!(said, "nobody can log in: `service:` in laforge.yaml names neither `oidc` nor `tokens`");
    }
    let open = site.serve(&["--insecure-read"]);
    assert_eq!(open.ask("GET", "/v1/log", None, None).status, 200);
    assert_eq!(open.ask("POST", "/v1/evaluate", None, Some(&json!({}))).status, 401);
}
