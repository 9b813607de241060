// SPDX-License-Identifier: GPL-2.0

//! Steps through a program by commands: where it is, what its registers are, where it is to stop.

use crate::{insn::Insn, listing, machine::Machine, packet::Packet};
use std::{collections::BTreeSet, fmt::Write as _};

/// What the user can say.
pub const HELP: &str = "\
step [N]       run one instruction, or N
run, continue  run to a breakpoint or to the end of the program
break [N]      stop before instruction N; without N list the breakpoints
clear N        do not stop there any more
registers      show them, and the scratch memory
list           show the program
packet         show the bytes of the packet
quit           end
The first letter is enough; an empty line is the last command again.
";

/// What is to be done after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next command is read.
    Ask,
    /// The program has ended; the next packet is taken.
    Next,
    /// The user has enough.
    Quit,
}

/// A program under observation.
#[derive(Debug)]
pub struct Debugger<'a> {
    insns: &'a [Insn],
    machine: Machine,
    breaks: BTreeSet<usize>,
    last: String,
}

impl<'a> Debugger<'a> {
    /// At the first instruction.
    pub fn new(insns: &'a [Insn], seed: u64) -> Self {
        Debugger {
            insns,
            machine: Machine::new(seed),
            breaks: BTreeSet::new(),
            last: String::new(),
        }
    }

    /// Begins a packet: what to show.
    pub fn begin(&mut self, number: u64, packet: &Packet<'_>) -> String {
        self.machine.restart();
        format!("packet {number}, {} bytes\n{}", packet.len, self.place())
    }

    /// Does what a line says: what to show, and what then.
    pub fn command(&mut self, line: &str, packet: &Packet<'_>) -> (String, Then) {
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut self.last);
        }
        let last = self.last.clone();
        let mut words = last.split_whitespace();
        let Some(command) = words.next() else {
            return (HELP.to_owned(), Then::Ask);
        };
        let argument = match words.next().map(str::parse::<usize>) {
            Some(Ok(number)) => Some(number),
            None => None,
            Some(Err(_)) => {
                return (
                    "a number is wanted behind the command\n".to_owned(),
                    Then::Ask,
                )
            }
        };
        let is = |name: &str| name.starts_with(command);
        // `r` runs, as people expect; registers begin at `re`.
        if is("step") {
            return self.advance(argument.unwrap_or(1), false, packet);
        }
        if is("run") || is("continue") {
            return self.advance(usize::MAX, true, packet);
        }
        let text = if is("break") {
            self.set_break(argument)
        } else if is("clear") {
            match argument {
                Some(at) if self.breaks.remove(&at) => format!("no stop at {at} any more\n"),
                _ => "there is no such breakpoint\n".to_owned(),
            }
        } else if is("registers") {
            self.registers()
        } else if is("list") {
            self.list()
        } else if is("packet") {
            dump(packet.bytes)
        } else if is("quit") || is("exit") {
            return (String::new(), Then::Quit);
        } else if is("help") || command == "?" {
            HELP.to_owned()
        } else {
            format!("there is no command {}: see help\n", command.escape_debug())
        };
        (text, Then::Ask)
    }

    fn advance(&mut self, count: usize, stop: bool, packet: &Packet<'_>) -> (String, Then) {
        for _ in 0..count {
            if let Some(verdict) = self.machine.step(self.insns, packet) {
                let word = if verdict == 0 { "dropped" } else { "passed" };
                return (format!("verdict {verdict}: {word}\n"), Then::Next);
            }
            if stop && self.breaks.contains(&self.machine.at) {
                break;
            }
        }
        (self.place(), Then::Ask)
    }

    fn set_break(&mut self, at: Option<usize>) -> String {
        match at {
            Some(at) if at < self.insns.len() => {
                self.breaks.insert(at);
                format!("stops at {}", self.insn(at))
            }
            Some(at) => format!("there is no instruction {at}\n"),
            None if self.breaks.is_empty() => "there are no breakpoints\n".to_owned(),
            None => self.breaks.iter().map(|at| self.insn(*at)).collect(),
        }
    }

    fn insn(&self, at: usize) -> String {
        match self.insns.get(at) {
            Some(insn) => format!("({at:03}) {}\n", listing::insn(at, *insn)),
            None => format!("({at:03}) behind the end\n"),
        }
    }

    fn place(&self) -> String {
        let Machine { a, x, .. } = &self.machine;
        format!("A {a:#x}  X {x:#x}  {}", self.insn(self.machine.at))
    }

    fn registers(&self) -> String {
        let Machine { a, x, memory, .. } = &self.machine;
        let mut text = format!("A     {a:#010x}  {a}\nX     {x:#010x}  {x}\n");
        for (index, word) in memory.iter().enumerate().filter(|(_, word)| **word != 0) {
            let name = format!("M[{index}]");
            let _ = writeln!(text, "{name:<5} {word:#010x}  {word}");
        }
        text
    }

    fn list(&self) -> String {
        let all = (0..self.insns.len()).map(|at| {
            let mark = if at == self.machine.at { '>' } else { ' ' };
            let stop = if self.breaks.contains(&at) { '*' } else { ' ' };
            format!("{mark}{stop}{}", self.insn(at))
        });
        all.collect()
    }
}

/// Bytes in hexadecimal digits, 16 a line.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        let _ = write!(text, "{:4}:", index * 16);
        for byte in line {
            let _ = write!(text, " {byte:02x}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assemble::assemble, packet::Link};

    #[test]
    fn a_program_is_stepped_through() {
        let program =
            assemble("ldh [0]\ntax\nstx M[3]\njeq #258,Y,N\nY: ret #9\nN: ret #0").unwrap();
        let packet = Packet {
            bytes: &[1, 2, 3],
            len: 3,
            link: Link::Ethernet,
        };
        let mut debugger = Debugger::new(&program.insns, 0);
        let begin = "packet 1, 3 bytes\nA 0x0  X 0x0  (000) ldh [0]\n";
        assert_eq!(debugger.begin(1, &packet), begin);
        for (line, text, then) in [
            ("step", "A 0x102  X 0x0  (001) tax\n", Then::Ask),
            ("", "A 0x102  X 0x102  (002) stx M[3]\n", Then::Ask),
            ("break", "there are no breakpoints\n", Then::Ask),
            ("b 4", "stops at (004) ret #9\n", Then::Ask),
            ("b 9", "there is no instruction 9\n", Then::Ask),
            ("b x", "a number is wanted behind the command\n", Then::Ask),
            ("continue", "A 0x102  X 0x102  (004) ret #9\n", Then::Ask),
            (
                "registers",
                "A     0x00000102  258\nX     0x00000102  258\nM[3]  0x00000102  258\n",
                Then::Ask,
            ),
            ("packet", "   0: 01 02 03\n", Then::Ask),
            ("clear 4", "no stop at 4 any more\n", Then::Ask),
            ("clear 4", "there is no such breakpoint\n", Then::Ask),
            ("hop", "there is no command hop: see help\n", Then::Ask),
            ("s 99", "verdict 9: passed\n", Then::Next),
            ("quit", "", Then::Quit),
        ] {
            assert_eq!(
                debugger.command(line, &packet),
                (text.to_owned(), then),
                "{line}"
            );
        }
        debugger.begin(2, &packet);
        let short = Packet {
            bytes: &[1],
            ..packet
        };
        let dropped = ("verdict 0: dropped\n".to_owned(), Then::Next);
        assert_eq!(debugger.command("run", &short), dropped);
        debugger.begin(3, &packet);
        assert!(debugger
            .command("list", &packet)
            .0
            .starts_with("> (000) ldh [0]\n  (001)"));
    }
}
