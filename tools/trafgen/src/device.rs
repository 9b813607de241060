// SPDX-License-Identifier: GPL-2.0

//! What the kernel says about the device that sends.

use crate::{language::Host, sys::Interface};
use rustix::net::{netdevice, socket_with, AddressFamily, SocketFlags, SocketType};
use std::{net::IpAddr, os::fd::AsFd};

/// The type of devices that carry 802.11 with radiotap.
const RADIOTAP: u16 = 803;

const IFF_UP: u16 = 1;
const IFF_RUNNING: u16 = 0x40;

/// A device.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether its link is: a cable, or the other end of a veth.
    pub carrier: bool,
    /// Whether it is in monitor mode: frames are those of 802.11.
    pub radio: bool,
    /// The most bytes behind a header of Ethernet.
    pub mtu: usize,
    /// Its addresses.
    pub host: Host,
}

impl Device {
    /// The device of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .ok()?;
        let interface = Interface::named(socket.as_fd(), name).ok()?;
        let index = netdevice::name_to_index(&socket, name).ok()?;
        let (mut ip4, mut ip6) = (None, None);
        for address in if_addrs::get_if_addrs().unwrap_or_default() {
            match address.ip() {
                _ if address.name != name => {}
                IpAddr::V4(ip) => _ = ip4.get_or_insert(ip.octets()),
                IpAddr::V6(ip) => _ = ip6.get_or_insert(ip.octets()),
            }
        }
        Some(Device {
            name: name.to_owned(),
            index,
            up: interface.flags & IFF_UP != 0,
            carrier: interface.flags & IFF_RUNNING != 0,
            radio: interface.kind == RADIOTAP,
            mtu: usize::try_from(interface.mtu).unwrap_or_default(),
            host: Host {
                mac: interface.mac,
                ip4: ip4.unwrap_or_default(),
                ip6: ip6.unwrap_or_default(),
            },
        })
    }
}
