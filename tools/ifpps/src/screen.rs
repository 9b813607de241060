// SPDX-License-Identifier: GPL-2.0

//! The screen: as in the thesis, then queues and blocks.

use crate::{
    rates::{DeviceRates, Report, Way},
    view::View,
};
use lana_cli::{
    clean,
    screen::{alarm, bold},
};
use ratatui::{
    style::{Color, Style},
    text::{Line, Span},
    Frame,
};

const MIB: f64 = 1_048_576.0;

/// Draws a report.
pub(crate) fn draw(frame: &mut Frame<'_>, report: &Report, view: &mut View) {
    let lines = lines(report, view);
    let status = format!("q end  p pause  s sort: {}", view.sort.name());
    view.scroll.draw(frame, &[], &lines, &status);
}

/// All lines, of which the screen may show a part.
pub(crate) fn lines(report: &Report, view: &View) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for device in &report.devices {
        self::device(device, view, &mut lines);
    }
    if report.devices.is_empty() {
        lines.push(bold("Kernel net/sys statistics"));
        lines.push(Line::from("no device is there"));
    }
    lines.push(Line::default());
    lines.push(Line::from(format!(
        "SYS:  {:>10.0} cs/t  {:>9.1}% mem  {:>10} running  {:>7} iowait",
        report.switches, report.memory, report.running, report.iowait
    )));
    cpus(report, view, &mut lines);
    blocks(report, view, &mut lines);
    lines
}

fn device(device: &DeviceRates, view: &View, lines: &mut Vec<Line<'static>>) {
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    let name = clean(&device.name);
    lines.push(bold(format!("Kernel net/sys statistics for {name}")));
    lines.push(Line::default());
    if device.gone {
        let style = Style::new().fg(Color::Red);
        lines.push(Line::styled("the device is not there", style));
        return;
    }
    for (what, way) in [("RX", &device.rx), ("TX", &device.tx)] {
        lines.push(rates(what, way, view.percentage));
    }
    for (what, way) in [("RX", &device.rx), ("TX", &device.tx)] {
        lines.push(Line::from(format!(
            "{what}:  {:>12.3} MiB    {:>10} pkts    {:>8} drops    {:>8} errors",
            mib(way.bytes.total),
            way.packets.total,
            way.drops.total,
            way.errors.total
        )));
    }
    if device.rx_queues > 1 || device.tx_queues > 1 || !device.interrupts.is_empty() {
        lines.push(Line::default());
        let (rx, tx) = (device.rx_queues, device.tx_queues);
        lines.push(Line::from(format!("Queues: {rx} RX, {tx} TX")));
    }
    for line in &device.interrupts {
        lines.push(Line::from(format!(
            "IRQ {:<5}{:>10.0} irq/s/t  {:>12} irq/s  {}",
            line.interrupt,
            line.count.rate,
            line.count.total,
            clean(&line.name)
        )));
    }
    for (queue, bytes) in device.in_flight.iter().filter(|(_, bytes)| **bytes > 0) {
        lines.push(Line::from(format!(
            "TX{queue}: {bytes:>12} bytes in flight"
        )));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with three digits behind the point"
)]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

fn rates(what: &str, way: &Way, percentage: bool) -> Line<'static> {
    let mut spans = vec![
        Span::from(format!(
            "{what}:  {:>12.3} MiB/t  {:>10.0} pkts/t  ",
            way.bytes.rate / MIB,
            way.packets.rate
        )),
        alarm(way.drops.rate, format!("{:>8.0} drops/t  ", way.drops.rate)),
        alarm(
            way.errors.rate,
            format!("{:>8.0} errors/t", way.errors.rate),
        ),
    ];
    if percentage {
        let load = way.load.map_or("  line rate unknown".to_owned(), |load| {
            format!("  {load:>5.1}% of line rate")
        });
        spans.push(Span::from(load));
    }
    Line::from(spans)
}

fn cpus(report: &Report, view: &View, lines: &mut Vec<Line<'static>>) {
    let cpus = view.cpus(report);
    let label = |cpu: usize| format!("{:<7}", format!("CPU{cpu}:"));
    lines.push(Line::default());
    for cpu in &cpus {
        lines.push(Line::from(format!(
            "{}{:>5.1}% usr/t  {:>5.1}% sys/t  {:>5.1}% idl/t  {:>5.1}% iow/t",
            label(cpu.number),
            cpu.user,
            cpu.system,
            cpu.idle,
            cpu.iowait
        )));
    }
    lines.push(Line::default());
    for cpu in &cpus {
        lines.push(Line::from(format!(
            "{}{:>8.0} irq/s/t  {:>8.0} soirq RX/t  {:>8.0} soirq TX/t",
            label(cpu.number),
            cpu.irq.rate,
            cpu.soirq_rx.rate,
            cpu.soirq_tx.rate
        )));
    }
    lines.push(Line::default());
    for cpu in &cpus {
        lines.push(Line::from(format!(
            "{}{:>12} irq/s",
            label(cpu.number),
            cpu.irq.total
        )));
    }
}

fn blocks(report: &Report, view: &View, lines: &mut Vec<Line<'static>>) {
    if report.blocks.is_empty() {
        return;
    }
    let blocks = view.blocks(report);
    let names = blocks
        .iter()
        .map(|block| clean(&block.name))
        .collect::<Vec<_>>();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or_default()
        .clamp(5, 24);
    lines.push(Line::default());
    lines.push(bold(format!(
        "{:<width$}  TYPE            pkts/t      MiB/t    drops/t        drops",
        "BLOCK"
    )));
    for (block, name) in blocks.iter().zip(names) {
        let reasons: Vec<_> = block
            .reasons
            .iter()
            .map(|(reason, n)| format!("{reason} {n}"))
            .collect();
        let spans = vec![
            Span::from(format!(
                "{name:<width$}  {:<10}  {:>10.0} {:>10.3} ",
                clean(&block.kind),
                block.packets.rate,
                block.bytes.rate / MIB
            )),
            alarm(block.drops.rate, format!("{:>10.0}", block.drops.rate)),
            Span::from(format!(
                " {:>12}  {}",
                block.drops.total,
                reasons.join(", ")
            )),
        ];
        lines.push(Line::from(spans));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rates::tests::two, view::Sort};
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use lana_cli::screen::text_of;

    fn shown(report: &Report, view: &mut View, size: (u16, u16)) -> Vec<String> {
        text_of(size, |frame| draw(frame, report, view))
    }

    fn press(view: &mut View, code: KeyCode) {
        view.key(KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn all_that_the_thesis_shows() {
        let lines = shown(&two(4, 1000), &mut View::default(), (100, 40));
        for line in [
            "Kernel net/sys statistics for eth0",
            "RX:         0.061 MiB/t        1000 pkts/t         1 drops/t         0 errors/t",
            "TX:         0.001 MiB/t          10 pkts/t         1 drops/t         0 errors/t",
            "RX:         0.122 MiB          2000 pkts           2 drops           0 errors",
            "TX:         0.001 MiB            20 pkts           2 drops           0 errors",
            "SYS:        2160 cs/t       43.9% mem           1 running        0 iowait",
            "CPU0:    5.0% usr/t   15.0% sys/t   80.0% idl/t    0.0% iow/t",
            "CPU3:        10 irq/s/t         7 soirq RX/t         1 soirq TX/t",
            "CPU2:            20 irq/s",
            "IRQ 29           40 irq/s/t            80 irq/s  eth0-rx-0",
            "fb3    bpf                100      0.006         40           80  filtered 80",
            "the device is not there",
        ] {
            assert!(
                lines.iter().any(|shown| shown == line),
                "{line}\n{}",
                lines.join("\n")
            );
        }
        assert_eq!(
            lines.last().unwrap(),
            "q end  p pause  s sort: number, name"
        );
    }

    #[test]
    fn a_short_terminal_scrolls() {
        let report = two(128, 1000);
        let mut view = View::default();
        let lines = shown(&report, &mut view, (60, 10));
        assert_eq!(lines[0], "Kernel net/sys statistics for eth0");
        assert!(lines[9].starts_with("1-9/"), "{}", lines[9]);
        press(&mut view, KeyCode::End);
        let lines = shown(&report, &mut view, (60, 10));
        assert!(lines[8].starts_with("fb3"), "{}", lines.join("\n"));
        press(&mut view, KeyCode::Down);
        press(&mut view, KeyCode::PageUp);
        press(&mut view, KeyCode::Up);
        assert_eq!(view.scroll.top, view.scroll.lines - 9 - 9 - 1);
        press(&mut view, KeyCode::Home);
        assert_eq!(view.scroll.top, 0);
        // Taller again: no line is lost.
        press(&mut view, KeyCode::End);
        assert_eq!(
            shown(&report, &mut view, (60, 1000))[0],
            "Kernel net/sys statistics for eth0"
        );
    }

    #[test]
    fn no_size_is_too_small() {
        for size in [(1, 1), (0, 0), (80, 1), (1, 80), (5, 3)] {
            let mut view = View::default();
            if size.0 > 0 {
                shown(&two(2, 1000), &mut view, size);
            }
        }
    }

    #[test]
    fn keys() {
        let mut report = two(3, 1000);
        report.cpus[2].idle = 1.0;
        report.cpus[1].irq.rate = 99.0;
        let mut view = View::default();
        let order = |view: &View| {
            view.cpus(&report)
                .iter()
                .map(|cpu| cpu.number)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(&view), [0, 1, 2]);
        press(&mut view, KeyCode::Char('s'));
        assert_eq!((view.sort, order(&view)), (Sort::Load, vec![2, 0, 1]));
        press(&mut view, KeyCode::Char('s'));
        assert_eq!(order(&view), [1, 0, 2]);
        view.cpus = Some(1);
        assert_eq!(order(&view), [2]);
        press(&mut view, KeyCode::Char('p'));
        assert!(view.scroll.paused);
        press(&mut view, KeyCode::Char('q'));
        assert!(view.scroll.quit);
    }
}
