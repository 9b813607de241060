// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: requests, dumps, messages, and the entry points that the generated table of
//! operations names.
//!
//! C headers: [`include/net/genetlink.h`](srctree/include/net/genetlink.h),
//! `netlink-gen.h` (generated)

use super::{bindings, net::Net};
use crate::{control, error::Failure, fail, graph::Graph};
use core::{
    ffi::{c_int, c_void},
    marker::PhantomData,
    ptr,
    ptr::NonNull,
    slice,
};
use kernel::{error::to_result, prelude::*};

/// The registered family; dropping it ends all requests first.
pub(crate) struct Family(());

impl Family {
    /// Registers the family. Requests come from then on. Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: the family's table names the functions of this file.
        to_result(unsafe { bindings::lana_genl_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // SAFETY: registered.
        unsafe { bindings::lana_genl_unregister() };
    }
}

/// How many attributes a set can have, of those that requests use.
const TABLE: usize = bindings::LANA_A_FB_OPTION as usize + 1;

/// The attributes of a request, or of an operation in one.
///
/// # Invariants
///
/// The attributes are part of a message that the kernel has checked, and that lives for `'a`; the
/// extended ack is null or lives as long.
pub(crate) struct Attrs<'a> {
    table: [*mut bindings::nlattr; TABLE],
    /// What they are in, where that is not the message itself.
    nest: *const bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
    _message: PhantomData<&'a ()>,
}

impl<'a> Attrs<'a> {
    fn attr(&self, attr: u32) -> Option<NonNull<bindings::nlattr>> {
        self.table
            .get(attr as usize)
            .copied()
            .and_then(NonNull::new)
    }

    /// A text that must be there, without its NUL.
    pub(crate) fn str(&self, attr: u32) -> Result<&'a [u8], Failure> {
        match self.attr(attr) {
            // SAFETY: by the type's invariants.
            Some(attr) => Ok(unsafe { text(attr) }),
            None => {
                // SAFETY: the extended ack is null or live.
                unsafe { bindings::lana_extack_missing(self.extack, self.nest, attr) };
                Err(fail!(EINVAL, "an attribute is missing"))
            }
        }
    }

    /// Whether an attribute is there.
    pub(crate) fn has(&self, attr: u32) -> bool {
        self.attr(attr).is_some()
    }

    /// The key and the value of an option that must be there.
    pub(crate) fn option(&self, attr: u32) -> Result<(&'a [u8], &'a [u8]), Failure> {
        self.str(attr)?;
        let nest = self.attr(attr).ok_or(EINVAL)?;
        // SAFETY: a part of the same message; the policy says that it is a nest.
        let option = unsafe { Self::within(nest, bindings::LANA_A_OPTION_MAX, self.extack) };
        let part = |number: u32, what: &str| {
            let found = option.attr(number);
            found
                // SAFETY: what parsing found is in the request's message.
                .map(|found| unsafe { text(found) })
                .ok_or_else(|| fail!(EINVAL, "the option has no {}", what).at(attr))
        };
        Ok((
            part(bindings::LANA_A_OPTION_KEY, "key")?,
            part(bindings::LANA_A_OPTION_VALUE, "value")?,
        ))
    }

    /// The attributes in a nest.
    ///
    /// # Safety
    ///
    /// The nest is a part of a message that the kernel has checked, and that lives for `'a`; the
    /// extended ack is null or lives as long.
    unsafe fn within(
        nest: NonNull<bindings::nlattr>,
        max: u32,
        extack: *mut bindings::netlink_ext_ack,
    ) -> Self {
        let mut attrs = Self {
            table: [ptr::null_mut(); TABLE],
            nest: nest.as_ptr(),
            extack,
            _message: PhantomData,
        };
        let max = max.min((TABLE as u32).wrapping_sub(1));
        // SAFETY: the table is as long, and the nest was checked. What fails to parse leaves
        // attributes out.
        unsafe { bindings::lana_nla_parse(attrs.table.as_mut_ptr(), max, nest.as_ptr()) };
        attrs
    }

    /// A number, if it is there.
    pub(crate) fn u32(&self, attr: u32) -> Option<u32> {
        let attr = self.attr(attr)?;
        // SAFETY: by the type's invariants the attribute is in the message; the policy says that
        // it is a number of four bytes, which follow its header.
        Some(unsafe { attr.add(1).cast::<u32>().read_unaligned() })
    }

    /// Notes in the extended ack why this failed.
    pub(crate) fn note(&self, failure: &Failure) {
        let culprit = failure.culprit.and_then(|attr| self.attr(attr));
        let culprit = culprit.map_or(self.nest, |culprit| culprit.as_ptr());
        // SAFETY: by the type's invariants.
        unsafe { note(self.extack, failure, culprit) };
    }
}

/// Notes why something failed.
///
/// # Safety
///
/// The extended ack is null or live; the culprit is null or a part of what it is about.
pub(crate) unsafe fn note(
    extack: *mut bindings::netlink_ext_ack,
    failure: &Failure,
    culprit: *const bindings::nlattr,
) {
    let (text, len) = match &failure.text {
        Some(text) => (text.as_bytes().as_ptr(), text.as_bytes().len()),
        None => (ptr::null(), 0),
    };
    // SAFETY: the caller says that `extack` and `culprit` are null or live; the text is copied.
    unsafe { bindings::lana_extack_set(extack, text.cast(), len, culprit) };
}

/// An operation that changes the graph: a request of its own, or a part of a transaction.
pub(crate) struct Operation<'a> {
    /// Which one, as `LANA_A_OP_*`.
    pub(crate) kind: u32,
    pub(crate) attrs: Attrs<'a>,
}

/// The highest attribute of an operation.
fn operation_max(kind: u32) -> u32 {
    match kind {
        bindings::LANA_A_OP_FB_NEW | bindings::LANA_A_OP_FB_DEL | bindings::LANA_A_OP_FB_SET => {
            bindings::LANA_A_FB_OPTION
        }
        bindings::LANA_A_OP_BIND | bindings::LANA_A_OP_UNBIND => bindings::LANA_A_BINDING_MAX,
        bindings::LANA_A_OP_SUBSCRIBE | bindings::LANA_A_OP_UNSUBSCRIBE => {
            bindings::LANA_A_SUBSCRIPTION_MAX
        }
        bindings::LANA_A_OP_REPLACE => bindings::LANA_A_REPLACEMENT_MAX,
        _ => bindings::LANA_A_VLINK_MAX,
    }
}

/// A request that is being served.
///
/// # Invariants
///
/// `skb` and `info` are what the kernel called the operation with, and the call goes on for `'a`. The
/// array of attributes goes up to `max`, the highest that the operation accepts.
pub(crate) struct Request<'a> {
    info: &'a bindings::genl_info,
    skb: NonNull<bindings::sk_buff>,
    max: u32,
    /// The one operation that it is, or none for a transaction.
    operation: Option<u32>,
}

impl<'a> Request<'a> {
    /// The attributes of the request.
    pub(crate) fn attrs(&self) -> Attrs<'a> {
        let mut table = [ptr::null_mut(); TABLE];
        let count = (self.max as usize).saturating_add(1);
        for (attr, to) in table.iter_mut().enumerate().take(count) {
            // SAFETY: by the type's invariants the array goes as far.
            *to = unsafe { *self.info.attrs.add(attr) };
        }
        // INVARIANT: by the type's invariants.
        Attrs {
            table,
            nest: ptr::null(),
            extack: self.info.extack,
            _message: PhantomData,
        }
    }

    /// Notes why the request failed as a whole.
    pub(crate) fn note(&self, failure: &Failure) {
        // SAFETY: by the type's invariants the extended ack is null or live.
        unsafe { note(self.info.extack, failure, ptr::null()) };
    }

    /// Does something for each operation of the request, in their order. The first failure ends
    /// it, and is noted with the operation at fault.
    pub(crate) fn each_operation(
        &self,
        mut f: impl FnMut(&Operation<'a>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut each = |operation: &Operation<'a>| {
            f(operation).inspect_err(|failure| operation.attrs.note(failure))
        };
        if let Some(kind) = self.operation {
            let attrs = self.attrs();
            return each(&Operation { kind, attrs });
        }
        let info = ptr::from_ref(self.info);
        let mut nest: *const bindings::nlattr = ptr::null();
        loop {
            let attr = bindings::LANA_A_TRANSACTION_OP as u16;
            // SAFETY: the request is live; `nest` is null or an attribute of it.
            nest = unsafe { bindings::lana_genl_attr(info, nest, attr) };
            if nest.is_null() {
                return Ok(());
            }
            // SAFETY: the policy says that it is a nest.
            let inner = unsafe { bindings::lana_nla_only(nest) };
            let Some(inner) = NonNull::new(inner.cast_mut()) else {
                let failure = fail!(EINVAL, "an operation is exactly one attribute");
                let attrs = Attrs {
                    nest,
                    ..self.attrs()
                };
                attrs.note(&failure);
                return Err(failure);
            };
            // SAFETY: the attribute is live, and its type is without flags once they are masked.
            let kind = u32::from(unsafe { (*inner.as_ptr()).nla_type }) & 0x3fff;
            // SAFETY: a part of the request, and by the policy a nest.
            let attrs = unsafe { Attrs::within(inner, operation_max(kind), self.info.extack) };
            each(&Operation { kind, attrs })?;
        }
    }

    /// The graph of the namespace that the request came from.
    pub(crate) fn graph(&self) -> Result<&'a Graph> {
        // SAFETY: the socket keeps the namespace, and the family goes before the graphs do.
        unsafe {
            let net = bindings::lana_genl_net(ptr::from_ref(self.info).cast_mut());
            super::net::graph_of(net)
        }
        .ok_or(ENODEV)
    }

    /// Whether who asks may see how blocks are configured.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: by the type's invariants the request is live.
        unsafe { bindings::lana_genl_capable(self.skb.as_ptr()) }
    }

    /// Answers with a message, as long as it needs to be.
    pub(crate) fn reply(
        &self,
        cmd: u32,
        mut fill: impl FnMut(&mut Message) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const MAX: usize = 1 << 20;
        let mut size = 4096;
        loop {
            let mut msg = Message::new(size)?;
            let head = msg.begin(self.info.snd_portid, self.info.snd_seq, 0, cmd)?;
            match fill(&mut msg) {
                Ok(()) => {
                    msg.end(head);
                    let skb = msg.into_raw();
                    let info = ptr::from_ref(self.info).cast_mut();
                    // SAFETY: the message is complete and given away.
                    to_result(unsafe { bindings::lana_genl_reply(skb, info) })?;
                    return Ok(());
                }
                Err(e) if e.error == EMSGSIZE && size < MAX => size = size.saturating_mul(2),
                Err(e) => return Err(e),
            }
        }
    }
}

/// The text of an attribute that the policy says ends with NUL.
///
/// # Safety
///
/// The attribute is one of a message that the kernel has checked, and that lives for `'a`.
unsafe fn text<'a>(attr: NonNull<bindings::nlattr>) -> &'a [u8] {
    const HEADER: usize = size_of::<bindings::nlattr>();
    // SAFETY: the kernel has checked the message, so the attribute's length lies within it.
    let bytes = unsafe {
        let len = usize::from((*attr.as_ptr()).nla_len).saturating_sub(HEADER);
        slice::from_raw_parts(attr.as_ptr().cast::<u8>().add(HEADER), len)
    };
    bytes.split(|&b| b == 0).next().unwrap_or_default()
}

/// A message that is being written.
///
/// # Invariants
///
/// The pointer is a live buffer. An owned one is this value's to free.
pub(crate) struct Message {
    skb: NonNull<bindings::sk_buff>,
    owned: bool,
}

/// The beginning of a message in its buffer.
struct Head(NonNull<c_void>);

impl Message {
    fn new(size: usize) -> Result<Self> {
        // SAFETY: no preconditions.
        let skb = unsafe { bindings::lana_genl_new(size) };
        Ok(Self {
            skb: NonNull::new(skb).ok_or(ENOMEM)?,
            owned: true,
        })
    }

    fn into_raw(mut self) -> *mut bindings::sk_buff {
        self.owned = false;
        self.skb.as_ptr()
    }

    fn begin(&mut self, portid: u32, seq: u32, flags: u32, cmd: u32) -> Result<Head> {
        // SAFETY: the buffer is live.
        let head = unsafe {
            bindings::lana_genl_put(self.skb.as_ptr(), portid, seq, flags as c_int, cmd as u8)
        };
        NonNull::new(head).map(Head).ok_or(EMSGSIZE)
    }

    fn end(&mut self, head: Head) {
        // SAFETY: the message was begun in this buffer.
        unsafe { bindings::lana_genl_end(self.skb.as_ptr(), head.0.as_ptr()) };
    }

    fn cancel(&mut self, head: Head) {
        // SAFETY: the message was begun in this buffer.
        unsafe { bindings::lana_genl_cancel(self.skb.as_ptr(), head.0.as_ptr()) };
    }

    fn put(&mut self, attr: u32, data: &[u8]) -> Result {
        const MAX: usize = u16::MAX as usize - size_of::<bindings::nlattr>();
        if data.len() > MAX {
            return Err(EMSGSIZE);
        }
        // SAFETY: the buffer is live, the data readable.
        to_result(unsafe {
            bindings::lana_nla_put(
                self.skb.as_ptr(),
                attr as u16,
                data.as_ptr().cast(),
                data.len(),
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

/// A dump that is being written, in several calls. The cursor says where it stands.
///
/// # Invariants
///
/// The callback is what the kernel called the operation with, and the call goes on for `'a`.
pub(crate) struct Dump<'a> {
    cb: &'a mut bindings::netlink_callback,
    msg: Message,
}

impl<'a> Dump<'a> {
    /// The graph of the namespace that the request came from.
    pub(crate) fn graph(&self) -> Result<&'a Graph> {
        // SAFETY: the socket keeps the namespace, and the family goes before the graphs do.
        unsafe {
            let cb = ptr::from_ref(&*self.cb).cast_mut();
            super::net::graph_of(bindings::lana_genl_dump_net(cb))
        }
        .ok_or(ENODEV)
    }

    /// Whether who asks may see how blocks are configured.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: the request lives as long as the callback.
        unsafe { bindings::lana_genl_capable(self.cb.skb) }
    }

    /// Where the dump stands; 0 at first.
    pub(crate) fn cursor(&self) -> u64 {
        // SAFETY: netlink keeps 48 bytes, aligned for pointers and zero at first, for a dump
        // between its calls.
        unsafe { (&raw const self.cb.__bindgen_anon_1).cast::<u64>().read() }
    }

    /// Moves on.
    pub(crate) fn set_cursor(&mut self, cursor: u64) {
        // SAFETY: as in `cursor`.
        unsafe {
            (&raw mut self.cb.__bindgen_anon_1)
                .cast::<u64>()
                .write(cursor)
        };
    }

    /// Says which state of things the messages from here on show. When it is another one than that
    /// of those before, they are marked as of an interrupted dump.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.cb.seq = generation;
    }

    /// Whether this call has written no message yet.
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: the buffer is live.
        unsafe { (*self.msg.skb.as_ptr()).len == 0 }
    }

    /// Writes a message; false when it does not fit any more.
    pub(crate) fn message(
        &mut self,
        cmd: u32,
        fill: impl FnOnce(&mut Message) -> Result,
    ) -> Result<bool> {
        const NLM_F_MULTI: u32 = 2;
        // SAFETY: the request lives as long as the callback.
        let (seq, portid) = unsafe {
            let portid = bindings::lana_genl_dump_portid(self.cb);
            ((*self.cb.nlh).nlmsg_seq, portid)
        };
        let head = match self.msg.begin(portid, seq, NLM_F_MULTI, cmd) {
            Ok(head) => head,
            Err(_) => return Ok(false),
        };
        match fill(&mut self.msg) {
            Ok(()) => {
                // SAFETY: the callback is live, and the message was begun in this buffer.
                unsafe { bindings::lana_genl_dump_check(self.cb, head.0.as_ptr()) };
                self.msg.end(head);
                Ok(true)
            }
            Err(e) => {
                self.msg.cancel(head);
                if e == EMSGSIZE {
                    Ok(false)
                } else {
                    Err(e)
                }
            }
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

/// # Safety
///
/// Called by the kernel for a request; `max` is the highest attribute that the operation accepts.
unsafe fn serve(
    skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
    max: u32,
    operation: Option<u32>,
    serve: fn(&Request<'_>) -> Result<(), Failure>,
) -> c_int {
    let Some(skb) = NonNull::new(skb) else {
        return EINVAL.to_errno();
    };
    // SAFETY: the kernel gives a live `info` for as long as the call takes.
    let info = unsafe { &*info };
    // INVARIANT: the call goes on until we return.
    let request = Request {
        info,
        skb,
        max,
        operation,
    };
    match serve(&request) {
        Ok(()) => 0,
        Err(failure) => failure.error.to_errno(),
    }
}

/// # Safety
///
/// Called by the kernel for a dump.
unsafe fn serve_dump(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
    operation: fn(&mut Dump<'_>) -> Result,
) -> c_int {
    let Some(skb) = NonNull::new(skb) else {
        return EINVAL.to_errno();
    };
    // SAFETY: the kernel gives a live `cb`, to this call alone.
    let cb = unsafe { &mut *cb };
    // INVARIANT: the call goes on until we return; the buffer is the kernel's.
    let mut dump = Dump {
        cb,
        msg: Message { skb, owned: false },
    };
    match operation(&mut dump) {
        // SAFETY: the buffer is live. Its length asks for another call, none ends the dump.
        Ok(()) => unsafe { (*skb.as_ptr()).len as c_int },
        Err(e) => e.to_errno(),
    }
}

macro_rules! operations {
    (
        get { $($get:ident up to $get_max:ident => $f:path,)* }
        change { $($change:ident up to $max:ident => $operation:expr,)* }
        dump { $($dump:ident => $g:path,)* }
    ) => {
        $(
            /// # Safety
            ///
            /// Called by the kernel for a request.
            #[no_mangle]
            unsafe extern "C" fn $get(
                skb: *mut bindings::sk_buff,
                info: *mut bindings::genl_info,
            ) -> c_int {
                // SAFETY: the kernel calls this for a request, as `serve` wants it.
                unsafe { serve(skb, info, bindings::$get_max, None, $f) }
            }
        )*
        $(
            /// # Safety
            ///
            /// Called by the kernel for a request.
            #[no_mangle]
            unsafe extern "C" fn $change(
                skb: *mut bindings::sk_buff,
                info: *mut bindings::genl_info,
            ) -> c_int {
                // SAFETY: the kernel calls this for a request, as `serve` wants it.
                unsafe { serve(skb, info, bindings::$max, $operation, control::change) }
            }
        )*
        $(
            /// # Safety
            ///
            /// Called by the kernel for a dump.
            #[no_mangle]
            unsafe extern "C" fn $dump(
                skb: *mut bindings::sk_buff,
                cb: *mut bindings::netlink_callback,
            ) -> c_int {
                // SAFETY: the kernel calls this for a dump, as `serve_dump` wants it.
                unsafe { serve_dump(skb, cb, $g) }
            }
        )*
    };
}

operations! {
    get {
        lana_nl_fb_get_doit up to LANA_A_FB_NAME => control::fb_get,
    }
    change {
        lana_nl_fb_new_doit up to LANA_A_FB_TYPE => Some(bindings::LANA_A_OP_FB_NEW),
        lana_nl_fb_del_doit up to LANA_A_FB_NAME => Some(bindings::LANA_A_OP_FB_DEL),
        lana_nl_fb_set_doit up to LANA_A_FB_OPTION => Some(bindings::LANA_A_OP_FB_SET),
        lana_nl_bind_doit up to LANA_A_BINDING_LOWER => Some(bindings::LANA_A_OP_BIND),
        lana_nl_unbind_doit up to LANA_A_BINDING_LOWER => Some(bindings::LANA_A_OP_UNBIND),
        lana_nl_subscribe_doit up to LANA_A_SUBSCRIPTION_PUBLISHER
            => Some(bindings::LANA_A_OP_SUBSCRIBE),
        lana_nl_unsubscribe_doit up to LANA_A_SUBSCRIPTION_PUBLISHER
            => Some(bindings::LANA_A_OP_UNSUBSCRIBE),
        lana_nl_replace_doit up to LANA_A_REPLACEMENT_DROP_STATE
            => Some(bindings::LANA_A_OP_REPLACE),
        lana_nl_vlink_hook_doit up to LANA_A_VLINK_FB => Some(bindings::LANA_A_OP_VLINK_HOOK),
        lana_nl_vlink_new_doit up to LANA_A_VLINK_FB => Some(bindings::LANA_A_OP_VLINK_NEW),
        lana_nl_vlink_del_doit up to LANA_A_VLINK_FB => Some(bindings::LANA_A_OP_VLINK_DEL),
        lana_nl_vlink_unhook_doit up to LANA_A_VLINK_FB
            => Some(bindings::LANA_A_OP_VLINK_UNHOOK),
        lana_nl_transact_doit up to LANA_A_TRANSACTION_OP => None,
    }
    dump {
        lana_nl_fb_get_dumpit => control::fb_get_dump,
        lana_nl_type_get_dumpit => control::type_get_dump,
        lana_nl_ppe_get_dumpit => control::ppe_get_dump,
        lana_nl_vlink_get_dumpit => control::vlink_get_dump,
    }
}
