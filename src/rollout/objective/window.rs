//! A window looked at: every objective, candidate beside stable, and what the machine is told.
//!
//! In: what was scraped of both slots ([`Watched`]), the window, the time. Out: a [`Look`]: the
//! event that follows, if one does, and the counts behind it.

use chrono::Duration;

use crate::rollout::machine::event::StableSide;
use crate::rollout::machine::{Event, Weight, Window};
use crate::time::Timestamp;

use super::{Breach, Budget, Count, Freshness, Instance, Judgement, Measured, Progress, Unclear};

/// The series of one slot for one objective.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its processes: every one that was seen in the window, also those that are gone.
    pub instances: &'a [Instance],
}

/// One objective and what was scraped for it.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The objective.
    pub budget: &'a Budget,
    /// Of the version on trial.
    pub candidate: Side<'a>,
    /// Of the version serving.
    pub stable: Side<'a>,
}

/// When and how a window is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The window.
    pub window: &'a Window,
    /// Its id.
    pub id: u64,
    /// Now.
    pub now: Timestamp,
    /// How often instances are scraped.
    pub interval: Duration,
    /// After how long without a series it is missing, whatever the interval.
    pub missing_after: Duration,
    /// The candidate's weight, read now.
    pub readback: Weight,
}

/// What one look finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What the machine is told, if anything.
    pub event: Option<Event>,
    /// What the candidate counted, for each objective that has a count.
    pub measured: Vec<Measured>,
    /// What stable counted in the same window, once there is something to tell.
    pub stable: Vec<Measured>,
    /// How the breach came to light, if there is one.
    pub breach: Option<Breach>,
    /// Why the end is inconclusive, if it is.
    pub unclear: Option<Unclear>,
}

impl Side<'_> {
    /// What all instances counted; an instance without a number counts nothing.
    pub fn count(&self, from: Timestamp, until: Timestamp, interval: Duration) -> Option<Count> {
        let growth = |instance: &Instance| instance.growth(from, until, interval);
        let mut grown = self.instances.iter().filter_map(growth).peekable();
        grown.peek()?;
        Some(grown.fold(Count::default(), |sum, next| Count {
            bad: sum.bad.saturating_add(next.bad),
            total: sum.total.saturating_add(next.total),
        }))
    }

    fn freshness(&self, now: Timestamp, interval: Duration) -> Freshness {
        let fresh = |instance: &Instance| instance.is_fresh(now, interval);
        match !self.instances.is_empty() && self.instances.iter().all(fresh) {
            true => Freshness::Fresh,
            false => Freshness::Stale,
        }
    }

    /// Whether any instance has said a number since an instant.
    fn is_seen_since(&self, from: Timestamp, now: Timestamp) -> bool {
        self.instances.iter().any(|instance| instance.newest(now).is_some_and(|newest| newest >= from))
    }
}

impl Sight<'_> {
    fn progress(&self) -> Progress {
        let ms = |span: Duration| u64::try_from(span.num_milliseconds()).unwrap_or(0);
        match self.now >= self.window.ends {
            true => Progress::Complete,
            false => Progress::Open {
                elapsed_ms: ms(self.now - self.window.opens),
                length_ms: ms(self.window.ends - self.window.opens),
            },
        }
    }

    /// What a side counted in the window, and over the fast burn's lookback inside it.
    fn judge(&self, budget: &Budget, side: Side<'_>) -> (Option<Count>, Judgement) {
        let (until, interval) = (self.now, self.interval);
        let count = side.count(self.window.opens, until, interval);
        let recent = budget.fast_burn.and_then(|burn| {
            let span = i64::try_from(burn.lookback_seconds).ok().and_then(Duration::try_seconds)?;
            let from = self.now.checked_sub_signed(span)?.max(self.window.opens);
            side.count(from, until, interval)
        });
        let freshness = side.freshness(self.now, self.interval);
        let judged = budget.judge(self.progress(), &count.unwrap_or_default(), recent.as_ref(), freshness);
        (count, judged)
    }

    /// What stable counted.
    fn stable(&self, watched: &Watched<'_>) -> Option<Measured> {
        let count = watched.stable.count(self.window.opens, self.now, self.interval)?;
        Some(Measured { objective: watched.budget.id.clone(), count })
    }

    /// Whether a series is missing: nothing since the window opened, and long enough ago.
    fn is_missing(&self, watched: &Watched<'_>) -> bool {
        let patience = self.missing_after.max(self.interval * super::series::YOUNG_INTERVALS);
        let seen = watched.candidate.is_seen_since(self.window.opens, self.now);
        let lately = watched.candidate.is_seen_since(self.now - patience, self.now);
        self.now - self.window.opens >= patience && !(seen && lately)
    }
}

/// Looks at a window: the first breach of any objective, else what is missing, else a pass of all,
/// else an inconclusive end.
pub fn look(sight: &Sight<'_>, watched: &[Watched<'_>]) -> Look {
    let mut found = Look::default();
    if sight.now < sight.window.opens {
        return found;
    }
    let judged: Vec<(&Watched<'_>, Judgement)> = watched
        .iter()
        .map(|watched| {
            let (count, judgement) = sight.judge(watched.budget, watched.candidate);
            let measured = |count| Measured { objective: watched.budget.id.clone(), count };
            found.measured.extend(count.map(measured));
            found
                .stable
                .extend(watched.stable.count(sight.window.opens, sight.now, sight.interval).map(measured));
            (watched, judgement)
        })
        .collect();
    (found.event, found.breach, found.unclear) = said(sight, &judged, &found.measured);
    if found.event.is_some() {
        found.stable = watched.iter().filter_map(|watched| sight.stable(watched)).collect();
    }
    found
}

/// What the machine is told of what was judged, and why.
fn said(
    sight: &Sight<'_>,
    judged: &[(&Watched<'_>, Judgement)],
    measured: &[Measured],
) -> (Option<Event>, Option<Breach>, Option<Unclear>) {
    for (watched, judgement) in judged {
        if let Judgement::Breach(breach) = judgement {
            return (Some(breach_of(sight, watched)), Some(*breach), None);
        }
    }
    if judged.iter().any(|(watched, _)| sight.is_missing(watched)) {
        return (Some(Event::MetricsMissing { window: sight.id }), None, None);
    }
    let unclear = judged.iter().find_map(|(_, judgement)| match judgement {
        Judgement::Inconclusive(why) => Some(*why),
        _ => None,
    });
    let passed = !judged.is_empty() && judged.iter().all(|(_, judgement)| *judgement == Judgement::Pass);
    let event = match (passed, unclear) {
        (true, _) => {
            let (window, readback) = (sight.id, sight.readback);
            Some(Event::WindowVerdict { window, measured: measured.to_vec(), readback })
        }
        (false, Some(_)) => Some(Event::WindowEnd { window: sight.id }),
        (false, None) => None,
    };
    (event, None, unclear)
}

/// A breach, and whether stable breaches by the same rule in the same window.
fn breach_of(sight: &Sight<'_>, watched: &Watched<'_>) -> Event {
    let (_, stable) = sight.judge(watched.budget, watched.stable);
    let stable = match stable {
        Judgement::Breach(_) => StableSide::Breaching,
        _ => StableSide::Within,
    };
    Event::Breach { window: sight.id, objective: watched.budget.id.clone(), stable }
}
