//! The only way for a plan back in: [`Envelope::accept`] (`formats.md` section 8).
//!
//! A seal: [`AcceptedPlan`] and [`ProvenPlan`] have no other makers. In: the bytes of an envelope and
//! what this executor pins, knows and is. Out: a plan to run, or the first step that refused.
//! Not checked here: what policy and trust say (`--reverify` does), and whether the digests can be
//! fetched.

use serde::Deserialize;

use crate::audit::LogReference;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::entry::decision::DecisionEntry;
use crate::audit::entry::{Body, Entry};
use crate::audit::note::{SignedNote, VerifierKey};
use crate::audit::proof::TlogProof;
use crate::audit::tree;
use crate::json;
use crate::plan::{Mode, RecordedCore};
use crate::policy::account::Action;
use crate::release::digest::Digest;
use crate::time::Timestamp;
use crate::trust::{Gate, Revocation, Revoked};

use super::acceptance::{Acceptance, Anchoring, JournalState, OwnLog, Unanchored};
use super::wire::{AuditEntry, Wire, is_exact};
use super::{AcceptError, LogPolicy, PAYLOAD_TYPE};

/// An envelope as read: strict in its form, nothing in it believed.
#[derive(Debug)]
pub struct Envelope {
    core: RecordedCore,
    digest: Digest,
    size: u64,
    wire: Wire,
}

/// A plan whose entry a pinned gate's log holds: steps 0 to 5.
#[derive(Debug)]
pub struct ProvenPlan {
    core: RecordedCore,
    digest: Digest,
    reference: LogReference,
    gate: String,
    anchoring: Anchoring,
}

/// A plan from outside whose proof, pins, dates and target hold here.
#[derive(Debug)]
#[must_use = "its start has to be in the log before the first command"]
pub struct AcceptedPlan {
    proven: ProvenPlan,
}

/// What steps 2 and 3 established: who signed which checkpoint.
struct Signed<'a> {
    gate: &'a Gate,
    key: VerifierKey,
    note: SignedNote,
}

impl Envelope {
    /// Step 0: reads an envelope strictly.
    ///
    /// # Errors
    /// [`AcceptError`] of step 0.
    pub fn parse(bytes: &[u8]) -> Result<Self, AcceptError> {
        let wire: Wire = json::decode(bytes).map_err(AcceptError::Malformed)?;
        if wire.payload_type != PAYLOAD_TYPE {
            return Err(AcceptError::PayloadType(wire.payload_type));
        }
        if !is_exact(&wire.plan) {
            return Err(AcceptError::Value);
        }
        let core = RecordedCore::deserialize(&wire.plan).map_err(AcceptError::Core)?;
        core.check().map_err(AcceptError::Unsound)?;
        let canonical = json::canonical(&wire.plan);
        let size = u64::try_from(canonical.len()).unwrap_or(u64::MAX);
        Ok(Self { core, digest: Digest::of_bytes(&canonical), size, wire })
    }

    /// All steps: proof, pins, no fork, dates, target, not run before.
    ///
    /// # Errors
    /// [`AcceptError`] with the first step that refused.
    pub fn accept(self, acceptance: &Acceptance<'_>) -> Result<AcceptedPlan, AcceptError> {
        let signed = self.prove(acceptance.gates, acceptance.revoked)?;
        let anchoring = self.anchor(&signed, acceptance)?;
        let journal = (acceptance.journal)(&self.digest);
        // After a restart the end of a running plan is the state machine's.
        if journal != JournalState::Open {
            self.check_dates(acceptance.now)?;
        }
        self.check_place(acceptance)?;
        if journal == JournalState::Ended {
            return Err(AcceptError::Ended);
        }
        let gate = signed.gate.name.clone();
        Ok(AcceptedPlan { proven: self.proven(gate, anchoring) })
    }

    /// Steps 1 to 5, and 6 by a witness policy if there is one: what `audit verify-proof` says.
    ///
    /// # Errors
    /// [`AcceptError`] with the first step that refused.
    pub fn verify_proof(
        self,
        gates: &[Gate],
        revoked: &[Revocation],
        log_policy: Option<&LogPolicy>,
    ) -> Result<ProvenPlan, AcceptError> {
        let signed = self.prove(gates, revoked)?;
        let anchoring = match log_policy {
            Some(policy) => Anchoring::Witnesses(policy.cosigned(&signed.note, &signed.key)?),
            None => Anchoring::None,
        };
        let gate = signed.gate.name.clone();
        Ok(self.proven(gate, anchoring))
    }

    fn proven(self, gate: String, anchoring: Anchoring) -> ProvenPlan {
        let AuditEntry { origin, log_id, index, size, root, .. } = self.wire.audit_entry;
        let reference = LogReference { origin, log_id, index, size, root };
        ProvenPlan { core: self.core, digest: self.digest, reference, gate, anchoring }
    }

    /// Steps 1 to 5.
    fn prove<'a>(&self, gates: &'a [Gate], revoked: &[Revocation]) -> Result<Signed<'a>, AcceptError> {
        self.check_digest()?;
        let (checkpoint, note) = self.check_inclusion()?;
        let signed = self.check_signer(&checkpoint, note, gates, revoked)?;
        self.check_entry()?;
        self.check_pins(signed.gate)?;
        Ok(signed)
    }

    /// Step 1: the plan is what its digest says.
    fn check_digest(&self) -> Result<(), AcceptError> {
        if self.digest == self.wire.plan_digest {
            return Ok(());
        }
        Err(AcceptError::PlanDigest { computed: self.digest, claimed: self.wire.plan_digest.clone() })
    }

    /// Step 2: the line is in the tree of the checkpoint, and all three name the same place.
    fn check_inclusion(&self) -> Result<(Checkpoint, String), AcceptError> {
        let entry = &self.wire.audit_entry;
        let proof: TlogProof = self.wire.proof.parse()?;
        // Claimed until step 3 has verified the note.
        let (text, _) = proof.checkpoint.rsplit_once("\n\n").ok_or(AcceptError::Checkpoint)?;
        let checkpoint = Checkpoint::parse(&format!("{text}\n")).map_err(|_| AcceptError::Checkpoint)?;
        let head = &checkpoint.head;
        let leaf = tree::leaf_hash(entry.line.as_bytes());
        if !tree::verify_inclusion(&leaf, proof.index, head.size, &proof.hashes, &head.root) {
            return Err(AcceptError::NotIncluded);
        }
        // Only now is the line worth reading; step 4 reads it whole.
        let seq = json::parse(entry.line.as_bytes()).ok().and_then(|line| line.get("seq")?.as_u64());
        let same = [
            ("index", seq == Some(entry.index) && proof.index == entry.index),
            ("size", head.size == entry.size),
            ("root", head.root.as_bytes() == entry.root.as_bytes()),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((member, _)) => Err(AcceptError::Reference { member }),
            None => Ok((checkpoint, proof.checkpoint)),
        }
    }

    /// Step 3: a pinned gate signed the checkpoint, and it is the pinned log.
    fn check_signer<'a>(
        &self,
        claimed: &Checkpoint,
        note: String,
        gates: &'a [Gate],
        revoked: &[Revocation],
    ) -> Result<Signed<'a>, AcceptError> {
        let note = SignedNote::parse(&note).map_err(|_| AcceptError::Checkpoint)?;
        let unknown = || AcceptError::UnknownGate { origin: claimed.origin.clone() };
        let signers = gates.iter().filter_map(|gate| {
            let key = VerifierKey::new(&gate.origin, &gate.key).ok()?;
            let text = note.verify(std::slice::from_ref(&key)).ok()?;
            (Checkpoint::parse(text).as_ref() == Ok(claimed)).then_some((gate, key))
        });
        let mut refusal = unknown();
        for (gate, key) in signers {
            match self.check_gate(claimed, gate, revoked) {
                Ok(()) => return Ok(Signed { gate, key, note: note.clone() }),
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    fn check_gate(
        &self,
        checkpoint: &Checkpoint,
        gate: &Gate,
        revoked: &[Revocation],
    ) -> Result<(), AcceptError> {
        // A gate's key that is named at all is not believed, whatever the time: its word on
        // time is all there is.
        if revoked.iter().any(|revocation| revocation.who == Revoked::Key(gate.key.id())) {
            return Err(AcceptError::RevokedGate { gate: gate.name.clone() });
        }
        let entry = &self.wire.audit_entry;
        let other = |member| Err(AcceptError::OtherLog { gate: gate.name.clone(), member });
        if checkpoint.origin != gate.origin || entry.origin != gate.origin {
            return other("origin");
        }
        if entry.log_id != gate.log_id {
            return other("logId");
        }
        Ok(())
    }

    /// Step 4: the entry allows this plan and no other.
    fn check_entry(&self) -> Result<(), AcceptError> {
        let entry = Entry::parse(self.wire.audit_entry.line.as_bytes()).map_err(AcceptError::Line)?;
        let Body::Decision(decision) = &entry.body else {
            return Err(AcceptError::NotAnAllow { kind: entry.body.kind().to_owned() });
        };
        let allows = decision.action == Action::Allow && decision.mode != Mode::DryRun;
        let (true, Some(plan)) = (allows, &decision.plan) else {
            return Err(AcceptError::NotAnAllow { kind: "decision".to_owned() });
        };
        if self.digest != plan.digest || self.size != plan.size {
            return Err(AcceptError::Differs { member: "plan" });
        }
        self.check_decision(decision)
    }

    fn check_decision(&self, decision: &DecisionEntry) -> Result<(), AcceptError> {
        let core = &self.core;
        let verification = &core.verification;
        let facts = decision.facts.as_ref().map(|facts| &facts.digest);
        let same = [
            ("release", decision.release.digest.as_ref() == Some(&core.release.digest)),
            ("environment", decision.release.environment == core.release.environment),
            ("policy", decision.policy.digest == verification.policy_digest),
            ("trust", decision.trust.digest == verification.trust_digest),
            ("facts", facts == Some(&verification.facts_digest)),
            ("mode", decision.mode == core.mode),
            ("verdict", decision.verdict == verification.verdict),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((member, _)) => Err(AcceptError::Differs { member }),
            None => Ok(()),
        }
    }

    /// Step 5: the gate may decide for this environment, under what it is pinned to.
    fn check_pins(&self, gate: &Gate) -> Result<(), AcceptError> {
        let environment = &self.core.release.environment;
        if !gate.environments.contains(environment) {
            return Err(AcceptError::Environment {
                gate: gate.name.clone(),
                environment: environment.clone(),
            });
        }
        let verification = &self.core.verification;
        for (what, pins, digest) in [
            ("policy", &gate.policy_digests, &verification.policy_digest),
            ("trust", &gate.trust_digests, &verification.trust_digest),
        ] {
            if pins.as_ref().is_some_and(|pins| !pins.contains(digest)) {
                return Err(AcceptError::Pin { gate: gate.name.clone(), what, digest: digest.clone() });
            }
        }
        Ok(())
    }

    /// Step 6: the own log or a quorum of witnesses excludes a fork.
    fn anchor(&self, signed: &Signed<'_>, acceptance: &Acceptance<'_>) -> Result<Anchoring, AcceptError> {
        let own = acceptance.own_log.map_or(Ok(OwnHistory::AnotherLog), |own| self.compare(own))?;
        if own == OwnHistory::Same {
            return Ok(Anchoring::OwnLog);
        }
        let refusal = match acceptance.log_policy.map(|policy| policy.cosigned(&signed.note, &signed.key)) {
            Some(Ok(witnesses)) => return Ok(Anchoring::Witnesses(witnesses)),
            Some(Err(refusal)) => AcceptError::Quorum(refusal),
            None => match own {
                OwnHistory::Behind(own) => AcceptError::Behind { own, plan: self.wire.audit_entry.size },
                _ => AcceptError::Unanchored,
            },
        };
        match acceptance.unanchored {
            Unanchored::Accept => Ok(Anchoring::None),
            Unanchored::Refuse => Err(refusal),
        }
    }

    /// What the own log says of the plan's history. A difference is a fork, whatever else holds.
    fn compare(&self, own: &OwnLog) -> Result<OwnHistory, AcceptError> {
        let entry = &self.wire.audit_entry;
        let fork = |member| Err(AcceptError::Fork { member });
        if own.log_id != entry.log_id {
            return if own.origin == entry.origin { fork("logId") } else { Ok(OwnHistory::AnotherLog) };
        }
        let (Ok(index), Ok(size)) = (usize::try_from(entry.index), usize::try_from(entry.size)) else {
            return fork("size");
        };
        let leaf = tree::leaf_hash(entry.line.as_bytes());
        if own.leaves.get(index).is_some_and(|held| *held != leaf) {
            return fork("leaf");
        }
        let Some(prefix) = own.leaves.get(..size) else {
            return Ok(OwnHistory::Behind(u64::try_from(own.leaves.len()).unwrap_or(u64::MAX)));
        };
        if tree::root(prefix).as_bytes() != entry.root.as_bytes() {
            return fork("root");
        }
        Ok(OwnHistory::Same)
    }

    /// Step 7: it has begun and not ended.
    fn check_dates(&self, now: Timestamp) -> Result<(), AcceptError> {
        let (not_before, not_after) = (self.core.validity.not_before, self.core.validity.not_after);
        if now < not_before {
            return Err(AcceptError::NotYetValid { not_before });
        }
        if now >= not_after {
            return Err(AcceptError::Expired { not_after });
        }
        Ok(())
    }

    /// Step 8: it is for this executor.
    fn check_place(&self, acceptance: &Acceptance<'_>) -> Result<(), AcceptError> {
        for (what, planned, own) in [
            ("target", &self.core.target, acceptance.target),
            ("environment", &self.core.release.environment, acceptance.environment),
        ] {
            if planned != own {
                let (planned, own) = (planned.clone(), own.to_owned());
                return Err(AcceptError::Elsewhere { what, planned, own });
            }
        }
        Ok(())
    }
}

/// What an executor's own log says of a plan's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnHistory {
    /// The plan's checkpoint is a prefix of it, and the entry is the same.
    Same,
    /// It ends before the plan's checkpoint.
    Behind(u64),
    /// It is another log's, or there is none.
    AnotherLog,
}

impl ProvenPlan {
    /// The plan.
    pub fn core(&self) -> &RecordedCore {
        &self.core
    }
    /// The planDigest.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// Where its entry stands.
    pub fn reference(&self) -> &LogReference {
        &self.reference
    }
    /// The pinned gate that signed for it.
    pub fn gate(&self) -> &str {
        &self.gate
    }
    /// What excludes a fork of the log.
    pub fn anchoring(&self) -> Anchoring {
        self.anchoring
    }
}

impl AcceptedPlan {
    /// What was proved of it.
    pub fn proven(&self) -> &ProvenPlan {
        &self.proven
    }
}

#[cfg(test)]
pub(super) mod tests;
