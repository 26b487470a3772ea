//! `traceparent` and `tracestate`: the trace that a request's caller goes on with.
//!
//! In: headers. Out: the caller's span, or none where they don't say one exactly as they have to; then the request
//! begins a trace of its own.
//! Spec: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::str::FromStr as _;

use axum::http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The caller's span.
pub(super) fn of(headers: &HeaderMap) -> Option<SpanContext> {
    let mut given = headers.get_all("traceparent").iter();
    // Two of them say nothing.
    let (Some(text), None) = (given.next(), given.next()) else { return None };
    let (trace, span, flags) = read(text.to_str().ok()?)?;
    let state = headers.get("tracestate").and_then(|state| TraceState::from_str(state.to_str().ok()?).ok());
    let context = SpanContext::new(trace, span, flags & TraceFlags::SAMPLED, true, state.unwrap_or_default());
    context.is_valid().then_some(context)
}

fn read(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (hex(parts.next()?, 2)?, hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
    match version {
        "ff" => return None,
        // Later versions may say more than this one.
        "00" if parts.next().is_some() => return None,
        _ => {}
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, TraceFlags::new(flags)))
}

fn hex(part: &str, length: usize) -> Option<&str> {
    let digits = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (part.len() == length && digits).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parent(given: &[&str]) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        for text in given {
            headers.append("traceparent", text.parse().unwrap());
        }
        headers.insert("tracestate", "vendor=value".parse().unwrap());
        of(&headers)
    }

    #[test]
    fn takes_a_trace_and_what_its_vendor_says() {
        let context = parent(&[GOOD]).unwrap();
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id().to_string(), "b7ad6b7169203331");
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(context.trace_state().header(), "vendor=value");
        assert!(!parent(&[&GOOD.replace("-01", "-00")]).unwrap().is_sampled());
        // Flags that nobody knows yet, and a version that says more.
        assert!(parent(&[&GOOD.replace("-01", "-ff")]).unwrap().is_sampled());
        assert!(parent(&[&format!("01{}-more", GOOD.strip_prefix("00").unwrap())]).is_some());
    }

    #[test]
    fn takes_nothing_that_is_not_exactly_one() {
        assert_eq!(parent(&[]), None);
        assert_eq!(parent(&[GOOD, GOOD]), None);
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "+0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            &GOOD.to_uppercase(),
            &GOOD.replace("00-", "ff-"),
            &format!("{GOOD}-x"),
            &format!("{GOOD}-"),
            &format!(" {GOOD} x"),
        ] {
            assert_eq!(parent(&[wrong]), None, "{wrong}");
        }
    }
}
