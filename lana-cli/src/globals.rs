// SPDX-License-Identifier: GPL-2.0

//! The options that go with every command.

use crate::candidates;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use std::path::PathBuf;

/// Options before (or after) the command, as in iproute2.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Globals {
    /// Print JSON, with the names of the netlink specification as keys
    #[arg(display_order = 501, short, long, global = true)]
    pub json: bool,

    /// With --json: indent the output
    #[arg(display_order = 502, short, long, global = true)]
    pub pretty: bool,

    /// Also show counters
    #[arg(display_order = 503, short, long = "stats", global = true)]
    pub stats: bool,

    /// Work in the network namespace NAME, one of those that `ip netns` lists
    #[arg(display_order = 504, short = 'n', long, value_name = "NAME", global = true,
        add = ArgValueCandidates::new(candidates::namespaces))]
    pub netns: Option<String>,

    /// Make the changes in FILE in one transaction: all or none. FILE has one command per line, and # begins a
    /// comment. - is the standard input
    #[arg(display_order = 505, short, long, value_name = "FILE")]
    pub batch: Option<PathBuf>,

    /// With --batch: run the commands one by one, without a transaction, and continue after an error
    #[arg(display_order = 506, long, requires = "batch")]
    pub force: bool,

    /// Print what would change, and let the kernel check it, but change nothing
    #[arg(display_order = 507, long, global = true)]
    pub dry_run: bool,

    /// Hook a device even if this may cut off the host: one with addresses, a default route or your login
    #[arg(display_order = 508, long, global = true)]
    pub yes: bool,

    /// Undo the change after SECONDS seconds (1 to 86400) unless you run `fbctl confirm`, even if your session ends
    #[arg(display_order = 509, long, value_name = "SECONDS", global = true, conflicts_with = "dry_run",
        value_parser = clap::value_parser!(u32).range(1..=86400))]
    pub confirm: Option<u32>,
}
