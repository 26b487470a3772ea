//! Patience: how long an answer is waited for, how often a question is asked again, and when no more.
//!
//! A gate in a pipeline must come to an end: each request has its times, and each host a budget of
//! time that its failures may cost in one run, after which it is not asked again. All questions together have
//! one as well: lists that are each answered just in time, or a thousand hosts that are down, would take days.

use std::time::Duration;

/// Requests to registries in one run: three for each of five thousand platforms and one for its manifest, and
/// two for each piece of evidence that is taken.
const REQUESTS: u64 = 32_768;

/// How long to wait, and how often to ask again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer is there, whole.
    pub answer: Duration,
    /// Times that one question is asked.
    pub attempts: u32,
    /// The first wait between two times; each further one is twice as long.
    pub pause: Duration,
    /// The longest wait that `Retry-After` may ask for.
    pub longest: Duration,
    /// What the failures of one host may cost in a run, all together.
    pub lost: Duration,
    /// For how long a run may ask registries, from its first question, however well they answer.
    pub whole: Duration,
    /// How many requests a run makes.
    pub requests: u64,
}

impl Default for Patience {
    /// A manifest is a few kilobytes; a registry that takes half a minute for one is down. A thousand images
    /// with their evidence are ten thousand questions, eight at a time.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_millis(250),
            longest: Duration::from_secs(20),
            lost: Duration::from_secs(90),
            whole: Duration::from_secs(900),
            requests: REQUESTS,
        }
    }
}

impl Patience {
    /// The wait before the next time: doubled each time, and spread so that many gates that failed
    /// together don't ask again together. None when the host asks for more than is granted.
    pub(super) fn pause_after(
        &self,
        attempt: u32,
        asked_for: Option<Duration>,
        jitter: u8,
    ) -> Option<Duration> {
        match asked_for {
            Some(wait) if wait > self.longest => None,
            Some(wait) => Some(wait),
            None => {
                let doubled = self.pause.saturating_mul(1 << attempt.min(16)).min(self.longest);
                // Between half of it and all of it.
                Some(doubled.mul_f64(0.5 + f64::from(jitter) / 512.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_never_longer_than_granted() {
        let patience = Patience::default();
        let pause = |attempt, jitter| patience.pause_after(attempt, None, jitter).unwrap();
        assert_eq!(pause(0, 0), patience.pause / 2);
        assert!(pause(0, 255) < patience.pause);
        assert_eq!(pause(2, 0), patience.pause * 2);
        assert!(pause(u32::MAX, 255) <= patience.longest);
    }

    #[test]
    fn honours_what_the_host_asks_for_within_bounds() {
        let patience = Patience::default();
        let asked = |seconds| patience.pause_after(0, Some(Duration::from_secs(seconds)), 0);
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(3600), None);
    }
}
