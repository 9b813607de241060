// SPDX-License-Identifier: GPL-2.0

//! The vlink layer: subsystems that connect devices to the graph. A subsystem is a type of block
//! that names one ([`Block::VLINK`](crate::block::Block::VLINK)); the core hooks the devices.

use crate::{
    builder,
    error::Failure,
    fail,
    graph::Graph,
    name::Shown,
    sys::{
        bindings,
        netdev::{Device, Rtnl},
    },
};
use kernel::prelude::*;

fn find(rtnl: &Rtnl, graph: &Graph, ifname: &[u8]) -> Result<Device, Failure> {
    Device::find(rtnl, graph, ifname).ok_or_else(|| {
        fail!(ENODEV, "no device '{}' in this namespace", Shown(ifname))
            .at(bindings::LANA_A_VLINK_IFNAME)
    })
}

/// Connects a device to the graph. Sleeps.
pub(crate) fn hook(graph: &Graph, subsystem: &[u8], ifname: &[u8]) -> Result<(), Failure> {
    let (kind, subsystem) = builder::find_vlink(subsystem)?;
    let rtnl = Rtnl::lock();
    let device = find(&rtnl, graph, ifname)?;
    graph.hook(&rtnl, device, kind, subsystem)
}

/// Gives a device back. Sleeps.
pub(crate) fn unhook(graph: &Graph, subsystem: &[u8], ifname: &[u8]) -> Result<(), Failure> {
    let rtnl = Rtnl::lock();
    let device = find(&rtnl, graph, ifname)?;
    graph.unhook(&rtnl, &device, subsystem)
}

/// A hooked device is going. Sleeps.
pub(crate) fn device_gone(rtnl: &Rtnl, graph: &Graph, index: u32) {
    graph.device_gone(rtnl, index);
}
