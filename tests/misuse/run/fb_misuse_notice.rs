// SPDX-License-Identifier: GPL-2.0

//! Has something to tell with each packet, again and again: texts that are too long, empty, or of several lines.

use core::fmt::Write;
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_notice",
    authors: ["The LANA developers"],
    description: "LANA block: tells more than anybody wants to know",
    license: "GPL",
    alias: ["lana-fb-misuse-notice"],
}

struct Misuse;

/// A letter of two bytes, so often, behind one of a single byte: what is cut off does not end with a letter.
struct Long(usize);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('a')?;
        (0..self.0).try_for_each(|_| f.write_char('ä'))
    }
}

/// It cannot be written.
struct Fails;

impl fmt::Display for Fails {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

impl Block for Misuse {
    const TYPE: &'static str = "misuse-notice";
    const NOTIFIES: bool = true;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        (0..100).for_each(|_| cx.notify());
        cx.pass(packet)
    }

    fn notices(&self, tell: &mut dyn FnMut(fmt::Arguments<'_>), _process: &Process) {
        tell(format_args!("{}", Long(127)));
        tell(format_args!("{}", Long(100_000)));
        tell(format_args!(""));
        tell(format_args!("two\nlines\t\u{1b}[1m"));
        tell(format_args!("with\0nothing"));
        tell(format_args!("{Fails}"));
    }
}
