// SPDX-License-Identifier: GPL-2.0

//! A traced packet as a document of JSON.

use super::{text::device, tree::rows};
use crate::probe::{document::Record, hex::hex, names::Names, part::Part};
use lana_netlink::{
    spec::{Direction, DropReason, HopEnd, ProbeAttrs},
    wire::Value,
};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Packet {
    number: u64,
    #[serde(flatten)]
    record: Record,
    /// The kernel's number of the packet while it was held, before these hops.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    hops: Vec<Hop>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Hop {
    packet: u32,
    idp: u32,
    block: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Value<Direction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'static str>,
    frame: bool,
    /// Nanoseconds since the first one.
    time: u64,
    /// Nanoseconds in the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Value<HopEnd>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Value<DropReason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port_direction: Option<Value<Direction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_first: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u32>,
    /// The number of the packet while the block holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    change: Vec<Change>,
}

#[derive(Debug, Serialize)]
struct Change {
    offset: u32,
    old: String,
    new: String,
}

impl Packet {
    pub(crate) fn of(part: &Part<'_>, names: &Names) -> Self {
        Packet {
            number: part.number,
            record: Record::of(part.record, part.lost, names),
            held: part.record.held,
            hops: hops(part.record, names),
        }
    }
}

/// The hops in the order of the text.
fn hops(record: &ProbeAttrs, names: &Names) -> Vec<Hop> {
    let rows = rows(&record.hop);
    let hop = |row: &super::tree::Row<'_>| {
        let hop = row.hop;
        let idp = hop.idp.unwrap_or_default();
        let change = hop.change.iter().map(|change| Change {
            offset: change.offset.unwrap_or_default(),
            old: hex(change.old.as_deref().unwrap_or_default()),
            new: hex(change.new.as_deref().unwrap_or_default()),
        });
        Hop {
            packet: hop.packet.unwrap_or_default(),
            idp,
            block: names.name(idp),
            r#type: names.get(idp).map(|block| block.kind.clone()),
            direction: hop.direction,
            device: device(hop, names),
            frame: hop.frame.is_some(),
            time: hop.time.unwrap_or_default(),
            took: hop.took,
            end: hop.end,
            reason: hop.reason,
            port_direction: hop.port_direction,
            port: hop.port,
            next: row.next.map(|next| names.name(next)),
            made: hop.made,
            made_first: hop.made_first,
            len: hop.len,
            held: hop.held,
            change: change.collect(),
        }
    };
    rows.iter().map(hop).collect()
}
