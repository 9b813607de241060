// SPDX-License-Identifier: GPL-2.0

//! How wide the lines of text may be.

use rustix::termios::tcgetwinsize;
use std::{
    env,
    io::{self, IsTerminal},
};

/// What a terminal has that does not say its size, such as a serial line.
const USUAL: usize = 80;

/// How many columns the standard output has: those of the terminal, else what `COLUMNS` says. `None` if there is no
/// limit, as in a file.
pub fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| tcgetwinsize(&stdout).ok());
    let size = size.map(|size| size.map_or(0, |size| size.ws_col));
    limit(size, env::var("COLUMNS").ok().as_deref())
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
