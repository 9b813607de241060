// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

mod flow;
mod probe;

use crate::{
    assignment::Assignment,
    flows::Word,
    graph::Format,
    metrics::ADDRESS,
    select::Wanted,
    top,
    web::address,
    words::{flow_words, options, types},
};
use clap::{Args, Parser, Subcommand};
use clap_complete::{
    engine::{ArgValueCandidates, ArgValueCompleter},
    Shell,
};
pub(crate) use flow::{FlowsHow, FLOW_KEYS, FLOW_KEYS_IN_SHORT};
use lana_cli::{candidates::blocks, Globals, EXIT_STATUS};
pub(crate) use probe::{Capture, Trace};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// What a file for `apply` looks like.
const FORMAT: &str = "\
Format:
  # [upper, lower]; this order numbers the ports of a block
  bindings = [[\"count\", \"lan0\"], [\"filter\", \"count\"]]
  # [subscriber, publisher]
  subscriptions = [[\"filter\", \"lan0\"]]
  # a device that vlink connects
  [devices.lan0]
  subsystem = \"ethernet\"
  # a device with native XDP: packets enter before the driver makes skbs
  [devices.lan1]
  subsystem = \"ethernet\"
  xdp = true
  # a virtual device, which receives EtherType 0xac0a from wan0
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
  fbctl add fb2 tee                     make a block fb2 of the type tee
  fbctl bind fb2 eth0                   put it on top of eth0
  fbctl set fb3 program=@ipv4.bpf       load a filter from a file
  fbctl -s show                         all blocks with their counters
  fbctl -j -s show | jq '.[].stats'     the counters as JSON
  fbctl show type=bpf bound-to=fb2      the filters that are bound to fb2
  fbctl stats fb2 -w                    its packets, bits and drops per second
  fbctl top                             the busiest blocks, on a screen
  fbctl flows -c 10 -o bytes            the ten largest flows of netflow blocks
  fbctl flows -w host=192.0.2.1         the flows of a host, on a screen
  fbctl trace --from eth0 -c 3 icmp     follow three pings, hop by hop
  fbctl capture eth0 udp port 53        print the DNS packets that reach eth0
  fbctl capture fb3 -w - | wireshark -k -i -
                                        show what fb3 receives in Wireshark
  fbctl graph text                      a picture in the terminal
  fbctl graph tree                      the graph with one block a line
  fbctl graph svg > graph.svg           a picture; -w 2 adds packets per second
  fbctl web                             a live picture in a browser
  fbctl replace fb3 fb7                 put fb7 in the place of fb3
  fbctl save graph.toml                 write the graph to a file
  fbctl apply graph.toml                change the graph to that of the file
  fbctl --dry-run apply graph.toml      print what that would change
  fbctl apply graph.toml --confirm 60   undo it after 60 s unless confirmed
  fbctl log                             who has changed what
  fbctl undo                            undo the last change
  fbctl -b setup.fb                     make all changes of a file, or none";

pub(crate) const KEYS: &str = "\
Keys:
  ?, h           show the keys
  q, Esc         quit
  p, space       pause or continue
  s              sort by the next column
  N T P B D L C  by name, type, packets, bits, drops, ns/pkt (latency), CPU
  r              reverse the order
  i              hide idle blocks, or show them again
  /              filter: parts of names, type=TYPE, bound-to=NAME;
                 Enter applies it, Esc cancels
  z              reset the totals on this screen; Z shows all again
  arrows, page up and down, home, end: scroll";

/// The keys where the screen is too low or too narrow for what the help says of them.
pub(crate) const KEYS_IN_SHORT: [&str; 6] = [
    "? h keys   q Esc quit   p space pause",
    "arrows, page up and down, home, end: scroll",
    "N name  T type  P packets  B bits  D drops  L ns/pkt  C CPU",
    "s sort by the next column   r reverse   i idle blocks",
    "/ filter: parts of names, type=TYPE, bound-to=NAME",
    "z reset the totals on this screen   Z show all again",
];

/// Build and show LANA's graph of functional blocks
#[derive(Debug, Parser)]
#[command(
    name = "fbctl", version,
    override_usage = "fbctl [OPTIONS] <COMMAND|--batch <FILE>>",
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
    /// Change the graph to that of a file
    ///
    /// FILE describes the whole graph of the namespace. `apply` prints one line for each difference: + is made, - is
    /// removed, ~ is changed. It makes all changes in one transaction, so an error changes nothing. The rest of the graph
    /// keeps its state and its traffic.
    #[command(after_help = FORMAT)]
    Apply {
        /// A TOML file, or - for the standard input, or a folder. Each file *.toml of a folder describes a part of the graph with
        /// its bindings
        file: PathBuf,
        #[command(flatten)]
        how: ApplyHow,
    },
    /// Write the graph as a file for `apply`
    Save {
        /// The file to write [default: the standard output]
        file: Option<PathBuf>,
    },
    /// Keep the change that you made with --confirm
    Confirm,
    /// Replace the loaded kernel modules of LANA with the installed ones
    ///
    /// `upgrade` saves the graphs of all named namespaces, removes them, reloads the modules, and makes the graphs again
    /// with their counters. It prints how long the graphs were away. Meanwhile Linux has the devices, and the blocks get no
    /// packets. After a failure `upgrade` restores as much as it can. The saved graphs stay in /run/lana.
    Upgrade,
    /// List the changes of the graph: who changed what, and when
    ///
    /// The tools log their changes if the folder /var/lib/lana exists. `fbctl monitor --log` also logs the changes of other
    /// programs. These entries come from events, so they name no user. An option that was set has its old and its new value.
    Log {
        /// Show only the last CHANGES changes
        #[arg(short = 'N', long, value_name = "CHANGES")]
        last: Option<usize>,
    },
    /// Undo the last changes, in one transaction
    ///
    /// The graph becomes what it was before these changes. `undo` fails if another program has changed the graph since then.
    /// It does not count changes that are undone already: two calls of `fbctl undo` undo two changes.
    Undo {
        /// Number of changes, as `fbctl log` lists them
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        changes: u32,
    },
    /// Restore the graph as it is now unless it is confirmed
    #[command(hide = true)]
    Hold {
        /// Seconds to wait
        seconds: u32,
        /// The command that makes the change
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// List blocks with their bindings and options
    ///
    /// The column BINDINGS lists the blocks above (up:), the blocks below (down:), and the blocks whose events this one
    /// subscribes to (sub:). For a device, OPTIONS begins with the state of its link and its MTU. Long options are cut; --json
    /// prints them whole. A narrow terminal lacks the columns REFS and IDP. Numbered options, such as multipath's
    /// port.N.weight, follow as a table with a line for each number.
    Show {
        /// Show only these blocks: names, type=TYPE, bound-to=NAME
        #[arg(value_name = "NAME|KEY=VALUE", add = ArgValueCandidates::new(blocks))]
        wanted: Vec<Wanted>,
    },
    /// List the types of block, including those whose module is installed but not loaded
    Types {
        /// Show the options of this type, with their values and defaults
        #[arg(add = ArgValueCandidates::new(types))]
        name: Option<String>,
    },
    /// Show the counters of blocks and of the packet processing engine
    ///
    /// PACKETS and BYTES are what a block was given. For a device they also include what it has received: RX counts the
    /// packets that it has received, TX those that it has sent. On a narrow terminal, the figures of some columns stand in a
    /// line below their row, unless they are 0.
    Stats {
        /// Show only these blocks, with their own counters: names, type=TYPE, bound-to=NAME
        #[arg(value_name = "NAME|KEY=VALUE", add = ArgValueCandidates::new(blocks))]
        wanted: Vec<Wanted>,
        #[command(flatten)]
        how: StatsHow,
    },
    /// Show the busiest blocks and their drops, updated each second
    ///
    /// A terminal that is too narrow shows the most important columns, and names those that are hidden. The reasons of drops
    /// then have a line of their own below the block. In a pipe or a file, -b prints all columns.
    /// Rates are those of the last interval. Totals are all that a block has counted, or what it has counted since you
    /// pressed z. The key changes only this screen.
    ///
    /// NS/PKT is the time that a packet spends in a block, in nanoseconds. CPU% is the share of one CPU that this takes at
    /// the block's packet rate. RX/S and TX/S are what a device receives and sends. `top` measures NS/PKT and CPU% on a sample: it traces about 250 packets per second, at most 1000.
    #[command(after_help = KEYS)]
    Top {
        /// Show only these blocks: parts of names, type=TYPE, bound-to=NAME
        #[arg(value_name = "PART|KEY=VALUE")]
        wanted: Vec<Wanted>,
        #[command(flatten)]
        how: TopHow,
    },
    /// Show the flows that blocks of the type netflow keep
    ///
    /// A flow is a line. FLAGS are the TCP flags of all its packets: C, E, U, A, P, R, S and F. PROTO of ICMP includes the
    /// type and the code. BYTES are those of IP. AGE is the time since the first packet, IDLE since the last one. With
    /// the option biflow, REV-PACKETS and REV-BYTES are those of the other direction. The parts of a flow on several
    /// CPUs are added up.
    ///
    /// With --watch, PACKETS/S and BITS/S are those of the last interval, of both directions. Without it, --sort rate and
    /// --sort bits show the mean since the flow began. A narrow terminal shows the most important columns, and names those
    /// that are hidden. The screen has the first 1000 flows of the order, unless --count says another number.
    #[command(after_help = flow::help())]
    Flows {
        /// Show only the flows of these blocks, and those that match these filters: src=, dst=, host=, sport=, dport=,
        /// port=, proto=, vlan=, in=, out=
        #[arg(value_name = "BLOCK|KEY=VALUE", add = ArgValueCandidates::new(flow_words))]
        wanted: Vec<Word>,
        #[command(flatten)]
        how: FlowsHow,
    },
    /// Print all counters of the network namespace as OpenMetrics, for Prometheus
    ///
    /// These are the counters of the engine, the devices and the blocks. A number that a block of TYPE shows as KEY is the
    /// metric lana_fb_TYPE_KEY. A text is a label of lana_fb_TYPE_info.
    Metrics(MetricsHow),
    /// Print a line for each change of the graph, until interrupted
    Monitor(Monitor),
    /// Follow packets through the graph, hop by hop
    ///
    /// `trace` prints a line for each packet and a line for each block on its way: the time since the packet came in, the
    /// block, the direction, the outcome, and the bytes that changed. Packets that a block made from it, such as copies of
    /// a tee, follow below it, in order of time.
    /// If a block holds the packet, the rest follows later, under the same number. On a terminal, long lines are broken. A
    /// trace does not delay, lose or reorder packets.
    Trace(Trace),
    /// Print the packets that blocks receive, send or drop, or write them to a file for Wireshark
    ///
    /// Without -w each packet is a line: the time of day in UTC, the block, the point, the direction, the reason of a drop,
    /// and the packet as `tcpdump -n` shows it. With --out the block that it goes to stands behind ->.
    Capture(Capture),
    /// Print the graph as a picture, or for programs
    ///
    /// Devices are at the bottom of a picture, and at the top or the ends of a tree, in the colours of their state. The
    /// ports of a block are in order from left to right, with their numbers if it has several. The picture shows drops. With
    /// --stats it also shows the packets of each block.
    ///
    /// With text no line is wider than the terminal: parts that do not fit side by side stand one below the other, and a
    /// part that is too wide becomes a tree, one block a line. Drops and devices that are down have a colour, unless
    /// NO_COLOR is set.
    Graph(Graph),
    /// Serve a live page of the graph, until interrupted
    ///
    /// `web` prints the URL of the page. The page shows packets and drops per second, the state of devices, and each version
    /// of the graph since you opened it. A click on a block shows its options and counters. The page changes the graph only
    /// with --write, and shows packets only with --packets. The URL contains a token: keep it secret, as it gives access to
    /// all that the page can do.
    Web(Web),
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        directory: PathBuf,
    },
}

/// What asks the kernel for one change.
#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Make a block
    Add {
        /// Name of the block
        name: String,
        /// Type of the block, as `fbctl types` lists it. LANA loads its module if necessary
        #[arg(value_name = "TYPE", add = ArgValueCandidates::new(types))]
        kind: String,
    },
    /// Remove a block, which must have no bindings and no subscribers
    Rm {
        /// The block
        #[arg(add = ArgValueCandidates::new(blocks))]
        name: String,
    },
    /// Set an option of a block
    Set {
        /// The block
        #[arg(add = ArgValueCandidates::new(blocks))]
        name: String,
        /// The option and its value. @FILE stands for the contents of a file, @- for the standard input, @@ for an @. An empty
        /// VALUE restores the default. In place of a BPF program, an expression such as "tcp port 80" is compiled by tcpdump
        #[arg(value_name = "KEY=VALUE", add = ArgValueCompleter::new(options))]
        assignment: Assignment,
    },
    /// Bind a block on top of another one
    Bind(Binding),
    /// Remove a binding
    Unbind(Binding),
    /// Subscribe a block to the events of another one
    Subscribe(Subscription),
    /// Remove a subscription
    Unsubscribe(Subscription),
    /// Replace a block with another one, which takes over its IDP, bindings, subscriptions and state
    ///
    /// OLD gets the IDP of NEW and stays until you remove it. No packet is lost, and each packet meets either OLD or NEW. A
    /// block of the same type takes over the state as it is. If NEW cannot use the state of OLD, the command fails;
    /// --drop-state allows it.
    Replace {
        /// The block to replace
        #[arg(add = ArgValueCandidates::new(blocks))]
        old: String,
        /// The new block, which must have no bindings and no subscribers
        #[arg(add = ArgValueCandidates::new(blocks))]
        new: String,
        /// Do not take over the state
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
    /// The block that sends the events
    #[arg(add = ArgValueCandidates::new(blocks))]
    pub(crate) publisher: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyHow {
    /// Accept a FILE without blocks and devices: remove the whole graph
    #[arg(long)]
    pub(crate) empty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatsHow {
    /// Show only the engine's counters, for each CPU
    #[arg(long, conflicts_with_all = ["wanted", "watch"])]
    pub(crate) cpu: bool,
    /// Show rates per second, every SECONDS seconds: 0.1 to 86400, 1 if you give no number. With --json, print a line each
    /// time
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = watched)]
    pub(crate) watch: Option<Duration>,
    /// With --watch: stop after TIMES intervals [default: no limit]
    #[arg(short, long, value_name = "TIMES", requires = "watch")]
    pub(crate) count: Option<u64>,
    /// With --watch: measure the time for a packet in each block and the share of a CPU, from a sample of packets
    #[arg(short, long, requires = "watch")]
    pub(crate) time: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TopHow {
    /// Print text instead of a screen. With --json, print a line of JSON each time
    #[arg(short, long)]
    pub(crate) batch: bool,
    /// Stop after TIMES intervals [default: no limit]
    #[arg(short = 'n', long, value_name = "TIMES")]
    pub(crate) count: Option<u64>,
    /// Seconds between two updates: 0.1 to 86400
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) delay: Duration,
    /// Sort by this column
    #[arg(short = 'o', long, value_name = "COLUMN", value_enum, default_value_t)]
    pub(crate) sort: top::Sort,
    /// Reverse the order
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// Do not trace packets: leave out NS/PKT and CPU%
    #[arg(long)]
    pub(crate) no_time: bool,
    // The global option without its letter, which is that of top(1) here.
    /// Work in the network namespace NAME. Its short form -n stands before the command
    #[arg(long, value_name = "NAME", display_order = 504)]
    pub(crate) netns: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsHow {
    /// Serve the counters by HTTP at ADDRESS in the network namespace. A port alone means 127.0.0.1
    #[arg(short, long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = ADDRESS)]
    pub(crate) listen: Option<String>,
    /// Answer one HTTP request on the standard input and output, for a systemd socket with Accept=yes
    #[arg(long, conflicts_with = "listen")]
    pub(crate) inetd: bool,
}

/// The same behind an option that may stand without a value.
fn watched(text: &str) -> Result<Duration, String> {
    seconds(text).map_err(|error| format!("{error}; names stand before the option"))
}

/// An interval in seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=86_400.0).contains(s));
    let seconds = seconds.ok_or("an interval is 0.1 to 86400 seconds")?;
    Ok(Duration::from_secs_f64(seconds))
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Format of the output; --json means json [default: text on a terminal, else dot]
    #[arg(value_enum)]
    pub(crate) format: Option<Format>,
    /// Measure for SECONDS seconds, and show packets and drops per second: 0.1 to 86400
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) window: Option<Duration>,
    /// Fit text and tree into COLUMNS columns, 0 for no limit. The default is the terminal, or the variable COLUMNS
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Listen here, in the network namespace that you start fbctl in. A port alone means 127.0.0.1; port 0 is any free
    /// port
    #[arg(short, long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Start with the versions in a file of `fbctl monitor --record`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Let the page bind and unbind blocks, with a preview, in one transaction
    #[arg(short, long)]
    pub(crate) write: bool,
    /// Let the page trace and capture packets. Anyone with the URL can then see their contents
    #[arg(long)]
    pub(crate) packets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Print the time of each event, in UTC
    #[arg(short, long)]
    pub(crate) timestamp: bool,
    /// Also write the changes into the log that `fbctl log` shows
    #[arg(long)]
    pub(crate) log: bool,
    /// Stop after EVENTS events [default: no limit]
    #[arg(short, long, value_name = "EVENTS")]
    pub(crate) count: Option<u64>,
    /// Write the graph now and after each event to FILE, for `fbctl web --replay`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, FromArgMatches};
    use lana_cli::Tool;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn format_is_that_of_files() {
        let (_, file) = FORMAT.split_once('\n').unwrap();
        let mut names = lana_graph::model::Names::default();
        let target = lana_graph::document::read(file, &mut names).unwrap();
        assert_eq!(target.bindings.len(), 2);
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "x", "0", "-1", "nan", "1e9", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn help_lists_what_acts() {
        let help = |name| {
            let words = ["fbctl", "help", name];
            let error = lana_cli::command::<Cli>().try_get_matches_from(words);
            error.unwrap_err().to_string()
        };
        let changes = ["--dry-run", "--yes", "--confirm"];
        let text = help("trace");
        assert!(
            !changes.iter().any(|option| text.contains(option)),
            "{text}"
        );
        assert!(!text.contains("--stats"), "{text}");
        let at = |option| text.find(option).unwrap_or_default();
        assert!(
            at("--from") < at("--rate") && at("--rate") < at("--json"),
            "{text}"
        );
        let text = help("apply");
        assert!(changes.iter().all(|option| text.contains(option)), "{text}");
        for command in lana_cli::command::<Cli>().get_subcommands() {
            let is_known = Cli::idle(command.get_name()).iter().all(|id| {
                let mut hidden = command.get_arguments();
                hidden.any(|arg| arg.get_id() == id)
            });
            assert!(is_known, "{}", command.get_name());
        }
        let line = ["fbctl", "--yes", "show", "--dry-run"];
        let matches = lana_cli::command::<Cli>().try_get_matches_from(line);
        let cli = Cli::from_arg_matches(&matches.unwrap()).unwrap();
        assert!(cli.globals.yes && cli.globals.dry_run);
    }

    #[test]
    fn options_stand_before_or_after() {
        for line in [["fbctl", "-s", "-j", "show"], ["fbctl", "show", "-s", "-j"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.globals.stats && cli.globals.json);
        }
    }
}
