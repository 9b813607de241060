// SPDX-License-Identifier: GPL-2.0

//! A traced packet in words: what is printed, and what a page shows.

use super::{
    fields::Fields,
    tree::{rows, Row},
};
use crate::picture::model::is_usual;
use crate::probe::{
    names::Names,
    packet::{span, Packet as Bytes},
    part::Part,
    summary::Detail,
    watch::{lost_text, TRACED},
    way, with_drop,
};
use lana_cli::Line;
use lana_netlink::{
    spec::{DropReason, HopAttrs, HopEnd},
    wire::Value,
};
use serde::Serialize;
use std::fmt::Write;

/// So many changes of a hop are shown.
const CHANGES: usize = 12;
/// So many of them in a line, where that has no end.
const ABREAST: usize = 3;
/// Where the blocks stand in a line.
const MARGIN: usize = 14;
/// What stands below a line that was too long is so far from the margin.
const INDENT: usize = 4;

/// A traced packet in words.
#[derive(Debug, Serialize)]
pub(crate) struct Packet {
    /// Packets that were lost before it.
    lost: u64,
    head: String,
    /// In the order of time.
    hops: Vec<Hop>,
}

/// A hop in words.
#[derive(Debug, Serialize)]
struct Hop {
    time: String,
    /// So many packets stand between the one that is traced and this one.
    depth: usize,
    /// It is the first one of its packet.
    first: bool,
    /// The block that has made its packet, if it is the first one of that.
    maker: Option<String>,
    /// The block, with its type.
    block: String,
    way: &'static str,
    outcome: String,
    /// The packet was dropped.
    dropped: bool,
    /// And not for what filters are for.
    bad: bool,
    #[serde(skip)]
    reason: Option<Value<DropReason>>,
    took: Option<String>,
    /// What the block has changed.
    changes: Vec<String>,
    /// And so much more.
    more: usize,
}

impl Packet {
    /// With so much of what the packet is.
    pub(crate) fn of(part: &Part<'_>, names: &Names, detail: Detail) -> Self {
        let &Part {
            record,
            lost,
            number,
            ..
        } = part;
        let packet = Bytes::of(record);
        let time = record.time.unwrap_or_default();
        let mut head = format!("{number}. ");
        // Writing to a string does not fail.
        let _ = write!(head, "{} ", detail.clock(time));
        if detail != Detail::Brief {
            let cpu = record.cpu.unwrap_or_default();
            let frame = if record.frame.is_some() { "frame " } else { "" };
            let _ = write!(head, "cpu {cpu} {frame}");
        }
        if let Some(block) = part.released(names) {
            let _ = write!(head, "released by {block}");
            let _ = match part.waited {
                Some(waited) => write!(head, " after {}", span(waited)),
                None => write!(head, " (the part before is not shown)"),
            };
            head.push_str(": ");
        }
        head.push_str(&detail.text(&packet.data, packet.len));
        let mut rows = rows(&record.hop);
        // The kernel tells of hops in the order of time, and of one packet after the other.
        rows.sort_by_key(|row| row.at);
        let mut fields = Fields::of(&rows, record.data.as_deref().unwrap_or_default());
        let hop = |row: &Row<'_>| Hop::of(row, names, fields.changed(row.hop));
        let hops = rows.iter().map(hop).collect();
        Packet { lost, head, hops }
    }

    /// The lines that are printed on a terminal of so many columns, and how far from the margin stands what does not fit.
    pub(crate) fn lines(&self, columns: Option<usize>) -> Vec<(Line, usize)> {
        let mut lines = Vec::new();
        if self.lost > 0 {
            lines.push((Line::of(&lost_text(self.lost, TRACED)), INDENT));
        }
        lines.push((Line::of(&self.head), INDENT));
        let widest = |width: fn(&Hop) -> usize| self.hops.iter().map(width).max();
        let block = widest(|hop| hop.indented().chars().count());
        let outcome = widest(|hop| hop.outcome.chars().count());
        let widths = (block.unwrap_or_default(), outcome.unwrap_or_default());
        for (at, hop) in self.hops.iter().enumerate() {
            if let Some(made) = self.made(at) {
                lines.push((Line::of(&made), INDENT));
            }
            hop.write(&mut lines, widths, columns);
        }
        lines
    }

    /// What stands above the hop at a place, if it is the first one of packets that a block has made: once for all that
    /// follow one another.
    fn made(&self, at: usize) -> Option<String> {
        let hop = self.hops.get(at).filter(|hop| hop.is_made())?;
        let of = |other: &&Hop| (other.depth, &other.maker) == (hop.depth, &hop.maker);
        let before = self.hops.get(..at)?.iter().rev();
        if before
            .filter(|hop| hop.first)
            .take(1)
            .any(|other| of(&other))
        {
            return None;
        }
        let firsts = self.hops.get(at..)?.iter().filter(|hop| hop.first);
        let end = if firsts.take_while(of).count() > 1 {
            "s"
        } else {
            ""
        };
        let place = (MARGIN + 2 * hop.depth).saturating_sub(2);
        Some(match &hop.maker {
            Some(maker) => format!("{:place$}packet{end} made by {maker}:", ""),
            None => format!("{:place$}other packet{end}:", ""),
        })
    }
}

impl Hop {
    fn of(row: &Row<'_>, names: &Names, mut changes: Vec<String>) -> Self {
        let hop = row.hop;
        let more = changes.len().saturating_sub(CHANGES);
        changes.truncate(CHANGES);
        let mut outcome = outcome(row, names);
        // Writing to a string does not fail.
        if let Some(made @ 1..) = hop.made {
            let _ = write!(outcome, ", made {made}");
        }
        if let Some(len) = hop.len {
            let _ = write!(outcome, ", length {len}");
        }
        Hop {
            time: micros(hop.time.unwrap_or_default()),
            depth: row.depth,
            first: row.first,
            maker: row.maker.map(|maker| names.name(maker)),
            block: block(hop, names),
            way: device(hop, names).unwrap_or_else(|| way(hop.direction)),
            outcome,
            dropped: hop.end == Some(Value::Known(HopEnd::Dropped)),
            bad: hop.reason.is_some_and(|reason| !is_usual(reason)),
            reason: hop.reason,
            took: hop.took.map(span),
            changes,
            more,
        }
    }

    /// It is the first one of a packet that was made on the way.
    fn is_made(&self) -> bool {
        self.first && self.depth > 0
    }

    /// The block, as deep as the packet is, with a sign where that begins.
    fn indented(&self) -> String {
        let depth = self.depth.saturating_sub(1);
        let sign = match (self.depth, self.first) {
            (0, _) => "",
            (_, true) => "└ ",
            (_, false) => "  ",
        };
        format!("{}{sign}{}", "  ".repeat(depth), self.block)
    }

    /// Writes its line, and those with what the block has changed.
    fn write(
        &self,
        lines: &mut Vec<(Line, usize)>,
        (block, outcome): (usize, usize),
        columns: Option<usize>,
    ) {
        let margin = MARGIN + 2 * self.depth;
        let line = |width: usize, with_took: bool| {
            let (time, name, way) = (&self.time, self.indented(), self.way);
            let line = Line::of(&format!("  {time:>10}  {name:<block$}  {way:<4}  "));
            let line = if self.dropped {
                with_drop(line, self.reason, &self.outcome)
            } else {
                line.with(&self.outcome)
            };
            let Some(took) = self.took.as_ref().filter(|_| with_took) else {
                return line;
            };
            let padding = width.saturating_sub(self.outcome.chars().count());
            line.with(&format!("{:padding$}  took {took:>7}", ""))
        };
        let has_room = |line: &Line| columns.is_none_or(|columns| line.width() <= columns);
        // Where there is no room for all, how long it took is what is left out.
        let all = [(outcome, true), (0, true)].map(|(width, with_took)| line(width, with_took));
        let fits = all.into_iter().find(has_room);
        lines.push((fits.unwrap_or_else(|| line(0, false)), margin));
        if self.changes.is_empty() {
            return;
        }
        let more = match self.more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let margin = margin + 2;
        let mut below: Vec<Vec<&str>> = Vec::new();
        for change in &self.changes {
            let width = |all: &[&str]| all.iter().map(|text| text.len() + 2).sum::<usize>();
            let room = columns.map(|columns| columns.saturating_sub(margin));
            let full = match (below.last(), room) {
                (None, _) => true,
                (Some(all), Some(room)) => width(all) + change.len() > room,
                (Some(all), None) => all.len() >= ABREAST,
            };
            if full {
                below.push(Vec::new());
            }
            if let Some(all) = below.last_mut() {
                all.push(change.as_str());
            }
        }
        let last = below.len().saturating_sub(1);
        for (at, all) in below.iter().enumerate() {
            let more = if at == last { more.as_str() } else { "" };
            let text = format!("{:margin$}{}{more}", "", all.join(", "));
            lines.push((Line::of(&text), margin + 2));
        }
    }
}

/// The block of a hop, with its type.
fn block(hop: &HopAttrs, names: &Names) -> String {
    let idp = hop.idp.unwrap_or_default();
    let name = names.name(idp);
    match names.get(idp) {
        Some(known) => format!("{name} ({})", known.kind),
        None => name,
    }
}

/// What a device does with the packet of a hop, if the block stands for one.
pub(super) fn device(hop: &HopAttrs, names: &Names) -> Option<&'static str> {
    names.device(hop.idp?, hop.entered.is_some())
}

/// Nanoseconds as microseconds.
fn micros(nanos: u64) -> String {
    format!("{}.{:03} us", nanos / 1000, nanos % 1000)
}

/// What became of the packet.
fn outcome(row: &Row<'_>, names: &Names) -> String {
    let hop = row.hop;
    match hop.end {
        Some(Value::Known(HopEnd::Forwarded)) => {
            let mut out = "->".to_owned();
            if let Some(direction) = hop.port_direction {
                let port = hop.port.unwrap_or_default();
                let _ = write!(out, " {direction} {port}");
            }
            if let Some(next) = row.next {
                let _ = write!(out, " {}", names.name(next));
            }
            out
        }
        Some(Value::Known(HopEnd::Dropped)) => match hop.reason {
            Some(reason) => format!("DROPPED: {reason}"),
            None => "DROPPED".to_owned(),
        },
        Some(Value::Known(HopEnd::Left)) => "left the graph".to_owned(),
        Some(Value::Known(HopEnd::Unclaimed)) => "to the network stack".to_owned(),
        Some(Value::Known(HopEnd::Held)) => "held, goes on later".to_owned(),
        Some(Value::Known(HopEnd::Cut)) | None => "(no room for more)".to_owned(),
        Some(Value::Unknown(end)) => format!("end {end}"),
    }
}
