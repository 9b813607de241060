// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  otst netif_rx               wait for the next call, and print its stack
  otst ip_rcv arp_rcv         wait for the next call of each of the two
  otst -t 5 netif_rx          wait for at most 5 seconds
  otst 'kfree_skb_list_reason $2=3'  wait for a call with 3 as second argument
  otst --lana fb3             wait for a drop at fb3: print reason, path, stack
  echo -n netif_rx > /proc/driver/otst  the same; the kernel's log has it";

const NEEDS: &str = "\
Needs:
  otst needs the module otst.ko, CAP_SYS_ADMIN, and a kernel with CONFIG_KPROBES
  that is not locked down. Kernels of distributions have kprobes.
  User Mode Linux has none.";

const EXIT_STATUS: &str = "\
Exit status:
  0  otst has printed the stacks
  1  wrong usage, or the wait ended before the call
  2  the kernel refused: no such symbol, no probe, no module, or no permission";

/// Print the stack of the next call of a kernel function, once
#[derive(Debug, Parser)]
#[command(
    name = "otst", version,
    after_help = format!("{EXAMPLES}\n\n{NEEDS}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    /// Functions of the kernel or its modules, as in /proc/kallsyms. Conditions may follow the name, in the same argument:
    /// $N=NUMBER waits for a call whose argument N is NUMBER, and $N prints argument N
    #[arg(value_name = "SYMBOL", required_unless_present = "lana")]
    pub(crate) symbols: Vec<String>,

    /// Wait for the next packet that LANA's BLOCK drops
    #[arg(short, long, value_name = "BLOCK", conflicts_with = "symbols")]
    pub(crate) lana: Option<String>,

    /// Stop waiting after SECONDS seconds [default: no limit]
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,

    /// Print each stack as a JSON object on one line
    #[arg(short, long)]
    pub(crate) json: bool,
}
