// SPDX-License-Identifier: GPL-2.0

//! Bad texts: each is a program or has a mistake with a place, and nothing panics. What is a valid program
//! lists as source that compiles to it again, in each form, and runs on any packet. `LANA_FUZZ_SECONDS` says
//! for how long; `LANA_FUZZ_SEED` repeats a run.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod any;

use any::{any, program};
use bpfc::insn::{Insn, Op};
use std::{
    io::Write as _,
    time::{Duration, Instant},
};

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

/// Numbers of SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Pieces one behind the other, with a few bytes that are anything, and a packet.
    fn text(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..self.below(40) {
            let piece = PIECES.get(self.below(PIECES.len())).unwrap();
            all.extend(piece.as_bytes());
        }
        for _ in 0..self.below(3) {
            let (at, byte) = (self.below(all.len()), self.bytes(1));
            if at < all.len() {
                all.splice(at..=at, byte);
            }
        }
        self.with_packet(all)
    }

    fn with_packet(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        text.push(0);
        let len = self.below(120);
        text.extend(self.bytes(len));
        text
    }

    /// Instructions that are mostly valid.
    fn insns(&mut self) -> Vec<Insn> {
        let codes: Vec<u16> = (0..0x100).filter(|code| Op::of(*code).is_some()).collect();
        let len = 1 + self.below(20);
        let mut insns: Vec<Insn> = (0..len)
            .map(|index| {
                let over = |random: &mut Random| u8::try_from(random.below(len - index)).unwrap();
                let code = *codes.get(self.below(codes.len())).unwrap();
                let (jt, jf) = match Op::of(code) {
                    Some(Op::Branch(..)) => (over(self), over(self)),
                    _ => (0, 0),
                };
                let k = match self.below(4) {
                    0 => u32::try_from(self.next() >> 32).unwrap(),
                    1 => 0xffff_f000 + 4 * u32::try_from(self.below(16)).unwrap(),
                    _ => u32::try_from(self.below(16)).unwrap(),
                };
                Insn { code, jt, jf, k }
            })
            .collect();
        insns.push(Op::ReturnK.with(1));
        insns
    }
}

#[test]
fn nothing_panics() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("LANA_FUZZ_SEED").unwrap_or(u64::from(now.unwrap().subsec_nanos()));
    // Told whatever happens then.
    let _ = writeln!(std::io::stderr(), "LANA_FUZZ_SEED={seed}");
    let end = Instant::now() + Duration::from_secs(number("LANA_FUZZ_SECONDS").unwrap_or(2));
    let mut random = Random(seed);
    for deep in [
        "[", "(", "4*(", "L:", "/*", "-", "#", "ld ", "ret #0\n", "; ", "{", "hex ",
    ] {
        any(deep.repeat(20_000).as_bytes());
    }
    while Instant::now() < end {
        any(&random.text());
        let (insns, len) = (random.insns(), random.below(120));
        program(&insns, &random.bytes(len));
    }
}
