//! What a running guard tells its terminal: a live view where there is one, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Session;
use crate::report::paint::{Tone, printable};
use crate::report::rollout::{self as report, Moment};
use crate::rollout::guard::{Assignment, View, Watcher};
use crate::rollout::journal::Told;
use crate::rollout::machine::Event;
use crate::rollout::objective::Look;
use crate::time::Timestamp;

/// Tells what happens as it happens.
pub(super) struct Telling<'a> {
    session: &'a Session,
    live: ProgressBar,
    last: Option<View>,
    before: &'static str,
}

impl<'a> Telling<'a> {
    /// Says what is run, and draws where there is a terminal.
    pub(super) fn new(session: &'a Session, assignment: &Assignment) -> Self {
        let live = if session.draws() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        live.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let release = &assignment.core.release;
        session.say(&printable(&format!(
            "rolling out {} {} at {}: `{}` is on trial beside `{}`",
            release.name,
            release.version,
            assignment.core.target,
            assignment.slots.candidate,
            assignment.slots.stable
        )));
        session.say("\n");
        Self { session, live, last: None, before: "Planned" }
    }

    /// Leaves the last view on the terminal.
    pub(super) fn end(&self) {
        self.live.finish_and_clear();
        if let Some(view) = self.last.as_ref().filter(|_| self.session.draws()) {
            self.session.say(&report::view(view, self.session.paint));
        }
    }

    /// Above the live view, or just there.
    fn say(&self, text: &str) {
        self.live.suspend(|| self.session.say(text));
    }
}

impl Watcher for Telling<'_> {
    fn told(&mut self, at: Timestamp, told: &Told, event: &Event, look: &Look) {
        use Event::{Breach, MetricsMissing, WindowEnd, WindowVerdict};
        let judged =
            matches!(event, Breach { .. } | WindowVerdict { .. } | WindowEnd { .. } | MetricsMissing { .. });
        let moment = Moment {
            event,
            commands: &told.step.commands,
            candidate: if judged { &look.measured } else { &[] },
            breach: look.breach.filter(|_| judged),
            unclear: look.unclear.filter(|_| judged),
        };
        let (after, outcome, paint) = (&told.step.next, told.step.outcome, self.session.paint);
        let line = report::line(at, &moment, self.before, after, outcome, paint);
        self.before = after.stage.name();
        self.say(&line);
    }

    fn trouble(&mut self, what: &str) {
        let paint = self.session.paint;
        self.live.suspend(|| {
            self.session.tell(&format!("{}: {}\n", paint.tone(Tone::Warning, "warning"), printable(what)));
        });
    }

    fn view(&mut self, view: &View) {
        self.live.set_message(report::view(view, self.session.paint));
        self.live.tick();
        self.last = Some(view.clone());
    }
}
