//! A split, as nginx's file and as nginx says it back.
//!
//! In: two upstreams, the candidate's weight, epoch and plan. Out: the file's whole text, and the one
//! line that names the split in force: `green=20 blue=80 epoch=4 plan=sha256:…`. The file repeats that
//! line, so that it can be read and compared.

use std::fmt;

use super::super::{DriverError, excerpt};
use crate::release::digest::ClaimedDigest;
use crate::rollout::executor::NginxSection;
use crate::rollout::machine::Weight;

/// What is hashed, unless somebody says otherwise: each request is of its own.
const KEY: &str = "$request_id";
/// The variable that names the upstream.
const VARIABLE: &str = "laforge_upstream";
/// Before the line in the file.
const HEAD: &str = "# laforge: ";

/// How a file spells what is the operator's choice.
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    key: String,
    variable: String,
}

/// A split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) candidate: String,
    pub(super) stable: String,
    /// The candidate's.
    pub(super) weight: Weight,
    pub(super) epoch: u64,
    /// None in the file that an operator begins with.
    pub(super) plan: Option<ClaimedDigest>,
}

impl Spelling {
    /// The operator's key and variable.
    pub(super) fn new(section: &NginxSection) -> Result<Self, DriverError> {
        let key = section.key.clone().unwrap_or_else(|| KEY.to_owned());
        let variable = section.variable.clone().unwrap_or_else(|| VARIABLE.to_owned());
        let variable = variable.trim_start_matches('$').to_owned();
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        // Variables and what may stand between them; nothing that ends a quoted text or a line.
        let plain = |c: char| c.is_ascii_graphic() && !"\"\\{};#".contains(c);
        if key.is_empty() || !key.chars().all(plain) {
            return Err(refused("`key` of nginx", &key, "nginx variables such as `$request_id`"));
        }
        if !word(&variable) || variable == "laforge_split" {
            return Err(refused(
                "`variable` of nginx",
                &variable,
                "letters, digits and `_`, not `laforge_split`",
            ));
        }
        Ok(Self { key, variable })
    }
}

/// Takes the name of an upstream that needs no quotes and can't be taken for something else.
pub(super) fn upstream(name: &str) -> Result<(), DriverError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(()),
        false => Err(refused("an upstream", name, "letters, digits, `.`, `_` and `-` alone")),
    }
}

fn refused(setting: &'static str, value: &str, problem: &'static str) -> DriverError {
    DriverError::Setting { setting, value: excerpt(value), problem }
}

impl Split {
    /// The percent of an upstream, if the split names it.
    pub(super) fn share(&self, upstream: &str) -> Option<u64> {
        let candidate = self.weight.percent();
        let shares = [(&self.candidate, candidate), (&self.stable, 100 - candidate)];
        shares.into_iter().find(|(name, _)| name.as_str() == upstream).map(|(_, share)| share)
    }

    /// The file's whole text. At 0 and 100 there is the bare `*` alone: nginx takes no share of either.
    pub(super) fn file(&self, spelling: &Spelling) -> String {
        let Spelling { key, variable } = spelling;
        let weight = self.weight.percent();
        let shared = match weight {
            0 | 100 => String::new(),
            weight => format!("    {weight}.00% {};\n", self.candidate),
        };
        let rest = if weight == 100 { &self.candidate } else { &self.stable };
        format!(
            "{HEAD}{self}\n\
             # Written whole for each change; what is edited here is taken for another writer's.\n\
             split_clients \"{key}\" ${variable} {{\n{shared}    * {rest};\n}}\n\
             map \"\" $laforge_split {{\n    default \"{self}\";\n}}\n"
        )
    }

    /// The split that a file says to hold.
    pub(super) fn of_file(text: &str) -> Option<Self> {
        Self::of_line(text.lines().next()?.strip_prefix(HEAD)?)
    }

    /// The split that a line names.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [candidate, stable, epoch, plan] = words.as_slice() else { return None };
        let share = |word: &str| {
            let (name, share) = word.split_once('=')?;
            upstream(name).ok()?;
            Some((name.to_owned(), Weight::new(share.parse().ok()?)?))
        };
        let ((candidate, weight), (stable, rest)) = (share(candidate)?, share(stable)?);
        let plan = match plan.strip_prefix("plan=")? {
            "none" => None,
            plan => Some(plan.parse().ok()?),
        };
        let epoch = epoch.strip_prefix("epoch=")?.parse().ok()?;
        let split = Self { candidate, stable, weight, epoch, plan };
        // Written back it has to be the same: no share that is not the rest, no number spelled otherwise.
        let whole = weight.percent() + rest.percent() == 100 && split.candidate != split.stable;
        (whole && split.to_string() == line).then_some(split)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = self.weight.percent();
        write!(
            out,
            "{}={weight} {}={} epoch={} plan=",
            self.candidate,
            self.stable,
            100 - weight,
            self.epoch
        )?;
        match &self.plan {
            Some(plan) => write!(out, "{plan}"),
            None => out.write_str("none"),
        }
    }
}
