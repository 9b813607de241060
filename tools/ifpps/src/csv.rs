// SPDX-License-Identifier: GPL-2.0

//! CSV: a line for each device and interval.

use crate::rates::{Report, Way};
use std::fmt::Write;

/// Names of the columns that all lines have.
const COLUMNS: &str = "time,seconds,device,gone,\
rx_bytes_t,rx_packets_t,rx_drops_t,rx_errors_t,tx_bytes_t,tx_packets_t,tx_drops_t,tx_errors_t,\
rx_bytes,rx_packets,rx_drops,rx_errors,tx_bytes,tx_packets,tx_drops,tx_errors,\
cs_t,mem,running,iowait";

/// The line of the columns' names: those of each CPU are behind the others.
pub(crate) fn header(report: &Report) -> String {
    let mut line = COLUMNS.to_owned();
    for cpu in &report.cpus {
        for name in [
            "usr",
            "sys",
            "idl",
            "iow",
            "irq_t",
            "soirq_rx_t",
            "soirq_tx_t",
            "irq",
        ] {
            let _ = write!(line, ",cpu{}_{name}", cpu.number);
        }
    }
    line
}

/// The lines of a report, made at a time in seconds since 1970.
pub(crate) fn lines(report: &Report, time: f64) -> Vec<String> {
    let line = |device: &crate::rates::DeviceRates| {
        let mut line = format!(
            "{time:.3},{:.6},{},{}",
            report.seconds,
            field(&device.name),
            u8::from(device.gone)
        );
        let fields = |way: &Way| [way.bytes, way.packets, way.drops, way.errors];
        let counts = [fields(&device.rx), fields(&device.tx)].concat();
        for count in &counts {
            let _ = write!(line, ",{:.1}", count.rate);
        }
        for count in &counts {
            let _ = write!(line, ",{}", count.total);
        }
        let _ = write!(
            line,
            ",{:.0},{:.1},{},{}",
            report.switches, report.memory, report.running, report.iowait
        );
        for cpu in &report.cpus {
            let _ = write!(
                line,
                ",{:.1},{:.1},{:.1},{:.1},{:.0},{:.0},{:.0},{}",
                cpu.user,
                cpu.system,
                cpu.idle,
                cpu.iowait,
                cpu.irq.rate,
                cpu.soirq_rx.rate,
                cpu.soirq_tx.rate,
                cpu.irq.total
            );
        }
        line
    };
    report.devices.iter().map(line).collect()
}

/// A name may have commas and quotes.
fn field(text: &str) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::two;

    #[test]
    fn as_many_fields_as_names() {
        let report = two(3, 1000);
        let count = |line: &str| line.split(',').count();
        let lines = lines(&report, 1.5);
        assert_eq!(lines.len(), 2);
        assert_eq!(count(&lines[0]), count(&header(&report)));
        assert!(
            lines[0].starts_with("1.500,1.000000,eth0,0,64000.0,1000.0,1.0,0.0,640.0,"),
            "{}",
            lines[0]
        );
        assert_eq!(field("a,\"b"), "\"a,\"\"b\"");
    }
}
