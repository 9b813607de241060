// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man page and completions are made too.

use crate::netflow::{
    config::{number_of, Config, Version, COLLECTOR, COLLECTORS, FLUSH},
    setting::Target,
};
use clap::{value_parser, ArgGroup, Parser};
use lana_cli::{usage, EXIT_STATUS};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  flowd -i eth0 --collector 192.0.2.1:2055
  flowd -i eth0,eth1 --threads 2 version=ipfix active=60s --collector tcp:192.0.2.1:4739
  flowd --lana tap --collector 192.0.2.1:2055 & fbctl bind tap eth0
  flowd -r office.pcap collector.0=192.0.2.1:2055
  flowd -r office.pcap -j version=ipfix biflow=on collector.0=[2001:db8::1]:4739
  tcpdump -w - -i eth0 | flowd -r - collector.0=127.0.0.1:2055 active=60s";

const OPTIONS: &str = "\
Options of the flows, as KEY=VALUE:
  They are those of the block netflow. `fbctl types netflow` lists them all.";

const SIGNALS: &str = "\
Signals, with -i and --lana:
  SIGUSR1                  print the counters
  SIGINT, SIGTERM, SIGHUP  end all flows, tell of them, print the counters and end;
                           a second one: end at once";

/// Tell of flows by NetFlow 5, NetFlow 9 or IPFIX
///
/// flowd keeps the flows of packets, as the block netflow does in the kernel, and tells collectors of those that have
/// ended. Packets come from devices, from a socket of LANA or from a capture. Of a capture, time is that of the packets.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "flowd", version,
    override_usage = "flowd [OPTIONS] <-r FILE|-i DEVICE[,...]|--lana NAME[,...]> [KEY=VALUE]...",
    group = ArgGroup::new("from").args(["read", "devices", "lana"]),
    after_help = format!("{EXAMPLES}\n\n{OPTIONS}\n\n{SIGNALS}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Cli {
    /// Read packets from a capture (pcap or pcapng); - is the standard input
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(crate) read: Option<PathBuf>,

    /// Receive what these devices receive and send (needs CAP_NET_RAW)
    #[arg(
        short = 'i',
        long = "interface",
        value_name = "DEVICE",
        value_delimiter = ','
    )]
    pub(crate) devices: Vec<String>,

    /// Receive what comes to sockets of LANA, which are blocks of these names (needs CAP_NET_ADMIN)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) lana: Vec<String>,

    /// Threads for each device, among which its flows are spread
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["read", "lana"], value_parser = value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,

    /// Put the devices into promiscuous mode
    #[arg(short, long, conflicts_with_all = ["read", "lana"])]
    pub(crate) promiscuous: bool,

    /// Bytes of the ring of each thread, a power of two from 65536 on
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, conflicts_with = "read", value_parser = power_of_two)]
    pub(crate) buffer: u32,

    /// A collector, as collector.N=ADDRESS:PORT; for several, repeat it
    #[arg(long = "collector", value_name = "[tcp:|sctp:]ADDRESS:PORT")]
    pub(crate) collectors: Vec<String>,

    /// End after N packets
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Print the counters as JSON
    #[arg(short, long)]
    pub(crate) json: bool,

    /// Options of the flows
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) options: Vec<String>,
}

/// Reads the size of a ring.
fn power_of_two(text: &str) -> Result<u32, &'static str> {
    let size = text.parse().ok();
    let is_right = |size: &u32| size.is_power_of_two() && *size >= 1 << 16;
    size.filter(is_right)
        .ok_or("a power of two from 65536 to 2147483648")
}

/// What is to be kept and told, and to whom.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) collectors: [Option<Target>; COLLECTORS],
}

impl Settings {
    /// Reads them, as the block does. More collectors have the numbers that are left.
    pub(crate) fn read(options: &[String], collectors: &[String]) -> anyhow::Result<Self> {
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
        for collector in collectors {
            let target = target("--collector", collector)?;
            let mut places = settings.collectors.iter_mut();
            let place = places.find(|place| place.is_none());
            *place.ok_or_else(|| usage(format!("--collector: {COLLECTORS} are the most")))? =
                Some(target);
        }
        for (number, target) in settings.collectors.iter().enumerate() {
            let target = target.filter(Target::is_connected);
            if let Some(target) = target.filter(|_| settings.config.version != Version::Ipfix) {
                let prefix = target.transport.prefix();
                let what = format!("collector.{number}={prefix}... wants version=ipfix");
                return Err(usage(what));
            }
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
            *place = Some(target(key, value)?);
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

/// Reads a collector.
fn target(what: &str, text: &str) -> anyhow::Result<Target> {
    let error = || format!("{what}: an address and a port such as 192.0.2.1:2055");
    Target::parse(text).ok_or_else(|| usage(error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> Result<Settings, String> {
        with(options, &[])
    }

    fn with(options: &[&str], collectors: &[&str]) -> Result<Settings, String> {
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let settings = Settings::read(&strings(options), &strings(collectors));
        settings.map_err(|error| error.to_string())
    }

    #[test]
    fn collectors_get_the_numbers_that_are_left() {
        let settings = with(&["collector.1=192.0.2.1:1"], &["192.0.2.2:2", "[::1]:3"]);
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        let ports = settings.collectors.map(|to| to.map_or(0, |to| to.port));
        assert_eq!(ports, [2, 1, 3, 0, 0, 0, 0, 0]);
        let error = with(&[], &["192.0.2.1:1"; 9]).err();
        assert_eq!(error.as_deref(), Some("--collector: 8 are the most"));
        let error = with(&[], &["192.0.2.1"]).err().unwrap_or_default();
        assert!(error.starts_with("--collector: an address"), "{error}");
    }

    #[test]
    fn packets_come_from_one_place() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' ')).map(|_| ());
        for good in [
            "flowd -r -",
            "flowd -i a,b --threads 2 -p --buffer 65536",
            "flowd --lana tap,tap2 --count 5 --buffer 131072",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "flowd -r - -i a",
            "flowd --lana tap --threads 2",
            "flowd --lana tap -p",
            "flowd -r - -p",
            "flowd -r - --threads 2",
            "flowd -r - --buffer 65536",
            "flowd -i a --buffer 65537",
            "flowd -i a --threads 65",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
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
                "collector.0=tcp:... wants version=ipfix",
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
