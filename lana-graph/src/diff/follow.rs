// SPDX-License-Identifier: GPL-2.0

//! What is set for the ports of a block when its bindings are those of the file.
//!
//! The options of egress port N are called `port.N.`something. Blocks that have such let them go with
//! what the port leads to: when a port is unbound, those behind it have other numbers, and so have their
//! options. In a transaction the numbers are those that the ports have at its end.

use crate::model::{Bond, Name, Names, Pair, Place, Setting};
use indexmap::IndexMap;
use std::borrow::Cow;

const PREFIX: &str = "port.";

/// What will be set of `now` for block `upper` when the bindings have changed. `stays` says which blocks
/// are the same then.
pub(super) fn follow<'a>(
    upper: Name,
    now: &'a [Setting<'a>],
    was: &IndexMap<Pair, Place>,
    then: &[Bond],
    stays: impl Fn(Name) -> bool,
    names: &mut Names,
) -> Cow<'a, [Setting<'a>]> {
    let of_port = |setting: &Setting<'_>| names.text(setting.key).starts_with(PREFIX);
    if !now.iter().any(of_port) {
        return Cow::Borrowed(now);
    }
    let was: Vec<_> = was.keys().filter(|pair| pair.0 == upper).collect();
    let then = then.iter().map(|bond| &bond.pair);
    let then: Vec<_> = then.filter(|pair| pair.0 == upper).collect();
    // One that has not been bound yet keeps its number.
    let number = |old: usize| match was.get(old) {
        Some(pair) if stays(pair.1) => then.iter().position(|then| then == pair),
        Some(_) => None,
        None => Some(old),
    };
    let mut moved = Vec::new();
    for setting in now {
        let text = names.text(setting.key);
        let port = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('.'));
        let key = match port.and_then(|(old, rest)| Some((old.parse().ok()?, rest))) {
            None => setting.key,
            Some((old, rest)) => match number(old) {
                Some(new) => {
                    let text = format!("{PREFIX}{new}.{rest}");
                    names.name(&text)
                }
                None => continue,
            },
        };
        let value = Cow::Borrowed(&*setting.value);
        let place = setting.place;
        moved.push(Setting { key, value, place });
    }
    Cow::Owned(moved)
}
