// SPDX-License-Identifier: GPL-2.0

//! UDP sockets of the kernel's, by which frames go through a network.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use super::{
    bindings,
    context::Process,
    hold::Hold,
    percpu::ThisCpu,
    rcu::Reader,
    reason::DropReason,
    skb::{Skb, Unsent},
    slot::Datapath,
};
use crate::base::address::Address;
use core::{ffi::c_void, marker::PhantomData, ptr::NonNull};
use kernel::{prelude::*, sync::Arc, types::ForeignOwnable};

/// Where packets are sent, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UdpPath {
    /// The address of this host; none for that of the route.
    pub local: Option<Address>,
    /// The address of the other end, of the family of the socket.
    pub remote: Address,
    /// The VXLAN network identifier, if a VXLAN header is to be in front of the frame.
    pub vni: Option<u32>,
}

/// What the IP header of a received packet said.
pub struct Outer {
    /// Who has sent it.
    pub source: Address,
    /// The address of this host.
    pub destination: Address,
    /// It has left graphs of this machine so often that it is in a loop.
    pub is_looping: bool,
}

impl Skb {
    /// Where a packet came from that a [`UdpSocket`](crate::prelude::UdpSocket) has received: for
    /// [`Block::release`](crate::prelude::Block::release), which gets it first. Of another packet it means nothing.
    pub fn outer(&self) -> Outer {
        let mut outer: bindings::lana_outer = pin_init::zeroed();
        // SAFETY: the buffer is live, and there is room for what it has.
        unsafe { bindings::lana_udp_outer(self.as_ptr(), &raw mut outer) };
        Outer {
            source: address(outer.source),
            destination: address(outer.destination),
            is_looping: u32::from(outer.entries) >= bindings::LANA_ENTRY_LIMIT,
        }
    }

    /// Makes a frame of such a packet: cuts off the first `len` bytes, which are in front of it. False where the packet
    /// does not have these and an Ethernet header, and without memory.
    #[must_use]
    pub fn open_frame(&mut self, len: u32) -> bool {
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_udp_open(self.as_ptr(), len) }
    }
}

/// What an IPv6 address begins with that stands for one of IPv4.
const MAPPED: u128 = 0xffff << 32;

/// An address as C has it.
pub(super) fn octets(address: Address) -> [u8; 16] {
    match address {
        Address::V4(address) => u128::from(address) | MAPPED,
        Address::V6(address) => address,
    }
    .to_be_bytes()
}

/// An address that C has.
fn address(octets: [u8; 16]) -> Address {
    match u128::from_be_bytes(octets) {
        address if address >> 32 == MAPPED >> 32 => Address::V4(address as u32),
        address => Address::V6(address),
    }
}

/// A socket. What it receives waits in a hold.
///
/// # Invariants
///
/// `raw` is a live `lana_udp` of this value's own, which gives `data` to [`received`]; `data` is a reference to the hold,
/// and goes after it.
pub(crate) struct Udp<D: Datapath> {
    raw: NonNull<bindings::lana_udp>,
    data: NonNull<c_void>,
    _hold: PhantomData<Arc<Hold<D>>>,
}

// SAFETY: a socket may be used and released on any CPU, and so may the hold.
unsafe impl<D: Datapath> Send for Udp<D> {}
// SAFETY: several CPUs may send by a socket at once.
unsafe impl<D: Datapath> Sync for Udp<D> {}

/// A packet was received.
///
/// # Safety
///
/// Called with the data of a live [`Udp`], and a packet with one reference, which is given to us; in a softirq, in a
/// read-side section.
unsafe extern "C" fn received<D: Datapath>(data: *mut c_void, skb: *mut bindings::sk_buff) {
    let Some(skb) = NonNull::new(skb) else {
        return;
    };
    // SAFETY: the packet is given to us.
    let skb = unsafe { Skb::from_raw(skb) };
    // SAFETY: `data` is a reference to a hold, which the socket keeps.
    let hold = unsafe { Arc::<Hold<D>>::borrow(data.cast()) };
    if let Err(skb) = hold.put_received(skb) {
        skb.free(DropReason::QueueFull);
    }
}

impl<D: Datapath> Udp<D> {
    /// Opens a socket in the namespace of the hold. `ENODEV` where that is not open, `EADDRINUSE` where somebody else has
    /// the port, `EOPNOTSUPP` in a kernel without UDP tunnels. Sleeps.
    pub(crate) fn new(
        hold: &Arc<Hold<D>>,
        port: u16,
        ipv6: bool,
        _process: &Process,
    ) -> Result<Self> {
        let net = hold.net().ok_or(ENODEV)?;
        let data = NonNull::new(hold.clone().into_foreign().cast()).ok_or(EINVAL)?;
        let received: bindings::lana_udp_received = Some(received::<D>);
        let mut error = 0;
        // SAFETY: this context may sleep. The namespace is that of the block whose change this is, so it lives. The function
        // takes what it is given here, and may be called from now on.
        let raw = unsafe {
            bindings::lana_udp_new(net, port, ipv6, received, data.as_ptr(), &raw mut error)
        };
        match NonNull::new(raw) {
            // INVARIANT: it is new.
            Some(raw) => Ok(Self {
                raw,
                data,
                _hold: PhantomData,
            }),
            None => {
                // SAFETY: it is from `into_foreign()`, and C, which has failed, calls nothing with it any more.
                drop(unsafe { Arc::<Hold<D>>::from_foreign(data.as_ptr().cast()) });
                Err(Error::from_errno(error))
            }
        }
    }

    /// Sends a frame that is no super-packet, and has its checksum and its VLAN tag in it. The other arguments are the
    /// evidence of a softirq, or of bottom halves off, and of a read-side section.
    pub(crate) fn send(
        &self,
        mut skb: Skb,
        path: &UdpPath,
        _reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<(), Unsent<Skb>> {
        if !skb.unshare() {
            return Err(Unsent::NoMemory(skb));
        }
        let none = match path.remote {
            Address::V4(_) => Address::V4(0),
            Address::V6(_) => Address::V6(0),
        };
        let path = bindings::lana_udp_path {
            local: octets(path.local.unwrap_or(none)),
            remote: octets(path.remote),
            vxlan: path.vni.is_some(),
            vni: path.vni.unwrap_or_default(),
        };
        // SAFETY: the socket is live, the packet ours, not shared, and given up; C reads the path only.
        match unsafe { bindings::lana_udp_xmit(self.raw.as_ptr(), skb.into_raw(), &raw const path) }
        {
            -1 => Ok(()),
            why => Err(Unsent::Dropped(DropReason::from_wire(why as u32))),
        }
    }
}

impl<D: Datapath> Drop for Udp<D> {
    fn drop(&mut self) {
        // SAFETY: the socket is ours, and nobody sends by it any more. Blocks are dropped where they may sleep.
        unsafe { bindings::lana_udp_free(self.raw.as_ptr()) };
        // SAFETY: nothing is received any more, so nobody else uses the reference.
        drop(unsafe { Arc::<Hold<D>>::from_foreign(self.data.as_ptr().cast()) });
    }
}
