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

/// Send numbered datagrams to another host, and answer those that it sends
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 success, 1 packets were lost, 2 an error"
)]
struct Cli {
    /// Name of the block
    #[arg(long)]
    name: String,
    /// MAC address of the other host. --listen needs none
    #[arg(long, value_name = "MAC")]
    peer: Option<Mac>,
    /// EtherType of the datagrams
    #[arg(long, value_parser = number16, default_value = "0x88b5")]
    ethertype: u16,
    /// Only answer datagrams
    #[arg(long)]
    listen: bool,
    /// Stop after COUNT datagrams sent, or with --listen answered [default: no limit]
    #[arg(long)]
    count: Option<u64>,
    /// Milliseconds between two datagrams
    #[arg(long, value_name = "MS", default_value_t = 100)]
    interval: u64,
    /// Seconds to wait before the first datagram, so that you can bind the block
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
