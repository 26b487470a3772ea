//! Who is let in, and as whom.

use std::path::Path;

use super::*;
use crate::config::service::Callers;
use crate::time;
use crate::yaml::Source;

const TRUST: &str = "apiVersion: laforge.dev/v1\nkind: Trust\npeople:\n\
    - {name: alice, roles: [release-manager], identities: [{issuer: 'https://id.example', subject: alice@acme.example}]}\n\
    - {name: bob, roles: [auditor], identities: [{issuer: 'https://id.example', subject: u2}]}\n\
    revoked: [{issuer: 'https://id.example', subject: u3, since: '2026-01-01T00:00:00Z', reason: left}]\n";

fn clock() -> Timestamp {
    time::parse("2026-11-24T12:00:00Z").unwrap()
}

fn login(rights: &[Grant]) -> Login {
    let trust = Source::new("trust.yaml", TRUST);
    let mut none = |_: &Path| -> std::io::Result<Vec<u8>> { Err(std::io::ErrorKind::NotFound.into()) };
    let trust = TrustRoot::load(&trust, &mut none, Path::new(""));
    let service = Service {
        access: [
            (Grant::Read, BTreeSet::from(["auditor".to_owned(), "release-manager".to_owned()])),
            (Grant::Control, BTreeSet::from(["release-manager".to_owned()])),
        ]
        .into(),
        tokens: vec![Token {
            name: "argo".to_owned(),
            sha256: Sha256::digest(b"s3cret").into(),
            rights: rights.iter().copied().collect(),
        }],
        engines: Callers::Known,
        ..Service::default()
    };
    Login::of(service, Arc::new(trust.unwrap()), clock).unwrap()
}

fn asked(login: &Login, authorization: &[&str]) -> Result<Caller, Refusal> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    threads.block_on(login.caller(&headers, None))
}

fn person(subject: &str, email: Option<&str>) -> Result<Caller, Refusal> {
    let login = login(&[]);
    let identity = Identity { subject: subject.to_owned(), email: email.map(str::to_owned) };
    let trust = Arc::clone(&login.known.trust.read().unwrap());
    login.named(&trust, "https://id.example", &identity, clock())
}

#[test]
fn a_program_is_known_by_its_token() {
    let login = login(&[Grant::Engine]);
    let argo = Caller::new(Kind::Program, "argo", BTreeSet::from([Right::Engine]));
    assert_eq!(asked(&login, &["Bearer s3cret"]), Ok(argo.clone()));
    assert_eq!(asked(&login, &["bearer s3cret"]), Ok(argo));
    for wrong in ["Bearer s3cres", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret", "Bearer"] {
        assert!(matches!(asked(&login, &[wrong]), Err(Refusal::Unknown(_))), "{wrong}");
    }
}

#[test]
fn nobody_comes_in_without_a_token_unless_it_is_open() {
    let login = login(&[]);
    let missing = Refusal::Unknown("a token is missing: `Authorization: Bearer …`".to_owned());
    assert_eq!(asked(&login, &[]), Err(missing));
    let open = login.open_for([Right::Admission]);
    assert_eq!(
        asked(&open, &[]),
        Ok(Caller::new(Kind::Anyone, "anonymous", BTreeSet::from([Right::Admission])))
    );
    // A token that is wrong is wrong there, too.
    assert!(matches!(asked(&open, &["Bearer x"]), Err(Refusal::Unknown(_))));
    assert!(matches!(asked(&login, &["Bearer s3cret", "Bearer x"]), Err(Refusal::Unknown(_))));
}

#[test]
fn a_person_has_the_rights_of_their_roles() {
    let alice = Caller::new(Kind::Person, "alice", BTreeSet::from([Right::Read, Right::Control]));
    assert_eq!(person("u1", Some("alice@acme.example")), Ok(alice));
    assert_eq!(person("u2", None), Ok(Caller::new(Kind::Person, "bob", BTreeSet::from([Right::Read]))));
}

#[test]
fn nobody_is_somebody_by_a_name_of_their_own_choice() {
    for (subject, email) in [("alice@acme.example", None), ("u9", Some("bob")), ("u9", None)] {
        assert!(matches!(person(subject, email), Err(Refusal::Forbidden(_))), "{subject}");
    }
}

#[test]
fn whoever_is_revoked_stays_outside() {
    let revoked = Refusal::Forbidden("trust has revoked `u3`".to_owned());
    assert_eq!(person("u3", Some("alice@acme.example")), Err(revoked));
}
