// SPDX-License-Identifier: GPL-2.0

//! A channel as the configuration and `lanactl channel` describe it.

use super::Span;
use anyhow::{Context, Result};
use lana_channel::{catalogue, Fallback, Key, Name, Place, Policy, Timing, Wanted, DELAY_MAX};
use lana_cli::usage;
use lana_netlink::errno_text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fs, net::IpAddr, path::PathBuf};

/// A channel to another host: a stack of blocks that both agree on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Channel {
    /// The device that leads to the other host. It is hooked already.
    pub device: String,
    /// The other host: its Ethernet address, for control messages in frames, or its IP address, for UDP.
    pub to: String,
    /// A file with the key that both hosts have: 64 hexadecimal digits.
    pub key: PathBuf,
    /// The number of the channel between the two hosts.
    #[serde(default = "one")]
    pub number: u32,
    /// The block on top of the stack.
    #[serde(default)]
    pub top: Option<String>,
    /// The blocks, the last one next to the link. A question mark behind a name makes it optional; options follow behind
    /// colons: `reliable:window=64`. Without this, the other host begins.
    #[serde(default)]
    pub want: Option<Vec<String>>,
    /// Blocks without which this host agrees to nothing.
    #[serde(default)]
    pub demand: Vec<String>,
    /// The blocks that this host has. All that LANA has where nothing is said.
    #[serde(default)]
    pub have: Option<Vec<String>>,
    /// What becomes of packets without a stack.
    #[serde(default)]
    pub fallback: Otherwise,
    /// Put `reliable` in while the link loses packets.
    #[serde(default)]
    pub adaptive: bool,
    /// The block for a link that loses packets, with options: `reliable:window=64`.
    #[serde(default = "reliable")]
    pub adaptive_block: String,
    /// The share of lost messages, from 0 to 1, from which the block is put in.
    #[serde(default = "above")]
    pub adaptive_above: f64,
    /// The share below which it is taken out.
    #[serde(default = "until")]
    pub adaptive_until: f64,
    /// How long the loss must be so before the stack changes.
    #[serde(default = "hold")]
    pub adaptive_for: Span,
    /// How much later both hosts switch to a new stack than they agree on it.
    #[serde(default)]
    pub switch_after: Span,
    /// How often the hosts tell each other that they are there. Loss is measured by these messages.
    #[serde(default = "keepalive")]
    pub keepalive: Span,
}

/// What becomes of packets without a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// They pass without blocks.
    #[default]
    Open,
    /// They are dropped.
    Closed,
}

fn one() -> u32 {
    1
}
fn reliable() -> String {
    "reliable".to_owned()
}
fn above() -> f64 {
    0.02
}
fn until() -> f64 {
    0.005
}
fn hold() -> Span {
    Span::from_millis(10_000)
}
fn keepalive() -> Span {
    Span::from_millis(1000)
}

/// How messages come to the other host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// In frames to this address.
    Ethernet([u8; 6]),
    /// By UDP.
    Ip(IpAddr),
}

impl Channel {
    /// Finds what is wrong.
    pub fn check(&self) -> Result<(), String> {
        self.peer()?;
        self.place()?;
        self.wanted()?;
        let bad = |byte: u8| !byte.is_ascii_graphic() || byte == b'/';
        if !(1..=15).contains(&self.device.len()) || self.device.bytes().any(bad) {
            return Err("device: this is no name of a device".to_owned());
        }
        for name in &self.demand {
            Name::short(name).map_err(|error| error.to_string())?;
        }
        for name in self.have.iter().flatten() {
            let known = Name::short(name).map_err(|error| error.to_string())?;
            if !catalogue().iter().any(|has| has.name == known) {
                return Err(format!("have: a channel has no block '{name}'"));
            }
        }
        if self.keepalive < Span::from_millis(10) || self.keepalive > Span::from_millis(4000) {
            return Err("keepalive: 10 ms to 4 s".to_owned());
        }
        if self.switch_after > Span::from_millis(DELAY_MAX.into()) {
            return Err(format!("switch-after: {} s at most", DELAY_MAX / 1000));
        }
        self.policy().map(|_| ())
    }

    /// When which block is put in, and taken out.
    fn policy(&self) -> Result<Option<Policy>, String> {
        let block = wanted(&self.adaptive_block)?;
        let known = catalogue().into_iter().find(|has| has.name == block.name);
        let Some(known) = known else {
            let name = &self.adaptive_block;
            return Err(format!("adaptive-block: a channel has no block '{name}'"));
        };
        let option = |key: &String| !known.options.contains(key);
        if let Some((key, _)) = block.options.iter().find(|(key, _)| option(key)) {
            return Err(format!(
                "adaptive-block: no channel sets the option '{key}'"
            ));
        }
        let (above, below) = (self.adaptive_above, self.adaptive_until);
        if !(0.0..=1.0).contains(&above) || !(0.0..=above).contains(&below) || above <= 0.0 {
            return Err(
                "adaptive-above, adaptive-until: from 0 to 1, and 'until' is the lower one"
                    .to_owned(),
            );
        }
        let hold = self.adaptive_for.duration();
        Ok(self.adaptive.then_some(Policy {
            block,
            above,
            below,
            hold,
        }))
    }

    /// Who the other host is.
    pub fn peer(&self) -> Result<Peer, String> {
        if let Ok(address) = self.to.parse() {
            return Ok(Peer::Ip(address));
        }
        let mut address = [0; 6];
        let mut parts = self.to.split(':');
        let good = address.iter_mut().all(|byte| {
            let part = parts.next().filter(|part| part.len() == 2);
            let read = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            read.map(|read| *byte = read).is_some()
        });
        if good && parts.next().is_none() && address.first().is_some_and(|first| first & 1 == 0) {
            return Ok(Peer::Ethernet(address));
        }
        let to = &self.to;
        Err(format!(
            "to: '{to}' is neither an Ethernet address of one host nor an IP address"
        ))
    }

    /// Where it is in the graph.
    pub fn place(&self) -> Result<Place, String> {
        let prefix = format!("c{}", self.number);
        if prefix.len() > lana_channel::PREFIX_MAX {
            return Err("number: 7 digits at most".to_owned());
        }
        let (device, top) = (self.device.clone(), self.top.clone());
        Ok(Place {
            prefix,
            device,
            top,
        })
    }

    /// The blocks that are wanted, if this host begins.
    pub fn wanted(&self) -> Result<Option<Vec<Wanted>>, String> {
        let Some(want) = &self.want else {
            return Ok(None);
        };
        let wanted: Result<Vec<_>, String> = want.iter().map(|text| wanted(text)).collect();
        wanted.map(Some)
    }

    /// What the protocol is told.
    pub fn endpoint(&self) -> Result<lana_channel::Config> {
        let name = self.key.display().to_string();
        let text = fs::read_to_string(&self.key).map_err(|error| usage(errno_text(&error)));
        let key = Key::from_hex(text.with_context(|| name.clone())?.trim());
        let short = |name: &String| Name::short(name).map_err(|error| usage(error.to_string()));
        let demand = self.demand.iter().map(short).collect::<Result<_>>()?;
        let mut have = catalogue();
        if let Some(names) = &self.have {
            let names = names.iter().map(short).collect::<Result<Vec<_>>>()?;
            have.retain(|has| names.contains(&has.name));
        }
        let timing = Timing {
            keepalive: self.keepalive.duration(),
            ..Timing::default()
        };
        Ok(lana_channel::Config {
            channel: self.number,
            key: key.map_err(|error| usage(error.to_string()).context(name))?,
            place: self.place().map_err(usage)?,
            have,
            demand,
            fallback: match self.fallback {
                Otherwise::Open => Fallback::Open,
                Otherwise::Closed => Fallback::Closed,
            },
            listen: true,
            policy: self.policy().map_err(usage)?,
            delay: u32::try_from(self.switch_after.duration().as_millis()).unwrap_or(u32::MAX),
            timing,
        })
    }
}

/// A block as a user writes it: `NAME[?][:KEY=VALUE…]`.
fn wanted(text: &str) -> Result<Wanted, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let mut wanted = Wanted::new(Name::short(name).map_err(|error| error.to_string())?);
    wanted.optional = optional;
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("{text}: '{part}' is no KEY=VALUE"));
        };
        wanted.options.push((key.to_owned(), value.to_owned()));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(to: &str) -> Channel {
        let text = format!("device = 'eth1'\nto = '{to}'\nkey = 'k'\n");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn hosts_have_addresses() {
        let mac = Peer::Ethernet([2, 0, 0, 0, 0, 0x0b]);
        assert_eq!(channel("02:00:00:00:00:0b").peer(), Ok(mac));
        assert_eq!(
            channel("192.0.2.1").peer(),
            Ok(Peer::Ip([192, 0, 2, 1].into()))
        );
        assert!(matches!(
            channel("fe80::1").peer(),
            Ok(Peer::Ip(IpAddr::V6(_)))
        ));
        for bad in [
            "",
            "host",
            "03:00:00:00:00:0b",
            "02:00:00:00:00",
            "02:00:00:00:00:0b:1",
            "2:0:0:0:0:b",
        ] {
            assert!(channel(bad).peer().is_err(), "{bad}");
        }
    }

    #[test]
    fn blocks_are_words() {
        let plain = wanted("crypt").unwrap();
        assert_eq!(
            (plain.name.as_str(), plain.optional),
            ("org.lana.crypt", false)
        );
        let more = wanted("reliable?:window=64:retries=9").unwrap();
        assert!(more.optional);
        assert_eq!(
            more.options,
            [
                ("window".into(), "64".into()),
                ("retries".into(), "9".into())
            ]
        );
        assert_eq!(wanted("a:b").unwrap_err(), "a:b: 'b' is no KEY=VALUE");
        assert!(wanted("A").is_err());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = channel("192.0.2.1");
        assert_eq!(good.check(), Ok(()));
        for device in ["", "a b", "a\nb", "a23456789012345x"] {
            let bad = Channel {
                device: device.to_owned(),
                ..good.clone()
            };
            let said = bad.check().unwrap_err();
            assert_eq!(said, "device: this is no name of a device");
        }
        let bad = Channel {
            number: 10_000_000,
            ..good.clone()
        };
        assert_eq!(bad.check().unwrap_err(), "number: 7 digits at most");
        let bad = Channel {
            have: Some(vec!["tee".into()]),
            ..good.clone()
        };
        assert_eq!(
            bad.check().unwrap_err(),
            "have: a channel has no block 'tee'"
        );
        let bad = Channel {
            adaptive_block: "reliable:sends=1".into(),
            ..good.clone()
        };
        assert_eq!(
            bad.check().unwrap_err(),
            "adaptive-block: no channel sets the option 'sends'"
        );
        for (above, until) in [
            (0.0, 0.0),
            (1.1, 0.0),
            (0.1, 0.2),
            (f64::NAN, 0.0),
            (0.1, -0.1),
        ] {
            let bad = Channel {
                adaptive_above: above,
                adaptive_until: until,
                ..good.clone()
            };
            assert!(bad.check().is_err(), "{above} {until}");
        }
        let bad = Channel {
            switch_after: Span::from_millis(10_001),
            ..good.clone()
        };
        assert_eq!(bad.check().unwrap_err(), "switch-after: 10 s at most");
        let bad = Channel {
            keepalive: Span::default(),
            ..good
        };
        assert_eq!(bad.check().unwrap_err(), "keepalive: 10 ms to 4 s");
    }
}
