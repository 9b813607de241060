// SPDX-License-Identifier: GPL-2.0

//! The program `lanad`.

use anyhow::Result;
use clap::Parser;
use lana_cli::{enter_namespace, kernel, Globals, Output};
use lanad::{
    config::{self, Config},
    control,
    daemon::{self, Start},
    keep::Desired,
    record,
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Keeps the graph of functional blocks as files say, and acts on what happens
///
/// The configuration says which files the graph is kept by, and which rules act on what: on blocks and devices that
/// come and go, on rates, on probes. A change that somebody else makes is put right in one transaction. lanactl asks
/// lanad what it sees and does, and lets it wait.
#[derive(Debug, Parser)]
#[command(name = "lanad", version, after_long_help = HELP)]
struct Cli {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = config::FILE)]
    config: PathBuf,

    /// The folder of the socket and the state
    #[arg(short, long, value_name = "FOLDER", default_value = control::FOLDER)]
    run: PathBuf,

    /// Work in the network namespace NAME, one of those that `ip netns` lists
    #[arg(short = 'n', long, value_name = "NAME")]
    netns: Option<String>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Record what is learned and what rules do, a line of JSON each
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Read such a record, print what the rules of the configuration do, and end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "dry_run", "check", "schema"])]
    replay: Option<PathBuf>,

    /// Check the configuration and the files that it names, and end
    #[arg(long, conflicts_with = "schema")]
    check: bool,

    /// Print the schema of the configuration, and end
    #[arg(long)]
    schema: bool,
}

const HELP: &str = "\
Examples:
  lanad --check
  lanad --config lanad.toml --dry-run --record facts
  lanad --config lanad.toml --replay facts

Exit status:
  0  told to end
  1  wrong usage, or something is wrong with a file
  2  the kernel refused something";

fn main() -> ExitCode {
    lana_cli::plain("lanad", run)
}

fn run(cli: Cli) -> Result<()> {
    let mut out = Output::standard(&Globals::default());
    if cli.schema {
        out.text(&Config::schema())?;
        return out.flush();
    }
    if cli.check {
        return Desired::read(&Config::read(&cli.config)?).map(|_| ());
    }
    if let Some(path) = &cli.replay {
        for acted in record::replay(&Config::read(&cli.config)?, path)? {
            let what = if acted.holds { "holds" } else { "is over" };
            out.line(&format!(
                "{:.6} rule '{}' {what}: {}",
                Duration::from_micros(acted.at).as_secs_f64(),
                acted.rule,
                acted.cause
            ))?;
        }
        return out.flush();
    }
    if let Some(name) = &cli.netns {
        enter_namespace(name)?;
    }
    let start = Start {
        config: cli.config,
        folder: cli.run,
        dry_run: cli.dry_run,
        record: cli.record,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| kernel("epoll", &error))?;
    let done = runtime.block_on(daemon::run(start));
    // Threads that wait for the kernel end with the process.
    runtime.shutdown_background();
    done
}
