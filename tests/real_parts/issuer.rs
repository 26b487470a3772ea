//! An OIDC issuer: discovery, keys, tokens (<https://openid.net/specs/openid-connect-discovery-1_0.html>).
//!
//! A path prefix is an issuer of its own; all of them share one ES256 key.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub const PORT: u16 = 7001;
/// Who vouches for people.
pub const PEOPLE: &str = "http://127.0.0.1:7001";
/// Who vouches for other people, of the same addresses.
pub const OTHER: &str = "http://127.0.0.1:7001/other";
/// Who vouches for CI jobs.
pub const CI: &str = "http://127.0.0.1:7001/ci";

/// The issuer's key; it serves until the process ends.
pub struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    /// Makes a key and serves it.
    pub fn start() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}]});
        let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let path = lines
                    .next()
                    .and_then(|line| line.split(' ').nth(1).map(str::to_owned))
                    .unwrap_or_default();
                lines.find(String::is_empty);
                let body = answer(&path, &keys).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}",
                    body.len()
                );
                // A client that went away asks again.
                let _ = (&stream).write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes());
            })
        });
        Self { key }
    }

    /// A token of these claims, good for ten minutes.
    pub fn token(&self, issuer: &str, claims: &Value) -> String {
        let now = chrono::Utc::now().timestamp();
        let mut all = json!({"iss": issuer, "aud": "sigstore", "iat": now, "nbf": now - 5, "exp": now + 600});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "1", "typ": "JWT"})), part(&all));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A person's token.
    pub fn person(&self, issuer: &str, email: &str) -> String {
        self.token(issuer, &json!({"sub": email, "email": email, "email_verified": true}))
    }
}

fn answer(path: &str, keys: &Value) -> Value {
    match path.strip_suffix("/.well-known/openid-configuration") {
        Some(prefix) => {
            let issuer = format!("http://127.0.0.1:{PORT}{prefix}");
            json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
                "authorization_endpoint": format!("{issuer}/auth"), "token_endpoint": format!("{issuer}/token"),
                "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"]})
        }
        None => keys.clone(),
    }
}
