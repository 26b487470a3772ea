//! The course of a decision: when each of its steps began.
//!
//! In: steps, as whoever decides comes to them. Out: how long each took, for the metrics and the request's trace. A
//! decision that breaks off has the step that it broke off in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A step of a decision, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Configuration, trust, policies and the release are read.
    Load,
    /// Artifacts are hashed, evidence is gathered and verified.
    Verify,
    /// Every rule is asked.
    Decide,
    /// The decision is made durable.
    Append,
}

/// The steps so far.
#[derive(Debug, Clone, Default)]
pub struct Course(Arc<Mutex<Vec<(Step, Instant)>>>);

/// A step that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) step: Step,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

impl Step {
    /// Its name in a trace.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Verify => "verify",
            Self::Decide => "decide",
            Self::Append => "append",
        }
    }
}

impl Course {
    /// A step begins, and the one before is over.
    pub fn begin(&self, step: Step) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((step, Instant::now()));
    }

    /// The steps, of which the last one ended now.
    pub(super) fn end(&self, now: Instant) -> Vec<Taken> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = begun.iter().skip(1).map(|(_, began)| *began).chain([now]);
        begun.iter().zip(ends).map(|(&(step, began), ended)| Taken { step, began, ended }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_ends_where_the_next_begins() {
        let course = Course::default();
        assert_eq!(course.end(Instant::now()), []);
        course.begin(Step::Load);
        course.begin(Step::Verify);
        let now = Instant::now();
        let taken = course.clone().end(now);
        let [load, verify] = taken.as_slice() else { panic!("two steps: {taken:?}") };
        assert_eq!((load.step, verify.step), (Step::Load, Step::Verify));
        assert_eq!((load.ended, verify.ended), (verify.began, now));
    }
}
