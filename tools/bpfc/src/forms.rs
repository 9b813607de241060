// SPDX-License-Identifier: GPL-2.0

//! The forms that compiled programs come in. They are those of the block `bpf`, whose reader is used.

use crate::{
    insn::Insn,
    text::{self, BadText},
};
use std::fmt::Write as _;

/// A form of compiled programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{ 0x28, 0, 0, 0x0000000c },`, an instruction a line, as the thesis's bpfc and `tcpdump -dd` print it.
    C,
    /// Decimal numbers behind their count, separated by commas, as iptables takes them.
    XtBpf,
    /// The same in lines, as `tcpdump -ddd` prints them.
    Tcpdump,
    /// `hex` and 14 digits an instruction: the shortest one that the block `bpf` takes.
    Hex,
}

/// The text of a program in a form.
pub fn print(insns: &[Insn], form: Form) -> String {
    let mut to = String::new();
    let quads = insns.iter().map(|insn| (*insn).into());
    // Nothing that is written to a string fails.
    let _ = match form {
        Form::C => quads
            .into_iter()
            .try_for_each(|quad| text::print(&mut to, quad)),
        Form::Hex => text::pack(&mut to, quads).and_then(|()| to.write_char('\n')),
        Form::XtBpf => numbers(insns, ',', &mut to).and_then(|()| to.write_char('\n')),
        Form::Tcpdump => numbers(insns, '\n', &mut to),
    };
    to
}

fn numbers(insns: &[Insn], end: char, to: &mut String) -> std::fmt::Result {
    write!(to, "{}{end}", insns.len())?;
    for Insn { code, jt, jf, k } in insns {
        write!(to, "{code} {jt} {jf} {k}{end}")?;
    }
    Ok(())
}

/// Whether a text is a compiled program: no source begins like one.
pub fn is_compiled(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("/*") {
        rest = match comment.split_once("*/") {
            Some((_, behind)) => behind.trim_start(),
            None => return false,
        };
    }
    let packed = rest.strip_prefix("hex").is_some_and(|rest| {
        let digits = rest.trim();
        rest.starts_with(char::is_whitespace)
            && digits.len() >= 14
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
    });
    packed || rest.starts_with(|c: char| c == '{' || c.is_ascii_digit())
}

/// Reads a compiled program in whichever form; what is wrong with it is told in words. A code has eight bits: the
/// kernel knows none above, and the shortest form has no place for more.
pub fn read(text: &str) -> Result<Vec<Insn>, String> {
    let mut insns = Vec::new();
    let push = |quad| {
        insns.push(Insn::from(quad));
        true
    };
    match text::parse(text.as_bytes(), push) {
        Ok(_) => match insns.iter().enumerate().find(|(_, insn)| insn.code > 0xff) {
            None => Ok(insns),
            Some((at, Insn { code, .. })) => Err(format!(
                "instruction {at} has the code {code:#x}, 0xff is the highest"
            )),
        },
        Err(bad) => Err(explain(bad)),
    }
}

/// What the block says, without the name of its option.
fn explain(bad: BadText) -> String {
    let said = bad.to_string();
    match said.strip_prefix("program: ") {
        Some(rest) => rest.to_owned(),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_again() {
        let insns: Vec<Insn> = [
            (0x28, 0, 0, 12),
            (0x15, 0, 1, 0x806),
            (6, 0, 0, 65535),
            (6, 0, 0, 0),
        ]
        .into_iter()
        .map(Insn::from)
        .collect();
        for (form, text) in [
            (
                Form::C,
                "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000806 },\n\
                 { 0x6, 0, 0, 0x0000ffff },\n{ 0x6, 0, 0, 0x00000000 },\n",
            ),
            (
                Form::XtBpf,
                "4,40 0 0 12,21 0 1 2054,6 0 0 65535,6 0 0 0,\n",
            ),
            (
                Form::Tcpdump,
                "4\n40 0 0 12\n21 0 1 2054\n6 0 0 65535\n6 0 0 0\n",
            ),
            (
                Form::Hex,
                "hex 2800000000000c150001000008060600000000ffff06000000000000\n",
            ),
        ] {
            let printed = print(&insns, form);
            assert_eq!(printed, text);
            assert!(is_compiled(&printed), "{printed}");
            assert_eq!(read(&printed).as_ref(), Ok(&insns));
        }
        for source in [
            "ldh [12]",
            "hex: ret #0",
            "; 1\nret a",
            "",
            "/* { */ ret a",
            "/*",
        ] {
            assert!(!is_compiled(source), "{source}");
        }
        assert_eq!(
            read("1\n1012 2 2 2").unwrap_err(),
            "instruction 0 has the code 0x3f4, 0xff is the highest"
        );
        assert!(is_compiled("/* accept */\n{ 0x6, 0, 0, 1 },"));
        assert_eq!(
            read("2\n6 0 0 0").unwrap_err(),
            "1 instructions, not 2 as line 1 says"
        );
    }
}
