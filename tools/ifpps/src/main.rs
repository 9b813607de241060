// SPDX-License-Identifier: GPL-2.0

//! `ifpps` shows what network devices, the kernel behind them and LANA's blocks do, each second.

mod blocks;
mod cli;
mod csv;
mod parse;
mod promisc;
mod rates;
mod run;
mod sample;
mod screen;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("ifpps", run::run)
}
