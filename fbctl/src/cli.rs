// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

use crate::{assignment::Assignment, graph::Format};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use lana_cli::{Globals, EXIT_STATUS};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  fbctl add fb2 tee                     make a block called fb2 of the type tee
  fbctl bind fb2 eth0                   put it on top of eth0
  fbctl set fb3 program=@ipv4.bpf       load a filter from a file
  fbctl -s show                         all blocks with their counters
  fbctl -j -s show | jq '.[].stats'     the same for programs
  fbctl graph | dot -Tsvg > graph.svg   a picture
  fbctl -b setup.fb                     run the commands in a file";

/// Build and show LANA's graph of functional blocks
#[derive(Debug, Parser)]
#[command(
    name = "fbctl", version, disable_help_subcommand = true,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a block
    Add {
        /// What to call it
        name: String,
        /// Its type, as `fbctl types` lists it; the module of a type that is not there is loaded
        #[arg(value_name = "TYPE")]
        kind: String,
    },
    /// Remove a block that nothing is bound or subscribed to
    Rm {
        /// Which
        name: String,
    },
    /// Set an option of a block
    Set {
        /// Of which
        name: String,
        /// The option; a VALUE of @FILE stands for what is in the file, @- for the standard
        /// input, @@ for an @
        #[arg(value_name = "KEY=VALUE")]
        assignment: Assignment,
    },
    /// Put a block on top of another
    Bind(Binding),
    /// Take a block off another
    Unbind(Binding),
    /// Let a block get the events of another
    Subscribe(Subscription),
    /// Take a subscription back
    Unsubscribe(Subscription),
    /// Show blocks, how they are bound, and their options
    ///
    /// The column BINDINGS has the blocks that are on top of this one (up:), those it is on top of
    /// (down:), and those whose events it gets by an explicit subscription (sub:). Options are cut
    /// where they get long; --json has all of them.
    Show {
        /// Only this one
        name: Option<String>,
    },
    /// List the types of block that can be made
    Types,
    /// Show the counters of blocks and of the packet processing engine
    Stats {
        /// Only those of this block
        name: Option<String>,
        /// Only those of the engine, CPU by CPU
        #[arg(long, conflicts_with = "name")]
        cpu: bool,
    },
    /// Print what changes, a line an event, until interrupted
    Monitor(Monitor),
    /// Print the graph
    Graph {
        /// For Graphviz, or as JSON (which --json chooses too)
        #[arg(value_enum, default_value_t = Format::Dot)]
        format: Format,
    },
    /// Print the completions for a shell
    Completions {
        /// Which
        shell: Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man {
        /// Which
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Binding {
    /// The block on top
    pub(crate) upper: String,
    /// The block below
    pub(crate) lower: String,
}

#[derive(Debug, Args)]
pub(crate) struct Subscription {
    /// The block that gets the events
    pub(crate) subscriber: String,
    /// The block whose events it gets
    pub(crate) publisher: String,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Say when, in UTC
    #[arg(short, long)]
    pub(crate) timestamp: bool,
    /// Stop after so many events
    #[arg(short, long, value_name = "EVENTS")]
    pub(crate) count: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after() {
        for line in [["fbctl", "-s", "-j", "show"], ["fbctl", "show", "-s", "-j"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.globals.stats && cli.globals.json);
        }
    }
}
