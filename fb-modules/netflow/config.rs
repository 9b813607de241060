// SPDX-License-Identifier: GPL-2.0

//! What can be set, and the texts that it is set by.

use super::{
    address::Address,
    exporter::{self, Format},
    key::Spec,
    option::{Directions, Initial, Number, OptionSpec, Size, Time, Values},
    options,
    record::Times,
    sampling::Sampling,
    setting::Parts,
    table, texts, words,
};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

texts! {
    Parts: Self::parse, "words of addresses,ports,protocol,tos,interface,vlan,mac,label,mpls";
    Sampling: Self::parse, "deterministic:N, random:N or hash:N, with N from 2 to 16383";
}

words! {
    /// How messages look.
    pub(crate) enum Version {
        Five = "5",
        Nine = "9",
        Ipfix = "ipfix",
    }
}

/// The time of a flow.
type Timeout = Time<0, { 1_000_000 * SECOND }>;

const fn seconds<const LEAST: u64>(seconds: u64) -> Time<LEAST, { 1_000_000 * SECOND }> {
    Time(seconds.saturating_mul(SECOND))
}

/// Milliseconds of a time.
fn in_milliseconds(time: u64) -> u32 {
    u32::try_from(time / 1_000_000).unwrap_or(u32::MAX)
}

pub(crate) const COLLECTOR: &str = "collector.";
pub(crate) const FLUSH: &str = "flush";
/// How many collectors there can be.
pub(crate) const COLLECTORS: usize = 8;
/// The longest message, and the shortest path that it has to fit.
pub(crate) const LONGEST: u64 = 9000;
/// What IPv6 or IPv4 and UDP have in front of a message.
const HEADERS: [usize; 2] = [28, 48];

options! {
    /// What can be set.
    pub(crate) struct Config {
        ..OptionSpec::text(
            "collector.N",
            "an address and a port such as 192.0.2.1:2055, tcp:192.0.2.1:4739 or sctp:[2001:db8::1]:4739",
            "Where messages go, by UDP, or with IPFIX by TCP or SCTP. N is from 0 to 7; each collector gets all",
        ),
        ..OptionSpec {
            key: FLUSH,
            values: Values::Words(&["yes"]),
            default: Initial::Text(""),
            doc: "Ends all flows and tells of them, once",
        },
        /// Version of the messages: NetFlow 5, NetFlow 9 or IPFIX
        version: Version = Version::Nine,
        /// Address of this host that messages have as their source. Empty: that of the route
        source: Option<Address> = None,
        /// Longest packet that carries a message, with its IP header
        mtu: Size<576, LONGEST> = Size(1500),
        /// Source identifier (NetFlow 9), observation domain (IPFIX), engine (NetFlow 5: the lowest 8 bits)
        domain: Number<0, { u32::MAX as u64 }> = Number(0),
        /// What packets of one flow have in common
        key: Parts = Parts::USUAL,
        /// Bits of IPv4 addresses that belong to the key
        prefix4: Number<0, 32> = Number(32),
        /// Bits of IPv6 addresses that belong to the key
        prefix6: Number<0, 128> = Number(128),
        /// Both directions of a conversation are one flow, and one record of IPFIX (RFC 5103)
        biflow: bool = false,
        /// Direction of the packets that count
        direction: Directions = Directions::Both,
        /// Of so many packets one counts: the first, a random one, or all of a flow. Empty: all count
        sampling: Option<Sampling> = None,
        /// Number of flows that the block can keep
        flows: Number<256, { table::MOST as u64 }> = Number(65_536),
        /// Time after which a flow is told of though it goes on
        active: Time<{ SECOND }, { 1_000_000 * SECOND }> = seconds(1800),
        /// Time without a packet after which a flow ends
        inactive: Time<{ SECOND / 10 }, { 1_000_000 * SECOND }> = seconds(15),
        /// Time without a packet after which a flow of TCP ends that has had a FIN or RST
        fin as "tcp.fin": Timeout = seconds(1),
        /// Time after which templates are sent again
        template_time as "template.time": Time<{ SECOND }, { 1_000_000 * SECOND }> = seconds(600),
        /// Number of messages after which templates are sent again
        template_packets as "template.packets": Number<1, 1_000_000> = Number(20),
        /// Messages per second, at most
        rate: Number<1, 10_000_000> = Number(10_000),
    }
}

impl Config {
    pub(crate) fn spec(&self) -> Spec {
        Spec {
            parts: self.key.0,
            prefix4: self.prefix4.0 as u8,
            prefix6: self.prefix6.0 as u8,
            biflow: self.biflow,
        }
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            active: in_milliseconds(self.active.0),
            idle: in_milliseconds(self.inactive.0),
            closing: in_milliseconds(self.fin.0),
        }
    }

    /// How messages look that go to collectors of IPv6, too, or to none.
    pub(crate) fn format(&self, ipv6: bool) -> Format {
        let headers = if ipv6 { HEADERS[1] } else { HEADERS[0] };
        Format {
            version: match self.version {
                Version::Five => exporter::Version::Five,
                Version::Nine => exporter::Version::Nine,
                Version::Ipfix => exporter::Version::Ipfix,
            },
            domain: self.domain.0 as u32,
            most: (self.mtu.0 as usize).saturating_sub(headers),
            sampling: self.sampling,
            template_time: in_milliseconds(self.template_time.0),
            template_messages: self.template_packets.0 as u32,
        }
    }
}

/// The number of a collector, as an index.
pub(crate) fn number_of(key: &str) -> Option<usize> {
    let number = key.strip_prefix(COLLECTOR)?;
    let index = number.parse::<usize>().ok()?;
    (index < COLLECTORS && number.len() == 1).then_some(index)
}
