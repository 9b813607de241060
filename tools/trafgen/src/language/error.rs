// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a text, and where.

use std::fmt;

/// A mistake in a text of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is, in bytes from the beginning.
    pub at: usize,
    /// What it is.
    pub what: String,
}

impl Mistake {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        Mistake {
            at,
            what: what.into(),
        }
    }

    /// The same with the place in a file: its line, and the line itself under which a caret stands.
    pub fn located(self, file: &str, text: &str) -> Located {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(begin..).unwrap_or_default().chars().count() + 1;
        let source = text.get(begin..).unwrap_or_default().lines().next();
        Located {
            file: file.to_owned(),
            line,
            column,
            source: source.unwrap_or_default().replace('\t', " "),
            what: self.what,
        }
    }
}

/// A mistake, with the line that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    file: String,
    line: usize,
    column: usize,
    source: String,
    what: String,
}

impl Located {
    /// The line under a caret.
    pub fn picture(&self) -> String {
        let number = self.line.to_string();
        let (margin, indent) = (" ".repeat(number.len()), " ".repeat(self.column - 1));
        format!("{number} | {}\n{margin} | {indent}^", self.source)
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Located {
            file,
            line,
            column,
            what,
            ..
        } = self;
        write!(f, "{file}:{line}:{column}: {what}")
    }
}

impl std::error::Error for Located {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_has_a_line_and_a_caret() {
        let text = "{ 1 }\n\t{ ä foo }\n";
        let at = text.find("foo").unwrap();
        let located = Mistake::new(at, "what is foo?").located("x.cfg", text);
        assert_eq!(located.to_string(), "x.cfg:2:6: what is foo?");
        assert_eq!(located.picture(), "2 |  { ä foo }\n  |      ^");
        let end = Mistake::new(999, "it ends").located("x", "");
        assert_eq!(end.to_string(), "x:1:1: it ends");
    }
}
