//! Strict JSON in, canonical JSON out.
//!
//! In: bytes that somebody signed, hashed or sent. They are read once, and only in the one way
//! that every reader would agree on: UTF-8 without a byte order mark, no member twice at any
//! depth, nothing after the value, at most [`MAX_DEPTH`] levels, and no value that takes far more memory
//! than the document has bytes, nor more than [`MAX_MEMORY`].
//! Out: typed values, or the RFC 8785 form that `formats.md` hashes.
//!
//! Specs: <https://www.rfc-editor.org/rfc/rfc8259>, <https://www.rfc-editor.org/rfc/rfc8785>.
//! Not checked here: unknown members (each type decides with `deny_unknown_fields`).

use std::cell::Cell;
use std::fmt;

use serde::Serialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// Nesting that no evidence format needs; deeper input is refused before it costs stack.
pub const MAX_DEPTH: usize = 64;

/// Bytes that a value may take, beside [`GROWTH`]: small documents may be made of anything.
const ROOM: usize = 2 << 20;

/// How many times a document's own bytes a value may take. An object of one member of a letter takes eighty
/// times its text, one that holds a short name forty, as lists in objects of Kubernetes are full of; documents
/// that people and tools write take about ten.
const GROWTH: usize = 64;

/// Bytes that a value may take, however long its document is. The densest part of a bill of materials, which
/// says of each component what it depends on, takes less than fifteen times its text: as much of it as an
/// envelope holds, 12 MiB, stays below this.
pub const MAX_MEMORY: usize = 256 << 20;

/// Bytes that a list takes for its items, the first ones together; and an object, for each few members.
const ITEM: usize = size_of::<Value>();
const FIRST_ITEMS: usize = 4 * ITEM;
const MEMBERS: usize = 640;
const MEMBERS_TOGETHER: usize = 6;

/// Why bytes are not acceptable JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The bytes start with U+FEFF.
    #[error("starts with a byte order mark")]
    ByteOrderMark,
    /// Syntax, a repeated member, depth, or a member that the type does not know.
    #[error("{}", crate::wording::plain(&.0.to_string()))]
    Malformed(serde_json::Error),
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error)
    }
}

/// Reads one JSON value strictly.
///
/// # Errors
/// [`JsonError`] for a byte order mark, invalid UTF-8 or syntax, a repeated member at any depth,
/// nesting below [`MAX_DEPTH`] levels, or trailing bytes other than white space.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(JsonError::ByteOrderMark);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let room = Cell::new(bytes.len().saturating_mul(GROWTH).saturating_add(ROOM).min(MAX_MEMORY));
    let value = Strict { depth: 0, room: &room }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads one JSON value strictly, as `T`.
///
/// # Errors
/// As [`parse`], and whatever `T` refuses.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    // From the value that is there: reading the text again would make all of it twice. Only what keeps a
    // number or a text as it is written needs the text.
    T::deserialize(parse(bytes)?).or_else(|error| serde_json::from_slice(bytes).map_err(|_| error.into()))
}

/// The items of a list, each as its bytes stand in the document: `document` is an object that [`parse`] has
/// taken, and `member` its member. None when it has no such list. Whoever hashes or keeps what somebody sent
/// needs these bytes: a value that is written again has others.
pub(crate) fn items<'a>(document: &'a [u8], member: &str) -> Option<Vec<&'a [u8]>> {
    let mut at = Cursor { rest: document };
    at.skip(b'{')?;
    loop {
        let name: String = serde_json::from_slice(at.value()?).ok()?;
        at.skip(b':')?;
        if name == member {
            break;
        }
        at.value()?;
        at.skip(b',')?;
    }
    at.skip(b'[')?;
    let mut items = Vec::new();
    if at.skip(b']').is_some() {
        return Some(items);
    }
    loop {
        items.push(at.value()?);
        if at.skip(b',').is_none() {
            return at.skip(b']').map(|()| items);
        }
    }
}

/// A place in a document.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Goes past one sign, if it is the next.
    fn skip(&mut self, sign: u8) -> Option<()> {
        self.rest = self.rest.trim_ascii_start().strip_prefix(&[sign])?;
        Some(())
    }

    /// Goes past one value, and gives its bytes.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (value, rest) = self.rest.split_at_checked(values.byte_offset())?;
        self.rest = rest;
        Some(value)
    }
}

/// Whether a reader written in Go, which compares members without regard to case, takes one member for
/// another that is not the same (<https://pkg.go.dev/encoding/json#Unmarshal>). Two letters beyond ASCII
/// are ASCII ones to it.
pub(crate) fn looks_like(member: &str, known: &str) -> bool {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    member != known && member.chars().map(folded).eq(known.chars().map(folded))
}

/// The RFC 8785 form of a value: what every `digest` over a value is taken of.
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "our own types hold string keys and finite numbers only")]
    serde_json_canonicalizer::to_vec(value).expect("a value of string keys and finite numbers")
}

/// Builds a `Value`, refusing what `serde_json::Value` would quietly merge.
#[derive(Clone, Copy)]
struct Strict<'r> {
    depth: usize,
    /// Bytes that what is still to be read may take.
    room: &'r Cell<usize>,
}

impl Strict<'_> {
    /// The same, one level deeper.
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn take<E: serde::de::Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.room.get().checked_sub(bytes);
        self.room.set(left.ok_or_else(|| E::custom("takes far more memory than its size"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            self.take(if list.is_empty() { FIRST_ITEMS } else { ITEM })?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!("member `{name}` appears twice")));
            }
            if map.len().is_multiple_of(MEMBERS_TOGETHER) {
                self.take(MEMBERS)?;
            }
            map.insert(name, members.next_value_seed(self.inner())?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_repeated_member_at_any_depth() {
        let error = parse(br#"{"a": [{"b": 1, "b": 2}]}"#).unwrap_err();
        assert!(error.to_string().contains("member `b` appears twice"), "{error}");
    }

    #[test]
    fn refuses_mark_trailing_bytes_and_depth() {
        assert!(matches!(parse(b"\xef\xbb\xbf{}"), Err(JsonError::ByteOrderMark)));
        assert!(parse(b"{} {}").is_err());
        assert!(parse(b"{} \n").is_ok());
        let deep = [b"[".repeat(70), b"]".repeat(70)].concat();
        assert!(parse(&deep).is_err());
        assert!(parse(b"NaN").is_err());
    }

    #[test]
    fn refuses_what_takes_far_more_memory_than_its_size() {
        let list = |item: &str, times: usize| format!("[{}{item}]", format!("{item},").repeat(times));
        for item in [r#"{"a":1}"#, r#"{"a":{"b":[]}}"#] {
            assert!(parse(list(item, 1_000).as_bytes()).is_ok(), "{item}");
            let error = parse(list(item, 300_000).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("takes far more memory than its size"), "{item}: {error}");
        }
        for item in ["0", "\"\"", "{}", "[]", "[0]", r#"{"name":"1"}"#, r#"{"name":"java","value":"21.0.5"}"#]
        {
            assert!(parse(list(item, 300_000).as_bytes()).is_ok(), "{item}");
        }
        let members: Vec<String> = (0..100_000).map(|at| format!("\"{at}\":{at}")).collect();
        assert!(parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn a_long_document_may_take_no_more_than_a_short_one() {
        let list =
            |item: &str, bytes: usize| format!("[{}null]", format!("{item},").repeat(bytes / item.len()));
        let dense = r#"{"name":"abc","at":1}"#;
        assert!(parse(list(dense, 7 << 20).as_bytes()).is_ok());
        let error = parse(list(dense, 9 << 20).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("takes far more memory than its size"), "{error}");
        // As many bytes, of which each is one.
        assert!(parse(format!("\"{}\"", "a".repeat(16 << 20)).as_bytes()).is_ok());
        let depends = r#"{"ref":"pkg:npm/left-pad@1.3.0","dependsOn":["pkg:npm/a@1.0.0"]}"#;
        assert!(parse(list(depends, 12 << 20).as_bytes()).is_ok());
    }

    #[test]
    fn gives_the_items_of_a_list_as_they_are_written() {
        let given = |document: &str| {
            let items = items(document.as_bytes(), "list")?;
            Some(items.into_iter().map(|item| String::from_utf8(item.to_vec()).unwrap()).collect::<Vec<_>>())
        };
        let spaced = r#" { "a" : [1, {"list": [0]}], "l\u0069st" :[ {"b" : 1.0 ,"a":"]\u002c"} , -7,"x" ,[ ] ] , "c":{}} "#;
        let items = ["{\"b\" : 1.0 ,\"a\":\"]\\u002c\"}", "-7", "\"x\"", "[ ]"].map(str::to_owned);
        assert_eq!(given(spaced), Some(items.to_vec()));
        assert_eq!(given(r#"{"list":[]}"#), Some(vec![]));
        for without in ["{}", "[]", r#"{"a":1}"#, r#"{"list":{}}"#, r#"{"list":7}"#, ""] {
            assert_eq!(given(without), None, "{without}");
        }
    }

    #[test]
    fn writes_the_rfc_8785_form() {
        let value = parse("{\"\u{20ac}\": 1, \"a\": [true, null], \"B\": \"\\u000f\"}".as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            "{\"B\":\"\\u000f\",\"a\":[true,null],\"\u{20ac}\":1}"
        );
    }
}
