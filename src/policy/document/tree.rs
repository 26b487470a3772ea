//! A document as a tree of placed values: what the JSON Schema is checked on.
//!
//! In: the same text that the typed document is read from. Out: its JSON value, and the place of
//! any JSON Pointer (<https://www.rfc-editor.org/rfc/rfc6901>) that a schema complaint names.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::yaml::Spanned;

/// One value with the places of everything in it.
#[derive(Debug)]
pub(super) enum Tree {
    /// A list.
    List(Vec<Spanned<Tree>>),
    /// Members in the order written.
    Map(Vec<(String, Spanned<Tree>)>),
    /// Anything else, and null.
    Scalar(Value),
}

impl Tree {
    /// The plain JSON value.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.value.to_value()).collect()),
            Self::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, item)| (name.clone(), item.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn child(&self, step: &str) -> Option<&Spanned<Tree>> {
        match self {
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            Self::Map(members) => members.iter().find(|(name, _)| name == step).map(|(_, item)| item),
            Self::Scalar(_) => None,
        }
    }
}

/// The deepest value on the way that a JSON Pointer goes.
pub(super) fn at<'tree>(root: &'tree Spanned<Tree>, pointer: &str) -> &'tree Spanned<Tree> {
    let mut here = root;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match here.value.child(&step) {
            Some(next) => here = next,
            None => return here,
        }
    }
    here
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite"))?;
        Ok(Tree::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}
