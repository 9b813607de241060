// SPDX-License-Identifier: GPL-2.0

//! The files of `/proc`, from text to numbers. What is not understood counts as 0, or is not there.

use std::collections::BTreeMap;

/// One way of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) errors: u64,
    pub(crate) drops: u64,
}

/// A device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) rx: Side,
    pub(crate) tx: Side,
}

/// What a CPU has done, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) user: u64,
    pub(crate) system: u64,
    pub(crate) idle: u64,
    pub(crate) iowait: u64,
    pub(crate) other: u64,
}

/// `/proc/stat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) cpus: BTreeMap<usize, Ticks>,
    pub(crate) switches: u64,
    pub(crate) running: u64,
    pub(crate) blocked: u64,
}

/// A line of `/proc/interrupts`: number or word, what it is for, and how often by CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interrupt {
    pub(crate) number: String,
    pub(crate) name: String,
    pub(crate) counts: BTreeMap<usize, u64>,
}

fn number(word: Option<&&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

/// `/proc/net/dev`, by name.
pub(crate) fn devices(text: &str) -> BTreeMap<String, Device> {
    let line = |line: &str| {
        // Names have no blanks, but may have a colon.
        let (name, counts) = line.rsplit_once(':')?;
        let words = words(counts);
        let side = |at: usize| Side {
            bytes: number(words.get(at)),
            packets: number(words.get(at + 1)),
            errors: number(words.get(at + 2)),
            drops: number(words.get(at + 3)),
        };
        let (rx, tx) = (side(0), side(8));
        (words.len() >= 16).then(|| (name.trim().to_owned(), Device { rx, tx }))
    };
    text.lines().filter_map(line).collect()
}

/// The CPUs of a table that begins with `CPU0 CPU1 ...`: those that are on, by column.
fn columns(head: Option<&str>) -> Vec<usize> {
    let head = words(head.unwrap_or_default());
    head.iter()
        .filter_map(|word| word.strip_prefix("CPU")?.parse().ok())
        .collect()
}

/// A line of `/proc/softirqs`, by CPU.
pub(crate) fn softirqs(text: &str, name: &str) -> BTreeMap<usize, u64> {
    let mut lines = text.lines();
    let cpus = columns(lines.next());
    let line = lines.find_map(|line| {
        let (word, counts) = line.split_once(':')?;
        (word.trim() == name).then_some(counts)
    });
    let counts = words(line.unwrap_or_default());
    let counts = counts.iter().map(|word| number(Some(word)));
    cpus.into_iter().zip(counts).collect()
}

/// `/proc/interrupts`.
pub(crate) fn interrupts(text: &str) -> Vec<Interrupt> {
    let mut lines = text.lines();
    let cpus = columns(lines.next());
    let line = |line: &str| {
        let (id, rest) = line.split_once(':')?;
        let words = words(rest);
        let counts = words.iter().map_while(|word| word.parse().ok());
        let counts: BTreeMap<_, _> = cpus.iter().copied().zip(counts).collect();
        Some(Interrupt {
            number: id.trim().to_owned(),
            name: words.get(counts.len()..)?.join(" "),
            counts,
        })
    };
    lines.filter_map(line).collect()
}

/// `/proc/stat`.
pub(crate) fn stat(text: &str) -> Stat {
    let mut stat = Stat::default();
    for line in text.lines() {
        let words = words(line);
        let at = |i: usize| number(words.get(i));
        match words.first().copied() {
            Some("ctxt") => stat.switches = at(1),
            Some("procs_running") => stat.running = at(1),
            Some("procs_blocked") => stat.blocked = at(1),
            Some(word) => {
                let cpu = word.strip_prefix("cpu").and_then(|cpu| cpu.parse().ok());
                let Some(cpu) = cpu else { continue };
                // user nice system idle iowait irq softirq steal
                let ticks = Ticks {
                    user: at(1).saturating_add(at(2)),
                    system: at(3).saturating_add(at(6)).saturating_add(at(7)),
                    idle: at(4),
                    iowait: at(5),
                    other: at(8),
                };
                stat.cpus.insert(cpu, ticks);
            }
            None => {}
        }
    }
    stat
}

/// `/proc/meminfo`: how much of the memory is not available, and how much there is, in kB.
pub(crate) fn memory(text: &str) -> (u64, u64) {
    let value = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        number(words(line.unwrap_or_default()).first())
    };
    let total = value("MemTotal");
    let free = match value("MemAvailable") {
        0 => value("MemFree"),
        available => available,
    };
    (total.saturating_sub(free), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    9783      91    0    0    0     0          0         0     9783      91    0    0    0     0       0          0
eth0:1:10034225854  193069    1    2    0     0          0         0 18446744073709551615  111305    3    4    0     0       0          0
";
    const INTERRUPTS: &str = "\
           CPU0       CPU2
 24:          1          0  IO-APIC   5-edge      ACPI:Ged
 29:         10         20  PCI-MSIX-0000:00:01.0   1-edge      virtio0-input.0
NMI:          5          6   Non-maskable interrupts
ERR:          7
";
    const STAT: &str = "\
cpu  2234806 823161 990392 1731979 7171 0 5302 1759 0 0
cpu0 100 10 50 1000 7 3 4 9 0 0
cpu12 1 2 3 4 5 6 7
ctxt 12345
procs_running 3
procs_blocked 1
";

    #[test]
    fn devices_by_name() {
        let found = devices(DEV);
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["eth0:1", "lo"]);
        let eth0 = &found["eth0:1"];
        assert_eq!(
            (eth0.rx.packets, eth0.rx.errors, eth0.rx.drops),
            (193_069, 1, 2)
        );
        assert_eq!(
            (eth0.tx.bytes, eth0.tx.errors, eth0.tx.drops),
            (u64::MAX, 3, 4)
        );
    }

    #[test]
    fn columns_are_those_of_cpus_that_are_on() {
        let text = "      CPU0   CPU2\nNET_TX:  4  2\nNET_RX: 19880396 6567250\n";
        assert_eq!(
            softirqs(text, "NET_RX"),
            [(0, 19_880_396), (2, 6_567_250)].into()
        );
        assert!(softirqs(text, "RX").is_empty());
        let found = interrupts(INTERRUPTS);
        assert_eq!(found.len(), 4);
        assert_eq!(found[1].number, "29");
        assert_eq!(found[1].counts, [(0, 10), (2, 20)].into());
        assert_eq!(
            found[1].name,
            "PCI-MSIX-0000:00:01.0 1-edge virtio0-input.0"
        );
        assert_eq!(found[3].counts, [(0, 7)].into());
    }

    #[test]
    fn system() {
        let found = stat(STAT);
        assert_eq!(
            (found.switches, found.running, found.blocked),
            (12345, 3, 1)
        );
        assert_eq!(found.cpus.keys().copied().collect::<Vec<_>>(), [0, 12]);
        let ticks = Ticks {
            user: 110,
            system: 57,
            idle: 1000,
            iowait: 7,
            other: 9,
        };
        assert_eq!(found.cpus[&0], ticks);
        let text = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n";
        assert_eq!(memory(text), (750, 1000));
        assert_eq!(memory(""), (0, 0));
    }

    /// Bent texts: nothing panics.
    #[test]
    fn anything_is_read() {
        let mut random = 7_u32;
        for text in [DEV, INTERRUPTS, STAT] {
            for _ in 0..5000 {
                let mut bytes = text.as_bytes().to_vec();
                for _ in 0..4 {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = random as usize / 256 % bytes.len();
                    bytes[at] = b" :\n9-C\xff"[random as usize % 7];
                }
                let text = String::from_utf8_lossy(&bytes);
                devices(&text);
                interrupts(&text);
                softirqs(&text, "NET_RX");
                stat(&text);
                memory(&text);
            }
        }
    }
}
