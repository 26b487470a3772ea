//! `trust.yaml` as it is written: names and paths, nothing looked up yet.
//!
//! Its shape is `formats.md` section 2. Unknown and repeated members are refused by these types;
//! what the members mean is decided in [`super::load`].

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize as FromDocument;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::TrustRoot;
use super::embedded::INSTANCES;
use crate::release::digest::ClaimedDigest;
use crate::release::name::{MAX_NAME, MAX_TEXT};
use crate::yaml::{self, Spanned};

pub(super) const API_VERSION: &str = "laforge.dev/v1";

/// Whose word counts, for what, and from which root.
#[derive(FromDocument, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a trust document")]
#[schemars(rename = "Trust")]
pub(super) struct Document {
    /// The format's version.
    #[schemars(with = "String", extend("const" = API_VERSION))]
    pub(super) api_version: Spanned<String>,
    /// The document's kind.
    #[schemars(with = "String", extend("const" = "Trust"))]
    pub(super) kind: Spanned<String>,
    /// Sigstore instances; `public-good` is there by itself.
    #[serde(default)]
    pub(super) sigstore: Vec<RootEntry>,
    /// Keys and identities with one use each.
    #[serde(default)]
    pub(super) signers: Vec<SignerEntry>,
    /// Humans.
    #[serde(default)]
    pub(super) people: Vec<PersonEntry>,
    /// Builders and the level they are trusted up to.
    #[serde(default)]
    pub(super) builders: Vec<BuilderEntry>,
    /// Names of signers with `use: policy`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) policy_signers: Vec<Spanned<String>>,
    /// Log keys that executors pin.
    #[serde(default)]
    pub(super) gates: Vec<GateEntry>,
    /// Keys and identities that no longer count.
    #[serde(default)]
    pub(super) revoked: Vec<RevokedEntry>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a root with `name` and `instance` or `trustedRoot`"
)]
pub(super) struct RootEntry {
    /// Its name.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    pub(super) name: Spanned<String>,
    /// A public instance whose root is built in.
    #[schemars(with = "Option<String>", extend("enum" = INSTANCES))]
    pub(super) instance: Option<Spanned<String>>,
    /// The file of its `trusted_root.json`, relative to this document.
    #[schemars(with = "Option<String>")]
    pub(super) trusted_root: Option<Spanned<String>>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a signer with `name`, `use`, and `key` or `identity`"
)]
pub(super) struct SignerEntry {
    /// What `from:` in a policy refers to.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    pub(super) name: Spanned<String>,
    /// Its one use; an identity may have `[artifact, attestation]`.
    #[schemars(with = "Uses")]
    pub(super) r#use: Spanned<Uses>,
    /// The file of its key, relative to this document.
    #[schemars(with = "Option<String>")]
    pub(super) key: Option<Spanned<String>>,
    /// The root whose time stamps and log count for the key.
    #[schemars(with = "Option<String>")]
    pub(super) root: Option<Spanned<String>>,
    /// Its keyless identity.
    pub(super) identity: Option<KeylessEntry>,
    /// The predicate types that it may sign; all when left out.
    #[schemars(with = "Option<Vec<String>>", length(min = 1))]
    pub(super) predicate_types: Option<Spanned<Vec<Spanned<String>>>>,
    /// From when it counts.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) valid_from: Option<Spanned<String>>,
    /// Until when it counts.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) valid_until: Option<Spanned<String>>,
    /// Whether it signs cosign's simple-signing payloads, and then no files.
    #[schemars(with = "Option<bool>")]
    pub(super) simple_signing: Option<Spanned<bool>>,
    /// Whether it signs the payloads of its envelopes as they are, without their type, and then no
    /// PAE: Google Cloud Build's older keys do. Dangerous: only for a key that signs nothing else.
    #[schemars(with = "Option<bool>")]
    pub(super) raw_payload: Option<Spanned<bool>>,
    /// The name by which its envelopes must call its key, exact; any when left out.
    #[schemars(with = "Option<String>", length(min = 1, max = MAX_TEXT))]
    pub(super) key_id: Option<Spanned<String>>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an identity with `issuer` and `subject`")]
pub(super) struct KeylessEntry {
    /// The root that it belongs to; `public-good` when left out.
    #[schemars(with = "Option<String>")]
    pub(super) root: Option<Spanned<String>>,
    /// The OIDC issuer, exact; `none` for certificates that name none, such as GitHub's of releases.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    pub(super) issuer: Spanned<String>,
    /// The certificate's subject, exact or `pattern:…`.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    pub(super) subject: Spanned<String>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a person with `name`, `roles` and `identities`")]
pub(super) struct PersonEntry {
    /// The name that entries carry.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    pub(super) name: Spanned<String>,
    /// Roles.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) roles: Vec<Spanned<String>>,
    /// Names elsewhere, e.g. `github: alice`: for separation of duties, never as proof.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) aliases: BTreeMap<String, Spanned<String>>,
    /// Keys and exact identities.
    #[schemars(with = "Vec<PersonIdentity>", length(min = 1))]
    pub(super) identities: Spanned<Vec<Spanned<PersonIdentity>>>,
}

/// One of a person's identities: a key, or issuer and subject.
#[derive(FromDocument, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an identity with `key`, or with `issuer` and `subject`")]
pub(super) struct PersonIdentity {
    /// The root that it belongs to; `public-good` when left out.
    #[schemars(with = "Option<String>")]
    pub(super) root: Option<Spanned<String>>,
    /// The file of the key, relative to this document.
    #[schemars(with = "Option<String>")]
    pub(super) key: Option<Spanned<String>>,
    /// The OIDC issuer, exact.
    #[schemars(with = "Option<String>")]
    pub(super) issuer: Option<Spanned<String>>,
    /// The certificate's subject, exact.
    #[schemars(with = "Option<String>")]
    pub(super) subject: Option<Spanned<String>>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a builder with `id`, `level` and `signer`")]
pub(super) struct BuilderEntry {
    /// `runDetails.builder.id`, exact.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    pub(super) id: Spanned<String>,
    /// The SLSA build level that it is trusted up to.
    #[schemars(with = "u8", range(min = 1, max = 3))]
    pub(super) level: Spanned<u64>,
    /// The signer that vouches for it.
    #[schemars(with = "String")]
    pub(super) signer: Spanned<String>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a gate with `name`, `key`, `origin`, `logId` and `environments`"
)]
pub(super) struct GateEntry {
    /// Its name.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    pub(super) name: Spanned<String>,
    /// The file of its Ed25519 key, relative to this document.
    #[schemars(with = "String")]
    pub(super) key: Spanned<String>,
    /// The log's origin, without scheme.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    pub(super) origin: Spanned<String>,
    /// The log's id.
    #[schemars(with = "ClaimedDigest")]
    pub(super) log_id: Spanned<String>,
    /// The environments that it may decide for.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(super) environments: Spanned<Vec<Spanned<String>>>,
    /// The policy digests that executors take; any when left out.
    #[schemars(with = "Option<Vec<ClaimedDigest>>", length(min = 1))]
    pub(super) policy_digests: Option<Spanned<Vec<Spanned<String>>>>,
    /// The trust digests that executors take; any when left out.
    #[schemars(with = "Option<Vec<ClaimedDigest>>", length(min = 1))]
    pub(super) trust_digests: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(FromDocument, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a revocation with `key`, or `issuer` and `subject`, `since` and `reason`"
)]
pub(super) struct RevokedEntry {
    /// The file of the key, relative to this document.
    #[schemars(with = "Option<String>")]
    pub(super) key: Option<Spanned<String>>,
    /// The OIDC issuer, exact.
    #[schemars(with = "Option<String>")]
    pub(super) issuer: Option<Spanned<String>>,
    /// The certificate's subject, exact.
    #[schemars(with = "Option<String>")]
    pub(super) subject: Option<Spanned<String>>,
    /// Since when it no longer counts.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) since: Spanned<String>,
    /// Why.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    pub(super) reason: Spanned<String>,
}

/// One use, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the schema's view of `Uses`")]
enum OneOrMore {
    One(UseName),
    More(Vec<UseName>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema's view of a use")]
enum UseName {
    Artifact,
    Attestation,
    Policy,
    Vsa,
}

/// `use: artifact` or `use: [artifact, attestation]`.
#[derive(JsonSchema)]
pub(super) struct Uses(#[schemars(with = "OneOrMore")] pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Uses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UsesVisitor)
    }
}

struct UsesVisitor;

impl<'de> Visitor<'de> for UsesVisitor {
    type Value = Uses;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a use or a list of uses")
    }

    fn visit_str<E>(self, text: &str) -> Result<Uses, E> {
        Ok(Uses(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Uses, A::Error> {
        let mut uses = Vec::new();
        while let Some(item) = items.next_element()? {
            uses.push(item);
        }
        Ok(Uses(uses))
    }
}

impl TrustRoot {
    /// The JSON Schema of a trust document.
    pub fn schema() -> schemars::Schema {
        yaml::schema_of::<Document>()
    }
}
