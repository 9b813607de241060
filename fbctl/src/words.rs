// SPDX-License-Identifier: GPL-2.0

//! What a word of the command line may be, for completions, as far as only `fbctl` knows.

use crate::{flows, installed::installed};
use clap_complete::engine::CompletionCandidate;
use lana_netlink::{
    spec::{Direction, TypeOptionAttrs},
    wire::Value,
    Connection, Fb, Type,
};
use std::{collections::BTreeSet, env, ffi::OsStr};

/// The types, those included whose module is only installed.
fn all() -> Vec<Type> {
    let mut types = Connection::open()
        .and_then(|mut lana| lana.types())
        .map(|dump| dump.items)
        .unwrap_or_default();
    for kind in installed() {
        if types.iter().all(|other| other.name != kind.name) {
            types.push(kind);
        }
    }
    types
}

/// Their names.
pub(crate) fn types() -> Vec<CompletionCandidate> {
    let names = all().into_iter().filter_map(|kind| kind.name);
    names.map(CompletionCandidate::new).collect()
}

/// The blocks that have flows, and the filters of flows.
pub(crate) fn flow_words() -> Vec<CompletionCandidate> {
    let all = Connection::open().and_then(|mut lana| lana.fbs_in_brief());
    let all = all.map(|dump| dump.items).unwrap_or_default().into_iter();
    let blocks = all.filter(|fb| fb.r#type.as_deref() == Some("netflow"));
    let blocks = blocks
        .filter_map(|fb| fb.name)
        .map(CompletionCandidate::new);
    let filters = flows::KEYS.iter();
    let filters =
        filters.map(|(key, about)| CompletionCandidate::new(*key).help(Some((*about).into())));
    blocks.chain(filters).collect()
}

/// The options of the block that the word before names, and what they can be set to.
pub(crate) fn options(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let words: Vec<_> = env::args().collect();
    let block = words.iter().rposition(|word| word == "set");
    let Some(block) = block.and_then(|at| words.get(at + 1)) else {
        return Vec::new();
    };
    let Ok(fb) = Connection::open().and_then(|mut lana| lana.fb(block)) else {
        return Vec::new();
    };
    let types = all();
    let kind = types.iter().find(|kind| kind.name == fb.r#type);
    let options = kind.map_or(&[][..], |kind| &kind.option);
    let found = assignments(options, &fb, &current).into_iter();
    found
        .map(|(text, help)| CompletionCandidate::new(text).help(help.map(Into::into)))
        .collect()
}

/// `KEY=` for those that begin so; the values of one that is there.
fn assignments(
    options: &[TypeOptionAttrs],
    fb: &Fb,
    current: &str,
) -> Vec<(String, Option<String>)> {
    let (current, value) = match current.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (current, None),
    };
    let mut found = Vec::new();
    for option in options {
        let Some(declared) = &option.key else {
            continue;
        };
        for key in keys(declared, fb, current) {
            match value {
                None if key.starts_with(current) => {
                    found.push((format!("{key}="), option.doc.clone()));
                }
                Some(value) if key == current => {
                    let words = option.word.iter().filter(|word| word.starts_with(value));
                    found.extend(words.map(|word| (format!("{key}={word}"), None)));
                }
                _ => {}
            }
        }
    }
    found
}

/// The keys that a declared one stands for. `port.N.weight` stands for one with each number that the block has, for the
/// one with the next number, and for the one with the number that is typed.
fn keys(declared: &str, fb: &Fb, current: &str) -> Vec<String> {
    let mut parts = declared.split('.');
    // Some have a sign behind the number.
    let (Some(of), Some("N" | "N+" | "N-")) = (parts.next(), parts.next()) else {
        return vec![declared.to_owned()];
    };
    let number = |key: &str| {
        let (is_of, rest) = key.split_once('.')?;
        let number = rest.split('.').next()?.parse::<u32>().ok();
        number.filter(|_| is_of == of)
    };
    let mut numbers: BTreeSet<_> = fb
        .option
        .iter()
        .filter_map(|option| number(option.key.as_deref()?))
        .collect();
    if of == "port" {
        let egress = Some(Value::Known(Direction::Egress));
        let ports = fb.port.iter().filter(|port| port.direction == egress);
        numbers.extend(ports.filter_map(|port| port.index));
    }
    let next = numbers
        .last()
        .map_or(Some(0), |highest| highest.checked_add(1));
    numbers.extend(next.into_iter().chain(number(current)));
    let numbers = numbers.into_iter();
    numbers
        .map(|number| declared.replacen(".N", &format!(".{number}"), 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::spec::{OptionAttrs, PortAttrs};

    fn said(all: &[TypeOptionAttrs], fb: &Fb, current: &str) -> Vec<String> {
        let found = assignments(all, fb, current).into_iter();
        found.map(|(text, _)| text).collect()
    }

    fn option(key: &str, words: &[&str]) -> TypeOptionAttrs {
        TypeOptionAttrs {
            key: Some(key.into()),
            word: words.iter().map(|&word| word.into()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn options_and_their_values() {
        let all = [
            option("batch", &["on", "off"]),
            option("unclaimed", &["drop", "stack"]),
        ];
        let said = |current| said(&all, &Fb::default(), current);
        assert_eq!(said(""), ["batch=", "unclaimed="]);
        assert_eq!(said("un"), ["unclaimed="]);
        assert_eq!(said("unclaimed="), ["unclaimed=drop", "unclaimed=stack"]);
        assert_eq!(said("batch=o"), ["batch=on", "batch=off"]);
        assert!(said("x=").is_empty());
    }

    #[test]
    fn numbered_options() {
        let all = [
            option("ttl", &[]),
            option("port.N.state", &["up", "down"]),
            option("port.source", &[]),
            option("rule.N", &[]),
        ];
        let set = |key: &str| OptionAttrs {
            key: Some(key.into()),
            ..Default::default()
        };
        let port = |direction, index| PortAttrs {
            direction: Some(Value::Known(direction)),
            index: Some(index),
            ..Default::default()
        };
        let fb = Fb {
            option: vec![set("rule.9"), set("rule.10.packets"), set("port.1.state")],
            port: vec![port(Direction::Egress, 0), port(Direction::Ingress, 7)],
            ..Default::default()
        };
        let all_of_it = [
            "ttl=",
            "port.0.state=",
            "port.1.state=",
            "port.2.state=",
            "port.source=",
            "rule.9=",
            "rule.10=",
            "rule.11=",
        ];
        assert_eq!(said(&all, &fb, ""), all_of_it);
        assert_eq!(
            said(&all, &fb, "port.0.state="),
            ["port.0.state=up", "port.0.state=down"]
        );
        assert_eq!(said(&all, &fb, "port.63.state=d"), ["port.63.state=down"]);
        assert_eq!(said(&all, &fb, "port.63."), ["port.63.state="]);
        assert_eq!(
            said(&all, &fb, "rule.1"),
            ["rule.1=", "rule.10=", "rule.11="]
        );
        assert!(said(&all, &fb, "port.N.state=").is_empty());
        // A new block has none.
        assert_eq!(said(&all, &Fb::default(), "rule"), ["rule.0="]);
    }
}
