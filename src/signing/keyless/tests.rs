//! Tokens read and refused; services that answer wrongly, on this machine. Signing itself: `tests/real_parts`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::ambient::{self, TokenRequest};
use super::*;
use crate::time;

const NOW: &str = "2026-03-02T12:00:00Z";

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({"alg": "RS256"})), part(claims), URL_SAFE_NO_PAD.encode("signature"))
}

fn token(seconds_left: i64, audience: &str) -> Token {
    let now = time::parse(NOW).unwrap().timestamp();
    Token::read(&jwt(&json!({"iss": "https://issuer.test", "sub": "u-1", "aud": audience,
        "email": "alice@example.com", "email_verified": true, "exp": now + seconds_left})))
    .unwrap()
}

fn keyless(token: Token, services: Services) -> Result<Keyless, TokenError> {
    Keyless::new(token, services, time::parse(NOW).unwrap())
}

/// An instance whose three services are all at one address.
fn services_at(address: &str) -> Services {
    let at = |version: u32| {
        json!([{"url": format!("http://{address}"), "majorApiVersion": version, "operator": "test",
            "validFor": {"start": "2026-01-01T00:00:00Z"}}])
    };
    let config = json!({"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": at(1),
        "rekorTlogUrls": at(2), "tsaUrls": at(1)});
    Services::read(config.to_string().as_bytes()).unwrap()
}

/// Answers one request with these bytes; gives its address and, at last, the request.
fn answering(answer: String) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 16 * 1024];
        let length = stream.read(&mut request).unwrap();
        // The client hangs up on an answer that is too long.
        let _ = stream.write_all(answer.as_bytes());
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, served)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn trouble(result: Result<Vec<u8>, KeylessError>) -> (Service, Trouble) {
    match result {
        Err(KeylessError::Service { service, trouble, .. }) => (service, trouble),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_names_its_holder_and_hides_its_text() {
    let token = token(600, "sigstore");
    assert_eq!((token.identity(), token.issuer()), ("alice@example.com", "https://issuer.test"));
    assert_eq!(time::to_seconds(token.expires()), "2026-03-02T12:10:00Z");
    assert!(!format!("{token:?}").contains("eyJ"));
    let job = Token::read(&jwt(&json!({"iss": "i", "sub": "repo:acme/payments", "exp": 1}))).unwrap();
    assert_eq!(job.identity(), "repo:acme/payments");
}

#[test]
fn refuses_what_is_no_token_without_quoting_it() {
    for text in ["", "secret", "a.b", "a.!.c", &jwt(&json!({"iss": "i"})), &jwt(&json!([]))] {
        let error = Token::read(text).unwrap_err();
        assert!(matches!(error, TokenError::Unreadable { .. }), "{text}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(Token::read(&jwt(&json!({"iss": "i", "sub": "s", "exp": i64::MAX}))).is_err());
}

#[test]
fn refuses_a_token_whose_time_is_over() {
    for left in [0, -1, -86_400] {
        let refused = keyless(token(left, "sigstore"), services_at("127.0.0.1:1")).unwrap_err();
        assert!(matches!(refused, TokenError::Expired { .. }), "{left}");
    }
    assert!(keyless(token(1, "sigstore"), services_at("127.0.0.1:1")).is_ok());
}

#[test]
fn the_public_instance_takes_its_own_audience_only_and_a_private_one_decides_itself() {
    let refused = keyless(token(600, "kubernetes"), Services::public_good().unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the identity token is for the audience `kubernetes`, and `sigstore` is wanted"
    );
    assert!(keyless(token(600, "sigstore"), Services::public_good().unwrap()).is_ok());
    assert!(keyless(token(600, "acme"), services_at("127.0.0.1:1")).is_ok());
}

#[test]
fn says_which_service_refused_and_what_it_said_cut_short() {
    let (address, served) = answering(http("401 Unauthorized", &"no\n".repeat(10_000)));
    let signer = keyless(token(600, "sigstore"), services_at(&address)).unwrap();
    let (service, trouble) = trouble(signer.artifact_bundle(b"app"));
    let Trouble::Refused { status: 401, said } = trouble else { panic!("{trouble:?}") };
    assert_eq!(service, Service::Authority);
    assert!(said.contains("no no no") && said.chars().count() < 250, "{said}");
    assert!(served.join().unwrap().starts_with("POST /api/v2/signingCert"));
}

#[test]
fn follows_no_redirect_with_a_token() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.local_addr().unwrap()
    );
    let (address, served) = answering(answer);
    let signer = keyless(token(600, "sigstore"), services_at(&address)).unwrap();
    let (_, trouble) = trouble(signer.artifact_bundle(b"app"));
    assert!(matches!(trouble, Trouble::Refused { status: 307, .. }), "{trouble:?}");
    served.join().unwrap();
    assert!(elsewhere.accept().is_err(), "somebody came");
}

#[test]
fn says_which_service_is_down() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let signer = keyless(token(600, "sigstore"), services_at(&free)).unwrap();
    let error = signer.artifact_bundle(b"app").unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("the certificate authority (Fulcio) at http://{free} can't be reached")),
        "{error}"
    );
}

#[test]
fn asks_no_service_to_sign_what_may_not_be_signed() {
    let signer = keyless(token(600, "sigstore"), services_at("127.0.0.1:1")).unwrap();
    let encoding = signer.artifact_bundle(b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    assert!(matches!(encoding, Err(KeylessError::Signing(SigningError::PreAuthenticationEncoding))));
    let empty = signer.statement_bundle(&json!({"_type": "https://in-toto.io/Statement/v1", "subject": []}));
    assert!(matches!(empty, Err(KeylessError::Signing(SigningError::BadStatement { .. }))));
}

#[test]
fn a_job_asks_its_endpoint_for_a_token_of_the_audience() {
    let body = json!({"value": jwt(&json!({"iss": "i", "sub": "repo:acme/payments", "exp": 1}))}).to_string();
    let (address, served) = answering(http("200 OK", &body));
    let request = TokenRequest { url: format!("http://{address}/token?api=1"), bearer: "job".to_owned() };
    assert_eq!(ambient::fetch(&request).unwrap().identity(), "repo:acme/payments");
    let asked = served.join().unwrap();
    assert!(asked.starts_with("GET /token?api=1&audience=sigstore "), "{asked}");
    assert!(asked.contains("authorization: Bearer job"), "{asked}");
    assert!(!format!("{request:?}").contains("\"job\""));
}

#[test]
fn refuses_an_endpoint_that_answers_otherwise() {
    let long = "x".repeat(300 * 1024);
    for (answer, wanted) in [
        (http("403 Forbidden", "no id-token: write"), "refused with HTTP 403: no id-token: write"),
        (http("200 OK", "{}"), "gave no answer that can be used: missing field `value`"),
        (http("200 OK", &long), "gave no answer that can be used: it has more than"),
    ] {
        let (address, served) = answering(answer);
        let request = TokenRequest { url: format!("http://{address}"), bearer: "job".to_owned() };
        let error = ambient::fetch(&request).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        served.join().unwrap();
    }
    let clear = TokenRequest { url: "http://ci.example/token".to_owned(), bearer: "job".to_owned() };
    assert!(matches!(ambient::fetch(&clear), Err(KeylessError::Services(ServicesError::Exposed { .. }))));
}
