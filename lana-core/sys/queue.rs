// SPDX-License-Identifier: GPL-2.0

//! Lists of packets, linked through the packets themselves.

use super::{bindings, packets::Packets, skb::Skb};
use core::{cell::Cell, marker::PhantomData, mem::MaybeUninit, ptr, ptr::NonNull};

/// Packets that wait, first in first out, each with a `T` in its control buffer, which is ours while the
/// packet is in the engine.
///
/// # Invariants
///
/// `head` begins a list, linked by `next` and ended by null, of packets that the queue owns, each
/// with a `T` in its control buffer; where there is one, `tail` is the last of them.
pub(crate) struct Queue<T: Copy> {
    head: Cell<*mut bindings::sk_buff>,
    tail: Cell<MaybeUninit<*mut bindings::sk_buff>>,
    _tags: PhantomData<Cell<T>>,
}

impl<T: Copy> Queue<T> {
    const FITS: () = {
        let skb = core::mem::MaybeUninit::<bindings::sk_buff>::uninit();
        // SAFETY: only the type of the field is looked at.
        let cb = unsafe { &raw const (*skb.as_ptr()).cb };
        assert!(size_of::<T>() <= size_of_pointee(cb));
    };

    #[inline]
    pub(crate) fn new() -> Self {
        let () = Self::FITS;
        Self {
            head: Cell::new(ptr::null_mut()),
            // Nobody reads it: that saves the packets a store of which none waits.
            tail: Cell::new(MaybeUninit::uninit()),
            _tags: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Takes a packet, or gives it back where it is shared and there is no memory.
    pub(crate) fn push(&self, mut packet: Skb, tag: T) -> Result<(), Skb> {
        if !packet.unshare() {
            return Err(packet);
        }
        let skb = packet.into_raw();
        // SAFETY: the buffer is live and ours; `next` and the control buffer are the owner's to
        // use, and `FITS` says that the buffer is large enough.
        unsafe {
            (&raw mut (*skb).cb).cast::<T>().write_unaligned(tag);
            set_next(skb, ptr::null_mut());
        }
        if self.is_empty() {
            self.head.set(skb);
        } else {
            // SAFETY: by the invariants there is a `tail`, which is live and ours.
            unsafe { set_next(self.tail.get().assume_init(), skb) };
        }
        // INVARIANT: the list is one longer.
        self.tail.set(MaybeUninit::new(skb));
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<(Skb, T)> {
        let skb = NonNull::new(self.head.get())?;
        // SAFETY: by the invariants `head` is live, ours, and carries a `T`.
        unsafe {
            self.head.set(get_next(skb.as_ptr()));
            set_next(skb.as_ptr(), ptr::null_mut());
            let tag = (&raw const (*skb.as_ptr()).cb).cast::<T>().read_unaligned();
            Some((Skb::from_raw(skb), tag))
        }
    }
}

impl<T: Copy + PartialEq> Queue<T> {
    /// Moves the first packet to an array that is empty, and of those behind it, as many as there is room
    /// for, all that have the same tag.
    pub(crate) fn pop_all<const N: usize>(&self, packets: &mut Packets<N>) -> Option<T> {
        let (first, tag) = self.pop()?;
        let _ = packets.push(first);
        // The link that leads to the packet looked at, and the packet that this is in.
        let (mut link, mut before) = (self.head.as_ptr(), ptr::null_mut());
        for _ in 1..N {
            // SAFETY: `link` is our head, or in a packet of ours; by the invariants it leads to another
            // one, with a `T`, or is null.
            unsafe {
                let Some(skb) = NonNull::new(*link) else {
                    break;
                };
                let cb = &raw const (*skb.as_ptr()).cb;
                if cb.cast::<T>().read_unaligned() != tag {
                    before = skb.as_ptr();
                    link = before.cast();
                    continue;
                }
                *link = get_next(skb.as_ptr());
                // There is a tail, as there was a packet.
                if self.tail.get().assume_init() == skb.as_ptr() {
                    // INVARIANT: where the list is empty now nobody looks at its tail.
                    self.tail.set(MaybeUninit::new(before));
                }
                set_next(skb.as_ptr(), ptr::null_mut());
                let _ = packets.push(Skb::from_raw(skb));
            }
        }
        Some(tag)
    }
}

impl<T: Copy> Drop for Queue<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// Packets as C hands them over.
///
/// # Invariants
///
/// `head` begins a list, linked by `next` and ended by null, of packets that the value owns.
pub(crate) struct List {
    head: *mut bindings::sk_buff,
}

impl List {
    /// Takes over a list.
    ///
    /// # Safety
    ///
    /// `head` begins a list, linked by `next` and ended by null, of packets that are given to us.
    #[inline(always)]
    pub(super) unsafe fn from_raw(head: *mut bindings::sk_buff) -> Self {
        // INVARIANT: by the contract.
        Self { head }
    }

    /// The first packet.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Skb> {
        let skb = NonNull::new(self.head)?;
        // SAFETY: by the invariants the packet is live and ours.
        unsafe {
            self.head = get_next(skb.as_ptr());
            set_next(skb.as_ptr(), ptr::null_mut());
            Some(Skb::from_raw(skb))
        }
    }
}

impl Drop for List {
    #[inline(always)]
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

const fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

/// # Safety
///
/// `skb` is live and the caller's.
#[inline]
unsafe fn set_next(skb: *mut bindings::sk_buff, next: *mut bindings::sk_buff) {
    // SAFETY: `next` is the first member of an `sk_buff`, so that lists of packets share the
    // layout of `sk_buff_list`; the caller owns the packet.
    unsafe { skb.cast::<*mut bindings::sk_buff>().write(next) };
}

/// # Safety
///
/// As for `set_next`.
#[inline]
unsafe fn get_next(skb: *mut bindings::sk_buff) -> *mut bindings::sk_buff {
    // SAFETY: by the caller's promise the packet is ours, and so are its first eight bytes, which hold a pointer.
    unsafe { skb.cast::<*mut bindings::sk_buff>().read() }
}
