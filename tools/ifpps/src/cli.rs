// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use clap::Parser;
use lana_cli::EXIT_STATUS;

const EXAMPLES: &str = "\
Examples:
  ifpps eth0            watch eth0
  ifpps eth0 eth1       watch two devices; without a name all but lo
  ifpps -p eth0         also put eth0 into promiscuous mode
  ifpps -t 250 eth0     update four times per second
  ifpps -c eth0         print one interval as CSV; -cl continues
  ifpps -jl eth0        print a JSON object each second
  ifpps -dev eth0 -promisc  the syntax of the first ifpps";

const KEYS: &str = "\
Keys:
  q  quit
  p  pause or continue
  s  sort CPUs by number, load, interrupts; blocks by name, packets, drops
  arrows, page up and down, home, end: scroll";

const READING: &str = "\
What it shows:
  Rates are per interval t, scaled to its measured length.
  RX and TX are counters of the device.
  irq counts the interrupts of the devices shown.
  soirq counts the network softirqs of all devices.
  mem is the memory that is not available.
  ifpps reads all this from /proc and /sys. If LANA is loaded, it also shows its
  blocks.";

/// Show the rates of network devices, with the load of the CPUs and LANA's blocks
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ifpps", version,
    after_help = format!("{EXAMPLES}\n\n{KEYS}\n\n{READING}\n\n{EXIT_STATUS}")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Cli {
    /// The devices to watch [default: all but the loopback]
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,

    /// A device to watch, as an option
    #[arg(short, long = "dev", value_name = "DEVICE")]
    pub(crate) dev: Vec<String>,

    /// The interval t in milliseconds: 10 to 3600000
    #[arg(short = 't', long, value_name = "MS", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(10..=3_600_000))]
    pub(crate) interval: u32,

    /// Put the devices into promiscuous mode while ifpps runs
    #[arg(short, long)]
    pub(crate) promisc: bool,

    /// Print CSV instead of a screen: a line for each device
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) csv: bool,

    /// Print JSON instead of a screen: an object for each interval
    #[arg(short, long)]
    pub(crate) json: bool,

    /// With -c or -j: continue until interrupted
    #[arg(short = 'l', long = "loop")]
    pub(crate) endless: bool,

    /// With -c: leave out the header line
    #[arg(short, long)]
    pub(crate) omit_header: bool,

    /// Show the median of the last eleven intervals
    #[arg(short, long)]
    pub(crate) median: bool,

    /// Show only the CPUS busiest CPUs
    #[arg(short, long, value_name = "CPUS")]
    pub(crate) num_cpus: Option<usize>,

    /// Show rates as a percentage of the line rate
    #[arg(short = 'P', long)]
    pub(crate) percentage: bool,

    /// Print no warnings, for example about a device that is down
    #[arg(short = 'W', long)]
    pub(crate) no_warn: bool,
}
