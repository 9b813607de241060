// SPDX-License-Identifier: GPL-2.0

//! Classic BPF programs: compiled, checked, printed in every form, run and debugged. What the tool
//! `bpfc` is made of.

pub mod assemble;
pub mod check;
pub mod debugger;
pub mod forms;
mod grammar;
pub mod insn;
pub mod listing;
pub mod machine;
pub mod packet;
pub mod problem;

/// The texts that the block `bpf` takes.
#[path = "../../../fb-modules/bpf/text.rs"]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the block also reads texts that come in pieces")
)]
mod text;
