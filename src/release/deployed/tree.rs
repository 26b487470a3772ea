//! YAML as a tree with places: strict where readers differ, lenient where Kubernetes is.
//!
//! In: a text that [`text`](super::text) has taken. Out: its documents, aliases written out. Refused,
//! each at its place: a member twice, merge keys, keys that are no scalar, directives, tags beyond
//! those that change nothing, an anchor's name twice, an alias within its own anchor, a document that
//! no `---` begins, and more nodes or levels than manifests have.
//!
//! Spec: <https://yaml.org/spec/1.2.2/>. Not checked here: what scalars mean (a number, a date).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::yaml::{DocumentError, Place, Source};

/// Levels within levels: custom resource definitions, the deepest there are, have about forty.
const MAX_DEPTH: usize = 100;

/// Nodes of all files, aliases written out: some hundred bytes of memory each.
pub(super) const MAX_NODES: u64 = 1_000_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    at: Mark,
    /// Nodes in it, itself among them, and levels.
    size: u64,
    height: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text, and whether it is bare, so that it may be a number or null.
    Scalar(String, Style),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// Whether a scalar is text whatever it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
}

/// One member of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) style: Style,
    pub(super) value: Node,
    at: Mark,
}

/// A place in the text.
#[derive(Debug, Clone, Copy)]
struct Mark {
    line: u64,
    column: u64,
    start: usize,
    end: usize,
}

impl Mark {
    fn of(span: &Span) -> Self {
        let Range { start, end } = span.byte_range().unwrap_or_default();
        Self { line: span.start.line() as u64, column: span.start.col() as u64 + 1, start, end }
    }

    fn place(self, source: &Source) -> Place {
        let end = source
            .text()
            .get(self.start..self.end)
            .and_then(|text| text.find('\n'))
            .map_or(self.end, |at| self.start + at);
        source.place_of(self.line, self.column, self.start..end)
    }
}

impl Node {
    pub(super) fn place(&self, source: &Source) -> Place {
        self.at.place(source)
    }

    /// The value of a member of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(members) => {
                members.iter().find(|member| member.key == key).map(|member| &member.value)
            }
            Value::Scalar(..) | Value::List(_) => None,
        }
    }

    /// The value at the end of these members.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A scalar's text, null aside.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        let null = |text: &str| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        matches!(&self.value, Value::Scalar(text, Style::Plain) if null(text))
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Scalar(..) | Value::Map(_) => None,
        }
    }
}

impl Member {
    pub(super) fn place(&self, source: &Source) -> Place {
        self.at.place(source)
    }
}

/// The documents of a text that hold anything; what they take of the budget is gone.
pub(super) fn read(source: &Source, budget: &mut u64) -> Result<Vec<Node>, DocumentError> {
    let options = granit_parser::options! {
        disallow_directives: true,
        block_scalar_eof_without_line_feed: true,
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::new(source, budget);
    // Where indentation is loose, libyaml's word is asked for as well, so loose is enough here.
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = event.map_err(|error| unparsable(source, &error))?;
        builder.event(event, &span)?;
    }
    Ok(builder.documents)
}

fn unparsable(source: &Source, error: &granit_parser::ScanError) -> DocumentError {
    let mark = error.marker();
    let at = mark.byte_offset().unwrap_or_default().min(source.text().len());
    let place = source.place_of(mark.line() as u64, mark.col() as u64 + 1, at..at);
    DocumentError { place, message: format!("is not YAML: {}", error.kind()), help: Some(RENDER.to_owned()) }
}

const RENDER: &str = "render the manifests with the tool that deploys them, and give its output as it is";

/// A collection whose end has not come yet.
struct Open {
    at: Mark,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(Vec<Member>, BTreeSet<String>, Option<(String, Style, Mark)>),
}

struct Builder<'a> {
    source: &'a Source,
    budget: &'a mut u64,
    open: Vec<Open>,
    /// Finished values by the id of their anchor, of this document.
    anchors: BTreeMap<usize, Node>,
    names: BTreeSet<String>,
    documents: Vec<Node>,
    begun: u64,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Source, budget: &'a mut u64) -> Self {
        Self {
            source,
            budget,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            names: BTreeSet::new(),
            documents: Vec::new(),
            begun: 0,
        }
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), DocumentError> {
        let at = Mark::of(span);
        match event {
            // `kubectl` decodes one document per piece, so one that only `...` parts from another is
            // never deployed by it, and is by others.
            Event::DocumentStart(false, _) if self.begun > 0 => {
                Err(self.refuse(at, "a document that no `---` begins is read by some tools only"))
            }
            Event::DocumentStart(..) => {
                self.begin();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let scalar = Value::Scalar(text.into_owned(), style);
                let style = self.tagged(tag.as_deref(), &scalar, style, at)?;
                let Value::Scalar(text, _) = scalar else { return Ok(()) };
                self.finished(Value::Scalar(text, style), at, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let inside = Inside::List(Vec::new());
                self.tagged(tag.as_deref(), &Value::List(Vec::new()), Style::Quoted, at)?;
                self.enter(Open { at, anchor, inside })
            }
            Event::MappingStart(_, anchor, tag) => {
                let inside = Inside::Map(Vec::new(), BTreeSet::new(), None);
                self.tagged(tag.as_deref(), &Value::Map(Vec::new()), Style::Quoted, at)?;
                self.enter(Open { at, anchor, inside })
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(id) => self.alias(id, at),
            Event::Anchor(_, name) if !self.names.insert(name.to_string()) => {
                Err(self.refuse(at, format!("the anchor `{}` appears twice", name.escape_debug())))
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, at: Mark, message: impl Into<String>) -> DocumentError {
        DocumentError { place: at.place(self.source), message: message.into(), help: None }
    }

    fn begin(&mut self) {
        self.begun += 1;
        self.anchors.clear();
        self.names.clear();
    }

    /// A tag that says what a value is anyway changes nothing but a number into text.
    fn tagged(
        &self,
        tag: Option<&Tag>,
        value: &Value,
        style: Style,
        at: Mark,
    ) -> Result<Style, DocumentError> {
        let Some(tag) = tag else { return Ok(style) };
        match (tag.core_suffix(), value) {
            (Some("str"), Value::Scalar(..)) => Ok(Style::Quoted),
            (Some("map"), Value::Map(_)) | (Some("seq"), Value::List(_)) => Ok(style),
            (Some("int" | "float" | "bool" | "null"), Value::Scalar(..)) if style == Style::Plain => {
                Ok(style)
            }
            _ => {
                let mut error = self.refuse(at, "a tag that changes what the value is");
                error.help = Some("write the value without a tag".to_owned());
                Err(error)
            }
        }
    }

    fn spend(&mut self, nodes: u64, at: Mark) -> Result<(), DocumentError> {
        match self.budget.checked_sub(nodes) {
            Some(left) => {
                *self.budget = left;
                Ok(())
            }
            None => Err(self.refuse(at, format!("more than {MAX_NODES} values in all manifests"))),
        }
    }

    fn deepest(&self, height: usize, at: Mark) -> Result<(), DocumentError> {
        match self.open.len() + height > MAX_DEPTH {
            true => Err(self.refuse(at, format!("nested deeper than {MAX_DEPTH} levels"))),
            false => Ok(()),
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), DocumentError> {
        self.deepest(1, open.at)?;
        if let Some(Open { inside: Inside::Map(_, _, None), .. }) = self.open.last() {
            return Err(self.refuse(open.at, "a key that is no text"));
        }
        self.open.push(open);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), DocumentError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.inside {
            Inside::List(items) => Value::List(items),
            Inside::Map(members, ..) => Value::Map(members),
        };
        self.finished(value, open.at, open.anchor)
    }

    fn finished(&mut self, value: Value, at: Mark, anchor: usize) -> Result<(), DocumentError> {
        self.spend(1, at)?;
        let inner: Vec<&Node> = match &value {
            Value::Scalar(..) => Vec::new(),
            Value::List(items) => items.iter().collect(),
            Value::Map(members) => members.iter().map(|member| &member.value).collect(),
        };
        let size = 1 + inner.iter().map(|node| node.size).sum::<u64>();
        let height = 1 + inner.iter().map(|node| node.height).max().unwrap_or_default();
        let node = Node { value, at, size, height };
        if anchor != 0 {
            self.spend(size, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    /// The value that an alias stands for; one that is not finished holds the alias itself.
    fn alias(&mut self, id: usize, at: Mark) -> Result<(), DocumentError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(self.refuse(at, "an alias within its own anchor"));
        };
        let (size, height) = (node.size, node.height);
        self.deepest(height, at)?;
        self.spend(size, at)?;
        match self.anchors.get(&id).cloned() {
            Some(node) => self.put(node),
            None => Ok(()),
        }
    }

    fn put(&mut self, node: Node) -> Result<(), DocumentError> {
        let problem = match self.open.last_mut().map(|open| &mut open.inside) {
            None => {
                if !node.is_null() {
                    self.documents.push(node);
                }
                return Ok(());
            }
            Some(Inside::List(items)) => {
                items.push(node);
                return Ok(());
            }
            Some(Inside::Map(members, names, key)) => match key.take() {
                Some((name, style, at)) => {
                    members.push(Member { key: name, style, value: node, at });
                    return Ok(());
                }
                None => match key_of(&node, names) {
                    Ok((name, style)) => {
                        *key = Some((name, style, node.at));
                        return Ok(());
                    }
                    Err(problem) => problem,
                },
            },
        };
        Err(self.refuse(node.at, problem))
    }
}

/// A key that is a text, and met for the first time in its mapping.
fn key_of(node: &Node, names: &mut BTreeSet<String>) -> Result<(String, Style), String> {
    match &node.value {
        Value::Scalar(text, _) if text == "<<" => {
            Err("a merge key, which some readers follow and others don't: write the members out".to_owned())
        }
        Value::Scalar(text, style) => match names.insert(text.clone()) {
            true => Ok((text.clone(), *style)),
            false => Err(format!("the member `{}` appears twice", text.escape_debug())),
        },
        Value::List(_) | Value::Map(_) => Err("a key that is no text".to_owned()),
    }
}
