// SPDX-License-Identifier: GPL-2.0

//! What `trace` and `capture` have in common: they ask for a probe, and show what it records.

pub(crate) mod document;
pub(crate) mod filter;
pub(crate) mod hex;
pub(crate) mod names;
pub(crate) mod packet;
pub(crate) mod part;
pub(crate) mod summary;
pub(crate) mod watch;

use crate::picture::model::is_usual;
use lana_cli::Line;
use lana_netlink::{
    spec::{Direction, DropReason},
    wire::Value,
};

/// Adds what tells of a drop, in the colour that the graph has for it.
pub(crate) fn with_drop(line: Line, reason: Option<Value<DropReason>>, text: &str) -> Line {
    if reason.is_some_and(is_usual) {
        line.with_notice(text)
    } else {
        line.with_alarm(text)
    }
}

/// The way of a packet, as people say it.
pub(crate) fn way(direction: Option<Value<Direction>>) -> &'static str {
    match direction {
        Some(Value::Known(Direction::Ingress)) => "up",
        Some(Value::Known(Direction::Egress)) => "down",
        _ => "?",
    }
}
