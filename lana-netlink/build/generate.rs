// SPDX-License-Identifier: GPL-2.0

//! Writes the Rust side of the wire. The code it writes leans on `src/wire.rs`.

use crate::{
    attributes::attribute_set,
    model::{AttributeSet, Definition, Entry, Enum, Numbered, Spec},
};
use anyhow::{Context, Result};
use std::{collections::BTreeMap, fmt::Write};

/// Numbers and what the C header calls them.
pub(crate) type Numbers = Vec<(String, u64)>;

pub(crate) fn generate(spec: &Spec) -> Result<String> {
    let mut out = String::from("// Generated from the specification; edit that.\n\n");
    let mut numbers = Numbers::new();
    writeln!(out, "use crate::wire;\n")?;
    writeln!(
        out,
        "/// Name of the family.\npub const FAMILY: &str = {:?};",
        spec.name
    )?;
    writeln!(
        out,
        "/// Version of the family.\npub const VERSION: u8 = {};",
        spec.version
    )?;
    for group in &spec.mcast_groups.list {
        let (constant, name) = (shout(&group.name), &group.name);
        writeln!(out, "/// Name of the multicast group.")?;
        writeln!(out, "pub const GROUP_{constant}: &str = {name:?};")?;
    }
    for definition in &spec.definitions {
        match definition {
            Definition::Const(item) => {
                doc(&mut out, 0, item.doc.as_deref(), &item.name)?;
                writeln!(
                    out,
                    "pub const {}: usize = {};",
                    shout(&item.name),
                    grouped(&item.value.to_string())
                )?;
                numbers.push((spec.c_const(item), item.value));
            }
            Definition::Enum(item) => {
                enumeration(&mut out, item, &spec.entries(item), &mut numbers)?;
            }
            Definition::Flags(item) => {
                enumeration(&mut out, item, &spec.flags(item), &mut numbers)?;
            }
        }
    }
    let whole = |set: &&AttributeSet| set.subset_of.is_none();
    for set in spec.attribute_sets.iter().filter(whole) {
        attribute_set(&mut out, spec, set, &mut numbers)
            .with_context(|| format!("attribute set {}", set.name))?;
    }
    commands(&mut out, spec, &mut numbers)?;
    writeln!(
        out,
        "/// What the C header calls the numbers, for comparison.\n#[cfg(test)]"
    )?;
    let reason = "numbers are written as the specification has them";
    writeln!(
        out,
        "#[expect(clippy::unreadable_literal, reason = {reason:?})]"
    )?;
    writeln!(out, "const NUMBERS: &[(&str, u64)] = &{numbers:?};")?;
    Ok(out)
}

fn enumeration(
    out: &mut String,
    item: &Enum,
    entries: &[Numbered<'_, Entry>],
    numbers: &mut Numbers,
) -> Result<()> {
    let name = pascal(&item.name);
    doc(out, 0, item.doc.as_deref(), &item.name)?;
    writeln!(
        out,
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]"
    )?;
    writeln!(out, "pub enum {name} {{")?;
    for entry in entries {
        doc(out, 1, entry.item.doc(), entry.item.name())?;
        writeln!(out, "    {} = {},", pascal(entry.item.name()), entry.value)?;
        numbers.push((entry.c_name.clone(), u64::from(entry.value)));
    }
    writeln!(out, "}}\nimpl {name} {{\n    /// All of them, by number.")?;
    let all: Vec<_> = entries
        .iter()
        .map(|e| format!("Self::{}", pascal(e.item.name())))
        .collect();
    writeln!(
        out,
        "    pub const ALL: &'static [Self] = &[{}];",
        all.join(", ")
    )?;
    let items = || entries.iter().map(|entry| entry.item);
    strings(
        out,
        "Its name in the specification.",
        "name",
        items(),
        Entry::name,
    )?;
    strings(out, "What it stands for.", "doc", items(), |e| {
        e.doc().unwrap_or_default()
    })?;
    writeln!(
        out,
        "}}\nimpl TryFrom<u32> for {name} {{\n    type Error = wire::UnknownValue;"
    )?;
    writeln!(
        out,
        "    fn try_from(value: u32) -> Result<Self, Self::Error> {{"
    )?;
    writeln!(out, "        match value {{")?;
    for entry in entries {
        let variant = pascal(entry.item.name());
        writeln!(out, "            {} => Ok(Self::{variant}),", entry.value)?;
    }
    writeln!(
        out,
        "            _ => Err(wire::UnknownValue(value)),\n        }}\n    }}\n}}"
    )?;
    writeln!(out, "impl From<{name}> for u32 {{")?;
    writeln!(
        out,
        "    fn from(value: {name}) -> u32 {{\n        value as u32\n    }}\n}}"
    )?;
    writeln!(out, "impl ::core::fmt::Display for {name} {{")?;
    writeln!(
        out,
        "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{"
    )?;
    writeln!(out, "        f.pad(self.name())\n    }}\n}}")?;
    Ok(())
}

/// A method that gives each entry its own string.
fn strings<'a>(
    out: &mut String,
    about: &str,
    method: &str,
    entries: impl Iterator<Item = &'a Entry>,
    text: impl Fn(&'a Entry) -> &'a str,
) -> Result<()> {
    writeln!(
        out,
        "    /// {about}\n    pub const fn {method}(self) -> &'static str {{"
    )?;
    writeln!(out, "        match self {{")?;
    for entry in entries {
        writeln!(
            out,
            "            Self::{} => {:?},",
            pascal(entry.name()),
            text(entry)
        )?;
    }
    writeln!(out, "        }}\n    }}")?;
    Ok(())
}

fn commands(out: &mut String, spec: &Spec, numbers: &mut Numbers) -> Result<()> {
    let mut names = String::new();
    let mut by_set = BTreeMap::<&str, Vec<String>>::new();
    writeln!(
        out,
        "/// The operations.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]"
    )?;
    writeln!(out, "#[repr(u8)]\npub enum Command {{")?;
    for c in &spec.commands()? {
        let (name, set) = (&c.item.name, c.item.attribute_set.as_deref());
        let set = set.with_context(|| format!("operation {name}: which attribute set?"))?;
        let variant = pascal(name);
        doc(out, 1, c.item.doc.as_deref(), name)?;
        writeln!(out, "    {variant} = {},", c.value)?;
        writeln!(names, "            Self::{variant} => {name:?},")?;
        by_set
            .entry(set)
            .or_default()
            .push(format!("Self::{variant}"));
        numbers.push((c.c_name.clone(), u64::from(c.value)));
    }
    writeln!(
        out,
        "}}\nimpl Command {{\n    /// Its name in the specification."
    )?;
    writeln!(out, "    pub const fn name(self) -> &'static str {{")?;
    writeln!(out, "        match self {{\n{names}        }}\n    }}")?;
    writeln!(out, "    /// The attributes it takes and answers with.")?;
    writeln!(
        out,
        "    pub const fn attribute_set(self) -> &'static wire::AttrSet {{"
    )?;
    writeln!(out, "        match self {{")?;
    for (set, variants) in by_set {
        writeln!(
            out,
            "            {} => &{},",
            variants.join(" | "),
            shout(set)
        )?;
    }
    writeln!(out, "        }}\n    }}\n}}")?;
    Ok(())
}

/// A doc comment; without a text, the name.
pub(crate) fn doc(out: &mut String, depth: usize, text: Option<&str>, name: &str) -> Result<()> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.map_or_else(|| format!("`{name}`"), words);
    writeln!(out, "{}#[doc = {text:?}]", "    ".repeat(depth))?;
    Ok(())
}

/// The digits of a number, in groups of three.
fn grouped(digits: &str) -> String {
    let group = |(index, digit): (usize, char)| {
        let separator = index > 0 && (digits.len() - index) % 3 == 0;
        separator.then_some('_').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

/// The name of a constant.
pub(crate) fn shout(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

/// The name of a type.
pub(crate) fn pascal(name: &str) -> String {
    let mut out = String::new();
    let mut capital = true;
    for c in name.chars() {
        match c {
            '-' | '_' => capital = true,
            c if capital => {
                out.extend(c.to_uppercase());
                capital = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// The name of a field or module, raw where it is a keyword.
pub(crate) fn ident(name: &str) -> String {
    let name = name.replace('-', "_");
    let keywords = [
        "enum", "fn", "in", "loop", "match", "mod", "move", "ref", "type", "use", "virtual",
        "where",
    ];
    if keywords.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}
