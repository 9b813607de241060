// SPDX-License-Identifier: GPL-2.0

//! What a word of the command line may be, for completions, as far as only `fbctl` knows.

use crate::installed::installed;
use clap_complete::engine::CompletionCandidate;
use lana_netlink::{spec::TypeOptionAttrs, Connection, Type};
use std::{env, ffi::OsStr};

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

/// The options of the block that the word before names, and what they can be set to.
pub(crate) fn options(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let words: Vec<_> = env::args().collect();
    let block = words.iter().rposition(|word| word == "set");
    let Some(block) = block.and_then(|at| words.get(at + 1)) else {
        return Vec::new();
    };
    let kind = Connection::open().and_then(|mut lana| lana.fb(block));
    let Some(kind) = kind.ok().and_then(|fb| fb.r#type) else {
        return Vec::new();
    };
    let types = all();
    let kind = types
        .iter()
        .find(|other| other.name.as_ref() == Some(&kind));
    let options = kind.map_or(&[][..], |kind| &kind.option);
    let found = assignments(options, &current).into_iter();
    found
        .map(|(text, help)| CompletionCandidate::new(text).help(help.map(Into::into)))
        .collect()
}

/// `KEY=` for those that begin so; the values of one that is there.
fn assignments(options: &[TypeOptionAttrs], current: &str) -> Vec<(String, Option<String>)> {
    let keyed = |option: &TypeOptionAttrs| Some((option.key.clone()?, option.doc.clone()));
    match current.split_once('=') {
        None => {
            let keys = options.iter().filter_map(keyed);
            let keys = keys.filter(|(key, _)| key.starts_with(current));
            keys.map(|(key, doc)| (format!("{key}="), doc)).collect()
        }
        Some((key, value)) => {
            let option = options
                .iter()
                .find(|option| option.key.as_deref() == Some(key));
            let words = option.map_or(&[][..], |option| &option.word);
            let words = words.iter().filter(|word| word.starts_with(value));
            words.map(|word| (format!("{key}={word}"), None)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_their_values() {
        let option = |key: &str, words: &[&str]| TypeOptionAttrs {
            key: Some(key.into()),
            word: words.iter().map(|&word| word.into()).collect(),
            ..Default::default()
        };
        let all = [
            option("batch", &["on", "off"]),
            option("unclaimed", &["drop", "stack"]),
        ];
        let said = |current| {
            let found = assignments(&all, current).into_iter();
            found.map(|(text, _)| text).collect::<Vec<_>>()
        };
        assert_eq!(said(""), ["batch=", "unclaimed="]);
        assert_eq!(said("un"), ["unclaimed="]);
        assert_eq!(said("unclaimed="), ["unclaimed=drop", "unclaimed=stack"]);
        assert_eq!(said("batch=o"), ["batch=on", "batch=off"]);
        assert!(said("x=").is_empty());
    }
}
