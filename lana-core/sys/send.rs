// SPDX-License-Identifier: GPL-2.0

//! Datagrams to other hosts.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use super::{bindings, context::Process, hold::Hold, lock::Exclusive, slot::Datapath, udp::octets};
use crate::base::address::Address;
use core::{ptr, ptr::NonNull};
use kernel::{error::to_result, prelude::*};

/// A UDP socket that is connected to another host, made by
/// [`HoldQueue::sender`](crate::prelude::HoldQueue::sender). It is closed when it is dropped.
///
/// # Invariants
///
/// It is a live `lana_send` of this value's own.
pub struct UdpSender(Exclusive<Raw>);

/// What C has.
struct Raw(NonNull<bindings::lana_send>);

// SAFETY: a socket may be used and released on any CPU.
unsafe impl Send for Raw {}

impl UdpSender {
    /// Opens a socket in the namespace of a hold. `ENODEV` where that is not open, `EADDRNOTAVAIL` where the host does not
    /// have the address `from`, `EAFNOSUPPORT` without IPv6. Sleeps.
    pub(crate) fn new<D: Datapath>(
        hold: &Hold<D>,
        from: Option<Address>,
        (to, port): (Address, u16),
        _process: &Process,
    ) -> Result<Self> {
        let net = hold.net().ok_or(ENODEV)?;
        let ipv6 = matches!(to, Address::V6(_));
        let from = from.map(octets);
        let from = from.as_ref().map_or(ptr::null(), |from| from.as_ptr());
        let mut error = 0;
        // SAFETY: this context may sleep. The namespace is that of the block whose change this is, so it lives. C reads the
        // addresses only.
        let raw = unsafe {
            bindings::lana_send_new(net, from, octets(to).as_ptr(), port, ipv6, &raw mut error)
        };
        let raw = NonNull::new(raw).ok_or_else(|| Error::from_errno(error))?;
        // INVARIANT: it is new.
        Ok(Self(Exclusive::new(Raw(raw))?))
    }

    /// Sends a datagram, as far as there is room for it at once. The error may be of an earlier one: `ECONNREFUSED` where
    /// the other end has said that nobody listens, and this one was sent. Sleeps.
    pub fn send(&self, bytes: &[u8], process: &Process) -> Result {
        self.0.with(process, |Raw(raw)| {
            // SAFETY: the socket is live, and this is the only caller. C reads the bytes only.
            to_result(unsafe {
                bindings::lana_send_one(raw.as_ptr(), bytes.as_ptr().cast(), bytes.len())
            })
        })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the socket is ours. Blocks are dropped where they may sleep.
        unsafe { bindings::lana_send_free(self.0.as_ptr()) };
    }
}
