//! What a program says, read while it runs and kept within bounds.
//!
//! In: one of its pipes. Out: its last 64 KiB, and whether there was more. A thread reads it to its
//! end, so that a process which outlives the program is neither blocked nor killed by a full pipe.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::rollout::driver::excerpt;

/// Bytes that are kept: a thousand digests, and far more than the last line of a failure.
const KEPT: usize = 64 * 1024;

/// What was said so far.
#[derive(Debug, Default, Clone)]
pub(in crate::rollout::driver) struct Said {
    bytes: Vec<u8>,
    cut: bool,
    ended: bool,
}

/// A pipe that is being read.
#[derive(Debug)]
pub(super) struct Output(Arc<(Mutex<Said>, Condvar)>);

impl Said {
    /// As text; what is no text is replaced.
    pub(in crate::rollout::driver) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Whether its beginning is lost.
    pub(in crate::rollout::driver) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The last line that says anything, and has a mark in it.
    pub(super) fn last_line(&self, marker: &str) -> Option<String> {
        let text = self.text();
        let mut marked = text.lines().rev().filter(|line| line.contains(marker)).map(excerpt);
        marked.find(|line| !line.is_empty())
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        self.cut |= over > 0;
        self.bytes.drain(..over);
    }
}

impl Output {
    /// Reads a pipe from now on.
    pub(super) fn of(pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let ours = Arc::clone(&shared);
        thread::spawn(move || drain(pipe, &ours));
        Self(shared)
    }

    /// What was said, once the pipe is at its end or somebody has waited so long.
    pub(super) fn within(&self, patience: Duration) -> Said {
        let (said, more) = &*self.0;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = more.wait_timeout_while(said, patience, |said| !said.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

fn drain(mut pipe: impl Read, shared: &(Mutex<Said>, Condvar)) {
    let mut chunk = [0; 8192];
    loop {
        let read = match pipe.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(read) => read,
            Err(_) => 0,
        };
        let mut said = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.hear(chunk.get(..read).unwrap_or_default());
        if read == 0 {
            said.ended = true;
            shared.1.notify_all();
            return;
        }
    }
}
