// SPDX-License-Identifier: GPL-2.0

//! The command line.

use bpfc::forms::Form;
use clap::{ArgAction, Parser, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  bpfc arp.bpf > /proc/net/lana/fblock/fb5  compile a filter into a block
  bpfc -Vi arp.bpf                          show the program too, with its jumps as numbers
  bpfc -f xt_bpf arp.bpf                    print it as iptables takes it
  tcpdump -ddd -i eth0 arp | bpfc -d -      list a compiled program as source
  cpp filter.bpf | bpfc -                   use the C preprocessor
  bpfc --run arp.bpf -r x.pcap              print the packets of a capture that pass
  bpfc --debug arp.bpf -r x.pcap            step through it, with registers and breakpoints

Exit status:
  0  done
  1  the command line or the program is wrong, or a file is missing";

/// Compile, check, run and debug classic BPF programs
///
/// A source text has an instruction a line, such as `ldh [12]`, `jeq #0x806,L1,L2`, `L1: ret #0xffff`; `;`
/// begins a comment. A program that is compiled already is taken too, in any form.
#[derive(Debug, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[command(name = "bpfc", version, disable_version_flag = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The program; - is the standard input
    #[arg(required_unless_present = "input")]
    pub(crate) file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) input: Option<PathBuf>,
    /// Show the program and that it is valid, too
    #[arg(short = 'V', long)]
    pub(crate) verbose: bool,
    /// The form to print
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "C",
        ignore_case = true
    )]
    pub(crate) format: Format,
    /// Do not check the program
    #[arg(short, long)]
    pub(crate) bypass: bool,
    /// Print it as source
    #[arg(short, long, conflicts_with_all = ["verbose", "format", "bypass"])]
    pub(crate) dump: bool,
    /// Run it on a capture, as the kernel would: print number, time, length and verdict of what passes
    #[arg(long, requires = "read", conflicts_with_all = ["verbose", "format", "bypass", "dump"])]
    pub(crate) run: bool,
    /// Step through it, packet by packet, by commands on the standard input (see help there)
    #[arg(long, requires = "read", conflicts_with_all = ["verbose", "format", "bypass", "dump", "run", "json"])]
    pub(crate) debug: bool,
    /// The capture (pcap); - is the standard input
    #[arg(short, long, value_name = "PCAP")]
    pub(crate) read: Option<PathBuf>,
    /// Print a line of JSON for each packet that passes
    #[arg(short, long, requires = "run")]
    pub(crate) json: bool,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: (),
}

/// The names of the forms.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// { 0x28, 0, 0, 0x0000000c },
    #[value(name = "C", alias = "netsniff-ng")]
    C,
    /// 4,40 0 0 12,21 0 1 2054, for iptables
    #[value(name = "xt_bpf")]
    XtBpf,
    /// Lines of numbers, as `tcpdump -ddd` prints them
    #[value(name = "tcpdump")]
    Tcpdump,
    /// The shortest one that the block takes
    #[value(name = "hex")]
    Hex,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::C => Form::C,
            Format::XtBpf => Form::XtBpf,
            Format::Tcpdump => Form::Tcpdump,
            Format::Hex => Form::Hex,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
