//! Settings with the place where they were written, so that a refusal can point at it.

use crate::yaml::{DocumentError, Place, Source, Spanned};

/// Where a setting comes from: flag over `laforge.yaml` over default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, by its name.
    Flag(&'static str),
    /// A place in `laforge.yaml`.
    Document(Box<Place>),
    /// Nobody wrote it; the member that would.
    Default(&'static str),
}

/// A setting and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub origin: Origin,
}

/// Why a rollout can't be requested like this: a usage error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// A member of `laforge.yaml`.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A flag.
    #[error("`{flag}`: {problem}")]
    Flag {
        /// The flag's name.
        flag: &'static str,
        /// What is wrong.
        problem: Problem,
    },
    /// A default that does not go with the rest.
    #[error("`rollout.{member}`: {problem}")]
    Default {
        /// The member that would replace it.
        member: &'static str,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A fraction that is not exact, or not one.
    #[error("`{text}` is not an exact decimal between 0 and 1 with at most {places} decimal places")]
    Fraction {
        /// As written.
        text: String,
        /// How many places are read.
        places: usize,
    },
    /// A number in quotes.
    #[error("`{text}` is in quotes, which make it a text: write the number without them")]
    Quoted {
        /// As written.
        text: String,
    },
    /// Milliseconds that are not whole.
    #[error("`{text}` is not a whole number of milliseconds, 1 or more")]
    Milliseconds {
        /// As written.
        text: String,
    },
    /// A rate of requests that is not one.
    #[error("`{text}` is not a number of requests per second above 0 with at most 3 decimal places")]
    Rate {
        /// As written.
        text: String,
    },
    /// A strategy that there is not.
    #[error("`{text}` is not a strategy: expected bluegreen, canary or staged")]
    Strategy {
        /// As written.
        text: String,
    },
    /// A list of weights that is not one.
    #[error("`{text}` is not a list of whole percentages such as 20,80,100")]
    Steps {
        /// As written.
        text: String,
    },
    /// Weights that do not lead to 100.
    #[error("traffic steps must rise strictly from 1 or more and end at 100, got {}", list(steps))]
    Course {
        /// The weights.
        steps: Vec<u64>,
    },
    /// A life time that is not one.
    #[error("`{text}` is not a duration such as 4h, 90m or 1h30m, at most 24h")]
    Ttl {
        /// As written.
        text: String,
    },
    /// A target that is not an id.
    #[error("`{text}` is not a target id: expected [a-z0-9][a-z0-9._-]{{0,62}}")]
    Target {
        /// As written, or the environment's name.
        text: String,
    },
    /// A number out of its bounds.
    #[error("{value} is not between {least} and {most}")]
    Bounds {
        /// As written.
        value: u64,
        /// The smallest that is taken.
        least: u64,
        /// The largest that is taken.
        most: u64,
    },
    /// A sample floor that could not tell a good candidate from a bad one.
    #[error("{samples} samples can't judge this budget: at least {floor} are needed")]
    Samples {
        /// As written.
        samples: u64,
        /// The floor.
        floor: u64,
    },
    /// A window in which the expected traffic does not give enough samples.
    #[error("{window} s are too short at {weight} % of the expected traffic: {needed} s are needed")]
    Window {
        /// As written.
        window: u64,
        /// The candidate's weight in it.
        weight: u64,
        /// What the sample floors need.
        needed: u64,
    },
    /// A series that would count stable and candidate together.
    #[error("`{series}` names neither `$digest` nor `$version`, so it can't tell candidate from stable")]
    Series {
        /// As written.
        series: String,
    },
    /// A series that is more, or less, than a selector.
    #[error("`{series}` is no series that can be counted: {problem}")]
    Selector {
        /// As written.
        series: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Neither or both of good and bad.
    #[error("a ratio takes either `good` or `bad` beside `total`")]
    Ratio,
    /// Class without command, or command without class.
    #[error("a migration names its command and its class, or neither")]
    Migration,
    /// A command without a word, or with an empty one.
    #[error("a migration's command is a list of words, none of them empty")]
    Command,
    /// A contracting migration that names no backup.
    #[error("a contracting migration names a `backup`")]
    Backup,
    /// A readiness path that is not one.
    #[error("`{text}` is not a path: it starts with one `/` and has no white space")]
    Path {
        /// As written.
        text: String,
    },
    /// A name in `deploys` that the release does not list.
    #[error("`{name}` is not an artifact of release `{release}`")]
    Deploys {
        /// As written.
        name: String,
        /// The release.
        release: String,
    },
    /// A release of nothing but the backup that its migration relies on.
    #[error("the release has no artifact but the backup `{name}`, and a backup is not deployed")]
    OnlyBackup {
        /// The artifact.
        name: String,
    },
    /// A name twice in `deploys`.
    #[error("`{name}` is named twice")]
    Twice {
        /// As written.
        name: String,
    },
    /// An empty list.
    #[error("an empty list deploys nothing")]
    Nothing,
}

fn list(steps: &[u64]) -> String {
    let words: Vec<String> = steps.iter().map(u64::to_string).collect();
    format!("[{}]", words.join(", "))
}

impl Origin {
    /// The refusal of what was written here.
    pub fn refuse(&self, problem: Problem) -> RolloutError {
        match self {
            Self::Flag(flag) => RolloutError::Flag { flag, problem },
            Self::Default(member) => RolloutError::Default { member, problem },
            Self::Document(place) => {
                let error =
                    DocumentError { place: (**place).clone(), message: problem.to_string(), help: None };
                RolloutError::Document(error)
            }
        }
    }

    /// Whether a person wrote it.
    pub fn by_hand(&self) -> bool {
        !matches!(self, Self::Default(_))
    }
}

impl<T> Written<T> {
    /// The refusal of this setting.
    pub fn refuse(&self, problem: Problem) -> RolloutError {
        self.origin.refuse(problem)
    }

    /// Another reading of the same setting.
    pub fn with<U>(&self, value: U) -> Written<U> {
        Written { value, origin: self.origin.clone() }
    }
}

impl<T: Clone> Written<T> {
    /// What the document says, with its place.
    pub fn in_document(member: &Spanned<T>, source: &Source) -> Self {
        let origin = Origin::Document(Box::new(source.place(member)));
        Self { value: member.value.clone(), origin }
    }
}
