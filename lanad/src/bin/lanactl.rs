// SPDX-License-Identifier: GPL-2.0

//! The program `lanactl`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use lana_cli::{history, Column, Globals, Output, Table};
use lanad::{
    config::Span,
    control::{self, Lines, Request, Status},
    state::Hold,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Asks lanad what it sees and does, and lets it wait
#[derive(Debug, Parser)]
#[command(version, after_long_help = HELP)]
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
    /// Show what lanad has said
    Log {
        /// Go on with what it says from now on
        #[arg(short, long)]
        follow: bool,
    },
}

const HELP: &str = "\
Examples:
  lanactl status
  lanactl hold --for 10m 'new cables'
  lanactl log --follow

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
