//! The style sheet and the script, embedded: whoever has the binary has all of the studio.
//!
//! Out: their bytes, under paths that change with them, so that they may be kept for ever.

use std::sync::LazyLock;

use crate::release::digest::Digest;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("studio.css");
/// What makes pages livelier; all of them work without it.
pub(super) const SCRIPT: &str = include_str!("studio.js");
/// The site's sign, as a picture of its own.
pub(super) const SIGN: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" fill=\"#3451d1\"/><path d=\"M9 8v16h8M18 8h6M18 16h5M18 8v16\" fill=\"none\" stroke=\"#fff\" stroke-width=\"3\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/></svg>";
/// Its path.
pub(super) const ICON: &str = "/static/icon.svg";

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("studio.css", STYLE));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("studio.js", SCRIPT));

pub(super) fn style_path() -> &'static str {
    &STYLE_PATH
}

pub(super) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

fn path(name: &str, text: &str) -> String {
    let hex = Digest::of_bytes(text.as_bytes()).hex();
    format!("/static/{name}?v={}", hex.get(..16).unwrap_or_default())
}
