// SPDX-License-Identifier: GPL-2.0

//! Instructions as texts: the listing that `-V` prints, and source that compiles to them again.

use crate::insn::{extension, signed, Alu, Insn, Op, Register, Size, Source, Test};
use std::fmt::Write as _;

/// An instruction as the thesis's `bpfc -V` shows it, in the manner of `tcpdump -d`: offsets and values
/// to return in decimal, values to compare with in hexadecimal, jumps by the number of their target.
pub fn insn(index: usize, insn: Insn) -> String {
    let Insn { code, jt, jf, k } = insn;
    let target = |over: u64| index as u64 + 1 + over;
    match Op::of(code) {
        Some(Op::Absolute(size)) => format!("{} [{}]", load(size), signed(k)),
        Some(Op::Jump) => format!("ja {}", target(k.into())),
        Some(Op::Branch(test, source)) => {
            let operand = compared(source, k);
            let (jt, jf) = (target(jt.into()), target(jf.into()));
            format!("{} {operand} jt {jt} jf {jf}", test_name(test))
        }
        Some(op) => plain(op, k),
        None => format!("{code:#x} #{k:#x}"),
    }
}

/// A whole program in this form.
pub fn program(insns: &[Insn]) -> String {
    let mut text = String::new();
    for (index, one) in insns.iter().enumerate() {
        let _ = writeln!(text, "({index:03}) {}", insn(index, *one));
    }
    text
}

/// A source text for a program that [`crate::check`] takes: it compiles to the same instructions.
pub fn source(insns: &[Insn]) -> String {
    let mut targets = vec![false; insns.len()];
    let mut target = |index: usize, over: u32| {
        let at = index as u64 + 1 + u64::from(over);
        if let Some(one) = usize::try_from(at).ok().and_then(|at| targets.get_mut(at)) {
            *one = true;
        }
    };
    for (index, insn) in insns.iter().enumerate() {
        match Op::of(insn.code) {
            Some(Op::Jump) => target(index, insn.k),
            Some(Op::Branch(..)) => {
                target(index, insn.jt.into());
                if insn.jf != 0 {
                    target(index, insn.jf.into());
                }
            }
            _ => {}
        }
    }
    let mut text = String::new();
    for (index, (insn, target)) in insns.iter().zip(&targets).enumerate() {
        let label = if *target {
            format!("L{index}:")
        } else {
            String::new()
        };
        let _ = writeln!(text, "{label:<8}{}", statement(index, *insn));
    }
    text
}

/// An instruction of a source text, which jumps to `L` and the number of the target.
fn statement(index: usize, insn: Insn) -> String {
    let Insn { code, jt, jf, k } = insn;
    let label = |over: u32| format!("L{}", index as u64 + 1 + u64::from(over));
    match Op::of(code) {
        Some(Op::Absolute(size)) => match extension(k) {
            Some(name) => format!("{} #{name}", load(size)),
            None if signed(k) < 0 => format!("{} [{k:#x}]", load(size)),
            None => format!("{} [{k}]", load(size)),
        },
        Some(Op::Jump) => format!("jmp {}", label(k)),
        Some(Op::Branch(test, source)) => {
            let mut text = format!(
                "{} {},{}",
                test_name(test),
                compared(source, k),
                label(jt.into())
            );
            if jf != 0 {
                let _ = write!(text, ",{}", label(jf.into()));
            }
            text
        }
        Some(op) => plain(op, k),
        None => format!("; operation {code:#x}, {jt}, {jf}, {k:#x}"),
    }
}

/// An instruction that both texts show alike.
fn plain(op: Op, k: u32) -> String {
    match op {
        Op::Absolute(size) => format!("{} [{k}]", load(size)),
        Op::Indirect(size) if signed(k) < 0 => {
            format!("{} [x - {}]", load(size), signed(k).unsigned_abs())
        }
        Op::Indirect(size) => format!("{} [x + {k}]", load(size)),
        Op::HeaderLength => format!("ldxb 4*([{k}]&0xf)"),
        Op::Immediate(Register::A) => format!("ld #{k:#x}"),
        Op::Immediate(Register::X) => format!("ldx #{k:#x}"),
        Op::Length(Register::A) => "ld #len".to_owned(),
        Op::Length(Register::X) => "ldx #len".to_owned(),
        Op::Load(Register::A) => format!("ld M[{k}]"),
        Op::Load(Register::X) => format!("ldx M[{k}]"),
        Op::Store(Register::A) => format!("st M[{k}]"),
        Op::Store(Register::X) => format!("stx M[{k}]"),
        Op::Alu(alu, source) => format!("{} {}", alu_name(alu), computed(alu, source, k)),
        Op::Neg => "neg".to_owned(),
        Op::Jump => format!("ja {k}"),
        Op::Branch(test, source) => format!("{} {}", test_name(test), compared(source, k)),
        Op::ReturnK => format!("ret #{k}"),
        Op::Return(Register::A) => "ret a".to_owned(),
        Op::Return(Register::X) => "ret x".to_owned(),
        Op::Tax => "tax".to_owned(),
        Op::Txa => "txa".to_owned(),
    }
}

fn load(size: Size) -> &'static str {
    match size {
        Size::Word => "ld",
        Size::Half => "ldh",
        Size::Byte => "ldb",
    }
}

fn test_name(test: Test) -> &'static str {
    let found = Test::ALL.iter().find(|(one, ..)| *one == test);
    found.map_or("", |(_, name, _)| name)
}

fn alu_name(alu: Alu) -> &'static str {
    let found = Alu::ALL.iter().find(|(one, ..)| *one == alu);
    found.map_or("", |(_, name, _)| name)
}

fn compared(source: Source, k: u32) -> String {
    match source {
        Source::K => format!("#{k:#x}"),
        Source::X => "x".to_owned(),
    }
}

/// Bits in hexadecimal, numbers in decimal.
fn computed(alu: Alu, source: Source, k: u32) -> String {
    match (source, alu) {
        (Source::X, _) => "x".to_owned(),
        (Source::K, Alu::And | Alu::Or | Alu::Xor) => format!("#{k:#x}"),
        (Source::K, _) => format!("#{k}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::assemble;

    #[test]
    fn the_listing_of_the_thesis() {
        let text = "ldh [12]\njeq #0x806,L1,L2\nL1: ret #0xffff\nL2: ret #0";
        let insns = assemble(text).unwrap().insns;
        let shown = "(000) ldh [12]\n(001) jeq #0x806 jt 2 jf 3\n(002) ret #65535\n(003) ret #0\n";
        assert_eq!(program(&insns), shown);
        let insns = assemble("ldh #proto\nret a").unwrap().insns;
        assert_eq!(program(&insns), "(000) ldh [-4096]\n(001) ret a\n");
    }

    #[test]
    fn source_compiles_again() {
        let text = "ldh #proto\njeq #0x800,L1,L2\nL1: ldx 4*([14]&0xf)\nldb [x + 3]\nld [x - 3]\n\
                    and #0xff\nst M[2]\njmp L3\nL2: st M[2]\njne x,L3\nneg\nL3: ld M[2]\nret a";
        let insns = assemble(text).unwrap().insns;
        let again = source(&insns);
        assert!(again.contains("\nL11:    ld M[2]\n"), "{again}");
        assert_eq!(assemble(&again).unwrap().insns, insns, "{again}");
        assert_eq!(source(&assemble(&again).unwrap().insns), again);
    }
}
