//! Promotion: an approval that the log holds becomes a plan.
//!
//! A seal: [`Plan`] has no other maker than [`Plan::promote`] and can't be read back in.
//! Out: the envelope that `deploy` prints and executors take (`formats.md` section 8).

use crate::audit::entry::{Body, Entry};
use crate::audit::index::Held;
use crate::audit::{Approved, LogReference};
use crate::json;
use crate::policy::account::Action;
use crate::release::digest::Digest;

use super::PAYLOAD_TYPE;
use super::wire::AuditEntry;

/// A recorded plan with its proof.
#[derive(Debug)]
pub struct Plan {
    approved: Approved,
}

impl Plan {
    /// The plan of an approval: the recorded core, byte for byte.
    pub fn promote(approved: Approved) -> Self {
        Self { approved }
    }

    /// The approval that it comes from.
    pub fn approved(&self) -> &Approved {
        &self.approved
    }

    /// The `c2sp.org/tlog-proof@v1` text: what stands beside a written plan as `.tlog-proof`.
    pub fn proof(&self) -> &str {
        self.approved.proof()
    }

    /// The envelope: its RFC 8785 form and a line feed.
    pub fn envelope(&self) -> Vec<u8> {
        let approved = &self.approved;
        envelope(
            approved.core(),
            &approved.plan_digest().to_string(),
            approved.reference(),
            approved.line(),
            approved.proof(),
        )
    }
}

/// The envelope of an allow that a log holds, as its promotion wrote it; none where the entry is no allow of this
/// core.
pub fn again(held: &Held, core: &[u8]) -> Option<Vec<u8>> {
    let Body::Decision(decision) = Entry::parse(&held.line).ok()?.body else { return None };
    let plan = decision.plan.as_ref().filter(|_| decision.action == Action::Allow)?;
    let digest = Digest::of_bytes(core);
    (digest == plan.digest)
        .then(|| envelope(core, &digest.to_string(), &held.reference, &held.line, &held.proof))
}

/// Writes an envelope around the recorded bytes of a core, which are in RFC 8785 form already:
/// they go in as they are, so that the same entry gives the same envelope at any time.
pub(super) fn envelope(
    core: &[u8],
    plan_digest: &str,
    reference: &LogReference,
    line: &[u8],
    proof: &str,
) -> Vec<u8> {
    // Lines are JSON that the log wrote; were one not UTF-8, its leaf would not verify.
    let entry = AuditEntry::new(reference, String::from_utf8_lossy(line).into_owned());
    let members: [(&str, Vec<u8>); 5] = [
        ("auditEntry", json::canonical(&entry)),
        ("payloadType", json::canonical(&PAYLOAD_TYPE)),
        ("plan", core.to_vec()),
        ("planDigest", json::canonical(&plan_digest)),
        ("proof", json::canonical(&proof)),
    ];
    let mut out = vec![b'{'];
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend(json::canonical(&name));
        out.push(b':');
        out.extend(value);
    }
    out.extend(b"}\n");
    out
}
