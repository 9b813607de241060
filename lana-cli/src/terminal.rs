// SPDX-License-Identifier: GPL-2.0

//! How wide the lines of text may be.

use rustix::termios::tcgetwinsize;
use std::{
    env,
    io::{self, IsTerminal},
    os::fd::AsFd,
};

/// What a terminal has that does not say its size, such as a serial line.
const USUAL: usize = 80;

/// How many columns the standard output has: those of the terminal, else what `COLUMNS` says. `None` if there is no
/// limit, as in a file.
pub fn columns() -> Option<usize> {
    limit(size(&io::stdout()), env::var("COLUMNS").ok().as_deref())
}

/// The same of the standard error, which nobody cuts into lines in a file.
pub(crate) fn error_columns() -> Option<usize> {
    limit(size(&io::stderr()), None)
}

/// The columns of a terminal, 0 if it does not say.
fn size(stream: &(impl IsTerminal + AsFd)) -> Option<u16> {
    let size = stream.is_terminal().then(|| tcgetwinsize(stream).ok());
    size.map(|size| size.map_or(0, |size| size.ws_col))
}

/// Of a terminal's columns, 0 if it does not say, and the variable.
fn limit(terminal: Option<u16>, variable: Option<&str>) -> Option<usize> {
    let said = variable.and_then(|text| text.parse().ok());
    let said = said.filter(|columns| *columns > 0);
    match terminal {
        Some(0) => said.or(Some(USUAL)),
        Some(columns) => Some(columns.into()),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn the_terminal_knows_best() {
        assert_eq!(limit(Some(120), Some("90")), Some(120));
        assert_eq!(limit(Some(0), Some("90")), Some(90));
        assert_eq!(limit(Some(0), None), Some(80));
        assert_eq!(limit(None, Some("90")), Some(90));
        for none in [None, Some(""), Some("0"), Some("x"), Some("-1")] {
            assert_eq!(limit(None, none), None);
        }
    }
}
