// SPDX-License-Identifier: GPL-2.0

//! What the kernel asks of a program (`bpf_check_classic()` in its `net/core/filter.c`), and that each
//! instruction can be reached.

use crate::{
    assemble::Program,
    insn::{extension, signed, Alu, Insn, Op, Register, Source, AD_OFF, MAX_INSNS, MEM_WORDS},
    listing,
    problem::Problem,
};
use std::fmt;

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The instruction to blame, from 0 on.
    pub insn: usize,
    /// What is wrong with it.
    pub what: String,
    /// Whether the kernel would take it all the same.
    pub harmless: bool,
}

impl Fault {
    /// The place in the source text, where there is one.
    pub fn in_source(&self, program: &Program) -> Option<Problem> {
        let place = program.places.get(self.insn)?;
        Some(Problem::new(place.clone(), self.what.clone()))
    }

    /// The fault with the instruction that it is about.
    pub fn with_insn(&self, insns: &[Insn]) -> String {
        match insns.get(self.insn) {
            Some(insn) => format!(
                "({:03}) {}: {}",
                self.insn,
                listing::insn(self.insn, *insn),
                self.what
            ),
            None => self.what.clone(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Checks a program; the first fault is told.
pub fn check(insns: &[Insn]) -> Result<(), Fault> {
    let fault = |insn, what: &str, harmless| {
        let what = what.to_owned();
        Err(Fault {
            insn,
            what,
            harmless,
        })
    };
    if insns.len() > MAX_INSNS {
        return fault(MAX_INSNS, "a program has at most 4096 instructions", false);
    }
    for (index, insn) in insns.iter().enumerate() {
        if let Err(what) = alone(*insn, insns.len() - index - 1) {
            return fault(index, &what, false);
        }
    }
    let Some((last, insn)) = insns.iter().enumerate().next_back() else {
        return fault(0, "the program has no instruction", false);
    };
    if !matches!(Op::of(insn.code), Some(Op::ReturnK | Op::Return(_))) {
        return fault(last, "the program does not end with ret", false);
    }
    memory(insns)?;
    match reachable(insns).iter().position(|reached| !reached) {
        Some(index) => fault(index, "no way leads to this instruction", true),
        None => Ok(()),
    }
}

/// Checks an instruction that so many others follow.
fn alone(insn: Insn, behind: usize) -> Result<(), String> {
    let k = insn.k;
    let Some(op) = Op::of(insn.code) else {
        return Err(format!("there is no operation {:#x}", insn.code));
    };
    // `distance` over which a jump goes.
    let beyond = |distance: u32| usize::try_from(distance).map_or(true, |over| over >= behind);
    match op {
        Op::Return(Register::X) => Err("the kernel can return k or a, not x".to_owned()),
        Op::Alu(Alu::Div | Alu::Mod, Source::K) if k == 0 => Err("division by zero".to_owned()),
        Op::Alu(Alu::Lsh | Alu::Rsh, Source::K) if k >= 32 => {
            Err(format!("a shift by {k} bits: a word has 32"))
        }
        Op::Load(_) | Op::Store(_) if k >= MEM_WORDS => {
            Err(format!("there is no M[{k}]: the last word is M[15]"))
        }
        Op::Absolute(_) if k >= AD_OFF && extension(k).is_none() => {
            Err(format!("there is no extension {k:#x}"))
        }
        Op::Jump if signed(k) < 0 => Err("the jump goes back: only forward is possible".to_owned()),
        Op::Jump if beyond(k) => Err("the jump goes behind the last instruction".to_owned()),
        Op::Branch(..) if beyond(insn.jt.max(insn.jf).into()) => {
            let which = if beyond(insn.jt.into()) {
                "true"
            } else {
                "false"
            };
            Err(format!(
                "the jump if {which} goes behind the last instruction"
            ))
        }
        _ => Ok(()),
    }
}

/// Where control may go from an instruction.
fn successors(index: usize, insn: Insn) -> [Option<usize>; 2] {
    let over = |distance: usize| index.checked_add(1)?.checked_add(distance);
    match Op::of(insn.code) {
        Some(Op::ReturnK | Op::Return(_)) => [None, None],
        Some(Op::Jump) => [usize::try_from(insn.k).ok().and_then(over), None],
        Some(Op::Branch(..)) => [over(insn.jt.into()), over(insn.jf.into())],
        _ => [over(0), None],
    }
}

/// Checks that no word of the scratch memory is read before it is written, on any way: as the kernel
/// does, which passes over the instructions once since jumps go only forward.
fn memory(insns: &[Insn]) -> Result<(), Fault> {
    let mut written = vec![u16::MAX; insns.len()];
    let mut now: u16 = 0;
    for (index, insn) in insns.iter().enumerate() {
        now &= written.get(index).copied().unwrap_or(u16::MAX);
        let bit = 1u16.checked_shl(insn.k).unwrap_or(0);
        match Op::of(insn.code) {
            Some(Op::Store(_)) => now |= bit,
            Some(Op::Load(_)) if now & bit == 0 => {
                let what = format!("M[{}] is read, and may not have been written", insn.k);
                return Err(Fault {
                    insn: index,
                    what,
                    harmless: false,
                });
            }
            Some(Op::Jump | Op::Branch(..)) => {
                for target in successors(index, *insn).into_iter().flatten() {
                    if let Some(mask) = written.get_mut(target) {
                        *mask &= now;
                    }
                }
                now = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Which instructions control may get to.
fn reachable(insns: &[Insn]) -> Vec<bool> {
    let mut reached = vec![false; insns.len()];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for (index, insn) in insns.iter().enumerate() {
        if reached.get(index) != Some(&true) {
            continue;
        }
        for next in successors(index, *insn).into_iter().flatten() {
            if let Some(next) = reached.get_mut(next) {
                *next = true;
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::assemble;

    fn said(text: &str) -> String {
        let program = assemble(text).unwrap();
        let fault = check(&program.insns).unwrap_err();
        fault.in_source(&program).unwrap().line("t", text)
    }

    #[test]
    fn good_programs_pass() {
        for text in [
            "ret #0",
            "ret a",
            "ldh [12]\njeq #0x806,L1,L2\nL1: ret #0xffff\nL2: ret #0",
            "st M[1]\nld M[1]\nret a",
            "jeq #1,L1,L2\nL1: st M[0]\njmp L3\nL2: stx M[0]\nL3: ld M[0]\nret a",
            "ld [0xfffff028]\nret a",
            "ld [0xffeffff0]\nret a",
            "lsh #31\nret a",
        ] {
            assert_eq!(check(&assemble(text).unwrap().insns), Ok(()), "{text}");
        }
    }

    #[test]
    fn bad_ones_do_not() {
        for (text, what) in [
            ("ld #1\nadd #1", "t:2:1: the program does not end with ret"),
            ("ld #1\ndiv #0\nret a", "t:2:1: division by zero"),
            ("ld #1\nmod #0\nret a", "t:2:1: division by zero"),
            ("lsh #32\nret a", "t:1:1: a shift by 32 bits: a word has 32"),
            ("ret x", "t:1:1: the kernel can return k or a, not x"),
            (
                "st M[16]\nret a",
                "t:1:1: there is no M[16]: the last word is M[15]",
            ),
            (
                "ld M[2]\nret a",
                "t:1:1: M[2] is read, and may not have been written",
            ),
            (
                "jeq #1,L1,L2\nL1: st M[0]\nL2: ld M[0]\nret a",
                "t:3:5: M[0] is read, and may not have been written",
            ),
            ("ret #0\nret #1", "t:2:1: no way leads to this instruction"),
            (
                "jmp L\ntax\nL: ret a",
                "t:2:1: no way leads to this instruction",
            ),
            (
                "L: tax\njmp L\nret a",
                "t:2:1: the jump goes back: only forward is possible",
            ),
            (
                "ld [0xfffff040]\nret a",
                "t:1:1: there is no extension 0xfffff040",
            ),
        ] {
            assert_eq!(said(text), what);
        }
        let of = |quads: &[(u16, u8, u8, u32)]| {
            let insns: Vec<Insn> = quads.iter().copied().map(Into::into).collect();
            check(&insns).unwrap_err().with_insn(&insns)
        };
        assert_eq!(of(&[]), "the program has no instruction");
        assert_eq!(
            of(&[(0x15, 0, 1, 1), (6, 0, 0, 0)]),
            "(000) jeq #0x1 jt 1 jf 2: the jump if false goes behind the last instruction"
        );
        assert_eq!(
            of(&[(5, 0, 0, 1), (6, 0, 0, 0)]),
            "(000) ja 2: the jump goes behind the last instruction"
        );
        assert_eq!(
            of(&[(0xff, 0, 0, 1)]),
            "(000) 0xff #0x1: there is no operation 0xff"
        );
    }
}
