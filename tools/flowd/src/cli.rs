// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use crate::netflow::{
    config::{number_of, Config, COLLECTOR, COLLECTORS, FLUSH},
    setting::Target,
};
use clap::Parser;
use lana_cli::{usage, EXIT_STATUS};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  flowd -r office.pcap collector.0=192.0.2.1:2055
  flowd -r office.pcap -j version=ipfix biflow=on collector.0=[2001:db8::1]:4739
  tcpdump -w - -i eth0 | flowd -r - collector.0=127.0.0.1:2055 active=60s";

const OPTIONS: &str = "\
Options of the flows, as KEY=VALUE:
  They are those of the block netflow. `fbctl types netflow` lists them all.";

/// Tell of flows by NetFlow 5, NetFlow 9 or IPFIX
///
/// flowd keeps the flows of packets, as the block netflow does in the kernel, and tells collectors of those that have
/// ended. Time is that of the packets.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "flowd", version,
    after_help = format!("{EXAMPLES}\n\n{OPTIONS}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    /// Read packets from a capture (pcap or pcapng); - is the standard input
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(crate) read: PathBuf,

    /// Print the counters as JSON at the end
    #[arg(short, long)]
    pub(crate) json: bool,

    /// Options of the flows
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) options: Vec<String>,
}

/// What is to be kept and told, and to whom.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) collectors: [Option<Target>; COLLECTORS],
}

impl Settings {
    /// Reads them, as the block does.
    pub(crate) fn read(options: &[String]) -> anyhow::Result<Self> {
        let mut settings = Self {
            config: Config::DEFAULT,
            collectors: [None; COLLECTORS],
        };
        for option in options {
            let Some((key, value)) = option.split_once('=') else {
                return Err(usage(format!("'{option}' is not KEY=VALUE")));
            };
            settings.set(key, value)?;
        }
        let is_v6 = |target: &Target| target.is_v6();
        if let Some(source) = settings.config.source {
            let of_v6 = matches!(source, crate::address::Address::V6(_));
            if settings
                .collectors
                .iter()
                .flatten()
                .any(|to| is_v6(to) != of_v6)
            {
                return Err(usage("source and collector are of different families"));
            }
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        if let Some(config) = self.config.with(key, value.as_bytes()) {
            self.config = config.map_err(|failure| usage(failure.text))?;
            return Ok(());
        }
        if key.starts_with(COLLECTOR) {
            let place = number_of(key).and_then(|number| self.collectors.get_mut(number));
            let place =
                place.ok_or_else(|| usage(format!("{key}: N is from 0 to {}", COLLECTORS - 1)))?;
            let target = Target::parse(value).ok_or_else(|| {
                usage(format!(
                    "{key}: an address and a port such as 192.0.2.1:2055"
                ))
            })?;
            if target.is_connected() {
                return Err(usage(format!("{key}: flowd sends by UDP alone")));
            }
            *place = Some(target);
            return Ok(());
        }
        let known = Config::OPTIONS.iter().map(|option| option.key);
        let known: Vec<_> = known.filter(|key| *key != FLUSH).collect();
        Err(usage(format!(
            "{key}: no such option; there are {}",
            known.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> Result<Settings, String> {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        Settings::read(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_those_of_the_block() {
        let settings = read(&[
            "version=ipfix",
            "collector.2=[2001:db8::1]:4739",
            "active=60s",
        ]);
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.config.times().active, 60_000);
        assert_eq!(settings.collectors.iter().flatten().count(), 1);
        for (bad, why) in [
            ("version=8", "version: 5, 9 or ipfix"),
            ("active", "'active' is not KEY=VALUE"),
            ("collector.9=192.0.2.1:1", "collector.9: N is from 0 to 7"),
            (
                "collector.0=here:1",
                "collector.0: an address and a port such as",
            ),
            (
                "collector.0=tcp:192.0.2.1:4739",
                "collector.0: flowd sends by UDP alone",
            ),
            (
                "flush=yes",
                "flush: no such option; there are collector.N, version",
            ),
        ] {
            let error = read(&[bad]).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(error.starts_with(why), "{bad}: {error}");
        }
        let error = read(&["source=192.0.2.1", "collector.0=[::1]:9"]).err();
        assert_eq!(
            error.as_deref(),
            Some("source and collector are of different families")
        );
    }
}
