// SPDX-License-Identifier: GPL-2.0

//! `vlink` connects devices to the graph of functional blocks.

mod cli;
mod run;
mod show;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::main::<cli::Cli>()
}
