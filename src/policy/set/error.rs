//! Why policy sets can't be used.

use crate::yaml::DocumentError;

use super::MOST_SETS;

/// Why policy sets can't be used: exit 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A document is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file that is no text.
    #[error("`{file}` is not UTF-8")]
    NotText {
        /// The file.
        file: String,
    },
    /// A path that the set holds twice.
    #[error("the policy set holds `{path}` twice")]
    RepeatedPath {
        /// The path in the manifest.
        path: String,
    },
    /// A set in which no file is a policy.
    #[error("the policy set holds no policy")]
    Empty,
    /// More sets than can be configured.
    #[error("{count} policy sets are configured; {MOST_SETS} can be")]
    TooManySets {
        /// How many.
        count: usize,
    },
    /// Two different sets of one name.
    #[error("two policy sets are named `{name}`")]
    RepeatedName {
        /// The name.
        name: String,
    },
    /// A flag that can't hold under this trust.
    #[error("`{flag}` needs {needs} in the trust file, and it names none")]
    FlagUnmet {
        /// The flag.
        flag: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A version below the last one on record.
    #[error("policy set `{name}` is at version {found}, and version {recorded} is on record")]
    RolledBack {
        /// The set.
        name: String,
        /// Its version.
        found: u64,
        /// The version on record.
        recorded: u64,
    },
    /// Trust that asks for signed sets.
    #[error("trust names `policySigners`, and verifying signed policy sets is not built yet")]
    SignersNotBuilt,
}
