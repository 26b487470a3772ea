//! People who sign in at a real OpenID provider, in a real browser, and what trust lets them do.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::chromium::{self, Browser};
use crate::desk::{Desk, Studio};

/// The provider, until it is dropped.
struct Provider {
    child: Child,
    port: u16,
}

impl Provider {
    /// One that knows rita and olga, and sends them back to a studio; none where it was not built.
    fn start(desk: &Desk, studio: u16) -> Option<Self> {
        let program = built()?;
        let port = free_port();
        let user = |id: &str, name: &str| {
            format!(
                r#""{id}": {{"ID": "{id}", "Username": "{name}", "Password": "pw-of-{name}", "Email": "{name}@acme.example",
                "EmailVerified": true, "PreferredLanguage": "en"}}"#
            )
        };
        let users = [user("id1", "rita"), user("id2", "olga"), user("id3", "mallory")].join(",");
        desk.write("users.json", &format!("{{{users}}}"));
        let child = Command::new(program)
            .env("PORT", port.to_string())
            .env("USERS_FILE", desk.path("users.json"))
            .env("REDIRECT_URI", format!("http://localhost:{studio}/login/back"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        answers(port);
        Some(Self { child, port })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn built() -> Option<PathBuf> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parts/issuer/build");
    let output = Command::new(script).arg("--where").output().unwrap();
    let program = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()).join("issuer");
    if program.is_file() {
        return Some(program);
    }
    chromium::skip("the OpenID provider is not built: tests/parts/issuer/build");
    None
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn answers(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("localhost", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing answers at {port}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A desk whose studio people sign in to: rita may control, olga reads.
fn visit() -> Option<(Desk, Provider, Studio, Browser, String)> {
    let browser = chromium::found()?;
    let desk = Desk::decided().executes();
    let port = free_port();
    let provider = Provider::start(&desk, port)?;
    let issuer = format!("http://localhost:{}/", provider.port);
    let url = format!("http://localhost:{port}");
    desk.write("secret.txt", "secret\n");
    let service = format!(
        "\nservice:\n  oidc: [{{issuer: '{issuer}', audience: web}}]\n  access: {{read: [releaser, auditor], control: \
         [releaser]}}\n  studio: {{url: '{url}', secret: secret.txt}}\n"
    );
    desk.write("laforge.yaml", &(desk.read("laforge.yaml") + &service));
    let person = |name: &str, role: &str| {
        format!(
            "- {{name: {name}, roles: [{role}], identities: [{{issuer: '{issuer}', subject: {name}@acme.example}}]}}\n"
        )
    };
    let people = [person("rita", "releaser"), person("olga", "auditor")].concat();
    let trust = desk.read("trust.yaml").replace("people:\n", &format!("people:\n{people}"));
    desk.write("trust.yaml", &trust);
    let studio = desk.studio_for_people(port);
    Some((desk, provider, studio, browser, url))
}

fn sign_in(browser: &mut Browser, name: &str) {
    browser.until("document.querySelector('input[name=username]') !== null");
    browser.click("input[name=username]");
    browser.types(name);
    browser.click("input[name=password]");
    browser.types(&format!("pw-of-{name}"));
    browser.click("button[type=submit]");
}

#[test]
fn somebody_signs_in_where_they_were_going_and_signs_out() {
    let Some((_desk, _provider, _studio, mut browser, url)) = visit() else { return };
    browser.go(&format!("{url}/decisions?verdict=fail"));
    sign_in(&mut browser, "rita");
    browser.until("location.pathname === '/decisions' && location.search === '?verdict=fail'");
    browser.sees("rita");
    browser.sees("may control");
    assert!(browser.axe().is_empty());
    browser.picture("signed-in-1280");
    // A script can't read the cookie.
    assert_eq!(browser.value("document.cookie"), "");
    browser.click("form.out button");
    browser.sees("Signed out");
    assert!(browser.axe().is_empty());
    browser.picture("signed-out-1280");
}

#[test]
fn who_reads_is_shown_no_way_to_control_and_whoever_trust_does_not_name_nothing() {
    let Some((_desk, _provider, _studio, mut browser, url)) = visit() else { return };
    browser.go(&url);
    sign_in(&mut browser, "olga");
    browser.sees("reads only");
    let Some((_desk, _provider, _studio, mut browser, url)) = visit() else { return };
    browser.go(&url);
    sign_in(&mut browser, "mallory");
    browser.sees("trust names nobody who is mallory@acme.example");
    assert!(browser.axe().is_empty());
    browser.picture("not-signed-in-1280");
    browser.go(&format!("{url}/decisions"));
    browser.until("!document.body.innerText.includes('Decisions')");
}

#[test]
fn whoever_trust_drops_is_out_within_seconds_and_without_the_issuer_sessions_go_on() {
    let Some((desk, provider, studio, mut browser, url)) = visit() else { return };
    browser.go(&url);
    sign_in(&mut browser, "rita");
    browser.sees("may control");
    drop(provider);
    browser.go(&format!("{url}/decisions"));
    browser.sees("rita");
    let trust = desk.read("trust.yaml").replace("rita@acme.example", "somebody@acme.example");
    fs::write(desk.path("trust.yaml"), trust).unwrap();
    let began = Instant::now();
    loop {
        browser.go(&format!("{url}/decisions"));
        if browser.value("document.body.innerText").as_str().unwrap().contains("Not any more") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "she is still in");
        thread::sleep(Duration::from_millis(500));
    }
    // Nobody else gets in, and it is said why.
    let answer = studio.ask("GET", "/login", &[], b"");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("the issuer can't be asked"));
}
