// SPDX-License-Identifier: GPL-2.0

//! A traffic generator: a language of packets, a writer of frames, and where they go.

pub mod checksum;
pub mod language;
pub mod template;
pub mod writer;
