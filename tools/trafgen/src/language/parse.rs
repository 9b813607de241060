// SPDX-License-Identifier: GPL-2.0

//! The grammar: from a text to packets.

use super::{
    ast::{Count, Element, Item, Packet, SumKind},
    call::call,
    error::Mistake,
    token::{blank, gap, mark, number, punctuation, string, symbol, word, Grammar, Input, Trouble},
    value::{expression, MOST_BYTES},
};
use std::collections::BTreeMap;
use winnow::stream::Location;

/// Counters that a text of 2011 has declared, by their names.
type Counters = BTreeMap<String, Count>;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Vec<Packet>, Mistake> {
    let mut input = Input::new(text);
    let result = packets(&mut input);
    result.map_err(|error| match error.into_inner() {
        Ok(trouble) => trouble.0,
        Err(_) => Mistake::new(text.len(), "the text ends too early"),
    })
}

fn packets(input: &mut Input<'_>) -> Grammar<Vec<Packet>> {
    let (mut packets, mut counters) = (Vec::new(), Counters::new());
    loop {
        blank(input)?;
        let at = input.current_token_start();
        if input.is_empty() {
            return Ok(packets);
        } else if symbol(input, '$')? {
            match dollar(input, at)? {
                Dollar::Counter(name) => {
                    mark(input, ':', "after the name of a counter")?;
                    let count = declaration(input, at)?;
                    counters.insert(name, count);
                    continue;
                }
                Dollar::Packet => {}
                Dollar::Random => {
                    return Err(Trouble::cut(at, "$PRB stands in packets only"));
                }
            }
        } else if input.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let name = word(input)?;
            if name != "cpu" {
                return Err(Trouble::cut(at, format!("{name}: a packet begins with {{")));
            }
            let cpus = cpus(input)?;
            mark(input, ':', "after the CPUs")?;
            blank(input)?;
            let mut packet = packet(input, &counters)?;
            packet.cpus = Some(cpus);
            packets.push(packet);
            continue;
        }
        blank(input)?;
        packets.push(packet(input, &counters)?);
    }
}

/// What a word that begins with `$` is about.
enum Dollar {
    Counter(String),
    Packet,
    Random,
}

/// The language of 2011 has words that begin with `$`.
fn dollar(input: &mut Input<'_>, at: usize) -> Grammar<Dollar> {
    let name = word(input)?;
    let numbered = |prefix: &str| {
        let digits = name.strip_prefix(prefix);
        digits.is_some_and(|digits| digits.bytes().all(|c| c.is_ascii_digit()))
    };
    if name == "prb" {
        Ok(Dollar::Random)
    } else if numbered("ii") {
        Ok(Dollar::Counter(name))
    } else if numbered("p") {
        Ok(Dollar::Packet)
    } else {
        let what = format!("${name}: there are $II0, … for counters, $PRB, and $P1, … for packets");
        Err(Trouble::cut(at, what))
    }
}

/// `0, 255, 1`: from, to, step.
fn declaration(input: &mut Input<'_>, at: usize) -> Grammar<Count> {
    let min = byte(input)?;
    gap(input)?;
    let max = byte(input)?;
    gap(input)?;
    let step = byte(input)?;
    count(at, [min, max, step], false, false)
}

/// What counts between two values.
fn count(at: usize, [min, max, step]: [u64; 3], down: bool, ahead: bool) -> Grammar<Count> {
    if min > max {
        return Err(Trouble::cut(
            at,
            format!("it cannot count from {min} to {max}"),
        ));
    }
    Ok(Count {
        min,
        max,
        step,
        down,
        ahead,
    })
}

fn cpus(input: &mut Input<'_>) -> Grammar<(u32, u32)> {
    mark(input, '(', "after cpu")?;
    let first = cpu(input)?;
    blank(input)?;
    let last = if symbol(input, ':')? || symbol(input, '-')? {
        cpu(input)?
    } else {
        first
    };
    mark(input, ')', "after the CPUs")?;
    Ok((first.min(last), first.max(last)))
}

fn cpu(input: &mut Input<'_>) -> Grammar<u32> {
    blank(input)?;
    let at = input.current_token_start();
    let number = number(input)?;
    u32::try_from(number).map_err(|_| Trouble::cut(at, format!("{number} is no CPU")))
}

fn packet(input: &mut Input<'_>, counters: &Counters) -> Grammar<Packet> {
    let at = input.current_token_start();
    if !symbol(input, '{')? {
        let found = punctuation(input);
        return Err(Trouble::cut(
            at,
            format!("a packet begins with {{, not with {found}"),
        ));
    }
    let (mut items, mut bytes) = (Vec::new(), 0_usize);
    loop {
        gap(input)?;
        if symbol(input, '}')? {
            break;
        }
        if input.is_empty() {
            return Err(Trouble::cut(at, "the } of this packet is missing"));
        }
        let item = item(input, counters)?;
        bytes = bytes.saturating_add(match &item.element {
            Element::Bytes(bytes) => bytes.len(),
            Element::Random(count) | Element::Fresh(count) => *count,
            _ => 1,
        });
        if bytes > MOST_BYTES {
            let what = format!("the packet has more than {MOST_BYTES} bytes");
            return Err(Trouble::cut(item.at, what));
        }
        items.push(item);
    }
    Ok(Packet {
        cpus: None,
        items,
        at,
    })
}

fn item(input: &mut Input<'_>, counters: &Counters) -> Grammar<Item> {
    let at = input.current_token_start();
    let element = if input.starts_with('"') {
        Element::Bytes(string(input)?)
    } else if symbol(input, '$')? {
        match dollar(input, at)? {
            Dollar::Random => Element::Fresh(1),
            Dollar::Counter(name) => {
                let Some(count) = counters.get(&name) else {
                    let what = format!("no counter ${} is declared", name.to_uppercase());
                    return Err(Trouble::cut(at, what));
                };
                Element::Count(*count)
            }
            Dollar::Packet => return Err(Trouble::cut(at, "a packet within a packet")),
        }
    } else if let Some(name) = function(input) {
        named(input, at, name)?
    } else {
        let number = number(input)?;
        Element::Bytes(vec![fit(at, number)?])
    };
    Ok(Item { at, element })
}

/// The name of a function, if one is called here.
fn function(input: &mut Input<'_>) -> Option<String> {
    let mut ahead = *input;
    let name = word(&mut ahead).ok()?;
    blank(&mut ahead).ok()?;
    symbol(&mut ahead, '(').ok()?.then(|| {
        *input = ahead;
        name
    })
}

/// A function, behind its `(`.
fn named(input: &mut Input<'_>, at: usize, name: String) -> Grammar<Element> {
    let wide = |bytes: usize| {
        move |value: u64| {
            let whole = value.to_be_bytes();
            Element::Bytes(whole.get(8 - bytes..).unwrap_or_default().to_vec())
        }
    };
    let constant = |input: &mut Input<'_>, bytes| {
        blank(input)?;
        let value = expression(input)?;
        mark(input, ')', "after the number")?;
        Ok(wide(bytes)(value))
    };
    let sum = |input: &mut Input<'_>, kind| match numbers(input, at, &name)?.as_slice() {
        [from, to] => Ok(Element::Sum {
            kind,
            from: size(at, *from.min(to))?,
            to: size(at, *from.max(to))?,
        }),
        _ => Err(Trouble::cut(at, format!("{name} wants two offsets"))),
    };
    match name.as_str() {
        "fill" => match numbers(input, at, &name)?.as_slice() {
            [byte, times] => Ok(Element::Bytes(vec![fit(at, *byte)?; size(at, *times)?])),
            _ => Err(Trouble::cut(
                at,
                "fill wants a byte and how many: fill(0xff, 60)",
            )),
        },
        "rnd" | "drnd" => {
            let times = match numbers(input, at, &name)?.as_slice() {
                [] => 1,
                [times] => size(at, *times)?,
                _ => {
                    return Err(Trouble::cut(
                        at,
                        format!("{name} wants how many bytes, or nothing"),
                    ))
                }
            };
            Ok(if name == "rnd" {
                Element::Random(times)
            } else {
                Element::Fresh(times)
            })
        }
        "seqinc" | "seqdec" => {
            let (start, times, step) = match numbers(input, at, &name)?.as_slice() {
                [start, times] => (fit(at, *start)?, size(at, *times)?, 1),
                [start, times, step] => (fit(at, *start)?, size(at, *times)?, fit(at, *step)?),
                _ => {
                    let what = format!("{name} wants a start, how many, and maybe a step");
                    return Err(Trouble::cut(at, what));
                }
            };
            let step = if name == "seqinc" {
                step
            } else {
                step.wrapping_neg()
            };
            let bytes = std::iter::successors(Some(start), |byte| Some(byte.wrapping_add(step)));
            Ok(Element::Bytes(bytes.take(times).collect()))
        }
        "dinc" | "ddec" => {
            let numbers = numbers(input, at, &name)?;
            let bytes = numbers.iter().map(|&number| fit(at, number).map(u64::from));
            let (min, max, step) = match bytes.collect::<Grammar<Vec<_>>>()?.as_slice() {
                [] => (0, 255, 1),
                [min, max] => (*min, *max, 1),
                [min, max, step] => (*min, *max, *step),
                _ => {
                    let what = format!("{name} wants the least, the greatest, and maybe a step");
                    return Err(Trouble::cut(at, what));
                }
            };
            count(at, [min, max, step], name == "ddec", true).map(Element::Count)
        }
        "const8" | "c8" => constant(input, 1),
        "const16" | "c16" => constant(input, 2),
        "const32" | "c32" => constant(input, 4),
        "const64" | "c64" => constant(input, 8),
        "csum16" | "csumip" | "csumip4" | "csumicmp" | "csumicmp4" => sum(input, SumKind::Internet),
        "csumudp" | "csumudp4" => sum(input, SumKind::Udp),
        "csumtcp" | "csumtcp4" => sum(input, SumKind::Tcp),
        "csumudp6" => sum(input, SumKind::Udp6),
        "csumtcp6" => sum(input, SumKind::Tcp6),
        _ => call(input, at, name).map(Element::Header),
    }
}

/// Numbers up to the `)`.
fn numbers(input: &mut Input<'_>, at: usize, name: &str) -> Grammar<Vec<u64>> {
    let mut numbers = Vec::new();
    loop {
        gap(input)?;
        if symbol(input, ')')? {
            return Ok(numbers);
        }
        if input.is_empty() || numbers.len() == 3 {
            return Err(Trouble::cut(at, format!("the ) of {name} is missing")));
        }
        numbers.push(expression(input)?);
    }
}

fn byte(input: &mut Input<'_>) -> Grammar<u64> {
    blank(input)?;
    let at = input.current_token_start();
    let number = number(input)?;
    fit(at, number).map(u64::from)
}

/// A number as a byte.
fn fit(at: usize, number: u64) -> Grammar<u8> {
    u8::try_from(number).map_err(|_| Trouble::cut(at, format!("{number} does not fit into a byte")))
}

/// A number as an amount of bytes.
fn size(at: usize, number: u64) -> Grammar<usize> {
    let size = usize::try_from(number)
        .ok()
        .filter(|size| *size <= MOST_BYTES);
    size.ok_or_else(|| {
        Trouble::cut(
            at,
            format!("{number} is more than the {MOST_BYTES} bytes of a packet"),
        )
    })
}
