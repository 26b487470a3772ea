//! `/v1/decisions` and `/v1/log`: what is on record, filtered as `audit list` does.
//!
//! In: a query, or an entry's index. Out: entries, the newest first and a page at a time; one entry with its proof and
//! checkpoint; the proof as its text; the plan of an allow, byte for byte, for as long as it may be started. A log
//! that can't be read or does not check out answers 503. Proofs: <https://c2sp.org/tlog-proof>.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::journal::told;
use super::super::problem::{Named, Problem, answer, named};
use super::super::server::excerpt;
use super::ledger::Ledger;
use crate::audit::entry::Body;
use crate::audit::filter::Filter;
use crate::audit::index::Held;
use crate::audit::reader::Line;
use crate::audit::{AuditError, Reader};
use crate::plan::RecordedCore;
use crate::policy::account::Action;
use crate::rollout::promotion;
use crate::time;

/// Entries of a page, unless fewer are asked for.
const PAGE: usize = 100;

type Told = Result<(&'static str, Vec<u8>), Problem>;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    filter: Filter,
    before: Option<u64>,
    limit: usize,
}

/// `GET /v1/decisions`
pub(super) async fn list(State(ledger): State<Arc<Ledger>>, RawQuery(query): RawQuery) -> Response {
    let asked = match Asked::read(query.as_deref().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(problem) => return problem.response(),
    };
    read(ledger, move |ledger, reader| page(ledger, reader, &asked)).await
}

/// `GET /v1/decisions/{index}`
pub(super) async fn entry(State(ledger): State<Arc<Ledger>>, index: Named<String>) -> Response {
    let index = match named(index) {
        Ok(index) => index,
        Err(problem) => return problem.response(),
    };
    read(ledger, move |ledger, reader| {
        let line = line(ledger, reader, &index)?;
        let held = ledger.held(reader, line.index).map_err(|error| unreadable(&error))?;
        let mut document = document(&line)?;
        if let (Value::Object(members), Some(held)) = (&mut document, held) {
            members.insert("proof".to_owned(), held.proof.into());
            members.insert("reference".to_owned(), json!(held.reference));
        }
        Ok(("application/json", document.to_string().into_bytes()))
    })
    .await
}

/// `GET /v1/decisions/{index}/proof`
pub(super) async fn proof(State(ledger): State<Arc<Ledger>>, index: Named<String>) -> Response {
    let index = match named(index) {
        Ok(index) => index,
        Err(problem) => return problem.response(),
    };
    read(ledger, move |ledger, reader| {
        let line = line(ledger, reader, &index)?;
        Ok(("text/plain; charset=utf-8", held(ledger, reader, &line)?.proof.into_bytes()))
    })
    .await
}

/// `GET /v1/decisions/{index}/plan`
pub(super) async fn plan(State(ledger): State<Arc<Ledger>>, index: Named<String>) -> Response {
    let index = match named(index) {
        Ok(index) => index,
        Err(problem) => return problem.response(),
    };
    read(ledger, move |ledger, reader| {
        let line = line(ledger, reader, &index)?;
        let index = line.index;
        let none = || Problem::new(404, format!("entry {index} is no allow, so there is no plan of it"));
        let entry = line.parse().map_err(|error| Problem::new(503, error.to_string()))?;
        let Body::Decision(decision) = entry.body else { return Err(none()) };
        let allowed = decision.action == Action::Allow;
        let plan = decision.plan.filter(|_| allowed).ok_or_else(none)?.digest;
        let core = reader.blob(&plan).map_err(|error| unreadable(&error))?;
        let core = core.ok_or_else(|| Problem::new(503, format!("the plan of entry {index} is missing")))?;
        let read: RecordedCore =
            serde_json::from_slice(&core).map_err(|error| Problem::new(503, error.to_string()))?;
        if ledger.now() >= read.validity.not_after {
            let until = time::to_seconds(read.validity.not_after);
            return Err(Problem::new(
                410,
                format!("the plan of entry {index} could be started until {until}"),
            ));
        }
        if ledger.has_ended(&plan) {
            return Err(Problem::new(
                410,
                format!("the plan of entry {index} was rolled out, and has ended"),
            ));
        }
        let envelope = promotion::again(&held(ledger, reader, &line)?, &core).ok_or_else(none)?;
        Ok(("application/json", envelope))
    })
    .await
}

/// `GET /v1/log`
pub(super) async fn log(State(ledger): State<Arc<Ledger>>) -> Response {
    read(ledger, |ledger, reader| {
        let health = ledger.health().map_err(|why| Problem::new(503, why))?;
        let head = reader.head();
        let document = json!({
            "origin": reader.origin(),
            "logId": reader.log_id(),
            "vkey": reader.vkey().to_string(),
            "size": head.size,
            "root": head.root.claim(),
            "checkpoint": reader.checkpoint(),
            "lastEntryAt": health.last.map(time::to_micros),
            "anchoredAt": health.anchored.map(time::to_micros),
            "needsRepair": health.needs_repair,
        });
        Ok(("application/json", document.to_string().into_bytes()))
    })
    .await
}

/// Reads the log where it checks out, on a thread that may wait for the disk.
async fn read(ledger: Arc<Ledger>, work: impl FnOnce(&Ledger, &Reader) -> Told + Send + 'static) -> Response {
    let told = spawn_blocking(move || {
        let reader = ledger.look().map_err(|why| Problem::new(503, why))?;
        work(&ledger, &reader)
    });
    match told.await {
        Ok(Ok((kind, bytes))) => answer(StatusCode::OK, kind, String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Err(problem)) => problem.response(),
        Err(_) => Problem::new(503, "the question broke off").response(),
    }
}

fn unreadable(error: &AuditError) -> Problem {
    Problem::new(503, told(error))
}

fn page(ledger: &Ledger, reader: &Reader, asked: &Asked) -> Told {
    let before = asked.before.unwrap_or(u64::MAX);
    let found =
        ledger.page(reader, &asked.filter, before, asked.limit).map_err(|error| unreadable(&error))?;
    let entries: Vec<Value> = found.lines.iter().map(document).collect::<Result<_, _>>()?;
    let page = json!({"size": reader.size(), "entries": entries, "next": found.next});
    Ok(("application/json", page.to_string().into_bytes()))
}

/// An entry, its id, and its exact bytes as a text: only of those its hash checks.
fn document(line: &Line) -> Result<Value, Problem> {
    let entry: Value =
        serde_json::from_slice(&line.bytes).map_err(|error| Problem::new(503, error.to_string()))?;
    let bytes = String::from_utf8_lossy(&line.bytes).into_owned();
    Ok(json!({"index": line.index, "leaf": line.leaf().claim(), "entry": entry, "line": bytes}))
}

fn line(ledger: &Ledger, reader: &Reader, index: &str) -> Result<Line, Problem> {
    let none = || {
        let last = reader.size().saturating_sub(1);
        Problem::new(404, format!("the log has no entry `{}`: its last is {last}", excerpt(index)))
    };
    let plain = index.len() <= 18 && index.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = index.parse().ok().filter(|_| plain).ok_or_else(none)?;
    ledger.line(reader, number).map_err(|error| unreadable(&error))?.ok_or_else(none)
}

fn held(ledger: &Ledger, reader: &Reader, line: &Line) -> Result<Held, Problem> {
    let held = ledger.held(reader, line.index).map_err(|error| unreadable(&error))?;
    held.ok_or_else(|| {
        let why = format!(
            "entry {} was committed together with later ones: it has no proof of its own",
            line.index
        );
        Problem::new(404, why)
    })
}

impl Asked {
    fn read(query: &str) -> Result<Self, Problem> {
        let refuse = |why: String| Problem::new(400, why);
        // Percent-encoding as forms have it.
        let url = Url::parse(&format!("http://query/?{query}")).map_err(|error| refuse(error.to_string()))?;
        let (mut own, mut pairs) = ((None, None), Vec::new());
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "before" if own.0.is_none() => own.0 = Some(number("before", &value)?),
                "limit" if own.1.is_none() => own.1 = Some(number("limit", &value)?),
                "before" | "limit" => return Err(refuse(format!("`{name}` is given twice"))),
                _ => pairs.push((name.into_owned(), value.into_owned())),
            }
        }
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut filter = Filter::of(pairs).map_err(|error| refuse(error.to_string()))?;
        filter.types.get_or_insert_with(|| "decision".to_owned());
        let limit = own.1.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(PAGE));
        match limit {
            1..=PAGE => Ok(Self { filter, before: own.0, limit }),
            _ => Err(refuse(format!("`limit` is 1 to {PAGE}"))),
        }
    }
}

fn number(name: &str, text: &str) -> Result<u64, Problem> {
    let plain = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| Problem::new(400, format!("`{}` is no number for `{name}`", excerpt(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_query_as_the_command_line_reads_its_flags() {
        let asked = Asked::read("release=payments%402.4.0&action=deny&before=12&limit=3").unwrap();
        assert_eq!((asked.before, asked.limit), (Some(12), 3));
        assert_eq!(asked.filter.release.as_deref(), Some("payments@2.4.0"));
        assert_eq!(asked.filter.types.as_deref(), Some("decision"));
        assert_eq!(Asked::read("").unwrap().limit, PAGE);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for query in
            ["relase=x", "limit=0", "limit=101", "limit=x", "before=-1", "before=1&before=2", "action=maybe"]
        {
            assert_eq!(Asked::read(query).unwrap_err().response().status().as_u16(), 400, "{query}");
        }
    }
}
