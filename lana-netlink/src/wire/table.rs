// SPDX-License-Identifier: GPL-2.0

//! The names of attributes, for messages about them.

use super::read::positions;

/// One attribute of a set.
#[derive(Debug)]
pub struct Attr {
    /// Its number in the set.
    pub number: u16,
    /// Its name in the specification.
    pub name: &'static str,
    /// The set that is nested in it.
    pub nest: Option<&'static AttrSet>,
}

/// A set of attributes.
#[derive(Debug)]
pub struct AttrSet {
    /// Its name in the specification.
    pub name: &'static str,
    /// What is in it.
    pub attrs: &'static [Attr],
}

impl AttrSet {
    /// The attribute of a number.
    pub fn get(&self, number: u16) -> Option<&'static Attr> {
        self.attrs.iter().find(|attr| attr.number == number)
    }

    /// Name of the attribute of a number; the number itself where it has none.
    pub fn attr_name(&self, number: u16) -> String {
        self.get(number)
            .map_or_else(|| format!("#{number}"), |attr| attr.name.to_owned())
    }

    /// Which attribute lies at `offset` in `bytes`: its path (`option.value`) and the set nested in
    /// it. `base` is the offset of the first byte.
    pub fn resolve(
        &self,
        bytes: &[u8],
        base: usize,
        offset: usize,
    ) -> Option<(String, Option<&'static AttrSet>)> {
        for (at, number, value) in positions(bytes) {
            let start = base + at;
            let inner = start + 4;
            let nest = self.get(number).and_then(|attr| attr.nest);
            if offset == start {
                return Some((self.attr_name(number), nest));
            }
            if offset >= inner && offset < inner + value.len() {
                let name = self.attr_name(number);
                let found = nest.and_then(|nest| nest.resolve(value, inner, offset));
                return Some(match found {
                    Some((path, nest)) => (format!("{name}.{path}"), nest),
                    None => (name, nest),
                });
            }
        }
        None
    }
}
