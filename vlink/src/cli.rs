// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made too.

use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use clap_complete::{engine::ArgValueCandidates, Shell};
use lana_cli::{candidates, Globals, EXIT_STATUS};
use std::{path::PathBuf, str::FromStr};

/// Name of the subsystem for Ethernet devices.
pub(crate) const ETHERNET: &str = "ethernet";

const EXAMPLES: &str = "\
Examples:
  vlink ethernet hook eth0            the block eth0 gets its packets, not Linux
  vlink ethernet unhook eth0          give eth0 back to Linux
  vlink ethernet hook eth0 --block a  the same, with a block called a
  vlink ethernet hook eth0 --xdp      with native XDP, before skbs are made
  vlink ethernet hook eth0 unclaimed=stack  Linux gets what no block takes
  vlink ethernet hook eth0 --confirm 60     undo it after 60 s unless confirmed
  vlink ethernet add mydev0 eth0 10   make mydev0: EtherType 0xac0a of eth0
  vlink ethernet rm mydev0            remove mydev0
  vlink -j show                       list connected devices as JSON
  vlink -n red show                   those of the network namespace red
  vlink -b setup.vlink                make all changes of a file, or none";

const HOOK: &str = "\
Examples:
  vlink ethernet hook eth1
  vlink ethernet hook eth0 unclaimed=stack
  vlink ethernet hook eth0 --confirm 60
  vlink ethernet hook --index 3 --block lan --xdp";

/// Connect devices to LANA's graph of functional blocks
#[derive(Debug, Parser)]
#[command(
    name = "vlink", version,
    override_usage = "vlink [OPTIONS] <COMMAND|--batch <FILE>>",
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command.
#[derive(Debug)]
pub(crate) enum Command {
    /// About the devices of a subsystem.
    Devices {
        subsystem: String,
        command: Device,
    },
    Show,
    Completions {
        shell: Shell,
    },
    Man {
        directory: PathBuf,
    },
}

/// The same as it is written.
#[derive(Debug, Subcommand)]
enum Words {
    #[command(flatten)]
    Known(Known),
    /// Devices of another subsystem
    #[command(external_subcommand)]
    Other(Vec<String>),
}

#[derive(Debug, Subcommand)]
enum Known {
    /// Ethernet devices
    Ethernet {
        #[command(subcommand)]
        command: Device,
    },
    /// List the connected devices of all subsystems
    ///
    /// Virtual devices add the columns CARRIER and ID. A block whose name is not that of its device adds the column BLOCK.
    Show,
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

impl Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        Words::augment_subcommands(command)
    }
    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Words::augment_subcommands_for_update(command)
    }
    fn has_subcommand(name: &str) -> bool {
        Words::has_subcommand(name)
    }
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match Words::from_arg_matches(matches)? {
            Words::Known(known) => Ok(known.into()),
            Words::Other(words) => other(&words),
        }
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl From<Known> for Command {
    fn from(known: Known) -> Self {
        match known {
            Known::Ethernet { command } => Command::Devices {
                subsystem: ETHERNET.to_owned(),
                command,
            },
            Known::Show => Command::Show,
            Known::Completions { shell } => Command::Completions { shell },
            Known::Man { directory } => Command::Man { directory },
        }
    }
}

/// A command for a subsystem that only the kernel may know; any other word is a mistake.
fn other(words: &[String]) -> Result<Command, clap::Error> {
    let line = |skip| std::iter::once("vlink").chain(words.iter().skip(skip).map(String::as_str));
    match words {
        [subsystem, verb, ..] if Device::has_subcommand(verb) => {
            let subsystem = subsystem.clone();
            let command = Other::try_parse_from(line(1))?.command;
            Ok(Command::Devices { subsystem, command })
        }
        _ => {
            let known = Known::augment_subcommands(clap::Command::new("vlink"));
            let matches = known
                .subcommand_required(true)
                .try_get_matches_from(line(0))?;
            Known::from_arg_matches(&matches).map(Command::from)
        }
    }
}

/// What follows the name of another subsystem.
#[derive(Debug, Parser)]
#[command(name = "vlink SUBSYSTEM", bin_name = "vlink SUBSYSTEM")]
struct Other {
    #[command(subcommand)]
    command: Device,
}

/// A device that has no block.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Free {
    /// The device
    #[arg(value_name = "DEVICE", add = ArgValueCandidates::new(candidates::devices))]
    pub(crate) ifname: Option<String>,
    /// The device with this interface index
    #[arg(long, value_name = "IFINDEX")]
    pub(crate) index: Option<u32>,
}

/// One that has.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Hooked {
    /// The device
    #[arg(value_name = "DEVICE", add = ArgValueCandidates::new(candidates::hooked))]
    pub(crate) ifname: Option<String>,
    /// The device with this interface index
    #[arg(long, value_name = "IFINDEX")]
    pub(crate) index: Option<u32>,
    /// The device of this block
    #[arg(long, value_name = "NAME")]
    pub(crate) block: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    #[command(flatten)]
    Change(Change),
    /// List the connected devices
    ///
    /// Virtual devices add the columns CARRIER and ID. A block whose name is not that of its device adds the column BLOCK.
    Show,
}

/// What asks the kernel for one change.
#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Connect a device to the graph: its block gets each frame that it receives
    ///
    /// vlink refuses a device that has addresses, a default route or the connection of your login, because that would
    /// cut off this host. unclaimed=stack, --confirm or --yes allow it.
    #[command(after_help = HOOK)]
    Hook {
        #[command(flatten)]
        device: Free,
        /// Name of the block [default: the name of the device]
        #[arg(long, value_name = "NAME")]
        block: Option<String>,
        /// Use native XDP: packets enter the graph before the driver makes socket buffers
        #[arg(long)]
        xdp: bool,
        /// Options of the block, as for `fbctl set`. With unclaimed=stack Linux still gets the packets that no block takes
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<Assignment>,
    },
    /// Give a device back to Linux and remove its block
    Unhook {
        #[command(flatten)]
        device: Hooked,
    },
    /// Make a virtual device and its block
    ///
    /// The virtual device sends and receives frames of the EtherType 0xac00 + ID on CARRIER. Several virtual devices can
    /// share a carrier.
    Add {
        /// Name of the virtual device
        #[arg(value_name = "NAME")]
        ifname: String,
        /// The device that carries its frames
        #[arg(add = ArgValueCandidates::new(candidates::devices))]
        carrier: String,
        /// Number of the virtual device on CARRIER: 0 to 255, or 0x0 to 0xff [default: the lowest free number]
        #[arg(value_parser = id)]
        id: Option<u8>,
        /// Name of the block [default: the name of the device]
        #[arg(long, value_name = "NAME")]
        block: Option<String>,
    },
    /// Remove a virtual device and its block
    Rm {
        #[command(flatten)]
        device: Hooked,
    },
}

/// An option of a block, and what to set it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Assignment {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("an option is KEY=VALUE"),
        }
    }
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
