// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  otst netif_rx               wait for the next call of netif_rx(), and print its stack
  otst ip_rcv arp_rcv         the same of both
  otst -t 5 netif_rx          wait for 5 seconds and no longer
  otst 'kfree_skb_list_reason $2=3'  only a call whose second argument is 3
  otst --lana fb3             the next packet that is dropped at the block fb3: why, its way, the stack
  echo -n netif_rx > /proc/driver/otst  without this tool: the stack goes into the kernel's log";

const NEEDS: &str = "\
Needs:
  The module otst.ko and a kernel with CONFIG_KPROBES, as those of distributions are; User Mode Linux has no
  kprobes. CAP_SYS_ADMIN, and a kernel that is not locked down.";

const EXIT_STATUS: &str = "\
Exit status:
  0  the stacks are printed
  1  the command line is wrong, or the wait ended before a call came
  2  the kernel said no: no such symbol, one that cannot be probed, no module, no rights";

/// Print the stack of the next call of a kernel function, once
#[derive(Debug, Parser)]
#[command(
    name = "otst", version,
    after_help = format!("{EXAMPLES}\n\n{NEEDS}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    /// Functions of the kernel or of its modules, as /proc/kallsyms has them. Words may follow a name in the
    /// same argument: $N=NUMBER counts only calls whose N-th argument is that, $N prints the argument
    #[arg(value_name = "SYMBOL", required_unless_present = "lana")]
    pub(crate) symbols: Vec<String>,

    /// Wait for the next packet that LANA's block BLOCK drops
    #[arg(short, long, value_name = "BLOCK", conflicts_with = "symbols")]
    pub(crate) lana: Option<String>,

    /// Give up after as many seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,

    /// Print JSON: an object a stack, each in a line
    #[arg(short, long)]
    pub(crate) json: bool,
}
