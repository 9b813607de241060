// SPDX-License-Identifier: GPL-2.0

//! The pure logic of the kernel code, compiled for the host so that its tests run there. The
//! sources are those of the modules.

#![cfg(test)]

#[path = "../../../scripts/host/error.rs"]
pub mod error;

#[expect(
    clippy::return_self_not_must_use,
    reason = "the kernel's lints do not ask for it"
)]
#[path = "../../../lana-core/base/port.rs"]
pub mod port;

#[path = "../../../lana-core/base/address.rs"]
pub mod address;

#[path = "../../../lana-core/base/option.rs"]
pub mod option;

/// What authors of blocks have, as far as it does not need the kernel.
pub mod prelude {
    pub use crate::{
        error::Failure,
        option::{self, Initial, OptionSpec, Values},
    };

    /// Takes what a block has to say of itself.
    pub trait Options {
        /// A part of the configuration.
        fn put_config(&mut self, key: &str, value: core::fmt::Arguments<'_>);
    }
}

#[path = "../../../lana-core/base/name.rs"]
pub mod name;

#[path = "../../../fb-modules/bpf/text.rs"]
pub mod text;

#[path = "../../../fb-modules/icmp_echo/ours.rs"]
pub mod ours;

#[path = "../../../lana-core/base/heap.rs"]
pub mod heap;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the tests draw numbers of fewer bits"
)]
#[path = "../../../lana-core/base/schedule.rs"]
pub mod schedule;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the tests draw numbers of fewer bits"
)]
#[path = "../../../lana-core/base/prefixes.rs"]
pub mod prefixes;

#[path = "../../../lana-core/base/siphash.rs"]
pub mod siphash;

#[path = "../../../lana-core/base/units.rs"]
pub mod units;

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cut off is known to be 0"
)]
#[path = "../../../lana-core/base/checksum.rs"]
pub mod checksum;

#[expect(
    clippy::cast_possible_truncation,
    reason = "places in a frame fit into 32 bits"
)]
#[path = "../../../fb-modules/icmp_echo/frame.rs"]
pub mod frame;

#[expect(
    clippy::cast_precision_loss,
    dead_code,
    reason = "the tests compare with floating point, and bounds are for the block"
)]
#[path = "../../../fb-modules/shape/bucket.rs"]
pub mod bucket;

#[expect(
    clippy::cast_precision_loss,
    reason = "the tests compare with floating point"
)]
#[path = "../../../fb-modules/queue/codel.rs"]
pub mod codel;

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cut off is known, or belongs to another field"
)]
#[path = "../../../lana-core/base/headers.rs"]
pub mod headers;

#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers are read with their limits"
)]
#[path = "../../../fb-modules/classify/rule.rs"]
pub mod rule;

#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers are read with their limits"
)]
#[path = "../../../fb-modules/classify/list.rs"]
pub mod list;

#[path = "../../../fb-modules/classify/matching.rs"]
pub mod matching;

#[expect(clippy::cast_possible_truncation, reason = "packets are short")]
#[path = "../../../fb-modules/classify/tests.rs"]
mod classify;

#[path = "../../../fb-modules/rewrite/value.rs"]
pub mod value;

#[expect(
    clippy::cast_possible_truncation,
    reason = "places in a packet fit into 32 bits"
)]
#[path = "../../../fb-modules/rewrite/plan.rs"]
pub mod plan;

#[expect(clippy::cast_possible_truncation, reason = "packets are short")]
#[path = "../../../fb-modules/rewrite/tests.rs"]
mod rewrite;
pub use rewrite::Sum;

#[path = "../../../fb-modules/icmp_echo/limit.rs"]
pub mod limit;

#[path = "../../../fb-modules/route/rule.rs"]
pub mod route;

#[expect(clippy::cast_possible_truncation, reason = "packets are short")]
#[path = "../../../fb-modules/route/error.rs"]
pub mod route_error;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::struct_excessive_bools,
    reason = "numbers of ports are small, hashes may lose bits, and fields of a key are there or not"
)]
#[path = "../../../fb-modules/multipath/mod.rs"]
pub mod multipath;

#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers of ports are small, and what is cut off belongs to another field"
)]
#[path = "../../../fb-modules/switch/mod.rs"]
pub mod switch;

#[expect(
    clippy::cast_possible_truncation,
    dead_code,
    reason = "places in a packet and numbers of entries fit into 32 bits, hashes may lose bits; the rest is for the block"
)]
#[path = "../../../fb-modules/nat/mod.rs"]
pub mod nat;

#[expect(
    clippy::cast_possible_truncation,
    reason = "lengths of packets fit into 32 bits, and hashes may lose bits"
)]
#[path = "../../../fb-modules/defrag/mod.rs"]
pub mod defrag;

#[expect(
    clippy::cast_possible_truncation,
    reason = "lengths of fragments fit into 16 bits"
)]
#[path = "../../../fb-modules/fragment/mod.rs"]
pub mod fragment;

/// What a hash is in the place of the kernel's.
#[derive(Clone)]
pub struct HashKey(pub u64);

impl HashKey {
    /// See the kernel code.
    #[must_use]
    pub fn hash(&self, words: &[u64]) -> u64 {
        siphash::hash([self.0, 0], words)
    }
}

/// Adds to a list that has room, or gets some.
pub fn push<T>(list: &mut List<T>, value: T) -> bool {
    list.push(value);
    true
}

/// Adds to a list that has room.
pub fn append(list: &mut List<u8>, bytes: &[u8]) -> bool {
    list.extend_from_slice(bytes);
    true
}

/// A list with room for so many.
#[must_use]
pub fn room<T>(count: usize) -> Option<List<T>> {
    Some(List::with_capacity(count))
}
#[path = "../../../fb-modules/compress/format.rs"]
pub mod compress_format;

#[expect(dead_code, reason = "some of it is for the block")]
#[path = "../../../fb-modules/crypt/format.rs"]
pub mod crypt_format;

#[expect(clippy::cast_possible_truncation, reason = "two digits make a byte")]
#[path = "../../../fb-modules/crypt/key.rs"]
pub mod crypt_key;

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cut off is not part of a place in the window"
)]
#[path = "../../../fb-modules/crypt/window.rs"]
pub mod crypt_window;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers of packets begin anew after the largest, and so do stamps"
)]
#[path = "../../../fb-modules/reliable/mod.rs"]
pub mod reliable;

#[expect(dead_code, reason = "it is for the block")]
#[path = "../../../fb-modules/udp_tunnel/vxlan.rs"]
pub mod vxlan;

/// What a list is in the kernel's allocators' place.
pub type List<T> = Vec<T>;

/// There is always memory here.
#[derive(Debug)]
pub enum NoMemory {}

/// Adds an item to a list.
#[expect(clippy::missing_errors_doc, reason = "it does not fail")]
pub fn try_push<T>(list: &mut List<T>, item: T) -> Result<(), NoMemory> {
    list.push(item);
    Ok(())
}

/// A list with room for so many items.
#[expect(clippy::missing_errors_doc, reason = "it does not fail")]
pub fn try_room<T>(count: usize) -> Result<List<T>, NoMemory> {
    Ok(List::with_capacity(count))
}
