// SPDX-License-Identifier: GPL-2.0

//! The pure logic of the kernel code, compiled for the host so that its tests run there. The
//! sources are those of the modules.

#![cfg(test)]

#[path = "../../../lana-core/name.rs"]
pub mod name;

#[path = "../../../fb-modules/bpf/text.rs"]
pub mod text;

#[path = "../../../fb-modules/multipath/mod.rs"]
pub mod multipath;

/// What a list is in the kernel's allocators' place.
pub type List<T> = Vec<T>;
