// SPDX-License-Identifier: GPL-2.0

//! `fbctl` builds and shows the graph of functional blocks.

mod advice;
mod apply;
mod assignment;
mod cli;
mod diff;
mod document;
mod files;
mod graph;
mod history;
mod hold;
mod installed;
mod model;
mod monitor;
mod order;
mod program;
mod run;
mod running;
mod save;
mod show;
mod stats;
mod types;
mod upgrade;
mod utc;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::main::<cli::Cli>()
}
