//! Inclusion proofs as text: what stands beside a plan.
//!
//! In: an entry's index, its proof and the signed checkpoint. Out: one text, and the way back.
//! The checkpoint inside is only carried; [`Checkpoint::open`](super::checkpoint::Checkpoint::open)
//! verifies it. Spec: <https://c2sp.org/tlog-proof>.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::decimal;
use super::tree::Hash;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An RFC 6962 path through a log of 2^63 entries.
const MAX_HASHES: usize = 63;

/// One entry's proof and the checkpoint that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's index.
    pub index: u64,
    /// What an application adds; ours adds nothing.
    pub extra: Option<Vec<u8>>,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// A text that is not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a `c2sp.org/tlog-proof@v1` text")]
pub struct ProofError;

impl fmt::Display for TlogProof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(out, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(out, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(out, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) || checkpoint.is_empty() {
            return Err(ProofError);
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(STANDARD.decode(line.trim_start_matches("extra ")).map_err(|_| ProofError)?),
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let hashes: Vec<Hash> = lines.map(hash).collect::<Option<_>>().ok_or(ProofError)?;
        if hashes.len() > MAX_HASHES {
            return Err(ProofError);
        }
        Ok(Self { index: index.ok_or(ProofError)?, extra, hashes, checkpoint: checkpoint.to_owned() })
    }
}

fn hash(line: &str) -> Option<Hash> {
    Some(Hash::from_bytes(STANDARD.decode(line).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::corpus;
    use crate::audit::tree::leaf_hash;

    #[test]
    fn reads_back_what_it_writes() {
        for (hashes, extra) in [(0, None), (3, None), (2, Some(b"more".to_vec()))] {
            let hashes = (0..hashes).map(|n| leaf_hash(&[n])).collect();
            let proof = TlogProof { index: 5, extra, hashes, checkpoint: "a\n9\nb\n\n— a c\n".into() };
            assert_eq!(proof.to_string().parse::<TlogProof>().unwrap(), proof);
        }
    }

    #[test]
    fn refuses_other_headers_orders_and_numbers() {
        let wrong = [
            "c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n",
            "c2sp.org/tlog-proof@v1\nindex 00\n\ncheckpoint\n",
            "c2sp.org/tlog-proof@v1\nindex 0\nextra QQ==\n\ncheckpoint\n",
            "c2sp.org/tlog-proof@v1\nindex 0\nQQ==\n\ncheckpoint\n",
            "c2sp.org/tlog-proof@v1\nindex 0\n\n",
            "c2sp.org/tlog-proof@v1\nindex 0\ncheckpoint\n",
            "c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\ncheckpoint\n",
        ];
        for text in wrong {
            assert_eq!(text.parse::<TlogProof>(), Err(ProofError), "{text}");
        }
    }

    #[test]
    fn published_proofs_hold_or_fail_as_they_say() {
        for case in corpus::cases(&["tlog-proof"]) {
            let text = String::from_utf8(case.text()).unwrap();
            let parsed = text.parse::<TlogProof>();
            assert_eq!(parsed.is_ok(), case.passes, "{}", case.id);
            if let Ok(proof) = parsed {
                assert_eq!(proof.to_string(), text, "{}", case.id);
            }
        }
    }
}
