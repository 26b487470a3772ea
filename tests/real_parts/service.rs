//! A small service of ours, and a load on it: what stands behind a proxy and is scraped by Prometheus.
//!
//! It serves `/` and counts, says `/readyz` and `/metrics`, and is told how to behave by a POST to `/control` (see
//! [`Service::behave`]). Which requests are bad is no matter of chance: of `errors` 0.05 it is every twentieth. It
//! runs in this process ([`Service::start`]) or in one of its own ([`arguments`]). [`Load`] asks at a steady rate and
//! counts every answer and every failure.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::parts::tell;

/// Upper bounds of the histogram's buckets in milliseconds, and as Prometheus writes them in seconds.
const BUCKETS: [(u128, &str); 4] = [(100, "0.1"), (450, "0.45"), (1000, "1"), (u128::MAX, "+Inf")];
/// Set in a process of a service's own: its port and version.
const ALONE: &str = "LAFORGE_TEST_SERVICE";
/// Longer than anything that is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a service has served since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    pub total: u64,
    pub errors: u64,
    pub slow: u64,
}

/// How a service behaves.
#[derive(Debug, Clone)]
struct Behaviour {
    /// The share of requests that are answered 500.
    errors: f64,
    /// The share of requests that take `latency`.
    slow: f64,
    latency: Duration,
    /// What `/readyz` answers.
    ready: u16,
    /// What `/metrics` says: `true`, `none`, `nan`, `inf` or `broken`.
    metrics: String,
}

#[derive(Debug, Default)]
struct Counters {
    served: Served,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
}

#[derive(Debug)]
struct State {
    version: String,
    behaviour: Mutex<Behaviour>,
    counters: Mutex<Counters>,
    /// How often its metrics were asked for.
    scrapes: AtomicU64,
}

/// What a service has open.
#[derive(Debug, Default)]
struct Open {
    ends: bool,
    connections: Vec<Weak<TcpStream>>,
}

/// A service in this process.
pub struct Service {
    port: u16,
    state: Arc<State>,
    open: Option<Arc<Mutex<Open>>>,
}

impl Service {
    /// Serves on a port of loopback, as a version that its series name.
    pub fn start(port: u16, version: &str) -> Self {
        let mut service = Self { port, state: Arc::new(State::new(version)), open: None };
        service.listen();
        service
    }

    /// Behaves otherwise from now on, by `errors=0.05&slow=0.1&latency=600&ready=503&metrics=nan`.
    pub fn behave(&self, how: &str) {
        let mut behaviour = held(&self.state.behaviour);
        *behaviour = behaviour.clone().changed(how);
    }

    /// What it has served since it started.
    pub fn served(&self) -> Served {
        held(&self.state.counters).served
    }

    /// How often its metrics were asked for since it started.
    pub fn scrapes(&self) -> u64 {
        self.state.scrapes.load(Ordering::Relaxed)
    }

    /// Ends as a crash would: connections break, and whoever connects is refused.
    pub fn stop(&mut self) {
        let Some(open) = self.open.take() else { return };
        let connections = {
            let mut open = held(&open);
            open.ends = true;
            std::mem::take(&mut open.connections)
        };
        for connection in connections.iter().filter_map(Weak::upgrade) {
            // One that is closed already is as it should be.
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the listener, which then closes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A new process in the place of the old: the same version and behaviour, counters at 0.
    pub fn restart(&mut self) {
        self.stop();
        let behaviour = held(&self.state.behaviour).clone();
        let state = State::new(&self.state.version);
        *held(&state.behaviour) = behaviour;
        self.state = Arc::new(state);
        self.listen();
    }

    fn listen(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let open = Arc::new(Mutex::new(Open::default()));
        let (state, ours) = (Arc::clone(&self.state), Arc::clone(&open));
        thread::spawn(move || accept(&listener, &state, &ours));
        self.open = Some(open);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The arguments that start a service in a process of its own: this very program, and a test that serves.
pub fn arguments() -> Vec<String> {
    let program = env::current_exe().unwrap().display().to_string();
    [&program, "service::serves_where_it_is_asked_to", "--exact", "--nocapture"].map(str::to_owned).to_vec()
}

/// The variable that says on which port, and as which version.
pub fn variable(port: u16, version: &str) -> (&'static str, String) {
    (ALONE, format!("{port} {version}"))
}

#[test]
fn serves_where_it_is_asked_to() {
    let Ok(asked) = env::var(ALONE) else { return };
    let (port, version) = asked.split_once(' ').unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    accept(&listener, &Arc::new(State::new(version)), &Mutex::new(Open::default()));
}

fn accept(listener: &TcpListener, state: &Arc<State>, open: &Mutex<Open>) {
    for stream in listener.incoming().flatten() {
        let (stream, state) = (Arc::new(stream), Arc::clone(state));
        let mut open = held(open);
        if open.ends {
            return;
        }
        open.connections.retain(|connection| connection.strong_count() > 0);
        open.connections.push(Arc::downgrade(&stream));
        // A client that goes away is no matter of ours.
        thread::spawn(move || drop(converse(&stream, &state)));
    }
}

fn converse(mut stream: &TcpStream, state: &State) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    while let Some(request) = Request::read(&mut lines)? {
        let (status, body) = state.answer(&request);
        let connection = if request.closes { "close" } else { "keep-alive" };
        let head = format!(
            "HTTP/1.1 {status} so\r\ncontent-type: text/plain\r\nx-version: {}\r\ncontent-length: {}\r\nconnection: \
             {connection}\r\n\r\n",
            state.version,
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        if request.closes {
            break;
        }
    }
    Ok(())
}

struct Request {
    path: String,
    closes: bool,
}

impl Request {
    fn read(lines: &mut impl io::BufRead) -> io::Result<Option<Self>> {
        let (mut first, mut closes) = (String::new(), false);
        if lines.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            closes |= line.trim().eq_ignore_ascii_case("connection: close");
        }
        Ok(Some(Self { path: first.split(' ').nth(1).unwrap_or("/").to_owned(), closes }))
    }
}

impl State {
    fn new(version: &str) -> Self {
        let behaviour = Behaviour {
            errors: 0.0,
            slow: 0.0,
            latency: Duration::ZERO,
            ready: 200,
            metrics: "true".to_owned(),
        };
        Self {
            version: version.to_owned(),
            behaviour: Mutex::new(behaviour),
            counters: Mutex::new(Counters::default()),
            scrapes: AtomicU64::new(0),
        }
    }

    fn answer(&self, request: &Request) -> (u16, String) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match path {
            "/readyz" => (held(&self.behaviour).ready, "ready?\n".to_owned()),
            "/metrics" => self.metrics(),
            "/served" => (200, format!("{:?}\n", held(&self.counters).served)),
            "/control" => {
                let mut behaviour = held(&self.behaviour);
                *behaviour = behaviour.clone().changed(query);
                (200, "so be it\n".to_owned())
            }
            _ => self.serve(),
        }
    }

    fn serve(&self) -> (u16, String) {
        let began = Instant::now();
        let behaviour = held(&self.behaviour).clone();
        let (fails, dawdles) = {
            let mut counters = held(&self.counters);
            counters.served.total += 1;
            let total = counters.served.total;
            (behaviour.is_due(behaviour.errors, total), behaviour.is_due(behaviour.slow, total))
        };
        if dawdles {
            thread::sleep(behaviour.latency);
        }
        let took = began.elapsed();
        let mut counters = held(&self.counters);
        counters.served.errors += u64::from(fails);
        counters.served.slow += u64::from(took.as_millis() > 450);
        counters.seconds += took.as_secs_f64();
        for (count, (le, _)) in counters.buckets.iter_mut().zip(BUCKETS) {
            *count += u64::from(took.as_millis() <= le);
        }
        (if fails { 500 } else { 200 }, format!("{}\n", self.version))
    }

    fn metrics(&self) -> (u16, String) {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        let (counters, version) = (held(&self.counters), &self.version);
        let how = held(&self.behaviour).metrics.clone();
        let Served { total, errors, .. } = counters.served;
        let number = |count: u64| match how.as_str() {
            "nan" => "NaN".to_owned(),
            "inf" => "+Inf".to_owned(),
            _ => count.to_string(),
        };
        let mut text = String::new();
        let mut say = |series: &str, value: String| writeln!(text, "{series} {value}").unwrap();
        match how.as_str() {
            "none" => return (200, "something_else 1\n".to_owned()),
            "broken" => return (500, "no metrics today\n".to_owned()),
            _ => {}
        }
        say(&format!(r#"http_requests_total{{version="{version}",code="200"}}"#), number(total - errors));
        if errors > 0 {
            // As real clients do: no series before the first error.
            say(&format!(r#"http_requests_total{{version="{version}",code="500"}}"#), number(errors));
        }
        let name = "http_request_duration_seconds";
        for (count, (_, le)) in counters.buckets.iter().zip(BUCKETS) {
            say(&format!(r#"{name}_bucket{{version="{version}",le="{le}"}}"#), number(*count));
        }
        say(&format!(r#"{name}_sum{{version="{version}"}}"#), counters.seconds.to_string());
        say(&format!(r#"{name}_count{{version="{version}"}}"#), number(counters.buckets[BUCKETS.len() - 1]));
        (200, text)
    }
}

impl Behaviour {
    fn changed(mut self, how: &str) -> Self {
        for (name, value) in how.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "errors" => self.errors = value.parse().unwrap(),
                "slow" => self.slow = value.parse().unwrap(),
                "latency" => self.latency = Duration::from_millis(value.parse().unwrap()),
                "ready" => self.ready = value.parse().unwrap(),
                "metrics" => self.metrics = value.to_owned(),
                other => tell(&format!("a service does not know `{other}`\n")),
            }
        }
        self
    }

    /// Whether the n-th request is one of a share: the whole part of share · n has grown.
    fn is_due(&self, share: f64, n: u64) -> bool {
        let due = |n: u64| (share * n as f64 + 1e-9).floor();
        due(n) > due(n - 1)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Which version gave it.
    pub version: String,
    pub body: String,
}

/// Asks once, on a connection of its own.
pub fn ask(port: u16, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let cut = || io::Error::new(io::ErrorKind::InvalidData, format!("half an answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let length: Option<usize> = header("content-length: ").parse().ok();
    if length.is_some_and(|length| length != body.len()) {
        return Err(cut());
    }
    Ok(Answer { status, version: header("x-version: ").to_owned(), body: body.to_owned() })
}

/// What a load met with.
#[derive(Debug, Default)]
pub struct Load {
    /// How many requests were made.
    pub sent: u64,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Answers by version.
    pub versions: BTreeMap<String, u64>,
    /// What no answer came of.
    pub failures: Vec<String>,
}

impl Load {
    /// So many requests, one after the other.
    pub fn of(port: u16, requests: u64) -> Self {
        let mut load = Self::default();
        (0..requests).for_each(|_| load.count(ask(port, "/")));
        load
    }

    /// So many requests a second, for so long, whatever the answers take.
    pub fn steady(port: u16, per_second: u64, span: Duration) -> Self {
        const WORKERS: usize = 12;
        let (began, next) = (Instant::now(), AtomicU64::new(0));
        let load = Mutex::new(Self::default());
        let gap = Duration::from_secs(1) / u32::try_from(per_second).unwrap();
        let requests = per_second * u64::try_from(span.as_millis()).unwrap() / 1000;
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let request = next.fetch_add(1, Ordering::Relaxed);
                        if request >= requests {
                            return;
                        }
                        let at = gap * u32::try_from(request).unwrap();
                        thread::sleep(at.saturating_sub(began.elapsed()));
                        let answer = ask(port, "/");
                        held(&load).count(answer);
                    }
                });
            }
        });
        load.into_inner().unwrap()
    }

    /// Answers of a version.
    pub fn by(&self, version: &str) -> u64 {
        self.versions.get(version).copied().unwrap_or_default()
    }

    /// Requests that got no answer, or none of 200.
    pub fn lost(&self) -> u64 {
        self.sent - self.answers.get(&200).copied().unwrap_or_default()
    }

    fn count(&mut self, answer: io::Result<Answer>) {
        self.sent += 1;
        match answer {
            Ok(answer) => {
                *self.answers.entry(answer.status).or_default() += 1;
                *self.versions.entry(answer.version).or_default() += 1;
            }
            Err(error) => self.failures.push(error.to_string()),
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
