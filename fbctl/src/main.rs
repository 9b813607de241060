// SPDX-License-Identifier: GPL-2.0

//! `fbctl` builds and shows the graph of functional blocks.

mod advice;
mod apply;
mod assignment;
mod capture;
mod cli;
mod flows;
mod graph;
mod history;
mod hold;
mod installed;
mod metrics;
mod monitor;
mod options;
mod picture;
mod probe;
mod rates;
mod record;
mod run;
mod save;
mod screen;
mod select;
mod show;
mod stats;
mod timing;
mod top;
mod trace;
mod types;
mod upgrade;
mod utc;
mod web;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::main::<cli::Cli>()
}
