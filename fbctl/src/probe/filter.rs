// SPDX-License-Identifier: GPL-2.0

//! `--filter`: an expression that tcpdump compiles, or a program in a file.

use crate::{assignment::slurp, program, types::tip};
use anyhow::{Context, Result};
use lana_cli::{usage, without_bom};
use lana_netlink::errno_text;
use std::{
    fs::File,
    io,
    process::{Command, Output},
};

/// What an expression of tcpdump may begin with, besides signs and numbers.
const WORDS: [&str; 38] = [
    "ah",
    "arp",
    "broadcast",
    "dst",
    "esp",
    "ether",
    "gateway",
    "geneve",
    "greater",
    "host",
    "icmp",
    "icmp6",
    "igmp",
    "inbound",
    "ip",
    "ip6",
    "len",
    "less",
    "link",
    "llc",
    "mpls",
    "multicast",
    "net",
    "not",
    "outbound",
    "pim",
    "port",
    "portrange",
    "pppoed",
    "pppoes",
    "proto",
    "rarp",
    "sctp",
    "src",
    "tcp",
    "type",
    "udp",
    "vlan",
];

/// What stands between the parts of an expression.
const JOINS: [&str; 2] = ["and", "or"];

/// Whether a filter begins with this word of a command: what can be no name of a block, or what tcpdump knows.
pub(crate) fn begins(word: &str) -> bool {
    let letters = word.split(|c: char| !c.is_ascii_alphanumeric()).next();
    let is_sign = word.starts_with(['@', '(', '!', '[', '\\']);
    is_sign || letters.is_some_and(|letters| WORDS.contains(&letters))
}

/// The program of classic BPF that `filter` stands for, as the kernel takes it: an array of
/// `struct sock_filter`.
pub(crate) fn compile(filter: &str) -> Result<Vec<u8>> {
    let text = match filter.strip_prefix('@') {
        Some("") => return Err(usage("@ wants the name of a file").context("--filter")),
        Some("-") => slurp(Ok(io::stdin())).context("--filter: standard input")?,
        Some(file) => slurp(File::open(file)).with_context(|| format!("--filter: {file}"))?,
        None => tcpdump("tcpdump", filter).context("--filter")?,
    };
    let text = without_bom(&text);
    program::sock_filters(text).map_err(|bad| usage(bad.to_string()).context("--filter"))
}

/// Has `program` compile an expression.
fn tcpdump(program: &str, expression: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["-y", "EN10MB", "-ddd", "--", expression]);
    match command.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let mut text = complaint(program, &output);
            if text.contains("syntax error") {
                text.push_str(&wrong_part(program, expression));
            }
            Err(usage(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(usage(format!(
            "{program} is not installed, which compiles expressions; @FILE takes a compiled one"
        ))),
        Err(error) => Err(usage(format!("{program}: {}", errno_text(&error)))),
    }
}

/// Which part of an expression `program` does not understand: all behind the longest beginning that it does.
fn wrong_part(program: &str, expression: &str) -> String {
    let words: Vec<_> = expression.split_whitespace().collect();
    let understands = |count: &usize| {
        let beginning = words.get(..*count).unwrap_or_default().join(" ");
        let mut command = Command::new(program);
        command.args(["-y", "EN10MB", "-ddd", "--", &beginning]);
        command.output().is_ok_and(|output| output.status.success())
    };
    let known = (1..words.len()).rev().find(understands).unwrap_or_default();
    let rest = words.get(known..).unwrap_or_default();
    let first = rest.first().copied().unwrap_or_default();
    format!(" at '{}'{}", rest.join(" "), near(first))
}

/// The word of tcpdump that a user may have meant by another one.
pub(crate) fn near(word: &str) -> String {
    let known = WORDS.into_iter().chain(JOINS);
    if known.clone().any(|known| known == word) {
        return String::new();
    }
    tip("word of a filter", word, known)
}

/// What it said, in a line.
fn complaint(program: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return format!("{program}: {}", output.status);
    }
    lines.join(" ")
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

    #[test]
    fn filters_begin_with_words_of_tcpdump() {
        for word in [
            "icmp",
            "tcp[13]",
            "not",
            "(arp",
            "@file",
            "!arp",
            "udp port 53",
        ] {
            assert!(begins(word), "{word}");
        }
        for word in [
            "eth0",
            "nosuch",
            "tcp-filter2x".trim_start_matches("tcp-"),
            "t",
            "",
        ] {
            assert!(!begins(word), "{word}");
        }
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        let error = tcpdump("/nonexistent/tcpdump", "arp").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("/nonexistent/tcpdump is not installed"),
            "{text}"
        );
    }

    #[test]
    fn the_word_that_is_wrong_is_named() {
        // Understands what consists of words of tcpdump.
        let tcpdump =
            "for word in $5; do case $word in icmp|and|arp|udp) ;; *) exit 1;; esac; done";
        let file = std::env::temp_dir().join(format!("fbctl-tcpdump-{}", std::process::id()));
        std::fs::write(&file, format!("#!/bin/sh\n{tcpdump}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&file, mode).unwrap();
        let program = file.display().to_string();
        assert_eq!(
            wrong_part(&program, "icmp andd arp"),
            " at 'andd arp'; tip: a similar word of a filter exists: 'and'"
        );
        assert_eq!(wrong_part(&program, "udp port and"), " at 'port and'");
        assert!(wrong_part(&program, "icmpp").starts_with(" at 'icmpp'; tip: "));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn complaints_are_a_line() {
        let said = tcpdump("ls", "arp").unwrap_err().to_string();
        assert!(said.contains("ls: ") && !said.contains('\n'), "{said}");
    }
}
