// SPDX-License-Identifier: GPL-2.0

//! What a device has sent, by its own counters.

use super::{bindings, netdev::DeviceHandle, rcu};

impl DeviceHandle {
    /// What the device has sent since it is there, whoever had it sent: bytes and packets, as `ip -s link` shows them.
    /// `None` when it has gone. Asks its driver: not for each packet. Any context but hard interrupts.
    pub fn sent(&self) -> Option<[u64; 2]> {
        rcu::read(|reader| {
            let device = self.get(reader)?;
            let mut sent = [0; 2];
            // SAFETY: by the handle's invariants the device lives as long as the read-side section; the array is as long
            // as C wants.
            unsafe { bindings::lana_dev_sent(device.as_ptr(), sent.as_mut_ptr()) };
            Some(sent)
        })
    }
}
