// SPDX-License-Identifier: GPL-2.0

//! Writes what each set of attributes becomes: a module of numbers, a table of names, and a struct
//! that reads and writes itself.

use crate::{
    generate::{doc, ident, pascal, shout, Numbers},
    model::{Attribute, AttributeSet, Numbered, Spec},
};
use anyhow::{bail, Result};
use std::fmt::Write;

type Attributes<'a> = [Numbered<'a, Attribute>];

pub(crate) fn attribute_set(
    out: &mut String,
    spec: &Spec,
    set: &AttributeSet,
    numbers: &mut Numbers,
) -> Result<()> {
    let attributes = spec.attributes(set);
    constants(out, set, &attributes, numbers)?;
    table(out, spec, set, &attributes)?;
    structure(out, spec, set, &attributes)?;
    codec(out, set, &attributes)
}

fn constants(
    out: &mut String,
    set: &AttributeSet,
    attributes: &Attributes<'_>,
    numbers: &mut Numbers,
) -> Result<()> {
    writeln!(
        out,
        "/// Numbers of the attributes of the set `{}`.",
        set.name
    )?;
    writeln!(out, "pub mod {} {{", ident(&set.name))?;
    for a in attributes {
        doc(out, 1, a.item.doc.as_deref(), &a.item.name)?;
        writeln!(
            out,
            "    pub const {}: u16 = {};",
            shout(&a.item.name),
            a.value
        )?;
        numbers.push((a.c_name.clone(), u64::from(a.value)));
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn table(
    out: &mut String,
    spec: &Spec,
    set: &AttributeSet,
    attributes: &Attributes<'_>,
) -> Result<()> {
    let (constant, name) = (shout(&set.name), &set.name);
    writeln!(out, "/// The set `{name}`, for looking names up.")?;
    writeln!(
        out,
        "pub static {constant}: wire::AttrSet = wire::AttrSet {{"
    )?;
    writeln!(out, "    name: {name:?},\n    attrs: &[")?;
    for a in attributes {
        let (number, name) = (a.value, &a.item.name);
        let nest = match a.item.nest()? {
            Some(nest) => format!("Some(&{})", shout(spec.whole_set(nest)?)),
            None => "None".to_owned(),
        };
        writeln!(
            out,
            "        wire::Attr {{ number: {number}, name: {name:?}, nest: {nest} }},"
        )?;
    }
    writeln!(out, "    ],\n}};")?;
    Ok(())
}

fn structure(
    out: &mut String,
    spec: &Spec,
    set: &AttributeSet,
    attributes: &Attributes<'_>,
) -> Result<()> {
    writeln!(out, "/// The attributes of the set `{}`.", set.name)?;
    writeln!(
        out,
        "#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]"
    )?;
    writeln!(out, "pub struct {}Attrs {{", pascal(&set.name))?;
    for a in attributes {
        let (name, field) = (&a.item.name, ident(&a.item.name));
        let kind = rust_type(spec, a.item)?;
        let (wrapper, empty) = if a.item.multi_attr {
            ("::std::vec::Vec", "::std::vec::Vec::is_empty")
        } else {
            ("::core::option::Option", "::core::option::Option::is_none")
        };
        doc(out, 1, a.item.doc.as_deref(), name)?;
        writeln!(
            out,
            "    #[serde(rename = {name:?}, skip_serializing_if = {empty:?})]"
        )?;
        writeln!(out, "    pub {field}: {wrapper}<{kind}>,")?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn codec(out: &mut String, set: &AttributeSet, attributes: &Attributes<'_>) -> Result<()> {
    writeln!(
        out,
        "impl wire::Attributes for {}Attrs {{",
        pascal(&set.name)
    )?;
    writeln!(
        out,
        "    const SET: &'static wire::AttrSet = &{};",
        shout(&set.name)
    )?;
    let module = ident(&set.name);

    writeln!(
        out,
        "    fn decode(bytes: &[u8]) -> Result<Self, wire::DecodeError> {{"
    )?;
    writeln!(out, "        let mut set = Self::default();")?;
    writeln!(out, "        for attribute in wire::attributes(bytes) {{")?;
    writeln!(out, "            let (number, bytes) = attribute?;")?;
    // Numbers that are not among them are from a newer kernel.
    let (before, between) = match attributes {
        [_] => ("if number == ", " "),
        _ => ("", " => "),
    };
    if attributes.len() > 1 {
        writeln!(out, "            match number {{")?;
    }
    for a in attributes {
        let (name, field) = (&a.item.name, ident(&a.item.name));
        let constant = shout(name);
        let value = format!("wire::Field::decode(bytes).map_err(|e| e.within({name:?}))?");
        let take = if a.item.multi_attr {
            format!("set.{field}.push({value})")
        } else {
            format!("set.{field} = Some({value})")
        };
        writeln!(
            out,
            "                {before}{module}::{constant}{between}{{ {take}; }}"
        )?;
    }
    if attributes.len() > 1 {
        writeln!(out, "                _ => {{}}\n            }}")?;
    }
    writeln!(out, "        }}\n        Ok(set)\n    }}")?;

    writeln!(
        out,
        "    fn encode(&self, to: &mut wire::Writer) -> Result<(), wire::EncodeError> {{"
    )?;
    for a in attributes {
        let (name, constant) = (&a.item.name, shout(&a.item.name));
        let field = ident(name);
        let each = if a.item.multi_attr {
            "for value in"
        } else {
            "if let Some(value) ="
        };
        writeln!(out, "        {each} &self.{field} {{")?;
        writeln!(
            out,
            "            to.put({module}::{constant}, value).map_err(|e| e.within({name:?}))?;\n        }}"
        )?;
    }
    writeln!(out, "        Ok(())\n    }}\n}}")?;
    Ok(())
}

fn rust_type(spec: &Spec, attribute: &Attribute) -> Result<String> {
    if let Some(nest) = attribute.nest()? {
        return Ok(pascal(spec.whole_set(nest)?) + "Attrs");
    }
    Ok(match (attribute.kind.as_str(), &attribute.enumeration) {
        ("u32", Some(_)) if attribute.enum_as_flags => "u32".to_owned(),
        ("u32", Some(name)) => format!("wire::Value<{}>", pascal(name)),
        (kind, Some(_)) => bail!("{}: an enum in a {kind} is not supported", attribute.name),
        ("string", None) => "::std::string::String".to_owned(),
        ("flag", None) => "wire::Flag".to_owned(),
        ("binary", None) => "::std::vec::Vec<u8>".to_owned(),
        ("u8" | "u16" | "u32" | "u64", None) => attribute.kind.clone(),
        ("uint", None) => "u64".to_owned(),
        (kind, None) => bail!("{}: type {kind} is not supported", attribute.name),
    })
}
