//! A witness policy: which logs, which witnesses, and which of them together are a quorum.
//!
//! In: the text of `audit.policy`, and a checkpoint that carries cosignatures. Out: [`LogPolicy`],
//! and whether its quorum cosigned. Ed25519 alone: another kind of key is refused, not passed over.
//! Specs: <https://c2sp.org/tlog-policy>, <https://c2sp.org/tlog-cosignature>,
//! <https://c2sp.org/signed-note>. Not checked: the witnesses' clocks.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::note::{self, SignedNote, VerifierKey};
use crate::key::PublicKey;

/// The signature type of a witness's timestamped Ed25519 key.
const WITNESS: u8 = 0x04;
/// Lines that a policy has at most: three times what the spec asks every reader to take.
const MAX_LINES: usize = 1000;

/// A parsed policy.
#[derive(Debug)]
pub struct LogPolicy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A witness's name on its signature lines, and its key.
#[derive(Debug)]
struct Witness {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

/// At least so many of these.
#[derive(Debug)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place in the policy.
#[derive(Debug, Clone, Copy)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What is wrong with a policy, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LogPolicyError {
    /// The line, counted from 1; the last one for what is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: LogPolicyProblem,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogPolicyProblem {
    /// A control character, or bytes that are no text.
    #[error("has a character that a policy can't have")]
    Character,
    /// No such kind of line, or not its items.
    #[error("is not a `log`, `witness`, `group` or `quorum` line")]
    Line,
    /// More lines than are read.
    #[error("a policy has at most {MAX_LINES} lines")]
    Lines,
    /// A key that can't be read.
    #[error("`{key}` is not a verifier key of an Ed25519 log or witness")]
    Key {
        /// As written.
        key: String,
    },
    /// A key twice.
    #[error("the key `{key}` is listed twice")]
    KeyTwice {
        /// As written.
        key: String,
    },
    /// A name twice, or `none`.
    #[error("the name `{name}` is taken")]
    NameTaken {
        /// As written.
        name: String,
    },
    /// A name that no line before defines.
    #[error("`{name}` is defined by no line before")]
    Undefined {
        /// As written.
        name: String,
    },
    /// A member of two groups, or twice of one.
    #[error("`{name}` is a member already")]
    MemberTwice {
        /// As written.
        name: String,
    },
    /// A threshold that is none.
    #[error("`{threshold}` is not `any`, `all` or a number from 1 to that of the members")]
    Threshold {
        /// As written.
        threshold: String,
    },
    /// Not exactly one quorum.
    #[error("a policy has exactly one `quorum` line")]
    Quorum,
}

/// Why a checkpoint has no quorum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// The policy asks for no witness, so it can't exclude a fork.
    #[error("the log policy asks for no witness")]
    NoWitness,
    /// The policy does not list the log.
    #[error("the log policy does not list the log `{0}` with this key")]
    UnknownLog(String),
    /// A witness's line that does not hold.
    #[error("the cosignature by `{0}` does not verify")]
    BadCosignature(String),
    /// Too few.
    #[error("{0} witnesses cosigned, which is no quorum of the log policy")]
    TooFew(usize),
}

impl LogPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`LogPolicyError`] with the line.
    pub fn parse(text: &str) -> Result<Self, LogPolicyError> {
        let mut reader = Reader::default();
        let mut last = 1;
        for (number, line) in (1..).zip(text.strip_suffix('\n').unwrap_or(text).split('\n')) {
            last = number;
            reader.line(line, number).map_err(|problem| LogPolicyError { line: number, problem })?;
        }
        match reader.quorum {
            Some(quorum) => {
                Ok(Self { logs: reader.logs, witnesses: reader.witnesses, groups: reader.groups, quorum })
            }
            None => Err(LogPolicyError { line: last, problem: LogPolicyProblem::Quorum }),
        }
    }

    /// How many witnesses cosigned the checkpoint, when they are a quorum.
    ///
    /// `log` is the pinned key that signed it.
    ///
    /// # Errors
    /// [`QuorumError`].
    pub fn cosigned(&self, checkpoint: &SignedNote, log: &VerifierKey) -> Result<usize, QuorumError> {
        let Some(quorum) = self.quorum else { return Err(QuorumError::NoWitness) };
        if !self.logs.contains(log) {
            return Err(QuorumError::UnknownLog(log.name().to_owned()));
        }
        let mut signed = BTreeSet::new();
        for (at, witness) in self.witnesses.iter().enumerate() {
            if witness.cosigned(checkpoint)? {
                signed.insert(at);
            }
        }
        if self.holds(quorum, &signed) { Ok(signed.len()) } else { Err(QuorumError::TooFew(signed.len())) }
    }

    /// Members come before what they are members of, so this ends.
    fn holds(&self, member: Member, signed: &BTreeSet<usize>) -> bool {
        match member {
            Member::Witness(at) => signed.contains(&at),
            Member::Group(at) => self.groups.get(at).is_some_and(|group| {
                let held = group.members.iter().filter(|member| self.holds(**member, signed)).count();
                held >= group.threshold
            }),
        }
    }
}

impl Witness {
    /// Whether it cosigned; every line under its name and id has to hold.
    fn cosigned(&self, checkpoint: &SignedNote) -> Result<bool, QuorumError> {
        let mut held = false;
        for bytes in checkpoint.signatures_by(&self.name, self.id) {
            let refuse = || QuorumError::BadCosignature(self.name.clone());
            let (time, signature) = bytes.split_first_chunk::<8>().ok_or_else(refuse)?;
            let time = i64::try_from(u64::from_be_bytes(*time)).map_err(|_| refuse())?;
            let message = format!("cosignature/v1\ntime {time}\n{}", checkpoint.unverified_text());
            self.key.verify(message.as_bytes(), signature).map_err(|_| refuse())?;
            held = true;
        }
        Ok(held)
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// `Some(None)` is `quorum none`.
    quorum: Option<Option<Member>>,
    names: BTreeMap<String, Member>,
    members: BTreeSet<String>,
}

type Step = Result<(), LogPolicyProblem>;

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Step {
        if number > MAX_LINES {
            return Err(LogPolicyProblem::Lines);
        }
        if line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err(LogPolicyProblem::Character);
        }
        let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            ["quorum", name] => self.set_quorum(name),
            _ => Err(LogPolicyProblem::Line),
        }
    }

    fn log(&mut self, text: &str) -> Step {
        let key: VerifierKey = text.parse().map_err(|_| LogPolicyProblem::Key { key: text.to_owned() })?;
        if self.logs.iter().any(|other| other.key() == key.key()) {
            return Err(LogPolicyProblem::KeyTwice { key: text.to_owned() });
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, text: &str) -> Step {
        let (key_name, id, key) =
            note::key_of_type(text, WITNESS).ok_or_else(|| LogPolicyProblem::Key { key: text.to_owned() })?;
        let witness = Witness { name: key_name.to_owned(), id, key };
        if self.witnesses.iter().any(|other| other.key == witness.key) {
            return Err(LogPolicyProblem::KeyTwice { key: text.to_owned() });
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(witness);
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Step {
        let mut members = Vec::new();
        for &member in names {
            members.push(self.find(member)?);
            if !self.members.insert(member.to_owned()) {
                return Err(LogPolicyProblem::MemberTwice { name: member.to_owned() });
            }
        }
        let count = match threshold {
            "any" => Some(1),
            "all" => Some(members.len()),
            // In decimal, and in no other form of the same number.
            number => number.parse().ok().filter(|count: &usize| count.to_string() == number),
        };
        let threshold = count
            .filter(|count| (1..=members.len()).contains(count))
            .ok_or_else(|| LogPolicyProblem::Threshold { threshold: threshold.to_owned() })?;
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn set_quorum(&mut self, name: &str) -> Step {
        if self.quorum.is_some() {
            return Err(LogPolicyProblem::Quorum);
        }
        self.quorum = Some(if name == "none" { None } else { Some(self.find(name)?) });
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Member, LogPolicyProblem> {
        self.names.get(name).copied().ok_or_else(|| LogPolicyProblem::Undefined { name: name.to_owned() })
    }

    fn define(&mut self, name: &str, member: Member) -> Step {
        if name == "none" || self.names.contains_key(name) {
            return Err(LogPolicyProblem::NameTaken { name: name.to_owned() });
        }
        self.names.insert(name.to_owned(), member);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::audit::checkpoint::Checkpoint;
    use crate::audit::tree::{Head, empty_root};
    use crate::key::secret::SecretKey;

    /// A witness that cosigns whatever it is given.
    pub(in crate::rollout) struct Cosigner {
        name: String,
        key: SecretKey,
    }

    impl Cosigner {
        pub(in crate::rollout) fn new(name: &str, seed: u8) -> Self {
            Self { name: name.into(), key: SecretKey::from_ed25519_seed(&[seed; 32]).unwrap() }
        }

        fn id(&self) -> [u8; 4] {
            let raw = self.key.public().raw();
            let hash =
                Sha256::new().chain_update(&self.name).chain_update([b'\n', 4]).chain_update(raw).finalize();
            *hash.first_chunk().unwrap()
        }

        pub(in crate::rollout) fn vkey(&self) -> String {
            let typed = [&[4], self.key.public().raw()].concat();
            format!("{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(typed))
        }

        pub(in crate::rollout) fn line(&self, text: &str, time: u64) -> String {
            let message = format!("cosignature/v1\ntime {time}\n{text}");
            let signature = self.key.sign(message.as_bytes()).unwrap();
            let packed = [self.id().as_slice(), &time.to_be_bytes(), &signature].concat();
            format!("— {} {}\n", self.name, STANDARD.encode(packed))
        }
    }

    fn refused(text: &str) -> (usize, LogPolicyProblem) {
        let error = LogPolicy::parse(text).unwrap_err();
        (error.line, error.problem)
    }

    fn witness(name: &str, seed: u8) -> String {
        format!("witness {name} {}\n", Cosigner::new(name, seed).vkey())
    }

    fn log() -> (SecretKey, VerifierKey) {
        let key = SecretKey::from_ed25519_seed(&[99; 32]).unwrap();
        let vkey = VerifierKey::new("log.example", key.public()).unwrap();
        (key, vkey)
    }

    #[test]
    fn refuses_what_the_spec_refuses_and_says_the_line() {
        let two = format!("{}{}", witness("a", 1), witness("b", 2));
        let named = |name: &str| name.to_owned();
        for (text, line, problem) in [
            (String::new(), 1, LogPolicyProblem::Quorum),
            (two.clone(), 2, LogPolicyProblem::Quorum),
            (format!("{two}quorum a\nquorum b\n"), 4, LogPolicyProblem::Quorum),
            (format!("quorum a\n{two}"), 1, LogPolicyProblem::Undefined { name: named("a") }),
            (format!("{two}group g any a none\n"), 3, LogPolicyProblem::Undefined { name: named("none") }),
            (format!("{two}group g any a a\n"), 3, LogPolicyProblem::MemberTwice { name: named("a") }),
            (
                format!("{two}group g any a\ngroup h any a b\n"),
                4,
                LogPolicyProblem::MemberTwice { name: named("a") },
            ),
            (format!("{two}group a any b\n"), 3, LogPolicyProblem::NameTaken { name: named("a") }),
            (format!("{two}group none any b\n"), 3, LogPolicyProblem::NameTaken { name: named("none") }),
            (format!("{two}group g 3 a b\n"), 3, LogPolicyProblem::Threshold { threshold: named("3") }),
            (format!("{two}group g 0 a b\n"), 3, LogPolicyProblem::Threshold { threshold: named("0") }),
            (format!("{two}group g 01 a b\n"), 3, LogPolicyProblem::Threshold { threshold: named("01") }),
            (format!("{two}group g any\n"), 3, LogPolicyProblem::Line),
            ("quorums none\n".to_owned(), 1, LogPolicyProblem::Line),
            ("quorum none\r\n".to_owned(), 1, LogPolicyProblem::Character),
            ("quorum none x\n".to_owned(), 1, LogPolicyProblem::Line),
        ] {
            assert_eq!(refused(&text), (line, problem), "{text}");
        }
        let twice = format!("witness a {0}\nwitness b {0}\n", Cosigner::new("x", 1).vkey());
        assert!(matches!(refused(&twice), (2, LogPolicyProblem::KeyTwice { .. })));
        let renamed = format!("{}{}", witness("a", 1), witness("b", 1));
        assert!(matches!(refused(&renamed), (2, LogPolicyProblem::KeyTwice { .. })));
    }

    #[test]
    fn a_log_key_is_no_witness_key_nor_the_other_way_round() {
        let (_, vkey) = log();
        let key = Cosigner::new("w", 1).vkey();
        assert!(matches!(refused(&format!("witness w {vkey}\n")), (1, LogPolicyProblem::Key { .. })));
        assert!(matches!(refused(&format!("log {key}\n")), (1, LogPolicyProblem::Key { .. })));
        let broken = key.replacen('+', "+f", 1);
        assert!(matches!(refused(&format!("witness w {broken}\n")), (1, LogPolicyProblem::Key { .. })));
    }

    #[test]
    fn counts_groups_of_groups_as_the_spec_s_example_does() {
        let (key, vkey) = log();
        let names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];
        let witnesses: Vec<Cosigner> =
            (1..).zip(names).map(|(seed, name)| Cosigner::new(name, seed)).collect();
        let mut text = format!("# who counts\n\n log {vkey} \thttps://log.example/\n");
        for witness in &witnesses {
            text += &format!("witness {} {}\n", witness.name, witness.vkey());
        }
        text += "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
                 group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y";
        let policy = LogPolicy::parse(&text).unwrap();
        let checkpoint =
            Checkpoint { origin: "log.example".into(), head: Head { size: 0, root: empty_root() } };
        for chosen in 0_u32..64 {
            let mut note = checkpoint.sign(&key).unwrap();
            for at in (0..6).filter(|at| chosen >> at & 1 == 1) {
                note += &witnesses[at].line(&checkpoint.text(), 1_700_000_000);
            }
            let quorum = (chosen & 7).count_ones() >= 2 && chosen >> 3 > 0;
            let cosigned = policy.cosigned(&SignedNote::parse(&note).unwrap(), &vkey);
            let count = chosen.count_ones() as usize;
            assert_eq!(cosigned, if quorum { Ok(count) } else { Err(QuorumError::TooFew(count)) });
        }
    }

    #[test]
    fn takes_no_cosignature_over_another_text_time_or_log() {
        let (key, vkey) = log();
        let witness = Cosigner::new("w", 1);
        let policy =
            LogPolicy::parse(&format!("log {vkey}\nwitness w {}\nquorum w\n", witness.vkey())).unwrap();
        let checkpoint =
            Checkpoint { origin: "log.example".into(), head: Head { size: 0, root: empty_root() } };
        let note = checkpoint.sign(&key).unwrap();
        let text = checkpoint.text();
        let judged = |lines: &str, log: &VerifierKey| {
            policy.cosigned(&SignedNote::parse(&format!("{note}{lines}")).unwrap(), log)
        };
        assert_eq!(judged(&witness.line(&text, 5), &vkey), Ok(1));
        let bad = Err(QuorumError::BadCosignature("w".into()));
        assert_eq!(judged(&witness.line("other\n0\nx\n", 5), &vkey), bad);
        assert_eq!(judged(&witness.line(&text, 1 << 63), &vkey), bad);
        let twice = witness.line(&text, 5) + &witness.line("other\n", 5);
        assert_eq!(judged(&twice, &vkey), bad);
        let plain = crate::audit::note::sign(&text, "w", &witness.key).unwrap();
        assert_eq!(
            judged(&format!("{}\n", plain.lines().last().unwrap()), &vkey),
            Err(QuorumError::TooFew(0))
        );
        let other = VerifierKey::new("other.example", key.public()).unwrap();
        let unknown = Err(QuorumError::UnknownLog("other.example".into()));
        assert_eq!(judged(&witness.line(&text, 5), &other), unknown);
    }
}
