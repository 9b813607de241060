// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

use crate::{
    assignment::Assignment,
    graph::Format,
    words::{options, types},
};
use clap::{Args, Parser, Subcommand};
use clap_complete::{
    engine::{ArgValueCandidates, ArgValueCompleter},
    Shell,
};
use lana_cli::{candidates::blocks, Globals, EXIT_STATUS};
use std::path::PathBuf;

/// What a file for `apply` looks like.
const FORMAT: &str = "\
Format:
  # [upper, lower]; the ports of a block are numbered in this order
  bindings = [[\"count\", \"lan0\"], [\"filter\", \"count\"]]
  # [subscriber, publisher]
  subscriptions = [[\"filter\", \"lan0\"]]
  # a device that vlink connects
  [devices.lan0]
  subsystem = \"ethernet\"
  # a device whose packets enter before socket buffers are made: native XDP
  [devices.lan1]
  subsystem = \"ethernet\"
  xdp = true
  # a virtual device: what wan0 receives with EtherType 0xac0a
  [devices.mydev0]
  subsystem = \"ethernet\"
  carrier = \"wan0\"
  id = 10
  [blocks.count]
  type = \"counter\"
  [blocks.filter]
  type = \"bpf\"
  options.program = \"{ 0x6, 0, 0, 0xffffffff },\"";

const EXAMPLES: &str = "\
Examples:
  fbctl add fb2 tee                     make a block called fb2 of the type tee
  fbctl bind fb2 eth0                   put it on top of eth0
  fbctl set fb3 program=@ipv4.bpf       load a filter from a file
  fbctl -s show                         all blocks with their counters
  fbctl -j -s show | jq '.[].stats'     the same for programs
  fbctl graph | dot -Tsvg > graph.svg   a picture
  fbctl replace fb3 fb7                 let fb7 take the place of fb3
  fbctl save graph.toml                 write the graph down
  fbctl apply graph.toml                make it so again
  fbctl --dry-run apply graph.toml      only say what that would change
  fbctl apply graph.toml --confirm 60   take it back unless `fbctl confirm` comes within a minute
  fbctl log                             who has changed what
  fbctl undo                            take the last change back
  fbctl -b setup.fb                     make the changes in a file, all or none";

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
    #[command(flatten)]
    Change(Change),
    /// Make the graph what a file says
    ///
    /// FILE describes the whole graph of the namespace. What differs is printed, a line each (+ for
    /// what is made, - for what goes, ~ for what is set or bound anew), and changed in one
    /// transaction: all of it or, on any error, nothing. What does not differ keeps its state and
    /// its traffic.
    #[command(after_help = FORMAT)]
    Apply {
        /// A TOML file; - is the standard input; of a folder, its files *.toml, each a part with bindings of its own
        file: PathBuf,
        #[command(flatten)]
        how: ApplyHow,
    },
    /// Write the running graph as a file for `apply`
    Save {
        /// Where to, instead of the standard output
        file: Option<PathBuf>,
    },
    /// Keep the change that was made with --confirm
    Confirm,
    /// Change the kernel modules of LANA for those that are installed now, while a graph runs
    ///
    /// Saves the graphs of all namespaces that have names, takes them out, loads the modules anew, and makes the graphs
    /// again, with the counts of their counters. How long they were away is printed. Devices that are hooked with
    /// unclaimed=stack or not at all are Linux's meanwhile; packets for the blocks are lost. If something fails, what was there
    /// is put back, as far as that can be; the saved graphs are in /run/lana.
    Upgrade,
    /// Show who has changed what, and when
    ///
    /// The tools write down what they change, where there is the folder /var/lib/lana. What others change stands there, too,
    /// if `fbctl monitor --record` runs: by the events, without a user.
    Log {
        /// Only the last so many
        #[arg(short = 'N', long, value_name = "CHANGES")]
        last: Option<usize>,
    },
    /// Take the last changes back, in one transaction
    ///
    /// The graph becomes what it was before them. It is refused if somebody else has changed it in between. What was
    /// taken back is not counted again: `fbctl undo` twice takes back two changes.
    Undo {
        /// How many, as `fbctl log` lists them
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        changes: u32,
    },
    /// Take the graph back to what it is now unless it is confirmed
    #[command(hide = true)]
    Hold {
        /// After how many seconds
        seconds: u32,
    },
    /// Show blocks, how they are bound, and their options
    ///
    /// The column BINDINGS has the blocks that are on top of this one (up:), those it is on top of
    /// (down:), and those whose events it gets by an explicit subscription (sub:). Options are cut
    /// where they get long; --json has all of them.
    Show {
        /// Only this one
        #[arg(add = ArgValueCandidates::new(blocks))]
        name: Option<String>,
    },
    /// List the types of block that can be made, those whose module is only installed included
    Types {
        /// Show the options of this one: what they can be set to, and what a new block has
        #[arg(add = ArgValueCandidates::new(types))]
        name: Option<String>,
    },
    /// Show the counters of blocks and of the packet processing engine
    Stats {
        /// Only those of this block, and what it counts itself
        #[arg(add = ArgValueCandidates::new(blocks))]
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

/// What asks the kernel for one change.
#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Make a block
    Add {
        /// What to call it
        name: String,
        /// Its type, as `fbctl types` lists it; the module of a type that is not there is loaded
        #[arg(value_name = "TYPE", add = ArgValueCandidates::new(types))]
        kind: String,
    },
    /// Remove a block that nothing is bound or subscribed to
    Rm {
        /// Which
        #[arg(add = ArgValueCandidates::new(blocks))]
        name: String,
    },
    /// Set an option of a block
    Set {
        /// Of which
        #[arg(add = ArgValueCandidates::new(blocks))]
        name: String,
        /// The option; a VALUE of @FILE stands for what is in the file, @- for the standard
        /// input, @@ for an @; an empty one sets it back to what a new block has
        #[arg(value_name = "KEY=VALUE", add = ArgValueCompleter::new(options))]
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
    /// Let a block take the place of another, with its IDP, bindings, subscriptions and state
    ///
    /// In turn OLD gets what NEW had, and stays until it is removed. No packet is lost, and none
    /// sees anything in between. Blocks of one type hand over their very state; where the types
    /// differ and the new one has no use for the state of the old one, it is refused unless
    /// --drop-state is there.
    Replace {
        /// The block whose place is taken
        #[arg(add = ArgValueCandidates::new(blocks))]
        old: String,
        /// The block that takes it; nothing may be bound or subscribed to it
        #[arg(add = ArgValueCandidates::new(blocks))]
        new: String,
        /// Do not carry the state over
        #[arg(long)]
        drop_state: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Binding {
    /// The block on top
    #[arg(add = ArgValueCandidates::new(blocks))]
    pub(crate) upper: String,
    /// The block below
    #[arg(add = ArgValueCandidates::new(blocks))]
    pub(crate) lower: String,
}

#[derive(Debug, Args)]
pub(crate) struct Subscription {
    /// The block that gets the events
    #[arg(add = ArgValueCandidates::new(blocks))]
    pub(crate) subscriber: String,
    /// The block whose events it gets
    #[arg(add = ArgValueCandidates::new(blocks))]
    pub(crate) publisher: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyHow {
    /// Remove the whole graph if FILE has no block and no device
    #[arg(long)]
    pub(crate) empty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Say when, in UTC
    #[arg(short, long)]
    pub(crate) timestamp: bool,
    /// Write them into the log that `fbctl log` shows, too
    #[arg(long)]
    pub(crate) record: bool,
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
    fn format_is_that_of_files() {
        let (_, file) = FORMAT.split_once('\n').unwrap();
        let mut names = crate::model::Names::default();
        let target = crate::document::read(file, &mut names).unwrap();
        assert_eq!(target.bindings.len(), 2);
    }

    #[test]
    fn options_stand_before_or_after() {
        for line in [["fbctl", "-s", "-j", "show"], ["fbctl", "show", "-s", "-j"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.globals.stats && cli.globals.json);
        }
    }
}
