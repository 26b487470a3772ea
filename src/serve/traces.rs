//! Traces on request: a span for each request, and one for each part of its work that takes time.
//!
//! In: requests as they begin and end, and [`Settings`], which say whether and where traces go. Out: spans to a
//! collector over OTLP/HTTP, and the id of the trace for the log of requests and the audit log. A request that comes
//! with a `traceparent` goes on with its caller's trace; nothing is sent unless that is asked for, and a collector that
//! is down or slow costs spans, never time of a request ([`export`]).
//! Spec: <https://www.w3.org/TR/trace-context/>, <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.

mod export;
mod parent;
mod settings;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::http::HeaderMap;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::time::Timestamp;
use export::Tally;

pub use export::ExportError;
pub use settings::{Settings, SettingsError};

/// How long the end of the service waits for spans to leave.
const FLUSH: Duration = Duration::from_secs(3);

/// Where spans go, if anywhere.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<On>>);

struct On {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    tally: Arc<Tally>,
}

/// A request, as its span tells it.
pub(super) struct Asked<'a> {
    /// A known method, or `other`.
    pub(super) method: &'static str,
    /// The route as it is written, where there is one.
    pub(super) route: Option<&'a str>,
    /// The path, without the query.
    pub(super) path: &'a str,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
}

/// The request under way, for whoever does a part of its work.
#[derive(Clone, Default)]
pub(super) struct Traced {
    /// The span of the request, or what its caller says of its own.
    span: Option<SpanContext>,
    under: Option<Under>,
}

/// What parts of a request's work are told under.
#[derive(Clone)]
struct Under {
    tracer: SdkTracer,
    context: Context,
    at: SystemTime,
    began: Instant,
}

/// A part of a request's work that is over.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// What went wrong in it, in a word.
    pub(super) wrong: Option<&'static str>,
    pub(super) members: Vec<(&'static str, String)>,
}

impl Traces {
    /// Sends spans as the settings say.
    ///
    /// # Errors
    /// [`ExportError`]: nothing could be sent this way, whoever is at the other end.
    pub fn on(settings: &Settings, clock: fn() -> Timestamp) -> Result<Self, ExportError> {
        let (provider, tally) = export::provider(settings, clock)?;
        let scope = InstrumentationScope::builder("laforge").with_version(env!("CARGO_PKG_VERSION")).build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Self(Some(Arc::new(On { provider, tracer, tally }))))
    }

    /// Spans that were not taken by the collector, or never came to be sent.
    pub(super) fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |on| on.tally.lost())
    }

    /// A request begins. Without settings it has no span, and its caller's trace is known all the same.
    pub(super) fn begin(&self, asked: &Asked<'_>, at: Timestamp) -> Traced {
        let parent = parent::of(asked.headers);
        let Some(on) = self.0.as_ref().filter(|_| !is_probe(asked.route)) else {
            return Traced { span: parent, under: None };
        };
        let (at, began) = (SystemTime::from(at), Instant::now());
        let none = Context::new();
        let before = parent.map_or_else(|| none.clone(), |parent| none.with_remote_span_context(parent));
        let span = server(asked).with_start_time(at).start_with_context(&on.tracer, &before);
        let known = span.span_context().clone();
        let context = none.with_span(span);
        Traced { span: Some(known), under: Some(Under { tracer: on.tracer.clone(), context, at, began }) }
    }

    /// What is left leaves now, within a bound.
    pub(super) fn end(&self) {
        if let Some(on) = &self.0 {
            let result = on.provider.shutdown_with_timeout(FLUSH);
            on.tally.end(result.is_ok());
        }
    }
}

/// Probes and scrapes are asked all day long, and nobody looks for one of them.
fn is_probe(route: Option<&str>) -> bool {
    matches!(route, Some("/livez" | "/readyz" | "/health" | "/ready" | "/metrics"))
}

fn server(asked: &Asked<'_>) -> SpanBuilder {
    let (method, named) = match asked.method {
        "other" => ("_OTHER", "HTTP"),
        method => (method, method),
    };
    let mut members = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.path", super::server::excerpt(asked.path)),
        KeyValue::new("url.scheme", asked.scheme),
    ];
    let mut name = named.to_owned();
    if let Some(route) = asked.route {
        name = format!("{named} {route}");
        members.push(KeyValue::new("http.route", route.to_owned()));
    }
    SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(members)
}

impl Traced {
    /// The request that this task works for; an empty one outside of any.
    pub(super) fn current() -> Self {
        Context::map_current(|context| context.get::<Self>().cloned()).unwrap_or_default()
    }

    /// What makes it the current one of a task.
    pub(super) fn context(&self) -> Context {
        Context::new().with_value(self.clone())
    }

    /// The trace: the one that the caller goes on with, or the one that begins here.
    pub(super) fn id(&self) -> Option<String> {
        self.span.as_ref().map(|span| span.trace_id().to_string())
    }

    /// The same with the span, as `traceparent` has it.
    pub(super) fn traceparent(&self) -> Option<String> {
        let span = self.span.as_ref()?;
        Some(format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
    }

    /// Tells a part of the work, which is over.
    pub(super) fn tell(&self, part: Part) {
        let Some(under) = &self.under else { return };
        let members = part.members.into_iter().map(|(name, value)| KeyValue::new(name, value));
        let mut span = SpanBuilder::from_name(part.name)
            .with_kind(SpanKind::Internal)
            .with_start_time(under.time(part.began))
            .with_attributes(members)
            .start_with_context(&under.tracer, &under.context);
        if let Some(wrong) = part.wrong {
            span.set_attribute(KeyValue::new("error.type", wrong));
            span.set_status(Status::error(wrong));
        }
        span.end_with_timestamp(under.time(part.ended));
    }

    /// The request was answered.
    pub(super) fn end(&self, status: u16) {
        let Some(under) = &self.under else { return };
        let span = under.context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(under.time(Instant::now()));
    }
}

impl Under {
    /// Times of a trace are measured from its request's beginning, so that they fit whatever becomes of the clock.
    fn time(&self, at: Instant) -> SystemTime {
        self.at + at.saturating_duration_since(self.began)
    }
}
