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
    /// Print JSON; its keys are those of the netlink specification
    #[arg(short, long, global = true)]
    pub json: bool,

    /// With --json: indent it
    #[arg(short, long, global = true)]
    pub pretty: bool,

    /// Show counters too
    #[arg(short, long = "stats", global = true)]
    pub stats: bool,

    /// Act in the network namespace NAME, as `ip netns` lists it
    #[arg(short = 'n', long, value_name = "NAME", global = true,
        add = ArgValueCandidates::new(candidates::namespaces))]
    pub netns: Option<String>,

    /// Make the changes in FILE (- is the standard input), one a line, together or not at all; #
    /// begins a comment
    #[arg(short, long, value_name = "FILE")]
    pub batch: Option<PathBuf>,

    /// With --batch: run any commands line by line, and go on after one that fails
    #[arg(long, requires = "batch")]
    pub force: bool,

    /// Ask the kernel whether a change can be made, print what would change, and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// Hook a device even if it has addresses, a default route, or your connection to this host
    #[arg(long, global = true)]
    pub yes: bool,

    /// Take a change back unless `fbctl confirm` comes within so many seconds, even if this session ends
    #[arg(long, value_name = "SECONDS", global = true, conflicts_with = "dry_run",
        value_parser = clap::value_parser!(u32).range(1..=86400))]
    pub confirm: Option<u32>,
}
