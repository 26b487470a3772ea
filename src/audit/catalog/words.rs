//! Texts that occur again and again, each kept once.
//!
//! In: a text, or a list of texts. Out: a number that stands for it.

use std::collections::HashMap;
use std::sync::Arc;

/// A text or a list, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word(u32);

/// Texts.
#[derive(Debug, Default)]
pub(super) struct Words {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

/// Lists of texts.
#[derive(Debug, Default)]
pub(super) struct Sets {
    numbers: HashMap<Arc<[String]>, u32>,
    lists: Vec<Arc<[String]>>,
}

/// Some words out of all of one kind.
#[derive(Debug)]
pub(super) struct Among(Vec<bool>);

impl Among {
    pub(super) fn has(&self, word: Word) -> bool {
        self.0.get(word.0 as usize).copied().unwrap_or_default()
    }
}

impl Words {
    pub(super) fn of(&mut self, text: &str) -> Word {
        if let Some(number) = self.numbers.get(text) {
            return Word(*number);
        }
        let (number, text) = (number(self.texts.len()), Arc::<str>::from(text));
        self.numbers.insert(Arc::clone(&text), number);
        self.texts.push(text);
        Word(number)
    }

    pub(super) fn text(&self, word: Word) -> &str {
        self.texts.get(word.0 as usize).map_or("", |text| text)
    }

    /// The word of a text that occurred.
    pub(super) fn known(&self, text: &str) -> Option<Word> {
        self.numbers.get(text).copied().map(Word)
    }

    /// Those that something is true of.
    pub(super) fn those(&self, is: impl Fn(&str) -> bool) -> Among {
        Among(self.texts.iter().map(|text| is(text)).collect())
    }
}

impl Sets {
    pub(super) fn of(&mut self, list: &[String]) -> Word {
        if let Some(number) = self.numbers.get(list) {
            return Word(*number);
        }
        let (number, list) = (number(self.lists.len()), Arc::<[String]>::from(list));
        self.numbers.insert(Arc::clone(&list), number);
        self.lists.push(list);
        Word(number)
    }

    pub(super) fn list(&self, word: Word) -> &[String] {
        self.lists.get(word.0 as usize).map_or(&[], |list| list)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &[String]> {
        self.lists.iter().map(AsRef::as_ref)
    }

    /// Those that hold a text.
    pub(super) fn with(&self, text: &str) -> Among {
        Among(self.lists.iter().map(|list| list.iter().any(|own| own == text)).collect())
    }
}

/// A log of more distinct texts than this has lines that no disk of ours holds.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
