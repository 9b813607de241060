// SPDX-License-Identifier: GPL-2.0

//! Captured packets, a line each.

use crate::probe::{
    document::Record,
    names::Names,
    packet::{clock, Packet},
    summary::summary,
    watch::Show,
    way,
};
use anyhow::Result;
use lana_cli::Output;
use lana_netlink::{
    spec::{DropReason, ProbeAttrs, ProbePoint},
    wire::Value,
};
use serde::Serialize;

/// Prints packets.
pub(crate) struct Lines<'a> {
    out: &'a mut Output,
}

impl<'a> Lines<'a> {
    pub(crate) fn to(out: &'a mut Output) -> Self {
        Lines { out }
    }
}

impl Show for Lines<'_> {
    fn record(&mut self, record: &ProbeAttrs, lost: u64, names: &Names) -> Result<()> {
        if self.out.is_json() {
            return self.out.json_line(&Document::of(record, lost, names));
        }
        if lost > 0 {
            self.out.line(&format!("({lost} lost)"))?;
        }
        self.out.line(&line(record, names))
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
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

/// When, where, which way, why it was dropped; then what it is.
pub(super) fn line(record: &ProbeAttrs, names: &Names) -> String {
    let packet = Packet::of(record);
    let reason = record.reason;
    format!(
        "{} {} {} {}{}: {}",
        clock(record.time.unwrap_or_default()),
        names.name(record.idp.unwrap_or_default()),
        point(record.point),
        way(record.direction),
        reason.map_or_else(String::new, |reason| format!(" ({reason})")),
        summary(&packet.data, packet.len),
    )
}

/// The same as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    #[serde(flatten)]
    record: Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<Value<ProbePoint>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Value<DropReason>>,
}

impl Document {
    pub(super) fn of(record: &ProbeAttrs, lost: u64, names: &Names) -> Self {
        Document {
            record: Record::of(record, lost, names),
            point: record.point,
            reason: record.reason,
        }
    }
}
