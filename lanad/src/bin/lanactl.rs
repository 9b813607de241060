// SPDX-License-Identifier: GPL-2.0

//! The program `lanactl`.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use lana_cli::{denied, history, Column, Globals, Output, Table};
use lanad::{
    config::{Channel, Otherwise, Span},
    control::{self, Lines, Request, Status},
    state::Hold,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// Asks lanad what it sees and does, and lets it wait
#[derive(Debug, Parser)]
#[command(name = "lanactl", version, after_long_help = HELP)]
struct Cli {
    /// The folder of lanad's socket
    #[arg(short, long, value_name = "FOLDER", default_value = control::FOLDER, global = true)]
    run: PathBuf,

    /// Print JSON
    #[arg(short, long, global = true)]
    json: bool,

    /// With --json: indent the output
    #[arg(short, long, global = true)]
    pretty: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how the graph is kept, and which rules hold
    Status,
    /// Leave the graph to you: nothing is repaired until it is released
    Hold {
        /// Release it by itself after this time, such as 10m
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        time: Option<Span>,
        /// Why: whoever asks for the status is told
        #[arg(default_value = "")]
        why: String,
    },
    /// Let the graph be kept again
    Release,
    /// Read the configuration and the files again; if something is wrong with them, all stays as it is
    Reload,
    /// Open a channel to another host, change its blocks, or close it
    Channel(Box<ChannelArgs>),
    /// Show the channels: their blocks, and what is measured of the link
    Channels,
    /// Publish a service of this host to the other one of a channel, and print its token
    Publish {
        /// The channel
        channel: String,
        /// The context, such as an address, or *
        context: String,
        /// The service, such as tcp:80
        service: String,
        /// For how many seconds
        #[arg(long, value_name = "SECONDS", default_value = "3600")]
        seconds: u32,
    },
    /// Ask the other host of a channel for a service, and print its token
    Resolve {
        /// The channel
        channel: String,
        /// The context
        context: String,
        /// The service
        service: String,
    },
    /// Show what lanad has said
    Log {
        /// Go on with what it says from now on
        #[arg(short, long)]
        follow: bool,
    },
}

#[derive(Debug, Args)]
struct ChannelArgs {
    /// The device that leads to the other host; the channel is called so, too
    device: String,
    /// The other host: its Ethernet address, or its IP address for UDP
    #[arg(long, value_name = "ADDRESS", required_unless_present = "close")]
    to: Option<String>,
    /// The blocks, the last one next to the link: NAME[?][:KEY=VALUE...], where ? is for optional ones. Without this, the
    /// other host begins
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    want: Option<Vec<String>>,
    /// A file with the key that both hosts have, as `openssl rand -hex 32` prints it
    #[arg(long, value_name = "FILE", required_unless_present = "close")]
    key: Option<PathBuf>,
    /// The number of the channel between the two hosts
    #[arg(long, value_name = "N", default_value = "1")]
    number: u32,
    /// The block on top of the stack
    #[arg(long, value_name = "BLOCK")]
    top: Option<String>,
    /// Blocks without which this host agrees to nothing
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    demand: Vec<String>,
    /// The blocks that this host has; all that LANA has where nothing is said
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    have: Option<Vec<String>>,
    /// Drop packets while there is no stack
    #[arg(long)]
    closed: bool,
    /// Put `reliable` in while the link loses packets
    #[arg(long)]
    adaptive: bool,
    /// The block that --adaptive puts in, with options
    #[arg(
        long,
        value_name = "BLOCK",
        default_value = "reliable",
        requires = "adaptive"
    )]
    adaptive_block: String,
    /// The share of lost messages, from 0 to 1, from which it is put in
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.02",
        requires = "adaptive"
    )]
    adaptive_above: f64,
    /// The share below which it is taken out
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.005",
        requires = "adaptive"
    )]
    adaptive_until: f64,
    /// How long the loss must be so before the stack changes
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span, requires = "adaptive")]
    adaptive_for: Span,
    /// How much later both hosts switch to a new stack than they agree on it: at most 10s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    switch_after: Span,
    /// How often the hosts tell each other that they are there
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span)]
    keepalive: Span,
    /// Close the channel
    #[arg(long, conflicts_with_all = ["to", "want", "key", "top", "demand", "have", "closed", "adaptive", "switch_after"])]
    close: bool,
    /// How long to wait for the other host: 0 does not wait
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    wait: Span,
}

const HELP: &str = "\
Examples:
  lanactl status
  lanactl hold --for 10m 'new cables'
  lanactl log --follow
  lanactl channel eth1 --to 02:00:00:00:00:0b --key key --want checksum,compress?,crypt

Exit status:
  0  done
  1  wrong usage
  2  lanad does not run, or does not do it";

fn span(text: &str) -> Result<Span, String> {
    Span::try_from(text.to_owned())
}

fn main() -> ExitCode {
    lana_cli::plain("lanactl", run)
}

fn run(cli: Cli) -> Result<()> {
    let globals = Globals {
        json: cli.json,
        pretty: cli.pretty,
        ..Globals::default()
    };
    let mut out = Output::standard(&globals);
    let folder = &cli.run;
    let done = |request| control::ask::<Value>(folder, &request).map(|_| ());
    match cli.command {
        Command::Status => status(&mut out, &control::ask(folder, &Request::Status)?)?,
        Command::Hold { time, why } => {
            let until = time.map(|time| {
                let time = u64::try_from(time.duration().as_micros()).unwrap_or(u64::MAX);
                history::now().saturating_add(time)
            });
            done(Request::Hold(Hold { until, why }))?;
        }
        Command::Release => done(Request::Release)?,
        Command::Reload => done(Request::Reload)?,
        Command::Channel(args) => channel(&mut out, folder, *args)?,
        Command::Channels => channels(&mut out, &control::ask(folder, &Request::Status)?)?,
        Command::Publish {
            channel: name,
            context,
            service,
            seconds,
        } => {
            let request = Request::Publish {
                name,
                context,
                service,
                seconds,
            };
            token(&mut out, &control::ask(folder, &request)?)?;
        }
        Command::Resolve {
            channel: name,
            context,
            service,
        } => {
            token(
                &mut out,
                &control::ask(
                    folder,
                    &Request::Resolve {
                        name,
                        context,
                        service,
                    },
                )?,
            )?;
        }
        Command::Log { follow } => log(&mut out, follow, folder)?,
    }
    out.flush()
}

fn log(out: &mut Output, follow: bool, folder: &Path) -> Result<()> {
    let mut after = 0;
    loop {
        let said: Lines = control::ask(folder, &Request::Log { after })?;
        for line in &said.lines {
            after = line.line;
            if out.is_json() {
                out.json_line(line)?;
            } else {
                out.line(&line.text)?;
            }
        }
        out.flush()?;
        if !follow {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn token(out: &mut Output, answer: &Value) -> Result<()> {
    if out.is_json() {
        return out.json(answer);
    }
    let token = answer.get("token").map(Value::to_string);
    out.line(&token.unwrap_or_default())
}

fn channel(out: &mut Output, folder: &Path, args: ChannelArgs) -> Result<()> {
    let name = args.device.clone();
    let (Some(to), Some(key)) = (args.to, args.key) else {
        control::ask::<Value>(folder, &Request::Close { name: name.clone() })?;
        let gone = |status: &Status| {
            status
                .channels
                .iter()
                .all(|channel| channel.name != name || channel.state == "closed")
        };
        wait(folder, args.wait, gone)?;
        return Ok(());
    };
    // lanad has another folder than we.
    let key = std::path::absolute(&key)?;
    let channel = Channel {
        device: args.device,
        to,
        key,
        number: args.number,
        top: args.top,
        want: args.want.clone(),
        demand: args.demand,
        have: args.have,
        fallback: if args.closed {
            Otherwise::Closed
        } else {
            Otherwise::Open
        },
        adaptive: args.adaptive,
        adaptive_block: args.adaptive_block,
        adaptive_above: args.adaptive_above,
        adaptive_until: args.adaptive_until,
        adaptive_for: args.adaptive_for,
        switch_after: args.switch_after,
        keepalive: args.keepalive,
    };
    let channel = Box::new(channel);
    control::ask::<Value>(
        folder,
        &Request::Channel {
            name: name.clone(),
            channel,
        },
    )?;
    if args.want.is_none() || args.wait.is_zero() {
        return Ok(());
    }
    let of = |status: &Status| {
        status
            .channels
            .iter()
            .find(|channel| channel.name == name)
            .cloned()
    };
    let ended = |status: &Status| {
        of(status).is_none_or(|channel| {
            channel.state == "up" || channel.state == "closed" || channel.trouble.is_some()
        })
    };
    match wait(folder, args.wait, ended)?.as_ref().and_then(of) {
        Some(channel) => match channel.trouble {
            Some(trouble) => Err(denied(format!("{name}: {trouble}"))),
            None => out.line(&format!("{name}: {}", blocks(&channel.blocks))),
        },
        None => Err(denied(format!(
            "{name}: the other host does not answer yet"
        ))),
    }
}

/// Asks for the status until it is as wanted, or nothing if it is not in time.
fn wait(folder: &Path, time: Span, wanted: impl Fn(&Status) -> bool) -> Result<Option<Status>> {
    let end = Instant::now() + time.duration();
    loop {
        let status: Status = control::ask(folder, &Request::Status)?;
        if wanted(&status) {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn blocks(names: &[String]) -> String {
    match names {
        [] => "no blocks".to_owned(),
        names => names.join(","),
    }
}

fn channels(out: &mut Output, status: &Status) -> Result<()> {
    if out.is_json() {
        return out.json(&status.channels);
    }
    let columns = [
        Column::Left("CHANNEL"),
        Column::Left("TO"),
        Column::Left("STATE"),
        Column::Left("BLOCKS"),
        Column::Right("LOSS OUT"),
        Column::Right("LOSS IN"),
        Column::Right("ROUND TRIP"),
        Column::Left("TROUBLE"),
    ];
    let mut table = Table::new(columns);
    let share =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    for channel in &status.channels {
        let time = channel
            .round_trip
            .map_or("-".to_owned(), |time| format!("{:.1} ms", time * 1e3));
        table.row([
            channel.name.clone(),
            channel.to.clone(),
            channel.state.clone(),
            blocks(&channel.blocks),
            share(channel.loss_out),
            share(channel.loss_in),
            time,
            channel.trouble.clone().unwrap_or("-".to_owned()),
        ]);
    }
    out.table(&table)
}

fn status(out: &mut Output, status: &Status) -> Result<()> {
    if out.is_json() {
        return out.json(status);
    }
    if let Some(graph) = &status.graph {
        let files: Vec<_> = graph
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let mut line = format!("graph {}: {}", graph.state, files.join(" "));
        if !graph.missing.is_empty() {
            line = format!("{line} (no device {})", graph.missing.join(", "));
        }
        out.line(&line)?;
        for change in &graph.differs {
            out.line(&format!("differs: {change}"))?;
        }
    }
    if let Some(hold) = &status.hold {
        out.line(format!("held {}", hold.why).trim_end())?;
    }
    if let Some(trouble) = &status.trouble {
        out.line(&format!("trouble: {trouble}"))?;
    }
    if let Some(why) = &status.record_ended {
        out.line(&format!("the record has ended: {why}"))?;
    }
    for (name, announced) in &status.announcements {
        let state = if *announced { "announced" } else { "withdrawn" };
        out.line(&format!("{state}: {name}"))?;
    }
    if status.rules.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::Left("RULE"),
        Column::Left("HOLDS"),
        Column::Right("ACTED"),
        Column::Left("CONDITION"),
    ];
    let mut table = Table::new(columns);
    for rule in &status.rules {
        let holds = if rule.holds { "yes" } else { "no" }.to_owned();
        table.row([
            rule.name.clone(),
            holds,
            rule.acted.to_string(),
            rule.condition.clone(),
        ]);
    }
    out.table(&table)
}
