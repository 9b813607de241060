// SPDX-License-Identifier: GPL-2.0

//! Reads what runs, only as far as it belongs to a [`Running`] graph.

use crate::model::{Block, Blocks, Kind, Name, Names, Pair, Running, Setting};
use indexmap::IndexSet;
use lana_netlink::{
    spec::{fb, option, port, Direction},
    wire::{attributes, text, DecodeError, Field},
    Connection, Error,
};
use std::{borrow::Cow, collections::HashMap, mem};

/// How often a graph that changes while it is read is read again.
const TRIES: usize = 8;
const ENOENT: i32 = 2;

/// Reads the whole graph.
pub(crate) fn read(lana: &mut Connection, names: &mut Names) -> Result<Running, Error> {
    for _ in 0..TRIES {
        if let Some(running) = once(lana, names)? {
            return Ok(running);
        }
    }
    Err(Error::Unsettled)
}

/// Nothing if it changed meanwhile.
fn once(lana: &mut Connection, names: &mut Names) -> Result<Option<Running>, Error> {
    let mut reader = Reader::new(names);
    if lana.visit_fbs(None, |attrs| reader.take(attrs))? {
        return Ok(None);
    }
    for name in mem::take(&mut reader.partial) {
        let name = reader.names.text(name).to_owned();
        match lana.visit_fbs(Some(&name), |attrs| reader.take(attrs)) {
            Err(Error::Refused(refusal)) if refusal.errno == ENOENT => return Ok(None),
            result => result?,
        };
    }
    if !reader.devices.is_empty() {
        let mut subsystems = HashMap::new();
        for vlink in lana.vlinks()?.items {
            subsystems.extend(vlink.idp.zip(vlink.subsystem));
        }
        if !reader.connect(&subsystems) {
            return Ok(None);
        }
    }
    Ok(reader.finish())
}

struct Reader<'n> {
    names: &'n mut Names,
    blocks: Blocks<'static>,
    idps: HashMap<u32, Name>,
    egress: Vec<Pair>,
    ingress: Vec<Pair>,
    /// The subscriber, and the IDP of the publisher.
    subscriptions: Vec<(Name, u32)>,
    /// The block of a device, its IDP, and what the device is called.
    devices: Vec<(Name, u32, Name)>,
    /// What did not fit in a dump.
    partial: Vec<Name>,
}

impl<'n> Reader<'n> {
    fn new(names: &'n mut Names) -> Self {
        Reader {
            names,
            blocks: Blocks::default(),
            idps: HashMap::new(),
            egress: Vec::new(),
            ingress: Vec::new(),
            subscriptions: Vec::new(),
            devices: Vec::new(),
            partial: Vec::new(),
        }
    }

    /// Takes the attributes of a block; those that were left out may follow.
    fn take(&mut self, attrs: &[u8]) -> Result<(), DecodeError> {
        let (mut name, mut kind, mut idp) = (None, None, None);
        let (mut ifname, mut partial) = (None, false);
        for attribute in attributes(attrs) {
            match attribute? {
                (fb::NAME, value) => name = Some(self.names.name(&text(value))),
                (fb::TYPE, value) => kind = Some(self.names.name(&text(value))),
                (fb::IDP, value) => idp = Some(u32::decode(value)?),
                (fb::IFNAME, value) => ifname = Some(self.names.name(&text(value))),
                (fb::PARTIAL, _) => partial = true,
                _ => {}
            }
        }
        let (Some(name), Some(kind), Some(idp)) = (name, kind, idp) else {
            return Err(DecodeError::new("a block without name, type or IDP"));
        };
        self.idps.insert(idp, name);
        let place = self.blocks.enter(name, || Block {
            kind: Kind::Made(kind),
            settings: Vec::new(),
            place: 0,
        });
        if partial {
            self.partial.push(name);
            return Ok(());
        }
        if let Some(ifname) = ifname {
            self.devices.push((name, idp, ifname));
        }
        for attribute in attributes(attrs) {
            match attribute? {
                (fb::PORT, value) => match bound(value, self.names)? {
                    Some((Direction::Egress, lower)) => self.egress.push((name, lower)),
                    Some((Direction::Ingress, upper)) => self.ingress.push((upper, name)),
                    None => {}
                },
                (fb::PUBLISHER, value) => self.subscriptions.push((name, u32::decode(value)?)),
                (fb::OPTION, value) => {
                    let setting = configured(value, self.names)?;
                    if let Some(block) = self.blocks.at(place) {
                        block.settings.extend(setting);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes who connected the devices, from that by IDP. False if that is not known of one.
    fn connect(&mut self, subsystems: &HashMap<u32, String>) -> bool {
        for (name, idp, ifname) in mem::take(&mut self.devices) {
            let (Some(subsystem), Some(block)) = (subsystems.get(&idp), self.blocks.get_mut(name))
            else {
                return false;
            };
            let subsystem = self.names.name(subsystem);
            block.kind = Kind::Device { subsystem, ifname };
        }
        true
    }

    fn finish(self) -> Option<Running> {
        let publisher = |(subscriber, idp)| Some((subscriber, *self.idps.get(&idp)?));
        let subscriptions = self.subscriptions.into_iter().map(publisher);
        let subscriptions = subscriptions.collect::<Option<IndexSet<_>>>()?;
        Running::new(self.blocks, self.egress, &self.ingress, subscriptions)
    }
}

/// Direction and peer of a port, if it has one.
fn bound(attrs: &[u8], names: &mut Names) -> Result<Option<(Direction, Name)>, DecodeError> {
    let (mut direction, mut peer) = (None, None);
    for attribute in attributes(attrs) {
        match attribute? {
            (port::DIRECTION, value) => direction = Direction::try_from(u32::decode(value)?).ok(),
            (port::PEER_NAME, value) => peer = Some(names.name(&text(value))),
            _ => {}
        }
    }
    Ok(direction.zip(peer))
}

/// An option that belongs to the configuration.
fn configured(attrs: &[u8], names: &mut Names) -> Result<Option<Setting<'static>>, DecodeError> {
    let (mut key, mut value, mut config) = (None, None, false);
    for attribute in attributes(attrs) {
        match attribute? {
            (option::KEY, bytes) => key = Some(text(bytes)),
            (option::VALUE, bytes) => value = Some(text(bytes)),
            (option::CONFIG, _) => config = true,
            _ => {}
        }
    }
    let (true, Some(key), Some(value)) = (config, key, value) else {
        return Ok(None);
    };
    Ok(Some(Setting {
        key: names.name(&key),
        value: Cow::Owned(value.into_owned()),
        place: 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::{
        spec::{FbAttrs, OptionAttrs, PortAttrs},
        wire::{Attributes, Flag, Value, Writer},
    };

    fn port(direction: Direction, peer: &str) -> PortAttrs {
        PortAttrs {
            direction: Some(Value::Known(direction)),
            peer_name: Some(peer.into()),
            ..Default::default()
        }
    }

    fn option(key: &str, config: Option<Flag>) -> OptionAttrs {
        OptionAttrs {
            key: Some(key.into()),
            value: Some("1".into()),
            config,
            ..Default::default()
        }
    }

    fn fb(name: &str, idp: u32) -> FbAttrs {
        FbAttrs {
            name: Some(name.into()),
            r#type: Some("t".into()),
            idp: Some(idp),
            ..Default::default()
        }
    }

    fn bytes(fb: &FbAttrs) -> Vec<u8> {
        let mut writer = Writer::new();
        Attributes::encode(fb, &mut writer).unwrap();
        writer.into_bytes()
    }

    #[test]
    fn what_belongs_to_the_graph_is_taken() {
        use Direction::{Egress, Ingress};
        let mut names = Names::default();
        let mut reader = Reader::new(&mut names);
        let eth0 = FbAttrs {
            port: vec![port(Ingress, "a")],
            ifname: Some("new0".into()),
            ..fb("eth0", 1)
        };
        let large = FbAttrs {
            partial: Some(Flag),
            ..fb("a", 2)
        };
        let whole = FbAttrs {
            port: vec![port(Egress, "eth0")],
            publisher: vec![1],
            option: vec![option("k", Some(Flag)), option("count", None)],
            ..fb("a", 2)
        };
        reader.take(&bytes(&eth0)).unwrap();
        reader.take(&bytes(&large)).unwrap();
        assert_eq!(reader.partial.len(), 1);
        reader.take(&bytes(&whole)).unwrap();
        assert!(reader.connect(&HashMap::from([(1, "ethernet".to_owned())])));
        let running = reader.finish().unwrap();
        let [eth0, a, k, new0, ethernet] =
            ["eth0", "a", "k", "new0", "ethernet"].map(|text| names.name(text));
        assert_eq!(running.bindings.get(&(a, eth0)), Some(&1));
        assert!(running.subscriptions.contains(&(a, eth0)));
        let kind = Kind::Device {
            subsystem: ethernet,
            ifname: new0,
        };
        assert_eq!(running.blocks.get(eth0).unwrap().kind, kind);
        let keys: Vec<_> = running
            .blocks
            .get(a)
            .unwrap()
            .settings
            .iter()
            .map(|s| s.key)
            .collect();
        assert_eq!(keys, [k]);
    }

    #[test]
    fn what_does_not_fit_together_is_seen() {
        let mut names = Names::default();
        let mut reader = Reader::new(&mut names);
        let lonely = FbAttrs {
            port: vec![port(Direction::Egress, "b")],
            ..fb("a", 1)
        };
        reader.take(&bytes(&lonely)).unwrap();
        reader.take(&bytes(&fb("b", 2))).unwrap();
        assert!(reader.finish().is_none());

        let mut reader = Reader::new(&mut names);
        let deaf = FbAttrs {
            publisher: vec![7],
            ..fb("a", 1)
        };
        reader.take(&bytes(&deaf)).unwrap();
        assert!(reader.finish().is_none());

        let mut reader = Reader::new(&mut names);
        let device = FbAttrs {
            ifname: Some("eth0".into()),
            ..fb("eth0", 1)
        };
        reader.take(&bytes(&device)).unwrap();
        assert!(!reader.connect(&HashMap::new()));
        assert!(reader.take(&bytes(&FbAttrs::default())).is_err());
    }
}
