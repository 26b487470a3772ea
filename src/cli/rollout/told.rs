//! What a running guard tells its terminal: a live view where there is one, plain lines elsewhere.
//!
//! In: what the guard tells. Out: text on stderr, by a thread of its own: a terminal that is held, or a pipe
//! that nobody reads, must not hold the guard. What it can't take is left out; the journal has all of it.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Session;
use crate::report::paint::{Tone, printable};
use crate::report::rollout::{self as report, Moment};
use crate::rollout::guard::{Assignment, View, Watcher};
use crate::rollout::journal::Told;
use crate::rollout::machine::Event;
use crate::rollout::objective::Look;
use crate::time::Timestamp;

/// How many lines may wait to be written.
const WAITING: usize = 256;
/// How long the last ones may take.
const LAST: Duration = Duration::from_secs(2);

/// Tells what happens as it happens.
pub(super) struct Telling<'a> {
    session: &'a Session,
    lines: Option<SyncSender<Line>>,
    written: Receiver<()>,
    before: &'static str,
}

/// What is to be written.
enum Line {
    Text(String),
    /// Told also where little is to be said.
    Warning(String),
    View(Box<View>),
}

impl<'a> Telling<'a> {
    /// Says what is run, and draws where there is a terminal. `before` is the state that it is found in.
    pub(super) fn new(session: &'a Session, assignment: &Assignment, before: &'static str) -> Self {
        let (lines, taken) = mpsc::sync_channel(WAITING);
        let (done, written) = mpsc::channel();
        let writer = session.clone();
        thread::spawn(move || {
            write(&writer, &taken);
            let _ = done.send(());
        });
        let release = &assignment.core.release;
        let this = Self { session, lines: Some(lines), written, before };
        this.line(Line::Text(format!(
            "{}\n",
            printable(&format!(
                "rolling out {} {} at {}: `{}` is on trial beside `{}`",
                release.name,
                release.version,
                assignment.core.target,
                assignment.slots.candidate,
                assignment.slots.stable
            ))
        )));
        this
    }

    /// Writes what waits, if it can be written.
    pub(super) fn end(&mut self) {
        self.lines = None;
        let _ = self.written.recv_timeout(LAST);
    }

    fn line(&self, line: Line) {
        if let Some(lines) = &self.lines {
            // Full: nobody reads.
            let _ = lines.try_send(line);
        }
    }
}

/// Writes lines as they come, above the view where there is a terminal.
fn write(session: &Session, lines: &Receiver<Line>) {
    let live = if session.draws() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    live.set_style(
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut last = None;
    for line in lines {
        match line {
            Line::Text(text) => live.suspend(|| session.say(&text)),
            Line::Warning(text) => live.suspend(|| session.tell(&text)),
            Line::View(view) => {
                live.set_message(report::view(&view, session.paint));
                live.tick();
                last = Some(view);
            }
        }
    }
    live.finish_and_clear();
    if let Some(view) = last.filter(|_| session.draws()) {
        session.say(&report::view(&view, session.paint));
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
        self.line(Line::Text(line));
    }

    fn trouble(&mut self, what: &str) {
        let warning = self.session.paint.tone(Tone::Warning, "warning");
        self.line(Line::Warning(format!("{warning}: {}\n", printable(what))));
    }

    fn view(&mut self, view: &View) {
        self.line(Line::View(Box::new(view.clone())));
    }
}
