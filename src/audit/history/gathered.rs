//! What the lines of one segment say, gathered beside those of others.
//!
//! In: a segment's lines in order. Out: their history, which that of the lines before takes over. Of most lines a
//! glance is enough; a line that is written otherwise than our writer does is read as every line was before, and so
//! is each allow that may still be given again, and each deny that may be behind one. Older ones are passed over.
//! The chain is held to as strictly as line by line, at a glance; that nothing else in a line was altered is for the
//! signed root to say, which every byte went into.

use crate::plan::Mode;
use crate::policy::account::Action;
use crate::release::digest::ClaimedDigest;
use crate::time::{SKEW, Timestamp};

use super::super::error::AuditError;
use super::super::glance::{Decided, Glance};
use super::super::lines::RawLine;
use super::super::tip::chained;
use super::super::tree::Hash;
use super::{Brief, History, idem_window, read, time_of};

/// Since when an allow may be given again by whoever may write behind a log's last entry.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Recent(Timestamp);

impl Recent {
    /// By the time of the last entry: no writer's clock is further behind it, nor an entry behind the one before it.
    pub(in crate::audit) fn at_the_end(last: Timestamp) -> Option<Self> {
        last.checked_sub_signed(idem_window() + SKEW * 2).map(Self)
    }
}

/// A segment's history.
#[derive(Debug)]
pub(in crate::audit) struct Gathered {
    recent: Recent,
    history: History,
    /// What the first line names as the hash of the one before it.
    before: Option<Hash>,
    last: Hash,
    /// Whether an allow or a deny was passed over.
    passed_over: bool,
    /// What environments were last held to, as it is written: most lines say the same again.
    known: Vec<Known>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    environment: String,
    policy: String,
    trust: String,
    sets: Vec<u8>,
}

impl Gathered {
    /// Of no line yet.
    pub(in crate::audit) fn new(recent: Recent) -> Self {
        let last = super::super::entry::Place::NOTHING;
        Self {
            recent,
            history: History::default(),
            before: None,
            last,
            passed_over: false,
            known: Vec::new(),
        }
    }

    /// Takes one more line, whose hash is `leaf`.
    pub(in crate::audit) fn take(&mut self, line: &RawLine, leaf: Hash) -> Result<(), AuditError> {
        match Glance::at(&line.bytes) {
            Some(glance) => {
                self.follows(line, glance.seq, glance.prev)?;
                self.glanced(line, &glance, leaf)?;
            }
            None => {
                let brief = Brief::of(line)?;
                self.follows(line, brief.seq, Hash::from(&brief.prev))?;
                self.history.add(line, &brief, leaf)?;
                self.known.clear();
            }
        }
        self.last = leaf;
        Ok(())
    }

    /// The first line's word is kept for who knows the line before it.
    fn follows(&mut self, line: &RawLine, seq: u64, prev: Hash) -> Result<(), AuditError> {
        let before = if self.before.is_none() { prev } else { self.last };
        self.before.get_or_insert(prev);
        chained(line, seq, &prev, &before)
    }

    fn glanced(&mut self, line: &RawLine, glance: &Glance<'_>, leaf: Hash) -> Result<(), AuditError> {
        if glance.kind != "decision" {
            self.history.last_time = Some(time_of(line, glance.time)?);
            if matches!(glance.kind, "policy.changed" | "trust.changed") {
                self.known.clear();
            }
            return self.history.add_event(glance.kind, line);
        }
        let Some(decided) = glance.decided().filter(|decided| self.holds(decided)) else {
            self.known.clear();
            return self.history.add(line, &Brief::of(line)?, leaf);
        };
        let time = time_of(line, glance.time)?;
        self.history.last_time = Some(time);
        if decided.action == Action::None || decided.mode == Mode::DryRun {
            return Ok(());
        }
        // Behind one that is kept none is passed over: it may be the same allow, later, or deny the same release.
        match time >= self.recent.0 || !self.history.allows.is_empty() {
            true => self.history.add_decision(read(line)?, line, leaf, time),
            false => self.passed_over = true,
        }
        Ok(())
    }

    /// Notes what a decision was held to; false if it has to be read to say so.
    fn holds(&mut self, decided: &Decided<'_>) -> bool {
        decided.mode == Mode::DryRun || self.note(decided).is_some()
    }

    fn note(&mut self, decided: &Decided<'_>) -> Option<()> {
        let held = decided.held_to()?;
        let known = self.known.iter_mut().find(|known| known.environment == decided.environment);
        if known.as_ref().is_some_and(|known| {
            known.policy == held.policy && known.trust == held.trust && known.sets == held.written()
        }) {
            return Some(());
        }
        let (policy, trust): (ClaimedDigest, ClaimedDigest) =
            (held.policy.parse().ok()?, held.trust.parse().ok()?);
        let standing = self.history.environments.entry(decided.environment.to_owned()).or_default();
        (standing.policy, standing.trust) = (Some(policy), Some(trust));
        held.sets().for_each(|(set, version)| standing.raise(set, version));
        let said = Known {
            environment: decided.environment.to_owned(),
            policy: held.policy.to_owned(),
            trust: held.trust.to_owned(),
            sets: held.written().to_vec(),
        };
        match known {
            Some(known) => *known = said,
            None => self.known.push(said),
        }
        Some(())
    }
}

impl History {
    /// Takes over what the lines say that come next, if the first follows `last`; gives the hash of their last. None
    /// where it does not follow, or where only reading line by line tells what it comes to.
    pub(in crate::audit) fn absorb(&mut self, last: Hash, next: Gathered) -> Option<Hash> {
        let Gathered { recent, history, before, last: end, passed_over, .. } = next;
        let Some(before) = before else { return Some(last) };
        // A clock that went back: what was passed over might be of the same release as an allow that is kept, and later.
        let may_hide = passed_over && self.allows.values().any(|allow| allow.time >= recent.0);
        if before != last || may_hide {
            return None;
        }
        for (environment, next) in history.environments {
            let standing = self.environments.entry(environment).or_default();
            standing.policy = next.policy.or(standing.policy.take());
            standing.trust = next.trust.or(standing.trust.take());
            next.versions.iter().for_each(|(set, version)| standing.raise(set, *version));
        }
        self.allows.extend(history.allows);
        self.ended.extend(history.ended);
        self.denied.extend(history.denied);
        self.recovered.extend(history.recovered);
        self.last_time = history.last_time.or(self.last_time);
        self.unsupported = history.unsupported.or(self.unsupported.take());
        if let Some(time) = self.last_time {
            self.forget(time);
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::entry::Place;
    use super::super::super::lines::Position;
    use super::super::super::sample::{decision, noon, report};
    use super::super::super::tree::leaf_hash;
    use super::*;

    const RECENT: i64 = 30;

    /// A segment of one allow, and its hash.
    fn allow(seq: u64, prev: Hash, second: i64) -> (Gathered, Hash) {
        let bytes = decision(&report()).line(&Place { seq, prev, time: noon(second) });
        let leaf = leaf_hash(&bytes);
        let last = noon(RECENT) + idem_window() + SKEW * 2;
        let mut gathered = Gathered::new(Recent::at_the_end(last).unwrap());
        let at = Position { segment: seq, offset: 0, index: seq };
        gathered.take(&RawLine { at, bytes }, leaf).unwrap();
        (gathered, leaf)
    }

    /// What comes of two segments, the one after the other.
    fn both(seconds: [i64; 2]) -> Option<Hash> {
        let mut history = History::default();
        let (first, before) = allow(0, Place::NOTHING, seconds[0]);
        let (then, end) = allow(1, before, seconds[1]);
        assert_eq!(history.absorb(Place::NOTHING, first), Some(before));
        history.absorb(before, then).inspect(|last| assert_eq!(*last, end))
    }

    #[test]
    fn a_clock_that_went_back_leaves_it_to_the_judge() {
        assert!(both([1, 2]).is_some(), "two that were passed over");
        assert!(both([1, RECENT]).is_some(), "an old one, and one that is kept");
        assert!(both([RECENT, 59]).is_some(), "two that are kept");
        // The first is recent, and the later one, which says it was before it, is not: it may be the same allow.
        assert_eq!(both([59, 1]), None);
    }

    #[test]
    fn a_segment_that_does_not_follow_is_not_taken_over() {
        let (stray, _) = allow(1, leaf_hash(b"another"), 59);
        assert_eq!(History::default().absorb(Place::NOTHING, stray), None);
    }
}
