// SPDX-License-Identifier: GPL-2.0

//! Flows as the file of a block has them, `/proc/net/lana/fblock/NAME`.

use lana::prelude::{
    address::Mac,
    headers::{DCCP, ICMP, ICMPV6, PROTOCOLS, SCTP, TCP, UDP, UDPLITE},
};
use std::{
    io::{self, BufRead},
    net::IpAddr,
};

/// The bits of TCP, the highest first.
const FLAGS: [char; 8] = ['C', 'E', 'U', 'A', 'P', 'R', 'S', 'F'];

/// What tells a flow from others. Devices have the numbers that the kernel has for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The place of its block among those that are read.
    pub(super) block: u32,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: (u16, u16),
    pub(super) protocol: u8,
    pub(super) tos: u8,
    pub(super) egress: bool,
    pub(super) input: u32,
    pub(super) output: u32,
    /// 0 for none.
    pub(super) vlan: u16,
    pub(super) inner_vlan: u16,
    /// Where they are part of the block's key.
    pub(super) macs: Option<[[u8; 6]; 2]>,
    pub(super) label: Option<u32>,
    pub(super) mpls: Option<u32>,
}

/// What one direction has had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    flags: u8,
}

/// What a flow has had, and the milliseconds since its first and its last packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(super) forward: Way,
    /// The answers, where both directions are one flow.
    pub(super) reverse: Option<Way>,
    pub(super) age: u32,
    pub(super) idle: u32,
}

impl Way {
    fn add(self, other: Self) -> Self {
        Way {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            flags: self.flags | other.flags,
        }
    }

    /// The bits of TCP that were set in some packet, as letters.
    pub(super) fn letters(self) -> String {
        let bits = FLAGS.iter().rev().enumerate().rev();
        let set = bits.filter(|(bit, _)| self.flags >> bit & 1 == 1);
        set.map(|(_, letter)| letter).collect()
    }
}

impl Counts {
    /// That of both directions.
    pub(super) fn sums(&self) -> Way {
        self.forward.add(self.reverse.unwrap_or_default())
    }

    /// Adds what another CPU has of the same flow.
    pub(super) fn add(&mut self, other: &Self) {
        self.forward = self.forward.add(other.forward);
        self.reverse = match (self.reverse, other.reverse) {
            (Some(one), Some(other)) => Some(one.add(other)),
            (one, other) => one.or(other),
        };
        self.age = self.age.max(other.age);
        self.idle = self.idle.min(other.idle);
    }
}

impl Key {
    pub(super) fn has_ports(&self) -> bool {
        matches!(self.protocol, TCP | UDP | UDPLITE | SCTP | DCCP)
    }

    pub(super) fn has_flags(&self) -> bool {
        self.protocol == TCP
    }

    /// Type and code of ICMP.
    pub(super) fn icmp(&self) -> Option<[u8; 2]> {
        let is_icmp = matches!(self.protocol, ICMP | ICMPV6);
        is_icmp.then(|| self.ports.1.to_be_bytes())
    }

    /// The name of the protocol, or else its number.
    pub(super) fn protocol(&self) -> String {
        let mut names = PROTOCOLS.iter();
        let name = names.find(|(_, number)| *number == self.protocol);
        name.map_or_else(|| self.protocol.to_string(), |(name, _)| (*name).to_owned())
    }

    pub(super) fn direction(&self) -> &'static str {
        if self.egress {
            "egress"
        } else {
            "ingress"
        }
    }
}

/// The text of a MAC address.
pub(super) fn mac(bytes: [u8; 6]) -> String {
    Mac::from(bytes).to_string()
}

/// Reads a line.
fn parse(block: u32, line: &str) -> Option<(Key, Counts)> {
    let mut words = line.split_ascii_whitespace();
    let egress = match words.next()? {
        "ingress" => false,
        "egress" => true,
        _ => return None,
    };
    let (mut source, mut destination, mut macs) = (None, None, [None; 2]);
    let mut key = Key {
        block,
        source: IpAddr::V4(0.into()),
        destination: IpAddr::V4(0.into()),
        ports: (0, 0),
        protocol: 0,
        tos: 0,
        egress,
        input: 0,
        output: 0,
        vlan: 0,
        inner_vlan: 0,
        macs: None,
        label: None,
        mpls: None,
    };
    let mut counts = Counts::default();
    let mut reverse = None;
    let address = |text: &str| text.parse().ok();
    let mac = |text| Mac::parse(text).map(Mac::bytes);
    for word in words {
        let (name, value) = word.split_once('=')?;
        let time = || value.strip_suffix("ms")?.parse().ok();
        match name {
            "in" => key.input = value.parse().ok()?,
            "out" => key.output = value.parse().ok()?,
            "proto" => key.protocol = value.parse().ok()?,
            "src" => source = Some(address(value)?),
            "dst" => destination = Some(address(value)?),
            "sport" => key.ports.0 = value.parse().ok()?,
            "dport" => key.ports.1 = value.parse().ok()?,
            "tos" => key.tos = value.parse().ok()?,
            "vlan" => key.vlan = value.parse().ok()?,
            "inner" => key.inner_vlan = value.parse().ok()?,
            "smac" => macs = [Some(mac(value)?), macs[1]],
            "dmac" => macs = [macs[0], Some(mac(value)?)],
            "label" => key.label = Some(value.parse().ok()?),
            "mpls" => key.mpls = Some(value.parse().ok()?),
            "flags" => counts.forward.flags = value.parse().ok()?,
            "packets" => counts.forward.packets = value.parse().ok()?,
            "bytes" => counts.forward.bytes = value.parse().ok()?,
            "age" => counts.age = time()?,
            "idle" => counts.idle = time()?,
            "reverse.packets" => {
                let way: &mut Way = reverse.get_or_insert_default();
                way.packets = value.parse().ok()?;
            }
            "reverse.bytes" => reverse.get_or_insert_default().bytes = value.parse().ok()?,
            "reverse.flags" => reverse.get_or_insert_default().flags = value.parse().ok()?,
            // A newer block may say more.
            _ => {}
        }
    }
    (key.source, key.destination) = (source?, destination?);
    if let [Some(from), Some(into)] = macs {
        key.macs = Some([from, into]);
    }
    counts.reverse = reverse;
    Some((key, counts))
}

/// Reads the next line of a file; none at its end.
fn next<'a>(file: &mut impl BufRead, line: &'a mut String) -> io::Result<Option<&'a str>> {
    line.clear();
    let size = file.read_line(line)?;
    Ok((size > 0).then(|| line.trim_end()))
}

/// Reads the counters of a block, with which its file begins.
pub(super) fn counters(file: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let (mut line, mut counters) = (String::new(), Vec::new());
    while let Some(text) = next(file, &mut line)?.filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        counters.push((name.to_owned(), value.to_owned()));
    }
    Ok(counters)
}

/// Reads the flows, which are behind them, one by one.
pub(super) fn flows(
    file: &mut impl BufRead,
    block: u32,
    mut take: impl FnMut(Key, Counts),
) -> io::Result<()> {
    let mut line = String::new();
    while let Some(text) = next(file, &mut line)? {
        let no_flow = || io::Error::other(format!("this line is no flow: {text}"));
        let (key, counts) = parse(block, text).ok_or_else(no_flow)?;
        take(key, counts);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a block's file says.
    pub(crate) const FILE: &str = "\
current=5
load=0
packets=3157
lost.full.packets=7
lost.unsent.packets=0

ingress in=2 out=0 proto=1 src=192.0.2.1 dst=192.0.2.2 sport=0 dport=2048 tos=0 flags=0 packets=3 bytes=252 age=410ms idle=0ms
ingress in=2 out=0 proto=6 src=192.0.2.1 dst=198.51.100.7 sport=40000 dport=443 tos=0 flags=26 packets=100 bytes=52000 age=200000ms idle=1200ms
egress in=3 out=2 proto=6 src=198.51.100.7 dst=192.0.2.1 sport=443 dport=40000 tos=16 flags=27 packets=3000 bytes=4000000 age=199990ms idle=1190ms
ingress in=2 out=0 proto=17 src=2001:db8::1 dst=2001:db8::2 sport=5000 dport=53 tos=0 flags=0 vlan=10 packets=40 bytes=4000 age=8000ms idle=2000ms
ingress in=2 out=0 proto=6 src=192.0.2.1 dst=198.51.100.7 sport=40000 dport=443 tos=0 flags=1 packets=14 bytes=1000 age=1000ms idle=1100ms
";

    fn flow(line: &str) -> (Key, Counts) {
        parse(0, line).unwrap()
    }

    type Read = (Vec<(String, String)>, Vec<(Key, Counts)>);

    /// The counters, and the flows.
    pub(crate) fn read(mut file: &[u8], block: u32) -> io::Result<Read> {
        let (counters, mut found) = (counters(&mut file)?, Vec::new());
        flows(&mut file, block, |key, counts| found.push((key, counts)))?;
        Ok((counters, found))
    }

    #[test]
    fn a_line_is_a_flow() {
        let (counters, flows) = read(FILE.as_bytes(), 3).unwrap();
        assert_eq!(counters.len(), 5);
        assert_eq!(
            counters[3],
            ("lost.full.packets".to_owned(), "7".to_owned())
        );
        assert_eq!(flows.len(), 5);
        let (key, counts) = &flows[2];
        assert_eq!(
            (key.block, key.egress, key.input, key.output),
            (3, true, 3, 2)
        );
        assert_eq!((key.ports, key.tos, key.protocol), ((443, 40000), 16, 6));
        assert_eq!(key.source.to_string(), "198.51.100.7");
        assert_eq!(counts.forward.letters(), "APSF");
        assert_eq!((counts.forward.packets, counts.age), (3000, 199_990));
        assert_eq!(flows[0].0.icmp(), Some([8, 0]));
        assert_eq!(
            (flows[0].0.protocol(), flows[3].0.protocol()),
            ("icmp".into(), "udp".into())
        );
        assert_eq!(flows[3].0.vlan, 10);
    }

    #[test]
    fn all_that_a_key_can_have_is_read() {
        let line = "ingress in=0 out=0 proto=250 src=::1 dst=::2 sport=1 dport=2 tos=0 flags=0 inner=6 \
            smac=02:00:00:00:00:01 dmac=02:00:00:00:00:02 label=9 mpls=7 packets=1 bytes=2 reverse.packets=3 \
            reverse.bytes=4 reverse.flags=18 age=0ms idle=0ms new=x";
        let (key, counts) = flow(line);
        assert_eq!((key.inner_vlan, key.label, key.mpls), (6, Some(9), Some(7)));
        let macs = key.macs.unwrap().map(mac);
        assert_eq!(macs, ["02:00:00:00:00:01", "02:00:00:00:00:02"]);
        assert_eq!(key.protocol(), "250");
        assert!(!key.has_ports());
        let sums = counts.sums();
        assert_eq!((sums.packets, sums.bytes), (4, 6));
        assert_eq!(counts.reverse.unwrap().letters(), "AS");
    }

    #[test]
    fn what_is_no_flow_is_an_error() {
        for line in [
            "nothing",
            "ingress in=2",
            "ingress src=192.0.2.1 dst=x",
            "ingress src=192.0.2.1 dst=192.0.2.2 packets=-1",
            "ingress src=192.0.2.1 dst=192.0.2.2 age=5",
            "ingress src=192.0.2.1 dst=192.0.2.2 word",
        ] {
            assert_eq!(parse(0, line), None, "{line}");
            let error = read(format!("\n{line}\n").as_bytes(), 0).unwrap_err();
            assert!(error.to_string().ends_with(line), "{error}");
        }
    }

    #[test]
    fn cpus_have_parts_of_a_flow() {
        let (_, flows) = read(FILE.as_bytes(), 0).unwrap();
        assert_eq!(flows[1].0, flows[4].0);
        let mut sum = flows[1].1;
        sum.add(&flows[4].1);
        assert_eq!((sum.forward.packets, sum.forward.bytes), (114, 53_000));
        assert_eq!((sum.age, sum.idle), (200_000, 1100));
        assert_eq!(sum.forward.letters(), "APSF");
    }
}
