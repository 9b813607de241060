// SPDX-License-Identifier: GPL-2.0

//! Sockets: each has a block, by which packets come to it and leave it.
//!
//! `sock.c` is what programs see. C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use super::{
    bindings,
    compat::{EAFNOSUPPORT, ENOTCONN},
    handle::Handle,
    module::Owner,
    net,
    percpu::ThisCpu,
    rcu::Reader,
    skb::Packet,
    slot::{Current, Slot},
};
use crate::{
    block::{Maker, Verdict},
    builder,
    change::Change,
    engine::{self, Context, Direction},
    error::Failure,
    fail,
    graph::Graph,
    name::{Name, Shown},
    registry::Idp,
    stats::DropReason,
};
use core::{
    ffi::{c_char, c_int, c_void},
    ptr,
    ptr::NonNull,
    slice,
};
use kernel::{error::to_result, prelude::*};

/// A socket of the family.
///
/// # Invariants
///
/// The value owns a reference to a live socket that `sock.c` has made.
pub(crate) struct Socket(NonNull<bindings::sock>);

/// A socket as its block has it: packets are delivered by it, until it is closed.
pub type SocketHandle = Handle<bindings::sock>;

// SAFETY: a socket may be used and released on any CPU.
unsafe impl Send for Socket {}
// SAFETY: a socket may be used on any CPU, and by several at once: it has its own locks.
unsafe impl Sync for Socket {}

impl Clone for Socket {
    fn clone(&self) -> Self {
        // SAFETY: the socket is live.
        unsafe { Self::from_raw(self.0) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant the reference is ours to give back.
        unsafe { bindings::lana_sock_put(self.0.as_ptr()) };
    }
}

impl Socket {
    /// Takes a reference to a socket.
    ///
    /// # Safety
    ///
    /// The socket is one of `sock.c`, and live.
    unsafe fn from_raw(sk: NonNull<bindings::sock>) -> Self {
        // SAFETY: the caller says that the socket is live.
        unsafe { bindings::lana_sock_hold(sk.as_ptr()) };
        // INVARIANT: that is the reference.
        Self(sk)
    }

    /// A handle, to be ended before this reference is given back. Sleeps.
    fn handle(&self) -> Result<SocketHandle> {
        // SAFETY: `sock.c` frees a socket a grace period after the last reference was given back.
        unsafe { Handle::new(self.0) }
    }

    /// The device went that it was bound to: its program is told, by `ENETDOWN`. Any context.
    pub(crate) fn down(&self) {
        // SAFETY: the socket is live.
        unsafe { bindings::lana_sock_down(self.0.as_ptr()) };
    }

    /// What there is to say of the socket.
    pub(crate) fn info(&self) -> bindings::lana_sock_info {
        let mut info: bindings::lana_sock_info = pin_init::zeroed();
        // SAFETY: the socket is live.
        unsafe { bindings::lana_sock_info(self.0.as_ptr(), &mut info) };
        info
    }
}

impl SocketHandle {
    /// Puts a packet into the socket's queue, or its ring. Dropped when the socket is closed.
    #[inline]
    pub fn deliver(&self, mut packet: Packet, cx: &Context<'_>) -> Verdict {
        let Some(socket) = self.get(cx) else {
            return Verdict::drop(packet, DropReason::Unbound);
        };
        if !packet.unshare() {
            return Verdict::drop(packet, DropReason::NoMemory);
        }
        let (skb, direction) = (packet.into_raw(), cx.direction() as u8);
        // SAFETY: the packet is given up; a context is one of a softirq, and of a read-side section, which
        // the socket outlives by the handle's invariants.
        match unsafe { bindings::lana_sock_rcv(socket.as_ptr(), skb, direction) } {
            -1 => Verdict::consumed(),
            why => Verdict::lost(DropReason::from_wire(why as u32)),
        }
    }
}

/// The number of the address family, if there is one.
pub(crate) fn family() -> Option<u32> {
    // SAFETY: no preconditions.
    Some(unsafe { bindings::lana_sock_family() }).filter(|family| *family != 0)
}

/// The address family, of which there is one: [`builder`] sees to that. Dropping it ends it.
pub(crate) struct Family(());

impl Family {
    /// Registers the family under a number. The block's type is registered before, by the module
    /// that `owner` is. Process context, may sleep. `EEXIST` when the number is taken,
    /// `EAFNOSUPPORT` when it is none.
    pub(crate) fn register(owner: Owner, number: i32) -> Result<Self> {
        // SAFETY: what it calls is in this file, and the owner outlives the value.
        to_result(unsafe { bindings::lana_sock_register(owner.as_ptr(), number) })?;
        Ok(Self(()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // SAFETY: registered.
        unsafe { bindings::lana_sock_unregister() };
    }
}

fn errno(result: Result<(), Failure>) -> c_int {
    result.map_or_else(|failure| failure.error.to_errno(), |()| 0)
}

/// A socket is opened: makes its block.
///
/// # Safety
///
/// Called with a live socket in a namespace that it keeps, in process context; and with room for
/// where the block is.
#[no_mangle]
unsafe extern "C" fn lana_sock_new(
    net: *mut bindings::net,
    sk: *mut bindings::sock,
    graph_to: *mut *mut c_void,
    slot_to: *mut *const c_void,
    idp_to: *mut u32,
    handle_to: *mut *mut c_void,
) -> c_int {
    errno((|| {
        // SAFETY: `net` is a live namespace, as the caller says.
        let graph = unsafe { net::graph_of(net) }.ok_or(ENODEV)?;
        // SAFETY: `sk` is a live socket of `sock.c`, as the caller says.
        let socket = unsafe { Socket::from_raw(NonNull::new(sk).ok_or(EINVAL)?) };
        let kind = builder::loaded(|by| by == Maker::Socket).ok_or(EAFNOSUPPORT)?;
        let handle = socket.handle()?;
        let make = || -> Result<_, Failure> {
            let mut change = Change::new(graph, None);
            let (idp, entrance) = change.add_socket(socket, handle.clone(), kind)?;
            change.commit()?;
            Ok((idp, entrance))
        };
        let (idp, entrance) = make().inspect_err(|_| _ = handle.end())?;
        // SAFETY: the caller has room for each of them. Nobody has the socket yet who would send by it.
        unsafe {
            *graph_to = ptr::from_ref(graph).cast_mut().cast();
            *slot_to = ptr::from_ref(entrance.slot()).cast();
            *idp_to = idp;
            *handle_to = handle.into_raw();
        }
        Ok(())
    })())
}

/// A socket is closed: no packet begins its way to it any more, and its block goes when the graph is locked
/// next. Waits for nobody.
///
/// # Safety
///
/// Called once with what [`lana_sock_new`] gave, and with a place in the socket that has its IDP.
#[no_mangle]
unsafe extern "C" fn lana_sock_gone(
    graph: *mut c_void,
    handle: *mut c_void,
    gone: *mut bindings::lana_gone,
) {
    // SAFETY: `lana_sock_new` gave the handle by `into_raw`, and the caller gives it up.
    unsafe { SocketHandle::from_raw(handle) }.end();
    // SAFETY: `graph` is what `lana_sock_new` gave; the socket keeps the namespace, and that the graph.
    let graph = unsafe { &*graph.cast::<Graph>() };
    // SAFETY: `gone` is a place in the socket, which the block's reference keeps.
    unsafe { graph.net().gone(gone) };
}

/// A socket is given a name.
///
/// # Safety
///
/// Called with what [`lana_sock_new`] gave, and a readable name, in process context.
#[no_mangle]
unsafe extern "C" fn lana_sock_rename(
    graph: *mut c_void,
    idp: Idp,
    name: *const c_char,
    len: usize,
) -> c_int {
    // SAFETY: `graph` is what `lana_sock_new` gave; the socket keeps the namespace, and that the graph.
    let graph = unsafe { &*graph.cast::<Graph>() };
    // SAFETY: `name` has `len` readable bytes, as the caller says.
    let name = unsafe { slice::from_raw_parts(name.cast::<u8>(), len) };
    errno((|| {
        let name =
            Name::new(name).map_err(|bad| fail!(EINVAL, "name '{}' {}", Shown(name), bad))?;
        let mut change = Change::new(graph, None);
        change.rename(idp, name)?;
        change.commit()
    })())
}

/// Tells the name of a socket's block.
///
/// # Safety
///
/// Called with what [`lana_sock_new`] gave, and room for `LANA_NAME_SIZE` bytes, all zero, in
/// process context.
#[no_mangle]
unsafe extern "C" fn lana_sock_name(graph: *mut c_void, idp: Idp, to: *mut c_char) {
    const SIZE: usize = bindings::LANA_NAME_SIZE as usize;
    // SAFETY: `graph` is what `lana_sock_new` gave; the socket keeps the namespace, and that the graph.
    let graph = unsafe { &*graph.cast::<Graph>() };
    // SAFETY: `to` has room for `SIZE` bytes, which are zero, as the caller says.
    let to = unsafe { slice::from_raw_parts_mut(to.cast::<u8>(), SIZE) };
    if let Some(face) = graph.lock().registry.face(idp) {
        let name = face.instance.name().as_str().as_bytes();
        for (to, from) in to.iter_mut().zip(name) {
            *to = *from;
        }
    }
}

/// A program sends a packet: it leaves the socket's block. `ENOTCONN` when that is not bound.
///
/// # Safety
///
/// Called with what [`lana_sock_new`] gave, in a read-side section with bottom halves off; with a
/// packet that has one reference, which is given to us.
#[no_mangle]
unsafe extern "C" fn lana_sock_send(
    graph: *mut c_void,
    slot: *const c_void,
    skb: NonNull<bindings::sk_buff>,
) -> c_int {
    // SAFETY: they are what `lana_sock_new` gave; the socket keeps the namespace, and that the graph and
    // its slots.
    let (graph, slot) = unsafe { (&*graph.cast::<Graph>(), &*slot.cast::<Slot>()) };
    // SAFETY: the caller is in a read-side section with bottom halves off.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::new()) };
    // SAFETY: the packet has one reference, which the caller gives to us.
    let packet = unsafe { Packet::from_raw(skb) };
    let hop = match graph.live().version(reader) {
        Current::Even(version) => slot.hop(version),
        Current::Odd(version) => slot.hop(version),
    };
    let bound = [Direction::Egress, Direction::Ingress]
        .into_iter()
        .any(|direction| hop.is_some_and(|hop| hop.first(direction).is_some()));
    let enters =
        bound.then(|| engine::enter(graph, slot, Direction::Egress, packet, 0, reader, cpu));
    match enters {
        Some(None) => 0,
        _ => ENOTCONN.to_errno(),
    }
}
