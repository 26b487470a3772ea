//! How the studio is served: at a desk over HTTP, or to people who sign in, with a certificate and probes beside it.
//!
//! In: a listener and a [`Studio`]. Out: its answers, until SIGTERM or SIGINT. Pages read the disk, so they are made
//! where waiting is allowed; signing in waits for the issuer, and is done where others go on meanwhile.

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::Response;
use axum::routing::{any, get};
use tokio::time::timeout;

use super::super::keeper::{Keeper, Pulse, look_after};
use super::super::login::Login;
use super::super::problem::{Problem, answer};
use super::super::server::{self, Certificate, Front, Leaving, ServeError};
use super::Studio;
use super::door::Theme;
use super::response::Answer;
use super::sessions::Sessions;
use crate::config::service::Limits;
use crate::trust::TrustRoot;

/// How long a form may take: whoever sends one has a place that others wait for.
const FORM: Duration = Duration::from_secs(5);
/// The most bytes of a form.
const MOST_FORM: usize = 32 * 1024;

/// How often it is looked whether trust and certificate are to be read again.
const LOOK: Duration = Duration::from_millis(250);

/// Where people who sign in are served.
pub struct Served {
    /// Where it listens.
    pub listener: TcpListener,
    /// Where probes alone are answered, over HTTP.
    pub probes: Option<TcpListener>,
    /// Without one HTTP is spoken: on loopback, or behind a proxy.
    pub certificate: Option<Certificate>,
    /// How much is taken at a time.
    pub limits: Limits,
    /// Whom to let in.
    pub login: Login,
    /// Reads trust again, or says why it can't.
    pub trust: Box<dyn Fn() -> Result<TrustRoot, String> + Send>,
}

/// Serves one's own desk until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServeError`]: it could not begin.
pub fn serve(listener: TcpListener, studio: &Arc<Studio>) -> Result<(), ServeError> {
    server::serve(listener, probes().merge(routes(studio)), || {})
}

/// Serves people who sign in, until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServeError`]: it could not begin.
pub fn serve_all(served: Served, studio: &Arc<Studio>) -> Result<(), ServeError> {
    let Served { listener, probes, certificate, limits, login, trust } = served;
    let certificate = certificate.map(Arc::new);
    let own = Arc::clone(studio);
    let read = move || {
        let trust = Arc::new(trust()?);
        own.trusts(Arc::clone(&trust));
        Ok(trust)
    };
    let clock = studio.setup.clock;
    let pulse = Pulse::of(clock());
    let mut keeper = Keeper::new(login, certificate.clone(), Box::new(read), (pulse.clone(), clock));
    let look = move || {
        keeper.look();
        ControlFlow::Continue(())
    };
    look_after("keeper", LOOK, (pulse.clone(), clock), look)?;
    let mut routes = probes_of(&pulse).merge(server::bounded(routes(studio), limits.requests));
    if studio.door.sessions().is_some_and(Sessions::is_secure) {
        routes = routes.layer(middleware::map_response(by_tls_alone));
    }
    let probes = probes.map(|listener| Front { listener, routes: probes_of(&pulse), certificate: None });
    let front = Front { listener, routes, certificate };
    server::serve_all(probes.into_iter().chain([front]).collect(), limits, &Leaving::default(), || {})
}

/// Probes of one's own desk, where nothing is held but what pages tell of.
fn probes() -> Router {
    alive().route("/readyz", get(fine)).route("/ready", get(fine))
}

/// Probes: it is ready where trust and certificate are looked after. What is wrong with the log is what its pages are
/// for.
fn probes_of(pulse: &Pulse) -> Router {
    let ready = |State(pulse): State<Pulse>| async move {
        match pulse.check(Instant::now()) {
            Ok(()) => answer(StatusCode::OK, "text/plain", "ok\n".to_owned()),
            Err(why) => Problem::new(503, why).response(),
        }
    };
    let routes = Router::new().route("/readyz", get(ready)).route("/ready", get(ready));
    alive().merge(routes.with_state(pulse.clone()))
}

fn alive() -> Router {
    Router::new().route("/livez", get(fine)).route("/health", get(fine))
}

async fn fine() -> &'static str {
    "ok\n"
}

/// <https://www.rfc-editor.org/rfc/rfc6797>: a browser that was here once comes by TLS alone for a year.
async fn by_tls_alone(mut response: Response) -> Response {
    let year = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, year);
    response
}

/// The pages, and the ways in.
fn routes(studio: &Arc<Studio>) -> Router {
    Router::new().route("/", any(take)).route("/{*path}", any(take)).with_state(Arc::clone(studio))
}

async fn take(State(studio): State<Arc<Studio>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let theme = Theme::of(&head.headers);
    if let Some(sessions) = studio.door.sessions()
        && let Some(answer) = sessions.answer(&head, (studio.setup.clock)()).await
    {
        return answer.response();
    }
    let body = match timeout(FORM, axum::body::to_bytes(body, MOST_FORM)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return Answer::refused(theme, 413, "Too much", "No form of the studio is that large.")
                .response();
        }
        Err(_) => {
            return Answer::refused(theme, 408, "Too slow", "The form did not come in time.").response();
        }
    };
    // Pages read the disk: they are made where waiting is allowed.
    let made = tokio::task::spawn_blocking(move || studio.answer(&head, &body)).await;
    let failed = |_| {
        Answer::refused(
            theme,
            500,
            "Not made",
            "This page could not be made. The log is untouched; others are served.",
        )
    };
    made.unwrap_or_else(failed).response()
}
