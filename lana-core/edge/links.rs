// SPDX-License-Identifier: GPL-2.0

//! Virtual devices that other tools make, by a kind of link: `ip link add type lana`.

use crate::{
    base::error::Failure,
    graph::{block::Maker, change::Change, types, Graph},
    sys::{
        netdev::{Device, Rtnl},
        vdev::{self, Id, NewLink, Unregistered},
    },
};
use kernel::prelude::*;

/// Makes the block of a device along with it.
struct Links;

impl NewLink for Links {
    type Graph = Graph;

    fn new_link(
        graph: &Graph,
        rtnl: Rtnl,
        device: Unregistered,
        carrier: Device,
        id: Option<Id>,
    ) -> Result<(), Failure> {
        let kind = types::loaded(|by| matches!(by, Maker::VirtualDevice(_)));
        let kind = kind.ok_or(ENODEV)?;
        let mut change = Change::new(graph, Some(rtnl));
        change.add_virtual(device, carrier, id, None, kind)?;
        change.commit()
    }
}

vdev::links!(Links);
