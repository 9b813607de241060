// SPDX-License-Identifier: GPL-2.0

//! `fbctl` builds and shows the graph of functional blocks.

mod assignment;
mod cli;
mod graph;
mod monitor;
mod run;
mod show;
mod stats;
mod types;
mod utc;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::main::<cli::Cli>()
}
