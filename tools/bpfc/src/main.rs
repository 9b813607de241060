// SPDX-License-Identifier: GPL-2.0

//! `bpfc` compiles classic BPF programs, and lists compiled ones.

mod cli;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    lana_cli::plain::<cli::Cli>("bpfc", |cli| run::run(&cli))
}
