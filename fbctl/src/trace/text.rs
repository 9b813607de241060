// SPDX-License-Identifier: GPL-2.0

//! A traced packet in lines of text.

use super::{
    fields::Fields,
    tree::{rows, Row},
};
use crate::probe::{
    names::Names,
    packet::{clock, Packet},
    summary::summary,
    way,
};
use lana_netlink::{
    spec::{HopEnd, ProbeAttrs},
    wire::Value,
};
use std::fmt::Write;

/// So many changes of a hop are shown.
const CHANGES: usize = 12;
/// So many of them in a line.
const ABREAST: usize = 3;
/// Where the blocks stand in a line.
const MARGIN: usize = 14;

/// The lines of a packet: what it is, and each hop.
pub(crate) fn lines(number: u64, record: &ProbeAttrs, lost: u64, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    if lost > 0 {
        lines.push(format!("({lost} lost)"));
    }
    let packet = Packet::of(record);
    lines.push(format!(
        "{number}. {} cpu {}{} {}",
        clock(record.time.unwrap_or_default()),
        record.cpu.unwrap_or_default(),
        if record.frame.is_some() { " frame" } else { "" },
        summary(&packet.data, packet.len),
    ));
    let rows = rows(&record.hop);
    let names_of: Vec<_> = rows.iter().map(|row| block(row, names)).collect();
    let width = names_of.iter().map(|name| name.chars().count()).max();
    let mut fields = Fields::of(&rows, record.data.as_deref().unwrap_or_default());
    for (row, name) in rows.iter().zip(&names_of) {
        lines.push(line(row, name, width.unwrap_or_default(), names));
        changes(&mut lines, row, &fields.changed(row.hop));
    }
    lines
}

/// The block of a hop with its type, indented as deep as the packet is.
fn block(row: &Row<'_>, names: &Names) -> String {
    let mut out = "| ".repeat(row.depth.saturating_sub(1));
    match (row.depth, row.first) {
        (0, _) => {}
        (_, true) => out.push_str("+-"),
        (_, false) => out.push_str("| "),
    }
    let idp = row.hop.idp.unwrap_or_default();
    out.push_str(&names.name(idp));
    if let Some(block) = names.get(idp) {
        let _ = write!(out, " ({})", block.kind);
    }
    out
}

fn line(row: &Row<'_>, name: &str, width: usize, names: &Names) -> String {
    let hop = row.hop;
    let time = micros(hop.time.unwrap_or_default());
    let way = way(hop.direction);
    let padding = " ".repeat(width.saturating_sub(name.chars().count()));
    let mut out = format!("  {time:>10}  {name}{padding}  {way:<4}  ");
    out.push_str(&outcome(row, names));
    // Writing to a string does not fail.
    if let Some(made @ 1..) = hop.made {
        let packets = if made == 1 { "packet" } else { "packets" };
        let _ = write!(out, ", made {made} {packets}");
    }
    if let Some(len) = hop.len {
        let _ = write!(out, ", length {len}");
    }
    if let Some(took) = hop.took {
        let _ = write!(out, ", took {}", micros(took));
    }
    out
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
            Some(reason) => format!("dropped: {reason}"),
            None => "dropped".to_owned(),
        },
        Some(Value::Known(HopEnd::Left)) => "left the graph".to_owned(),
        Some(Value::Known(HopEnd::Unclaimed)) => "to the network stack".to_owned(),
        Some(Value::Known(HopEnd::Cut)) | None => "(no room for more)".to_owned(),
        Some(Value::Unknown(end)) => format!("end {end}"),
    }
}

/// Lines with what the block has changed.
fn changes(lines: &mut Vec<String>, row: &Row<'_>, texts: &[String]) {
    let tree = "| ".repeat(row.depth);
    let shown = texts.get(..CHANGES).unwrap_or(texts);
    for some in shown.chunks(ABREAST) {
        let margin = " ".repeat(MARGIN);
        lines.push(format!("{margin}{tree}  {}", some.join(", ")));
    }
    let more = texts.len().saturating_sub(shown.len());
    if let (1.., Some(last)) = (more, lines.last_mut()) {
        let _ = write!(last, ", and {more} more");
    }
}
