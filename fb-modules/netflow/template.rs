// SPDX-License-Identifier: GPL-2.0

//! What records of NetFlow 9 and IPFIX consist of.

use super::{
    key::{Spec, LABEL, MAC, MPLS, VLAN},
    message::Message,
    record::{since, Ends, Flow},
};

/// What a template is for, as bits; with 256, its number. So a number means the same for ever.
pub(crate) type Kind = u16;
pub(crate) const V6: Kind = 1;
const WITH_VLAN: Kind = 2;
const WITH_MAC: Kind = 4;
const WITH_LABEL: Kind = 8;
const WITH_MPLS: Kind = 16;
const WITH_REVERSE: Kind = 32;
const WITH_PREFIX: Kind = 64;
pub(crate) const SAMPLED: Kind = 128;
/// Of IPFIX. No part of the number.
pub(crate) const IPFIX: Kind = 256;

/// The number of the first template.
pub(crate) const FIRST: u16 = 256;
/// The enterprise number of the elements of the other direction (RFC 5103).
const REVERSE: u32 = 29_305;
/// The bit of an element's number that says that an enterprise number follows.
const ENTERPRISE: u16 = 0x8000;

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Source,
    Destination,
    SourcePrefix,
    DestinationPrefix,
    Input,
    Output,
    Packets,
    Bytes,
    First,
    Last,
    SourcePort,
    DestinationPort,
    Protocol,
    Flags,
    Tos,
    Version,
    Icmp,
    Direction,
    End,
    Vlan,
    InnerVlan,
    PostVlan,
    SourceMac,
    DestinationMac,
    Label,
    Mpls,
    Sampler,
    BiflowDirection,
    ReversePackets,
    ReverseBytes,
    ReverseFirst,
    ReverseLast,
    ReverseFlags,
    ReverseTos,
}

/// All parts, in their order: bits that a template has if it has the part, and the values of these.
const FIELDS: [(Field, Kind, Kind); 34] = [
    (Field::Source, 0, 0),
    (Field::Destination, 0, 0),
    (Field::SourcePrefix, WITH_PREFIX, WITH_PREFIX),
    (Field::DestinationPrefix, WITH_PREFIX, WITH_PREFIX),
    (Field::Input, 0, 0),
    (Field::Output, 0, 0),
    (Field::Packets, 0, 0),
    (Field::Bytes, 0, 0),
    (Field::First, 0, 0),
    (Field::Last, 0, 0),
    (Field::SourcePort, 0, 0),
    (Field::DestinationPort, 0, 0),
    (Field::Protocol, 0, 0),
    (Field::Flags, 0, 0),
    (Field::Tos, 0, 0),
    (Field::Version, 0, 0),
    (Field::Icmp, 0, 0),
    (Field::Direction, 0, 0),
    (Field::End, IPFIX, IPFIX),
    (Field::Vlan, WITH_VLAN, WITH_VLAN),
    (Field::InnerVlan, WITH_VLAN | IPFIX, WITH_VLAN | IPFIX),
    (Field::PostVlan, WITH_VLAN, WITH_VLAN),
    (Field::SourceMac, WITH_MAC, WITH_MAC),
    (Field::DestinationMac, WITH_MAC, WITH_MAC),
    (Field::Label, WITH_LABEL | V6, WITH_LABEL | V6),
    (Field::Mpls, WITH_MPLS, WITH_MPLS),
    (Field::Sampler, SAMPLED | IPFIX, SAMPLED),
    (Field::BiflowDirection, WITH_REVERSE, WITH_REVERSE),
    (Field::ReversePackets, WITH_REVERSE, WITH_REVERSE),
    (Field::ReverseBytes, WITH_REVERSE, WITH_REVERSE),
    (Field::ReverseFirst, WITH_REVERSE, WITH_REVERSE),
    (Field::ReverseLast, WITH_REVERSE, WITH_REVERSE),
    (Field::ReverseFlags, WITH_REVERSE, WITH_REVERSE),
    (Field::ReverseTos, WITH_REVERSE, WITH_REVERSE),
];

/// What the template is for by which a flow is told of.
pub(crate) fn kind(spec: Spec, is_v6: bool, is_ipfix: bool, is_sampled: bool) -> Kind {
    let has = |part| spec.parts & part != 0;
    let bit = |is: bool, bit| if is { bit } else { 0 };
    bit(is_v6, V6)
        | bit(has(VLAN), WITH_VLAN)
        | bit(has(MAC), WITH_MAC)
        | bit(has(LABEL) && is_v6, WITH_LABEL)
        | bit(has(MPLS), WITH_MPLS)
        | bit(spec.biflow && is_ipfix, WITH_REVERSE)
        | bit(spec.prefix4 < 32 || spec.prefix6 < 128, WITH_PREFIX)
        | bit(is_sampled && !is_ipfix, SAMPLED)
        | bit(is_ipfix, IPFIX)
}

/// The number of a template.
pub(crate) fn number(kind: Kind) -> u16 {
    FIRST | kind & 0xff
}

/// What a template consists of.
fn fields(kind: Kind) -> impl Iterator<Item = Field> {
    let is = move |(field, bits, values)| (kind & bits == values).then_some(field);
    FIELDS.into_iter().filter_map(is)
}

/// The times at which a message is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The milliseconds by which flows are told, that go on while the machine runs.
    pub(crate) uptime: u32,
    /// Nanoseconds since 1970.
    pub(crate) real: u64,
}

impl Clock {
    pub(crate) fn seconds(&self) -> u32 {
        (self.real / 1_000_000_000) as u32
    }

    pub(crate) fn nanoseconds(&self) -> u32 {
        (self.real % 1_000_000_000) as u32
    }

    /// A time of a flow in milliseconds since 1970.
    fn absolute(&self, time: u32) -> u64 {
        let ago = since(self.uptime, time);
        (self.real / 1_000_000).saturating_sub(u64::from(ago))
    }
}

impl Field {
    /// Its number and its length, and whether it is of the other direction.
    fn element(self, kind: Kind) -> (u16, u16, bool) {
        let is_ipfix = kind & IPFIX != 0;
        let by_version = |of_v4, of_v6| if kind & V6 == 0 { of_v4 } else { of_v6 };
        let of_ipfix = |ipfix, nine| if is_ipfix { ipfix } else { nine };
        let (number, len) = match self {
            Self::Source => by_version((8, 4), (27, 16)),
            Self::Destination => by_version((12, 4), (28, 16)),
            Self::SourcePrefix => by_version((9, 1), (29, 1)),
            Self::DestinationPrefix => by_version((13, 1), (30, 1)),
            Self::Input => (10, 4),
            Self::Output => (14, 4),
            Self::Packets | Self::ReversePackets => (2, 8),
            Self::Bytes | Self::ReverseBytes => (1, 8),
            Self::First | Self::ReverseFirst => of_ipfix((152, 8), (22, 4)),
            Self::Last | Self::ReverseLast => of_ipfix((153, 8), (21, 4)),
            Self::SourcePort => (7, 2),
            Self::DestinationPort => (11, 2),
            Self::Protocol => (4, 1),
            Self::Flags | Self::ReverseFlags => (6, 1),
            Self::Tos | Self::ReverseTos => (5, 1),
            Self::Version => (60, 1),
            Self::Icmp if is_ipfix => by_version((32, 2), (139, 2)),
            Self::Icmp => (32, 2),
            Self::Direction => (61, 1),
            Self::End => (136, 1),
            Self::Vlan => of_ipfix((243, 2), (58, 2)),
            Self::InnerVlan => (245, 2),
            Self::PostVlan => of_ipfix((254, 2), (59, 2)),
            Self::SourceMac => (56, 6),
            Self::DestinationMac => (80, 6),
            Self::Label => of_ipfix((31, 4), (31, 3)),
            Self::Mpls => (70, 3),
            Self::Sampler => (48, 1),
            Self::BiflowDirection => (239, 1),
        };
        let is_reverse = matches!(
            self,
            Self::ReversePackets
                | Self::ReverseBytes
                | Self::ReverseFirst
                | Self::ReverseLast
                | Self::ReverseFlags
                | Self::ReverseTos
        );
        (number, len, is_reverse)
    }

    fn write(self, flow: &Flow, kind: Kind, spec: Spec, clock: &Clock, to: &mut Message) {
        let (source, destination) = flow.ports();
        let time = |time, to: &mut Message| match kind & IPFIX {
            0 => to.put_u32(time),
            _ => to.put_u64(clock.absolute(time)),
        };
        let prefix = if flow.is_v6() {
            spec.prefix6
        } else {
            spec.prefix4
        };
        let address = |is_source, to: &mut Message| match (flow.ends(), is_source) {
            (Ends::V4(address, _), true) | (Ends::V4(_, address), false) => to.put_u32(address),
            (Ends::V6(address, _), true) | (Ends::V6(_, address), false) => {
                to.put(&address.to_be_bytes());
            }
        };
        match self {
            Self::Source => address(true, to),
            Self::Destination => address(false, to),
            Self::SourcePrefix | Self::DestinationPrefix => to.put_u8(prefix),
            Self::Input => to.put_u32(flow.input()),
            Self::Output => to.put_u32(flow.rest.output),
            Self::Packets => to.put_u64(flow.hot.packets),
            Self::Bytes => to.put_u64(flow.hot.bytes),
            Self::First => time(flow.hot.first, to),
            Self::Last => time(flow.last(), to),
            Self::SourcePort => to.put_u16(source),
            Self::DestinationPort => to.put_u16(destination),
            Self::Protocol => to.put_u8(flow.protocol()),
            Self::Flags => to.put_u8(flow.hot.flags),
            Self::Tos => to.put_u8(flow.tos()),
            Self::Version => to.put_u8(if flow.is_v6() { 6 } else { 4 }),
            Self::Icmp => to.put_u16(if flow.is_icmp() { destination } else { 0 }),
            Self::Direction => to.put_u8(flow.is_egress().into()),
            Self::End => to.put_u8(flow.reason()),
            Self::Vlan => to.put_u16(flow.vlan()),
            Self::InnerVlan => to.put_u16(flow.inner_vlan()),
            Self::PostVlan => to.put_u16(if flow.is_egress() { flow.vlan() } else { 0 }),
            Self::SourceMac => to.put(&flow.macs().0),
            Self::DestinationMac => to.put(&flow.macs().1),
            Self::Label => {
                let [_, rest @ ..] = flow.flow_label().to_be_bytes();
                if kind & IPFIX != 0 {
                    to.put_u8(0);
                }
                to.put(&rest);
            }
            Self::Mpls => {
                let [_, rest @ ..] = flow.mpls().to_be_bytes();
                to.put(&rest);
            }
            // There is one sampler. And the first packet is that of who has begun, as far as is known.
            Self::Sampler | Self::BiflowDirection => to.put_u8(1),
            Self::ReversePackets => to.put_u64(flow.reverse.packets),
            Self::ReverseBytes => to.put_u64(flow.reverse.bytes),
            Self::ReverseFirst => time(flow.reverse_times().0, to),
            Self::ReverseLast => time(flow.reverse_times().1, to),
            Self::ReverseFlags => to.put_u8(flow.reverse.flags),
            Self::ReverseTos => to.put_u8(flow.reverse.tos),
        }
    }
}

/// How many bytes a record has.
pub(crate) fn size(kind: Kind) -> usize {
    let lens = fields(kind).map(|field| usize::from(field.element(kind).1));
    lens.fold(0, usize::saturating_add)
}

/// How many bytes the description has, without the set that it is in.
pub(crate) fn described(kind: Kind) -> usize {
    let sizes = fields(kind).map(|field| if field.element(kind).2 { 8 } else { 4 });
    sizes.fold(4, usize::saturating_add)
}

/// Writes the description: the number, how many parts there are, and these.
pub(crate) fn describe(kind: Kind, to: &mut Message) {
    to.put_u16(number(kind));
    let count = fields(kind).fold(0_u16, |count, _| count.wrapping_add(1));
    to.put_u16(count);
    for field in fields(kind) {
        let (number, len, is_reverse) = field.element(kind);
        to.put_u16(if is_reverse {
            number | ENTERPRISE
        } else {
            number
        });
        to.put_u16(len);
        if is_reverse {
            to.put_u32(REVERSE);
        }
    }
}

/// Writes a record.
pub(crate) fn write(flow: &Flow, kind: Kind, spec: Spec, clock: &Clock, to: &mut Message) {
    for field in fields(kind) {
        field.write(flow, kind, spec, clock, to);
    }
}
