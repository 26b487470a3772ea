//! What sends spans: OpenTelemetry's own exporter and batches, over the HTTP client that is here already.
//!
//! In: spans as they end. Out: OTLP over HTTP, from one thread beside the requests. So many spans may wait and no more;
//! what finds no room, or what the collector does not take, is counted, and said once until it goes well again. A
//! request never waits. Tries that may be repeated (429, 502, 503, 504, no answer) are, within the time of a batch.
//! The libraries are taken and not written anew: they bring sixteen small crates and no second HTTP client. Not
//! counted is what a collector takes and reports as rejected in its answer: that is in the collector's own metrics.
//! Spec: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::io::Read as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde_json::json;

use super::super::journal::tell;
use super::settings::{Encoding, Settings};
use crate::network::{CLIENT, is_loopback};
use crate::time::Timestamp;

/// How many spans may wait.
const WAITING: usize = 2048;
/// Bytes of an answer that are read: nothing is done with them.
const MOST_OF_AN_ANSWER: u64 = 64 * 1024;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The client.
    #[error("the client that sends traces can't be made")]
    Client(#[from] reqwest::Error),
    /// The exporter, by its own variables.
    #[error("the exporter of traces can't be made")]
    Exporter(#[from] ExporterBuildError),
}

/// What makes spans, and what counts those that are lost.
pub(super) fn provider(
    settings: &Settings,
    clock: fn() -> Timestamp,
) -> Result<(SdkTracerProvider, Arc<Tally>), ExportError> {
    let tally = Arc::new(Tally::new(clock));
    let http = Client::builder().user_agent(CLIENT).redirect(Policy::none()).timeout(settings.patience);
    let http = if is_loopback(&settings.endpoint) { http.no_proxy() } else { http }.build()?;
    let exporter = OtlpExporter::builder()
        .with_http()
        .with_http_client(Collector { http, tally: Arc::clone(&tally) })
        .with_endpoint(settings.endpoint.as_str())
        .with_protocol(match settings.encoding {
            Encoding::Protobuf => Protocol::HttpBinary,
            Encoding::Json => Protocol::HttpJson,
        })
        .with_timeout(settings.patience)
        .build()?;
    let exporter = Counted { exporter, tally: Arc::clone(&tally) };
    let batches = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let resource = Resource::builder()
        .with_service_name(settings.service.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let bounded = Bounded { batches, tally: Arc::clone(&tally) };
    let provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(bounded).build();
    Ok((provider, tally))
}

/// What waits, and what was lost.
#[derive(Debug)]
pub(super) struct Tally {
    waiting: AtomicUsize,
    lost: AtomicU64,
    told: Mutex<Told>,
    clock: fn() -> Timestamp,
}

/// What was said of losses.
#[derive(Debug, Default)]
struct Told {
    /// Whether the last thing was that spans are lost.
    lost: bool,
    /// Why the collector was not reached the last time.
    unreached: Option<String>,
}

impl Tally {
    fn new(clock: fn() -> Timestamp) -> Self {
        Self { waiting: AtomicUsize::new(0), lost: AtomicU64::new(0), told: Mutex::default(), clock }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether there is room for one more to wait.
    fn enter(&self) -> bool {
        let one_more = |waiting| Some(waiting + 1).filter(|waiting| *waiting <= WAITING);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
    }

    fn leave(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
    }

    fn told<T>(&self, work: impl FnOnce(&mut Told) -> T) -> T {
        work(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lose(&self, spans: usize, why: &str) {
        self.lost.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.told(|told| {
            let why = told.unreached.take().unwrap_or_else(|| why.to_owned());
            if !std::mem::replace(&mut told.lost, true) {
                tell((self.clock)(), "traces", json!({"lost": true, "why": why}));
            }
        });
    }

    fn took(&self) {
        self.told(|told| {
            told.unreached = None;
            if std::mem::replace(&mut told.lost, false) {
                tell((self.clock)(), "traces", json!({"lost": false, "lostSoFar": self.lost()}));
            }
        });
    }

    /// Nothing waits any more, or what does is lost.
    pub(super) fn end(&self, flushed: bool) {
        match self.waiting.swap(0, Ordering::AcqRel) {
            left if left > 0 && !flushed => {
                self.lose(left, "the service ended before the collector took them")
            }
            _ => {}
        }
    }
}

/// So many spans and no more.
#[derive(Debug)]
struct Bounded {
    batches: BatchSpanProcessor,
    tally: Arc<Tally>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        match self.tally.enter() {
            true => self.batches.on_end(span),
            false => {
                self.tally.lose(1, "as many spans as may wait do, and the collector is slow to take them")
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// The exporter, and what became of each batch.
#[derive(Debug)]
struct Counted {
    exporter: OtlpExporter,
    tally: Arc<Tally>,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.tally.leave(spans);
        match &result {
            Ok(()) => self.tally.took(),
            Err(error) => self.tally.lose(spans, &error.to_string()),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The collector, as it is reached from a thread that may wait.
#[derive(Debug)]
struct Collector {
    http: Client,
    tally: Arc<Tally>,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.try_into()?;
        let answer = self.http.execute(request).inspect_err(|error| {
            self.tally.told(|told| told.unreached = Some(unreached(error)));
        })?;
        self.tally.told(|told| told.unreached = None);
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        response.headers_mut().clone_from(answer.headers());
        let mut bytes = Vec::new();
        answer.take(MOST_OF_AN_ANSWER).read_to_end(&mut bytes)?;
        *response.body_mut() = bytes.into();
        Ok(response)
    }
}

/// Why it was not reached, down to the last cause.
fn unreached(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    format!("the collector is not reached: {last}")
}
