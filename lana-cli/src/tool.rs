// SPDX-License-Identifier: GPL-2.0

//! From the command line to the exit code.

use crate::{
    batch::{self, Together},
    candidates::VARIABLE,
    failure::{clap_text, usage, Failure},
    globals::Globals,
    held::saved,
    idle, lines, narrow, netns, one_dash,
    output::{self, Output},
    pages,
    session::Session,
    table::clean,
    terminal,
};
use anyhow::Result;
use clap::{
    error::ErrorKind, value_parser, Arg, CommandFactory, FromArgMatches, Parser, Subcommand,
};
use clap_complete::{CompleteEnv, Shell};
use lana_netlink::{errno_text, Op, Refusal};
use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    slice,
};

/// How far from the margin the rest of a message stands.
const INDENT: usize = 4;

/// The command line of a tool.
pub trait Tool: Parser {
    /// Its commands.
    type Action: Action;
    /// What it is called.
    const NAME: &'static str;
    /// The options of [`Globals`] that do nothing for a command, by its name: its help does not list them.
    fn idle(command: &str) -> &'static [&'static str] {
        let _ = command;
        &[]
    }
    /// Takes the command line apart; the command may be absent where a batch file is given.
    fn into_parts(self) -> (Globals, Option<Self::Action>);
}

/// A command.
pub trait Action: Subcommand {
    /// What it is called in messages: the command and what it is about.
    fn label(&self) -> String;
    /// The changes that it asks the kernel for, for a transaction: none if it does something else.
    fn changes(&self, session: &Session) -> Result<Vec<Op<'_>>>;
    /// Whether it changes the graph in another way, and knows about `--dry-run`.
    fn plans(&self) -> bool {
        false
    }
    /// What may help where the kernel refuses the last of `ops`, which were to be made in this order: to
    /// stand behind the error.
    fn advice(refusal: &Refusal, ops: &[Op<'_>], session: &mut Session) -> Option<String> {
        let _ = (refusal, ops, session);
        None
    }
    /// The graph as a file for `fbctl apply`.
    fn graph(session: &mut Session) -> Result<String> {
        let _ = session;
        saved()
    }
    /// Runs it.
    fn run(&self, session: &mut Session) -> Result<()>;
}

/// A line of a batch file.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line<A: Action> {
    #[command(subcommand)]
    action: A,
    /// As on the command line.
    #[arg(long, global = true)]
    yes: bool,
}

/// Runs the tool on the command line of the process.
pub fn main<T: Tool>() -> ExitCode {
    // A shell asks what the next word may be.
    CompleteEnv::with_factory(idle::command::<T>)
        .var(VARIABLE)
        .complete();
    let command = narrow::fold(idle::command::<T>(), terminal::columns());
    let matches = command.try_get_matches();
    match matches.and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(tool) => report(T::NAME, run(tool)),
        Err(error) if !error.use_stderr() => {
            let mut out = Output::standard(&Globals::default());
            report(T::NAME, print(&error, &mut out))
        }
        Err(error) => report(T::NAME, Err(Failure::usage(clap_text(&error)))),
    }
}

/// Runs a tool that has no batch files and no [`Session`]: `run` gets the command line, and what goes
/// wrong is told in one line. It answers to the hidden `--man DIRECTORY` and `--completions SHELL` too.
pub fn plain<P: Parser>(tool: &str, run: impl FnOnce(P) -> Result<()>) -> ExitCode {
    let hidden = |name: &'static str| Arg::new(name).long(name).hide(true).exclusive(true);
    // Who asks for these gives no command.
    let first = env::args_os().nth(1);
    let asks = first.is_some_and(|word| word == "--man" || word == "--completions");
    let needs = P::command().is_subcommand_required_set() && !asks;
    let command = narrow::fold(P::command(), terminal::columns())
        .subcommand_required(needs)
        .arg(hidden("man").value_parser(value_parser!(PathBuf)))
        .arg(hidden("completions").value_parser(value_parser!(Shell)));
    let mut out = Output::standard(&Globals::default());
    let result = match command.try_get_matches_from(one_dash::mended(&P::command(), env::args_os()))
    {
        Ok(mut matches) => {
            let done = if let Some(directory) = matches.remove_one::<PathBuf>("man") {
                pages::write_pages(P::command(), &directory)
            } else if let Some(shell) = matches.remove_one("completions") {
                pages::write_completions(P::command(), shell, &mut out).and_then(|()| out.flush())
            } else {
                P::from_arg_matches(&matches)
                    .map_err(Into::into)
                    .and_then(run)
            };
            done.map_err(|error| match error.downcast::<clap::Error>() {
                Ok(error) => Failure::usage(clap_text(&error)),
                Err(error) => Failure::plain(&error),
            })
        }
        Err(error) if !error.use_stderr() => print(&error, &mut out),
        Err(error) => Err(Failure::usage(clap_text(&error))),
    };
    report(tool, result)
}

fn report(tool: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(tool, &failure);
            ExitCode::from(failure.code)
        }
    }
}

/// Prints the help or the version, which clap has for an error.
fn print(error: &clap::Error, out: &mut Output) -> Result<(), Failure> {
    let text = error.render();
    let text = if out.has_colour() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let label = match error.kind() {
        ErrorKind::DisplayVersion => "--version",
        _ => "--help",
    };
    let told = out.text(&text).and_then(|()| out.flush());
    told.map_err(|error| Failure::new(label, &error))
}

fn say(tool: &str, failure: &Failure) {
    let Some(text) = &failure.text else { return };
    let colour = output::wants_colour(&io::stderr());
    let line = lines::Line::default().with_alarm(&format!("{tool}:"));
    let line = line.with(&format!(" {text}"));
    let text = line.render(terminal::error_columns(), INDENT, colour);
    // Nobody need be there to read it: the exit code says it too.
    let _ = writeln!(io::stderr(), "{text}");
    for line in failure.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
        let _ = writeln!(io::stderr(), "{}", clean(line));
    }
}

fn run<T: Tool>(tool: T) -> Result<(), Failure> {
    let (globals, action) = tool.into_parts();
    let mut home = None;
    if let Some(name) = &globals.netns {
        home = netns::own().ok();
        netns::enter(name)?;
    }
    let mut session = Session::new(T::NAME, globals.clone(), home, T::Action::graph);
    match (action, &globals.batch) {
        (Some(action), None) => perform(&action, &mut session),
        (None, Some(file)) => run_batch::<T>(file, globals.force, &mut session),
        (Some(_), Some(_)) => Err(Failure::usage("either a command or --batch, not both")),
        (None, None) => {
            let text = format!("a command is missing; `{} help` lists them", T::NAME);
            let error = idle::command::<T>().error(ErrorKind::MissingSubcommand, text);
            Err(Failure::usage(clap_text(&error)))
        }
    }
}

fn perform<A: Action>(action: &A, session: &mut Session) -> Result<(), Failure> {
    let label = action.label();
    let result = carry_out(action, session).and_then(|()| session.out.flush());
    result.map_err(|mut error| {
        batch::advise(&mut error, slice::from_ref(action), session);
        Failure::new(&label, &error)
    })
}

/// Asks for the changes of a command, or runs it if it is of another kind.
fn carry_out<A: Action>(action: &A, session: &mut Session) -> Result<()> {
    let ops = action.changes(session)?;
    if !ops.is_empty() {
        return session.change(&ops);
    }
    if !action.plans() {
        for (given, option) in [
            (session.globals.dry_run, "--dry-run"),
            (session.globals.confirm.is_some(), "--confirm"),
        ] {
            if given {
                return Err(usage(format!("{option}: this command changes no graph")));
            }
        }
    }
    action.run(session)
}

fn run_batch<T: Tool>(file: &Path, force: bool, session: &mut Session) -> Result<(), Failure> {
    let name = file.display().to_string();
    let input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let input = File::open(file);
        let input = input.map_err(|e| Failure::usage(format!("{name}: {}", errno_text(&e))))?;
        Box::new(BufReader::new(input))
    };
    let mut definition = Line::<T::Action>::command().name(T::NAME).bin_name(T::NAME);
    let mut parse = |words| {
        let matches = definition.try_get_matches_from_mut(words)?;
        Line::<T::Action>::from_arg_matches(&matches)
    };
    if force {
        if session.globals.dry_run || session.globals.confirm.is_some() {
            let text =
                "--dry-run and --confirm are for changes that are made together, not for --force";
            return Err(Failure::usage(text));
        }
        let yes = session.globals.yes;
        let command = |_, words| match parse(words) {
            Ok(line) => {
                session.globals.yes = yes || line.yes;
                perform(&line.action, session)
            }
            Err(error) if !error.use_stderr() => print(&error, &mut session.out),
            Err(error) => Err(Failure::usage(clap_text(&error))),
        };
        return batch::run(input, &name, true, command, |f| say(T::NAME, f));
    }
    let mut together = Together::new(session);
    let command = |number, words| {
        let line = parse(words).map_err(|error| Failure::usage(clap_text(&error)))?;
        together.push(number, line.action, line.yes, session)
    };
    batch::run(input, &name, false, command, |_| ())?;
    together.send(&name, session)
}
