// SPDX-License-Identifier: GPL-2.0

//! The pure logic of the kernel code, compiled for the host so that its tests run there. The
//! sources are those of the modules.

#![cfg(test)]

#[path = "../../../lana-core/name.rs"]
pub mod name;

#[path = "../../../fb-modules/bpf/text.rs"]
pub mod text;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "numbers of ports are small, and hashes may lose bits"
)]
#[path = "../../../fb-modules/multipath/mod.rs"]
pub mod multipath;

/// What a list is in the kernel's allocators' place.
pub type List<T> = Vec<T>;
