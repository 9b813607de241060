// SPDX-License-Identifier: GPL-2.0

//! The pure logic of the kernel code, compiled for the host so that its tests run there. The
//! sources are those of the modules.

#![cfg(test)]

pub mod error;

#[expect(
    clippy::return_self_not_must_use,
    reason = "the kernel's lints do not ask for it"
)]
#[path = "../../../lana-core/base/port.rs"]
pub mod port;

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

#[path = "../../../fb-modules/icmp_echo/address.rs"]
pub mod address;

#[path = "../../../lana-core/base/heap.rs"]
pub mod heap;

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

/// What a list is in the kernel's allocators' place.
pub type List<T> = Vec<T>;
