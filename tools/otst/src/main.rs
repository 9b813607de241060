// SPDX-License-Identifier: GPL-2.0

//! `otst` prints the stack of the next call of a kernel function, once.

mod cli;
mod driver;
mod kmsg;
mod run;
mod trace;
mod ways;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("otst", run::run)
}
