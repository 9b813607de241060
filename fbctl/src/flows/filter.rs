// SPDX-License-Identifier: GPL-2.0

//! Which flows are shown: words such as `src=192.0.2.0/24`.

use super::{devices::Devices, flow::Key};
use anyhow::Result;
use lana::prelude::{
    address::{BadPrefix, Prefix},
    headers::PROTOCOLS,
    units::whole,
};
use lana_cli::usage;
use std::{mem::discriminant, net::IpAddr, str::FromStr};

/// The filters, and what they go by.
pub(crate) const KEYS: [(&str, &str); 10] = [
    ("src=", "source: an address or a prefix"),
    ("dst=", "destination: an address or a prefix"),
    ("host=", "source or destination"),
    ("sport=", "source port: a number, or FIRST-LAST"),
    ("dport=", "destination port"),
    ("port=", "source or destination port"),
    ("proto=", "protocol: tcp, udp, icmp, ... or a number"),
    ("vlan=", "VLAN: 0 for none, or FIRST-LAST"),
    ("in=", "device by which the packets came in"),
    ("out=", "device by which they go out"),
];

type Range = (u16, u16);

/// What a word asks of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Source(Prefix),
    Destination(Prefix),
    Host(Prefix),
    SourcePort(Range),
    DestinationPort(Range),
    Port(Range),
    Protocol(u8),
    Vlan(Range),
    In(String),
    Out(String),
}

use Test::{Destination, DestinationPort, Host, In, Out, Port, Protocol, Source, SourcePort, Vlan};

/// A word of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// The flows of this block.
    Name(String),
    /// Those that match.
    Filter(Filter),
}

/// What the words select: of each kind that there are words of, one that matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    words: Vec<String>,
    tests: Vec<Test>,
}

impl FromStr for Word {
    type Err = String;

    // A block's name can have any sign, so whatever is no filter is a name.
    fn from_str(word: &str) -> Result<Self, String> {
        match KEYS.iter().find(|(key, _)| word.starts_with(key)) {
            Some(_) => word.parse().map(Word::Filter),
            None => Ok(Word::Name(word.to_owned())),
        }
    }
}

impl Word {
    /// As the user has written it.
    pub(crate) fn text(&self) -> String {
        match self {
            Word::Name(name) => name.clone(),
            Word::Filter(filter) => filter.text(),
        }
    }
}

/// Words that blanks part.
impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Filter::default();
        for word in text.split_whitespace() {
            filter.tests.push(test(word)?);
            filter.words.push(word.to_owned());
        }
        Ok(filter)
    }
}

/// What one word asks for.
fn test(word: &str) -> Result<Test, String> {
    let key = KEYS.iter().find(|(key, _)| word.starts_with(key));
    let Some((key, value)) = key.and_then(|(key, _)| Some((*key, word.strip_prefix(key)?))) else {
        let keys = KEYS.map(|(key, _)| key).join(", ");
        return Err(format!("'{word}' is no filter; the filters are {keys}"));
    };
    let prefix = || Prefix::parse(value).map_err(|bad: BadPrefix| format!("'{word}' {bad}"));
    let bad = |form: &str| format!("'{word}' is not {form}");
    let range = |most: u16, form: &str| -> Result<Range, String> {
        let number = |text| u16::try_from(whole(text)?).ok().filter(|n| *n <= most);
        let (first, last) = value.split_once('-').unwrap_or((value, value));
        let range = number(first).zip(number(last));
        range
            .filter(|(first, last)| first <= last)
            .ok_or_else(|| bad(form))
    };
    let ports = || range(u16::MAX, "a port from 0 to 65535, or FIRST-LAST");
    let device = || match value {
        "" => Err(bad("the name or the number of a device")),
        name => Ok(name.to_owned()),
    };
    Ok(match key {
        "src=" => Source(prefix()?),
        "dst=" => Destination(prefix()?),
        "host=" => Host(prefix()?),
        "sport=" => SourcePort(ports()?),
        "dport=" => DestinationPort(ports()?),
        "port=" => Port(ports()?),
        "proto=" => {
            let name = PROTOCOLS.iter().find(|(name, _)| *name == value);
            let number = || u8::try_from(whole(value)?).ok();
            let protocol = name.map(|(_, number)| *number).or_else(number);
            Protocol(protocol.ok_or_else(|| bad("tcp, udp, ... or a number from 0 to 255"))?)
        }
        "vlan=" => Vlan(range(4095, "a VLAN from 0 to 4095, or FIRST-LAST")?),
        "in=" => In(device()?),
        _ => Out(device()?),
    })
}

impl Test {
    fn passes(&self, key: &Key, devices: &Devices) -> bool {
        let (source, destination) = key.ports;
        let is_port = |range: &Range, port| key.has_ports() && is_in(*range, port);
        match self {
            Source(prefix) => has(*prefix, key.source),
            Destination(prefix) => has(*prefix, key.destination),
            Host(prefix) => has(*prefix, key.source) || has(*prefix, key.destination),
            SourcePort(range) => is_port(range, source),
            DestinationPort(range) => is_port(range, destination),
            Port(range) => is_port(range, source) || is_port(range, destination),
            Protocol(protocol) => key.protocol == *protocol,
            Vlan(range) => is_in(*range, key.vlan),
            In(device) => devices.is(key.input, device),
            Out(device) => devices.is(key.output, device),
        }
    }
}

fn is_in((first, last): Range, number: u16) -> bool {
    (first..=last).contains(&number)
}

fn has(prefix: Prefix, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => prefix.has_v4(address.into()),
        IpAddr::V6(address) => prefix.has_v6(address.into()),
    }
}

impl Filter {
    /// Those of both.
    pub(crate) fn add(&mut self, other: &Self) {
        self.words.extend(other.words.iter().cloned());
        self.tests.extend(other.tests.iter().cloned());
    }

    /// The words again.
    pub(crate) fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Whether it lets a flow pass.
    pub(crate) fn passes(&self, key: &Key, devices: &Devices) -> bool {
        let of_kind = |one: &Test| {
            let kind = discriminant(one);
            let mut others = self.tests.iter();
            others.any(|other| discriminant(other) == kind && other.passes(key, devices))
        };
        self.tests.iter().all(of_kind)
    }

    /// Whether there are such devices.
    pub(crate) fn check(&self, devices: &Devices) -> Result<()> {
        let is_unknown = |test: &&Test| match test {
            In(device) | Out(device) => !devices.knows(device),
            _ => false,
        };
        match self
            .words
            .iter()
            .zip(&self.tests)
            .find(|(_, test)| is_unknown(test))
        {
            Some((word, _)) => Err(usage(format!("'{word}': there is no such device"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::{read, FILE};
    use super::*;

    fn devices() -> Devices {
        Devices::of(&[(2, "lan0"), (3, "lan1")])
    }

    /// The numbers of the flows that pass.
    fn passing(words: &str) -> Vec<usize> {
        let filter: Filter = words.parse().unwrap();
        assert_eq!(filter.text(), words);
        let (_, flows) = read(FILE.as_bytes(), 0).unwrap();
        let flows = flows.iter().enumerate();
        let flows = flows.filter(|(_, (key, _))| filter.passes(key, &devices()));
        flows.map(|(number, _)| number).collect()
    }

    #[test]
    fn words_select() {
        for (words, flows) in [
            ("", &[0, 1, 2, 3, 4][..]),
            ("src=192.0.2.1", &[0, 1, 4]),
            ("src=192.0.2.0/30", &[0, 1, 4]),
            ("src=::/0", &[3]),
            ("dst=192.0.2.0/24", &[0, 2]),
            ("host=198.51.100.7", &[1, 2, 4]),
            ("sport=443", &[2]),
            ("dport=443", &[1, 4]),
            ("port=443", &[1, 2, 4]),
            ("port=50-500", &[1, 2, 3, 4]),
            // That of ICMP is no port.
            ("dport=2048", &[]),
            ("proto=icmp", &[0]),
            ("proto=17", &[3]),
            ("vlan=10", &[3]),
            ("vlan=0", &[0, 1, 2, 4]),
            ("vlan=1-4095", &[3]),
            ("in=lan0", &[0, 1, 3, 4]),
            ("in=3", &[2]),
            ("out=lan0", &[2]),
            ("proto=icmp proto=udp", &[0, 3]),
            ("proto=tcp src=192.0.2.1", &[1, 4]),
            ("proto=udp src=192.0.2.1", &[]),
        ] {
            assert_eq!(passing(words), flows, "{words}");
        }
    }

    #[test]
    fn a_bad_word_is_named() {
        for (word, why) in [
            ("scr=1", "is no filter; the filters are src=, dst=, host=,"),
            ("udp", "is no filter"),
            ("src=x", "is no address or prefix"),
            ("dst=192.0.2.1/24", "has bits behind its prefix"),
            ("host=192.0.2.0/33", "is longer than an address"),
            ("port=65536", "is not a port from 0 to 65535, or FIRST-LAST"),
            ("sport=-1", "is not a port"),
            ("dport=9-8", "is not a port"),
            ("dport=1-2-3", "is not a port"),
            (
                "proto=tpc",
                "is not tcp, udp, ... or a number from 0 to 255",
            ),
            ("proto=256", "is not tcp, udp"),
            ("vlan=4096", "is not a VLAN from 0 to 4095"),
            ("in=", "is not the name or the number of a device"),
        ] {
            let error = format!("proto=udp {word}").parse::<Filter>().unwrap_err();
            assert!(error.starts_with(&format!("'{word}' {why}")), "{error}");
        }
        let error = |word: &str| {
            let filter: Filter = word.parse().unwrap();
            filter.check(&devices()).map_err(|error| error.to_string())
        };
        assert_eq!(error("in=lan1 out=7"), Ok(()));
        assert_eq!(
            error("out=lan2").unwrap_err(),
            "'out=lan2': there is no such device"
        );
    }

    #[test]
    fn what_is_no_filter_is_a_name() {
        let word = |text: &str| text.parse::<Word>();
        assert_eq!(word("f"), Ok(Word::Name("f".into())));
        assert_eq!(word("type=x"), Ok(Word::Name("type=x".into())));
        assert!(matches!(word("port=53"), Ok(Word::Filter(_))));
        assert!(word("port=x").is_err());
    }
}
