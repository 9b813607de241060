// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use lana_cli::{Globals, EXIT_STATUS};
use std::path::PathBuf;

/// Name of the subsystem for Ethernet devices.
pub(crate) const ETHERNET: &str = "ethernet";

const EXAMPLES: &str = "\
Examples:
  vlink ethernet hook eth0     give what eth0 receives to the block eth0, not to Linux
  vlink ethernet unhook eth0   give it back
  vlink -j show                what is connected, for programs
  vlink -n red show            the same in the network namespace red";

/// Connect devices to LANA's graph of functional blocks
#[derive(Debug, Parser)]
#[command(
    name = "vlink", version, disable_help_subcommand = true,
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
    /// Ethernet devices
    Ethernet {
        #[command(subcommand)]
        command: Device,
    },
    /// Show the devices of all subsystems
    Show,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    #[command(flatten)]
    Change(Change),
    /// Show the devices that are connected
    Show,
}

/// What asks the kernel for one change.
#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Connect a device to the graph: a block of its name takes every frame it receives
    Hook {
        /// Which
        #[arg(value_name = "DEVICE")]
        ifname: String,
    },
    /// Give a device back to Linux and remove its block
    Unhook {
        /// Which
        #[arg(value_name = "DEVICE")]
        ifname: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
