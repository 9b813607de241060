// SPDX-License-Identifier: GPL-2.0

//! Datagrams between two hosts, by blocks: sends numbered ones, and answers those that come.

use anyhow::{ensure, Result};
use clap::Parser;
use lana_examples::{
    chat::{self, Options},
    program::{self, number16, seconds, Common},
    LanaTransport,
};
use lana_socket::Mac;
use std::{process::ExitCode, thread, time::Duration};

/// Send numbered datagrams to another host, and answer those that come
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 all well, 1 something was lost, 2 it could not be done"
)]
struct Cli {
    /// What to call the block
    #[arg(long)]
    name: String,
    /// The other host; who only answers can do without
    #[arg(long, value_name = "MAC")]
    peer: Option<Mac>,
    /// What the datagrams are
    #[arg(long, value_parser = number16, default_value = "0x88b5")]
    ethertype: u16,
    /// Only answer
    #[arg(long)]
    listen: bool,
    /// End after so many have been sent, or with --listen answered
    #[arg(long)]
    count: Option<u64>,
    /// Milliseconds between two
    #[arg(long, value_name = "MS", default_value_t = 100)]
    interval: u64,
    /// Seconds before the first, in which the block can be bound to others
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    delay: Duration,
    #[command(flatten)]
    common: Common,
}

fn run(cli: &Cli) -> Result<bool> {
    ensure!(
        cli.listen || cli.peer.is_some(),
        "--peer or --listen is missing"
    );
    let mut transport = LanaTransport::open(&cli.name, cli.peer, cli.ethertype)?;
    let stop = program::stop_flag()?;
    program::ready(transport.name()?);
    thread::sleep(cli.delay);
    let options = Options {
        listen: cli.listen,
        count: cli.count,
        interval: Duration::from_millis(cli.interval),
    };
    let outcome = chat::run(&mut transport, options, &stop)?;
    cli.common.print(&outcome.totals())?;
    Ok(outcome.lost() == 0)
}

fn main() -> ExitCode {
    program::run("chat-lana", run)
}
