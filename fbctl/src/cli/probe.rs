// SPDX-License-Identifier: GPL-2.0

//! What `trace` and `capture` take.

use clap::Args;
use lana_netlink::spec::ProbePoint;
use std::path::PathBuf;

/// What a filter looks like.
const FILTER: &str = "\
Filter:
  An expression, which tcpdump compiles, or @FILE: a program from bpfc.
  At the end of the command it needs no --filter, as with tcpdump.
  It sees the bytes of the packet, but no VLAN tag that the driver removed.";

#[derive(Debug, Args)]
#[command(after_help = FILTER)]
pub(crate) struct Trace {
    /// Follow packets from this block or device on [default: from where they enter the graph]
    #[arg(long, value_name = "DEV|BLOCK")]
    pub(crate) from: Option<String>,
    /// Follow only packets that match this filter where the trace begins
    #[arg(long, value_name = "EXPRESSION|@FILE", conflicts_with = "expression")]
    pub(crate) filter: Option<String>,
    /// The filter, which needs no --filter: `trace icmp or arp`
    #[arg(value_name = "EXPRESSION")]
    pub(crate) expression: Vec<String>,
    /// Stop after PACKETS packets [default: no limit]
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Also show MAC addresses, EtherType, length of the frame, CPU, and nanoseconds
    #[arg(short = 'e', long)]
    pub(crate) link: bool,
    /// Show only packets that no block dropped
    #[arg(long, conflicts_with = "drops")]
    pub(crate) ok: bool,
    /// Show only packets that a block dropped, or a copy of them
    #[arg(long)]
    pub(crate) drops: bool,
    /// Follow one of N packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: Option<u32>,
    /// Follow at most N packets per second, and count the rest [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = FILTER, override_usage = "fbctl capture [OPTIONS] BLOCK|DEV... [EXPRESSION]")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Capture {
    /// Blocks, or devices with a block: up to 16. A filter may follow, which needs no --filter: `capture eth0 icmp or arp`
    #[arg(required = true, value_name = "BLOCK|DEV")]
    pub(crate) blocks: Vec<String>,
    /// Packets that the block receives. This is the default without --in, --out and --drops
    #[arg(long = "in")]
    pub(crate) incoming: bool,
    /// Packets that the block passes on or sends, and the copies that it makes
    #[arg(long = "out")]
    pub(crate) outgoing: bool,
    /// Packets that the block drops, as it received them
    #[arg(long)]
    pub(crate) drops: bool,
    /// Capture only packets that match this filter
    #[arg(long, value_name = "EXPRESSION|@FILE")]
    pub(crate) filter: Option<String>,
    /// Stop after PACKETS packets [default: no limit]
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Also show MAC addresses, EtherType, length of the frame, and nanoseconds
    #[arg(short = 'e', long)]
    pub(crate) link: bool,
    /// Capture the first BYTES bytes of each packet: 1 to 65000 [default: all]
    #[arg(short = 'S', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub(crate) snaplen: Option<u32>,
    /// Capture at most N packets per second, and count the rest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Write the packets to FILE as pcapng, for Wireshark. - is the standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
}

impl Capture {
    /// The points that were asked for.
    pub(crate) fn points(&self) -> Vec<ProbePoint> {
        let none = !self.incoming && !self.outgoing && !self.drops;
        [
            (self.incoming || none, ProbePoint::In),
            (self.outgoing, ProbePoint::Out),
            (self.drops, ProbePoint::Drops),
        ]
        .into_iter()
        .filter_map(|(wanted, point)| wanted.then_some(point))
        .collect()
    }
}
