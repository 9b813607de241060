// SPDX-License-Identifier: GPL-2.0

//! The hops of a traced packet and of those that were made of it, in the order to show them in: below
//! the hop that made them.

use lana_netlink::spec::HopAttrs;
use std::collections::BTreeMap;

/// A hop, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) hop: &'a HopAttrs,
    /// So many packets stand between it and the traced one.
    pub(crate) depth: usize,
    /// It is the first one of its packet.
    pub(crate) first: bool,
    /// The block that the packet came to next.
    pub(crate) next: Option<u32>,
    /// The block that made its packet, if it is the first one of that.
    pub(crate) maker: Option<u32>,
    /// Which hop of the record it is.
    pub(crate) at: usize,
}

/// The hops of each packet, by its number, in the order of time; each with its place in the record.
type Packets<'a> = BTreeMap<u32, Vec<(usize, &'a HopAttrs)>>;

/// The rows of a record. The first hop is that of the traced packet.
pub(crate) fn rows(hops: &[HopAttrs]) -> Vec<Row<'_>> {
    let mut packets = Packets::new();
    for (at, hop) in hops.iter().enumerate() {
        let packet = hop.packet.unwrap_or_default();
        packets.entry(packet).or_default().push((at, hop));
    }
    let mut rows = Vec::with_capacity(hops.len());
    if let Some(root) = hops.first() {
        let root = root.packet.unwrap_or_default();
        add(&mut rows, &mut packets, root, 0, None);
    }
    // Those of which the record does not say who made them.
    while let Some(packet) = packets.keys().next().copied() {
        add(&mut rows, &mut packets, packet, 1, None);
    }
    rows
}

/// Adds the hops of a packet, each with the packets that were made there.
fn add<'a>(
    rows: &mut Vec<Row<'a>>,
    packets: &mut Packets<'a>,
    packet: u32,
    depth: usize,
    mut maker: Option<u32>,
) {
    // Taken out: whatever the kernel says, none is shown twice.
    let hops = packets.remove(&packet).unwrap_or_default();
    let mut rest = hops.iter().peekable();
    let mut first = true;
    while let Some(&(at, hop)) = rest.next() {
        let next = rest.peek().and_then(|(_, next)| next.idp);
        rows.push(Row {
            hop,
            depth,
            first,
            next,
            maker: maker.take(),
            at,
        });
        first = false;
        let (Some(from), Some(made)) = (hop.made_first, hop.made) else {
            continue;
        };
        let made: Vec<_> = packets
            .range(from..from.saturating_add(made))
            .map(|(number, _)| *number)
            .collect();
        for packet in made {
            add(rows, packets, packet, depth + 1, hop.idp);
        }
    }
}
