// SPDX-License-Identifier: GPL-2.0

//! `fbctl types`: what blocks can be made of, and what can be set.

use crate::installed::installed;
use anyhow::Result;
use lana_cli::{tip, usage, Column, Line, Session, Table};
use lana_netlink::{spec::TypeOptionAttrs, Connection, Type};

/// The columns that a narrow terminal leaves out, the first ones first.
const LEAST: [&str; 2] = ["MODULE", "BLOCKS"];

pub(crate) fn run(session: &mut Session, name: Option<&str>) -> Result<()> {
    let mut types = all(session)?;
    if let Some(name) = name {
        let known: Vec<_> = types.iter().filter_map(|kind| kind.name.clone()).collect();
        types.retain(|kind| kind.name.as_deref() == Some(name));
        if types.is_empty() {
            return Err(unknown(name, &known));
        }
    }
    if session.out.is_json() {
        return session.out.json(&types);
    }
    session.out.table_without(table(&types), &LEAST)?;
    let [kind] = types.as_slice() else {
        return Ok(());
    };
    if name.is_none() {
        return Ok(());
    }
    session.out.line("")?;
    match kind.module.as_deref() {
        Some(module) if !is_loaded(kind) => {
            let text = format!(
                "its options are in `man lana-{}`, and here when it is loaded: modprobe {module}",
                kind.name.as_deref().unwrap_or_default()
            );
            session.out.folded(&Line::of(&text), 0)
        }
        _ if kind.option.is_empty() => session.out.line("it has no options"),
        _ => session.out.table(&options(&kind.option)),
    }
}

/// The types that are loaded, and then those that are only installed.
pub(crate) fn all(session: &mut Session) -> Result<Vec<Type>> {
    let mut types = session.all(Connection::types)?;
    for kind in installed() {
        if types.iter().all(|other| other.name != kind.name) {
            types.push(kind);
        }
    }
    Ok(types)
}

/// There is no type of this name.
pub(crate) fn unknown(name: &str, known: &[String]) -> anyhow::Error {
    let tip = tip("type", name, known.iter().map(String::as_str));
    usage(format!("unknown type '{name}'{tip}"))
}

fn is_loaded(kind: &Type) -> bool {
    kind.mode.is_some()
}

fn table(types: &[Type]) -> Table {
    let mut table = Table::new([
        Column::Left("NAME"),
        Column::Left("MODE"),
        Column::Right("BLOCKS"),
        Column::Right("UP"),
        Column::Right("DOWN"),
        Column::Left("MODULE"),
        Column::Left("LOADED"),
        Column::Left("MADE BY"),
    ]);
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    for kind in types {
        table.row([
            kind.name.clone().unwrap_or_default(),
            kind.mode.map(|mode| mode.to_string()).unwrap_or_default(),
            number(kind.instances),
            number(kind.ingress_ports),
            number(kind.egress_ports),
            kind.module.clone().unwrap_or_default(),
            if is_loaded(kind) { "yes" } else { "no" }.to_owned(),
            match (&kind.vlink, kind.r#virtual) {
                (Some(subsystem), None) => format!("vlink {subsystem} hook"),
                (Some(subsystem), Some(_)) => format!("vlink {subsystem} add"),
                (None, _) if kind.socket.is_some() => "socket".to_owned(),
                (None, _) => "fbctl add".to_owned(),
            },
        ]);
    }
    table
}

fn options(options: &[TypeOptionAttrs]) -> Table {
    let mut table = Table::new([
        Column::Left("OPTION"),
        Column::Left("DEFAULT"),
        Column::Left("VALUES"),
        Column::Left("WHAT IT DOES"),
    ]);
    for option in options {
        let values = match (option.lowest, option.highest, &option.form) {
            (Some(min), Some(u64::MAX), _) => format!("{min} or more"),
            (Some(min), Some(max), _) => format!("{min} to {max}"),
            (.., Some(form)) => form.clone(),
            _ => option.word.join(", "),
        };
        table.row([
            option.key.clone().unwrap_or_default(),
            option.default.clone().unwrap_or_default(),
            values,
            option.doc.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::{
        spec::Mode,
        wire::{Flag, Value},
    };

    #[test]
    fn table_of_types() {
        let tee = Type {
            name: Some("tee".into()),
            mode: Some(Value::Known(Mode::Dual)),
            module: Some("fb_tee".into()),
            instances: Some(12),
            ingress_ports: Some(8),
            egress_ports: Some(1),
            vlink: None,
            ..Default::default()
        };
        let eth = Type {
            name: Some("eth".into()),
            module: None,
            vlink: Some("ethernet".into()),
            ..tee.clone()
        };
        let ethvlink = Type {
            name: Some("ethvlink".into()),
            r#virtual: Some(Flag),
            ..eth.clone()
        };
        let bpf = Type {
            name: Some("bpf".into()),
            module: Some("fb_bpf".into()),
            ..Default::default()
        };
        let expected = "\
NAME      MODE  BLOCKS  UP  DOWN  MODULE  LOADED  MADE BY
tee       dual      12   8     1  fb_tee  yes     fbctl add
eth       dual      12   8     1  -       yes     vlink ethernet hook
ethvlink  dual      12   8     1  -       yes     vlink ethernet add
bpf       -          -   -     -  fb_bpf  no      fbctl add
";
        assert_eq!(table(&[tee, eth, ethvlink, bpf]).render(false), expected);
    }

    #[test]
    fn table_of_options() {
        let word = TypeOptionAttrs {
            key: Some("batch".into()),
            word: vec!["on".into(), "off".into()],
            default: Some("off".into()),
            doc: Some("All at once".into()),
            ..Default::default()
        };
        let range = TypeOptionAttrs {
            key: Some("gap".into()),
            lowest: Some(1),
            highest: Some(60),
            default: Some(String::new()),
            ..Default::default()
        };
        let expected = "\
OPTION  DEFAULT  VALUES   WHAT IT DOES
batch   off      on, off  All at once
gap     -        1 to 60  -
";
        assert_eq!(options(&[word, range]).render(false), expected);
    }
}
