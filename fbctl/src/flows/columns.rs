// SPDX-License-Identifier: GPL-2.0

//! Flows as lines: as many columns as there is room for, the most important ones first.

use super::{
    flow::{mac, Key, Way},
    reading::{Flows, Row},
    view::Sort,
};
use crate::{
    rates::{number, scaled},
    screen::choose,
};
use lana_cli::clean;
use std::net::IpAddr;

/// Between columns.
const GAP: usize = 2;
/// How far from the margin stands what is below a flow.
const INDENT: usize = 4;

/// A column, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Block,
    Protocol,
    Source,
    Destination,
    PacketRate,
    BitRate,
    Packets,
    Bytes,
    ReversePackets,
    ReverseBytes,
    Age,
    Idle,
    Flags,
    In,
    Out,
    Direction,
    Vlan,
    Tos,
    Macs,
    Label,
    Mpls,
}

use Column::{
    Age, BitRate, Block, Bytes, Destination, Direction, Flags, Idle, In, Label, Macs, Mpls, Out,
    PacketRate, Packets, Protocol, ReverseBytes, ReversePackets, Source, Tos, Vlan,
};

const ALL: [Column; 21] = [
    Block,
    Protocol,
    Source,
    Destination,
    PacketRate,
    BitRate,
    Packets,
    Bytes,
    ReversePackets,
    ReverseBytes,
    Age,
    Idle,
    Flags,
    In,
    Out,
    Direction,
    Vlan,
    Tos,
    Macs,
    Label,
    Mpls,
];

/// Which ones are shown first where there is no room for all: those of a group together.
const BY_IMPORTANCE: [&[Column]; 16] = [
    &[Protocol],
    &[PacketRate],
    &[Packets],
    &[ReversePackets],
    &[BitRate],
    &[Block],
    &[Bytes],
    &[ReverseBytes],
    &[Idle],
    &[Age],
    &[Flags],
    &[In, Out],
    &[Direction],
    &[Vlan],
    &[Tos],
    &[Macs, Label, Mpls],
];

impl Column {
    fn title(self) -> &'static str {
        match self {
            Block => "BLOCK",
            Protocol => "PROTO",
            Source => "SOURCE",
            Destination => "DESTINATION",
            PacketRate => "PACKETS/S",
            BitRate => "BITS/S",
            Packets => "PACKETS",
            Bytes => "BYTES",
            ReversePackets => "REV-PACKETS",
            ReverseBytes => "REV-BYTES",
            Age => "AGE",
            Idle => "IDLE",
            Flags => "FLAGS",
            In => "IN",
            Out => "OUT",
            Direction => "DIRECTION",
            Vlan => "VLAN",
            Tos => "TOS",
            Macs => "MACS",
            Label => "LABEL",
            Mpls => "MPLS",
        }
    }

    fn cell(self, flows: &Flows, row: &Row<'_>) -> String {
        let (key, counts) = (row.key, row.counts);
        let reverse = |of: fn(Way) -> u64| counts.reverse.map(|way| of(way).to_string());
        let some = |number: Option<u32>| number.map(|number| number.to_string());
        let text = match self {
            Block => {
                let block = flows.blocks.get(key.block as usize);
                block.map_or_else(String::new, |block| block.name.clone())
            }
            Protocol => match key.icmp() {
                Some([kind, code]) => format!("{} {kind}/{code}", key.protocol()),
                None => key.protocol(),
            },
            Source => endpoint(key, key.source, key.ports.0),
            Destination => endpoint(key, key.destination, key.ports.1),
            PacketRate => number(row.packet_rate),
            BitRate => scaled(row.bit_rate),
            Packets => counts.forward.packets.to_string(),
            Bytes => counts.forward.bytes.to_string(),
            ReversePackets => reverse(|way| way.packets).unwrap_or_default(),
            ReverseBytes => reverse(|way| way.bytes).unwrap_or_default(),
            Age => time(counts.age),
            Idle => time(counts.idle),
            Flags => match counts.reverse {
                Some(reverse) if key.has_flags() => {
                    format!("{}/{}", counts.forward.letters(), reverse.letters())
                }
                _ => counts.forward.letters(),
            },
            In => flows.devices.name(key.input),
            Out => flows.devices.name(key.output),
            Direction => key.direction().to_owned(),
            Vlan => match (key.vlan, key.inner_vlan) {
                (0, 0) => String::new(),
                (outer, 0) => outer.to_string(),
                (outer, inner) => format!("{outer}.{inner}"),
            },
            Tos => format!("{:#04x}", key.tos),
            Macs => match key.macs {
                Some([from, into]) => format!("{}>{}", mac(from), mac(into)),
                None => String::new(),
            },
            Label => some(key.label).unwrap_or_default(),
            Mpls => some(key.mpls).unwrap_or_default(),
        };
        if text.is_empty() {
            return "-".to_owned();
        }
        clean(&text)
    }

    /// The column that flows are sorted by.
    fn sorted_by(sort: Sort) -> Self {
        match sort {
            Sort::Rate => PacketRate,
            Sort::Bits => BitRate,
            Sort::Packets => Packets,
            Sort::Bytes => Bytes,
            Sort::Age => Age,
            Sort::Idle => Idle,
            Sort::Source => Source,
            Sort::Destination => Destination,
            Sort::Proto => Protocol,
        }
    }

    /// Whether there is something to show in it.
    fn is_there(self, flows: &Flows, rows: &[Row<'_>], sort: Sort) -> bool {
        let any = |has: fn(&Row<'_>) -> bool| rows.iter().any(has);
        match self {
            Block => flows.blocks.len() > 1,
            // After one reading they are those of the flow's life: for who asks.
            PacketRate | BitRate => flows.seconds().is_some() || Self::sorted_by(sort) == self,
            ReversePackets | ReverseBytes => any(|row| row.counts.reverse.is_some()),
            Flags => any(|row| row.key.has_flags()),
            Vlan => any(|row| row.key.vlan != 0),
            Tos => any(|row| row.key.tos != 0),
            Macs => any(|row| row.key.macs.is_some()),
            Label => any(|row| row.key.label.is_some()),
            Mpls => any(|row| row.key.mpls.is_some()),
            _ => true,
        }
    }

    fn is_number(self) -> bool {
        matches!(
            self,
            PacketRate
                | BitRate
                | Packets
                | Bytes
                | ReversePackets
                | ReverseBytes
                | Age
                | Idle
                | Label
                | Mpls
        )
    }
}

/// An address, and its port if it has one.
fn endpoint(key: &Key, address: IpAddr, port: u16) -> String {
    match address {
        _ if !key.has_ports() || key.ports == (0, 0) => address.to_string(),
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

/// A time in milliseconds, to read.
pub(super) fn time(millis: u32) -> String {
    let (tenths, seconds) = (millis / 100, millis / 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..10 => format!("{}.{}s", tenths / 10, tenths % 10),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// The columns that there is room for.
pub(super) struct Columns<'a> {
    flows: &'a Flows,
    shown: Vec<(Column, usize)>,
    /// Destinations stand below their flows.
    is_below: bool,
    /// The titles of the columns that there is no room for.
    pub(super) hidden: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(flows: &'a Flows, rows: &[Row<'_>], sort: Sort, room: Option<usize>) -> Self {
        let there = ALL.into_iter();
        let there = there.filter(|column| column.is_there(flows, rows, sort));
        let there: Vec<_> = there
            .map(|column| (column, width(column, flows, rows)))
            .collect();
        let find = |column: Column| there.iter().find(|(known, _)| *known == column);
        let width = |column: Column| find(column).map_or(0, |(_, width)| *width);
        // A flow is to have a figure beside its ends.
        let ends = [Source, Destination, Packets].map(|column| width(column) + GAP);
        let is_below = room.is_some_and(|room| ends.iter().sum::<usize>() - GAP > room);
        let first: &[Column] = if is_below {
            &[Source]
        } else {
            &[Source, Destination]
        };
        let sorted = [Column::sorted_by(sort)];
        let groups = [first, &sorted].into_iter().chain(BY_IMPORTANCE);
        let groups = groups.map(|group| {
            let group = group.iter().copied();
            group
                .filter(|column| find(*column).is_some() && !(is_below && *column == Destination))
                .collect()
        });
        let (chosen, _) = choose(groups, width, GAP, room);
        let is_shown = |column: &(Column, usize)| chosen.contains(&column.0);
        let (shown, hidden): (Vec<_>, Vec<_>) = there.into_iter().partition(is_shown);
        let hidden = hidden.into_iter().map(|(column, _)| column);
        let hidden = hidden.filter(|column| !(is_below && *column == Destination));
        Columns {
            flows,
            shown,
            is_below,
            hidden: hidden.map(Column::title).collect(),
        }
    }

    /// Their titles.
    pub(super) fn titles(&self) -> String {
        self.line(|column| column.title().to_owned())
    }

    /// A flow, in a line or two.
    pub(super) fn lines(&self, row: &Row<'_>) -> impl Iterator<Item = String> {
        let line = self.line(|column| column.cell(self.flows, row));
        let below = self.is_below.then(|| {
            let destination = Destination.cell(self.flows, row);
            format!("{:INDENT$}-> {destination}", "")
        });
        [line].into_iter().chain(below)
    }

    fn line(&self, cell: impl Fn(Column) -> String) -> String {
        let mut line = String::new();
        for (at, (column, width)) in self.shown.iter().enumerate() {
            if at > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let (cell, width) = (cell(*column), *width);
            line.push_str(&if column.is_number() {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            });
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn width(column: Column, flows: &Flows, rows: &[Row<'_>]) -> usize {
    let cells = rows.iter();
    let widths = cells.map(|row| column.cell(flows, row).chars().count());
    widths.max().unwrap_or_default().max(column.title().len())
}

#[cfg(test)]
mod tests {
    use super::super::reading::tests::{flows, later};
    use super::*;

    /// The lines of a table, and what it hides.
    fn table(flows: &Flows, sort: Sort, room: Option<usize>) -> (Vec<String>, String) {
        let filter = String::new().parse().unwrap();
        let mut rows: Vec<_> = flows.rows(&filter).collect();
        rows.sort_by(|a, b| a.key.cmp(b.key));
        let columns = Columns::new(flows, &rows, sort, room);
        let lines = rows.iter().flat_map(|row| columns.lines(row));
        let lines: Vec<_> = [columns.titles()].into_iter().chain(lines).collect();
        for line in lines.iter().filter(|_| room.is_some_and(|room| room >= 40)) {
            assert!(line.chars().count() <= room.unwrap(), "{room:?} {line}");
        }
        (lines, columns.hidden.join(" "))
    }

    #[test]
    fn a_flow_is_a_row() {
        let (lines, hidden) = table(&flows(None), Sort::Packets, None);
        let expected = [
            "PROTO     SOURCE              DESTINATION       PACKETS    BYTES    AGE  IDLE  FLAGS  IN    OUT   DIRECTION  VLAN  TOS",
            "icmp 8/0  192.0.2.1           192.0.2.2               3      252   0.4s  0.0s  -      lan0  -     ingress    -     0x00",
            "tcp       192.0.2.1:40000     198.51.100.7:443      114    53000  3m20s  1.1s  APSF   lan0  -     ingress    -     0x00",
            "tcp       198.51.100.7:443    192.0.2.1:40000      3000  4000000  3m19s  1.1s  APSF   lan1  lan0  egress     -     0x10",
            "udp       [2001:db8::1]:5000  [2001:db8::2]:53       40     4000   8.0s  2.0s  -      lan0  -     ingress    10    0x00",
        ];
        assert_eq!(
            (lines, hidden),
            (expected.map(str::to_owned).into(), String::new())
        );
    }

    #[test]
    fn a_narrow_terminal_has_what_matters_most() {
        let titles = |sort, room| {
            let (lines, hidden) = table(&flows(Some(later)), sort, Some(room));
            (
                lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
                hidden,
            )
        };
        for (room, shown, hidden) in [
            (
                120,
                "PROTO SOURCE DESTINATION PACKETS/S BITS/S PACKETS BYTES AGE IDLE FLAGS IN OUT",
                "DIRECTION VLAN TOS",
            ),
            (
                80,
                "PROTO SOURCE DESTINATION PACKETS/S BITS/S PACKETS BYTES",
                "AGE IDLE FLAGS IN OUT DIRECTION VLAN TOS",
            ),
            (
                60,
                "PROTO SOURCE DESTINATION PACKETS/S",
                "BITS/S PACKETS BYTES AGE IDLE FLAGS IN OUT DIRECTION VLAN TOS",
            ),
        ] {
            assert_eq!(
                titles(Sort::Rate, room),
                (shown.to_owned(), hidden.to_owned()),
                "{room}"
            );
        }
        assert!(titles(Sort::Idle, 60).0.contains("IDLE"));
        assert!(titles(Sort::Bits, 50).0.contains("BITS/S"));
    }

    #[test]
    fn ends_that_do_not_fit_stand_below_each_other() {
        let (lines, hidden) = table(&flows(None), Sort::Packets, Some(40));
        assert_eq!(
            lines[0],
            "PROTO  SOURCE  PACKETS"
                .replace("PROTO ", "PROTO    ")
                .replace("SOURCE ", "SOURCE             ")
        );
        assert_eq!(lines[3], "tcp       192.0.2.1:40000         114");
        assert_eq!(lines[4], "    -> 198.51.100.7:443");
        assert!(!hidden.contains("DESTINATION"), "{hidden}");
        for room in [1, 20, 30] {
            let (lines, _) = table(&flows(None), Sort::Packets, Some(room));
            assert!(lines[0].contains("SOURCE"), "{lines:?}");
        }
    }

    #[test]
    fn both_directions_have_columns() {
        let both = |file: &str| {
            file.replace(
                "packets=100 bytes=52000",
                "packets=100 bytes=52000 reverse.packets=9 reverse.bytes=900 reverse.flags=18",
            )
        };
        let (lines, _) = table(&flows(Some(both)), Sort::Packets, None);
        assert!(
            lines[0].contains("PACKETS    BYTES  REV-PACKETS  REV-BYTES"),
            "{}",
            lines[0]
        );
        assert!(
            lines[2].contains("  114    53000            9        900  "),
            "{}",
            lines[2]
        );
        assert!(lines[2].contains("APSF/AS"), "{}", lines[2]);
        assert!(
            lines[1].contains("    3      252            -          -  "),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn times_are_short() {
        for (millis, text) in [
            (0, "0.0s"),
            (9999, "9.9s"),
            (10_000, "10s"),
            (59_999, "59s"),
            (60_000, "1m00s"),
            (3_599_999, "59m59s"),
            (3_600_000, "1h00m"),
            (86_399_999, "23h59m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(time(millis), text);
        }
    }

    #[test]
    fn no_name_steers_the_terminal() {
        let mut flows = flows(None);
        flows.devices = super::super::devices::Devices::of(&[(2, "a\u{1b}[2J")]);
        let (lines, _) = table(&flows, Sort::Packets, None);
        assert!(
            lines.iter().all(|line| !line.contains('\u{1b}')),
            "{lines:?}"
        );
    }
}
