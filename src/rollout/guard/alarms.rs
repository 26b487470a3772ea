//! Who is called when something is wrong: a program, for each word by itself.
//!
//! In: words, as often as the guard has one. Out: calls, each in a thread of its word's. A word that comes again
//! while it is called for is called for once more, and never queued: a program that takes long, or hangs until its
//! time is up, keeps no other word waiting. Nobody waits for a call to be answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::rollout::driver::exec::{Commands, Variables};

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Alarms {
    commands: Commands,
    variables: Variables,
    words: Arc<Mutex<BTreeMap<String, Called>>>,
}

/// A word that is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// The program runs.
    Once,
    /// It runs, and the word has come again.
    Again,
}

impl Alarms {
    pub(super) fn of(commands: Commands, variables: Variables) -> Self {
        Self { commands, variables, words: Arc::default() }
    }

    /// Calls for a word, or once more after the call that is under way.
    pub(super) fn ring(&self, word: String) {
        let mut words = self.words();
        if let Some(called) = words.get_mut(&word) {
            *called = Called::Again;
            return;
        }
        words.insert(word.clone(), Called::Once);
        drop(words);
        let (alarms, of) = (self.clone(), word.clone());
        let called = thread::Builder::new().spawn(move || {
            loop {
                // Somebody who can't be called is no reason to stop: the view says it too.
                drop(alarms.commands.alarm(&of, &alarms.variables));
                if !alarms.is_due(&of) {
                    return;
                }
            }
        });
        if called.is_err() {
            // No thread is to be had now. The guard goes on, and rings again.
            self.words().remove(&word);
        }
    }

    /// Whether a word that was called for has come again.
    fn is_due(&self, word: &str) -> bool {
        let mut words = self.words();
        match words.remove(word) {
            Some(Called::Again) => {
                words.insert(word.to_owned(), Called::Once);
                true
            }
            Some(Called::Once) | None => false,
        }
    }

    fn words(&self) -> MutexGuard<'_, BTreeMap<String, Called>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a program writes down that it was called")]
mod tests {
    use std::fs;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::rollout::executor::CommandsSection;

    #[test]
    fn a_word_waits_for_no_other_and_is_called_for_once_more_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let called = folder.path().join("called");
        let script = format!(
            "echo $LAFORGE_ALARM >> {0}; while [ $LAFORGE_ALARM = above-target -a ! -e {0}.over ]; do sleep 0.02; done",
            called.display()
        );
        let section: CommandsSection =
            serde_json::from_value(serde_json::json!({"alarm": ["sh", "-c", script]})).unwrap();
        let alarms = Alarms::of(Commands::new(&section, Duration::from_secs(20)), Variables::default());
        let times = |word: &str| {
            let said = fs::read_to_string(&called).unwrap_or_default();
            said.lines().filter(|line| *line == word).count()
        };
        let until = |what: &str, holds: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !holds() {
                assert!(began.elapsed() < Duration::from_secs(15), "never: {what}");
                sleep(Duration::from_millis(10));
            }
        };
        alarms.ring("above-target".to_owned());
        until("it is called", &|| times("above-target") == 1);
        for _ in 0..1000 {
            alarms.ring("above-target".to_owned());
        }
        alarms.ring("not-lowered".to_owned());
        until("the other one is called", &|| times("not-lowered") == 1);
        assert_eq!(times("above-target"), 1, "its program runs");
        fs::write(called.with_extension("over"), "").unwrap();
        until("all is called", &|| alarms.words().is_empty());
        assert_eq!((times("above-target"), times("not-lowered")), (2, 1));
        alarms.ring("above-target".to_owned());
        until("a later one is called", &|| times("above-target") == 3);
    }
}
