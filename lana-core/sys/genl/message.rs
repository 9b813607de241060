// SPDX-License-Identifier: GPL-2.0

//! Messages that are being written: answers, parts of dumps, events.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use super::super::{bindings, net::Net};
use core::{
    ffi::{c_int, c_void},
    ptr::NonNull,
    slice,
};
use kernel::{error::to_result, prelude::*};

/// A message that is being written.
///
/// # Invariants
///
/// The pointer is a live buffer. An owned one is this value's to free.
pub(crate) struct Message {
    pub(super) skb: NonNull<bindings::sk_buff>,
    pub(super) owned: bool,
}

/// The beginning of a message in its buffer.
pub(crate) struct Head(pub(super) NonNull<c_void>);

impl Message {
    pub(super) fn new(size: usize) -> Result<Self> {
        // SAFETY: no preconditions.
        let skb = unsafe { bindings::lana_genl_new(size) };
        Ok(Self {
            skb: NonNull::new(skb).ok_or(ENOMEM)?,
            owned: true,
        })
    }

    /// The same in any context, with its beginning: a message for one socket.
    pub(crate) fn atomic(size: usize, portid: u32, seq: u32, cmd: u32) -> Result<(Self, Head)> {
        // SAFETY: no preconditions.
        let skb = unsafe { bindings::lana_genl_new_atomic(size) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        let mut msg = Self { skb, owned: true };
        let head = msg.begin(portid, seq, 0, cmd)?;
        Ok((msg, head))
    }

    /// Sends it to a socket of a namespace. Any context. `ECONNREFUSED` where there is none, `EAGAIN` where that
    /// has no room.
    pub(crate) fn unicast(mut self, head: Head, net: &Net, portid: u32) -> Result {
        self.end(head);
        // SAFETY: the namespace is live; the message is complete and given away.
        to_result(unsafe { bindings::lana_genl_unicast(net.as_ptr(), self.into_raw(), portid) })
    }

    /// How many bytes there is room for.
    pub(crate) fn room(&self) -> usize {
        // SAFETY: the buffer is live.
        unsafe { bindings::lana_genl_room(self.skb.as_ptr()) as usize }
    }

    /// Bytes that `write` writes; `EFAULT` where it says that it cannot.
    pub(crate) fn put_with(
        &mut self,
        attr: u32,
        len: u32,
        write: impl FnOnce(&mut [u8]) -> bool,
    ) -> Result {
        // SAFETY: the buffer is live.
        let to = unsafe { bindings::lana_nla_reserve(self.skb.as_ptr(), attr as u16, len) };
        let to = NonNull::new(to.cast::<u8>()).ok_or(EMSGSIZE)?;
        // SAFETY: as many bytes are there, of value zero, and nobody else has them before the message is sent.
        match write(unsafe { slice::from_raw_parts_mut(to.as_ptr(), len as usize) }) {
            true => Ok(()),
            false => Err(EFAULT),
        }
    }

    pub(super) fn into_raw(mut self) -> *mut bindings::sk_buff {
        self.owned = false;
        self.skb.as_ptr()
    }

    pub(super) fn begin(&mut self, portid: u32, seq: u32, flags: u32, cmd: u32) -> Result<Head> {
        // SAFETY: the buffer is live.
        let head = unsafe {
            let family = &raw const bindings::lana_nl_family;
            bindings::genlmsg_put(
                self.skb.as_ptr(),
                portid,
                seq,
                family,
                flags as c_int,
                cmd as u8,
            )
        };
        NonNull::new(head).map(Head).ok_or(EMSGSIZE)
    }

    pub(super) fn end(&mut self, head: Head) {
        // SAFETY: the message was begun in this buffer.
        unsafe { bindings::lana_genl_end(self.skb.as_ptr(), head.0.as_ptr()) };
    }

    pub(super) fn cancel(&mut self, head: Head) {
        // SAFETY: the message was begun in this buffer.
        unsafe { bindings::lana_genl_cancel(self.skb.as_ptr(), head.0.as_ptr()) };
    }

    pub(crate) fn put(&mut self, attr: u32, data: &[u8]) -> Result {
        const MAX: usize = u16::MAX as usize - size_of::<bindings::nlattr>();
        if data.len() > MAX {
            return Err(EMSGSIZE);
        }
        // SAFETY: the buffer is live, the data readable.
        to_result(unsafe {
            bindings::nla_put(
                self.skb.as_ptr(),
                attr as c_int,
                data.len() as c_int,
                data.as_ptr().cast(),
            )
        })
    }

    /// A number of 32 bits. This and the others fail with `EMSGSIZE` when the message is full.
    pub(crate) fn put_u32(&mut self, attr: u32, value: u32) -> Result {
        self.put(attr, &value.to_ne_bytes())
    }

    /// A number that takes 32 bits where they do, else 64.
    pub(crate) fn put_uint(&mut self, attr: u32, value: u64) -> Result {
        // SAFETY: the buffer is live.
        to_result(unsafe { bindings::lana_nla_put_uint(self.skb.as_ptr(), attr as u16, value) })
    }

    /// A text.
    pub(crate) fn put_str(&mut self, attr: u32, value: &str) -> Result {
        self.put_text(attr, value.as_bytes())
    }

    /// A text, to which the final NUL is added.
    pub(crate) fn put_text(&mut self, attr: u32, value: &[u8]) -> Result {
        let mut text = KVec::with_capacity(value.len().saturating_add(1), GFP_KERNEL)?;
        text.extend_from_slice(value, GFP_KERNEL)?;
        text.push(0, GFP_KERNEL)?;
        self.put(attr, &text)
    }

    /// A flag.
    pub(crate) fn put_flag(&mut self, attr: u32) -> Result {
        self.put(attr, &[])
    }

    /// Attributes in an attribute.
    pub(crate) fn nest(&mut self, attr: u32, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: the buffer is live.
        let nest = unsafe { bindings::lana_nla_nest(self.skb.as_ptr(), attr as u16) };
        let nest = NonNull::new(nest).ok_or(EMSGSIZE)?.as_ptr();
        let result = fill(self);
        // SAFETY: the nest was begun in this buffer.
        unsafe {
            match result {
                Ok(()) => bindings::lana_nla_nest_end(self.skb.as_ptr(), nest),
                Err(_) => bindings::lana_nla_nest_cancel(self.skb.as_ptr(), nest),
            }
        }
        result
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: by the type's invariant it is ours to free.
            unsafe { bindings::lana_genl_free(self.skb.as_ptr()) };
        }
    }
}

/// Sends a message to who listens to the events of a namespace. One that cannot be sent is lost.
/// Sleeps.
pub(crate) fn multicast(net: &Net, fill: impl FnOnce(&mut Message) -> Result) {
    // SAFETY: the namespace is live.
    if !unsafe { bindings::lana_genl_listeners(net.as_ptr()) } {
        return;
    }
    let build = || -> Result<Message> {
        let mut msg = Message::new(1024)?;
        let head = msg.begin(0, 0, 0, bindings::LANA_CMD_EVENT_NTF)?;
        fill(&mut msg)?;
        msg.end(head);
        Ok(msg)
    };
    if let Ok(msg) = build() {
        // SAFETY: the message is complete and given away.
        unsafe { bindings::lana_genl_multicast(net.as_ptr(), msg.into_raw()) };
    }
}
