//! The dashboard: each of its queries is answered by a real Prometheus that scrapes a real service.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use laforge::serve::metrics::dashboard;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::rollouts::under_way;
use crate::site::Site;
use crate::skipped;

/// A real Prometheus, which scrapes one address each second.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) port: u16,
}

impl Prometheus {
    /// None where it is not installed.
    pub(crate) fn begin(site: &Site, scraped: u16) -> Option<Self> {
        let program = ["/usr/bin/prometheus", "/usr/local/bin/prometheus"];
        let Some(program) = program.into_iter().find(|path| Path::new(path).is_file()) else {
            skipped("`prometheus` is not installed");
            return None;
        };
        let port = free_port();
        site.write(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: laforge\n  \
                 static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]\n"
            ),
        );
        let child = Command::new(program)
            .current_dir(site.path("."))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has, as far as one can know.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_committed_dashboard_is_the_one_that_the_metrics_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana-dashboard-laforge.json");
    let made = format!("{:#}\n", dashboard::dashboard());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == made, "out of date: UPDATE_PAGES=1 cargo test --test service committed");
}

/// What Grafana 11 needs of a dashboard, of its own model: not all of it, and nothing beside it.
#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let schema: Value = serde_json::from_str(include_str!("grafana-dashboard.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let board = dashboard::dashboard();
    let errors: Vec<String> = validator.iter_errors(&board).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut wrong = board.clone();
    wrong["panels"][1]["targets"][0]["expr"] = json!(7);
    assert!(!validator.is_valid(&wrong));
    let ids: std::collections::BTreeSet<u64> =
        board["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), board["panels"].as_array().unwrap().len());
}

#[test]
fn every_query_of_the_dashboard_has_data() {
    let site = Site::with("  admission: {environment: production}\n");
    site.roll_out();
    under_way(&site);
    let service = site.serve(&[]);
    assert_eq!(service.post("/v1/evaluate", &json!({})).status, 200);
    std::fs::remove_file(site.path("evidence/approval-bob.sigstore.json")).unwrap();
    assert_eq!(service.post("/v1/evaluate", &json!({})).json()["report"]["decision"]["action"], "deny");
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                        "request": {"uid": "7", "operation": "DELETE"}});
    assert_eq!(service.post("/v1/admission", &review).status, 200);
    site.laforge(&["audit", "anchor", "--to", "file=anchor", "--record"]);
    let Some(prometheus) = Prometheus::begin(&site, service.probes) else { return };
    let port = prometheus.port;
    let client = Client::builder().no_proxy().build().unwrap();
    let ask = |query: &str| -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        let answer = client.get(url).query(&[("query", query)]).send().ok()?;
        serde_json::from_str(&answer.text().ok()?).ok()
    };
    let began = Instant::now();
    for (panel, query) in dashboard::queries() {
        loop {
            let answer = ask(query);
            let has = answer.as_ref().is_some_and(|answer| {
                answer["status"] == "success" && !answer["data"]["result"].as_array().unwrap().is_empty()
            });
            if has {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "`{panel}` has no data: {query} {answer:?}");
            sleep(Duration::from_millis(200));
        }
    }
    let denied = ask("sum(laforge_gate_decisions_total{action=\"deny\"})").unwrap();
    assert_eq!(denied["data"]["result"][0]["value"][1], "1");
}
