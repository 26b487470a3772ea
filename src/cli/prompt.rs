//! A secret that somebody types on a terminal, unseen.
//!
//! In: a question, told on stderr. Out: the line that is typed; none where nobody can be asked, or where Ctrl-C
//! ended it. The terminal shows again what is typed before this returns.

use std::io::{self, IsTerminal as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

use super::Session;

/// The longest secret, which is more than a terminal takes in one line.
const LONGEST: usize = 4096;

/// What Ctrl-C types.
const CANCEL: u8 = 3;

/// Asks for a secret.
pub(super) fn secret(question: &str, session: &Session) -> Option<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let shown = tcgetattr(&stdin).ok()?;
    let mut unseen = shown.clone();
    // Whoever is ended by a signal here would leave a terminal that shows nothing: Ctrl-C ends the line instead.
    unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    unseen.special_codes[SpecialCodeIndex::VEOL] = CANCEL;
    tcsetattr(&stdin, OptionalActions::Flush, &unseen).ok()?;
    session.tell(question);
    let mut line = vec![0; LONGEST];
    let read = rustix::io::read(&stdin, &mut line);
    // What can't be put back is told by the terminal itself.
    let _ = tcsetattr(&stdin, OptionalActions::Flush, &shown);
    session.tell("\n");
    line.truncate(read.ok()?);
    typed(line)
}

/// The secret in a line, if the line is whole and has one.
fn typed(mut line: Vec<u8>) -> Option<String> {
    match line.pop() {
        Some(b'\n') if !line.is_empty() => String::from_utf8(line).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_broken_off_is_no_secret() {
        for (line, secret) in
            [("s e\n", Some("s e")), ("\n", None), ("s\u{3}", None), ("s", None), ("", None)]
        {
            assert_eq!(typed(line.into()).as_deref(), secret, "{line:?}");
        }
    }
}
