// SPDX-License-Identifier: GPL-2.0

//! The columns of `fbctl top`: as many as there is room for, the most important ones first.

use super::{float, Sort};
use crate::{
    rates::{number, reasons, scaled, times, ways, Report},
    screen::choose,
};
use lana_cli::{clean, screen::alarm, BlockRates};
use ratatui::text::{Line, Span};

/// Between columns.
const GAP: usize = 2;
/// How much of a name or a type is shown: all that the kernel allows.
const LONGEST: usize = 31;

/// A column, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Block,
    Type,
    PacketRate,
    Received,
    Sent,
    BitRate,
    DropRate,
    Nanos,
    Cpu,
    Packets,
    Bytes,
    Drops,
    Reasons,
}

use Column::{
    BitRate, Block, Bytes, Cpu, DropRate, Drops, Nanos, PacketRate, Packets, Reasons, Received,
    Sent, Type,
};

const ALL: [Column; 13] = [
    Block, Type, PacketRate, Received, Sent, BitRate, DropRate, Nanos, Cpu, Packets, Bytes, Drops,
    Reasons,
];

/// Which ones are shown first where there is no room for all: those of a group together.
const BY_IMPORTANCE: [&[Column]; 12] = [
    &[Block],
    &[PacketRate],
    &[DropRate],
    &[BitRate],
    &[Cpu],
    &[Nanos],
    &[Received, Sent],
    &[Type],
    &[Reasons],
    &[Drops],
    &[Packets],
    &[Bytes],
];
/// How far from the margin stands what is below a block.
const INDENT: usize = 4;

impl Column {
    fn title(self) -> &'static str {
        match self {
            Block => "BLOCK",
            Type => "TYPE",
            PacketRate => "PACKETS/S",
            Received => "RX/S",
            Sent => "TX/S",
            BitRate => "BITS/S",
            DropRate => "DROPS/S",
            Nanos => "NS/PKT",
            Cpu => "CPU%",
            Packets => "PACKETS",
            Bytes => "BYTES",
            Drops => "DROPS",
            Reasons => "REASONS",
        }
    }

    fn cell(self, report: &Report, block: &BlockRates) -> String {
        let time = || times(report, block);
        match self {
            Block => clean(&block.name),
            Type => clean(&block.kind),
            PacketRate => number(block.packets.rate),
            Received => {
                let [received, _] = ways(block);
                dash(received)
            }
            Sent => {
                let [_, sent] = ways(block);
                dash(sent)
            }
            BitRate => scaled(block.bytes.rate * 8.0),
            DropRate => number(block.drops.rate),
            Nanos => {
                let [nanos, _] = time();
                nanos
            }
            Cpu => {
                let [_, share] = time();
                share
            }
            Packets => block.packets.total.to_string(),
            Bytes => scaled(float(block.bytes.total)),
            Drops => block.drops.total.to_string(),
            Reasons => reasons(&block.reason_rates),
        }
    }

    /// How wide it is at least: so much that it does not change with each interval.
    fn least(self) -> usize {
        match self {
            Cpu => 5,
            Reasons => 16,
            _ => self.title().len(),
        }
    }

    fn most(self) -> usize {
        match self {
            Block | Type => LONGEST,
            // What does not fit goes below.
            Reasons => self.least(),
            _ => usize::MAX,
        }
    }

    /// The column that blocks are sorted by.
    fn sorted_by(sort: Sort) -> Self {
        match sort {
            Sort::Name => Block,
            Sort::Type => Type,
            Sort::Packets => PacketRate,
            Sort::Bits => BitRate,
            Sort::Drops => DropRate,
            Sort::Total => Drops,
            Sort::Ns => Nanos,
            Sort::Cpu => Cpu,
        }
    }

    /// Whether there is something to show in it.
    fn is_there(self, report: &Report) -> bool {
        match self {
            Nanos | Cpu => report.times.is_some(),
            Received | Sent => report.blocks.iter().any(|block| block.device.is_some()),
            _ => true,
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Block | Type | Reasons)
    }
}

/// What is not there.
fn dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// The titles of the columns, a line for each block, and the titles of those that there is no room for. Why a block drops
/// packets is never hidden: where its column has no room, it has a line of its own.
pub(super) fn columns(
    report: &Report,
    sort: Sort,
    room: Option<usize>,
) -> (String, Vec<Line<'static>>, Vec<&'static str>) {
    let widths = ALL.map(|column| (column, width(column, report)));
    let width = |column| widths.iter().find(|(known, _)| *known == column);
    let width = |column| width(column).map_or(0, |(_, width)| *width);
    let first = [Block, Column::sorted_by(sort)];
    let first = first.iter().map(std::slice::from_ref);
    let there = |group: &[Column]| {
        let there = group.iter().filter(|column| column.is_there(report));
        there.copied().collect()
    };
    let groups = first.chain(BY_IMPORTANCE).map(there);
    let (shown, left) = choose(groups, width, GAP, room);
    // It stands last, so it has what is left.
    let for_reasons = shown.contains(&Reasons).then(|| left + width(Reasons));
    let there = ALL.into_iter().filter(|column| column.is_there(report));
    let (shown, hidden): (Vec<_>, Vec<_>) = there.partition(|column| shown.contains(column));
    let hidden = hidden.into_iter().filter(|column| *column != Reasons);
    let last = shown.last().copied();
    let pad = |column: Column, text: &str| {
        let (width, gap) = (width(column), if column == Block { 0 } else { GAP });
        match column {
            _ if column.is_text() && Some(column) == last => format!("{:gap$}{text}", ""),
            _ if column.is_text() => format!("{:gap$}{text:<width$}", ""),
            _ => format!("{:gap$}{text:>width$}", ""),
        }
    };
    let titles = shown.iter().map(|column| pad(*column, column.title()));
    let lines = |block: &BlockRates| {
        let why = Reasons.cell(report, block);
        let is_below = for_reasons.is_none_or(|room| room < why.chars().count());
        let cells = shown.iter().map(|column| match column {
            Reasons if is_below => Span::from(""),
            DropRate => alarm(block.drops.rate, pad(*column, &column.cell(report, block))),
            _ => Span::from(pad(*column, &column.cell(report, block))),
        });
        let line = Line::from(cells.collect::<Vec<_>>());
        let below = Some(why).filter(|why| is_below && !why.is_empty());
        let below = below.map(|why| Line::from(format!("{:INDENT$}{why}", "")));
        [line].into_iter().chain(below)
    };
    (
        titles.collect(),
        report.blocks.iter().flat_map(lines).collect(),
        hidden.map(Column::title).collect(),
    )
}

fn width(column: Column, report: &Report) -> usize {
    let cells = report.blocks.iter();
    let cells = cells.map(|block| column.cell(report, block).chars().count());
    let widest = cells.max().unwrap_or_default().min(column.most());
    widest.max(column.least())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::timed;

    fn titles(sort: Sort, room: usize) -> (String, String) {
        let (titles, lines, hidden) = columns(&timed(), sort, Some(room));
        for line in lines.iter().filter(|_| room >= 16) {
            assert!(line.width() <= room, "{line}");
        }
        (titles, hidden.join(" "))
    }

    #[test]
    fn what_matters_most_is_shown() {
        let expected = [
            (121, "BLOCK       TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT   CPU%  PACKETS  BYTES  DROPS  REASONS", ""),
            (100, "BLOCK       TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT   CPU%  DROPS  REASONS", "PACKETS BYTES"),
            (80, "BLOCK       TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT   CPU%", "PACKETS BYTES DROPS"),
            (60, "BLOCK       PACKETS/S  BITS/S  DROPS/S  NS/PKT   CPU%", "TYPE RX/S TX/S PACKETS BYTES DROPS"),
            (40, "BLOCK       PACKETS/S  BITS/S  DROPS/S", "TYPE RX/S TX/S NS/PKT CPU% PACKETS BYTES DROPS"),
            (3, "BLOCK     ", "TYPE PACKETS/S RX/S TX/S BITS/S DROPS/S NS/PKT CPU% PACKETS BYTES DROPS"),
        ];
        for (room, shown, hidden) in expected {
            let (titles, others) = titles(Sort::Packets, room);
            assert_eq!((titles.trim_end(), &*others), (shown.trim_end(), hidden));
        }
    }

    #[test]
    fn the_column_that_blocks_are_sorted_by_is_shown() {
        assert!(titles(Sort::Ns, 40).0.contains("NS/PKT"));
        assert!(titles(Sort::Total, 40).0.contains("DROPS"));
    }

    #[test]
    fn why_a_block_drops_is_always_told() {
        let mut report = timed();
        let reasons = &mut report.blocks[1].reason_rates;
        reasons.insert("no-memory".into(), 1.0);
        let lines = |room| {
            let (_, lines, _) = columns(&report, Sort::Packets, room);
            let lines = lines.iter().map(ToString::to_string);
            let lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
            assert!(lines
                .iter()
                .all(|line| room.is_none_or(|room| line.len() <= room)));
            lines
        };
        let told = "filtered 800, no-memory 1.0";
        assert!(lines(None)[1].ends_with(&format!("  1200  {told}")));
        for room in [60, 80, 100, 122] {
            assert_eq!(lines(Some(room))[2], format!("    {told}"), "{room}");
        }
        assert!(lines(Some(130))[1].ends_with(told));
    }
}
