//! `laforge approve` and `laforge reject`: a person's word on a release digest.

mod github;

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use chrono::Duration;
use clap::Args;
use serde_json::json;

use crate::evidence::predicate::approval::{Approval, Word};
use crate::release::Release;
use crate::release::deployed::Unpinned;
use crate::release::digest::ClaimedDigest;
use crate::report::paint::printable;
use crate::signing::statement;
use crate::time::{self, Timestamp, duration};

use super::flags::ReleaseFlags;
use super::load::{self, Signing};
use super::outputs::refuse_dash;
use super::sign::{BUNDLE_ENDING, EVIDENCE, bundle_name, is_file_name, several};
use super::signer::{self, SignerFlags};
use super::{Exit, Failure, Session};
use github::{Heard, Said};

/// Approve a release: sign an approval record for its release digest and environment.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// Pass on what people said on GitHub: an export of a pull request's reviews, or of a run's approvals; -o is
    /// then the folder, or the file of a single record
    #[arg(long, value_name = "FILE", conflicts_with = "blind")]
    from_github: Option<PathBuf>,
    /// When the run was created whose environment approvals are passed on: they count from then, since GitHub
    /// does not say when each was given
    #[arg(long, value_name = "TIME", requires = "from_github", value_parser = time::parse)]
    since: Option<Timestamp>,
    #[command(flatten)]
    record: Record,
}

/// Reject a release: sign a rejection record; it blocks while it is in date.
#[derive(Debug, Args)]
pub(super) struct Reject {
    #[command(flatten)]
    record: Record,
}

#[derive(Debug, Args)]
struct Record {
    /// The release to judge, instead of the one in laforge.yaml; every field is shown before it is signed
    #[arg(long, value_name = "FILE")]
    release: Option<PathBuf>,
    /// Rendered manifests that are deployed with it, as `deploy` is given them
    #[arg(long, value_name = "PATH|-", conflicts_with = "blind")]
    manifests: Option<PathBuf>,
    /// An image that is deployed beside the release's artifacts, as `deploy` is given it (repeatable)
    #[arg(long, value_name = "REF@sha256:…", conflicts_with = "blind")]
    image: Vec<String>,
    /// Sign a bare release digest without seeing the release; needs --environment
    #[arg(long, value_name = "DIGEST", conflicts_with = "release", requires = "environment")]
    blind: Option<ClaimedDigest>,
    /// The environment, with --blind
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// How long the record counts, such as 24h or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    expires: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A ticket
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// Count in this role of yours only
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Sign without asking; without a terminal nobody can be asked, and it is needed
    #[arg(long)]
    yes: bool,
    /// The file to write (default: evidence/approval-….sigstore.json)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The record of an override
    #[arg(long, hide = true)]
    break_glass: bool,
    #[command(flatten)]
    signer: SignerFlags,
}

impl Approve {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match &self.from_github {
            Some(export) => self.record.pass_on(export, self.since, session),
            None => self.record.sign(Word::Approved, session),
        }
    }
}

impl Reject {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        self.record.sign(Word::Rejected, session)
    }
}

impl Record {
    fn sign(self, decision: Word, session: &Session) -> Result<Exit, Failure> {
        self.refuse_at_once()?;
        let release = self.release(session)?;
        let (digest, environment) = self.subject(release.as_ref())?;
        let record = self.record(decision, environment, session)?;
        session.refuse_uncreatable(&self.output)?;
        let signer = self.signer.signer(session)?;
        let kind = kind_of(decision);
        let name = format!("{}-{}", digest.hex().get(..12).unwrap_or_default(), signer.short_name());
        let target = match self.output.clone() {
            Some(output) => output,
            None => {
                let free = free(EVIDENCE.as_ref(), kind, &name, &[], session);
                session.refuse_uncreatable([&free])?;
                free
            }
        };
        signer.warn_of_stranger(Signing::Approval, session);
        signer.warn_of_role(record.role.as_deref(), session);
        let rows = shown(&record, &digest, release.as_ref()).into_iter().chain(signer.described());
        self.confirm(&signer::table(rows), session)?;
        let statement = statement::approval(&digest, &record);
        let bundle = signer.statement(&statement, &digest, Signing::Approval, session)?;
        session.create(&target, &bundle)?;
        session.say(&format!("signed the {kind}: {}\n", target.display()));
        Ok(Exit::Holds)
    }

    /// Shows what is about to be signed, and asks; `--yes` is the answer of whoever can't be asked.
    fn confirm(&self, shown: &str, session: &Session) -> Result<(), Failure> {
        if self.yes {
            session.say(shown);
            return Ok(());
        }
        session.tell(shown);
        session.tell("sign this? [y/N] ");
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer) {
            true => Ok(()),
            false => Err(Failure::new(Exit::Denied, "not signed")),
        }
    }

    /// What can't be signed, or not so, whatever the release says.
    fn refuse_at_once(&self) -> Result<(), Failure> {
        if self.break_glass {
            return Err(load::not_built_yet("--break-glass"));
        }
        // Whoever pipes manifests in has shown nobody what is signed, and can't be asked.
        if self.manifests.as_deref() == Some(Path::new("-")) && !self.yes {
            return Err(Failure::usage("the manifests come in where your answer would").hint(
                "look at them in a file with `--manifests PATH`, or say `--yes` to sign what comes in",
            ));
        }
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::usage("there is no terminal to ask on whether this is to be signed").hint(
                "say `--yes` to sign without being asked: `laforge verify` shows what there is to judge",
            ));
        }
        Ok(())
    }

    /// What `deploy` would judge in this folder, with the same flags.
    fn release(&self, session: &Session) -> Result<Option<Release>, Failure> {
        if self.blind.is_some() {
            return Ok(None);
        }
        let flags = ReleaseFlags {
            release: self.release.clone(),
            manifests: self.manifests.clone(),
            image: self.image.clone(),
            environment: None,
        };
        load::release_in_reach(&flags, &load::config(session)?, session)
    }

    /// Signs what each person said on GitHub, or says why it is not passed on.
    fn pass_on(self, export: &Path, since: Option<Timestamp>, session: &Session) -> Result<Exit, Failure> {
        self.refuse_at_once()?;
        let release = self.release(session)?;
        let (digest, environment) = self.subject(release.as_ref())?;
        let release = release.ok_or_else(|| Failure::usage("--from-github needs --release FILE"))?;
        if since.is_some_and(|since| since > session.now()) {
            return Err(Failure::usage("--since lies ahead of now").hint("give the `created_at` of the run"));
        }
        let heard = github::read(&session.read(export, Exit::Usage)?, &release, since).map_err(|error| {
            Failure::of(Exit::Usage, &error)
                .because(format!("in `{}`", export.display()))
                .hint("save the answer of GitHub's API as it is; pages may stand in one list")
        })?;
        let mut records = Vec::new();
        for Heard { login, said } in heard {
            match said {
                Ok(said) => {
                    records.push((self.passed_on(&login, &said, environment.clone(), session)?, login))
                }
                Err(why) => session.tell(&format!(
                    "not passed on: github:{}: {}\n",
                    printable(&login),
                    printable(&why)
                )),
            }
        }
        if records.is_empty() {
            return Err(Failure::new(
                Exit::Denied,
                "nothing was signed: nobody in the export spoke of this release",
            ));
        }
        let targets = self.targets(&records, &digest, session)?;
        let signer = self.signer.signer(session)?;
        signer.warn_of_stranger(Signing::Attestation, session);
        let tables = records.iter().map(|(record, _)| {
            signer::table(shown(record, &digest, Some(&release)).into_iter().chain(signer.described()))
        });
        self.confirm(&tables.collect::<String>(), session)?;
        for ((record, login), target) in records.into_iter().zip(targets) {
            let statement = statement::approval(&digest, &record);
            let bundle = signer.statement(&statement, &digest, Signing::Attestation, session)?;
            session.create(&target, &bundle)?;
            session.say(&format!("passed on what github:{} said: {}\n", printable(&login), target.display()));
        }
        Ok(Exit::Holds)
    }

    /// The file that each record goes to, which can be made: that of a single one, or one of its own in a folder.
    fn targets(
        &self,
        records: &[(Approval, String)],
        digest: &ClaimedDigest,
        session: &Session,
    ) -> Result<Vec<PathBuf>, Failure> {
        self.output.as_deref().map_or(Ok(()), refuse_dash)?;
        let mut targets = Vec::new();
        let folder = match &self.output {
            Some(file) if records.len() == 1 && file.extension().is_some() => {
                targets.push(file.clone());
                None
            }
            Some(output) if records.len() > 1 && is_file_name(output, session) => {
                return Err(several(output, &format!("records of {} people", records.len())));
            }
            output => Some(output.as_deref().unwrap_or(EVIDENCE.as_ref())),
        };
        if let Some(folder) = folder {
            for (record, login) in records {
                let name = format!("{}-github-{login}", digest.hex().get(..12).unwrap_or_default());
                targets.push(free(folder, kind_of(record.decision), &name, &targets, session));
            }
        }
        session.refuse_uncreatable(&targets)?;
        Ok(targets)
    }

    /// The record of what one person said: as old as their word, and in date from now.
    fn passed_on(
        &self,
        login: &str,
        said: &Said,
        environment: String,
        session: &Session,
    ) -> Result<Approval, Failure> {
        let record = self.record(said.decision, environment, session)?;
        Ok(Approval {
            created_at: said.at.map_or(record.created_at, time::whole_seconds),
            ticket: record.ticket.or_else(|| Some(said.link.clone())),
            on_behalf_of: Some(format!("github:{login}")),
            ..record
        })
    }

    fn subject(&self, release: Option<&Release>) -> Result<(ClaimedDigest, String), Failure> {
        match (release, &self.blind, &self.environment) {
            (Some(release), _, Some(environment)) if *environment != release.environment => {
                Err(Failure::usage(format!(
                    "the release is for `{}`, not for `{environment}`",
                    release.environment
                )))
            }
            (Some(release), ..) => Ok((release.claimed_digest().claim(), release.environment.clone())),
            (None, Some(digest), Some(environment)) => Ok((digest.clone(), environment.clone())),
            _ => Err(Failure::usage("give --release FILE, or --blind DIGEST with --environment NAME")),
        }
    }

    fn record(&self, decision: Word, environment: String, session: &Session) -> Result<Approval, Failure> {
        let created_at = time::whole_seconds(session.now());
        let lifetime = lifetime(&self.expires)?;
        let expires_at = created_at
            .checked_add_signed(lifetime)
            .ok_or_else(|| Failure::usage(format!("`{}` lies too far ahead", self.expires)))?;
        let record = Approval {
            decision,
            environment,
            created_at,
            expires_at,
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            role: self.role.clone(),
            on_behalf_of: None,
        };
        // What a gate would not read is not signed.
        Approval::read(&json!(record)).map_err(|error| {
            Failure::of(Exit::Usage, &error).hint("leave a flag out rather than to give it an empty text")
        })
    }
}

/// Whether an answer is a yes, in letters of either case.
fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

fn kind_of(decision: Word) -> &'static str {
    match decision {
        Word::Approved => "approval",
        Word::Rejected => "rejection",
    }
}

/// Every field of what is about to be signed.
fn shown(
    record: &Approval,
    digest: &ClaimedDigest,
    release: Option<&Release>,
) -> Vec<(&'static str, String)> {
    let decision = if record.decision == Word::Approved { "approved" } else { "rejected" };
    let mut rows = vec![("decision", decision.to_owned()), ("release", digest.to_string())];
    match release {
        Some(release) => {
            rows.push(("", format!("{} {}", release.name, release.version)));
            rows.push(("source", format!("{} {}", release.source.repository, release.source.r#ref)));
            rows.push(("commit", release.source.commit.clone()));
            let listed =
                |label| move |name: &str, digest: &ClaimedDigest| (label, format!("{name} {digest}"));
            rows.extend(release.artifacts.iter().map(|it| listed("artifact")(&it.name, &it.digest)));
            rows.extend(release.config.iter().map(|it| listed("config")(&it.name, &it.digest)));
            let unpinned = |it: &Unpinned| ("NO DIGEST", format!("{}: {}", it.container, it.reason));
            rows.extend(release.unpinned().iter().map(unpinned));
        }
        None => rows.push(("", "BLIND: the release behind this digest was not shown".to_owned())),
    }
    rows.push(("environment", record.environment.clone()));
    rows.push(("created", time::to_seconds(record.created_at)));
    rows.push(("expires", time::to_seconds(record.expires_at)));
    let optional = [
        ("reason", &record.reason),
        ("ticket", &record.ticket),
        ("role", &record.role),
        ("on behalf of", &record.on_behalf_of),
    ];
    rows.extend(optional.into_iter().filter_map(|(label, text)| Some((label, text.clone()?))));
    rows
}

/// A name that no earlier word of the same person has: each stays, and the latest counts.
fn free(folder: &Path, kind: &str, name: &str, taken: &[PathBuf], session: &Session) -> PathBuf {
    let first = bundle_name(kind, name);
    let stem = first.strip_suffix(BUNDLE_ENDING).unwrap_or(&first);
    session.free_name(folder, (stem, BUNDLE_ENDING), taken)
}

/// A duration of at least a minute and at most a year.
fn lifetime(text: &str) -> Result<Duration, Failure> {
    duration::parse(text).filter(|it| (Duration::minutes(1)..=Duration::days(366)).contains(it)).ok_or_else(
        || {
            Failure::usage(format!("`{text}` is not a lifetime"))
                .hint("write a minute to a year, such as 90m, 24h, 7d or 1h30m")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_one_in_letters_of_either_case() {
        assert!(["y", "Y\n", "yes", " Yes\r\n"].into_iter().all(is_yes));
        assert!(!["", "\n", "n", "yy", "yess", "ja"].into_iter().any(is_yes));
    }
}
