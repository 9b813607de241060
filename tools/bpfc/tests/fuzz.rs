// SPDX-License-Identifier: GPL-2.0

//! Bad texts: each is a program or has a mistake with a place, and nothing panics. What is a valid program
//! lists as source that compiles to it again, in each form, and runs on any packet.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod any;
#[path = "../../fuzz/rounds.rs"]
mod rounds;

use any::{any, program};
use bpfc::insn::{Insn, Op};
use rounds::rounds;

/// What texts are made of.
const PIECES: &[&str] = &[
    "ld ",
    "ldh ",
    "ldb ",
    "ldx ",
    "ldi ",
    "ldxi ",
    "ldxb ",
    "st ",
    "stx ",
    "jmp ",
    "ja ",
    "jeq ",
    "jne ",
    "jgt ",
    "jge ",
    "jset ",
    "jlt ",
    "jle ",
    "add ",
    "sub ",
    "mul ",
    "div ",
    "mod ",
    "neg",
    "and ",
    "or ",
    "xor ",
    "lsh ",
    "rsh ",
    "ret ",
    "tax",
    "txa",
    "#",
    "[",
    "]",
    "(",
    ")",
    "+",
    "-",
    "*",
    "&",
    "%",
    "x",
    "a",
    "M[",
    "4*([14]&0xf)",
    "#len",
    "#proto",
    "#nla",
    "#nlan",
    "#poff",
    "#rand",
    "#xorx",
    "L1",
    "L2",
    "L1:",
    "L2: ",
    ",",
    ":",
    ";",
    "/*",
    "*/",
    "\n",
    "\n",
    " ",
    "\t",
    "0",
    "1",
    "12",
    "0x806",
    "0b11",
    "017",
    "4294967295",
    "4294967296",
    "99999999999999999999",
    "0xfffff028",
    "ret #0\n",
    "ret #1\n",
    "{ 0x28, 0, 0, 12 },",
    "hex 2800000000000c",
    "4,40 0 0 12,",
    "ä",
];

fn bytes(random: &mut fastrand::Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.u8(..)).collect()
}

/// Pieces one behind the other, with a few bytes that are anything, and a packet.
fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..random.usize(..40) {
        all.extend(random.choice(PIECES).unwrap().bytes());
    }
    for _ in 0..random.usize(..3) {
        let at = random.usize(..=all.len());
        let to = all.len().min(at + 1);
        all.splice(at..to, [random.u8(..)]);
    }
    all.push(0);
    let len = random.usize(..120);
    all.extend(bytes(random, len));
    all
}

/// Instructions that are mostly valid.
fn insns(random: &mut fastrand::Rng) -> Vec<Insn> {
    let codes: Vec<u16> = (0..0x100).filter(|code| Op::of(*code).is_some()).collect();
    let len = random.u8(1..=20);
    let mut insns: Vec<Insn> = (0..len)
        .map(|index| {
            let code = *random.choice(&codes).unwrap();
            let (jt, jf) = match Op::of(code) {
                Some(Op::Branch(..)) => (random.u8(..len - index), random.u8(..len - index)),
                _ => (0, 0),
            };
            let k = match random.u8(..4) {
                0 => random.u32(..),
                1 => 0xffff_f000 + 4 * random.u32(..16),
                _ => random.u32(..16),
            };
            Insn { code, jt, jf, k }
        })
        .collect();
    insns.push(Op::ReturnK.with(1));
    insns
}

#[test]
fn nothing_panics() {
    for deep in [
        "[", "(", "4*(", "L:", "/*", "-", "#", "ld ", "ret #0\n", "; ", "{", "hex ",
    ] {
        any(deep.repeat(20_000).as_bytes());
    }
    rounds(|random| {
        any(&text(random));
        let (insns, len) = (insns(random), random.usize(..120));
        program(&insns, &bytes(random, len));
    });
}
