// SPDX-License-Identifier: GPL-2.0

//! Queries and resource records behind the header of DNS.

use super::{
    ast::{Argument, Value},
    compile::Builder,
    error::Mistake,
    protocols::Protocol,
};

/// The sections: the function, the field that counts its records, and whether they are queries.
const SECTIONS: &[(&[&str], &str)] = &[
    (&["qry", "query"], "qdcount"),
    (&["ans", "answer"], "ancount"),
    (&["auth", "authority"], "nscount"),
    (&["add", "additional"], "arcount"),
];

/// Whether an argument of `dns()` is a record.
pub(crate) fn is_record(argument: &Argument) -> bool {
    argument.inner.is_some()
        && SECTIONS
            .iter()
            .any(|(names, _)| names.contains(&argument.name.as_str()))
}

/// Appends the records, section by section, and counts them.
pub(crate) fn records(packet: &mut Builder<'_>, arguments: &[&Argument]) -> Result<(), Mistake> {
    let start = packet.layers.last().map_or(0, |layer| layer.start);
    for (names, counter) in SECTIONS {
        let mut count = 0;
        for argument in arguments
            .iter()
            .filter(|argument| names.contains(&argument.name.as_str()))
        {
            count += 1;
            let bytes = record(argument, *counter == "qdcount")?;
            packet.bytes.extend(bytes);
        }
        if count > 0 {
            packet.put(Protocol::Dns.field(counter), start, count);
        }
    }
    Ok(())
}

fn record(record: &Argument, query: bool) -> Result<Vec<u8>, Mistake> {
    let (mut owner, mut kind, mut class, mut ttl) = (vec![0], 1_u16, 1_u16, 0_u32);
    let (mut data, mut length) = (Vec::new(), None);
    for field in record.inner.iter().flatten() {
        let wrong = |what: &str| Mistake::new(field.at, format!("{}: {what}", field.name));
        let number = || match &field.value {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(wrong("a number is wanted")),
        };
        let short = || {
            number()
                .and_then(|n| u16::try_from(n).map_err(|_| wrong("it does not fit into 16 bits")))
        };
        match field.name.as_str() {
            "name" => {
                owner = text(field)
                    .and_then(|text| domain(&text))
                    .ok_or_else(|| wrong("a domain name is wanted"))?;
            }
            "type" => kind = short()?,
            "class" => class = short()?,
            "ttl" if !query => {
                ttl =
                    u32::try_from(number()?).map_err(|_| wrong("it does not fit into 32 bits"))?;
            }
            "len" | "length" if !query => length = Some(short()?),
            "data" if !query => data = text(field).ok_or_else(|| wrong("a string is wanted"))?,
            "a" | "aaaa" | "addr" if !query => match inner(field) {
                Some(Value::Ip4(ip)) => (kind, data) = (1, ip.to_vec()),
                Some(Value::Ip6(ip)) => (kind, data) = (28, ip.to_vec()),
                _ => return Err(wrong("an address is wanted")),
            },
            name @ ("ns" | "cname" | "ptr") if !query => {
                let Some(Value::Text(text)) = inner(field) else {
                    return Err(wrong("a domain name is wanted"));
                };
                data = domain(text).ok_or_else(|| wrong("this is no domain name"))?;
                kind = match name {
                    "ns" => 2,
                    "cname" => 5,
                    _ => 12,
                };
            }
            _ => return Err(wrong("a record has no such field")),
        }
    }
    let mut bytes = owner;
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    if !query {
        let real = u16::try_from(data.len()).unwrap_or(u16::MAX);
        bytes.extend(ttl.to_be_bytes());
        bytes.extend(length.unwrap_or(real).to_be_bytes());
        bytes.extend(data);
    }
    Ok(bytes)
}

fn text(field: &Argument) -> Option<Vec<u8>> {
    match &field.value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// What stands alone in the brackets of a field.
fn inner(field: &Argument) -> Option<&Value> {
    match field.inner.as_deref() {
        Some([only]) => only.value.as_ref(),
        _ => None,
    }
}

/// A domain name as it is sent: each label with its length, and a root without one.
fn domain(name: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for label in name.split(|c| *c == b'.').filter(|label| !label.is_empty()) {
        bytes.push(
            u8::try_from(label.len())
                .ok()
                .filter(|length| *length < 64)?,
        );
        bytes.extend(label);
    }
    bytes.push(0);
    (bytes.len() <= 255).then_some(bytes)
}
