// SPDX-License-Identifier: GPL-2.0

//! A packet with a number: what a verdict is made of.

/// A packet, or none, with a number that says what is to become of it. Small enough for two registers.
///
/// # Invariants
///
/// Where the number is 0, the packet is there.
#[must_use]
pub(crate) struct Coded<P> {
    packet: Option<P>,
    code: u32,
}

impl<P> Coded<P> {
    /// A packet with any number.
    #[inline]
    pub(crate) fn with(packet: P, code: u32) -> Self {
        // INVARIANT: it is there.
        Self {
            packet: Some(packet),
            code,
        }
    }

    /// No packet, and a number that is not 0.
    #[inline]
    pub(crate) fn without<const CODE: u32>(more: u32) -> Self {
        const { assert!(CODE != 0) };
        // INVARIANT: the number is not 0.
        Self {
            packet: None,
            code: CODE | more,
        }
    }

    /// The packet, where the number is 0; else what there is.
    #[inline(always)]
    pub(crate) fn open(self) -> Result<P, (Option<P>, u32)> {
        if self.code == 0 {
            // SAFETY: by the type's invariant.
            return Ok(unsafe { self.packet.unwrap_unchecked() });
        }
        Err((self.packet, self.code))
    }
}
