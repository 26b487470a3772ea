//! A command to copy, which breaks where a reader would break it: before a flag, never inside one.
//!
//! In: a command, line by line. Out: markup whose text is the command, to the letter.

use maud::{Markup, html};

use super::page::shown;
use super::parts::icon;

/// A command to copy.
pub(super) fn command(text: &str) -> Markup {
    let lines: Vec<Vec<String>> = text.lines().map(units).collect();
    html! {
        div.command { pre tabindex="0" { code {
            @for (at, units) in lines.iter().enumerate() {
                @if at > 0 { "\n" }
                @for (at, unit) in units.iter().enumerate() { @if at > 0 { " " } span.unit { (unit) } }
            }
        } }
            button.copy type="button" data-copy aria-label="Copy" hidden { (icon("copy")) span { "Copy" } } }
    }
}

/// What belongs together of a line: a flag and what it is given, and what stands before the first flag.
fn units(line: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match units.last_mut().filter(|_| !word.starts_with("--")) {
            Some(unit) => *unit = format!("{unit} {}", shown(word)),
            None => units.push(shown(word)),
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_before_a_flag_and_nowhere_else() {
        let line = "laforge audit list --reverse --release 'pay  ments' --type decision";
        assert_eq!(
            units(line),
            ["laforge audit list", "--reverse", "--release 'pay  ments'", "--type decision"]
        );
        assert_eq!(units(line).join(" "), line);
    }

    #[test]
    fn the_markup_says_the_command_to_the_letter() {
        let made = command("laforge init demo --example\nlaforge -C demo studio").into_string();
        let code = made.split_once("<code>").unwrap().1.split_once("</code>").unwrap().0;
        let text = code.replace("<span class=\"unit\">", "").replace("</span>", "");
        assert_eq!(text, "laforge init demo --example\nlaforge -C demo studio");
    }
}
