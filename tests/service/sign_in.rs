//! People who sign in to the studio: the way there and back, and each way around it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking::{Client, ClientBuilder, Response};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Issuer, Key};
use crate::site::Site;
use crate::tls::{authority, issue, trusting};

/// The studio, and a browser that follows nothing by itself.
struct Studio {
    child: Child,
    url: String,
    client: Client,
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One attempt to sign in: what the studio sent the browser away with.
struct Sent {
    cookie: String,
    address: Url,
}

impl Sent {
    fn told(&self, name: &str) -> String {
        self.address.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn site(issuer: &Issuer, more: &str) -> (Site, u16) {
    let port = free_port();
    let site = crate::login::site(issuer, "");
    let studio = format!("  studio: {{url: 'http://127.0.0.1:{port}'{more}}}\n");
    site.edit("laforge.yaml", "  access:", &format!("{studio}  access:"));
    (site, port)
}

fn serve(site: &Site, port: u16) -> Studio {
    serve_at(site, &format!("http://127.0.0.1:{port}"), &[], Client::builder())
}

fn serve_at(site: &Site, url: &str, more: &[&str], client: ClientBuilder) -> Studio {
    let said = site.path(".studio");
    let listen = url.split_once("://").unwrap().1;
    let child = Command::new(env!("CARGO_BIN_EXE_laforge"))
        .args(["studio", "--listen", listen])
        .args(more)
        .current_dir(site.path("."))
        .env("XDG_CACHE_HOME", site.path(".cache"))
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let client = client.redirect(Policy::none()).no_proxy().pool_max_idle_per_host(0);
    let studio = Studio { child, url: url.to_owned(), client: client.build().unwrap() };
    let began = Instant::now();
    while studio.client.get(format!("{}/livez", studio.url)).send().is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", site.read(".studio"));
        sleep(Duration::from_millis(20));
    }
    studio
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// What a browser sends back of a cookie.
fn kept(set: &str) -> String {
    set.split(';').next().unwrap().to_owned()
}

impl Studio {
    fn get(&self, path: &str, cookie: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).header("cookie", cookie).send().unwrap()
    }

    fn sends_to_sign_in(&self, back: &str) -> Sent {
        let response = self.get(&format!("/login?back={back}"), "");
        assert_eq!(response.status(), 303);
        let set = header(&response, "set-cookie");
        assert!(set.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{set}");
        Sent { cookie: kept(&set), address: header(&response, "location").parse().unwrap() }
    }

    /// Comes back from the issuer.
    fn comes_back(&self, sent: &Sent, query: &str) -> Response {
        self.get(&format!("/login/back?{query}"), &sent.cookie)
    }
}

/// A token that answers an attempt, with one member another.
fn token(key: &Key, issuer: &Issuer, sent: &Sent, changed: &[(&str, Value)]) -> String {
    let mut claims = issuer.claims("rita@acme.example");
    claims["nonce"] = json!(sent.told("nonce"));
    for (name, value) in changed {
        claims[*name] = value.clone();
    }
    json!({"access_token": "a", "token_type": "Bearer", "id_token": key.sign(&key.header(), &claims)})
        .to_string()
}

fn state(sent: &Sent) -> String {
    format!("code=c0de&state={}", sent.told("state"))
}

#[test]
fn whoever_asks_for_a_page_is_sent_to_the_issuer_and_comes_back_to_it() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, ", secret: secret.txt");
    site.write("secret.txt", "s%cret\n");
    let studio = serve(&site, port);
    let asked = studio.get("/decisions?verdict=deny", "");
    assert_eq!(asked.status(), 303);
    let way = header(&asked, "location");
    let sent = studio.sends_to_sign_in(way.strip_prefix("/login?back=").unwrap());
    assert!(sent.address.as_str().starts_with(&format!("{}/authorize?a=b&", issuer.url)), "{}", sent.address);
    let told = ["response_type", "client_id", "redirect_uri", "scope", "code_challenge_method"];
    let back = format!("{}/login/back", studio.url);
    assert_eq!(told.map(|name| sent.told(name)), ["code", AUDIENCE, &back, "openid email", "S256"]);

    issuer.redeems(200, &token(&key, &issuer, &sent, &[]));
    let response = studio.comes_back(&sent, &state(&sent));
    assert_eq!(
        (response.status().as_u16(), header(&response, "location")),
        (303, "/decisions?verdict=deny".into())
    );
    let cookies: Vec<String> =
        response.headers().get_all("set-cookie").iter().map(|set| set.to_str().unwrap().to_owned()).collect();
    let [session, gone] = cookies.as_slice() else { panic!("{cookies:?}") };
    assert!(session.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"), "{session}");
    assert!(gone.starts_with("laforge_login=; ") && gone.contains("Max-Age=0"), "{gone}");
    let [redeemed] = issuer.redeemed().try_into().unwrap();
    // `laforge:s%25cret`, both as a form would write them.
    assert!(redeemed.contains("authorization: Basic bGFmb3JnZTpzJTI1Y3JldA=="), "{redeemed}");
    let form = redeemed.split_once("\r\n\r\n").unwrap().1;
    let encoded = back.replace(':', "%3A").replace('/', "%2F");
    assert!(form.starts_with(&format!(
        "grant_type=authorization_code&code=c0de&redirect_uri={encoded}&code_verifier="
    )));
    // The verifier is what the challenge was made of.
    let verifier = form.rsplit_once('=').unwrap().1;
    assert_eq!(crate::site::sha256(verifier).len(), 64);
    let digest = hex::decode(crate::site::sha256(verifier)).unwrap();
    use base64::Engine as _;
    assert_eq!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest), sent.told("code_challenge"));

    let page = studio.get("/decisions", &kept(session));
    assert_eq!(page.status(), 200);
    let page = page.text().unwrap();
    assert!(page.contains("rita") && page.contains("may control"));
    // A session ends where it was ended, and not by a form of elsewhere.
    let token = page.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let out = |site: &str| {
        let request = studio.client.post(format!("{}/logout", studio.url)).header("cookie", kept(session));
        request.header("sec-fetch-site", site).body(format!("token={token}")).send().unwrap().status()
    };
    assert_eq!(out("cross-site"), 403);
    assert_eq!(studio.get("/decisions", &kept(session)).status(), 200);
    assert_eq!(out("same-origin"), 200);
    assert_eq!(studio.get("/decisions", &kept(session)).status(), 303);
}

#[test]
fn without_a_session_nothing_is_shown_and_nothing_is_done() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    let studio = serve(&site, port);
    let claims = issuer.claims("rita@acme.example");
    for path in
        ["/", "/decisions", "/decisions/0", "/approvals", "/rollouts", "/policies", "/log", "/nowhere"]
    {
        for cookie in ["", "laforge_studio=", "laforge_studio=guess", "__Host-laforge_studio=guess"] {
            let response = studio.get(path, cookie);
            assert_eq!(response.status(), 303, "{path} {cookie}");
            assert!(header(&response, "location").starts_with("/login?back="), "{path}");
        }
        // A token is for programs, which ask the runtime.
        let bearer = format!("Bearer {}", key.sign(&key.header(), &claims));
        let request = studio.client.get(format!("{}{path}", studio.url)).header("authorization", bearer);
        assert_eq!(request.send().unwrap().status(), 303, "{path}");
        // What no browser navigates to is not sent anywhere.
        let request = studio.client.get(format!("{}{path}", studio.url)).header("sec-fetch-mode", "cors");
        assert_eq!(request.send().unwrap().status(), 401, "{path}");
        let posted = studio.client.post(format!("{}{path}", studio.url)).body("token=guess").send().unwrap();
        assert_eq!(posted.status(), 401, "{path}");
    }
    for path in ["/livez", "/readyz", "/static/icon.svg"] {
        assert_eq!(studio.get(path, "").status(), 200, "{path}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_way_around_the_issuer_is_refused() {
    let (key, other) = (Key::new("a", 1), Key::new("a", 2));
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    let studio = serve(&site, port);
    let now = chrono::Utc::now().timestamp();
    let refused = |what: &str, response: Response, status: u16, why: &str| {
        assert_eq!(response.status().as_u16(), status, "{what}");
        let set: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert!(set.is_empty(), "{what}: {set:?}");
        let text = response.text().unwrap();
        assert!(text.contains(why), "{what}: {text}");
    };
    // What a token may not say.
    for (what, changed, why) in [
        ("another attempt's", vec![("nonce", json!("0"))], "it answers another request"),
        ("no attempt's", vec![("nonce", json!(null))], "it answers another request"),
        ("another audience", vec![("aud", json!("other"))], "it is for another audience"),
        ("another issuer", vec![("iss", json!("https://id.example"))], "it is of no issuer"),
        ("expired", vec![("exp", json!(now - 120))], "it has expired"),
        ("nobody of trust", vec![("email", json!("m@evil.example"))], "trust names nobody"),
        ("an address of one's own choice", vec![("email_verified", json!(false))], "is not taken"),
    ] {
        let sent = studio.sends_to_sign_in("/");
        issuer.redeems(200, &token(&key, &issuer, &sent, &changed));
        refused(what, studio.comes_back(&sent, &state(&sent)), 403, why);
    }
    let sent = studio.sends_to_sign_in("/");
    issuer.redeems(200, &token(&other, &issuer, &sent, &[]));
    refused("another key", studio.comes_back(&sent, &state(&sent)), 403, "signature is not the issuer");

    // What the issuer may answer.
    for (what, status, body, why) in [
        (
            "refused",
            400,
            r#"{"error": "invalid_grant", "error_description": "used <twice>"}"#,
            "used &lt;twice&gt;",
        ),
        ("no JSON", 200, "<html>", "holds no `id_token`"),
        ("no token", 200, r#"{"access_token": "a"}"#, "holds no `id_token`"),
        ("no signature", 200, r#"{"id_token": "e30.e30."}"#, "it is no JSON Web Token"),
    ] {
        let sent = studio.sends_to_sign_in("/");
        issuer.redeems(status, body);
        let why = why.replace("`id_token`", "<code>id_token</code>");
        refused(what, studio.comes_back(&sent, &state(&sent)), 403, &why);
    }
    issuer.redeems(200, &"a".repeat(600_000));
    let sent = studio.sends_to_sign_in("/");
    refused("endless", studio.comes_back(&sent, &state(&sent)), 503, "is longer than");

    // What may be brought back.
    let (mine, theirs) = (studio.sends_to_sign_in("/"), studio.sends_to_sign_in("/"));
    issuer.redeems(200, &token(&key, &issuer, &mine, &[]));
    issuer.redeemed();
    let begun = "was not begun in this browser";
    refused("another browser's answer", studio.comes_back(&mine, &state(&theirs)), 403, begun);
    refused("no state", studio.comes_back(&mine, "code=c0de"), 403, begun);
    refused("no cookie", studio.get(&format!("/login/back?{}", state(&mine)), ""), 403, begun);
    let (seed, rest) = mine.cookie.split_once('.').unwrap();
    let (until, back) = rest.split_once('.').unwrap();
    let longer = until.parse::<i64>().unwrap() + 600;
    for cookie in
        [format!("{seed}.{longer}.{back}"), format!("{seed}.{until}.{}", hex::encode("//evil.example"))]
    {
        let sent = Sent { cookie, address: mine.address.clone() };
        refused("a cookie of one's own", studio.comes_back(&sent, &state(&mine)), 403, begun);
    }
    let iss = format!("{}&iss=https://id.example", state(&mine));
    refused("another issuer's answer", studio.comes_back(&mine, &iss), 403, "another issuer");
    let said = format!("state={}&error=access_denied&error_description=<b>no</b>", mine.told("state"));
    refused("a refusal", studio.comes_back(&mine, &said), 403, "The issuer says: &lt;b&gt;no&lt;/b&gt;");
    assert!(issuer.redeemed().is_empty(), "no code was shown to the issuer");

    // The issuer is gone, and comes back.
    issuer.has(None);
    refused("gone", studio.get("/login", ""), 503, "the issuer can't be asked");
    issuer.has(Some(&key));
    assert_eq!(studio.comes_back(&mine, &state(&mine)).status(), 303);
}

#[test]
fn an_address_that_is_not_in_the_token_is_asked_for_and_is_of_the_same_one() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    let studio = serve(&site, port);
    let (rita, id) = ("rita@acme.example", "id-of-rita@acme.example");
    for (person, status) in [
        (json!({"sub": id, "email": rita, "email_verified": true}), 303),
        (json!({"sub": id, "email": rita, "email_verified": false}), 403),
        (json!({"sub": id, "email": rita}), 403),
        (json!({"sub": "id-of-mallory", "email": rita, "email_verified": true}), 403),
        (json!({"email": rita, "email_verified": true}), 403),
        (json!(null), 403),
    ] {
        let sent = studio.sends_to_sign_in("/");
        issuer.redeems(200, &token(&key, &issuer, &sent, &[("email", json!(null))]));
        issuer.tells(person.clone());
        assert_eq!(studio.comes_back(&sent, &state(&sent)).status(), status, "{person}");
    }
}

#[test]
fn one_comes_back_to_a_page_of_the_studio_and_to_nothing_else() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    let studio = serve(&site, port);
    for (back, to) in [
        ("%2Flog", "/log"),
        ("%2Frollouts%3Fa%3Db", "/rollouts?a=b"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2Flogin", "/"),
        ("%2Flogout", "/"),
        ("%2F%0D%0ASet-Cookie%3A%20a", "/"),
    ] {
        let sent = studio.sends_to_sign_in(back);
        issuer.redeems(200, &token(&key, &issuer, &sent, &[]));
        let response = studio.comes_back(&sent, &state(&sent));
        assert_eq!((response.status().as_u16(), header(&response, "location").as_str()), (303, to), "{back}");
    }
}

#[test]
fn over_tls_cookies_never_go_without_and_probes_are_answered_beside_it() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    authority(&site, "ca");
    issue(&site, "ca", "tls");
    site.edit("laforge.yaml", "studio: {url: 'http://", "studio: {url: 'https://");
    let probes = format!("127.0.0.1:{}", free_port());
    let more = ["--tls-certificate", "tls.crt", "--tls-key", "tls.key", "--probes", &probes];
    let studio = serve_at(&site, &format!("https://127.0.0.1:{port}"), &more, trusting(&site, "ca"));
    let response = studio.get("/login", "");
    let set = header(&response, "set-cookie");
    let (name, _) = set.split_once('=').unwrap();
    assert_eq!(name, "__Host-laforge_login");
    assert!(set.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{set}");
    assert_eq!(header(&response, "strict-transport-security"), "max-age=31536000");
    let sent = Sent { cookie: kept(&set), address: header(&response, "location").parse().unwrap() };
    issuer.redeems(200, &token(&key, &issuer, &sent, &[]));
    let response = studio.comes_back(&sent, &state(&sent));
    let set = header(&response, "set-cookie");
    assert!(set.starts_with("__Host-laforge_studio=") && set.ends_with("; SameSite=Lax; Secure"), "{set}");
    assert_eq!(studio.get("/decisions", &kept(&set)).status(), 200);
    // A name that another host could set is none of ours.
    assert_eq!(studio.get("/decisions", kept(&set).trim_start_matches("__Host-")).status(), 303);
    for path in ["/livez", "/readyz"] {
        assert_eq!(reqwest::blocking::get(format!("http://{probes}{path}")).unwrap().status(), 200, "{path}");
    }
    for path in ["/", "/decisions", "/login"] {
        assert_eq!(reqwest::blocking::get(format!("http://{probes}{path}")).unwrap().status(), 404, "{path}");
    }
}

#[test]
fn a_form_that_does_not_come_gives_its_place_back() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, port) = site(&issuer, "");
    site.edit("laforge.yaml", "  access:", "  limits: {requests: 1}\n  access:");
    let studio = serve(&site, port);
    let mut waits = TcpStream::connect(("127.0.0.1", port)).unwrap();
    waits.write_all(b"POST /logout HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nto").unwrap();
    crate::site::until("the place is taken", || studio.get("/log", "").status() == 503);
    assert_eq!(studio.get("/livez", "").status(), 200, "busy is alive");
    let mut said = String::new();
    waits.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut piece = [0; 512];
    while !said.contains("\r\n\r\n") {
        let length = waits.read(&mut piece).unwrap();
        said.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    crate::site::until("the place is free", || studio.get("/log", "").status() == 303);
}

#[test]
fn what_could_let_nobody_in_does_not_begin() {
    let key = Key::new("a", 1);
    let issuer = Issuer::start(&key);
    let (site, _) = site(&issuer, "");
    let said = site.refused(&["studio", "--control"]);
    assert!(said.contains("--control and --actor are for one's own desk"), "{said}");
    let said = site.refused(&["studio", "--listen", "0.0.0.0:0"]);
    assert!(said.contains("can be reached from other machines, and there is no certificate"), "{said}");
    site.edit("laforge.yaml", "trust: trust.yaml", "");
    let said = site.refused(&["studio"]);
    assert!(said.contains("people sign in to the studio by trust, and there is none"), "{said}");
}
