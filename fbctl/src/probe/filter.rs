// SPDX-License-Identifier: GPL-2.0

//! `--filter`: an expression that tcpdump compiles, or a program in a file.

use crate::assignment::slurp;
use anyhow::{Context, Result};
use lana_cli::{usage, without_bom};
use lana_graph::{
    expression::{tcpdump, For},
    program,
};
use std::{fs::File, io};

/// The program of classic BPF that `filter` stands for, as the kernel takes it: an array of
/// `struct sock_filter`.
pub(crate) fn compile(filter: &str) -> Result<Vec<u8>> {
    let text = match filter.strip_prefix('@') {
        Some("") => return Err(usage("@ wants the name of a file").context("--filter")),
        Some("-") => slurp(Ok(io::stdin())).context("--filter: standard input")?,
        Some(file) => slurp(File::open(file)).with_context(|| format!("--filter: {file}"))?,
        None => tcpdump("tcpdump", For::Bytes, filter).context("--filter")?,
    };
    let text = without_bom(&text);
    program::sock_filters(text).context("--filter")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(filter: &str) -> String {
        format!("{:#}", compile(filter).unwrap_err())
    }

    #[test]
    fn programs_come_from_files() {
        let directory = std::env::temp_dir();
        let file = directory.join(format!("fbctl-filter-{}", std::process::id()));
        std::fs::write(&file, "1\n6 0 0 262144\n").unwrap();
        let name = format!("@{}", file.display());
        let expected = [&6u16.to_ne_bytes()[..], &[0, 0], &262_144u32.to_ne_bytes()].concat();
        assert_eq!(compile(&name).unwrap(), expected);
        std::fs::write(&file, "1\nhello\n").unwrap();
        let said = error(&name);
        assert_eq!(said, "--filter: program: line 2 is not an instruction");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(
            error(&name),
            format!("--filter: {}: No such file or directory", file.display())
        );
        assert_eq!(error("@"), "--filter: @ wants the name of a file");
    }
}
