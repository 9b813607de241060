// SPDX-License-Identifier: GPL-2.0

//! `fbctl top`: the blocks that carry the most, on a screen, or as text again and again.

mod columns;
mod view;

use crate::{
    cli::{TopHow, KEYS},
    rates::{self, number, percent, scaled, Meter, Report},
    select::{Selection, Wanted},
    timing::Times,
    utc::clock,
};
use anyhow::Result;
use columns::columns;
use crossterm::event::KeyEvent;
use lana_cli::{
    clean,
    screen::{self, alarm, bold, Live},
    usage, Session, Stop,
};
use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
    Frame,
};
use std::{
    io::{self, IsTerminal},
    time::Instant,
};
pub(crate) use view::Sort;
use view::View;

/// What stands above the blocks: the title, the engine, its totals, the time, the columns.
const HEAD: usize = 5;

pub(crate) fn run(session: &mut Session, wanted: &[Wanted], how: &TopHow) -> Result<()> {
    if how.netns != session.globals.netns {
        return Err(usage("--netns stands before the command, not in a file"));
    }
    let selection = Selection::new(wanted);
    selection.check_types(session)?;
    selection.peers(session.lana()?)?;
    let meter = Meter::begin(session, &selection, how.delay, !how.no_time)?;
    let view = View::new(selection, how.sort, how.reverse);
    let stop = Stop::new()?;
    if how.batch || session.out.is_json() {
        return print(session, meter, &view, how.count, &stop);
    }
    let report = meter.first();
    let mut shown = Shown {
        session,
        meter,
        view,
        report,
        left: how.count.unwrap_or(u64::MAX),
    };
    screen::show(&mut shown, &stop, "-b prints text, -j JSON")
}

/// Text or JSON each interval.
fn print(
    session: &mut Session,
    mut meter: Meter,
    view: &View,
    count: Option<u64>,
    stop: &Stop,
) -> Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    // What goes to a file or a program has all columns.
    let width = io::stdout().is_terminal().then(lana_cli::columns).flatten();
    while left > 0 {
        meter.sleep(stop);
        if stop.has_come() {
            return Ok(());
        }
        let report = meter.next(session, &view.selection)?;
        if session.out.is_json() {
            let report = view.arranged(&report);
            rates::json(&mut session.out, &report)?;
        } else {
            let (head, lines, hidden) = picture(&report, view, width);
            let note = hidden_note(hidden).map(Line::from);
            for line in head.iter().chain(&lines).chain(&note) {
                session.out.line(line.to_string().trim_end())?;
            }
            session.out.line("")?;
        }
        session.out.flush()?;
        left -= 1;
    }
    Ok(())
}

/// The screen.
struct Shown<'a> {
    session: &'a mut Session,
    meter: Meter,
    view: View,
    report: Report,
    left: u64,
}

impl Live for Shown<'_> {
    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.meter.listen();
        draw(frame, &self.report, &mut self.view);
    }

    fn key(&mut self, key: KeyEvent) {
        self.view.key(key, &self.meter.last);
    }

    fn due(&self) -> Instant {
        self.meter.due()
    }

    fn next(&mut self) -> Result<()> {
        let report = self.meter.next(self.session, &self.view.selection)?;
        if !self.view.scroll.paused {
            self.report = report;
        }
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.view.scroll.quit || self.left == 0
    }
}

/// Draws the blocks, or the keys.
fn draw(frame: &mut Frame<'_>, report: &Report, view: &mut View) {
    let width = usize::from(frame.area().width);
    let (mut head, mut lines, hidden) = picture(report, view, Some(width));
    if view.help {
        head.truncate(1);
        lines = KEYS.lines().map(Line::from).collect();
        if hidden > 0 {
            let all = "-b prints all columns, and so does --json";
            lines.push(Line::from(format!("{hidden} columns are hidden: {all}")));
        }
    }
    let status = view.status(hidden_note(hidden).as_deref());
    view.scroll.draw(frame, &head, &lines, &status);
}

/// What is said of columns for which there is no room.
fn hidden_note(hidden: usize) -> Option<String> {
    let end = if hidden == 1 { "" } else { "s" };
    (hidden > 0).then(|| format!("+{hidden} column{end}: wider terminal"))
}

/// The lines that stay, those that scroll, and how many columns there is no room for.
fn picture(
    report: &Report,
    view: &View,
    width: Option<usize>,
) -> (Vec<Line<'static>>, Vec<Line<'static>>, usize) {
    let shown = view.arranged(report);
    let engine = view.engine(&report.engine);
    let mut head = Vec::with_capacity(HEAD);
    let filter = match view.selection.text() {
        text if text.is_empty() => String::new(),
        text => format!(", {}", clean(&text)),
    };
    head.push(bold(format!(
        "fbctl top - {}, {} of {} blocks{filter}, totals since {}",
        clock(report.time),
        shown.blocks.len(),
        report.blocks.len(),
        match &view.reference {
            Some(sample) => clock(sample.time),
            None => "they were made".to_owned(),
        }
    )));
    head.push(Line::from(vec![
        Span::from(format!(
            "engine:  {} packets/s  {}bit/s  {} calls/s  ",
            number(engine.packets.rate),
            unit(engine.bytes.rate * 8.0),
            number(engine.calls.rate)
        )),
        alarm(
            engine.drops.rate,
            format!("{} drops/s", number(engine.drops.rate)),
        ),
        Span::from(format!("  {} unclaimed/s", number(engine.unclaimed.rate))),
    ]));
    head.push(Line::from(format!(
        "total:   {} packets  {}B  {} calls  {} drops  {} unclaimed",
        engine.packets.total,
        unit(float(engine.bytes.total)),
        engine.calls.total,
        engine.drops.total,
        engine.unclaimed.total
    )));
    if let Some(times) = &shown.times {
        head.push(Line::from(timing(report, times)));
    }
    let (titles, lines, hidden) = columns(&shown, view.sort, width);
    head.push(Line::styled(
        titles,
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
    ));
    (head, lines, hidden)
}

/// A number with a blank before its unit.
fn unit(value: f64) -> String {
    let text = scaled(value);
    match text.find(char::is_alphabetic) {
        Some(at) => format!(
            "{} {}",
            &text.get(..at).unwrap_or(&text),
            text.get(at..).unwrap_or_default()
        ),
        None => format!("{text} "),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn float(total: u64) -> f64 {
    total as f64
}

/// What all blocks take, whichever are shown, and what that goes by.
fn timing(report: &Report, times: &Times) -> String {
    if let Some(why) = times.why() {
        return why;
    }
    format!(
        "time:    {} % of a CPU in all blocks; 1 packet of {} timed: {}",
        percent(report.load().unwrap_or_default()),
        times.sample,
        times.packets
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::{report, sample, timed};
    use crossterm::event::{KeyCode, KeyModifiers};
    use lana_cli::screen::text_of;
    use std::time::Instant;

    fn view(words: &[&str]) -> View {
        let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        View::new(Selection::new(&words), view::Sort::Packets, false)
    }

    fn drawn(view: &mut View, size: (u16, u16)) -> Vec<String> {
        text_of(size, |frame| draw(frame, &report(), view))
    }

    fn press(view: &mut View, keys: &str) {
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\x08' => KeyCode::Backspace,
                '\x1b' => KeyCode::Esc,
                key => KeyCode::Char(key),
            };
            let key = KeyEvent::new(code, KeyModifiers::NONE);
            view.key(key, &sample(3, Instant::now()));
        }
    }

    #[test]
    fn what_carries_the_most_stands_above() {
        let expected = [
            "fbctl top - 00:00:00Z, 4 of 4 blocks, totals since they were made",
            "engine:  2000 packets/s  1.60 Mbit/s  5200 calls/s  800 drops/s  0 unclaimed/s",
            "total:   3000 packets  300 kB  7800 calls  1200 drops  0 unclaimed",
            "BLOCK       TYPE     PACKETS/S  BITS/S  DROPS/S  PACKETS  BYTES  DROPS  REASONS",
            "eth0        eth           2000   1.60M        0     3000   300k      0",
            "web-filter  bpf           2000   1.60M      800     3000   300k   1200  filtered 800",
            "web-count   counter       1200    960k        0     1800   180k      0",
            "idle        dummy            0       0        0        0      0      0",
        ];
        let lines = drawn(&mut view(&[]), (120, 10));
        assert_eq!(lines[..8], expected);
    }

    #[test]
    fn times_have_columns_and_an_order() {
        let lines = |report: &Report, view: &View| {
            let (head, lines, _) = picture(report, view, None);
            let lines = head.iter().chain(&lines).map(ToString::to_string);
            lines
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        let mut view = view(&[]);
        press(&mut view, "L");
        let mut report = timed();
        let expected = [
            "time:    0.3 % of a CPU in all blocks; 1 packet of 8 timed: 1",
            "BLOCK       TYPE     PACKETS/S  BITS/S  DROPS/S  NS/PKT   CPU%  PACKETS  BYTES  DROPS  REASONS",
            "web-filter  bpf           2000   1.60M      800    1500    0.3     3000   300k   1200  filtered 800",
            "eth0        eth           2000   1.60M        0      40   <0.1     3000   300k      0",
            "web-count   counter       1200    960k        0     9.0   <0.1     1800   180k      0",
            "idle        dummy            0       0        0       -      -        0      0      0",
        ];
        assert_eq!(lines(&report, &view)[3..], expected);
        press(&mut view, "Cr");
        assert!(lines(&report, &view)[5].starts_with("idle "));
        let why = "there are 4 probes already".to_owned();
        report.times = Some(Times {
            why: Some(why),
            ..Times::default()
        });
        let lines = lines(&report, &view);
        assert_eq!(lines[3], "time: not measured: there are 4 probes already");
        assert!(lines[5].contains("  -      - "), "{}", lines[5]);
    }

    #[test]
    fn keys_sort_and_turn_round() {
        let mut view = view(&[]);
        let first = |view: &View| view.arranged(&report()).blocks[0].name.clone();
        press(&mut view, "D");
        assert_eq!(first(&view), "web-filter");
        press(&mut view, "r");
        assert_eq!(first(&view), "eth0");
        press(&mut view, "rN");
        assert_eq!(first(&view), "eth0");
        press(&mut view, "r");
        assert_eq!(first(&view), "web-filter");
        press(&mut view, "s");
        assert!(
            view.status(None).contains("sort: type"),
            "{}",
            view.status(None)
        );
    }

    #[test]
    fn a_filter_is_typed() {
        let mut view = view(&[]);
        press(&mut view, "/web typ");
        assert!(view.status(None).starts_with("filter: web typ"));
        press(&mut view, "e=counterx\x08\n");
        let lines = drawn(&mut view, (90, 8));
        assert_eq!(
            lines[0],
            "fbctl top - 00:00:00Z, 1 of 4 blocks, web type=counter, totals since they were made"
        );
        assert!(lines[4].starts_with("web-count "));
        // The keys of the screen are letters while one types, and leaving that leaves nothing else.
        press(&mut view, "/q\x1b");
        assert!(!view.scroll.quit);
        assert_eq!(view.selection.text(), "web type=counter");
        press(
            &mut view,
            "/\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\n",
        );
        assert!(view.selection.is_all());
        press(&mut view, "q");
        assert!(view.scroll.quit);
    }

    #[test]
    fn totals_count_from_the_reference() {
        let mut view = view(&["eth0"]);
        press(&mut view, "z");
        let lines = drawn(&mut view, (120, 8));
        assert!(lines[0].ends_with("totals since 00:00:00Z"), "{}", lines[0]);
        assert!(
            lines[2].starts_with("total:   0 packets  0 B  0 calls"),
            "{}",
            lines[2]
        );
        assert!(
            lines[4].starts_with("eth0   eth        2000   1.60M        0        0      0      0"),
            "{}",
            lines[4]
        );
        press(&mut view, "Z");
        assert!(drawn(&mut view, (120, 8))[2].starts_with("total:   3000 packets"));
    }

    #[test]
    fn a_narrow_screen_says_what_it_hides() {
        let status = |view: &mut View, width| drawn(view, (width, 10)).pop().unwrap();
        let mut view = view(&[]);
        let shown = drawn(&mut view, (60, 10));
        assert!(shown[3].ends_with("DROPS/S  DROPS"), "{}", shown[3]);
        assert_eq!(
            status(&mut view, 80),
            "q end  ? keys  +2 columns: wider terminal  s sort: packets  r reverse  p pause"
        );
        assert!(!status(&mut view, 120).contains("columns"));
    }

    #[test]
    fn a_key_shows_the_keys() {
        let mut view = view(&[]);
        press(&mut view, "?");
        let lines = drawn(&mut view, (60, 20)).join("\n");
        for shown in [
            "q, Esc         quit\n",
            "3 columns are hidden",
            "any key leaves the keys",
        ] {
            assert!(lines.contains(shown), "{lines}");
        }
        press(&mut view, "\x1b");
        assert!(!view.help && !view.scroll.quit);
        press(&mut view, "hN");
        assert!(!view.help && view.status(None).contains("sort: name"));
        // Where one types a filter they are letters.
        press(&mut view, "/h?");
        assert!(!view.help && view.status(None).contains("filter: h?"));
    }

    #[test]
    fn no_size_is_too_small() {
        for size in [(1, 1), (20, 2), (40, 5), (1, 80), (300, 100)] {
            assert_eq!(drawn(&mut view(&[]), size).len(), usize::from(size.1));
        }
    }
}
