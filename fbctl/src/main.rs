// SPDX-License-Identifier: GPL-2.0

//! `fbctl` builds and shows the graph of functional blocks.

mod advice;
mod apply;
mod assignment;
mod cli;
mod diff;
mod document;
mod graph;
mod installed;
mod metrics;
mod model;
mod monitor;
mod options;
mod order;
mod program;
mod rates;
mod run;
mod running;
mod save;
mod select;
mod show;
mod stats;
mod top;
mod types;
mod utc;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::main::<cli::Cli>()
}
