// SPDX-License-Identifier: GPL-2.0

//! Moves the interrupts of a device to the CPU that sends, and back at the end.

use std::{fs, path::PathBuf};

/// Interrupts that were moved, and where they were.
#[derive(Debug, Default)]
pub struct Moved(Vec<(PathBuf, String)>);

/// The numbers of a device's interrupts in the text of `/proc/interrupts`.
fn of_device<'a>(text: &'a str, device: &'a str) -> impl Iterator<Item = u32> + 'a {
    let is_device = move |word: &str| {
        let rest = word.trim_end_matches(',').strip_prefix(device);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '@']))
    };
    text.lines().filter_map(move |line| {
        let (number, rest) = line.split_once(':')?;
        rest.split_whitespace()
            .any(is_device)
            .then(|| number.trim().parse().ok())?
    })
}

impl Moved {
    /// Moves all of a device to a CPU. One that cannot be moved stays.
    pub fn to(device: &str, cpu: usize) -> Self {
        let text = fs::read_to_string("/proc/interrupts").unwrap_or_default();
        let mut moved = Moved::default();
        for number in of_device(&text, device) {
            let file = PathBuf::from(format!("/proc/irq/{number}/smp_affinity_list"));
            let Ok(was) = fs::read_to_string(&file) else {
                continue;
            };
            if fs::write(&file, cpu.to_string()).is_ok() {
                moved.0.push((file, was));
            }
        }
        moved
    }

    /// How many were moved.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        for (file, was) in &self.0 {
            // It may have gone with its device.
            let _ = fs::write(file, was);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_are_found_by_the_device() {
        let text = "           CPU0       CPU1\n  0:         41          0   IO-APIC   2-edge      timer\n \
                    24:      99876          0   PCI-MSI 1-edge      eth0-rx-0\n 25:  1  0  PCI-MSI 2-edge   eth0\n \
                    26:  1  0  PCI-MSI 2-edge   eth01\n 27: 1 0 IO-APIC 3-edge uhci_hcd, eth0\nNMI: 0 0 eth0";
        assert_eq!(of_device(text, "eth0").collect::<Vec<_>>(), [24, 25, 27]);
        assert_eq!(of_device(text, "eth").count(), 0);
    }
}
