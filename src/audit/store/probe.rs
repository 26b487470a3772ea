//! Where tests look at, and into, every step that changes the disk.
//!
//! Outside tests a step is nothing. In tests a thread may record its steps (to replay any crash
//! from them) or have one of them fail with an error of the system.

use std::io;
use std::path::PathBuf;

/// One change of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) enum Step {
    /// A folder is made, unless it is there.
    MakeFolder(PathBuf),
    /// An empty file is made.
    Create(PathBuf),
    /// Bytes are added at a file's end.
    Write(PathBuf, Vec<u8>),
    /// A file is cut.
    Truncate(PathBuf, u64),
    /// A name is given to another file.
    Rename(PathBuf, PathBuf),
    /// A file's bytes become durable.
    SyncFile(PathBuf),
    /// A folder's names become durable.
    SyncFolder(PathBuf),
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests a step may fail")]
pub(in crate::audit) fn step(_step: impl FnOnce() -> Step) -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
pub(in crate::audit) fn write(
    _step: impl FnOnce() -> Step,
    bytes: &[u8],
    write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    write(bytes)
}

#[cfg(test)]
pub(in crate::audit) use armed::{Fault, record, step, with_fault, write};

#[cfg(test)]
mod armed {
    use std::cell::RefCell;

    use super::{Step, io};

    /// How the step of this number fails.
    #[derive(Debug, Clone, Copy)]
    pub(in crate::audit) struct Fault {
        /// Which step, from 0.
        pub(in crate::audit) at: usize,
        /// The system's error number.
        pub(in crate::audit) errno: i32,
        /// For a write: how many bytes are written all the same.
        pub(in crate::audit) written: usize,
    }

    #[derive(Default)]
    struct Probe {
        steps: Option<Vec<Step>>,
        count: usize,
        fault: Option<Fault>,
    }

    thread_local! {
        static PROBE: RefCell<Probe> = RefCell::default();
    }

    /// Runs and gives every step that was taken.
    pub(in crate::audit) fn record<T>(run: impl FnOnce() -> T) -> (T, Vec<Step>) {
        PROBE.set(Probe { steps: Some(Vec::new()), ..Probe::default() });
        let value = run();
        (value, PROBE.take().steps.unwrap())
    }

    /// Runs with one step that fails, and says whether it was reached.
    pub(in crate::audit) fn with_fault<T>(fault: Fault, run: impl FnOnce() -> T) -> (T, bool) {
        PROBE.set(Probe { fault: Some(fault), ..Probe::default() });
        let value = run();
        (value, PROBE.take().count > fault.at)
    }

    pub(in crate::audit) fn step(step: impl FnOnce() -> Step) -> io::Result<()> {
        match take(step) {
            Some(fault) => Err(io::Error::from_raw_os_error(fault.errno)),
            None => Ok(()),
        }
    }

    pub(in crate::audit) fn write(
        step: impl FnOnce() -> Step,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match take(step) {
            None => write(bytes),
            Some(fault) => {
                write(&bytes[..fault.written.min(bytes.len())])?;
                Err(io::Error::from_raw_os_error(fault.errno))
            }
        }
    }

    fn take(step: impl FnOnce() -> Step) -> Option<Fault> {
        PROBE.with_borrow_mut(|probe| {
            let here = probe.count;
            probe.count += 1;
            if let Some(steps) = &mut probe.steps {
                steps.push(step());
            }
            probe.fault.filter(|fault| fault.at == here)
        })
    }
}
