//! Ctrl-C and SIGTERM for a running guard: the first asks it to end, the second ends the process.
//!
//! Out: a call, from a thread of its own. What the guard has started (a migration, a candidate) is in process
//! groups of its own and hears nothing of a Ctrl-C.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a process ended by Ctrl-C ends with, by convention of shells.
const INTERRUPTED: i32 = 130;

/// Calls once when the process is asked to end.
///
/// # Errors
/// The system's own.
pub(super) fn watch(ask: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
    };
    thread::spawn(move || {
        runtime.block_on(any(&mut signals));
        ask();
        runtime.block_on(any(&mut signals));
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Waits for any of them.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await
}
