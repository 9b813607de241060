// SPDX-License-Identifier: GPL-2.0

//! Messages to other hosts: datagrams, or by a connection.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use super::{bindings, context::Process, hold::Hold, lock::Exclusive, slot::Datapath, udp::octets};
use crate::base::address::Address;
use core::{ptr, ptr::NonNull};
use kernel::{error::to_result, prelude::*};

/// By which protocol messages go. A connection keeps the bounds between them only if the receiver finds these by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Transport {
    /// Datagrams.
    Udp = 17,
    /// A connection.
    Tcp = 6,
    /// A connection.
    Sctp = 132,
}

/// Whether messages can be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// They would not go: there is no connection, or its buffer is half full.
    None,
    /// They can.
    Some,
    /// They can, by a connection which nothing has been sent by. Told once.
    New,
}

/// A socket that is connected to another host, made by [`HoldQueue::sender`](crate::prelude::HoldQueue::sender). It is
/// closed when it is dropped: then a connection goes on until the other end has what is in the socket's buffer, or for a
/// minute.
///
/// # Invariants
///
/// It is a live `lana_send` of this value's own.
pub struct Sender(Exclusive<Raw>);

/// What C has.
struct Raw(NonNull<bindings::lana_send>);

// SAFETY: a socket may be used and released on any CPU.
unsafe impl Send for Raw {}

impl Sender {
    /// Opens a socket in the namespace of a hold. `ENODEV` where that is not open, `EADDRNOTAVAIL` where the host does not
    /// have the address `from`, `EAFNOSUPPORT` without IPv6, `EPROTONOSUPPORT` without the protocol. Sleeps.
    pub(crate) fn new<D: Datapath>(
        hold: &Hold<D>,
        by: Transport,
        from: Option<Address>,
        (to, port): (Address, u16),
        _process: &Process,
    ) -> Result<Self> {
        let net = hold.net().ok_or(ENODEV)?;
        let ipv6 = matches!(to, Address::V6(_));
        let from = from.map(octets);
        let from = from.as_ref().map_or(ptr::null(), |from| from.as_ptr());
        let (to, by, mut error) = (octets(to), by as i32, 0);
        // SAFETY: this context may sleep. The namespace is that of the block whose change this is, so it lives, and as long
        // as the block. C reads the addresses only.
        let raw = unsafe {
            bindings::lana_send_new(net, by, from, to.as_ptr(), port, ipv6, &raw mut error)
        };
        let raw = NonNull::new(raw).ok_or_else(|| Error::from_errno(error))?;
        // INVARIANT: it is new.
        Ok(Self(Exclusive::new(Raw(raw))?))
    }

    /// Looks after a connection: it is made at the first call, and again after it has ended, with longer and longer pauses
    /// up to half a minute. To be called from time to time while messages wait for it. An error says once why a connection
    /// has ended or did not come up: `EPIPE` where the other end has closed it. With UDP there is always room. Sleeps, but
    /// waits for nobody.
    pub fn look(&self, process: &Process) -> Result<Room> {
        self.0.with(process, |Raw(raw)| {
            // SAFETY: the socket is live, and this is the only caller.
            let room = unsafe { bindings::lana_send_look(raw.as_ptr()) };
            to_result(room)?;
            Ok(match room as u32 {
                bindings::LANA_SEND_WAIT => Room::None,
                bindings::LANA_SEND_NEW => Room::New,
                _ => Room::Some,
            })
        })
    }

    /// Sends a message that is in two pieces, of up to 9,000 bytes, as far as there is room for it at once. Sleeps, but waits
    /// for nobody.
    ///
    /// UDP: where it was sent, there may be an error of ICMP about an earlier one, such as `ECONNREFUSED`: nobody listens.
    /// A connection sends what does not fit of a message before the next one. `EAGAIN` while that is so, and where there is
    /// no room at all. `ENOTCONN` where it is not up.
    pub fn send(&self, [head, body]: [&[u8]; 2], process: &Process) -> Result<Option<Error>> {
        self.0.with(process, |Raw(raw)| {
            let (raw, head_at, body_at) = (raw.as_ptr(), head.as_ptr(), body.as_ptr());
            // SAFETY: the socket is live, and this is the only caller. C reads the bytes only.
            let done = unsafe {
                bindings::lana_send_one(raw, head_at.cast(), head.len(), body_at.cast(), body.len())
            };
            to_result(done)?;
            Ok((done > 0).then(|| Error::from_errno(done.saturating_neg())))
        })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the socket is ours. Blocks are dropped where they may sleep.
        unsafe { bindings::lana_send_free(self.0.as_ptr()) };
    }
}
