// SPDX-License-Identifier: GPL-2.0

//! The names of devices by their numbers.

use anyhow::Result;
use lana_netlink::devices;
use std::collections::HashMap;

/// The devices of the network namespace.
#[derive(Debug, Default)]
pub(crate) struct Devices(HashMap<u32, String>);

impl Devices {
    /// Those that are there now.
    pub(super) fn read() -> Result<Self> {
        let all = devices()?.into_iter();
        Ok(Devices(
            all.map(|(name, link)| (link.index, name)).collect(),
        ))
    }

    /// The name; of one that is gone its number, and nothing of none.
    pub(super) fn name(&self, index: u32) -> String {
        match (index, self.0.get(&index)) {
            (0, _) => String::new(),
            (_, Some(name)) => name.clone(),
            (number, None) => format!("#{number}"),
        }
    }

    /// Whether a device has this name, or else this number.
    pub(super) fn is(&self, index: u32, text: &str) -> bool {
        match self.0.get(&index) {
            Some(name) if name == text => true,
            _ => text.parse() == Ok(index) && !self.has(text),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.values().any(|known| known == name)
    }

    /// Whether it is the name of a device, or a number.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.has(text) || text.parse::<u32>().is_ok()
    }

    #[cfg(test)]
    pub(super) fn of(devices: &[(u32, &str)]) -> Self {
        let devices = devices.iter();
        Devices(
            devices
                .map(|(index, name)| (*index, (*name).to_owned()))
                .collect(),
        )
    }
}
