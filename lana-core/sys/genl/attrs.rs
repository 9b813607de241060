// SPDX-License-Identifier: GPL-2.0

//! The attributes of a request, and the extended ack that names one at fault.
//!
//! C header: [`include/net/netlink.h`](srctree/include/net/netlink.h)

use super::super::bindings;
use crate::{base::error::Failure, fail};
use core::{marker::PhantomData, ptr, ptr::NonNull, slice};
use kernel::prelude::*;

/// How many attributes a set can have, of those that requests use.
pub(super) const TABLE: usize = bindings::LANA_A_PROBE_LOST as usize + 1;

/// The attributes of a request, or of an operation in one.
///
/// # Invariants
///
/// The attributes are part of a message that the kernel has checked, and that lives for `'a`; the
/// extended ack is null or lives as long.
pub(crate) struct Attrs<'a> {
    pub(super) table: [*mut bindings::nlattr; TABLE],
    /// What they are in, where that is not the message itself.
    pub(super) nest: *const bindings::nlattr,
    pub(super) extack: *mut bindings::netlink_ext_ack,
    pub(super) _message: PhantomData<&'a ()>,
}

/// An option in a request.
pub(crate) struct SetOption<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    /// The value goes on in the next operation.
    pub(crate) more: bool,
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
            // SAFETY: by the type's invariants the attribute is in the message, and checked.
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

    /// An option that must be there.
    pub(crate) fn option(&self, attr: u32) -> Result<SetOption<'a>, Failure> {
        self.str(attr)?;
        let nest = self.attr(attr).ok_or(EINVAL)?;
        // SAFETY: a part of the same message; the policy says that it is a nest.
        let option = unsafe { Self::within(nest, bindings::LANA_A_OPTION_MAX, self.extack) };
        // SAFETY: what parsing found is in the request's message.
        let part = |number| option.attr(number).map(|found| unsafe { text(found) });
        let key = part(bindings::LANA_A_OPTION_KEY);
        Ok(SetOption {
            key: key.ok_or_else(|| fail!(EINVAL, "the option has no key").at(attr))?,
            value: part(bindings::LANA_A_OPTION_VALUE),
            more: option.has(bindings::LANA_A_OPTION_MORE),
        })
    }

    /// The attributes in a nest.
    ///
    /// # Safety
    ///
    /// The nest is a part of a message that the kernel has checked, and that lives for `'a`; the
    /// extended ack is null or lives as long.
    pub(super) unsafe fn within(
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

    /// The same of one of four or eight bytes.
    pub(crate) fn uint(&self, attr: u32) -> Option<u64> {
        let attr = self.attr(attr)?;
        // SAFETY: by the type's invariants the attribute is in the message, and checked.
        Some(unsafe { bindings::lana_nla_get_uint(attr.as_ptr()) })
    }

    /// The bytes of an attribute, if it is there.
    pub(crate) fn bytes(&self, attr: u32) -> Option<&'a [u8]> {
        // SAFETY: by the type's invariants the attribute is in the message, and checked.
        self.attr(attr).map(|attr| unsafe { bytes(attr) })
    }

    /// Notes in the extended ack why this failed.
    pub(crate) fn note(&self, failure: &Failure) {
        let culprit = failure.culprit.and_then(|attr| self.attr(attr));
        let culprit = culprit.map_or(self.nest, |culprit| culprit.as_ptr());
        // SAFETY: by the type's invariants the extended ack is null or live, and the culprit is in the message.
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

/// The bytes of an attribute.
///
/// # Safety
///
/// The attribute is one of a message that the kernel has checked, and that lives for `'a`.
unsafe fn bytes<'a>(attr: NonNull<bindings::nlattr>) -> &'a [u8] {
    const HEADER: usize = size_of::<bindings::nlattr>();
    // SAFETY: the kernel has checked the message, so the attribute's length lies within it.
    unsafe {
        let len = usize::from((*attr.as_ptr()).nla_len).saturating_sub(HEADER);
        slice::from_raw_parts(attr.as_ptr().cast::<u8>().add(HEADER), len)
    }
}

/// The text of an attribute, up to its NUL.
///
/// # Safety
///
/// The attribute is one of a message that the kernel has checked, and that lives for `'a`.
pub(super) unsafe fn text<'a>(attr: NonNull<bindings::nlattr>) -> &'a [u8] {
    // SAFETY: the caller says the same.
    let bytes = unsafe { bytes(attr) };
    bytes.split(|&b| b == 0).next().unwrap_or_default()
}
