// SPDX-License-Identifier: GPL-2.0

//! Makes headers of header functions: one on top of the other, with their lengths and checksums.

use super::{
    ast::{Argument, Call, Value},
    compile::Builder,
    dns,
    error::Mistake,
    protocols::{Field, Kind, Protocol},
};
use crate::{
    checksum::{Pseudo, Sum, ICMP6, TCP, UDP},
    template::{Counter, Patch, Place},
};

/// A header in a packet.
pub(crate) struct Layer {
    pub(crate) protocol: Protocol,
    /// Where it begins.
    pub(crate) start: usize,
    /// The fields that the text has set.
    set: Vec<&'static str>,
}

impl Layer {
    fn has_set(&self, name: &str) -> bool {
        let field = self
            .protocol
            .field(name)
            .and_then(|field| field.names.first());
        field.is_some_and(|first| self.set.contains(first))
    }
}

/// Adds a header, and those below it that are missing.
pub(crate) fn header(packet: &mut Builder<'_>, at: usize, call: &Call) -> Result<(), Mistake> {
    let Some(protocol) = Protocol::named(&call.name) else {
        let known: Vec<_> = Protocol::names().collect();
        let what = format!(
            "no function {}; headers are {}",
            call.name,
            known.join(", ")
        );
        return Err(Mistake::new(at, what));
    };
    push(packet, protocol);
    let mut rest = Vec::new();
    for argument in &call.arguments {
        if protocol == Protocol::Dns && dns::is_record(argument) {
            rest.push(argument);
        } else {
            assign(packet, protocol, argument)?;
        }
    }
    if protocol == Protocol::Dns {
        dns::records(packet, &rest)?;
    }
    Ok(())
}

fn push(packet: &mut Builder<'_>, protocol: Protocol) {
    let fits = |layer: &Layer| protocol.fits_above(layer.protocol);
    if !packet.layers.last().is_some_and(fits) {
        if let Some(below) = protocol.below() {
            push(packet, below);
        }
    }
    if let Some(below) = packet.layers.last() {
        let (kind, start) = (below.protocol, below.start);
        let announced = protocol
            .announced(kind)
            .filter(|(name, _)| !below.has_set(name));
        let destination = protocol
            .destination()
            .filter(|_| kind == Protocol::Eth && !below.has_set("da"));
        if let Some((name, value)) = announced {
            packet.put(kind.field(name), start, value);
        }
        if let Some(address) = destination {
            packet.overwrite(start, &address);
        }
    }
    let (start, host) = (packet.bytes.len(), packet.host);
    packet.bytes.extend(protocol.header());
    match protocol {
        Protocol::Eth => packet.overwrite(start + 6, &host.mac),
        Protocol::Ip4 => packet.overwrite(start + 12, &host.ip4),
        Protocol::Ip6 => packet.overwrite(start + 8, &host.ip6),
        Protocol::Arp => {
            packet.overwrite(start + 8, &host.mac);
            packet.overwrite(start + 14, &host.ip4);
            packet.overwrite(start + 24, &host.ip4);
        }
        _ => {}
    }
    packet.layers.push(Layer {
        protocol,
        start,
        set: Vec::new(),
    });
}

/// Sets a field of the topmost header.
fn assign(
    packet: &mut Builder<'_>,
    protocol: Protocol,
    argument: &Argument,
) -> Result<(), Mistake> {
    let Argument { at, name, .. } = argument;
    let wrong = |what: String| Mistake::new(*at, what);
    let Some(field) = protocol.field(name) else {
        let fields = protocol
            .fields()
            .iter()
            .filter_map(|field| field.names.first());
        let fields: Vec<_> = fields.copied().collect();
        return Err(wrong(format!(
            "no field '{name}' here; there are {}",
            fields.join(", ")
        )));
    };
    let Some(layer) = packet.layers.last_mut() else {
        return Ok(());
    };
    let start = layer.start;
    layer.set.extend(field.names.first());
    let (mut bit, mut bits) = (start * 8 + field.bit, field.bits);
    if let Kind::Below(value) = field.kind {
        return below(packet, argument, protocol, value);
    }
    if protocol == Protocol::Pfc {
        (bit, bits) = priority(argument, field, bit)?;
    } else if argument.inner.is_some() {
        return Err(wrong(format!("{name} has nothing in brackets")));
    }
    if let Some((index, length)) = argument.part {
        if bits % 8 != 0 || (index + length) * 8 > bits {
            return Err(wrong(format!(
                "{name}[{index}:{length}] is not within the field, which has {bits} bits"
            )));
        }
        bit += index * 8;
        bits = length * 8;
    }
    let end = (bit + bits) / 8;
    match &argument.value {
        None => match field.kind {
            Kind::Flag(value) => packet.write(Place::of(bit, bits), value),
            _ if protocol == Protocol::Pfc && argument.inner.is_some() => {
                packet.write(Place::of(bit, bits), 1);
            }
            _ if bits == 1 => packet.write(Place::of(bit, bits), 1),
            _ => return Err(wrong(format!("{name} wants a value: {name}=…"))),
        },
        Some(Value::Number(value)) if bits <= 32 => {
            let place = Place::of(bit, bits);
            if *value > place.greatest() {
                return Err(wrong(format!(
                    "{value} does not fit into the {bits} bits of {name}"
                )));
            }
            packet.write(place, *value);
        }
        Some(Value::Word(word)) if field.names.contains(&"op") => {
            packet.write(Place::of(bit, bits), if word == "reply" { 2 } else { 1 });
        }
        Some(Value::Mac(mac)) if bits == 48 => packet.overwrite(end - 6, mac),
        Some(Value::Ip4(ip)) if bits == 32 && field.kind == Kind::Ip4 => {
            packet.overwrite(end - 4, ip);
        }
        Some(Value::Ip6(ip)) if bits == 128 => packet.overwrite(end - 16, ip),
        Some(Value::Count { range, down }) => {
            let place = last_bytes(bit, bits);
            let now = place.read(&packet.bytes);
            let (first, (min, max), step) = match *range {
                None => (now, (0, place.greatest()), 1),
                Some((min, max, step)) => {
                    bounds(*at, place, min, max)?;
                    (if *down { max } else { min }, (min, max), step)
                }
            };
            let counter = Counter::new(first, (min, max), step, *down);
            packet.vary(Patch::Count { place, counter });
        }
        Some(Value::Random(range)) => {
            let place = last_bytes(bit, bits);
            let (min, max) = range.unwrap_or((0, place.greatest()));
            bounds(*at, place, min, max)?;
            if range.is_none() && bits % 8 == 0 && bit % 8 == 0 {
                packet.vary(Patch::Bytes {
                    offset: bit / 8,
                    length: bits / 8,
                });
            } else {
                packet.vary(Patch::Random { place, min, max });
            }
        }
        Some(_) => {
            let wanted = match field.kind {
                Kind::Mac => "an Ethernet address",
                Kind::Ip4 => "an IPv4 address",
                Kind::Ip6 => "an IPv6 address",
                _ => "a number",
            };
            return Err(wrong(format!("{name} wants {wanted}")));
        }
    }
    Ok(())
}

/// A field that is too wide to count counts in its last four bytes.
fn last_bytes(bit: usize, bits: usize) -> Place {
    Place::of(bit + bits.saturating_sub(32), bits.min(32))
}

fn bounds(at: usize, place: Place, min: u64, max: u64) -> Result<(), Mistake> {
    if min <= max && max <= place.greatest() {
        return Ok(());
    }
    let what = format!(
        "no range from {min} to {max} within 0 to {}",
        place.greatest()
    );
    Err(Mistake::new(at, what))
}

/// The place of `prio(n)` and `time(n)` in PFC's header.
fn priority(argument: &Argument, field: &Field, bit: usize) -> Result<(usize, usize), Mistake> {
    let number = match argument.inner.as_deref() {
        None => return Ok((bit, field.bits)),
        Some([inner]) => inner.name.parse().ok().filter(|number: &usize| *number < 8),
        Some(_) => None,
    };
    let Some(number) = number else {
        let what = format!("{}(n) wants a priority from 0 to 7", argument.name);
        return Err(Mistake::new(argument.at, what));
    };
    Ok(match field.names {
        ["time", ..] => (bit + 16 * number, 16),
        ["pri", ..] => (bit + 15 - number, 1),
        _ => (bit, field.bits),
    })
}

/// Sets the EtherType of the header below.
fn below(
    packet: &mut Builder<'_>,
    argument: &Argument,
    protocol: Protocol,
    usual: u64,
) -> Result<(), Mistake> {
    let value = match (&argument.value, protocol) {
        (None, Protocol::Vlan) if argument.name.starts_with('1') => usual,
        (Some(Value::Number(id)), Protocol::Lana) if *id < 256 => usual + id,
        (Some(Value::Number(value)), Protocol::Vlan) if *value < 65_536 => *value,
        (_, Protocol::Lana) => {
            return Err(Mistake::new(
                argument.at,
                "id is that of a virtual device, from 0 to 255",
            ))
        }
        _ => {
            return Err(Mistake::new(
                argument.at,
                format!("{} wants an EtherType", argument.name),
            ))
        }
    };
    let index = packet.layers.len().checked_sub(2);
    let Some(layer) = index.and_then(|index| packet.layers.get(index)) else {
        return Ok(());
    };
    let (field, start) = (layer.protocol.field("type"), layer.start);
    packet.put(field, start, value);
    Ok(())
}

/// Fills in lengths and adds the checksums, once the packet is whole: those of the innermost headers first.
pub(crate) fn finish(packet: &mut Builder<'_>, sums: bool) {
    let layers = std::mem::take(&mut packet.layers);
    let end = packet.bytes.len();
    for (index, layer) in layers.iter().enumerate().rev() {
        let (start, length) = (layer.start, (end - layer.start) as u64);
        let mut put = |name: &str, value: u64| {
            if !layer.has_set(name) {
                packet.put(layer.protocol.field(name), start, value);
            }
        };
        match layer.protocol {
            Protocol::Ip4 | Protocol::Udp => put("len", length),
            Protocol::Ip6 => put("len", length.saturating_sub(40)),
            _ => {}
        }
        if !sums || layer.has_set("csum") {
            continue;
        }
        let below = index.checked_sub(1).and_then(|index| layers.get(index));
        let pseudo = |protocol| match below?.protocol {
            Protocol::Ip4 => Some(Pseudo::ip4(below?.start, protocol)),
            Protocol::Ip6 => Some(Pseudo::ip6(below?.start, protocol)),
            _ => None,
        };
        let (at, to, pseudo) = match layer.protocol {
            Protocol::Ip4 => {
                let words = usize::from(packet.bytes.get(start).copied().unwrap_or_default() & 0xf);
                (10, start + 4 * words, None)
            }
            Protocol::Icmp4 => (2, usize::MAX, None),
            Protocol::Icmp6 => (2, usize::MAX, pseudo(ICMP6)),
            Protocol::Udp => (6, usize::MAX, pseudo(UDP)),
            Protocol::Tcp => (16, usize::MAX, pseudo(TCP)),
            _ => continue,
        };
        packet.vary(Patch::Sum(Sum {
            at: start + at,
            from: start,
            to,
            pseudo,
        }));
    }
    packet.layers = layers;
}
