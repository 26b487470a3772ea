//! `approve --from-github FILE`: what people said on GitHub, passed on by whoever signs here.
//!
//! In: an export of a pull request's reviews (`GET /repos/{owner}/{repo}/pulls/{number}/reviews`,
//! <https://docs.github.com/rest/pulls/reviews>) or of a run's environment approvals
//! (`GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals`,
//! <https://docs.github.com/rest/actions/workflow-runs>), pages of them one after another. Out: for each
//! person one record marked `onBehalfOf: github:LOGIN`, which counts only where a policy's
//! `approvals.attestedBy` names the signer, or the reason why there is none.
//!
//! A person's last word decides, comments aside. An approval has to be of the release's commit; a
//! request for changes is a rejection, whatever commit it is of; a dismissed review is nothing. Bots
//! approve nothing. An environment approval has to name the release's environment; GitHub says
//! neither when it was given nor for which commit. So it is as old as it can be, from when the run was
//! created: dated later, it would lift a rejection that came after it, and grow young again each time
//! that it is passed on. A rejection is as young as it can be, of now. Both are tied to this release by
//! whoever signs alone.
//!
//! Not checked: that the file is GitHub's. Whoever signs vouches for that: fetch it in the job that
//! signs, and let nothing else bring it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::evidence::predicate::approval::Word;
use crate::json;
use crate::release::{Release, bare_repository};
use crate::time::{self, Timestamp};

/// What one person said, as far as it speaks of the release.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The login.
    pub(super) login: String,
    /// What they said, or why it is not passed on.
    pub(super) said: Result<Said, String>,
}

/// What is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) decision: Word,
    /// When, where GitHub says it.
    pub(super) at: Option<Timestamp>,
    /// Where it can be read.
    pub(super) link: String,
}

/// An export that is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ExportError {
    /// It is not JSON, or not strictly.
    #[error("the export is not JSON")]
    NotJson(#[source] json::JsonError),
    /// It is no list of records.
    #[error("the export is no list of records")]
    NoList,
    /// A record of another shape.
    #[error("record {number} of the export is neither a review nor an environment approval")]
    Record {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A review that can't be put before or after another.
    #[error("record {number} of the export is a review that does not say when it was given")]
    Undated {
        /// Which, from 1.
        number: usize,
    },
}

/// One record. Members that it has beside these are kept out of the way.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Record {
    Review(Review),
    Environments(EnvironmentApproval),
}

#[derive(Debug, Deserialize)]
struct Review {
    id: u64,
    user: Option<User>,
    state: ReviewState,
    html_url: String,
    commit_id: Option<String>,
    #[serde(default)]
    submitted_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ReviewState {
    Approved,
    ChangesRequested,
    Dismissed,
    Commented,
    Pending,
}

#[derive(Debug, Deserialize)]
struct EnvironmentApproval {
    environments: Vec<Environment>,
    state: EnvironmentState,
    user: Option<User>,
}

#[derive(Debug, Deserialize)]
struct Environment {
    name: String,
    html_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EnvironmentState {
    Approved,
    Rejected,
    Pending,
}

#[derive(Debug, Deserialize)]
struct User {
    login: String,
    r#type: String,
}

/// Reads an export; by login. `since` is when the run of environment approvals was created.
///
/// # Errors
/// [`ExportError`] for what is no export: nothing of it is passed on.
pub(super) fn read(
    bytes: &[u8],
    release: &Release,
    since: Option<Timestamp>,
) -> Result<Vec<Heard>, ExportError> {
    let mut reviews: BTreeMap<String, Vec<Review>> = BTreeMap::new();
    let mut environments: BTreeMap<String, Vec<EnvironmentApproval>> = BTreeMap::new();
    let mut heard = Vec::new();
    for (number, value) in (1..).zip(records(bytes)?) {
        let record = Record::deserialize(value).map_err(|source| ExportError::Record { number, source })?;
        // One without a time could be the last of its person, a request for changes even.
        if matches!(&record, Record::Review(review) if review.decides() && submitted(review).is_none()) {
            return Err(ExportError::Undated { number });
        }
        match whose(&record) {
            Err(not_passed_on) => heard.push(not_passed_on),
            Ok(login) => match record {
                Record::Review(review) => reviews.entry(login).or_default().push(review),
                Record::Environments(one) => environments.entry(login).or_default().push(one),
            },
        }
    }
    let mut words: BTreeMap<String, Vec<Result<Said, String>>> = BTreeMap::new();
    for (login, of_person) in reviews {
        words.entry(login).or_default().push(last_review(of_person, release));
    }
    for (login, of_person) in environments {
        words.entry(login).or_default().push(environment(&of_person, release, since));
    }
    for (login, of_person) in words {
        heard.extend(last_word(&login, of_person));
    }
    heard.sort_by(|one, other| one.login.cmp(&other.login));
    Ok(heard)
}

/// What a person said last, in reviews and of environments together; without a word that counts, why
/// each does not. A rejection of an unknown time may be the last, and so it is.
fn last_word(login: &str, words: Vec<Result<Said, String>>) -> Vec<Heard> {
    let heard = |said| Heard { login: login.to_owned(), said };
    let counts = words.iter().filter_map(|word| word.as_ref().ok());
    match counts.max_by_key(|said| (said.at.is_none(), said.at, said.decision == Word::Rejected)) {
        Some(last) => vec![heard(Ok(last.clone()))],
        None => words.into_iter().map(heard).collect(),
    }
}

/// The records of one page, or of several that stand in a list.
fn records(bytes: &[u8]) -> Result<Vec<Value>, ExportError> {
    let Value::Array(pages) = json::parse(bytes).map_err(ExportError::NotJson)? else {
        return Err(ExportError::NoList);
    };
    let flat = pages.into_iter().flat_map(|page| match page {
        Value::Array(records) => records,
        record => vec![record],
    });
    Ok(flat.collect())
}

/// Whose record it is: a person's.
fn whose(record: &Record) -> Result<String, Heard> {
    let user = match record {
        Record::Review(review) => review.user.as_ref(),
        Record::Environments(one) => one.user.as_ref(),
    };
    let refuse = |login: &str, why: &str| Heard { login: login.to_owned(), said: Err(why.to_owned()) };
    match user {
        None => Err(refuse("ghost", "the account is gone, so nobody knows whose word it is")),
        Some(user) if user.r#type != "User" || user.login.ends_with("[bot]") => {
            Err(refuse(&user.login, "is no person's account, and only people approve"))
        }
        Some(user) => Ok(user.login.clone()),
    }
}

impl Review {
    /// Whether it says yes or no, or takes that back.
    fn decides(&self) -> bool {
        !matches!(self.state, ReviewState::Commented | ReviewState::Pending)
    }
}

/// What a person's last review comes to. A request for changes is lifted by an approval of the release's own
/// commit alone: of another one they said yes to something else.
fn last_review(mut reviews: Vec<Review>, release: &Release) -> Result<Said, String> {
    reviews.retain(Review::decides);
    reviews.sort_by_key(|review| (submitted(review), review.id));
    let lifts = |review: &Review| {
        review.state == ReviewState::Approved && review.commit_id.as_ref() == Some(&release.source.commit)
    };
    let asks = |review: &Review| review.state == ReviewState::ChangesRequested;
    let standing = reviews.iter().rev().take_while(|review| !lifts(review)).find(|review| asks(review));
    let last = standing.or(reviews.last()).ok_or("has commented, and decided nothing")?;
    passed_on(last, release)
}

fn submitted(review: &Review) -> Option<Timestamp> {
    time::parse(review.submitted_at.as_deref()?).ok()
}

fn passed_on(review: &Review, release: &Release) -> Result<Said, String> {
    let source = &release.source;
    if !review.html_url.starts_with(&format!("{}/pull/", bare_repository(&source.repository))) {
        return Err(format!("reviewed {}, which is not of {}", review.html_url, source.repository));
    }
    let at = Some(submitted(review).ok_or("the review does not say when it was given")?);
    let said = |decision| Ok(Said { decision, at, link: review.html_url.clone() });
    match review.state {
        ReviewState::Approved if review.commit_id.as_ref() == Some(&source.commit) => said(Word::Approved),
        ReviewState::Approved => {
            let got = review.commit_id.as_deref().unwrap_or("no commit");
            Err(format!("approved {got}, and the release is of {}", source.commit))
        }
        ReviewState::ChangesRequested => said(Word::Rejected),
        ReviewState::Dismissed | ReviewState::Commented | ReviewState::Pending => {
            Err("the review was dismissed".to_owned())
        }
    }
}

/// What a person's environment approvals come to. GitHub gives no order: one rejection among them is
/// what counts.
fn environment(
    approvals: &[EnvironmentApproval],
    release: &Release,
    since: Option<Timestamp>,
) -> Result<Said, String> {
    let decided = || approvals.iter().filter(|one| one.state != EnvironmentState::Pending);
    decided().next().ok_or("has decided nothing yet")?;
    let mut ours = Vec::new();
    for one in decided() {
        for environment in one.environments.iter().filter(|it| it.name == release.environment) {
            ours.push((one.state, environment));
        }
    }
    let Some((state, environment)) =
        ours.iter().find(|(state, _)| *state == EnvironmentState::Rejected).or_else(|| ours.first())
    else {
        let names = decided().flat_map(|one| &one.environments).map(|it| format!("`{}`", it.name));
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(format!("spoke of {names}, and the release is for `{}`", release.environment));
    };
    let repository = &release.source.repository;
    if !environment.html_url.starts_with(&format!("{}/", bare_repository(repository))) {
        return Err(format!("spoke of {}, which is not of {repository}", environment.html_url));
    }
    let (decision, at) = match state {
        EnvironmentState::Approved => (Word::Approved, Some(since.ok_or(UNDATED)?)),
        EnvironmentState::Rejected | EnvironmentState::Pending => (Word::Rejected, None),
    };
    Ok(Said { decision, at, link: environment.html_url.clone() })
}

const UNDATED: &str = "approved, and GitHub does not say when: say with --since when the run was created (`created_at` \
     of `gh api repos/OWNER/REPO/actions/runs/RUN`)";

#[cfg(test)]
mod tests;
