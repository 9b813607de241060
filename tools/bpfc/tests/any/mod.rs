// SPDX-License-Identifier: GPL-2.0

//! Any bytes, as a program and a packet: what `tests/fuzz.rs` and `cargo fuzz` call.

use bpfc::{
    assemble::assemble,
    check::check,
    debugger::Debugger,
    forms::{self, Form},
    insn::{Insn, Op, Source},
    listing,
    machine::Machine,
    packet::{Link, Packet},
};

/// Compiles, lists and runs a text. Behind its first NUL there is a packet.
pub(crate) fn any(data: &[u8]) {
    let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (text, bytes) = data.split_at(end);
    let text = String::from_utf8_lossy(text);
    if forms::is_compiled(&text) {
        match forms::read(&text) {
            Ok(insns) => program(&insns, bytes),
            Err(what) => assert!(what.lines().count() == 1, "{what}"),
        }
        return;
    }
    match assemble(&text) {
        Ok(whole) => {
            assert_eq!(whole.insns.len(), whole.places.len());
            if let Err(fault) = check(&whole.insns) {
                if let Some(problem) = fault.in_source(&whole) {
                    told(&problem, &text);
                }
            }
            program(&whole.insns, bytes);
        }
        Err(problem) => told(&problem, &text),
    }
}

fn told(problem: &bpfc::problem::Problem, text: &str) {
    assert!(problem.at.start <= text.len(), "{problem:?}");
    assert!(problem.line("x", text).lines().count() == 1, "{problem:?}");
    assert!(problem.excerpt(text).lines().count() == 2, "{problem:?}");
}

/// An instruction without what it does not look at: source has no place for that.
fn meant(mut insn: Insn) -> Insn {
    let op = Op::of(insn.code);
    if !matches!(op, Some(Op::Branch(..))) {
        (insn.jt, insn.jf) = (0, 0);
    }
    if matches!(
        op,
        Some(
            Op::Alu(_, Source::X)
                | Op::Branch(_, Source::X)
                | Op::Length(_)
                | Op::Neg
                | Op::Return(_)
                | Op::Tax
                | Op::Txa
        )
    ) {
        insn.k = 0;
    }
    insn
}

/// Any instructions, and any packet.
pub(crate) fn program(insns: &[Insn], bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap();
    let valid = match check(insns) {
        Ok(()) => true,
        Err(fault) => {
            assert!(fault.with_insn(insns).lines().count() == 1, "{fault:?}");
            false
        }
    };
    listing::program(insns);
    let source = listing::source(insns);
    if valid {
        let meant: Vec<Insn> = insns.iter().map(|insn| meant(*insn)).collect();
        assert_eq!(assemble(&source).unwrap().insns, meant, "{source}");
    }
    for form in [Form::C, Form::XtBpf, Form::Tcpdump, Form::Hex] {
        let printed = forms::print(insns, form);
        if !insns.is_empty() {
            assert_eq!(forms::read(&printed).unwrap(), insns, "{printed}");
        }
    }
    for link in [Link::Ethernet, Link::Ip, Link::Cooked, Link::Other] {
        let packet = Packet { bytes, len, link };
        // It ends, also where it is not valid.
        Machine::new(1).run(insns, &packet);
        let mut debugger = Debugger::new(insns, 1);
        debugger.begin(1, &packet);
        for command in ["list", "step", "break 1", "continue", "registers", "packet"] {
            debugger.command(command, &packet);
        }
        debugger.command(&String::from_utf8_lossy(bytes), &packet);
    }
}
