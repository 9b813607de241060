// SPDX-License-Identifier: GPL-2.0

//! Expressions of tcpdump, such as `udp port 53`: which words they have, and what tcpdump makes of them. Where an option
//! takes a program of classic BPF, an expression may stand.

use anyhow::{Context, Result};
use lana_cli::{tip, usage};
use lana_netlink::errno_text;
use std::{
    borrow::Cow,
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

/// Where a program finds the outermost VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Among the bytes of the packet.
    Bytes,
    /// Beside them, as the kernel keeps it. tcpdump compiles so for a device.
    Device,
}

impl For {
    /// What tells tcpdump so. `lo` is a device like any other to it, and each namespace has one.
    fn arguments(self) -> [&'static str; 2] {
        match self {
            For::Bytes => ["-y", "EN10MB"],
            For::Device => ["-i", "lo"],
        }
    }
}

/// Whether a filter begins with this word of a command: what can be no name of a block, or what tcpdump knows.
pub fn begins(word: &str) -> bool {
    let letters = word.split(|c: char| !c.is_ascii_alphanumeric()).next();
    let is_sign = word.starts_with(['@', '(', '!', '[', '\\']);
    is_sign || letters.is_some_and(|letters| WORDS.contains(&letters))
}

/// The value of an option with a program in the place of an expression: the `program` of `bpf`, and `bpf="..."` in a rule
/// of `classify`.
pub fn compiled<'a>(key: &str, value: Cow<'a, str>) -> Result<Cow<'a, str>> {
    if key == "program" && is_expression(&value) {
        return Ok(for_device(value.trim())?.into());
    }
    let rule = key.strip_prefix("rule.").is_some();
    let Some((before, text)) = value.split_once("bpf=\"").filter(|_| rule) else {
        return Ok(value);
    };
    let Some((expression, behind)) = text.split_once('"') else {
        return Ok(value);
    };
    if !is_expression(expression) {
        return Ok(value);
    }
    let program = for_device(expression.trim()).context("bpf")?;
    let program = program.lines().collect::<Vec<_>>().join(",");
    Ok(format!("{before}bpf=\"{program}\"{behind}").into())
}

/// Whether this is no program, but what tcpdump could make one of.
fn is_expression(text: &str) -> bool {
    let first = text.split_whitespace().next();
    first.is_some_and(|word| !word.starts_with('@') && begins(word))
}

/// Compiles an expression for blocks, which get the outermost VLAN tag beside the bytes. For all else a device, which has to
/// be up, makes no difference.
fn for_device(expression: &str) -> Result<String> {
    let is_word = |word: &str| word == "vlan";
    let mut words = expression.split(|c: char| !c.is_ascii_alphanumeric());
    let what = if words.any(is_word) {
        For::Device
    } else {
        For::Bytes
    };
    let program = tcpdump("tcpdump", what, expression)?;
    Ok(program.trim_end().to_owned())
}

/// Has `program` compile an expression.
pub fn tcpdump(program: &str, what: For, expression: &str) -> Result<String> {
    let mut command = Command::new(program);
    command
        .args(what.arguments())
        .args(["-ddd", "--", expression]);
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
            "{program} is not installed, which compiles expressions; a compiled one can be given, too"
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
pub fn near(word: &str) -> String {
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

    #[test]
    fn programs_stay_as_they_are() {
        for (key, value) in [
            ("program", "1\n6 0 0 1\n"),
            ("program", "{ 0x6, 0, 0, 1 },"),
            ("program", "hex 06000000000001"),
            ("program", "pinned:/sys/fs/bpf/udp"),
            ("program", ""),
            ("rule.1", "proto=udp -> 1"),
            ("rule.1", "bpf=\"1,6 0 0 1\" -> 1"),
            ("rule.1", "bpf=\"arp -> 1"),
            ("other", "bpf=\"arp\" -> 1"),
            ("addr", "arp"),
        ] {
            assert_eq!(compiled(key, value.into()).unwrap(), value, "{key}");
        }
    }

    #[test]
    fn expressions_are_told_from_programs() {
        for text in [
            "tcp port 80",
            " (arp or ip)",
            "!ip",
            "not vlan",
            "ether[12]=8",
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "6 0 0 1",
            "{ 0x6, 0, 0, 1 }",
            "hex 06",
            "pinned:/x",
            "@x",
            "/* ip */",
        ] {
            assert!(!is_expression(text), "{text}");
        }
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
        let error = tcpdump("/nonexistent/tcpdump", For::Bytes, "arp").unwrap_err();
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
        let said = tcpdump("ls", For::Bytes, "arp").unwrap_err().to_string();
        assert!(said.contains("ls: ") && !said.contains('\n'), "{said}");
    }
}
