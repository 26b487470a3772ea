//! An issuer of tokens: its keys over HTTP, and whatever somebody might sign.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) const AUDIENCE: &str = "laforge";

/// A key of an issuer.
pub(crate) struct Key {
    pub(crate) id: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(crate) fn new(id: &str, seed: u8) -> Self {
        Self { id: id.to_owned(), pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap() }
    }

    pub(crate) fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "x": self.public()})
    }

    /// A token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.id, "typ": "JWT"})
    }
}

/// What an issuer serves: its discovery document and its keys.
pub(crate) struct Issuer {
    pub(crate) url: String,
    keys: Arc<Mutex<Option<Value>>>,
}

impl Issuer {
    pub(crate) fn start(key: &Key) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(Some(json!({"keys": [key.jwk()]}))));
        let (served, here) = (Arc::clone(&keys), url.clone());
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &here, served.lock().unwrap().as_ref());
            }
        });
        Self { url, keys }
    }

    /// Its keys from now on; none where it is gone.
    pub(crate) fn has(&self, key: Option<&Key>) {
        *self.keys.lock().unwrap() = key.map(|key| json!({"keys": [key.jwk()]}));
    }

    /// The claims of somebody, for an hour.
    pub(crate) fn claims(&self, email: &str) -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({
            "iss": self.url, "sub": format!("id-of-{email}"), "aud": AUDIENCE, "iat": now, "exp": now + 3600,
            "email": email, "email_verified": true,
        })
    }
}

fn answer(mut stream: TcpStream, url: &str, keys: Option<&Value>) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    let path = String::from_utf8_lossy(&request[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
    let body = match (keys, path.as_str()) {
        (Some(_), "/.well-known/openid-configuration") => {
            Some(json!({"issuer": url, "jwks_uri": format!("{url}/keys")}))
        }
        (Some(keys), "/keys") => Some(keys.clone()),
        _ => None,
    };
    let (status, body) = match body {
        Some(body) => ("200 OK", body.to_string()),
        None => ("503 Service Unavailable", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
