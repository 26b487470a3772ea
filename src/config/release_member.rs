//! `release:` of `laforge.yaml`: a path, or the release itself.
//!
//! In: the member. Out: which of the two it is, with its place. A release itself is read as its own document is.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::release::document::InlineRelease;
use crate::yaml::Spanned;

/// A path, or the release itself.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum ReleaseMember {
    Path(#[schemars(with = "String")] Spanned<String>),
    Inline(Box<InlineRelease>),
}

impl<'de> Deserialize<'de> for ReleaseMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Untagged enums lose the places of what they hold, so the two are told apart by hand.
        let member = Spanned::<ReleaseShape>::deserialize(deserializer)?;
        let Spanned { value, referenced, defined } = member;
        Ok(match value {
            ReleaseShape::Path(value) => Self::Path(Spanned { value, referenced, defined }),
            ReleaseShape::Inline(inline) => Self::Inline(inline),
        })
    }
}

enum ReleaseShape {
    Path(String),
    Inline(Box<InlineRelease>),
}

impl<'de> Deserialize<'de> for ReleaseShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ReleaseShape;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a path, or a mapping with `name`, `version`, `environment` and `source`")
            }

            fn visit_str<E>(self, text: &str) -> Result<ReleaseShape, E> {
                Ok(ReleaseShape::Path(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<ReleaseShape, A::Error> {
                let inline = InlineRelease::deserialize(MapAccessDeserializer::new(members))?;
                Ok(ReleaseShape::Inline(Box::new(inline)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
