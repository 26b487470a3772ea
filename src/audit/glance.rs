//! A glance at a line: what it says of itself at its beginning, and of a decision a little more.
//!
//! In: a line as our own writer puts it down: compact, its members in one order. Out: what was asked for, borrowed;
//! or nothing, and then the line is for a parser: it may be of another form, or have a text that is escaped.
//! Nothing is searched for inside a text: within one each `"` has a `\` before it, so `,"policy":{"` stands where the
//! member begins and nowhere else. What is not looked at is not checked: that the bytes are those that the gate
//! recorded is for whoever holds them against a signed head, and what they say is for `audit verify`.

use std::str;

use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::policy::account::Action;

use super::entry::TYPE;
use super::tree::Hash;

/// Where a decision's policy begins.
const POLICY: &[u8] = b",\"policy\":{\"digest\":\"";

/// What every line begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance<'a> {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) time: &'a str,
    pub(super) kind: &'a str,
    rest: Cursor<'a>,
}

/// What a decision goes on with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided<'a> {
    pub(super) verdict: Verdict,
    pub(super) action: Action,
    pub(super) mode: Mode,
    pub(super) actor: &'a str,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) environment: &'a str,
    rest: Cursor<'a>,
}

/// What a decision was held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldTo<'a> {
    /// The digest of the policy, as it is written.
    pub(super) policy: &'a str,
    /// The digest of the trust, as it is written.
    pub(super) trust: &'a str,
    sets: &'a [u8],
}

impl<'a> Glance<'a> {
    /// Looks at the beginning of a line.
    pub(super) fn at(line: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor { rest: line };
        cursor.skip(b"{\"_type\":\"")?.skip(TYPE.as_bytes())?.skip(b"\",\"seq\":")?;
        let seq = cursor.number()?;
        let digest = cursor.skip(b",\"prev\":\"sha256:")?.text()?;
        let mut prev = [0; 32];
        // Upper case is no digest of ours.
        hex::decode_to_slice(digest, &mut prev).ok().filter(|()| !digest.contains(char::is_uppercase))?;
        let time = cursor.skip(b",\"time\":\"")?.text()?;
        let kind = cursor.skip(b",\"type\":\"")?.text()?;
        Some(Self { seq, prev: Hash::from_bytes(prev), time, kind, rest: cursor })
    }

    /// Goes on, if it is a decision.
    pub(super) fn decided(&self) -> Option<Decided<'a>> {
        if self.kind != "decision" {
            return None;
        }
        let mut cursor = self.rest;
        cursor.skip(b",\"clock\":\"")?.text()?;
        let verdict = match cursor.skip(b",\"verdict\":\"")?.text()? {
            "pass" => Verdict::Pass,
            "fail" => Verdict::Fail,
            "error" => Verdict::Error,
            _ => return None,
        };
        let action = match cursor.skip(b",\"action\":\"")?.text()? {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "none" => Action::None,
            _ => return None,
        };
        let mode = match cursor.skip(b",\"mode\":\"")?.text()? {
            "enforce" => Mode::Enforce,
            "dry-run" => Mode::DryRun,
            "break-glass" => Mode::BreakGlass,
            _ => return None,
        };
        let actor = cursor.actor()?;
        let name = cursor.skip(b",\"release\":{\"name\":\"")?.text()?;
        let version = cursor.skip(b",\"version\":\"")?.text()?;
        let environment = cursor.skip(b",\"environment\":\"")?.text()?;
        Some(Decided { verdict, action, mode, actor, name, version, environment, rest: cursor })
    }
}

impl<'a> Decided<'a> {
    /// The policy and trust that it was held to: they stand near the end of the line.
    pub(super) fn held_to(&self) -> Option<HeldTo<'a>> {
        let line = self.rest.rest;
        let begins = |window: &[u8]| window.first() == POLICY.first() && window == POLICY;
        let at = line.windows(POLICY.len()).rposition(begins)?;
        let mut cursor = Cursor { rest: line.get(at + POLICY.len()..)? };
        let policy = cursor.text()?;
        cursor.skip(b",\"sets\":[")?;
        let sets = cursor.rest;
        let mut after = Sets { cursor, comma: Comma::None };
        while after.set()?.is_some() {}
        let trust = after.cursor.skip(b"]},\"trust\":{\"digest\":\"")?.text()?;
        let length = sets.len() - after.cursor.rest.len();
        Some(HeldTo { policy, trust, sets: sets.get(..length)? })
    }
}

impl<'a> HeldTo<'a> {
    /// The sets as they are written.
    pub(super) fn written(&self) -> &'a [u8] {
        self.sets
    }

    /// The policy's sets and their versions.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&'a str, u64)> {
        let mut sets = Sets { cursor: Cursor { rest: self.sets }, comma: Comma::None };
        // They were read to their end before.
        std::iter::from_fn(move || sets.set().flatten())
    }
}

/// Policy sets, one after another.
struct Sets<'a> {
    cursor: Cursor<'a>,
    comma: Comma,
}

/// What stands before the next item of a list.
#[derive(Clone, Copy)]
enum Comma {
    None,
    One,
}

impl<'a> Sets<'a> {
    /// The next set's name and version; `Some(None)` at the list's end.
    fn set(&mut self) -> Option<Option<(&'a str, u64)>> {
        if self.cursor.rest.starts_with(b"]") {
            return Some(None);
        }
        if matches!(self.comma, Comma::One) {
            self.cursor.skip(b",")?;
        }
        self.comma = Comma::One;
        let name = self.cursor.skip(b"{\"name\":\"")?.text()?;
        let version = self.cursor.skip(b",\"version\":")?.number()?;
        self.cursor.skip(b",\"digest\":\"")?.text()?;
        self.cursor.skip(b"}")?;
        Some(Some((name, version)))
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Goes past these bytes, if they are the next.
    fn skip(&mut self, bytes: &[u8]) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(bytes)?;
        Some(self)
    }

    /// The text up to its closing quote, which is passed; none if anything in it is escaped.
    fn text(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix(b"\"")?;
        str::from_utf8(text).ok()
    }

    /// A number of digits alone.
    fn number(&mut self) -> Option<u64> {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at_checked(end)?;
        // As JSON has it: no digits in front that say nothing.
        if digits.starts_with(b"0") && digits.len() > 1 {
            return None;
        }
        self.rest = rest;
        str::from_utf8(digits).ok()?.parse().ok()
    }

    /// An actor, of whom the id is given.
    fn actor(&mut self) -> Option<&'a str> {
        let id = self.skip(b",\"actor\":{\"id\":\"")?.text()?;
        if self.rest.starts_with(b",\"issuer\"") {
            self.skip(b",\"issuer\":\"")?.text()?;
        }
        self.skip(b",\"type\":\"")?.text()?;
        self.skip(b",\"verified\":")?;
        match self.rest.starts_with(b"true}") {
            true => self.skip(b"true}")?,
            false => self.skip(b"false}")?,
        };
        Some(id)
    }
}

#[cfg(test)]
mod tests;
