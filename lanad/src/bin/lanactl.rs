// SPDX-License-Identifier: GPL-2.0

//! The program `lanactl`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use lana_cli::{clean, history, Column, Globals, Output, Table};
use lanad::{
    config::Span,
    control::{self, Request},
    state::Hold,
};
use serde_json::Value;
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

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
    let ask = |request: &Request| control::ask(&cli.run, request);
    match cli.command {
        Command::Status => status(&mut out, &ask(&Request::Status)?)?,
        Command::Hold { time, why } => {
            let until = time.map(|time| {
                let time = u64::try_from(time.duration().as_micros()).unwrap_or(u64::MAX);
                history::now().saturating_add(time)
            });
            ask(&Request::Hold(Hold { until, why }))?;
        }
        Command::Release => {
            ask(&Request::Release)?;
        }
        Command::Reload => {
            ask(&Request::Reload)?;
        }
        Command::Log { follow } => log(&mut out, follow, ask)?,
    }
    out.flush()
}

fn log(out: &mut Output, follow: bool, ask: impl Fn(&Request) -> Result<Value>) -> Result<()> {
    let mut after = 0;
    loop {
        let answer = ask(&Request::Log { after })?;
        for line in answer["lines"].as_array().into_iter().flatten() {
            after = line["line"].as_u64().unwrap_or(after);
            if out.is_json() {
                out.json_line(line)?;
            } else {
                out.line(&clean(line["text"].as_str().unwrap_or_default()))?;
            }
        }
        out.flush()?;
        if !follow {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn status(out: &mut Output, status: &Value) -> Result<()> {
    if out.is_json() {
        return out.json(status);
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let list = |value: &Value| {
        let items: Vec<_> = value.as_array().into_iter().flatten().map(text).collect();
        items.join(" ")
    };
    let graph = &status["graph"];
    if graph.is_object() {
        let mut line = format!("graph {}: {}", text(&graph["state"]), list(&graph["files"]));
        if !list(&graph["missing"]).is_empty() {
            line = format!("{line} (no device {})", list(&graph["missing"]));
        }
        out.line(&line)?;
        for change in graph["differs"].as_array().into_iter().flatten() {
            out.line(&format!("  differs: {}", text(change)))?;
        }
    }
    if status["hold"].is_object() {
        out.line(&format!("held: {}", text(&status["hold"]["why"])))?;
    }
    if !status["trouble"].is_null() {
        out.line(&format!("trouble: {}", text(&status["trouble"])))?;
    }
    for (name, announced) in status["announcements"].as_object().into_iter().flatten() {
        let state = if announced == &Value::Bool(true) {
            "announced"
        } else {
            "withdrawn"
        };
        out.line(&format!("{state}: {name}"))?;
    }
    let mut table = Table::new([
        Column::Left("RULE"),
        Column::Left("HOLDS"),
        Column::Right("ACTED"),
        Column::Left("CONDITION"),
    ]);
    let rules = status["rules"].as_array().map_or(&[][..], Vec::as_slice);
    for rule in rules {
        let holds = if rule["holds"] == Value::Bool(true) {
            "yes"
        } else {
            "no"
        };
        table.row([
            text(&rule["name"]),
            holds.to_owned(),
            text(&rule["acted"]),
            text(&rule["condition"]),
        ]);
    }
    if rules.is_empty() {
        return Ok(());
    }
    out.table(&table)
}
