// SPDX-License-Identifier: GPL-2.0

//! Captured packets, a line each.

use crate::probe::{
    document::Record,
    names::Names,
    packet::Packet,
    part::Part,
    summary::Detail,
    watch::{lost_text, End, Show, Totals, CAPTURED},
    way as direction, with_drop,
};
use anyhow::Result;
use lana_cli::{Line, Output};
use lana_netlink::{
    spec::{DropReason, ProbeAttrs, ProbePoint},
    wire::Value,
};
use serde::Serialize;

/// What stands below the first line of a packet is so far from the margin.
const INDENT: usize = 4;

/// Prints packets.
pub(crate) struct Lines<'a> {
    out: &'a mut Output,
    form: Form,
}

/// How a line is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) detail: Detail,
    /// How many columns the blocks have.
    pub(super) width: usize,
    /// And what is said of the end: the block that the packet goes to, or why it was dropped. 0 where neither is shown.
    pub(super) end: usize,
}

/// The sign before the block that a packet goes to.
const TO: &str = "-> ";
/// What most drops need.
const USUAL: usize = "(filtered)".len();

impl<'a> Lines<'a> {
    pub(crate) fn to(
        out: &'a mut Output,
        blocks: &[String],
        link: bool,
        peers: Option<usize>,
        drops: bool,
    ) -> Self {
        let width = blocks.iter().map(|name| name.chars().count()).max();
        let form = Form {
            detail: Detail::of(link, out.columns()),
            width: width.unwrap_or_default(),
            end: end_width(peers, drops),
        };
        Lines { out, form }
    }
}

impl Show for Lines<'_> {
    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        let &Part { record, lost, .. } = part;
        if self.out.is_json() {
            return self.out.json_line(&Document::of(record, lost, names));
        }
        if lost > 0 {
            self.out.line(&lost_text(lost, CAPTURED))?;
        }
        // A longer one moves the lines that follow, but once.
        self.form.end = self.form.end.max(end(record, names).chars().count());
        let columns = self.out.columns();
        for line in lines(record, names, self.form, columns) {
            self.out.folded(&line, INDENT)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn end(&mut self, totals: &Totals, _end: End) -> Result<()> {
        match totals.lost_last {
            1.. if !self.out.is_json() => self.out.line(&lost_text(totals.lost_last, CAPTURED)),
            _ => Ok(()),
        }
    }
}

/// The point, as people say it.
pub(super) fn point(point: Option<Value<ProbePoint>>) -> &'static str {
    match point {
        Some(Value::Known(ProbePoint::In)) => "in",
        Some(Value::Known(ProbePoint::Out)) => "out",
        Some(Value::Known(ProbePoint::Drops)) => "drop",
        _ => "?",
    }
}

/// What a device does with a packet, if the block stands for one.
fn device(record: &ProbeAttrs, names: &Names) -> Option<&'static str> {
    names.device(record.idp?, record.entered.is_some())
}

/// The way of a packet, as people say it: at a device, whether that receives or sends it.
pub(super) fn way(record: &ProbeAttrs, names: &Names) -> &'static str {
    device(record, names).unwrap_or_else(|| direction(record.direction))
}

/// The block that a packet goes to, as it leaves another one.
fn next<'a>(record: &ProbeAttrs, names: &'a Names) -> Option<&'a str> {
    let Some(Value::Known(direction)) = record.direction else {
        return None;
    };
    names.peer(record.idp?, direction, record.port?)
}

/// What is said of the end of a packet: where it goes, or why it was dropped.
fn end(record: &ProbeAttrs, names: &Names) -> String {
    match (record.reason, next(record, names)) {
        (Some(reason), _) => format!("({reason})"),
        (None, Some(next)) => format!("{TO}{next}"),
        (None, None) => String::new(),
    }
}

/// How many columns that takes, where blocks lead to others with names of so many characters, and where drops are shown.
pub(super) fn end_width(peers: Option<usize>, drops: bool) -> usize {
    let peers = peers.map_or(0, |width| TO.len() + width);
    peers.max(if drops { USUAL } else { 0 })
}

/// When, where, which way and where to, why it was dropped; then what it is, which stands below on a terminal of so many
/// columns that has no room for all of it.
pub(super) fn lines(
    record: &ProbeAttrs,
    names: &Names,
    form: Form,
    columns: Option<usize>,
) -> Vec<Line> {
    let packet = Packet::of(record);
    let time = record.time.unwrap_or_default();
    let clock = form.detail.clock(time);
    let what = form.detail.text(&packet.data, packet.len);
    let (name, width) = (names.name(record.idp.unwrap_or_default()), form.width);
    let way = way(record, names);
    // That a device gets what it sends is no news.
    let point = match (record.point, device(record, names)) {
        (Some(Value::Known(ProbePoint::In)), Some(_)) => "",
        (at, _) => point(at),
    };
    let line = Line::of(&format!("{clock} {name:<width$} "));
    let end = end(record, names);
    let padding = form.end.saturating_sub(end.chars().count());
    let line = match record.reason {
        Some(reason) => with_drop(line, Some(reason), &format!("DROP {way:<4} {end}")),
        None if form.end == 0 => line.with(&format!("{point:<4} {way:<4}")),
        None => line.with(&format!("{point:<4} {way:<4} {end}")),
    };
    let width = line.width() + padding + 1 + what.chars().count();
    if columns.is_some_and(|columns| width > columns) {
        return vec![line, Line::of(&format!("{:INDENT$}{what}", ""))];
    }
    vec![line.with(&format!("{:padding$} {what}", ""))]
}

/// The same as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    #[serde(flatten)]
    record: Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<Value<ProbePoint>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Value<DropReason>>,
    /// The number of the port by which it leaves, and the block there.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Document {
    pub(super) fn of(record: &ProbeAttrs, lost: u64, names: &Names) -> Self {
        Document {
            record: Record::of(record, lost, names),
            point: record.point,
            device: device(record, names),
            reason: record.reason,
            port: record.port,
            next: next(record, names).map(str::to_owned),
        }
    }
}
