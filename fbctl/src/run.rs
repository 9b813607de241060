// SPDX-License-Identifier: GPL-2.0

//! From commands to what does them.

use crate::{
    cli::{Cli, Command},
    graph, monitor, show, stats, types,
};
use anyhow::Result;
use clap::CommandFactory;
use lana_cli::{word, write_completions, write_pages, Action, Globals, Session, Tool};
use std::path::Path;

impl Tool for Cli {
    type Action = Command;
    const NAME: &'static str = "fbctl";

    fn into_parts(self) -> (Globals, Option<Command>) {
        (self.globals, self.command)
    }
}

impl Action for Command {
    fn label(&self) -> String {
        let about = |command: &str, words: &[&str]| {
            let words = words.iter().map(|text| word(text));
            let all: Vec<_> = [command.to_owned()].into_iter().chain(words).collect();
            all.join(" ")
        };
        match self {
            Command::Add { name, .. } => about("add", &[name]),
            Command::Rm { name } => about("rm", &[name]),
            Command::Set { name, assignment } => about("set", &[name, &assignment.key]),
            Command::Bind(b) => about("bind", &[&b.upper, &b.lower]),
            Command::Unbind(b) => about("unbind", &[&b.upper, &b.lower]),
            Command::Subscribe(s) => about("subscribe", &[&s.subscriber, &s.publisher]),
            Command::Unsubscribe(s) => about("unsubscribe", &[&s.subscriber, &s.publisher]),
            Command::Show { name: Some(name) } => about("show", &[name]),
            Command::Show { name: None } => about("show", &[]),
            Command::Types => about("types", &[]),
            Command::Stats {
                name: Some(name), ..
            } => about("stats", &[name]),
            Command::Stats { name: None, .. } => about("stats", &[]),
            Command::Monitor(_) => about("monitor", &[]),
            Command::Graph { .. } => about("graph", &[]),
            Command::Completions { .. } => about("completions", &[]),
            Command::Man { .. } => about("man", &[]),
        }
    }

    fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Command::Add { name, kind } => session.change(|lana| lana.fb_new(&name, &kind)),
            Command::Rm { name } => session.change(|lana| lana.fb_del(&name)),
            Command::Set { name, assignment } => {
                let batch = session.globals.batch.as_deref();
                let key = assignment.key.clone();
                let value = assignment.read(batch == Some(Path::new("-")))?;
                session.change(|lana| lana.fb_set(&name, &key, &value))
            }
            Command::Bind(b) => session.change(|lana| lana.bind(&b.upper, &b.lower)),
            Command::Unbind(b) => session.change(|lana| lana.unbind(&b.upper, &b.lower)),
            Command::Subscribe(s) => {
                session.change(|lana| lana.subscribe(&s.subscriber, &s.publisher))
            }
            Command::Unsubscribe(s) => {
                session.change(|lana| lana.unsubscribe(&s.subscriber, &s.publisher))
            }
            Command::Show { name } => show::run(session, name.as_deref()),
            Command::Types => types::run(session),
            Command::Stats { name, cpu } => stats::run(session, name.as_deref(), cpu),
            Command::Monitor(options) => monitor::run(session, &options),
            Command::Graph { format } => graph::run(session, format),
            Command::Completions { shell } => {
                write_completions(Cli::command(), shell, &mut session.out)
            }
            Command::Man { directory } => write_pages(Cli::command(), &directory),
        }
    }
}
