// SPDX-License-Identifier: GPL-2.0

//! `bpfc` compiles classic BPF programs, lists compiled ones, and runs them on captures.

mod capture;
mod cli;
mod pass;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("bpfc", |cli| run::run(&cli))
}
