// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

use crate::{
    assignment::Assignment,
    graph::Format,
    metrics::ADDRESS,
    select::Wanted,
    top::Sort,
    web::address,
    words::{options, types},
};
use clap::{Args, Parser, Subcommand};
use clap_complete::{
    engine::{ArgValueCandidates, ArgValueCompleter},
    Shell,
};
use lana_cli::{candidates::blocks, Globals, EXIT_STATUS};
use lana_netlink::spec::ProbePoint;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

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
  fbctl show type=bpf bound-to=fb2      the filters that are bound to fb2
  fbctl stats fb2 -w                    packets, bits and drops of fb2 each second
  fbctl top                             the blocks that carry the most, on a screen
  fbctl trace --from eth0 -c 3          three packets, hop by hop
  fbctl capture fb3 -w - | wireshark -k -i -
                                        what comes to fb3, live
  fbctl graph text                      a picture of characters; -s with packets
  fbctl graph svg > graph.svg           a picture; -w 2 with the rates of two seconds
  fbctl web                             a page that shows it live
  fbctl replace fb3 fb7                 let fb7 take the place of fb3
  fbctl save graph.toml                 write the graph down
  fbctl apply graph.toml                make it so again
  fbctl --dry-run apply graph.toml      only say what that would change
  fbctl apply graph.toml --confirm 60   take it back unless `fbctl confirm` comes within a minute
  fbctl log                             who has changed what
  fbctl undo                            take the last change back
  fbctl -b setup.fb                     make the changes in a file, all or none";

const KEYS: &str = "\
Keys:
  q, Esc         end
  p, blank       pause, and go on
  s              sort by the next column
  N T P B D L C  sort by name, type, packets, bits, drops, ns/pkt (how long), CPU
  r              the other way round
  /              filter: parts of names, type=TYPE, bound-to=NAME; Enter takes it, Esc leaves it
  z              count totals from now on; Z takes it back
  arrows, page up and down, home, end: scroll";

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
    /// if `fbctl monitor --log` runs: by the events, without a user.
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
    /// where they get long; --json has all of them. Those that are numbered, such as multipath's
    /// port.N.weight, are a table below, with a line for each number.
    Show {
        /// Only these: names, type=TYPE, bound-to=NAME
        #[arg(value_name = "NAME|KEY=VALUE", add = ArgValueCandidates::new(blocks))]
        wanted: Vec<Wanted>,
    },
    /// List the types of block that can be made, those whose module is only installed included
    Types {
        /// Show the options of this one: what they can be set to, and what a new block has
        #[arg(add = ArgValueCandidates::new(types))]
        name: Option<String>,
    },
    /// Show the counters of blocks and of the packet processing engine
    Stats {
        /// Only those of these blocks, and what they count themselves: names, type=TYPE, bound-to=NAME
        #[arg(value_name = "NAME|KEY=VALUE", add = ArgValueCandidates::new(blocks))]
        wanted: Vec<Wanted>,
        #[command(flatten)]
        how: StatsHow,
    },
    /// Show which blocks carry and drop the most, second by second
    ///
    /// Rates are those of the last interval; the totals are all that a block has counted, or what it has
    /// counted since the key z was pressed, which changes nothing for anybody else.
    ///
    /// NS/PKT is how long a block has a packet, in nanoseconds, and CPU% what share of one CPU that is at its packets a
    /// second. It is measured on a sample of the packets, which a trace as that of `fbctl trace` takes: about 250 a second,
    /// no more than 1000.
    #[command(after_help = KEYS)]
    Top {
        /// Only these: parts of names, type=TYPE, bound-to=NAME
        #[arg(value_name = "PART|KEY=VALUE")]
        wanted: Vec<Wanted>,
        #[command(flatten)]
        how: TopHow,
    },
    /// Print all that is counted, for Prometheus: OpenMetrics text
    ///
    /// Engine, devices, blocks, and what blocks themselves count, of the network namespace. What a block
    /// shows as a number is lana_fb_TYPE_KEY; what it shows as text are labels of lana_fb_TYPE_info.
    Metrics(MetricsHow),
    /// Print what changes, a line an event, until interrupted
    Monitor(Monitor),
    /// Follow packets through the graph, hop by hop
    ///
    /// Each packet is a line about it and a line for each block that it has passed: when, since the
    /// packet came in; the block; the way; what became of it there; the bytes that have changed.
    /// Packets that were made of it (a copy of a tee, an answer) stand below it, in the order of time. What
    /// comes of a packet after a block has held it is shown when it comes, by the same number. Lines that
    /// are too long for the terminal are broken. No packet is held up, lost or reordered by that.
    Trace(Trace),
    /// Print the packets that come to blocks or leave them, or write them to a file for Wireshark
    ///
    /// Without -w each packet is a line: the time of day in UTC, the block, the point, the way, why it
    /// was dropped, and the packet as `tcpdump -n` shows it.
    Capture(Capture),
    /// Print the graph as a picture, or for programs
    ///
    /// Devices are at the bottom, in the colours of their state. The ports of a block are from left to
    /// right in the order of their numbers, which stand at the lines of a block that has more than
    /// one. Drops are shown where there were any; with --stats the packets of each block too.
    Graph(Graph),
    /// Show the graph as a page that is alive, until interrupted
    ///
    /// Prints the URL to open. The page shows what packets and drops there are in a second, the state of
    /// devices, the options and counters of a block that is clicked on, and each version of the graph
    /// since it was opened. It can only look, unless --write is there, and it does not look into packets, unless --packets
    /// is. The URL has a token: who has it may do what the page can do.
    Web(Web),
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
pub(crate) struct StatsHow {
    /// Only those of the engine, CPU by CPU
    #[arg(long, conflicts_with_all = ["wanted", "watch"])]
    pub(crate) cpu: bool,
    /// Show what comes in a second, each second, or as often as said; with --json, a line each time
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = watched)]
    pub(crate) watch: Option<Duration>,
    /// With --watch: stop after so many times
    #[arg(short, long, value_name = "TIMES", requires = "watch")]
    pub(crate) count: Option<u64>,
    /// With --watch: measure how long blocks have packets, and what share of a CPU that is, on a sample of the packets
    #[arg(short, long, requires = "watch")]
    pub(crate) time: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TopHow {
    /// Print text, not a screen; --json prints a line of JSON each time
    #[arg(short, long)]
    pub(crate) batch: bool,
    /// End after so many times
    #[arg(short = 'n', long, value_name = "TIMES")]
    pub(crate) count: Option<u64>,
    /// How long an interval is
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) delay: Duration,
    /// What blocks are sorted by
    #[arg(short = 'o', long, value_name = "COLUMN", value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// The other way round
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// Do not measure how long blocks have packets: no packet is traced
    #[arg(long)]
    pub(crate) no_time: bool,
    // The global option without its letter, which is that of top(1) here.
    /// Act in the network namespace NAME; as -n, this stands before the command
    #[arg(long, value_name = "NAME")]
    pub(crate) netns: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsHow {
    /// Serve it by HTTP at ADDRESS, in the network namespace; a port alone is one of 127.0.0.1
    #[arg(short, long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = ADDRESS)]
    pub(crate) listen: Option<String>,
    /// Answer one request of HTTP on the standard input and output: for a socket of systemd with Accept=yes
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
    /// What to print; --json chooses JSON too
    #[arg(value_enum, default_value_t = Format::Dot)]
    pub(crate) format: Format,
    /// Watch for so long, and show packets and drops a second
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) window: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Where to listen, in the network namespace that fbctl is started in; a port alone is one of
    /// 127.0.0.1, and 0 any that is free
    #[arg(short, long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Begin with the versions in a file that `fbctl monitor --record` has written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Let the page bind and unbind blocks: several changes as one transaction, with a preview
    #[arg(short, long)]
    pub(crate) write: bool,
    /// Let the page trace and capture packets: who has the URL sees what they carry
    #[arg(long)]
    pub(crate) packets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Say when, in UTC
    #[arg(short, long)]
    pub(crate) timestamp: bool,
    /// Write them into the log that `fbctl log` shows, too
    #[arg(long)]
    pub(crate) log: bool,
    /// Stop after so many events
    #[arg(short, long, value_name = "EVENTS")]
    pub(crate) count: Option<u64>,
    /// Write the graph as it is, and as it is after each event, to a file for `fbctl web --replay`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// What a filter looks like.
const FILTER: &str = "\
Filter:
  An expression as tcpdump takes it, which compiles it, or @FILE with a program of classic BPF as
  bpfc writes it. It sees the bytes of a packet: not a VLAN tag that the driver has put beside them.";

#[derive(Debug, Args)]
#[command(after_help = FILTER)]
pub(crate) struct Trace {
    /// From this block on, or from that of this device; from where packets enter the graph if absent
    #[arg(long, value_name = "DEV|BLOCK")]
    pub(crate) from: Option<String>,
    /// Only packets for which this is true where the trace begins
    #[arg(long, value_name = "EXPRESSION|@FILE")]
    pub(crate) filter: Option<String>,
    /// Stop after so many packets
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Show the link layer too (MAC addresses, EtherType, length of the frame), the CPU, and nanoseconds
    #[arg(short = 'e', long)]
    pub(crate) link: bool,
    /// Only packets of which nothing was dropped
    #[arg(long, conflicts_with = "drops")]
    pub(crate) ok: bool,
    /// Only packets of which something was dropped
    #[arg(long)]
    pub(crate) drops: bool,
    /// Only one of so many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: Option<u32>,
    /// At most so many packets a second; those beyond are counted as lost [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = FILTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Capture {
    /// The blocks, or the devices that they stand for; up to 16
    #[arg(required = true, value_name = "BLOCK|DEV")]
    pub(crate) blocks: Vec<String>,
    /// Packets that come to the block, as it gets them: so it is without any of these
    #[arg(long = "in")]
    pub(crate) incoming: bool,
    /// Packets that the block passes on or sends, as they leave it
    #[arg(long = "out")]
    pub(crate) outgoing: bool,
    /// Packets that the block drops, as they came to it
    #[arg(long)]
    pub(crate) drops: bool,
    /// Only packets for which this is true
    #[arg(long, value_name = "EXPRESSION|@FILE")]
    pub(crate) filter: Option<String>,
    /// Stop after so many packets
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Show the link layer too (MAC addresses, EtherType, length of the frame), and nanoseconds
    #[arg(short = 'e', long)]
    pub(crate) link: bool,
    /// So many bytes of each packet, from its first one on; all of them if absent
    #[arg(short = 'S', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub(crate) snaplen: Option<u32>,
    /// At most so many packets a second; those beyond are counted as lost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Write the packets to FILE as pcapng, which Wireshark reads; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
}

impl Capture {
    /// The points that were asked for.
    pub(crate) fn points(&self) -> Vec<ProbePoint> {
        let none = !self.incoming && !self.outgoing && !self.drops;
        [
            (self.incoming || none, ProbePoint::In),
            (self.outgoing, ProbePoint::Out),
            (self.drops, ProbePoint::Drops),
        ]
        .into_iter()
        .filter_map(|(wanted, point)| wanted.then_some(point))
        .collect()
    }
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
    fn times() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "x", "0", "-1", "nan", "1e9", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_stand_before_or_after() {
        for line in [["fbctl", "-s", "-j", "show"], ["fbctl", "show", "-s", "-j"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.globals.stats && cli.globals.json);
        }
    }
}
