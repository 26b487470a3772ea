//! What can be taken along: an entry's bytes, its report, its plan with its proof, a piece of evidence.
//!
//! In: an index or a digest. Out: the bytes as they are recorded, to be saved, never shown as a page. The envelope
//! is the one that `deploy` printed, byte for byte (`formats.md` section 8): it follows from the recorded core, the
//! line and the checkpoint of the line's own commit.

use super::decision::{Closed, Opened, open};
use super::response::Answer;
use super::{Asked, Studio};
use crate::audit::AuditError;
use crate::audit::entry::Body;
use crate::audit::entry::decision::DecisionEntry;
use crate::audit::index::Held;
use crate::audit::proof::TlogProof;
use crate::release::digest::ClaimedDigest;
use crate::rollout::promotion;

/// A file of an entry.
pub(super) fn of_entry(studio: &Studio, asked: &Asked<'_>, index: &str, file: &str) -> Answer {
    let opened = match open(studio, index) {
        Ok(opened) => opened,
        Err(Closed::Nothing) => {
            return studio.missing(asked, "No such entry", &format!("The log has no entry `{index}`."));
        }
        Err(Closed::Broken(why)) => return studio.missing(asked, "Not readable", &why.join(": ")),
    };
    let none =
        || studio.missing(asked, "No such file", &format!("Entry {} has no `{file}`.", opened.entry.seq));
    let seq = opened.entry.seq;
    if file == "entry.json" {
        return Answer::File(
            format!("entry-{seq}.json"),
            [opened.proven.line.bytes.as_slice(), b"\n"].concat(),
        );
    }
    let Body::Decision(decision) = &opened.entry.body else { return none() };
    let made = match file {
        "report.json" => opened.reader.blob(&decision.report.digest),
        "entry.tlog-proof" => head_proof(&opened).map(Some),
        "plan.tlog-proof" if decision.plan.is_some() => {
            recorded(studio, &opened).map(|held| held.map(|held| held.proof.into_bytes()))
        }
        "plan.json" => plan(studio, &opened, decision),
        _ => Ok(None),
    };
    let name = match file.split_once('.') {
        Some((name, ending)) => format!("{name}-{seq}.{ending}"),
        None => return none(),
    };
    match made {
        Ok(Some(bytes)) => Answer::File(name, bytes),
        Ok(None) => none(),
        Err(error) => studio.missing(asked, "Not readable", &super::shelf::chain(&error).join(": ")),
    }
}

/// The way of an entry to the log's last head.
fn head_proof(opened: &Opened) -> Result<Vec<u8>, AuditError> {
    let checkpoint = opened.reader.checkpoint().to_owned();
    let proof =
        TlogProof { index: opened.entry.seq, extra: None, hashes: opened.proven.path.clone(), checkpoint };
    Ok(proof.to_string().into_bytes())
}

/// The entry as its own commit gave it.
fn recorded(studio: &Studio, opened: &Opened) -> Result<Option<Held>, AuditError> {
    studio.shelf.held().index().held(&opened.reader, opened.entry.seq)
}

/// The plan of an allow; nothing else has one that may leave the log.
fn plan(studio: &Studio, opened: &Opened, decision: &DecisionEntry) -> Result<Option<Vec<u8>>, AuditError> {
    let Some(plan) = &decision.plan else { return Ok(None) };
    let Some(core) = opened.reader.blob(&plan.digest)? else { return Ok(None) };
    let held = recorded(studio, opened)?;
    Ok(held.and_then(|held| promotion::again(&held, &core)))
}

/// A piece of evidence, hashed as it is read.
pub(super) fn blob(studio: &Studio, asked: &Asked<'_>, digest: &str) -> Answer {
    let missing = |why: &str| studio.missing(asked, "No such evidence", why);
    let Ok(digest) = ClaimedDigest::from_hex(digest) else {
        return missing("Evidence is named by 64 hexadecimal digits.");
    };
    let reader = studio.shelf.held().reader.clone();
    let Some(reader) = reader else { return missing("There is no log.") };
    match reader.blob(&digest) {
        Ok(Some(bytes)) => Answer::File(format!("{}.bin", digest.hex()), bytes),
        Ok(None) => missing("It was erased, or never copied to this log."),
        Err(error) => missing(&super::shelf::chain(&error).join(": ")),
    }
}
