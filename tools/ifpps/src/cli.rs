// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use clap::Parser;
use lana_cli::EXIT_STATUS;

const EXAMPLES: &str = "\
Examples:
  ifpps eth0            watch eth0
  ifpps eth0 eth1       two devices; without a name all but the loopback
  ifpps -p eth0         in promiscuous mode, while it runs
  ifpps -t 250 eth0     four times a second
  ifpps -c eth0         the figures of one second as CSV; -cl goes on
  ifpps -jl eth0        an object of JSON each second
  ifpps -dev eth0 -promisc  as it was written in 2011";

const KEYS: &str = "\
Keys:
  q  end
  p  pause, and go on
  s  sort the CPUs by number, by load, by interrupts; the blocks by name, by packets, by drops
  arrows, page up and down, home, end: scroll";

const READING: &str = "\
What it shows:
  Rates are per interval t, which is a second unless -t is given, and go by the time that has really passed.
  RX and TX are the device's own counters. irq counts the interrupts of the devices shown, soirq the network
  softirqs of all. mem is what is not available. All of it is read from /proc and /sys; only the blocks come
  from LANA, if it is loaded.";

/// Show what network devices do, and the CPUs and LANA's blocks behind them
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ifpps", version,
    after_help = format!("{EXAMPLES}\n\n{KEYS}\n\n{READING}\n\n{EXIT_STATUS}")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Cli {
    /// Devices; all but the loopback unless one is named
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,

    /// A device, as an option
    #[arg(short, long = "dev", value_name = "DEVICE")]
    pub(crate) dev: Vec<String>,

    /// The interval t in milliseconds
    #[arg(short = 't', long, value_name = "MS", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(10..=3_600_000))]
    pub(crate) interval: u32,

    /// Put the devices into promiscuous mode while it runs
    #[arg(short, long)]
    pub(crate) promisc: bool,

    /// Print CSV: a line for each device
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) csv: bool,

    /// Print JSON: an object for each interval
    #[arg(short, long)]
    pub(crate) json: bool,

    /// With -c or -j: go on until a signal comes
    #[arg(short = 'l', long = "loop")]
    pub(crate) endless: bool,

    /// With -c: without the line of the columns' names
    #[arg(short, long)]
    pub(crate) omit_header: bool,

    /// Show the median of the last eleven intervals
    #[arg(short, long)]
    pub(crate) median: bool,

    /// Show as many CPUs, those with the most to do
    #[arg(short, long, value_name = "CPUS")]
    pub(crate) num_cpus: Option<usize>,

    /// Show how much of the line rate is used
    #[arg(short = 'P', long)]
    pub(crate) percentage: bool,

    /// No warnings, as of a device that is down
    #[arg(short = 'W', long)]
    pub(crate) no_warn: bool,
}
