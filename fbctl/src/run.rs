// SPDX-License-Identifier: GPL-2.0

//! From commands to what does them.

use crate::{
    advice, apply, capture,
    cli::{Binding, Change, Cli, Command, Subscription},
    flows::{self, Word},
    graph, history, hold, metrics, monitor, save,
    select::Wanted,
    show, stats, top, trace, types, upgrade, web,
};
use anyhow::Result;
use lana_cli::{
    command, word, write_dynamic_completions, write_pages, Action, Globals, Session, Tool,
};
use lana_graph::{expression, program};
use lana_netlink::{Op, Refusal};

impl Tool for Cli {
    type Action = Command;
    const NAME: &'static str = "fbctl";

    fn idle(command: &str) -> &'static [&'static str] {
        match command {
            "add" | "rm" | "set" | "bind" | "unbind" | "subscribe" | "unsubscribe" | "replace" => {
                &["stats", "yes"]
            }
            "apply" | "undo" => &["stats"],
            "upgrade" => &["stats", "confirm"],
            "show" | "graph" => &["dry_run", "yes", "confirm"],
            "types" | "stats" | "flows" => &["stats", "dry_run", "yes", "confirm"],
            // What comes again and again is a line of JSON each time.
            "log" | "top" | "monitor" | "trace" | "capture" => {
                &["pretty", "stats", "dry_run", "yes", "confirm"]
            }
            "save" | "confirm" | "metrics" | "web" => {
                &["json", "pretty", "stats", "dry_run", "yes", "confirm"]
            }
            "completions" => &[
                "json", "pretty", "stats", "netns", "dry_run", "yes", "confirm",
            ],
            _ => &[],
        }
    }

    fn into_parts(self) -> (Globals, Option<Command>) {
        (self.globals, self.command)
    }
}

impl Action for Command {
    fn label(&self) -> String {
        match self {
            Command::Change(change) => change.label(),
            Command::Apply { .. } => "apply".to_owned(),
            Command::Save { .. } => "save".to_owned(),
            Command::Confirm => "confirm".to_owned(),
            Command::Upgrade => "upgrade".to_owned(),
            Command::Log { .. } => "log".to_owned(),
            Command::Undo { .. } => "undo".to_owned(),
            Command::Hold { .. } => "hold".to_owned(),
            Command::Show { wanted } => about_blocks("show", wanted),
            Command::Types { name: Some(name) } => about("types", &[name]),
            Command::Types { name: None } => "types".to_owned(),
            Command::Stats { wanted, .. } => about_blocks("stats", wanted),
            Command::Top { wanted, .. } => about_blocks("top", wanted),
            Command::Flows { wanted, .. } => {
                let words: Vec<_> = wanted.iter().map(Word::text).collect();
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                about("flows", &words)
            }
            Command::Metrics(_) => "metrics".to_owned(),
            Command::Monitor(_) => "monitor".to_owned(),
            Command::Trace(_) => "trace".to_owned(),
            Command::Capture(_) => "capture".to_owned(),
            Command::Graph(_) => "graph".to_owned(),
            Command::Web(_) => "web".to_owned(),
            Command::Completions { .. } => "completions".to_owned(),
            Command::Man { .. } => "man".to_owned(),
        }
    }

    fn changes(&self, session: &Session) -> Result<Vec<Op<'_>>> {
        match self {
            Command::Change(change) => Ok(vec![change.op(session.stdin_is_taken())?]),
            _ => Ok(Vec::new()),
        }
    }

    fn graph(session: &mut Session) -> Result<String> {
        Ok(lana_graph::text(session.lana()?)?)
    }

    fn plans(&self) -> bool {
        matches!(
            self,
            Command::Apply { .. } | Command::Undo { .. } | Command::Upgrade
        )
    }

    fn advice(refusal: &Refusal, ops: &[Op<'_>], session: &mut Session) -> Option<String> {
        advice::advice(refusal, ops, session)
    }

    fn run(&self, session: &mut Session) -> Result<()> {
        match self {
            Command::Change(change) => {
                let op = change.op(session.stdin_is_taken())?;
                session.change(&[op])
            }
            Command::Apply { file, how } => apply::run(session, file, how),
            Command::Save { file } => save::run(session, file.as_deref()),
            Command::Upgrade => upgrade::run(session),
            Command::Log { last } => history::run(session, *last),
            Command::Undo { changes } => history::undo(session, *changes as usize),
            Command::Confirm => hold::confirm(session),
            Command::Hold { seconds, command } => hold::run(session, *seconds, command),
            Command::Show { wanted } => show::run(session, wanted),
            Command::Types { name } => types::run(session, name.as_deref()),
            Command::Stats { wanted, how } => stats::run(session, wanted, how),
            Command::Top { wanted, how } => top::run(session, wanted, how),
            Command::Flows { wanted, how } => flows::run(session, wanted, how),
            Command::Metrics(how) => metrics::run(session, how),
            Command::Monitor(options) => monitor::run(session, options),
            Command::Trace(options) => trace::run(session, options),
            Command::Capture(options) => capture::run(session, options),
            Command::Graph(options) => graph::run(session, options),
            Command::Web(options) => web::run(session, options),
            Command::Completions { shell } => {
                write_dynamic_completions(Cli::NAME, *shell, &mut session.out)
            }
            Command::Man { directory } => write_pages(command::<Cli>(), directory),
        }
    }
}

impl Change {
    fn label(&self) -> String {
        match self {
            Change::Add { name, .. } => about("add", &[name]),
            Change::Rm { name } => about("rm", &[name]),
            Change::Set { name, assignment } => about("set", &[name, &assignment.key]),
            Change::Bind(b) => about("bind", &[&b.upper, &b.lower]),
            Change::Unbind(b) => about("unbind", &[&b.upper, &b.lower]),
            Change::Subscribe(s) => about("subscribe", &[&s.subscriber, &s.publisher]),
            Change::Unsubscribe(s) => about("unsubscribe", &[&s.subscriber, &s.publisher]),
            Change::Replace { old, new, .. } => about("replace", &[old, new]),
        }
    }

    fn op(&self, stdin_is_taken: bool) -> Result<Op<'_>> {
        Ok(match self {
            Change::Add { name, kind } => Op::FbNew { name, kind },
            Change::Rm { name } => Op::FbDel { name },
            Change::Set { name, assignment } => Op::FbSet {
                name,
                key: &assignment.key,
                value: program::fitting(expression::compiled(
                    &assignment.key,
                    assignment.read(stdin_is_taken)?,
                )?),
            },
            Change::Bind(Binding { upper, lower }) => Op::Bind { upper, lower },
            Change::Unbind(Binding { upper, lower }) => Op::Unbind { upper, lower },
            Change::Subscribe(Subscription {
                subscriber,
                publisher,
            }) => Op::Subscribe {
                subscriber,
                publisher,
            },
            Change::Unsubscribe(Subscription {
                subscriber,
                publisher,
            }) => Op::Unsubscribe {
                subscriber,
                publisher,
            },
            Change::Replace {
                old,
                new,
                drop_state,
            } => Op::Replace {
                old,
                new,
                drop_state: *drop_state,
            },
        })
    }
}

/// A command and the blocks that it is about.
fn about_blocks(command: &str, wanted: &[Wanted]) -> String {
    let words: Vec<_> = wanted.iter().map(Wanted::text).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    about(command, &words)
}

/// A command and what it is about.
fn about(command: &str, words: &[&str]) -> String {
    let words = words.iter().map(|text| word(text));
    let all: Vec<_> = [command.to_owned()].into_iter().chain(words).collect();
    all.join(" ")
}
