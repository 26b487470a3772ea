//! A service under measurement, and how long its answers take.
//!
//! In: the program's arguments. Out: answers and their times, by a client that keeps one connection.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// A service that runs until this is dropped.
pub(crate) struct Service {
    child: Child,
    address: String,
    header: String,
}

/// How long answers took.
pub(crate) struct Took(Vec<Duration>);

impl Took {
    pub(crate) fn of(mut took: Vec<Duration>) -> Self {
        took.sort();
        Self(took)
    }

    pub(crate) fn median(&self) -> Duration {
        self.at(50)
    }

    fn at(&self, share: usize) -> Duration {
        let at = (self.0.len() * share / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Took {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        write!(out, "median {:>8.2} ms, p99 {:>8.2} ms", ms(self.at(50)), ms(self.at(99)))
    }
}

impl Service {
    /// Starts the program in a folder, and waits until it says where it listens.
    pub(crate) fn start(folder: &Path, arguments: &[&str], header: &str) -> (Self, String) {
        let said = folder.join("said");
        let child = Command::new(env!("CARGO_BIN_EXE_laforge"))
            .current_dir(folder)
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stdout(File::create(&said).unwrap())
            .stderr(File::options().append(true).open(&said).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { child, address: String::new(), header: header.to_owned() };
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let address = text.split("http://").nth(1).and_then(|rest| rest.split([' ', '/', '\n']).next());
            if let Some(address) = address.filter(|_| text.ends_with('\n')) {
                service.address = address.to_owned();
                return (service, text);
            }
            assert!(began.elapsed() < Duration::from_secs(300), "it does not begin: {text}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks with this header from now on.
    pub(crate) fn with(&mut self, header: String) {
        self.header = header;
    }

    /// One answer: status, head and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String, String) {
        self.connection().get(path)
    }

    /// How long so many answers take, one after another.
    pub(crate) fn measure(&self, path: &str, times: usize) -> Took {
        let mut connection = self.connection();
        let one = |_| {
            let asked = Instant::now();
            let (status, _, body) = connection.get(path);
            assert_eq!(status, 200, "{path}: {body}");
            asked.elapsed()
        };
        Took::of((0..times).map(one).collect())
    }

    /// Megabytes of memory: now, and at most.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        (megabytes(&status, "VmRSS"), megabytes(&status, "VmHWM"))
    }

    fn connection(&self) -> Connection<'_> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { service: self, answers: BufReader::new(stream.try_clone().unwrap()), stream }
    }
}

/// A number of kilobytes in what the system says of a process, in megabytes; none of one that has ended.
pub(crate) fn megabytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Connection<'a> {
    service: &'a Service,
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Connection<'_> {
    fn get(&mut self, path: &str) -> (u16, String, String) {
        let Service { address, header, .. } = self.service;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{header}\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = rest.trim_end().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, String::from_utf8_lossy(&body).into_owned())
    }
}
