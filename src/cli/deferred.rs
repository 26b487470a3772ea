//! Flags of a verb that are made when that verb is asked for.
//!
//! `clap` makes every flag of every verb before it looks at the first word: some 450 KB, and a sixth of a start's
//! time. [`Deferred`] hands a verb to `clap` by its name alone, and the rest when it is that verb's turn, which help,
//! completions and manual pages are for each of them.
//!
//! In: a verb's type. Out: the same verb, the same help.

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

/// A verb whose flags wait until it is asked for.
#[derive(Debug)]
pub(super) struct Deferred<V>(pub(super) V);

/// `command` with a verb's flags, as if it had been added at once: what every verb has stands behind its own flags,
/// and what its parent says it is for stays.
fn late<V: Args>(command: Command) -> Command {
    let (about, long_about): (Resettable<StyledStr>, Resettable<StyledStr>) =
        (command.get_about().cloned().into(), command.get_long_about().cloned().into());
    let command = V::augment_args(command).about(about).long_about(long_about);
    let mut in_order: Vec<Arg> = command.get_arguments().cloned().collect();
    in_order.sort_by_key(Arg::is_global_set);
    let mut in_order = in_order.into_iter();
    command.mut_args(|arg| in_order.next().unwrap_or(arg))
}

impl<V: Args> Args for Deferred<V> {
    fn augment_args(command: Command) -> Command {
        command.defer(late::<V>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        V::augment_args_for_update(command)
    }
}

impl<V: FromArgMatches> FromArgMatches for Deferred<V> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        V::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        V::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches_mut(matches)
    }
}
