//! The server: connections, their limits, and the end. It knows no route.
//!
//! In: listeners, routes, and perhaps a certificate. Out: answers, until SIGTERM or SIGINT. Connections are `hyper`'s,
//! with a time for a request's head, which an idle connection has, too; one that takes no answer is closed. More
//! requests at a time than are taken are told to come back. Once it is asked to end it says so
//! ([`Leaving`]), goes on for a while, finishes what is under way, and ends.

mod stall;
mod tls;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::login::Shown;
use super::problem::Problem;
use crate::config::service::Limits;
use stall::Hurried;
pub use tls::{Certificate, TlsError};

/// How long the head of a request may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(5);
/// Bytes of a head, and of what is read at once.
const HEAD_BYTES: usize = 16 * 1024;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long answers under way may take once the end is asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How long the rest may take: a migration that is ended with its whole group.
const REST: Duration = Duration::from_secs(5);
/// Before the next try where a connection could not be taken, for want of file descriptors for example.
const AFTER_ERROR: Duration = Duration::from_millis(50);
/// Threads that wait: for metrics, for the migration, for the disk.
const WAITING: usize = 32;

/// Why the service ended without being asked to, or could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Its threads, its listener or its signals.
    #[error("the service can't run")]
    System(#[from] io::Error),
}

/// Whether the service was asked to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaving(Arc<AtomicBool>);

impl Leaving {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// One listener, and what is answered on it.
pub(super) struct Front {
    pub(super) listener: TcpListener,
    pub(super) routes: Router,
    /// Without one HTTP is spoken.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Serves until SIGTERM or SIGINT, finishes what is under way, and then calls `end`.
pub(super) fn serve(listener: TcpListener, routes: Router, end: impl FnOnce()) -> Result<(), ServeError> {
    let limits = Limits { drain: Duration::ZERO, ..Limits::default() };
    let front = Front { listener, routes: bounded(routes, limits.requests), certificate: None };
    serve_all(vec![front], limits, &Leaving::default(), end)
}

/// The same on several listeners; `leaving` is set as soon as the end is asked for.
pub(super) fn serve_all(
    fronts: Vec<Front>,
    limits: Limits,
    leaving: &Leaving,
    end: impl FnOnce(),
) -> Result<(), ServeError> {
    let mut threads = runtime::Builder::new_multi_thread();
    let threads = threads.worker_threads(2).max_blocking_threads(WAITING).enable_all().build()?;
    let served = threads.block_on(until_asked(fronts, limits, leaving));
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

/// The same routes, of which no more than so many requests are answered at a time. Probes have no place here: a
/// service that is busy is alive.
pub(super) fn bounded(routes: Router, requests: usize) -> Router {
    let places = Arc::new(Semaphore::new(requests));
    routes.layer(middleware::from_fn_with_state(places, place))
}

async fn place(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => {
            let mut busy =
                Problem::new(503, "as many requests as are taken at a time are under way").response();
            busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            busy
        }
    }
}

/// What a client sent, cut short.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}

/// What the service waits for.
enum Seen {
    /// Somebody connected to a front, and has a place.
    Connection(usize, TcpStream, OwnedSemaphorePermit),
    /// It is asked to end.
    End,
}

async fn until_asked(fronts: Vec<Front>, limits: Limits, leaving: &Leaving) -> Result<(), ServeError> {
    let (tell, mut seen) = mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, tell) = (signal(kind)?, tell.clone());
        let (leaving, drain) = (leaving.clone(), limits.drain);
        tokio::spawn(async move {
            signals.recv().await;
            leaving.0.store(true, Ordering::SeqCst);
            sleep(drain).await;
            let _ = tell.send(Seen::End).await;
        });
    }
    let (mut accepting, mut answering) = (Vec::new(), Vec::new());
    for (number, front) in fronts.into_iter().enumerate() {
        front.listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(front.listener)?;
        accepting.push(tokio::spawn(accept(listener, number, limits.connections, tell.clone())));
        let routes = front.routes.method_not_allowed_fallback(wrong_method).fallback(any(nowhere));
        answering.push((routes, front.certificate));
    }
    let open = GracefulShutdown::new();
    while let Some(Seen::Connection(number, stream, place)) = seen.recv().await {
        let Some((routes, certificate)) = answering.get(number) else { continue };
        tokio::spawn(converse(stream, routes.clone(), certificate.clone(), open.watcher(), place));
    }
    accepting.iter().for_each(tokio::task::JoinHandle::abort);
    // An answer that takes longer is cut off.
    let _ = timeout(GRACE, open.shutdown()).await;
    Ok(())
}

async fn accept(
    listener: tokio::net::TcpListener,
    number: usize,
    connections: usize,
    tell: mpsc::Sender<Seen>,
) {
    let places = Arc::new(Semaphore::new(connections));
    // Never closed, so there is always a place in the end.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            // Nobody takes it any more: the service ends.
            Ok((stream, _)) => drop(tell.send(Seen::Connection(number, stream, place)).await),
            Err(_) => sleep(AFTER_ERROR).await,
        }
    }
}

/// One connection.
async fn converse(
    stream: TcpStream,
    routes: Router,
    certificate: Option<Arc<Certificate>>,
    open: Watcher,
    place: OwnedSemaphorePermit,
) {
    // Answers are small: none is to wait for more.
    let _ = stream.set_nodelay(true);
    match certificate {
        None => requests(stream, routes, None, open).await,
        Some(certificate) => {
            // Whoever speaks no TLS, or takes too long to, is no matter of ours.
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, certificate.acceptor().accept(stream)).await {
                let shown = tls::shown(&stream);
                requests(stream, routes, shown, open).await;
            }
        }
    }
    drop(place);
}

/// The requests on a connection, one after the other.
async fn requests<S>(stream: S, routes: Router, shown: Option<Shown>, open: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        routes.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(Hurried::new(stream)), service);
    // A client that goes away, or speaks no HTTP, is no matter of ours.
    let _ = open.watch(connection).await;
}
