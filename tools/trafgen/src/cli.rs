// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use clap::{ArgAction, ArgGroup, Parser};
use lana_cli::EXIT_STATUS;
use std::{net::Ipv4Addr, path::PathBuf, time::Duration};
use trafgen::amount::{rate, size, time, Rate};

const EXAMPLES: &str = "\
Examples:
  trafgen -dev eth0 -conf trafgen.txf -bind 0      send a file from CPU 0
  trafgen -d eth0 -n 1000 '{ udp(dp=7) \"hello\" }'  send a packet 1000 times
  trafgen -d eth0 -c syn.txf --rate 100kpps        send at a rate
  trafgen -d eth0 -c syn.txf -P 2                  send from two CPUs
  trafgen -i dump.pcap -d eth0                     replay with its timing
  trafgen -c syn.txf -n 10 -o syn.pcap             write a capture
  trafgen -n 5 --lana eth0 '{ lana(id=10) 1 2 3 }' send through LANA's eth0
  trafgen -e                                       print example packets";

/// Generate traffic from packets that a small language describes
#[derive(Debug, Parser)]
#[command(
    name = "trafgen", version, disable_version_flag = true,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
    group = ArgGroup::new("to").args(["dev", "lana", "lana_below"]),
)]
#[expect(clippy::struct_excessive_bools, reason = "options")]
pub(crate) struct Cli {
    /// One or more packets in trafgen's language
    pub(crate) packet: Option<String>,
    /// The device to send from, or a file to write: NAME.pcap, NAME.cfg, or - for the standard output
    #[arg(
        short,
        long,
        short_alias = 'o',
        visible_alias = "out",
        value_name = "DEVICE|FILE"
    )]
    pub(crate) dev: Option<String>,
    /// The packets: a file in trafgen's language, a capture NAME.pcap, or - for the standard input
    #[arg(
        short,
        long,
        short_alias = 'i',
        visible_alias = "in",
        value_name = "FILE",
        conflicts_with = "packet"
    )]
    pub(crate) conf: Option<PathBuf>,
    /// Send into LANA's graph, down through this block
    #[arg(long, value_name = "BLOCK")]
    pub(crate) lana: Option<String>,
    /// Send into LANA's graph, up into this block
    #[arg(long, value_name = "BLOCK")]
    pub(crate) lana_below: Option<String>,
    /// Number of packets. 0 means no limit, or each packet once if trafgen writes a file
    #[arg(short, long, default_value_t = 0)]
    pub(crate) num: u64,
    /// Choose the packets at random instead of in turn
    #[arg(short, long)]
    pub(crate) rand: bool,
    /// Send from this CPU, and move the device's interrupts to it
    #[arg(short, long, value_name = "CPU", conflicts_with = "cpus")]
    pub(crate) bind: Option<u32>,
    /// Do not move the device's interrupts
    #[arg(short = 'B', long, short_alias = 'Q', visible_alias = "notouch-irq")]
    pub(crate) no_interrupts: bool,
    /// Send from the first N CPUs, or from CPUs FIRST to LAST
    #[arg(short = 'P', long, value_name = "N|FIRST-LAST", value_parser = cpus)]
    pub(crate) cpus: Option<(u32, u32)>,
    /// Time for which trafgen fills the ring between two system calls
    #[arg(short, long, value_name = "TIME", default_value = "10us", value_parser = time)]
    pub(crate) kick: Duration,
    /// Size of the ring, such as 10MB or 1GiB [default: depends on the packets]
    #[arg(short = 'S', long, value_name = "SIZE", value_parser = size)]
    pub(crate) ring_size: Option<usize>,
    /// Send one packet per system call, with this time between two
    #[arg(short = 't', long, value_name = "TIME", value_parser = time, conflicts_with = "rate")]
    pub(crate) gap: Option<Duration>,
    /// Send at this rate, with a unit: pps, kpps, Mpps, bit, kbit, Mbit, Gbit, B, kB, MB, GB, KiB, MiB or GiB per second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<Rate>,
    /// Replay a capture as fast as possible, without its timing
    #[arg(long, conflicts_with_all = ["gap", "rate"])]
    pub(crate) fast: bool,
    /// Ping this host after each packet, and stop if it does not answer
    #[arg(short, long, value_name = "IPV4")]
    pub(crate) smoke_test: Option<Ipv4Addr>,
    /// Seed of the random bytes. The same seed gives the same packets [default: random]
    #[arg(short = 'E', long)]
    pub(crate) seed: Option<u64>,
    /// Switch to this user after the set-up
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Switch to this group after the set-up
    #[arg(short, long)]
    pub(crate) group: Option<String>,
    /// Raise the priority of the process
    #[arg(short = 'H', long)]
    pub(crate) prio_high: bool,
    /// Send through the queueing discipline instead of bypassing it
    #[arg(short, long)]
    pub(crate) qdisc_path: bool,
    /// Run the C preprocessor on the packets first
    #[arg(short = 'p', long)]
    pub(crate) cpp: bool,
    /// With --cpp: define a macro
    #[arg(short = 'D', long, value_name = "NAME=VALUE", requires = "cpp")]
    pub(crate) define: Vec<String>,
    /// Leave the checksums of header functions at 0
    #[arg(short = 'C', long)]
    pub(crate) no_csum: bool,
    /// Send 802.11 frames behind a radiotap header. The device is in monitor mode
    #[arg(short = 'R', long)]
    pub(crate) rfraw: bool,
    /// Has no effect: the ring always has room for the longest packet
    #[arg(short = 'J', long)]
    pub(crate) jumbo_support: bool,
    /// Has no effect: sockets get their memory without a change of the system's limits
    #[arg(short = 'A', long, hide = true)]
    pub(crate) no_sock_mem: bool,
    /// Print the totals as JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Print details on the standard error
    #[arg(short = 'V', long)]
    pub(crate) verbose: bool,
    /// Print example packets
    #[arg(short, long, exclusive = true)]
    pub(crate) example: bool,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// `4`: the first four; `2-3`: these.
fn cpus(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "not a number of CPUs, and no range as 0-3 is one".to_owned();
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    match text.split_once('-') {
        Some((first, last)) => Ok((number(first)?, number(last)?))
            .and_then(|(first, last)| (first <= last).then_some((first, last)).ok_or_else(wrong)),
        None => number(text)?
            .checked_sub(1)
            .map(|last| (0, last))
            .ok_or_else(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn cpus_are_a_number_or_a_range() {
        assert_eq!((cpus("2"), cpus("1-3")), (Ok((0, 1)), Ok((1, 3))));
        assert!(cpus("0").is_err() && cpus("3-1").is_err() && cpus("x").is_err());
    }
}
