// SPDX-License-Identifier: GPL-2.0

//! What options have been: for those who want to know what a change would do, and for the log.

use crate::{
    secret::is_secret,
    told::{brief, How, Told},
};
use lana_netlink::{Connection, Fb, Type};
use std::collections::{HashMap, HashSet};

/// What the kernel is asked for.
pub trait Source {
    /// A block by name, if there is one.
    fn block(&mut self, name: &str) -> Option<Fb>;
    /// The types of block.
    fn types(&mut self) -> Vec<Type>;
}

impl Source for Connection {
    fn block(&mut self, name: &str) -> Option<Fb> {
        self.fb(name).ok()
    }

    fn types(&mut self) -> Vec<Type> {
        self.types().map_or_else(|_| Vec::new(), |dump| dump.items)
    }
}

/// The values of options, each asked for once.
#[derive(Debug, Default)]
pub struct Values {
    blocks: HashMap<String, Option<Fb>>,
    types: Option<Vec<Type>>,
    /// What options have become since.
    set: HashMap<(String, String), String>,
    /// Blocks of which nothing is known any more: they are new, or have changed places.
    strange: HashSet<String>,
}

impl Values {
    /// Knows the blocks as they are, and nothing of others.
    pub fn of(blocks: impl IntoIterator<Item = Fb>) -> Self {
        let named = |fb: Fb| Some((fb.name.clone()?, Some(fb)));
        Values {
            blocks: blocks.into_iter().filter_map(named).collect(),
            ..Values::default()
        }
    }

    /// An option of a block, in a few words; `none` where it has no value. Nothing if that is not known.
    fn get(&mut self, source: &mut impl Source, name: &str, key: &str) -> Option<String> {
        let known = self.set.get(&(name.to_owned(), key.to_owned()));
        if known.is_some() || self.strange.contains(name) {
            return known.cloned();
        }
        let block = self.blocks.entry(name.to_owned());
        let block = block.or_insert_with(|| source.block(name)).as_ref()?;
        let option = |key: &str| {
            let mut options = block.option.iter();
            options.find(|option| option.key.as_deref() == Some(key))
        };
        match option(key) {
            Some(option) => match (&option.value, option.size) {
                (None, Some(size)) => Some(format!("({size} bytes)")),
                (value, _) => Some(shown(key, value.as_deref().unwrap_or_default())),
            },
            None => self.initial(source, name, key),
        }
    }

    /// What an option of a new block is, in a few words.
    fn initial(&mut self, source: &mut impl Source, name: &str, key: &str) -> Option<String> {
        let default = self.declared_as(source, name, key)?;
        Some(shown(key, &default))
    }

    /// An option of a block to which nobody has given a value, in full.
    pub fn unset(&mut self, source: &mut impl Source, name: &str, key: &str) -> Option<String> {
        // The numbers of ports may be others after the change; what has a number is as declared.
        if declared(key) == key {
            let block = self.blocks.entry(name.to_owned());
            let block = block.or_insert_with(|| source.block(name)).as_ref()?;
            let mut options = block.option.iter();
            let option = options.find(|option| option.key.as_deref() == Some(key));
            if let Some(value) = option.and_then(|option| option.value.clone()) {
                return Some(value);
            }
        }
        self.declared_as(source, name, key)
    }

    /// What an option of a new block is, in full.
    pub fn declared_as(
        &mut self,
        source: &mut impl Source,
        name: &str,
        key: &str,
    ) -> Option<String> {
        let block = self.blocks.entry(name.to_owned());
        block.or_insert_with(|| source.block(name));
        let kind = self.blocks.get(name)?.as_ref()?.r#type.as_deref()?;
        let types = self.types.get_or_insert_with(|| source.types());
        let mut types = types.iter();
        let kind = types.find(|other| other.name.as_deref() == Some(kind))?;
        let declared = declared(key);
        let mut options = kind.option.iter();
        let option = options.find(|option| option.key.as_deref() == Some(&declared))?;
        Some(option.default.clone().unwrap_or_default())
    }

    /// An option was set: what it was, and what it is now. The block may be one that was not known.
    pub fn now(
        &mut self,
        source: &mut impl Source,
        name: &str,
        key: &str,
    ) -> Option<(String, String)> {
        if is_secret(key) {
            return None;
        }
        let old = self.get(source, name, key);
        self.set.remove(&(name.to_owned(), key.to_owned()));
        self.blocks.remove(name);
        let new = self.get(source, name, key)?;
        Some((old?, new))
    }

    /// A block of this name is another one now.
    pub fn forget(&mut self, name: &str) {
        self.blocks.remove(name);
        self.set.retain(|(block, _), _| block != name);
    }
}

/// Tells of each option that is set what it has been. No change was made yet.
pub(crate) fn tell(source: &mut impl Source, changes: &mut [Told]) {
    let mut values = Values::default();
    for told in changes {
        let is_set = told.item == "option" && told.change == How::Change;
        let (Some(name), Some(value)) = (told.names.first().filter(|_| is_set), &told.value) else {
            if matches!(&*told.item, "block" | "device" | "place") {
                values.strange.extend(told.names.iter().cloned());
                values
                    .set
                    .retain(|(block, _), _| !told.names.contains(block));
            }
            continue;
        };
        let key = told.more.clone();
        if is_secret(&key) {
            continue;
        }
        let place = (name.clone(), key.clone());
        told.old = values.get(source, name, &key);
        if value.is_empty() {
            // It goes back to what a new block has.
            told.value = values.initial(source, name, &key).or(told.value.take());
        }
        let value = told.value.clone().unwrap_or_default();
        values.set.insert(place, value);
    }
}

/// A value as it is told: in a few words, `none` where there is none.
#[must_use]
pub fn shown(key: &str, value: &str) -> String {
    match brief(key, value) {
        none if none.is_empty() => "none".to_owned(),
        text => text,
    }
}

/// The name by which a type declares an option: `port.N.weight` is that of `port.0.weight`.
fn declared(key: &str) -> String {
    let part = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "N" } else { part }.to_owned()
    };
    key.split('.').map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::told;
    use lana_netlink::{
        spec::{OptionAttrs, TypeOptionAttrs},
        Op,
    };

    /// A kernel with a block that has a weight.
    struct Kernel {
        weight: Option<&'static str>,
        asked: usize,
    }

    impl Source for Kernel {
        fn block(&mut self, name: &str) -> Option<Fb> {
            self.asked += 1;
            let option = |key: &str, value: &str| OptionAttrs {
                key: Some(key.into()),
                value: Some(value.into()),
                ..Default::default()
            };
            let weight = self.weight.map(|weight| option("port.0.weight", weight));
            (name == "m").then(|| Fb {
                name: Some("m".into()),
                r#type: Some("multipath".into()),
                option: weight
                    .into_iter()
                    .chain([option("answered", "7")])
                    .collect(),
                ..Default::default()
            })
        }

        fn types(&mut self) -> Vec<Type> {
            let option = |key: &str, default: &str| TypeOptionAttrs {
                key: Some(key.into()),
                default: Some(default.into()),
                ..Default::default()
            };
            vec![Type {
                name: Some("multipath".into()),
                option: vec![option("port.N.weight", "1"), option("port.N.via", "")],
                ..Default::default()
            }]
        }
    }

    fn set<'a>(name: &'a str, key: &'a str, value: &'a str) -> Op<'a> {
        let value = value.into();
        Op::FbSet { name, key, value }
    }

    fn texts(kernel: &mut Kernel, ops: &[Op<'_>]) -> Vec<String> {
        let mut all: Vec<_> = ops.iter().map(told).collect();
        tell(kernel, &mut all);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn old_values_are_told() {
        let mut kernel = Kernel {
            weight: Some("2"),
            asked: 0,
        };
        let ops = [
            set("m", "port.0.weight", "3"),
            set("m", "port.0.weight", ""),
            set("m", "port.0.via", "192.0.2.1"),
            set("m", "port.1.weight", "4"),
            set("m", "unknown", "x"),
            set("m", "rx.key", "1:00ff"),
            set("other", "port.0.weight", "5"),
        ];
        let expected = [
            "~ option m port.0.weight: 2 -> 3",
            "~ option m port.0.weight: 3 -> 1",
            "~ option m port.0.via: none -> 192.0.2.1",
            "~ option m port.1.weight: 1 -> 4",
            "~ option m unknown=x",
            "~ option m rx.key=secret",
            "~ option other port.0.weight=5",
        ];
        assert_eq!(texts(&mut kernel, &ops), expected);
        assert_eq!(kernel.asked, 2);
    }

    #[test]
    fn what_nobody_has_set_is_as_declared() {
        let mut kernel = Kernel {
            weight: Some("2"),
            asked: 0,
        };
        let mut values = Values::default();
        let mut unset = |name, key| values.unset(&mut kernel, name, key);
        // What port 0 has now, another port may have then.
        assert_eq!(unset("m", "port.0.weight").as_deref(), Some("1"));
        assert_eq!(unset("m", "port.3.via").as_deref(), Some(""));
        assert_eq!(unset("m", "answered").as_deref(), Some("7"));
        assert_eq!(unset("m", "unknown"), None);
        assert_eq!(unset("nobody", "port.0.weight"), None);
        assert_eq!(kernel.asked, 2);
    }

    #[test]
    fn a_block_that_is_new_has_been_nothing() {
        let mut kernel = Kernel {
            weight: Some("2"),
            asked: 0,
        };
        let ops = [
            Op::FbDel { name: "m" },
            Op::FbNew {
                name: "m",
                kind: "multipath",
            },
            set("m", "port.0.weight", "3"),
            set("m", "port.0.weight", "4"),
        ];
        let expected = [
            "- block m",
            "+ block m multipath",
            "~ option m port.0.weight=3",
            "~ option m port.0.weight: 3 -> 4",
        ];
        assert_eq!(texts(&mut kernel, &ops), expected);
    }

    #[test]
    fn events_tell_what_has_changed() {
        let mut kernel = Kernel {
            weight: Some("2"),
            asked: 0,
        };
        let mut values = Values::of(kernel.block("m"));
        let mut now = |weight, key: &str| {
            kernel.weight = weight;
            values.now(&mut kernel, "m", key)
        };
        let pair = |old: &str, new: &str| Some((old.to_owned(), new.to_owned()));
        assert_eq!(now(Some("7"), "port.0.weight"), pair("2", "7"));
        assert_eq!(now(None, "port.0.weight"), pair("7", "1"));
        assert_eq!(now(None, "unknown"), None);
        assert_eq!(now(None, "rx.key"), None);
        values.forget("m");
        assert!(values.blocks.is_empty());
    }
}
