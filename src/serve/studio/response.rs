//! Answers and their headers.
//!
//! In: a page, bytes, or where to go. Out: a response that a browser may only use as it is meant: no script or style
//! but our own, no frame, no guess at a type, nothing kept that is about the log. CSP:
//! <https://www.w3.org/TR/CSP3/>.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use maud::html;

use super::door::Theme;
use super::page::plain;

/// What a page may load: its sheet, its script, itself again.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// What a file may do where a browser shows it all the same.
const CSP_FILE: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// What is answered.
pub(super) enum Answer {
    /// A page.
    Page(u16, String),
    /// A page that sets cookies.
    Cookies(u16, String, Vec<String>),
    /// Another page, after a change.
    Redirect(String),
    /// The same, with cookies.
    Changed(String, Vec<String>),
    /// An address of somebody else, and a cookie for the way back.
    Elsewhere(String, String),
    /// What may be kept for ever, under its path.
    Kept(&'static str, &'static str),
    /// A file to be saved: its name and its bytes.
    File(String, Vec<u8>),
}

impl Answer {
    /// A page for somebody who is not let in.
    pub(super) fn locked(theme: Theme) -> Self {
        let body = html! {
            p { "This studio opens with the link that was printed where it was started:" }
            (super::page::command("laforge studio"))
        };
        Self::Page(401, plain(theme, "Locked", &body))
    }

    /// The first page of a session. It is no redirect: a cookie that is `SameSite=Strict` would not be sent along
    /// where the link was followed from another site.
    pub(super) fn welcome(theme: Theme, cookie: String) -> Self {
        let body = html! {
            meta http-equiv="refresh" content="0; url=/";
            p { "You are in." }
            p { a.button.primary href="/" { "To the overview" } }
        };
        Self::Cookies(200, plain(theme, "Welcome", &body), vec![cookie])
    }

    /// A page that says why not.
    pub(super) fn refused(theme: Theme, status: u16, title: &str, text: &str) -> Self {
        let body = html! { p { (text) } p { a.button href="/" { "To the overview" } } };
        Self::Page(status, plain(theme, title, &body))
    }

    pub(super) fn response(self) -> Response {
        match self {
            Self::Page(status, text) => page(status, text),
            Self::Cookies(status, text, cookies) => with(page(status, text), &cookies),
            Self::Redirect(to) => redirect(&to),
            Self::Changed(to, cookies) => with(redirect(&to), &cookies),
            Self::Elsewhere(to, cookie) => with(redirect(&to), &[cookie]),
            Self::Kept(kind, text) => {
                let kept = "public, max-age=31536000, immutable";
                made(200, kind, text.into(), &[(header::CACHE_CONTROL, kept)])
            }
            Self::File(name, bytes) => {
                let named = format!("attachment; filename=\"{name}\"");
                let headers = [
                    (header::CONTENT_DISPOSITION, named.as_str()),
                    (header::CONTENT_SECURITY_POLICY, CSP_FILE),
                ];
                made(200, "application/octet-stream", bytes.into(), &headers)
            }
        }
    }
}

fn page(status: u16, text: String) -> Response {
    made(status, "text/html; charset=utf-8", text.into(), &[(header::CONTENT_SECURITY_POLICY, CSP)])
}

fn redirect(to: &str) -> Response {
    made(303, "text/plain; charset=utf-8", Body::empty(), &[(header::LOCATION, to)])
}

fn with(mut response: Response, cookies: &[String]) -> Response {
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn made(status: u16, kind: &'static str, body: Body, more: &[(HeaderName, &str)]) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed
        .iter()
        .map(|(name, value)| (name, *value))
        .chain(more.iter().map(|(name, value)| (name, *value)))
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name.clone(), value);
        }
    }
    response
}
