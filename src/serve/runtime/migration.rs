//! A plan's migration: run once, whoever asks how often, and whether or not they wait for its end.
//!
//! In: the plan's arguments, the program that is configured, what is remembered. Out: how it went, remembered
//! before anybody is told. One that the service ends with itself stays begun: nobody knows how it went (T26).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

use super::super::journal::tell;
use super::memory::{Memory, MemoryError};
use crate::rollout::driver::exec::{Commands, Migration, Progress, Variables};
use crate::rollout::verdict::gates::Migrated;
use crate::time::Timestamp;

/// How many may wait for its end.
const WAITERS: usize = 4;
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// The plan's migration, and who waits for it.
pub(super) struct Migrating {
    job: Arc<Job>,
    turn: Arc<Mutex<()>>,
    waiters: Semaphore,
}

/// What is run.
pub(super) struct Job {
    /// The plan's arguments; none where it has no migration.
    pub(super) arguments: Option<Vec<String>>,
    pub(super) within: Duration,
    pub(super) commands: Commands,
    pub(super) variables: Variables,
    pub(super) memory: Memory,
    pub(super) clock: fn() -> Timestamp,
    /// The service ends.
    pub(super) ends: AtomicBool,
}

/// Somebody's turn to ask for it.
pub(super) struct Turn<'a> {
    held: OwnedMutexGuard<()>,
    _place: SemaphorePermit<'a>,
}

impl Migrating {
    pub(super) fn new(job: Job) -> Self {
        Self { job: Arc::new(job), turn: Arc::default(), waiters: Semaphore::new(WAITERS) }
    }

    /// What became of it, as far as that is remembered.
    pub(super) fn migrated(&self) -> Result<Migrated, MemoryError> {
        self.job.migrated()
    }

    /// Waits until nobody else is at it; none where too many wait.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        let place = self.waiters.try_acquire().ok()?;
        Some(Turn { held: Arc::clone(&self.turn).lock_owned().await, _place: place })
    }

    /// Runs it, unless it was begun before. It goes on, and its end is remembered, also when whoever asks
    /// goes away.
    pub(super) async fn run(&self, turn: Turn<'_>) -> Result<Migrated, MemoryError> {
        let (job, held) = (Arc::clone(&self.job), turn.held);
        let running = spawn_blocking(move || {
            let migrated = job.once();
            drop(held);
            migrated
        });
        running.await.map_err(|_| MemoryError::Interrupted)?
    }

    /// The service ends: a migration under way ends with it.
    pub(super) fn end(&self) {
        self.job.ends.store(true, Ordering::SeqCst);
    }
}

impl Job {
    fn migrated(&self) -> Result<Migrated, MemoryError> {
        match self.arguments {
            Some(_) => self.memory.migrated(),
            None => Ok(Migrated::NotPlanned),
        }
    }

    fn once(&self) -> Result<Migrated, MemoryError> {
        let Some(arguments) = &self.arguments else { return Ok(Migrated::NotPlanned) };
        if !self.memory.begin_migration((self.clock)())? {
            return self.memory.migrated();
        }
        tell((self.clock)(), "migration", serde_json::json!({"progress": "begun"}));
        let ended = match self.commands.migrate(arguments, &self.variables) {
            Ok(migration) => self.wait(migration),
            Err(error) => Some(Err(error.to_string())),
        };
        let Some(ended) = ended else { return Ok(Migrated::Unknown) };
        self.memory.end_migration((self.clock)(), &ended)?;
        let said = ended.as_ref().err();
        tell((self.clock)(), "migration", serde_json::json!({"progress": "ended", "failed": said}));
        self.memory.migrated()
    }

    /// How it ended; nothing where the service ended first.
    fn wait(&self, mut migration: Migration) -> Option<Result<(), String>> {
        let began = Instant::now();
        loop {
            match migration.poll() {
                Ok(Progress::Done) => return Some(Ok(())),
                Err(error) => return Some(Err(error.to_string())),
                Ok(Progress::Running) if self.ends.load(Ordering::SeqCst) => {
                    migration.kill();
                    return None;
                }
                Ok(Progress::Running) if began.elapsed() >= self.within => {
                    migration.kill();
                    return Some(Err(format!("it was ended after {} s", self.within.as_secs())));
                }
                Ok(Progress::Running) => sleep(LOOK),
            }
        }
    }
}
