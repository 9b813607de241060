// SPDX-License-Identifier: GPL-2.0

//! `trafgen` generates traffic from a language of packets.

mod cli;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("trafgen", |cli| run::run(&cli))
}
