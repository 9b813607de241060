// SPDX-License-Identifier: GPL-2.0

//! What we read of a netlink specification. Its format is described in the kernel's
//! `Documentation/userspace-api/netlink/specs.rst`; what the tools have no use for is skipped.

use anyhow::{bail, ensure, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Spec {
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) version: u8,
    #[serde(default)]
    pub(crate) definitions: Vec<Definition>,
    pub(crate) attribute_sets: Vec<AttributeSet>,
    pub(crate) operations: Operations,
    #[serde(default)]
    pub(crate) mcast_groups: McastGroups,
}

fn one() -> u8 {
    1
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Definition {
    Const(Const),
    Enum(Enum),
    /// An enum whose entries are bits.
    Flags(Enum),
}

#[derive(Deserialize)]
pub(crate) struct Const {
    pub(crate) name: String,
    pub(crate) value: u64,
    pub(crate) doc: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Enum {
    pub(crate) name: String,
    name_prefix: Option<String>,
    #[serde(default)]
    value_start: u32,
    pub(crate) doc: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    Name(String),
    Full {
        name: String,
        value: Option<u32>,
        doc: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AttributeSet {
    pub(crate) name: String,
    /// It has no numbers of its own: it lists which attributes of another set belong in a place.
    pub(crate) subset_of: Option<String>,
    name_prefix: Option<String>,
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attribute {
    pub(crate) name: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    value: Option<u16>,
    pub(crate) doc: Option<String>,
    #[serde(rename = "enum")]
    pub(crate) enumeration: Option<String>,
    /// It has any number of the entries, which are bits.
    #[serde(default)]
    pub(crate) enum_as_flags: bool,
    pub(crate) nested_attributes: Option<String>,
    #[serde(default)]
    pub(crate) multi_attr: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Operations {
    enum_model: Option<String>,
    name_prefix: Option<String>,
    list: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Operation {
    pub(crate) name: String,
    value: Option<u8>,
    pub(crate) doc: Option<String>,
    pub(crate) attribute_set: Option<String>,
}

#[derive(Deserialize, Default)]
pub(crate) struct McastGroups {
    pub(crate) list: Vec<McastGroup>,
}

#[derive(Deserialize)]
pub(crate) struct McastGroup {
    pub(crate) name: String,
}

/// Something with a number, as the C header names it too.
pub(crate) struct Numbered<'a, T> {
    pub(crate) item: &'a T,
    pub(crate) value: u32,
    pub(crate) c_name: String,
}

fn c_name(prefix: &str, name: &str) -> String {
    format!("{prefix}{name}").replace('-', "_").to_uppercase()
}

impl Spec {
    pub(crate) fn c_const(&self, item: &Const) -> String {
        c_name(&format!("{}-", self.name), &item.name)
    }

    /// The set of that name or, of a subset, the whole set.
    pub(crate) fn whole_set(&self, name: &str) -> Result<&str> {
        match self.attribute_sets.iter().find(|set| set.name == name) {
            Some(set) => Ok(set.subset_of.as_ref().unwrap_or(&set.name)),
            None => bail!("no attribute set {name}"),
        }
    }

    /// The entries of an enum with their numbers, which start at `value-start`, else at 0.
    pub(crate) fn entries<'a>(&self, item: &'a Enum) -> Vec<Numbered<'a, Entry>> {
        let prefix = item.name_prefix.clone();
        let prefix = prefix.unwrap_or_else(|| format!("{}-{}-", self.name, item.name));
        let mut next = item.value_start;
        let number = |item: &'a Entry| {
            let value = item.value().unwrap_or(next);
            next = value + 1;
            let c_name = c_name(&prefix, item.name());
            Numbered {
                item,
                value,
                c_name,
            }
        };
        item.entries.iter().map(number).collect()
    }

    /// The entries of a set of flags with their bits.
    pub(crate) fn flags<'a>(&self, item: &'a Enum) -> Vec<Numbered<'a, Entry>> {
        let mut entries = self.entries(item);
        for entry in &mut entries {
            entry.value = 1 << entry.value;
        }
        entries
    }

    /// The attributes of a set with their numbers, which start at 1.
    pub(crate) fn attributes<'a>(&self, set: &'a AttributeSet) -> Vec<Numbered<'a, Attribute>> {
        let prefix = set
            .name_prefix
            .clone()
            .unwrap_or_else(|| format!("{}-a-{}-", self.name, set.name));
        let mut next = 1;
        let number = |item: &'a Attribute| {
            let value = item.value.unwrap_or(next);
            next = value + 1;
            Numbered {
                item,
                value: value.into(),
                c_name: c_name(&prefix, &item.name),
            }
        };
        set.attributes.iter().map(number).collect()
    }

    /// The operations with their command numbers, which start at 1; notifications take one too.
    pub(crate) fn commands<'a>(&'a self) -> Result<Vec<Numbered<'a, Operation>>> {
        let model = self.operations.enum_model.as_deref().unwrap_or("unified");
        ensure!(
            model == "unified",
            "operations: enum-model {model} is not supported"
        );
        let prefix = self
            .operations
            .name_prefix
            .clone()
            .unwrap_or_else(|| format!("{}-cmd-", self.name));
        let mut next = 1;
        let number = |item: &'a Operation| {
            let value = item.value.unwrap_or(next);
            next = value + 1;
            Numbered {
                item,
                value: value.into(),
                c_name: c_name(&prefix, &item.name),
            }
        };
        Ok(self.operations.list.iter().map(number).collect())
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        let (Entry::Name(name) | Entry::Full { name, .. }) = self;
        name
    }

    pub(crate) fn doc(&self) -> Option<&str> {
        match self {
            Entry::Name(_) => None,
            Entry::Full { doc, .. } => doc.as_deref(),
        }
    }

    fn value(&self) -> Option<u32> {
        match self {
            Entry::Name(_) => None,
            Entry::Full { value, .. } => *value,
        }
    }
}

impl Attribute {
    /// The set nested in this attribute, if it is a nest.
    pub(crate) fn nest(&self) -> Result<Option<&str>> {
        match (self.kind.as_str(), &self.nested_attributes) {
            ("nest", Some(set)) => Ok(Some(set)),
            ("nest", None) => bail!("{}: a nest of what?", self.name),
            _ => Ok(None),
        }
    }
}
