// SPDX-License-Identifier: GPL-2.0

//! `flowd` is the block `netflow` in user space: the same flows, options and messages, of packets from devices, a socket
//! of LANA or a capture.
//!
//! A packet's way: [`live`] or [`run`] and [`capture`] → [`flows`] → `netflow/key.rs`, `netflow/table.rs`; then, when
//! its flow has ended, [`export`] → `netflow/exporter.rs` → [`collector`].

mod capture;
mod cli;
mod collector;
mod export;
mod flows;
mod live;
mod report;
mod run;

/// The flows, as the block has them.
#[path = "../../../fb-modules/netflow/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cut off belongs to another part of a word"
)]
#[cfg_attr(not(test), expect(dead_code, reason = "some of it is for the block"))]
mod netflow;

use lana::prelude::{
    address, headers,
    list::{append, push, room},
    option, options, prefetch, texts, words, HashKey,
};
use std::process::ExitCode;

/// What the flows are kept in.
type List<T> = Vec<T>;

/// A list of so many, all the same.
#[expect(
    clippy::unnecessary_wraps,
    reason = "in the kernel, memory can be lacking"
)]
fn filled<T: Clone>(value: T, count: usize) -> Option<List<T>> {
    Some(vec![value; count])
}

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("flowd", run::run)
}
