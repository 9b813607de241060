// SPDX-License-Identifier: GPL-2.0

//! Instructions of classic BPF, as numbers and taken apart. The numbers are those of the kernel's
//! `include/uapi/linux/bpf_common.h` and `filter.h`.

use crate::text::Quad;

/// The most instructions that a program can have; the kernel's `BPF_MAXINSNS`.
pub const MAX_INSNS: usize = crate::text::MAX;
/// Words of the scratch memory; the kernel's `BPF_MEMWORDS`.
pub const MEM_WORDS: u32 = 16;

/// An instruction as the kernel takes it: `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// The operation.
    pub code: u16,
    /// How many instructions to jump over if the test is true.
    pub jt: u8,
    /// The same if it is false.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl From<Quad> for Insn {
    fn from((code, jt, jf, k): Quad) -> Self {
        Insn { code, jt, jf, k }
    }
}

impl From<Insn> for Quad {
    fn from(insn: Insn) -> Self {
        (insn.code, insn.jt, insn.jf, insn.k)
    }
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// The accumulator.
    A,
    /// The index register.
    X,
}

/// How many bytes a load takes from the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Four.
    Word,
    /// Two.
    Half,
    /// One.
    Byte,
}

impl Size {
    /// The number of bytes.
    pub fn bytes(self) -> usize {
        match self {
            Size::Word => 4,
            Size::Half => 2,
            Size::Byte => 1,
        }
    }
}

/// Where the second operand of an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the instruction.
    K,
    /// In the index register.
    X,
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    Xor,
}

impl Alu {
    /// All of them, with their mnemonics and numbers.
    pub const ALL: [(Alu, &'static str, u16); 10] = [
        (Alu::Add, "add", 0x00),
        (Alu::Sub, "sub", 0x10),
        (Alu::Mul, "mul", 0x20),
        (Alu::Div, "div", 0x30),
        (Alu::Or, "or", 0x40),
        (Alu::And, "and", 0x50),
        (Alu::Lsh, "lsh", 0x60),
        (Alu::Rsh, "rsh", 0x70),
        (Alu::Mod, "mod", 0x90),
        (Alu::Xor, "xor", 0xa0),
    ];
}

/// What a conditional jump asks of the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equal.
    Eq,
    /// Greater, without signs.
    Gt,
    /// Greater or equal, without signs.
    Ge,
    /// Any of these bits set.
    Set,
}

impl Test {
    /// All of them, with their mnemonics and numbers.
    pub const ALL: [(Test, &'static str, u16); 4] = [
        (Test::Eq, "jeq", 0x10),
        (Test::Gt, "jgt", 0x20),
        (Test::Ge, "jge", 0x30),
        (Test::Set, "jset", 0x40),
    ];
}

/// An operation taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A becomes what is at k in the packet, or an extension of Linux.
    Absolute(Size),
    /// A becomes what is at X + k in the packet.
    Indirect(Size),
    /// X becomes four times the lower half of the byte at k: the length of an IPv4 header.
    HeaderLength,
    /// The register becomes k.
    Immediate(Register),
    /// The register becomes the length of the packet.
    Length(Register),
    /// The register becomes the word k of the scratch memory.
    Load(Register),
    /// The word k of the scratch memory becomes the register.
    Store(Register),
    /// A becomes the result of A and the operand.
    Alu(Alu, Source),
    /// A becomes -A.
    Neg,
    /// Jumps over k instructions.
    Jump,
    /// Jumps over jt or jf instructions.
    Branch(Test, Source),
    /// Ends with k.
    ReturnK,
    /// Ends with a register. The kernel takes only A.
    Return(Register),
    /// X becomes A.
    Tax,
    /// A becomes X.
    Txa,
}

impl Op {
    /// Its number.
    pub fn code(self) -> u16 {
        match self {
            Op::Absolute(size) => 0x20 | size_bits(size),
            Op::Indirect(size) => 0x40 | size_bits(size),
            Op::HeaderLength => 0xb1,
            Op::Immediate(register) => class(register),
            Op::Length(register) => 0x80 | class(register),
            Op::Load(register) => 0x60 | class(register),
            Op::Store(register) => 0x02 | class(register),
            Op::Alu(alu, source) => {
                let bits = Alu::ALL.iter().find(|(one, ..)| *one == alu);
                0x04 | bits.map_or(0, |(_, _, bits)| *bits) | source_bit(source)
            }
            Op::Neg => 0x84,
            Op::Jump => 0x05,
            Op::Branch(test, source) => {
                let bits = Test::ALL.iter().find(|(one, ..)| *one == test);
                0x05 | bits.map_or(0, |(_, _, bits)| *bits) | source_bit(source)
            }
            Op::ReturnK => 0x06,
            Op::Return(Register::X) => 0x0e,
            Op::Return(Register::A) => 0x16,
            Op::Tax => 0x07,
            Op::Txa => 0x87,
        }
    }

    /// The operation of that number, if there is one.
    pub fn of(code: u16) -> Option<Op> {
        let register = if code & 1 == 0 {
            Register::A
        } else {
            Register::X
        };
        let source = if code & 0x08 == 0 {
            Source::K
        } else {
            Source::X
        };
        let bits = code & 0xf0;
        let op = match code & 0x07 {
            0 | 1 => match code & 0xe0 {
                0x00 => Op::Immediate(register),
                0x20 => Op::Absolute(size_of(code)),
                0x40 => Op::Indirect(size_of(code)),
                0x60 => Op::Load(register),
                0x80 => Op::Length(register),
                _ => Op::HeaderLength,
            },
            2 | 3 => Op::Store(register),
            4 if bits == 0x80 => Op::Neg,
            4 => Op::Alu(Alu::ALL.iter().find(|(.., one)| *one == bits)?.0, source),
            5 if bits == 0 => Op::Jump,
            5 => Op::Branch(Test::ALL.iter().find(|(.., one)| *one == bits)?.0, source),
            6 => match code {
                0x06 => Op::ReturnK,
                0x0e => Op::Return(Register::X),
                _ => Op::Return(Register::A),
            },
            _ if code & 0x80 == 0 => Op::Tax,
            _ => Op::Txa,
        };
        (op.code() == code).then_some(op)
    }

    /// An instruction without jumps.
    pub fn with(self, k: u32) -> Insn {
        let code = self.code();
        Insn {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }
}

fn class(register: Register) -> u16 {
    match register {
        Register::A => 0,
        Register::X => 1,
    }
}

fn size_bits(size: Size) -> u16 {
    match size {
        Size::Word => 0x00,
        Size::Half => 0x08,
        Size::Byte => 0x10,
    }
}

fn size_of(code: u16) -> Size {
    match code & 0x18 {
        0x00 => Size::Word,
        0x08 => Size::Half,
        _ => Size::Byte,
    }
}

fn source_bit(source: Source) -> u16 {
    match source {
        Source::K => 0,
        Source::X => 0x08,
    }
}

/// The bits of an operand as a number with a sign.
pub fn signed(k: u32) -> i32 {
    i32::from_ne_bytes(k.to_ne_bytes())
}

/// The bits of a number with a sign as an operand.
pub fn unsigned(value: i32) -> u32 {
    u32::from_ne_bytes(value.to_ne_bytes())
}

/// The k that begins the extensions of Linux; the kernel's `SKF_AD_OFF`.
pub const AD_OFF: u32 = 0xffff_f000;

/// What Linux knows of a packet beside its bytes: names after `#`, and how far behind [`AD_OFF`] it is.
/// The first name of a number is the one that is printed; those that say so need no `#`, as in the
/// kernel tree's `bpf_asm`.
pub const EXTENSIONS: [(&str, u32, bool); 21] = [
    ("proto", 0, true),
    ("type", 4, true),
    ("ifidx", 8, true),
    ("nla", 12, true),
    ("nlan", 16, true),
    ("mark", 20, true),
    ("queue", 24, true),
    ("hatype", 28, true),
    ("rxhash", 32, true),
    ("cpu", 36, true),
    // A ^= X; it has no name in other assemblers.
    ("xorx", 40, false),
    ("vlan_tci", 44, true),
    ("vlant", 44, false),
    ("vlan_avail", 48, true),
    ("vlan_pr", 48, true),
    ("vlanp", 48, false),
    ("poff", 52, true),
    ("rand", 56, true),
    ("vlan_tpid", 60, true),
    ("vlantpid", 60, false),
    ("vlan_proto", 60, false),
];

/// The name of the extension that an absolute load with this k takes.
pub fn extension(k: u32) -> Option<&'static str> {
    let off = k.checked_sub(AD_OFF)?;
    let found = EXTENSIONS.iter().find(|(_, one, _)| *one == off);
    found.map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_apart_and_put_together() {
        let known: Vec<u16> = (0..=u16::MAX).filter(|c| Op::of(*c).is_some()).collect();
        // Those of chk_code_allowed() in the kernel's net/core/filter.c, and `ret x`.
        assert_eq!(known.len(), 21 + 13 + 2 + 2 + 3 + 9);
        for (code, op) in [
            (0x28, Op::Absolute(Size::Half)),
            (0x50, Op::Indirect(Size::Byte)),
            (0xb1, Op::HeaderLength),
            (0x61, Op::Load(Register::X)),
            (0x03, Op::Store(Register::X)),
            (0xac, Op::Alu(Alu::Xor, Source::X)),
            (0x84, Op::Neg),
            (0x45, Op::Branch(Test::Set, Source::K)),
            (0x16, Op::Return(Register::A)),
            (0x87, Op::Txa),
        ] {
            assert_eq!(Op::of(code), Some(op));
            assert_eq!(op.code(), code);
        }
        for code in [0x21, 0x38, 0xa0, 0xb0, 0x0d, 0x5d, 0x1e, 0x8c, 0x17, 0x100] {
            assert_eq!(Op::of(code), None, "{code:#x}");
        }
    }
}
