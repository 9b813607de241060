// SPDX-License-Identifier: GPL-2.0

//! A traffic generator: a language of packets, a writer of frames, and where they go.

pub mod amount;
pub mod checksum;
pub mod device;
pub mod input;
pub mod interrupts;
pub mod language;
pub mod output;
pub mod packet;
pub mod privileges;
pub mod probe;
pub mod ring;
mod sys;
pub mod template;
pub mod worker;
pub mod writer;
