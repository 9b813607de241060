// SPDX-License-Identifier: GPL-2.0

//! `fbctl types`: what blocks can be made of.

use anyhow::Result;
use lana_cli::{Column, Session, Table};
use lana_netlink::{Connection, Type};

pub(crate) fn run(session: &mut Session) -> Result<()> {
    let types = session.all(Connection::types)?;
    if session.out.is_json() {
        return session.out.json(&types);
    }
    session.out.table(&table(&types))
}

fn table(types: &[Type]) -> Table {
    let mut table = Table::new([
        Column::Left("NAME"),
        Column::Left("MODE"),
        Column::Right("BLOCKS"),
        Column::Right("UP"),
        Column::Right("DOWN"),
        Column::Left("MODULE"),
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
        let expected = "\
NAME      MODE  BLOCKS  UP  DOWN  MODULE  MADE BY
tee       dual      12   8     1  fb_tee  fbctl add
eth       dual      12   8     1  -       vlink ethernet hook
ethvlink  dual      12   8     1  -       vlink ethernet add
";
        assert_eq!(table(&[tee, eth, ethvlink]).render(false), expected);
    }
}
