// SPDX-License-Identifier: GPL-2.0

//! What the JSON of a record of any probe has. The keys are those of the specification; names, and what can be read off
//! the bytes, stand beside the numbers.

use super::{hex::hex, names::Names, packet::Packet, summary::summary};
use lana_netlink::{
    spec::{Direction, ProbeAttrs},
    wire::Value,
};
use serde::Serialize;

/// A packet, and when and where it was seen.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// Nanoseconds since 1970.
    time: u64,
    /// Records that were lost since the last one.
    lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<u32>,
    idp: u32,
    block: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Value<Direction>>,
    frame: bool,
    len: u32,
    data: String,
    summary: String,
}

impl Record {
    pub(crate) fn of(record: &ProbeAttrs, lost: u64, names: &Names) -> Self {
        let packet = Packet::of(record);
        let idp = record.idp.unwrap_or_default();
        Record {
            time: record.time.unwrap_or_default(),
            lost,
            cpu: record.cpu,
            idp,
            block: names.name(idp),
            direction: record.direction,
            frame: record.frame.is_some(),
            len: packet.len,
            data: hex(&packet.data),
            summary: summary(&packet.data, packet.len),
        }
    }
}
