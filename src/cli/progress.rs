//! Progress of long reading: on a terminal, and only once it is long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::paint::printable;

use super::Session;

/// Bytes that must have been read before anything is drawn: shorter work is over before it is seen.
const LONG: u64 = 64 * 1024 * 1024;

/// Requests that must have been made before anything is drawn.
const MANY: u64 = 32;

/// How many bytes of the artifacts have been read.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Draws on a terminal, and nowhere else.
    pub(super) fn on(session: &Session) -> Self {
        let bar = if session.draws() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("{spinner} reading artifacts: {bytes} ({bytes_per_sec}) {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar }
    }

    /// So many bytes more of an artifact.
    pub(super) fn read(&self, name: &str, bytes: u64) {
        self.bar.inc(bytes);
        if self.bar.position() >= LONG {
            self.bar.set_message(printable(name));
            self.bar.enable_steady_tick(Duration::from_millis(120));
        }
    }

    /// So many requests to registries so far, the last to this host.
    pub(super) fn asked(&self, host: &str, requests: u64) {
        if requests >= MANY {
            self.bar.set_message(printable(&format!("({requests} requests, {host})")));
            self.bar.enable_steady_tick(Duration::from_millis(120));
        }
    }

    /// Takes it off the terminal again.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
