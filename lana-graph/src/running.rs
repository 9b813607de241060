// SPDX-License-Identifier: GPL-2.0

//! Reads what runs, only as far as it belongs to a [`Running`] graph.

use crate::model::{Block, Blocks, Device, Kind, Name, Names, Pair, Running, Setting, Share};
use indexmap::IndexSet;
use lana_netlink::{
    spec::{fb, option, port, Direction},
    wire::{attributes, text, DecodeError, Field},
    Connection, Error, Vlink,
};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    mem,
};

/// How often a graph that changes while it is read is read again.
const TRIES: usize = 8;
const ENOENT: i32 = 2;

/// Reads the whole graph.
pub fn read(lana: &mut Connection, names: &mut Names) -> Result<Running, Error> {
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
    if let Some((name, why)) = reader.hidden {
        let block = reader.names.text(name).to_owned();
        return Err(Error::Incomplete { block, why });
    }
    for name in mem::take(&mut reader.partial) {
        let block = reader.names.text(name).to_owned();
        match lana.visit_fbs(Some(&block), |attrs| reader.take(attrs)) {
            Err(Error::Refused(refusal)) if refusal.errno == ENOENT => return Ok(None),
            result => result?,
        };
        if !reader.partial.is_empty() {
            let why = "it has more than can be shown";
            return Err(Error::Incomplete { block, why });
        }
    }
    for (name, place, number) in mem::take(&mut reader.long) {
        let block = reader.blocks.at(place);
        if let Some(setting) = block.and_then(|block| block.settings.get_mut(number)) {
            let (block, key) = (reader.names.text(name), reader.names.text(setting.key));
            match lana.value(block, key)? {
                Some(value) => setting.value = Cow::Owned(value),
                None => return Ok(None),
            }
        }
    }
    if !reader.devices.is_empty() {
        let vlinks = lana.vlinks()?.items.into_iter();
        let vlinks = vlinks.filter_map(|vlink| Some((vlink.idp?, vlink)));
        if reader.connect(&vlinks.collect()).is_none() {
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
    /// What did not fit in a message.
    partial: Vec<Name>,
    /// Options whose values are asked for by themselves: the block, its place, and the place among its settings.
    long: Vec<(Name, usize, usize)>,
    /// A block that is not shown whole, and why.
    hidden: Option<(Name, &'static str)>,
    /// Blocks of sockets. They belong to programs, and so do their bindings: neither files nor what
    /// is compared with one has them.
    sockets: HashSet<Name>,
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
            long: Vec::new(),
            hidden: None,
            sockets: HashSet::new(),
        }
    }

    /// Takes the attributes of a block; those that were left out may follow.
    fn take(&mut self, attrs: &[u8]) -> Result<(), DecodeError> {
        let (mut name, mut kind, mut idp) = (None, None, None);
        let (mut ifname, mut partial, mut socket) = (None, false, false);
        let mut hidden = None;
        for attribute in attributes(attrs) {
            match attribute? {
                (fb::NAME, value) => name = Some(self.names.name(&text(value))),
                (fb::TYPE, value) => kind = Some(self.names.name(&text(value))),
                (fb::IDP, value) => idp = Some(u32::decode(value)?),
                (fb::IFNAME, value) => {
                    let bytes = value.strip_suffix(b"\0").unwrap_or(value);
                    if std::str::from_utf8(bytes).is_err() {
                        hidden = Some("the name of its device is no UTF-8");
                    }
                    ifname = Some(self.names.name(&text(value)));
                }
                (fb::WITHHELD, _) => {
                    hidden = Some("Operation not permitted (needs CAP_NET_ADMIN)");
                }
                (fb::PARTIAL, _) => partial = true,
                (fb::INODE, _) => socket = true,
                _ => {}
            }
        }
        let (Some(name), Some(kind), Some(idp)) = (name, kind, idp) else {
            return Err(DecodeError::new("a block without name, type or IDP"));
        };
        self.idps.insert(idp, name);
        self.hidden = self.hidden.or(hidden.map(|why| (name, why)));
        if socket {
            self.sockets.insert(name);
            return Ok(());
        }
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
                    let option = configured(value, self.names)?;
                    if let (Some((key, value)), Some(block)) = (option, self.blocks.at(place)) {
                        if value.is_none() {
                            self.long.push((name, place, block.settings.len()));
                        }
                        block.settings.push(Setting {
                            key,
                            value: Cow::Owned(value.unwrap_or_default()),
                            place: 0,
                        });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes what is told of the devices, by IDP. Nothing if one of them is not told of.
    fn connect(&mut self, vlinks: &HashMap<u32, Vlink>) -> Option<()> {
        for (name, idp, ifname) in mem::take(&mut self.devices) {
            let vlink = vlinks.get(&idp)?;
            let share = match (&vlink.carrier, vlink.id) {
                (Some(carrier), Some(id)) => Some(Share {
                    carrier: self.names.name(carrier),
                    id: u8::try_from(id).ok()?,
                }),
                _ => None,
            };
            self.blocks.get_mut(name)?.kind = Kind::Device(Device {
                subsystem: self.names.name(vlink.subsystem.as_ref()?),
                ifname,
                share,
                xdp: vlink.xdp.is_some(),
            });
        }
        Some(())
    }

    fn finish(mut self) -> Option<Running> {
        let publisher = |(subscriber, idp)| Some((subscriber, *self.idps.get(&idp)?));
        let subscriptions = self.subscriptions.into_iter().map(publisher);
        let mut subscriptions = subscriptions.collect::<Option<IndexSet<_>>>()?;
        if !self.sockets.is_empty() {
            let ours = |(a, b): &Pair| !self.sockets.contains(a) && !self.sockets.contains(b);
            self.egress.retain(ours);
            self.ingress.retain(ours);
            subscriptions.retain(ours);
        }
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

/// An option that belongs to the configuration. One without its value has that asked for by itself.
fn configured(
    attrs: &[u8],
    names: &mut Names,
) -> Result<Option<(Name, Option<String>)>, DecodeError> {
    let (mut key, mut value, mut config, mut size) = (None, None, false, false);
    for attribute in attributes(attrs) {
        match attribute? {
            (option::KEY, bytes) => key = Some(text(bytes)),
            (option::VALUE, bytes) => value = Some(text(bytes).into_owned()),
            (option::CONFIG, _) => config = true,
            (option::SIZE, _) => size = true,
            _ => {}
        }
    }
    let is_one = config && (value.is_some() || size);
    let key = key.filter(|_| is_one).map(|key| names.name(&key));
    Ok(key.map(|key| (key, value)))
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

    fn vlink(ifname: &str, share: Option<(&str, u32)>) -> Vlink {
        Vlink {
            subsystem: Some("ethernet".into()),
            ifname: Some(ifname.into()),
            carrier: share.map(|(carrier, _)| carrier.into()),
            id: share.map(|(_, id)| id),
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
        let socket = FbAttrs {
            port: vec![port(Egress, "a")],
            publisher: vec![1],
            inode: Some(77),
            ..fb("socket1", 4)
        };
        let large = FbAttrs {
            partial: Some(Flag),
            ..fb("a", 2)
        };
        let whole = FbAttrs {
            port: vec![port(Egress, "eth0"), port(Ingress, "socket1")],
            publisher: vec![1],
            option: vec![option("k", Some(Flag)), option("count", None)],
            ..fb("a", 2)
        };
        let mydev0 = FbAttrs {
            ifname: Some("mydev0".into()),
            ..fb("mydev0", 3)
        };
        reader.take(&bytes(&eth0)).unwrap();
        reader.take(&bytes(&mydev0)).unwrap();
        reader.take(&bytes(&socket)).unwrap();
        reader.take(&bytes(&large)).unwrap();
        assert_eq!(reader.partial.len(), 1);
        reader.take(&bytes(&whole)).unwrap();
        let new0 = Vlink {
            xdp: Some(Flag),
            ..vlink("new0", None)
        };
        let vlinks = HashMap::from([(1, new0), (3, vlink("mydev0", Some(("lan0", 255))))]);
        reader.connect(&vlinks).unwrap();
        let running = reader.finish().unwrap();
        assert_eq!(running.bindings.len(), 1);
        assert_eq!(running.subscriptions.len(), 1);
        assert!(running.blocks.get(names.name("socket1")).is_none());
        let [eth0, a, k, new0, ethernet, mydev0, carrier] =
            ["eth0", "a", "k", "new0", "ethernet", "mydev0", "lan0"].map(|text| names.name(text));
        assert_eq!(running.bindings.get(&(a, eth0)), Some(&1));
        assert!(running.subscriptions.contains(&(a, eth0)));
        for (block, ifname, share, xdp) in [
            (eth0, new0, None, true),
            (mydev0, mydev0, Some(Share { carrier, id: 255 }), false),
        ] {
            let kind = Kind::Device(Device {
                subsystem: ethernet,
                ifname,
                share,
                xdp,
            });
            assert_eq!(running.blocks.get(block).unwrap().kind, kind);
        }
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
    fn what_is_not_shown_is_noticed() {
        let mut names = Names::default();
        let mut reader = Reader::new(&mut names);
        let withheld = FbAttrs {
            withheld: Some(Flag),
            ..fb("f", 1)
        };
        reader.take(&bytes(&fb("a", 2))).unwrap();
        assert!(reader.hidden.is_none());
        reader.take(&bytes(&withheld)).unwrap();
        let (name, why) = reader.hidden.unwrap();
        assert_eq!(reader.names.text(name), "f");
        assert!(why.contains("CAP_NET_ADMIN"));

        let mut reader = Reader::new(&mut names);
        let mut odd = bytes(&fb("lan0", 1));
        odd.extend_from_slice(&[9, 0, 9, 0, b'l', 0xff, b'n', b'0', 0, 0, 0, 0]);
        assert_eq!(fb::IFNAME, 9);
        reader.take(&odd).unwrap();
        assert!(reader.hidden.unwrap().1.contains("UTF-8"));
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
        assert!(reader.connect(&HashMap::new()).is_none());
        assert!(reader.take(&bytes(&FbAttrs::default())).is_err());
    }
}
