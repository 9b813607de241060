// SPDX-License-Identifier: GPL-2.0

//! The state of all counters at one moment.

use crate::{
    blocks::Blocks,
    parse::{self, Device, Interrupt, Stat},
};
use anyhow::{Context, Result};
use lana_cli::{usage, Block};
use lana_netlink::errno_text;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// The counters.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) devices: BTreeMap<String, Device>,
    /// The interrupts of each device: of a queue each, mostly.
    pub(crate) interrupts: BTreeMap<String, Vec<Interrupt>>,
    /// Index and line rate (in Mbit/s) of each, and the bytes in flight by transmit queue.
    pub(crate) links: BTreeMap<String, Link>,
    pub(crate) stat: Stat,
    /// What is not available, and all, in kB.
    pub(crate) memory: (u64, u64),
    pub(crate) softirq_rx: BTreeMap<usize, u64>,
    pub(crate) softirq_tx: BTreeMap<usize, u64>,
    pub(crate) blocks: Vec<Block>,
}

/// What sysfs says of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) speed: Option<u64>,
    pub(crate) in_flight: BTreeMap<usize, u64>,
    pub(crate) rx_queues: usize,
    pub(crate) tx_queues: usize,
}

/// Where the counters are.
pub(crate) struct Source {
    root: PathBuf,
    devices: Vec<String>,
    blocks: Blocks,
}

impl Source {
    /// Of these devices, below a root; without any, of all but the loopback.
    pub(crate) fn new(root: &Path, devices: Vec<String>, blocks: Blocks) -> Self {
        Source {
            root: root.to_owned(),
            devices,
            blocks,
        }
    }

    fn read(&self, path: &str) -> Result<String> {
        let text = fs::read_to_string(self.root.join(path));
        text.map_err(|error| usage(errno_text(&error)))
            .with_context(|| format!("/{path}"))
    }

    /// A number in sysfs, if it has one.
    fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        let text = fs::read_to_string(self.root.join(path)).ok()?;
        text.trim().parse().ok()
    }

    /// Names in a folder of sysfs.
    fn names(&self, path: &str) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.root.join(path)) else {
            return BTreeSet::new();
        };
        let name =
            |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        entries.filter_map(name).collect()
    }

    /// Reads all of it.
    pub(crate) fn take(&mut self) -> Result<Sample> {
        let mut devices = parse::devices(&self.read("proc/net/dev")?);
        let at = Instant::now();
        let named = &self.devices;
        devices.retain(|name, _| {
            if named.is_empty() {
                name != "lo"
            } else {
                named.contains(name)
            }
        });
        // Some kernels have no interrupts to tell of.
        let all = parse::interrupts(&self.read("proc/interrupts").unwrap_or_default());
        let softirqs = self.read("proc/softirqs").unwrap_or_default();
        let links = devices
            .keys()
            .map(|name| (name.clone(), self.link(name)))
            .collect();
        let ours = |name: &String| (name.clone(), self.interrupts(name, &all));
        Ok(Sample {
            at,
            interrupts: devices.keys().map(ours).collect(),
            links,
            devices,
            stat: parse::stat(&self.read("proc/stat")?),
            memory: parse::memory(&self.read("proc/meminfo")?),
            softirq_rx: parse::softirqs(&softirqs, "NET_RX"),
            softirq_tx: parse::softirqs(&softirqs, "NET_TX"),
            blocks: self.blocks.read(),
        })
    }

    fn link(&self, name: &str) -> Link {
        let base = format!("sys/class/net/{name}");
        let queues = self.names(&format!("{base}/queues"));
        let count = |kind: &str| {
            queues
                .iter()
                .filter(|queue| queue.starts_with(kind))
                .count()
        };
        let in_flight = queues.iter().filter_map(|queue| {
            let path = format!("{base}/queues/{queue}/byte_queue_limits/inflight");
            let number = queue.strip_prefix("tx-")?.parse().ok()?;
            Some((number, self.number(&path)?))
        });
        Link {
            index: self.number(&format!("{base}/ifindex")).unwrap_or_default(),
            speed: self
                .number(&format!("{base}/speed"))
                .filter(|speed| *speed > 0),
            in_flight: in_flight.collect(),
            rx_queues: count("rx-"),
            tx_queues: count("tx-"),
        }
    }

    /// The interrupts of a device: those that bear its name, those that sysfs says are its device's, and
    /// those that bear its device's name, as those of virtio do.
    fn interrupts(&self, device: &str, all: &[Interrupt]) -> Vec<Interrupt> {
        let base = format!("sys/class/net/{device}/device");
        let mut numbers = self.names(&format!("{base}/msi_irqs"));
        numbers.extend(
            self.number::<u32>(&format!("{base}/irq"))
                .map(|irq| irq.to_string()),
        );
        let parent = fs::read_link(self.root.join(&base)).ok();
        let parent = parent
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        let bears = |name: &str, owner: &str| {
            name.split([' ', ',', '-', '.', '@'])
                .any(|word| word == owner)
        };
        let ours = |interrupt: &&Interrupt| {
            numbers.contains(&interrupt.number)
                || bears(&interrupt.name, device)
                || parent.is_some_and(|parent| bears(&interrupt.name, parent))
        };
        all.iter().filter(ours).cloned().collect()
    }
}
