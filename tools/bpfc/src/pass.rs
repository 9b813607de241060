// SPDX-License-Identifier: GPL-2.0

//! Runs a program on a capture: what passes is printed, or each instruction is looked at.

use crate::capture::{Capture, Captured};
use anyhow::Result;
use bpfc::{
    debugger::{Debugger, Then},
    insn::Insn,
    machine::Machine,
    packet::{Link, Packet},
};
use lana_cli::{usage, Output};
use lana_netlink::errno_text;
use serde::Serialize;
use std::{
    io::{self, BufRead, IsTerminal},
    time::{SystemTime, UNIX_EPOCH},
};

/// A packet that passes, for programs.
#[derive(Serialize)]
struct Passed<'a> {
    number: u64,
    time: &'a str,
    length: u32,
    verdict: u32,
}

/// Where the random numbers of `#rand` begin.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()))
}

fn packet(captured: &Captured, link: Link) -> Packet<'_> {
    Packet {
        bytes: &captured.bytes,
        len: captured.len,
        link,
    }
}

/// Prints a line for each packet that passes, in JSON or else with how many there were.
pub(crate) fn run(
    insns: &[Insn],
    capture: &mut Capture,
    json: bool,
    out: &mut Output,
) -> Result<()> {
    let (link, mut machine) = (capture.link(), Machine::new(seed()));
    let (mut all, mut passed) = (0u64, 0u64);
    while let Some(captured) = capture.next()? {
        all += 1;
        let verdict = machine.run(insns, &packet(&captured, link));
        if verdict == 0 {
            continue;
        }
        passed += 1;
        let Captured {
            number, time, len, ..
        } = &captured;
        if json {
            out.json_line(&Passed {
                number: *number,
                time,
                length: *len,
                verdict,
            })?;
        } else {
            out.line(&format!("{number:>6}  {time}  {len:>5}  {verdict}"))?;
        }
    }
    if !json {
        out.line(&format!("{passed} of {all} packets pass"))?;
    }
    out.flush()
}

/// Steps through the program, packet by packet, as the standard input says.
pub(crate) fn debug(insns: &[Insn], capture: &mut Capture, out: &mut Output) -> Result<()> {
    let (link, mut debugger) = (capture.link(), Debugger::new(insns, seed()));
    let mut lines = io::stdin().lock().lines();
    let prompt = if io::stdin().is_terminal() { "> " } else { "" };
    while let Some(captured) = capture.next()? {
        let packet = packet(&captured, link);
        out.text(&debugger.begin(captured.number, &packet))?;
        loop {
            out.text(prompt)?;
            out.flush()?;
            let Some(line) = lines.next() else {
                return Ok(());
            };
            let line = line.map_err(|e| usage(format!("standard input: {}", errno_text(&e))))?;
            let (text, then) = debugger.command(&line, &packet);
            out.text(&text)?;
            match then {
                Then::Ask => {}
                Then::Next => break,
                Then::Quit => return out.flush(),
            }
        }
    }
    out.text("no packets are left\n")?;
    out.flush()
}
