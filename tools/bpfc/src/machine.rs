// SPDX-License-Identifier: GPL-2.0

//! The machine that runs programs, as the kernel's does (`bpf_convert_filter()` in its `net/core/filter.c`
//! says what each instruction is). What the kernel would know of a packet and a capture does not is 0:
//! the mark, the hash, the device, tags beside the bytes. `#rand` differs each time.

use crate::{
    insn::{Alu, Insn, Op, Register, Size, Source, Test, AD_OFF},
    packet::Packet,
};

/// The state of a program that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The accumulator.
    pub a: u32,
    /// The index register.
    pub x: u32,
    /// The scratch memory.
    pub memory: [u32; 16],
    /// The next instruction.
    pub at: usize,
    random: u64,
}

impl Machine {
    /// At the first instruction, all registers 0. `seed` is for `#rand`.
    pub fn new(seed: u64) -> Self {
        Machine {
            a: 0,
            x: 0,
            memory: [0; 16],
            at: 0,
            random: seed,
        }
    }

    /// Begins again.
    pub fn restart(&mut self) {
        *self = Machine::new(self.random);
    }

    /// Runs a program to its end: how much of the packet is kept, 0 if it is dropped.
    pub fn run(&mut self, insns: &[Insn], packet: &Packet<'_>) -> u32 {
        self.restart();
        loop {
            if let Some(verdict) = self.step(insns, packet) {
                return verdict;
            }
        }
    }

    /// Runs an instruction: the verdict if that was the last one. Jumps go only forward, so that there is
    /// one. A program that the kernel does not take ends with 0.
    pub fn step(&mut self, insns: &[Insn], packet: &Packet<'_>) -> Option<u32> {
        let Some(insn) = insns.get(self.at).copied() else {
            return Some(0);
        };
        let Some(op) = Op::of(insn.code) else {
            return Some(0);
        };
        self.at += 1;
        match op {
            Op::ReturnK => return Some(insn.k),
            Op::Return(Register::A) => return Some(self.a),
            Op::Return(Register::X) => return Some(self.x),
            Op::Jump => self.jump(insn.k),
            Op::Branch(test, source) => {
                let over = if holds(test, self.a, self.operand(source, insn.k)) {
                    insn.jt
                } else {
                    insn.jf
                };
                self.jump(over.into());
            }
            _ => {
                if self.compute(op, insn.k, packet).is_none() {
                    return Some(0);
                }
            }
        }
        None
    }

    fn jump(&mut self, over: u32) {
        let over = usize::try_from(over).unwrap_or(usize::MAX);
        self.at = self.at.saturating_add(over);
    }

    fn operand(&self, source: Source, k: u32) -> u32 {
        match source {
            Source::K => k,
            Source::X => self.x,
        }
    }

    fn set(&mut self, register: Register, value: u32) {
        match register {
            Register::A => self.a = value,
            Register::X => self.x = value,
        }
    }

    fn get(&self, register: Register) -> u32 {
        match register {
            Register::A => self.a,
            Register::X => self.x,
        }
    }

    /// Runs an instruction that does not jump; nothing if it ends the program.
    fn compute(&mut self, op: Op, k: u32, packet: &Packet<'_>) -> Option<()> {
        match op {
            Op::Absolute(size) => {
                self.a = match k.checked_sub(AD_OFF) {
                    Some(number) => self.extension(number, packet)?,
                    None => packet.load(k, size)?,
                }
            }
            Op::Indirect(size) => self.a = packet.load(self.x.wrapping_add(k), size)?,
            Op::HeaderLength => self.x = (packet.load(k, Size::Byte)? & 0xf) * 4,
            Op::Immediate(register) => self.set(register, k),
            Op::Length(register) => self.set(register, packet.len),
            Op::Load(register) => {
                let word = usize::try_from(k).ok()?;
                let value = *self.memory.get(word)?;
                self.set(register, value);
            }
            Op::Store(register) => {
                let value = self.get(register);
                *self.memory.get_mut(usize::try_from(k).ok()?)? = value;
            }
            Op::Alu(alu, source) => self.a = calculate(alu, self.a, self.operand(source, k))?,
            Op::Neg => self.a = self.a.wrapping_neg(),
            Op::Tax => self.x = self.a,
            Op::Txa => self.a = self.x,
            Op::Jump | Op::Branch(..) | Op::ReturnK | Op::Return(_) => {}
        }
        Some(())
    }

    /// What Linux knows beside the bytes, by its number (see [`crate::insn::EXTENSIONS`]).
    fn extension(&mut self, number: u32, packet: &Packet<'_>) -> Option<u32> {
        match number {
            0 => Some(packet.protocol()),
            12 => Some(packet.find_attribute(self.a, self.x)),
            16 => Some(packet.find_nested(self.a, self.x)),
            28 => Some(packet.hardware()),
            40 => Some(self.a ^ self.x),
            52 => Some(packet.payload()),
            56 => Some(self.random()),
            4 | 8 | 20 | 24 | 32 | 36 | 44 | 48 | 60 => Some(0),
            _ => None,
        }
    }

    /// SplitMix64.
    fn random(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(z >> 32).unwrap_or(0)
    }
}

fn holds(test: Test, a: u32, operand: u32) -> bool {
    match test {
        Test::Eq => a == operand,
        Test::Gt => a > operand,
        Test::Ge => a >= operand,
        Test::Set => a & operand != 0,
    }
}

/// Nothing where the program ends: a division by zero.
fn calculate(alu: Alu, a: u32, operand: u32) -> Option<u32> {
    Some(match alu {
        Alu::Add => a.wrapping_add(operand),
        Alu::Sub => a.wrapping_sub(operand),
        Alu::Mul => a.wrapping_mul(operand),
        Alu::Div => a.checked_div(operand)?,
        Alu::Mod => a.checked_rem(operand)?,
        Alu::Or => a | operand,
        Alu::And => a & operand,
        Alu::Xor => a ^ operand,
        // By the lower five bits.
        Alu::Lsh => a.wrapping_shl(operand),
        Alu::Rsh => a.wrapping_shr(operand),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assemble::assemble, packet::Link};

    fn verdict(source: &str, bytes: &[u8]) -> u32 {
        let program = assemble(source).unwrap();
        let len = u32::try_from(bytes.len()).unwrap() + 100;
        let link = Link::Ethernet;
        Machine::new(1).run(&program.insns, &Packet { bytes, len, link })
    }

    #[test]
    fn programs_run_as_in_the_kernel() {
        let frame = [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06, 0x45, 0xff, 0xff, 0xff,
        ];
        for (source, wanted) in [
            ("ret #7", 7),
            ("ret a", 0),
            ("ldh [12]\nret a", 0x806),
            ("ldh #proto\nret a", 0x806),
            ("ldb [18]\nret #1", 0),
            ("ld [15]\nret #1", 0),
            ("ldx #1\nldb [x + 13]\nret a", 0x45),
            // Wraps around.
            ("ldx #0xffffffff\nldb [x + 15]\nret a", 0x45),
            ("ldx #0xfff00000\nldb [x + 0]\nret a", 0x45),
            ("ldx #0xffe00000\nldb [x + 13]\nret a", 0x06),
            // Not an extension.
            ("ldx #0xfffff000\nldb [x + 0]\nret #1", 0),
            ("ldb [0xfff00000]\nret a", 0x45),
            ("ldx 4*([14]&0xf)\ntxa\nret a", 20),
            ("ldx 4*([99]&0xf)\nret #1", 0),
            ("ld #len\nret a", 118),
            ("ldx #len\ntxa\nret a", 118),
            ("ld #7\nst M[15]\nld #0\nldx M[15]\ntxa\nret a", 7),
            ("ldx #5\nstx M[0]\nld M[0]\nret a", 5),
            ("ld #7\nldx #0\ndiv x\nret #1", 0),
            ("ld #7\nldx #0\nmod x\nret #1", 0),
            ("ld #7\nldx #2\nmod x\nret a", 1),
            ("ld #-8\ndiv #2\nret a", 0x7fff_fffc),
            ("ld #3\nldx #33\nlsh x\nret a", 6),
            ("ld #6\nldx #65\nrsh x\nret a", 3),
            ("ld #1\nneg\nret a", u32::MAX),
            ("ld #0xffffffff\nadd #3\nret a", 2),
            ("ld #1\nsub #2\nret a", u32::MAX),
            ("ld #0x10001\nmul #0x10001\nret a", 0x0002_0001),
            ("ld #12\nand #10\nor #1\nxor #3\nret a", 10),
            ("ld #6\nldx #3\nld #xorx\nret a", 5),
            ("ld #-1\njgt #1,Y,N\nY: ret #1\nN: ret #2", 1),
            ("ld #1\nldx #1\njge x,Y,N\nY: ret #1\nN: ret #2", 1),
            ("ld #6\njset #9,Y,N\nY: ret #1\nN: ret #2", 2),
            ("ld #1\njmp L\nK: ret #1\nL: ret #2", 2),
            ("ld #type\nret a", 0),
            ("ld #hatype\nret a", 1),
            ("ld #vlan_avail\nret a", 0),
            ("ld #poff\nret a", 14),
        ] {
            assert_eq!(verdict(source, &frame), wanted, "{source}");
        }
    }

    #[test]
    fn random_numbers_differ() {
        let program = assemble("ld #rand\nret a").unwrap();
        let packet = Packet {
            bytes: &[],
            len: 0,
            link: Link::Other,
        };
        let mut machine = Machine::new(1);
        let first = machine.run(&program.insns, &packet);
        assert_ne!(first, machine.run(&program.insns, &packet));
    }

    #[test]
    fn what_the_kernel_would_refuse_ends() {
        assert_eq!(verdict("ld #1\njmp L\nL: tax", &[]), 0);
        let packet = Packet {
            bytes: &[],
            len: 0,
            link: Link::Other,
        };
        let odd = Insn::from((0xffff, 0, 0, 0));
        assert_eq!(Machine::new(0).run(&[odd], &packet), 0);
        let far = Op::Jump.with(u32::MAX);
        assert_eq!(Machine::new(0).run(&[far], &packet), 0);
        assert_eq!(Machine::new(0).run(&[], &packet), 0);
    }
}
