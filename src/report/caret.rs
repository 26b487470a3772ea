//! A message with the line that it is about and a caret under it.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};

use crate::yaml::{DocumentError, Place};

use super::paint::{Paint, RUNNER_COMMAND, printable, wrapped};

/// What a message is called on its first line.
#[derive(Debug, Clone)]
pub struct Headline<'a> {
    /// `refused`, `warning`, `inconclusive`, `error`.
    pub word: &'static str,
    /// The rule in brackets, if any.
    pub id: Option<&'a str>,
    /// The message.
    pub message: &'a str,
    /// Whether it is as bad as it gets.
    pub bad: bool,
}

/// Renders a headline, its place with a caret, and its notes (label and text).
pub fn render(
    headline: &Headline<'_>,
    place: Option<(&Place, &str)>,
    notes: &[(&str, String)],
    paint: Paint,
) -> String {
    let level = if headline.bad { Level::ERROR } else { Level::WARNING };
    let mut title = level.clone().with_name(headline.word).primary_title(lines(headline.message));
    if let Some(id) = headline.id {
        title = title.id(id);
    }
    let mut group = Group::with_title(title);
    if let Some((place, label)) = place {
        group = group.element(marked(place, label));
    }
    let notes: Vec<Element<'_>> = notes
        .iter()
        .map(|(label, text)| {
            Level::NOTE.with_name(Cow::from((*label).to_owned())).message(lines(text)).into()
        })
        .collect();
    renderer(paint).render(&[group.elements(notes)])
}

/// Renders what is wrong in a document.
pub fn render_error(error: &DocumentError, paint: Paint) -> String {
    let headline = Headline { word: "error", id: None, message: &error.message, bad: true };
    let notes: Vec<_> = error.help.iter().map(|help| ("help", help.clone())).collect();
    render(&headline, Some((&error.place, "")), &notes, paint)
}

/// How wide a message may be: with what stands before it, it fits 120 columns.
const WIDTH: usize = 92;

fn lines(text: &str) -> String {
    wrapped(&printable(text), WIDTH).join("\n")
}

fn marked<'a>(place: &'a Place, label: &'a str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let mut annotation = AnnotationKind::Primary.span(place.span.clone());
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    // Of the same length, so that the caret stays in place.
    let text = place.text.replace(RUNNER_COMMAND, "##(");
    Snippet::source(text).line_start(1).path(printable(&place.file)).annotation(annotation)
}

fn renderer(paint: Paint) -> Renderer {
    match paint {
        Paint::Colour => Renderer::styled(),
        Paint::Plain => Renderer::plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    #[test]
    fn fits_a_terminal() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let message = format!("`payments.tar.gz` is claimed to be {digest} and is {digest}");
        let headline =
            Headline { word: "refused", id: Some("artifact-digest"), message: &message, bad: true };
        let text = render(&headline, None, &[("help", format!("{message} {message}"))], Paint::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn marks_the_place() {
        let source =
            Source::new("policies/production.yaml", "spec:\n  require: { approvals: { atLeast: 2 } }\n");
        #[derive(serde::Deserialize)]
        struct Document {
            spec: std::collections::BTreeMap<String, crate::yaml::Spanned<serde_json::Value>>,
        }
        let document: Document = source.read().unwrap();
        let place = source.place(&document.spec["require"]);
        let headline = Headline {
            word: "refused",
            id: Some("approval-threshold"),
            message: "1 of 2 required approvals for `payments 2.4.0`",
            bad: true,
        };
        let notes = [("counted", "alice".to_owned()), ("help", "ask a second person".to_owned())];
        insta::assert_snapshot!(render(&headline, Some((&place, "needs one more")), &notes, Paint::Plain), @r"
        refused[approval-threshold]: 1 of 2 required approvals for `payments 2.4.0`
         --> policies/production.yaml:2:12
          |
        2 |   require: { approvals: { atLeast: 2 } }
          |            ^ needs one more
          |
          = counted: alice
          = help: ask a second person
        ");
    }
}
