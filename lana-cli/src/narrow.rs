// SPDX-License-Identifier: GPL-2.0

//! Helps that end with a list of examples, or of keys, on a terminal that is not as wide as these.

use clap::Command;

/// How far the second column of a list stands to the right where it is below the first.
const INDENT: usize = 6;

/// The same command line, whose helps fit into so many columns.
pub(crate) fn fold(command: Command, columns: Option<usize>) -> Command {
    match columns {
        Some(columns) => below(command, columns.max(INDENT + 20)),
        None => command,
    }
}

fn below(command: Command, columns: usize) -> Command {
    let folded = command.get_after_help().map(ToString::to_string);
    let folded = folded.map(|help| text(&help, columns));
    let command = match folded {
        Some(help) => command.after_help(help),
        None => command,
    };
    command.mut_subcommands(|sub| below(sub, columns))
}

/// The lists of a text whose lines are too long have their second column below the first.
fn text(help: &str, columns: usize) -> String {
    let parts = help.split("\n\n").map(|part| {
        let is_wide = part.lines().any(|line| line.chars().count() > columns);
        if is_wide {
            list(part, columns)
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

/// A list, item by item.
fn list(part: &str, columns: usize) -> String {
    let mut lines = Vec::new();
    for line in part.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let (first, second) = match text.split_once("  ") {
            Some((first, second)) if indent == 2 => (Some(first), second.trim_start()),
            // The second column of the line before.
            _ if indent > INDENT => (None, text),
            _ => (Some(text), ""),
        };
        if let Some(first) = first {
            wrap(&mut lines, first, indent, indent + 4, columns);
        }
        wrap(&mut lines, second, INDENT, INDENT, columns);
    }
    lines.join("\n")
}

/// Adds a text in lines that are not too long, as far as its words are not; the first one stands at `first`, the others at
/// `rest`.
fn wrap(lines: &mut Vec<String>, text: &str, first: usize, rest: usize, columns: usize) {
    let mut line = String::new();
    let mut indent = first;
    for word in text.split(' ') {
        let long = indent + line.chars().count() + 1 + word.chars().count() > columns;
        if !line.is_empty() && long {
            lines.push(format!("{:indent$}{line}", ""));
            line.clear();
            indent = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{:indent$}{line}", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Examples:
  tool add a tee      make a block a of the type tee
  tool capture a -w - | reader -k -i -
                      show what a receives
  tool short

Exit status:
  0  done";

    #[test]
    fn a_wide_terminal_has_it_as_it_is() {
        assert_eq!(text(HELP, 60), HELP);
        let command = Command::new("tool").after_help(HELP);
        let shown = fold(command, None)
            .get_after_help()
            .map(ToString::to_string);
        assert_eq!(shown.as_deref(), Some(HELP));
    }

    #[test]
    fn a_narrow_one_has_texts_below_their_commands() {
        let narrow = "\
Examples:
  tool add a tee
      make a block a of the
      type tee
  tool capture a -w - | reader
      -k -i -
      show what a receives
  tool short

Exit status:
  0  done";
        assert_eq!(text(HELP, 30), narrow);
        let sub = Command::new("sub").after_help(HELP);
        let command = fold(Command::new("tool").subcommand(sub), Some(30));
        let sub = command.find_subcommand("sub");
        let shown = sub
            .and_then(Command::get_after_help)
            .map(ToString::to_string);
        assert_eq!(shown.as_deref(), Some(narrow));
    }
}
