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
    let arguments = lana_cli::one_dash(std::env::args_os(), &["dev", "promisc"]);
    lana_cli::plain_from::<cli::Cli>("ifpps", arguments, run::run)
}
