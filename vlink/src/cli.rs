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
  vlink ethernet hook eth0            give what eth0 receives to the block eth0, not to Linux
  vlink ethernet unhook eth0          give it back
  vlink ethernet add mydev0 eth0 10   make mydev0: what eth0 receives with EtherType 0xac0a
  vlink ethernet rm mydev0            remove it
  vlink -j show                       what is connected, for programs
  vlink -n red show                   the same in the network namespace red
  vlink -b setup.vlink                make the changes in a file, all or none";

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
    ///
    /// The columns CARRIER and ID are there if a device is virtual.
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
    ///
    /// The columns CARRIER and ID are there if one is virtual.
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
    /// Make a virtual device, and the block of its name that stands for it
    ///
    /// It shares CARRIER with others: what it receives and sends there are the frames of the
    /// Ethernet type 0xac00 + ID.
    Add {
        /// What to call it
        #[arg(value_name = "NAME")]
        ifname: String,
        /// The device that it shares with others
        carrier: String,
        /// From 0 to 255, or from 0x0 to 0xff; the lowest free one if it is not there
        #[arg(value_parser = id)]
        id: Option<u8>,
    },
    /// Remove a virtual device and its block
    Rm {
        /// Which
        #[arg(value_name = "NAME")]
        ifname: String,
    },
}

fn id(text: &str) -> Result<u8, &'static str> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| "ID wants a number from 0 to 255")
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
    fn ids_fit_in_a_byte() {
        for (text, number) in [
            ("0", 0),
            ("10", 10),
            ("0x0a", 10),
            ("255", 255),
            ("0xff", 255),
        ] {
            assert_eq!(id(text), Ok(number));
        }
        for text in ["", "256", "-1", "0x", "0x100", "a"] {
            assert!(id(text).is_err(), "{text}");
        }
    }
}
