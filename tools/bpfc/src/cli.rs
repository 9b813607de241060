// SPDX-License-Identifier: GPL-2.0

//! The command line.

use bpfc::forms::Form;
use clap::{ArgAction, Parser, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  bpfc arp.bpf > /proc/net/lana/fblock/fb5  compile a filter into a block
  bpfc -Vi arp.bpf                          also show it, with jumps as numbers
  bpfc -f xt_bpf arp.bpf                    print it for iptables
  tcpdump -ddd -i eth0 arp | bpfc -d -      list a compiled program as source
  cpp filter.bpf | bpfc -                   use the C preprocessor
  bpfc --run arp.bpf -r x.pcap              print those of its packets that pass
  bpfc --debug arp.bpf -r x.pcap            run it step by step; breakpoints

Exit status:
  0  done
  1  wrong usage, a wrong program, or a missing file";

/// Compile, check, run and debug classic BPF programs
///
/// A source file has one instruction per line, such as `ldh [12]`, `jeq #0x806,L1,L2` or `L1: ret #0xffff`. `;` begins a
/// comment. bpfc also reads compiled programs, in each of its formats.
#[derive(Debug, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[command(name = "bpfc", version, disable_version_flag = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The program, as source or compiled. - is the standard input
    #[arg(required_unless_present = "input")]
    pub(crate) file: Option<PathBuf>,
    /// The program, as an option instead of the argument
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) input: Option<PathBuf>,
    /// Also show the program, and whether it is valid
    #[arg(short = 'V', long)]
    pub(crate) verbose: bool,
    /// Format of the output
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "C",
        ignore_case = true
    )]
    pub(crate) format: Format,
    /// Do not check that the program is valid
    #[arg(short, long)]
    pub(crate) bypass: bool,
    /// Print the program as source
    #[arg(short, long, conflicts_with_all = ["verbose", "format", "bypass"])]
    pub(crate) dump: bool,
    /// Run the program on a capture, as the kernel does. Print number, time, length and verdict of each packet that passes
    #[arg(long, requires = "read", conflicts_with_all = ["verbose", "format", "bypass", "dump"])]
    pub(crate) run: bool,
    /// Run the program on a capture step by step, with commands on the standard input. The command `help` lists them
    #[arg(long, requires = "read", conflicts_with_all = ["verbose", "format", "bypass", "dump", "run", "json"])]
    pub(crate) debug: bool,
    /// The capture for --run and --debug, in pcap format. - is the standard input
    #[arg(short, long, value_name = "PCAP")]
    pub(crate) read: Option<PathBuf>,
    /// With --run: print a line of JSON for each packet that passes
    #[arg(short, long, requires = "run")]
    pub(crate) json: bool,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: (),
}

/// The names of the forms.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Initialisers of C, such as { 0x28, 0, 0, 0x0000000c },
    #[value(name = "C", alias = "netsniff-ng")]
    C,
    /// One line for iptables, such as 4,40 0 0 12,21 0 1 2054
    #[value(name = "xt_bpf")]
    XtBpf,
    /// Lines of numbers, as `tcpdump -ddd` prints them
    #[value(name = "tcpdump")]
    Tcpdump,
    /// Hexadecimal, the shortest format for a bpf block
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
