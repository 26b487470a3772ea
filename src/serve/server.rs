//! The server: connections, their limits, and the end. It knows no route.
//!
//! In: a listener, and routes. Out: answers, until SIGTERM or SIGINT. Connections are `hyper`'s, with a time for
//! a request's head, and one request each, so that no client holds a place for longer than an answer takes.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::problem::Problem;

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(5);
/// Bytes of a head, and of what is read at once.
const HEAD_BYTES: usize = 16 * 1024;
/// How long answers under way may take once the end is asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How long the rest may take: a migration that is ended with its whole group.
const REST: Duration = Duration::from_secs(5);
/// Before the next try where a connection could not be taken, for want of file descriptors for example.
const AFTER_ERROR: Duration = Duration::from_millis(50);
/// Threads that wait: for metrics, for the migration, for the disk.
const WAITING: usize = 16;

/// Why the service ended without being asked to, or could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Its threads, its listener or its signals.
    #[error("the service can't run")]
    System(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, finishes what is under way, and then calls `end`.
pub(super) fn serve(listener: TcpListener, routes: Router, end: impl FnOnce()) -> Result<(), ServeError> {
    listener.set_nonblocking(true)?;
    let mut threads = runtime::Builder::new_multi_thread();
    let threads = threads.worker_threads(2).max_blocking_threads(WAITING).enable_all().build()?;
    let routes = routes.method_not_allowed_fallback(wrong_method).fallback(any(nowhere));
    let served = threads.block_on(until_asked(listener, routes));
    end();
    threads.shutdown_timeout(REST);
    served
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let (method, path) = (method.as_str(), uri.path());
    Problem::new(405, format!("{} is not how `{}` is asked", excerpt(method), excerpt(path))).response()
}

async fn nowhere(request: Request) -> Response {
    Problem::new(404, format!("there is nothing at `{}`", excerpt(request.uri().path()))).response()
}

/// What a client sent, cut short.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}

/// What the service waits for.
enum Seen {
    /// Somebody connected, and has a place.
    Connection(TcpStream, OwnedSemaphorePermit),
    /// It is asked to end.
    End,
}

async fn until_asked(listener: TcpListener, routes: Router) -> Result<(), ServeError> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (tell, mut seen) = mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, tell) = (signal(kind)?, tell.clone());
        tokio::spawn(async move {
            signals.recv().await;
            let _ = tell.send(Seen::End).await;
        });
    }
    let accepting = tokio::spawn(accept(listener, tell));
    let open = GracefulShutdown::new();
    while let Some(Seen::Connection(stream, place)) = seen.recv().await {
        tokio::spawn(converse(stream, routes.clone(), open.watcher(), place));
    }
    accepting.abort();
    // An answer that takes longer is cut off.
    let _ = timeout(GRACE, open.shutdown()).await;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, tell: mpsc::Sender<Seen>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Never closed, so there is always a place in the end.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            // Nobody takes it any more: the service ends.
            Ok((stream, _)) => drop(tell.send(Seen::Connection(stream, place)).await),
            Err(_) => sleep(AFTER_ERROR).await,
        }
    }
}

/// One connection, and the one request on it.
async fn converse(stream: TcpStream, routes: Router, open: Watcher, place: OwnedSemaphorePermit) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).keep_alive(false);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // A client that goes away, or speaks no HTTP, is no matter of ours.
    let _ = open.watch(connection).await;
    drop(place);
}
