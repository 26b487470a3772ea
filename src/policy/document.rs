//! The file formats of policies: `kind: Policy`, and `kind: PolicySet` beside them.
//!
//! In: the text of a file. Out: a typed document, or a [`DocumentError`] with file, line and
//! column. Nothing is parsed and ignored: parts that are not built yet are refused by name.
//! Format: `policy.md`; the JSON Schemas come from the same types.

mod check;
mod tree;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::yaml::{DocumentError, Source, Spanned};

use super::rule::approvals::ApprovalsSection;
use super::rule::attestations::AttestationsSection;
use super::rule::correlate::Key;
use super::rule::floor::ArtifactsSection;
use super::rule::freeze::FreezeSection;
use super::rule::provenance::ProvenanceSection;
use super::rule::rollout::RolloutSection;
use super::rule::signatures::SignaturesSection;
use check::Check;
use tree::Tree;

/// One policy file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "laforge policy")]
pub struct PolicyDocument {
    /// The version of the format.
    pub api_version: ApiVersion,
    /// What the document is.
    pub kind: PolicyKind,
    /// Its name. The version belongs to the set: `policy-set.yaml` beside the files.
    pub metadata: PolicyMetadata,
    /// What it asks.
    #[schemars(with = "Spec")]
    pub spec: Spanned<Spec>,
}

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one.
    #[serde(rename = "laforge.dev/v1")]
    V1,
}

/// The kind of a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// A policy.
    Policy,
}

/// A policy's name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyMetadata {
    /// The name.
    #[schemars(with = "String", length(min = 1))]
    pub name: Spanned<String>,
}

/// What a policy asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct Spec {
    /// Which releases it applies to; all unless said.
    #[serde(default, rename = "match")]
    #[schemars(with = "Selection")]
    pub selection: Option<Selection>,
    /// What is asked of artifacts beside evidence.
    #[serde(default)]
    #[schemars(with = "ArtifactsSection")]
    pub artifacts: Option<ArtifactsSection>,
    /// The evidence that is asked for.
    #[serde(default)]
    #[schemars(with = "Require")]
    pub require: Option<Spanned<Require>>,
    /// Windows in which nothing starts.
    #[serde(default)]
    #[schemars(with = "Vec<FreezeSection>", length(min = 1, max = 64))]
    pub freeze: Option<Vec<FreezeSection>>,
    /// Bounds of the rollout.
    #[serde(default)]
    #[schemars(with = "RolloutSection")]
    pub rollout: Option<Spanned<RolloutSection>>,
    /// Not built yet.
    #[serde(default)]
    #[schemars(skip)]
    pub(in crate::policy) rules: Option<Spanned<IgnoredAny>>,
    /// Not built yet.
    #[serde(default)]
    #[schemars(skip)]
    pub(in crate::policy) waivers: Option<Spanned<IgnoredAny>>,
    /// Not built yet.
    #[serde(default)]
    #[schemars(skip)]
    pub(in crate::policy) break_glass: Option<Spanned<IgnoredAny>>,
}

/// Which releases a policy applies to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Selection {
    /// Environments, each exact or `pattern:GLOB`.
    #[schemars(with = "std::collections::BTreeSet<String>", length(min = 1, max = 64))]
    pub environments: Spanned<Vec<String>>,
}

/// The evidence that is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct Require {
    /// Signatures over artifacts.
    #[serde(default)]
    #[schemars(with = "SignaturesSection")]
    pub signatures: Option<Spanned<SignaturesSection>>,
    /// People who approved.
    #[serde(default)]
    #[schemars(with = "ApprovalsSection")]
    pub approvals: Option<ApprovalsSection>,
    /// Where artifacts were built, and from what.
    #[serde(default)]
    #[schemars(with = "ProvenanceSection")]
    pub provenance: Option<Spanned<ProvenanceSection>>,
    /// Other attestations about artifacts, each by its type.
    #[serde(default)]
    #[schemars(with = "Vec<AttestationsSection>", length(min = 1, max = 16))]
    pub attestations: Option<Spanned<Vec<Spanned<AttestationsSection>>>>,
    /// What has to be the same in all that this policy's `provenance` and `attestations` count.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeSet<Key>", length(min = 1))]
    pub correlate: Option<Spanned<Vec<Key>>>,
}

/// The document that names a policy set: `policy-set.yaml` beside the files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "laforge policy set")]
pub struct PolicySetDocument {
    /// The version of the format.
    pub api_version: ApiVersion,
    /// What the document is.
    pub kind: PolicySetKind,
    /// Its name and version.
    pub metadata: PolicySetMetadata,
}

/// The kind of a policy set's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PolicySetKind {
    /// A policy set.
    PolicySet,
}

/// A policy set's name and version.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicySetMetadata {
    /// The name; `flags` and `unnamed` are reserved.
    #[schemars(with = "String", length(min = 1))]
    pub name: Spanned<String>,
    /// The version, which only rises.
    #[schemars(with = "u64", range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub version: Spanned<u64>,
}

/// The JSON Schema of a policy file: `laforge schema policy`.
pub fn policy_schema() -> Value {
    check::schema_of::<PolicyDocument>("policy")
}

/// The JSON Schema of `policy-set.yaml`: `laforge schema policy-set`.
pub fn policy_set_schema() -> Value {
    check::schema_of::<PolicySetDocument>("policy-set")
}

static POLICY: Check = Check::new(policy_schema);
static POLICY_SET: Check = Check::new(policy_set_schema);

impl PolicyDocument {
    /// Reads a policy file and holds it to its schema; `check` sees the typed document first, since
    /// its complaints say more than a schema's.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of what is refused.
    pub fn read<T>(
        source: &Source,
        check: impl FnOnce(Self) -> Result<T, DocumentError>,
    ) -> Result<T, DocumentError> {
        read(source, &POLICY, |document: Self| {
            document.refuse_unbuilt(source)?;
            check(document)
        })
    }

    fn refuse_unbuilt(&self, source: &Source) -> Result<(), DocumentError> {
        let spec = &self.spec.value;
        let parts = [
            ("spec.rules", spec.rules.as_ref()),
            ("spec.waivers", spec.waivers.as_ref()),
            ("spec.breakGlass", spec.break_glass.as_ref()),
        ];
        let used = parts.into_iter().find_map(|(name, part)| Some((name, part?)));
        used.map_or(Ok(()), |(name, part)| {
            let mut error = source.error_at(part, format!("`{name}` is not built yet"));
            error.help = Some("remove it: what is not built is refused, never read and ignored".to_owned());
            Err(error)
        })
    }
}

impl PolicySetDocument {
    /// Reads `policy-set.yaml` and holds it to its schema.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of what is refused.
    pub fn read(source: &Source) -> Result<Self, DocumentError> {
        read(source, &POLICY_SET, Ok)
    }
}

fn read<D: DeserializeOwned, T>(
    source: &Source,
    schema: &Check,
    check: impl FnOnce(D) -> Result<T, DocumentError>,
) -> Result<T, DocumentError> {
    let root: Spanned<Tree> = source.read()?;
    let checked = check(source.read()?)?;
    schema.hold(source, &root)?;
    Ok(checked)
}
