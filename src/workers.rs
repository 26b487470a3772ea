//! Workers: the same work on every item of a list, by several threads.
//!
//! In: items, how many threads, and the work. Out: the results in the order of the items, so that
//! no result depends on which thread was faster or how many there were.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More threads than this only wait for each other on the pieces that a release has.
const MAX_THREADS: usize = 8;

/// How many threads this machine has for us: asked once, since the answer takes a dozen files of the system.
pub(crate) fn available() -> usize {
    static AVAILABLE: OnceLock<usize> = OnceLock::new();
    *AVAILABLE.get_or_init(|| thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS))
}

/// Does the work on each item and gives the results in the order of the items.
pub(crate) fn on_each<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match items.get(at) {
                Some(item) => done.push((at, work(item))),
                None => return done,
            }
        }
    };
    let mut results = thread::scope(|scope| {
        // A thread that the system has not got is done without: this one does the work of all.
        let others: Vec<_> = (1..threads.min(items.len()))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok())
            .collect();
        let mut results = take();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The same of many small items: a thread takes a part of them, and fewer than `few` are not worth one.
pub(crate) fn in_parts<'a, T: Sync, R: Send>(
    items: &'a [T],
    few: usize,
    work: impl Fn(&'a T) -> R + Sync,
) -> Vec<R> {
    let threads = available();
    let parts: Vec<&'a [T]> = items.chunks(items.len().div_ceil(threads).max(few).max(1)).collect();
    let of_part = |part: &&'a [T]| part.iter().map(&work).collect::<Vec<R>>();
    on_each(&parts, threads, of_part).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_the_same_results_at_any_number_of_threads(items: Vec<u32>, threads in 0_usize..=8) {
            let work = |item: &u32| {
                // Uneven work, so that the threads finish out of order.
                (0..item % 977).fold(u64::from(*item), |sum, step| sum.rotate_left(3) ^ u64::from(step))
            };
            let expected: Vec<u64> = items.iter().map(work).collect();
            prop_assert_eq!(on_each(&items, threads, work), expected);
        }

        #[test]
        fn parts_of_any_size_give_the_results_in_the_order_of_the_items(items: Vec<u32>, few in 0_usize..=9) {
            let results = in_parts(&items, few, |item| item);
            prop_assert_eq!(results, items.iter().collect::<Vec<_>>());
        }
    }
}
