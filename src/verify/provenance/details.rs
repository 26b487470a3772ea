//! Details of a build that tell builds apart and not what they are: its run, its end, what it took in.
//!
//! In: one provenance per piece of evidence. Out: what all pieces that vouch for one artifact share.
//! The platforms of an image index may be built by jobs of their own, with parameters of their own:
//! that makes them no different builds, and what they don't share is said of none of them.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs;
use crate::evidence::predicate::provenance::Provenance;
use crate::time::{Timestamp, whole_seconds};

/// What one provenance says beside who built what from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) run: Option<String>,
    pub(super) finished_on: Option<Timestamp>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) dependencies: BTreeSet<String>,
}

impl Details {
    pub(super) fn of(provenance: &Provenance<'_>, run: Option<String>) -> Self {
        Self {
            run,
            finished_on: provenance.finished_on.map(whole_seconds),
            parameters: inputs::parameters(provenance),
            dependencies: inputs::dependencies(provenance),
        }
    }

    /// What all of them say; of their ends the earliest, and none when one has none.
    pub(super) fn shared<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let shared = all.cloned().reduce(|mut shared, one| {
            shared.run = shared.run.filter(|run| one.run.as_ref() == Some(run));
            shared.finished_on = shared.finished_on.min(one.finished_on); // `None` is the least
            shared.parameters.retain(|at, text| one.parameters.get(at) == Some(text));
            shared.dependencies.retain(|uri| one.dependencies.contains(uri));
            shared
        });
        shared.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(run: &str, end: Option<&str>, parameters: &[(&str, &str)], dependencies: &[&str]) -> Details {
        Details {
            run: Some(run.to_owned()),
            finished_on: end.map(|text| crate::time::parse(text).unwrap()),
            parameters: parameters.iter().map(|(at, text)| ((*at).to_owned(), (*text).to_owned())).collect(),
            dependencies: dependencies.iter().map(|uri| (*uri).to_owned()).collect(),
        }
    }

    #[test]
    fn platforms_share_what_each_of_them_says() {
        let (early, late) = (Some("2026-11-24T12:00:00Z"), Some("2026-11-24T13:00:00Z"));
        let amd = details("7", late, &[("/target", "release"), ("/arch", "amd64")], &["git+a", "pkg:b"]);
        let arm = details("7", early, &[("/target", "release"), ("/arch", "arm64")], &["git+a", "pkg:c"]);
        let expected = details("7", early, &[("/target", "release")], &["git+a"]);
        assert_eq!(Details::shared([&amd, &arm].into_iter()), expected);
        assert_eq!(Details::shared([&amd].into_iter()), amd);
    }

    #[test]
    fn what_one_of_them_does_not_say_is_not_said() {
        let (one, other) =
            (details("7", Some("2026-11-24T12:00:00Z"), &[], &[]), details("8", None, &[], &[]));
        assert_eq!(Details::shared([&one, &other].into_iter()), Details::default());
    }
}
