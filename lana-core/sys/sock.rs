// SPDX-License-Identifier: GPL-2.0

//! Sockets: each has a block, by which packets come to it and leave it.
//!
//! `sock.c` is what programs see. C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use super::{
    bindings,
    compat::ENOTCONN,
    context::Process,
    handle::Handle,
    hook::Entered,
    module::Owner,
    net,
    percpu::ThisCpu,
    rcu::Reader,
    reason::DropReason,
    skb::{Skb, Unsent},
    slot::{Datapath, Entrance, Idp, Slot},
};
use crate::base::{error::Failure, name::Name, port::Direction};
use core::{
    ffi::{c_char, c_int, c_void},
    ptr,
    ptr::NonNull,
    slice,
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    sync::aref::{ARef, AlwaysRefCounted},
    types::Opaque,
};

/// A socket of the family, which `sock.c` has made.
#[repr(transparent)]
pub(crate) struct Sock(Opaque<bindings::sock>);

/// A reference to one.
pub(crate) type Socket = ARef<Sock>;

/// A socket as its block has it: packets are delivered by it, until it is closed.
pub type SocketHandle = Handle<bindings::sock>;

// SAFETY: a socket may be used and released on any CPU.
unsafe impl Send for Sock {}
// SAFETY: a socket may be used on any CPU, and by several at once: it has its own locks.
unsafe impl Sync for Sock {}

// SAFETY: sockets are counted, and live until the count is zero.
unsafe impl AlwaysRefCounted for Sock {
    fn inc_ref(&self) {
        // SAFETY: the socket is live, as it is borrowed.
        unsafe { bindings::lana_sock_hold(self.0.get()) };
    }

    unsafe fn dec_ref(sk: NonNull<Self>) {
        // SAFETY: the caller gives up a reference.
        unsafe { bindings::lana_sock_put(sk.as_ptr().cast()) };
    }
}

impl Sock {
    /// A handle, to be ended before the reference to the socket is given back. Sleeps.
    fn handle(&self) -> Result<SocketHandle> {
        // SAFETY: `sock.c` frees a socket a grace period after the last reference was given back.
        unsafe { Handle::new(NonNull::from(self).cast()) }
    }

    /// The device went that it was bound to: its program is told, by `ENETDOWN`. Any context.
    pub(crate) fn down(&self) {
        // SAFETY: the socket is live.
        unsafe { bindings::lana_sock_down(self.0.get()) };
    }

    /// What there is to say of the socket.
    pub(crate) fn info(&self) -> bindings::lana_sock_info {
        let mut info: bindings::lana_sock_info = pin_init::zeroed();
        // SAFETY: the socket is live.
        unsafe { bindings::lana_sock_info(self.0.get(), &mut info) };
        info
    }
}

impl SocketHandle {
    /// Puts a packet, which came in a direction, into the socket's queue, or its ring. The other arguments
    /// are the evidence of a softirq, or of bottom halves off, and of a read-side section.
    #[inline]
    pub(crate) fn put(
        &self,
        mut packet: Skb,
        direction: Direction,
        reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<(), Unsent<Skb>> {
        let Some(socket) = self.get(reader) else {
            return Err(Unsent::Gone(packet));
        };
        if !packet.unshare() {
            return Err(Unsent::NoMemory(packet));
        }
        let (skb, direction) = (packet.into_raw(), direction as u8);
        // SAFETY: the packet is given up; this is a softirq and a read-side section, which the socket
        // outlives by the handle's invariants.
        match unsafe { bindings::lana_sock_rcv(socket.as_ptr(), skb, direction) } {
            -1 => Ok(()),
            why => Err(Unsent::Dropped(DropReason::from_wire(why as u32))),
        }
    }
}

/// The number of the address family, if there is one.
pub(crate) fn family() -> Option<u32> {
    // SAFETY: no preconditions.
    Some(unsafe { bindings::lana_sock_family() }).filter(|family| *family != 0)
}

/// The address family, of which there is one: the list of types sees to that. Dropping it ends it.
pub(crate) struct Family(());

impl Family {
    /// Registers the family under a number. The block's type is registered before, by the module
    /// that `owner` is. Process context, may sleep. `EEXIST` when the number is taken,
    /// `EAFNOSUPPORT` when it is none.
    pub(crate) fn register(owner: Owner, number: i32) -> Result<Self> {
        // SAFETY: what it calls is in `sockets!`, and the owner outlives the value.
        to_result(unsafe { bindings::lana_sock_register(owner.as_ptr(), number) })?;
        Ok(Self(()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // SAFETY: a value is only made where it has been registered, and there is no copy of it.
        unsafe { bindings::lana_sock_unregister() };
    }
}

/// The most bytes that a name has, with a NUL.
const SIZE: usize = bindings::LANA_NAME_SIZE as usize;

/// What gives sockets their blocks.
pub(crate) trait SocketBlocks {
    /// What packets enter that programs send.
    type Datapath: Entered;
    /// What namespaces own: each has a datapath.
    type Graph: net::Registered;

    /// The datapath of a graph.
    fn datapath(graph: &Self::Graph) -> &Self::Datapath;

    /// Makes the block of a socket. Sleeps.
    fn open(
        graph: &Self::Graph,
        socket: Socket,
        handle: SocketHandle,
    ) -> Result<(Idp, Entrance<Self::Datapath>), Failure>;

    /// Gives it a name, for the program that runs. Sleeps.
    fn rename(graph: &Self::Graph, idp: Idp, name: &[u8], process: &Process)
        -> Result<(), Failure>;

    /// Its name. Sleeps.
    fn name(graph: &Self::Graph, idp: Idp) -> Option<Name>;
}

/// A socket is opened: makes its block.
///
/// # Safety
///
/// Called with a live socket in a namespace that it keeps, in process context; and with the place in it for
/// what is known of the block.
pub(crate) unsafe fn open<S: SocketBlocks>(
    net: *mut bindings::net,
    sk: *mut bindings::sock,
    block: *mut bindings::lana_sock_block,
) -> c_int {
    from_result(|| {
        // SAFETY: `net` is a live namespace, as the caller says.
        let graph = unsafe { net::graph_of(net) }.ok_or(ENODEV)?;
        // SAFETY: `sk` is a live socket of `sock.c`, as the caller says.
        let socket = Socket::from(unsafe { sk.cast::<Sock>().as_ref() }.ok_or(EINVAL)?);
        let handle = socket.handle()?;
        let (idp, entrance) =
            S::open(graph, socket, handle.clone()).inspect_err(|_| _ = handle.end())?;
        let mut gone: bindings::lana_gone = pin_init::zeroed();
        gone.idp = idp;
        let made = bindings::lana_sock_block {
            datapath: ptr::from_ref(S::datapath(graph)).cast_mut().cast(),
            slot: entrance.as_ptr().as_ptr().cast(),
            idp,
            handle: handle.into_raw(),
            gone,
        };
        // SAFETY: the caller has the place for it. Nobody has the socket yet who would send by it.
        unsafe { block.write(made) };
        Ok(0)
    })
}

/// A socket is closed: no packet begins its way to it any more, and its block goes when the graph is locked
/// next. Waits for nobody.
///
/// # Safety
///
/// Called once, with what [`open`] wrote into the socket.
pub(crate) unsafe fn gone<S: SocketBlocks>(block: *mut bindings::lana_sock_block) {
    // SAFETY: `open` gave the handle by `into_raw`, and the caller gives it up.
    unsafe { SocketHandle::from_raw((*block).handle) }.end();
    // SAFETY: `open` gave the datapath; the socket keeps the namespace, and that the datapath.
    let datapath = unsafe { &*(*block).datapath.cast::<S::Datapath>() };
    // SAFETY: `gone` is a place in the socket, which the block's reference keeps.
    unsafe { datapath.net().gone(&raw mut (*block).gone) };
}

/// A socket is given a name: as much of it as a name can have, up to a NUL.
///
/// # Safety
///
/// Called with the namespace of a live socket, with what [`open`] gave, and a readable name, in process
/// context.
pub(crate) unsafe fn rename<S: SocketBlocks>(
    net: *mut bindings::net,
    idp: Idp,
    name: *const c_char,
    len: usize,
) -> c_int {
    from_result(|| {
        // SAFETY: the socket keeps the namespace.
        let graph = unsafe { net::graph_of(net) }.ok_or(ENODEV)?;
        // SAFETY: `name` has `len` readable bytes, as the caller says.
        let name = unsafe { slice::from_raw_parts(name.cast::<u8>(), len) };
        let name = name.get(..SIZE).unwrap_or(name);
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        S::rename(graph, idp, name, &Process::new())?;
        Ok(0)
    })
}

/// Tells the name of a socket's block.
///
/// # Safety
///
/// Called with the namespace of a live socket, with what [`open`] gave, and room for `LANA_NAME_SIZE` bytes,
/// all zero, in process context.
pub(crate) unsafe fn name<S: SocketBlocks>(net: *mut bindings::net, idp: Idp, to: *mut c_char) {
    // SAFETY: `to` has room for `SIZE` bytes, which are zero, as the caller says.
    let to = unsafe { slice::from_raw_parts_mut(to.cast::<u8>(), SIZE) };
    // SAFETY: the socket keeps the namespace.
    let name = unsafe { net::graph_of(net) }.and_then(|graph| S::name(graph, idp));
    if let Some(name) = name {
        for (to, from) in to.iter_mut().zip(name.as_str().as_bytes()) {
            *to = *from;
        }
    }
}

/// A program sends a packet: it leaves the socket's block. `ENOTCONN` when that is not bound.
///
/// # Safety
///
/// Called with what [`open`] gave, in a read-side section with bottom halves off; with a
/// packet that has one reference, which is given to us.
#[inline(always)]
pub(crate) unsafe fn send<P: Entered>(
    datapath: *mut c_void,
    slot: *const c_void,
    skb: NonNull<bindings::sk_buff>,
) -> c_int {
    // SAFETY: they are what `open` gave; the socket keeps the namespace, and that the datapath and
    // its slots.
    let (datapath, slot) = unsafe { (&*datapath.cast::<P>(), &*slot.cast::<Slot<P>>()) };
    // SAFETY: the caller is in a read-side section with bottom halves off.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::new()) };
    // SAFETY: the packet has one reference, which the caller gives to us.
    let packet = unsafe { Skb::from_raw(skb) };
    if datapath.send(slot, packet, reader, cpu) {
        0
    } else {
        ENOTCONN.to_errno()
    }
}

/// What gives sockets their blocks: a [`SocketBlocks`]. Said once in the crate, as it defines the functions
/// that C calls.
macro_rules! sockets {
    ($blocks:ty) => {
        /// # Safety
        ///
        /// See [`open`]($crate::sys::sock::open).
        #[no_mangle]
        unsafe extern "C" fn lana_sock_new(
            net: *mut $crate::sys::bindings::net,
            sk: *mut $crate::sys::bindings::sock,
            block: *mut $crate::sys::bindings::lana_sock_block,
        ) -> ::core::ffi::c_int {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::sock::open::<$blocks>(net, sk, block) }
        }

        /// # Safety
        ///
        /// See [`gone`]($crate::sys::sock::gone).
        #[no_mangle]
        unsafe extern "C" fn lana_sock_gone(block: *mut $crate::sys::bindings::lana_sock_block) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::sock::gone::<$blocks>(block) }
        }

        /// # Safety
        ///
        /// See [`rename`]($crate::sys::sock::rename).
        #[no_mangle]
        unsafe extern "C" fn lana_sock_rename(
            net: *mut $crate::sys::bindings::net,
            idp: u32,
            name: *const ::core::ffi::c_char,
            len: usize,
        ) -> ::core::ffi::c_int {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::sock::rename::<$blocks>(net, idp, name, len) }
        }

        /// # Safety
        ///
        /// See [`name`]($crate::sys::sock::name).
        #[no_mangle]
        unsafe extern "C" fn lana_sock_name(
            net: *mut $crate::sys::bindings::net,
            idp: u32,
            to: *mut ::core::ffi::c_char,
        ) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::sock::name::<$blocks>(net, idp, to) }
        }
    };
}
pub(crate) use sockets;
