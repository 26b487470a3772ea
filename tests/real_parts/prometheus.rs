//! Prometheus' samples, of the real one that scrapes two services: exact counts, and never a pass on anything less.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use laforge::plan::members::{FastBurn, Objective};
use laforge::plan::objectives::{ErrorBudget, LatencyBudget, error_metric, latency_metric};
use laforge::rollout::executor::PrometheusSection;
use laforge::rollout::metrics::prometheus::Prometheus;
use laforge::rollout::metrics::{Counted, Metrics as _, MetricsError};
use laforge::rollout::objective::{Budget, Count, Freshness, Instance, Judgement, Progress, Scraped, Side};
use laforge::time::Timestamp;
use tempfile::TempDir;

use super::namespace::beside;
use super::parts::tell;
use super::server::Server;
use super::service::{Load, Service, ask};

const PORT: u16 = 9090;
const BLUE: u16 = 8081;
const GREEN: u16 = 8082;
/// The digests of the two versions, which their series carry.
const OLD: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const NEW: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A Prometheus that scrapes both services each second.
struct Scraping {
    _folder: TempDir,
    _server: Server,
    green: Service,
    blue: Service,
}

impl Scraping {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: app\n  static_configs: \
             [{{targets: ['127.0.0.1:{BLUE}', '127.0.0.1:{GREEN}']}}]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), text).unwrap();
        let (blue, green) = (Service::start(BLUE, OLD), Service::start(GREEN, NEW));
        let address = format!("--web.listen-address=127.0.0.1:{PORT}");
        let arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", &address];
        let ready = || ask(PORT, "/-/ready").is_ok_and(|answer| answer.status == 200);
        let server = Server::start(folder.path(), "prometheus", &arguments, ready);
        let scraping = Self { _folder: folder, _server: server, green, blue };
        scraping.scraped();
        scraping
    }

    /// Waits until both were scraped twice from now on, the first time perhaps just before now.
    #[track_caller]
    fn scraped(&self) {
        let began = Instant::now();
        for service in [&self.green, &self.blue] {
            let due = service.scrapes() + 2;
            while service.scrapes() < due {
                assert!(began.elapsed() < Duration::from_secs(20), "nobody scrapes");
                sleep(Duration::from_millis(20));
            }
        }
        // What was scraped is there for queries a little later.
        sleep(Duration::from_millis(300));
    }
}

fn section(port: u16) -> PrometheusSection {
    PrometheusSection {
        url: format!("http://127.0.0.1:{port}"),
        scrape_seconds: Some(1),
        token_file: None,
        ca_file: None,
        timeout_seconds: Some(3),
    }
}

fn counted(digest: &str) -> Counted {
    Counted { slot: "green".to_owned(), digest: Some(digest.to_owned()), version: Some("2.4.0".to_owned()) }
}

fn error_budget() -> Objective {
    let fast_burn = FastBurn { lookback_seconds: 60, factor: 10, min_samples: 30 };
    ErrorBudget { ppm: 100_000, min_samples: 100, fast_burn, metric: error_metric() }.objective()
}

fn latency_budget() -> Objective {
    let metric = latency_metric(450);
    LatencyBudget { threshold_ms: 450, quantile_permille: 990, min_samples: 50, metric }.objective()
}

fn ask_for(objective: &Objective, digest: &str, from: Timestamp) -> Result<Vec<Instance>, MetricsError> {
    Prometheus::new(&section(PORT)).unwrap().counters(objective, &counted(digest), from, Utc::now())
}

/// What a window's end says of what was counted.
fn judged(objective: &Objective, instances: &[Instance], from: Timestamp) -> (Option<Count>, Judgement) {
    let (now, interval) = (Utc::now(), TimeDelta::seconds(1));
    let count = Side { instances }.count(from, now, interval);
    let fresh = !instances.is_empty() && instances.iter().all(|instance| instance.is_fresh(now, interval));
    let freshness = if fresh { Freshness::Fresh } else { Freshness::Stale };
    let budget = Budget { fast_burn: None, ..Budget::of(objective) };
    (count, budget.judge(Progress::Complete, &count.unwrap_or_default(), None, freshness))
}

#[test]
fn counts_are_exactly_what_the_service_served() {
    beside(&["prometheus"], "prometheus::counts_are_exactly_what_the_service_served", || {
        let mut scraping = Scraping::start();
        let (error, latency) = (error_budget(), latency_budget());
        let from = Utc::now();
        scraping.scraped();
        scraping.green.behave("errors=0.05");
        Load::of(GREEN, 200);
        Load::of(BLUE, 50);
        scraping.scraped();
        let found = ask_for(&error, NEW, from).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(judged(&error, &found, from), (Some(Count { bad: 10, total: 200 }), Judgement::Pass));
        assert_eq!((scraping.green.served().errors, scraping.green.served().total), (10, 200));
        let stable = ask_for(&error, OLD, from).unwrap();
        assert_eq!(judged(&error, &stable, from).0, Some(Count { bad: 0, total: 50 }));

        // The bucket that ends at the budget: what is slower than 450 ms is what is not in it.
        scraping.green.behave("slow=0.1&latency=500");
        Load::steady(GREEN, 20, Duration::from_secs(2));
        scraping.scraped();
        let found = ask_for(&latency, NEW, from).unwrap();
        let served = scraping.green.served();
        tell(&format!("prometheus: {served:?}\n"));
        assert_eq!((served.slow, served.total), (4, 240));
        assert_eq!(judged(&latency, &found, from).0, Some(Count { bad: 4, total: 240 }));

        // A restart: what the old process counted up to its last scrape, and all of the new one.
        scraping.green.behave("slow=0&latency=0");
        scraping.green.restart();
        Load::of(GREEN, 60);
        scraping.scraped();
        let found = ask_for(&error, NEW, from).unwrap();
        let (count, _) = judged(&error, &found, from);
        assert_eq!((count, scraping.green.served().errors), (Some(Count { bad: 15, total: 300 }), 3));

        // A service that is gone is down, and what was counted is not fresh.
        scraping.blue.stop();
        sleep(Duration::from_millis(3500));
        let gone = ask_for(&error, OLD, from).unwrap();
        assert_eq!(gone.iter().map(|instance| instance.scraped).collect::<Vec<_>>(), [Scraped::Down]);
    });
}

/// A server in Prometheus' place that says the same to everything.
fn impostor(port: u16, answer: Vec<u8>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
}

fn page(status: u16, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} so\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    (head + body).into_bytes()
}

#[test]
fn nothing_passes_without_whole_and_fresh_numbers() {
    beside(&["prometheus"], "prometheus::nothing_passes_without_whole_and_fresh_numbers", || {
        let mut scraping = Scraping::start();
        let objectives = [error_budget(), latency_budget()];
        tell("\nof which nothing passes (P12)            errors                 latency\n");
        let mut row =
            |what: &str, prepare: &mut dyn FnMut(&mut Scraping), after: &mut dyn FnMut(&mut Scraping)| {
                prepare(&mut scraping);
                scraping.scraped();
                let from = Utc::now();
                after(&mut scraping);
                // Long enough for what was good before to be old.
                sleep(Duration::from_millis(4500));
                let judgements = objectives.each_ref().map(|objective| match ask_for(objective, NEW, from) {
                    Ok(found) => judged(objective, &found, from).1,
                    Err(error) => panic!("{what}: {error}"),
                });
                tell(&format!("{what:40} {:22} {:?}\n", format!("{:?}", judgements[0]), judgements[1]));
                judgements
            };
        let load = |_: &mut Scraping| drop(Load::of(GREEN, 150));
        let passes = row("(all is well)", &mut |_| {}, &mut { load });
        assert_eq!(passes, [Judgement::Pass, Judgement::Pass]);
        let says = |how: &'static str| {
            move |scraping: &mut Scraping| {
                // Counted first: what it said before it was spoilt would pass.
                Load::of(GREEN, 150);
                scraping.scraped();
                scraping.green.behave(how);
            }
        };
        let calm = &mut |scraping: &mut Scraping| scraping.green.behave("metrics=true");
        for (what, how) in [
            ("NaN", "metrics=nan"),
            ("+Inf", "metrics=inf"),
            ("no such series", "metrics=none"),
            ("a scrape that fails", "metrics=broken"),
        ] {
            let judgements = row(what, calm, &mut says(how));
            assert!(
                judgements.iter().all(|judgement| matches!(judgement, Judgement::Inconclusive(_))),
                "{what}"
            );
        }
        let nobody = row("no request", calm, &mut |_| {});
        assert!(nobody.iter().all(|judgement| matches!(judgement, Judgement::Inconclusive(_))));
        let few = row("too few, and a restart between", calm, &mut |scraping| {
            Load::of(GREEN, 20);
            scraping.green.restart();
            Load::of(GREEN, 20);
        });
        assert!(few.iter().all(|judgement| matches!(judgement, Judgement::Inconclusive(_))));
        let gone = row("a service that is gone", calm, &mut |scraping| {
            Load::of(GREEN, 150);
            scraping.scraped();
            scraping.green.stop();
        });
        assert!(gone.iter().all(|judgement| matches!(judgement, Judgement::Inconclusive(_))));
    });
}

#[test]
fn what_is_no_prometheus_is_an_error_that_says_so() {
    beside(&["prometheus"], "prometheus::what_is_no_prometheus_is_an_error_that_says_so", || {
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[[1,"1"]]}]}"#;
        let endless = {
            let mut endless = b"HTTP/1.1 200 so\r\nconnection: close\r\n\r\n".to_vec();
            endless.resize(100 * 1024 * 1024, b' ');
            endless
        };
        let mut longer = page(200, matrix);
        longer.truncate(longer.len() - 30);
        for (port, (answer, words)) in (9101..).zip([
            (page(500, "the store is down"), "answered 500: the store is down"),
            (page(503, ""), "answered 503: "),
            (page(401, "who are you"), "answered 401: who are you"),
            (page(302, "elsewhere"), "answered 302: elsewhere"),
            (page(200, "<html><body>Log in</body></html>"), "can't be read: expected value"),
            (page(200, matrix), "can't be read: EOF while parsing"),
            (page(200, ""), "can't be read: EOF while parsing"),
            (longer, "can't be reached: "),
            (endless, "can't be read: it is longer than 33554432 bytes"),
            (Vec::new(), "can't be reached: "),
        ]) {
            impostor(port, answer);
            let began = Instant::now();
            let mut metrics = Prometheus::new(&section(port)).unwrap();
            let found = metrics.counters(&error_budget(), &counted(NEW), Utc::now(), Utc::now());
            let said = found.unwrap_err().to_string();
            tell(&format!("{said}\n"));
            // On a machine that has other things to do the time may be up before so much has come.
            let late = words.contains("longer") && said.ends_with("it took too long");
            assert!(said.contains(words) || late, "{said}");
            assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
            assert!(began.elapsed() < Duration::from_secs(8), "{said}");
        }
        let silent = TcpListener::bind(("127.0.0.1", 9100)).unwrap();
        let ask = |port: u16, objective: &Objective| {
            let mut metrics = Prometheus::new(&section(port)).unwrap();
            metrics.counters(objective, &counted(NEW), Utc::now(), Utc::now()).unwrap_err().to_string()
        };
        assert!(ask(9100, &error_budget()).ends_with("can't be reached: it took too long"));
        drop(silent);
        let refused = ask(9100, &error_budget());
        assert!(refused.contains("can't be reached: ") && refused.contains("refused"), "{refused}");

        // The real one: what it refuses, and what is not even sent.
        let _scraping = Scraping::start();
        let mut unknown = error_budget();
        unknown.ratio_metric.total = r#"http_requests_total{version=~"$digest("}"#.to_owned();
        let refused = ask(PORT, &unknown);
        assert!(refused.contains("answered 400: ") && refused.contains("error parsing regexp"), "{refused}");
        unknown.ratio_metric.total = r#"sum(http_requests_total{version="$digest"})"#.to_owned();
        assert!(ask(PORT, &unknown).contains("has to be the selector of a series alone"));
    });
}
