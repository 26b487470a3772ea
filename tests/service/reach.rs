//! Which registries the service asks for whoever may have releases decided: none inside its network that nobody listed,
//! however it is spelled, whatever its name leads to, and whoever leads there.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{Answer, Service, Site};
use crate::skipped;

/// Something inside the network, which counts who connects, and says nothing.
struct Inside {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Inside {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inside = Self { port: listener.local_addr().unwrap().port(), came: Arc::default() };
        let came = Arc::clone(&inside.came);
        // It ends with the test.
        thread::spawn(move || {
            for _ in listener.incoming().flatten() {
                came.fetch_add(1, Ordering::SeqCst);
            }
        });
        inside
    }

    /// How many connected since the last time.
    fn came(&self) -> usize {
        sleep(Duration::from_millis(100));
        self.came.swap(0, Ordering::SeqCst)
    }
}

fn image(repository: &str) -> String {
    format!("{repository}@sha256:{}", crate::site::sha256(repository))
}

fn asked(service: &Service, repository: &str) -> Answer {
    service.post("/v1/evaluate", &json!({"images": [image(repository)], "dryRun": true}))
}

/// What the report says of the image.
#[track_caller]
fn unreachable(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let report = answer.json()["report"].clone();
    assert_eq!(report["decision"]["verdict"], "error", "{report}");
    report["unreachable"].to_string()
}

#[test]
fn an_address_inside_the_network_is_asked_for_nobody() {
    let site = Site::new();
    let service = site.serve(&[]);
    let inside = Inside::new();
    let port = inside.port;
    let before = site.entries();
    let release = |repository: &str| {
        let mut release: Value = serde_yaml::from_str(&site.read("release.yaml")).unwrap();
        release["spec"]["artifacts"] = json!([{"name": "app", "image": image(repository)}]);
        release["spec"].as_object_mut().unwrap().remove("config");
        json!({"release": release})
    };
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("127.1:{port}"),
        format!("0x7f.1:{port}"),
        format!("2130706433:{port}"),
        format!("0.0.0.0:{port}"),
        "169.254.169.254".to_owned(),
        "168.63.129.16".to_owned(),
        "10.0.0.1:5000".to_owned(),
        "172.16.0.1".to_owned(),
        "192.168.0.1".to_owned(),
        "100.64.0.1".to_owned(),
    ] {
        let repository = format!("{host}/latest/meta-data");
        for answer in [asked(&service, &repository), service.post("/v1/evaluate", &release(&repository))] {
            let said = answer.problem(422);
            assert!(
                said.contains("` is no public address, and not among")
                    && said.contains("`service: registries`"),
                "{host}: {said}"
            );
        }
    }
    assert_eq!((inside.came(), site.entries()), (0, before), "it was asked, or something was recorded");
}

#[test]
fn where_a_name_leads_is_found_out_when_it_is_connected_to() {
    let (site, inside) = (Site::new(), Inside::new());
    let names = "127.0.0.1 localhost registry.example\n10.9.9.9 cache.example\n";
    let Some(service) = site.serve_where(names) else { return skipped("no namespace of mounts") };
    for (repository, at) in [
        (format!("registry.example:{}/a", inside.port), "127.0.0.1"),
        ("cache.example/a".to_owned(), "10.9.9.9"),
    ] {
        let said = unreachable(&asked(&service, &repository));
        assert!(said.contains(&format!("is at {at}, which is no public address")), "{said}");
    }
    assert_eq!(inside.came(), 0, "it was connected to");
    // Listed, it is asked, wherever it is.
    site.edit(
        "laforge.yaml",
        "\nservice:\n",
        &format!("\nservice:\n  registries: ['registry.example:{}']\n", inside.port),
    );
    unreachable(&asked(&service, &format!("registry.example:{}/a", inside.port)));
    assert!(inside.came() > 0, "it was not asked");
    let said = asked(&service, "cache.example/a").problem(422);
    assert!(said.contains("`cache.example` is not among the registries that may be asked here"), "{said}");
}

#[test]
fn the_configured_release_names_its_registry_and_nobody_else_does() {
    let (site, inside, other) = (Site::new(), Inside::new(), Inside::new());
    let mut release: Value = serde_yaml::from_str(&site.read("release.yaml")).unwrap();
    let repository = format!("127.0.0.1:{}/payments", inside.port);
    release["spec"]["artifacts"] = json!([{"name": "app", "image": image(&repository)}]);
    site.write("release.yaml", &release.to_string());
    let service = site.serve(&[]);
    unreachable(&service.post("/v1/evaluate", &json!({"dryRun": true})));
    assert!(inside.came() > 0, "it was not asked");
    // Of another digest: the same one elsewhere would be the image that is configured, and asked for there.
    let elsewhere = format!("127.0.0.1:{}/payments@sha256:{}", other.port, "2".repeat(64));
    service.post("/v1/evaluate", &json!({"images": [elsewhere], "dryRun": true})).problem(422);
    assert_eq!(other.came(), 0);
    // Where registries are listed, that one has to be, too.
    site.edit("laforge.yaml", "\nservice:\n", "\nservice:\n  registries: [docker.io]\n");
    let said = service.post("/v1/evaluate", &json!({"dryRun": true})).problem(422);
    assert!(said.contains("is not among the registries") && said.contains("`service: registries`"), "{said}");
    assert_eq!(inside.came(), 0);
}

/// A registry of a few lines, which sends whoever asks on to somewhere else.
fn leads_to(location: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                format!("HTTP/1.1 307 There\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
            );
        }
    });
    port
}

#[test]
fn a_listed_registry_leads_nowhere_inside() {
    let inside = Inside::new();
    for (location, named) in [
        (format!("http://127.0.0.1:{}/secret", inside.port), format!("127.0.0.1:{}", inside.port)),
        ("https://169.254.169.254/latest/".to_owned(), "169.254.169.254".to_owned()),
        ("https://[fd00:ec2::254]/latest/".to_owned(), "[fd00:ec2::254]".to_owned()),
    ] {
        let port = leads_to(location);
        let site = Site::with(&format!("  registries: ['127.0.0.1:{port}']\n"));
        let service = site.serve(&[]);
        let said = unreachable(&asked(&service, &format!("127.0.0.1:{port}/a")));
        assert!(said.contains(&format!("`{named}` is no public address")), "{said}");
    }
    assert_eq!(inside.came(), 0, "it was connected to");
}

#[test]
fn behind_a_proxy_only_what_is_listed_is_asked() {
    let (site, proxy) = (Site::new(), Inside::new());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let service = site.serve_under(&[("HTTPS_PROXY", url.as_str())]);
    let said = asked(&service, "metadata.example/a").problem(422);
    assert!(said.contains("a proxy hides which address a name leads to"), "{said}");
    assert_eq!(proxy.came(), 0);
    site.edit("laforge.yaml", "\nservice:\n", "\nservice:\n  registries: ['*.example']\n");
    let refused = site.refused(&["runtime", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("`*.example` is no registry"), "{refused}");
    site.edit("laforge.yaml", "'*.example'", "'*.example.com'");
    unreachable(&asked(&service, "r.example.com/a"));
    assert!(proxy.came() > 0, "it was not asked");
}
