// SPDX-License-Identifier: GPL-2.0

//! Next hops: neighbours whose Ethernet addresses the kernel resolves, by ARP and IPv6 neighbour discovery.
//!
//! C header: [`include/net/neighbour.h`](srctree/include/net/neighbour.h)

use super::{
    bindings,
    compat::EOPNOTSUPP,
    context::Process,
    netdev::DeviceHandle,
    percpu::ThisCpu,
    rcu::{self, Reader},
    reason::DropReason,
    skb::{Skb, Unsent},
};
use crate::{base::error::Failure, fail, words};
use core::{net::IpAddr, ptr::NonNull};
use kernel::prelude::*;

words! {
    /// What the kernel knows of a neighbour; the words are those of `ip neighbour`.
    pub enum Reachability {
        /// Nothing yet.
        None = "none",
        /// It is being asked, and its address is not known.
        Incomplete = "incomplete",
        /// It has answered a moment ago.
        Reachable = "reachable",
        /// It has answered once.
        Stale = "stale",
        /// The same; it is asked if it shows no sign of life.
        Delay = "delay",
        /// The same; it is being asked.
        Probe = "probe",
        /// It has not answered.
        Failed = "failed",
        /// Somebody has set its address.
        Permanent = "permanent",
    }
}

impl Reachability {
    fn from_wire(state: u32) -> Self {
        match state {
            0 => Self::None,
            bindings::NUD_INCOMPLETE => Self::Incomplete,
            bindings::NUD_REACHABLE => Self::Reachable,
            bindings::NUD_STALE => Self::Stale,
            bindings::NUD_DELAY => Self::Delay,
            bindings::NUD_PROBE => Self::Probe,
            bindings::NUD_PERMANENT | bindings::NUD_NOARP => Self::Permanent,
            _ => Self::Failed,
        }
    }

    /// Whether an address is known, to which packets can be sent.
    pub fn is_resolved(self) -> bool {
        !matches!(self, Self::None | Self::Incomplete | Self::Failed)
    }
}

/// A neighbour at a moment.
#[derive(Clone, Copy)]
pub struct Neighbour {
    /// What is known of it.
    pub reachability: Reachability,
    /// Its Ethernet address, where one is known.
    pub address: Option<[u8; 6]>,
    /// How many nanoseconds ago it has shown last that it is there.
    pub age: u64,
}

/// An address, as C reads it: of IPv4, the first four bytes.
fn bytes_of(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// All stations on the link of a device. The kernel resolves their addresses, as it does for its own routes, with its own
/// table (`ip neighbour`), timers and settings.
///
/// While there is a link to a device, the network stack gets a copy of the ARP packets, neighbour solicitations and
/// neighbour advertisements that the device receives; the graph gets them, too. So addresses of this host on that device
/// are answered for, and the answers of neighbours are heard.
///
/// A value keeps neither the device nor entries of the table: it may be kept as long as a block likes. When the device has
/// gone, there are no neighbours any more.
pub struct Link(DeviceHandle);

impl Link {
    /// That of a device. Does not sleep.
    pub fn new(device: &DeviceHandle, _process: &Process) -> Self {
        let link = Self(device.clone());
        link.with(|dev| {
            // SAFETY: the device lives as long as the read-side section that `with` is.
            unsafe { bindings::lana_neigh_join(dev) }
        });
        link
    }

    /// The device.
    pub fn device(&self) -> &DeviceHandle {
        &self.0
    }

    /// Calls C with the device, unless that has gone; in a read-side section.
    fn with<R>(&self, f: impl FnOnce(*mut bindings::net_device) -> R) -> Option<R> {
        rcu::read(|reader| Some(f(self.0.get(reader)?.as_ptr())))
    }

    /// What an Ethernet header to an address begins with. `None` as long as the address is not known, for one that is not
    /// of a station, or when the device has gone. The other arguments are the evidence of a softirq and of a read-side
    /// section.
    pub(crate) fn addresses(
        &self,
        to: IpAddr,
        reader: Reader<'_>,
        cpu: ThisCpu,
    ) -> Option<[u8; 12]> {
        if !NextHop::is_station(&to) {
            return None;
        }
        self.addresses_of(&bytes_of(to), to.is_ipv6(), reader, cpu)
    }

    /// The same of an address as C reads it, which is one of a station.
    #[inline]
    fn addresses_of(
        &self,
        to: &[u8; 16],
        v6: bool,
        reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Option<[u8; 12]> {
        let dev = self.0.get(reader)?.as_ptr();
        let mut both = [0; 12];
        // SAFETY: by the handle's invariants the device lives as long as the section; bottom halves are off; the arrays are
        // as long as C wants.
        unsafe { bindings::lana_neigh_resolve(dev, to.as_ptr(), v6, both.as_mut_ptr()) }
            .then_some(both)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Where the device has gone, nobody counts any more.
        self.with(|dev| {
            // SAFETY: the device lives as long as the read-side section that `with` is, and was joined in `new`.
            unsafe { bindings::lana_neigh_leave(dev) }
        });
    }
}

/// A next hop: an IPv4 or IPv6 address on the link of a device that a block stands for.
///
/// It is resolved as all stations of its [`Link`] are.
///
/// [`resolve`](Self::resolve) and [`send`](Self::send) are for packets. The entry is looked up for each of them, without a
/// lock. When something happens to a neighbour of a device with next hops, [`Block::ports`] is called of blocks that watch
/// their ports.
///
/// [`Block::ports`]: crate::prelude::Block::ports
pub struct NextHop {
    link: Link,
    address: IpAddr,
    /// The address, as C reads it.
    bytes: [u8; 16],
}

impl NextHop {
    /// The next hop at an address, which it asks for at once. `EINVAL` for an address that is not one of a station,
    /// `EOPNOTSUPP` for IPv6 where the kernel has none, or it is off (`ipv6.disable=1`). Does not sleep.
    pub fn new(device: &DeviceHandle, address: IpAddr, process: &Process) -> Result<Self, Failure> {
        if !Self::is_station(&address) {
            return Err(fail!(EINVAL, "{address} is not the address of a neighbour"));
        }
        // SAFETY: no preconditions.
        if address.is_ipv6() && !unsafe { bindings::lana_neigh_has_v6() } {
            return Err(fail!(EOPNOTSUPP, "{address}: this kernel has no IPv6"));
        }
        let next_hop = Self {
            link: Link::new(device, process),
            address,
            bytes: bytes_of(address),
        };
        next_hop.solicit();
        Ok(next_hop)
    }

    /// Whether an address can be that of a neighbour: neither a group's nor a special one.
    pub fn is_station(address: &IpAddr) -> bool {
        let is_special = address.is_unspecified() || address.is_loopback();
        let is_group = match address {
            IpAddr::V4(address) => address.octets().first().is_none_or(|&first| first >= 0xe0),
            IpAddr::V6(address) => address.is_multicast(),
        };
        !is_special && !is_group
    }

    /// The device whose link it is on.
    pub fn device(&self) -> &DeviceHandle {
        self.link.device()
    }

    /// Its IP address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Calls C with the device, unless that has gone, and the address; in a read-side section.
    fn with<R>(
        &self,
        f: impl FnOnce(*mut bindings::net_device, *const u8, bool) -> R,
    ) -> Option<R> {
        let of = |dev| f(dev, self.bytes.as_ptr(), self.address.is_ipv6());
        self.link.with(of)
    }

    /// What is known of the neighbour. `None` when the device has gone. Any context but hard interrupts.
    pub fn neighbour(&self) -> Option<Neighbour> {
        self.with(|dev, address, v6| {
            let (mut ha, mut age) = ([0; 6], 0);
            // SAFETY: the device lives as long as the read-side section that `with` is; the arrays are as long as C wants.
            let state = unsafe {
                bindings::lana_neigh_state(dev, address, v6, ha.as_mut_ptr(), &raw mut age)
            };
            let reachability = Reachability::from_wire(state);
            Neighbour {
                reachability,
                address: reachability.is_resolved().then_some(ha),
                age,
            }
        })
    }

    /// Has the kernel ask for the neighbour now, also where an address is known: at that address then. Any context but
    /// hard interrupts.
    pub fn solicit(&self) {
        self.with(|dev, address, v6| {
            // SAFETY: the device lives as long as the read-side section that `with` is.
            unsafe { bindings::lana_neigh_solicit(dev, address, v6) }
        });
    }

    /// Says that the neighbour seems to be gone: the kernel asks it some more times, and then forgets its address. Any
    /// context but hard interrupts.
    pub fn suspect(&self) {
        self.with(|dev, address, v6| {
            // SAFETY: the device lives as long as the read-side section that `with` is.
            unsafe { bindings::lana_neigh_suspect(dev, address, v6) }
        });
    }

    /// The addresses that a frame to it begins with: its own and that of the device. `None` as long as its address is not
    /// known, or when the device has gone. The other arguments are the evidence of a softirq and of a read-side section.
    #[inline]
    pub(crate) fn addresses(&self, reader: Reader<'_>, cpu: ThisCpu) -> Option<[u8; 12]> {
        let v6 = self.address.is_ipv6();
        self.link.addresses_of(&self.bytes, v6, reader, cpu)
    }

    /// Sends a packet to it, which waits in the kernel's table as long as the address is not known. The other arguments
    /// are the evidence of a softirq and of a read-side section.
    pub(crate) fn queue(
        &self,
        mut packet: Skb,
        reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<(), Unsent<Skb>> {
        let Some(device) = self.device().get(reader).map(NonNull::as_ptr) else {
            return Err(Unsent::Gone(packet));
        };
        if !packet.unshare() {
            return Err(Unsent::NoMemory(packet));
        }
        let (address, v6) = (self.bytes.as_ptr(), self.address.is_ipv6());
        // SAFETY: the reference is ours and given up; this is a softirq and a read-side section, which the device outlives
        // by the handle's invariants.
        match unsafe { bindings::lana_neigh_xmit(packet.into_raw(), device, address, v6) } {
            -1 => Ok(()),
            why => Err(Unsent::Dropped(DropReason::from_wire(why as u32))),
        }
    }
}
