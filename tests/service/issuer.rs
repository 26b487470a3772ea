//! An issuer of tokens: its keys over HTTP, whatever somebody might sign, and what it answers to a code.

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

/// What an issuer serves: its discovery document and its keys; and the answer to the next code.
pub(crate) struct Issuer {
    pub(crate) url: String,
    keys: Arc<Mutex<Option<Value>>>,
    codes: Arc<Mutex<Codes>>,
}

/// What is sent to redeem a code, and what that gives.
#[derive(Default)]
struct Codes {
    answer: (u16, String),
    /// What is told of whoever signed in.
    person: Value,
    asked: Vec<String>,
}

impl Issuer {
    pub(crate) fn start(key: &Key) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(Some(json!({"keys": [key.jwk()]}))));
        let codes = Arc::default();
        let (served, here, redeemed) = (Arc::clone(&keys), url.clone(), Arc::clone(&codes));
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &here, served.lock().unwrap().as_ref(), &redeemed);
            }
        });
        Self { url, keys, codes }
    }

    /// What the next codes give.
    pub(crate) fn redeems(&self, status: u16, body: &str) {
        self.codes.lock().unwrap().answer = (status, body.to_owned());
    }

    /// What is told of whoever signed in, beside their token.
    pub(crate) fn tells(&self, person: Value) {
        self.codes.lock().unwrap().person = person;
    }

    /// What was sent to redeem codes, since this was asked last: heads and forms.
    pub(crate) fn redeemed(&self) -> Vec<String> {
        std::mem::take(&mut self.codes.lock().unwrap().asked)
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

fn answer(mut stream: TcpStream, url: &str, keys: Option<&Value>, codes: &Mutex<Codes>) {
    let request = request(&mut stream);
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, body) = match (keys, path.as_str()) {
        (Some(_), "/.well-known/openid-configuration") => {
            let document = json!({
                "issuer": url, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": format!("{url}/authorize?a=b"),
                "token_endpoint": format!("{url}/token"), "userinfo_endpoint": format!("{url}/person"),
            });
            (200, document.to_string())
        }
        (Some(keys), "/keys") => (200, keys.to_string()),
        (Some(_), "/token") => {
            let mut codes = codes.lock().unwrap();
            codes.asked.push(request);
            codes.answer.clone()
        }
        (Some(_), "/person") if request.contains("authorization: Bearer a\r\n") => {
            (200, codes.lock().unwrap().person.to_string())
        }
        _ => (503, String::new()),
    };
    let head =
        format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// A request with its body, as far as it comes.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).unwrap_or(0);
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let due = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_ascii_lowercase();
            let length = length.split_once("content-length: ").map_or("0", |(_, rest)| rest);
            body.len() >= length.lines().next().unwrap_or("0").parse().unwrap_or(0)
        });
        if due || length == 0 {
            return text;
        }
    }
}
