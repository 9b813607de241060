// SPDX-License-Identifier: GPL-2.0

//! `fbctl top`: the blocks that carry the most, on a screen, or as text again and again.

mod columns;
mod view;

use crate::{
    cli::{TopHow, KEYS, KEYS_IN_SHORT},
    rates::{self, abreast, number, percent, unit, EngineRates, Meter, Report},
    screen::{fitting, hidden_note, joined, keys, KEYS_WIDTH},
    select::{Selection, Wanted},
    timing::Times,
    utc::clock,
};
use anyhow::Result;
use columns::columns;
use crossterm::event::KeyEvent;
use lana_cli::{
    clean,
    screen::{alarm, show, Live},
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

/// A screen that is less high shows fewer lines above the blocks, if it cannot show all blocks; the least one also not
/// the engine's.
const LOW: usize = 20;
const LOWEST: usize = 8;
/// Between the parts of a line, and how long the word is with which it begins.
const GAP: &str = "  ";
const ABOUT: usize = "engine:  ".len();

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
    show(&mut shown, &stop, "-b prints text, -j JSON")
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
            let (head, lines, hidden) = picture(&report, view, width, None);
            let note = hidden_note(&hidden, width.unwrap_or(usize::MAX)).map(Line::from);
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
        if !self.view.input.scroll.paused {
            self.report = report;
        }
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.view.input.scroll.quit || self.left == 0
    }
}

/// Draws the blocks, or the keys.
fn draw(frame: &mut Frame<'_>, report: &Report, view: &mut View) {
    let width = usize::from(frame.area().width);
    let height = usize::from(frame.area().height);
    let (mut head, mut lines, hidden) = picture(report, view, Some(width), Some(height));
    if view.input.help {
        head.truncate(1);
        lines = keys((KEYS, &KEYS_IN_SHORT), &hidden, width, height);
    }
    let note = hidden_note(&hidden, width.saturating_sub(KEYS_WIDTH));
    let status = view.status(note.as_deref());
    view.input.scroll.draw(frame, &head, &lines, &status);
}

/// The lines that stay, those that scroll, and the columns there is no room for.
fn picture(
    report: &Report,
    view: &View,
    width: Option<usize>,
    height: Option<usize>,
) -> (Vec<Line<'static>>, Vec<Line<'static>>, Vec<&'static str>) {
    let shown = view.arranged(report);
    let engine = view.engine(&report.engine);
    let (titles, lines, hidden) = columns(&shown, view.sort, width);
    let room = height.map_or(usize::MAX, |height| height.saturating_sub(1));
    let fits = |head: usize| head + lines.len() <= room || room >= LOW;
    let times = shown.times.as_ref();
    let with_time = times.filter(|_| fits(4));
    let others = 3 + usize::from(times.is_some());
    let mut head = vec![title(report, &shown, view, width)];
    let (rates, totals) = (rates_of(&engine), totals_of(&engine));
    let [rates_whole, totals_whole] = [&rates, &totals].map(|parts| in_lines(parts, width));
    if fits(1 + rates_whole.len() + totals_whole.len() + usize::from(times.is_some()) + 1) {
        head.extend(rates_whole);
        head.extend(totals_whole);
    } else {
        if fits(3) || room >= LOWEST {
            head.push(fitting(rates, GAP, width));
        }
        if fits(others + 1) {
            head.push(fitting(totals, GAP, width));
        }
    }
    head.extend(with_time.map(|times| timing(report, times, width)));
    head.push(Line::styled(
        titles,
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
    ));
    (head, lines, hidden)
}

fn title(report: &Report, shown: &Report, view: &View, width: Option<usize>) -> Line<'static> {
    let mut parts = vec![
        (0, format!("fbctl top - {}", clock(report.time))),
        (
            1,
            format!("{} of {} blocks", shown.blocks.len(), report.blocks.len()),
        ),
    ];
    match view.selection.text() {
        text if text.is_empty() => {}
        text => parts.push((2, clean(&text))),
    }
    if view.busy {
        parts.push((3, "idle hidden".to_owned()));
    }
    let since = match &view.reference {
        Some(sample) => clock(sample.time),
        None => "each block was made".to_owned(),
    };
    parts.push((4, format!("totals since {since}")));
    let parts = parts.into_iter();
    let style = Style::new().add_modifier(Modifier::BOLD);
    fitting(parts.map(|(at, text)| (at, Span::from(text))), ", ", width).style(style)
}

/// What the engine does each second. Trouble matters most.
fn rates_of(engine: &EngineRates) -> Vec<(usize, Span<'static>)> {
    let drops = format!("{} drops/s", number(engine.drops.rate));
    vec![
        (
            0,
            format!("engine:  {} packets/s", number(engine.packets.rate)).into(),
        ),
        (3, format!("{}bit/s", unit(engine.bytes.rate * 8.0)).into()),
        (4, format!("{} calls/s", number(engine.calls.rate)).into()),
        (1, alarm(engine.drops.rate, drops)),
        (
            2,
            format!("{} unclaimed/s", number(engine.unclaimed.rate)).into(),
        ),
    ]
}

fn totals_of(engine: &EngineRates) -> Vec<(usize, Span<'static>)> {
    let parts = [
        (0, format!("total:   {} packets", engine.packets.total)),
        (3, format!("{}B", unit(float(engine.bytes.total)))),
        (4, format!("{} calls", engine.calls.total)),
        (1, format!("{} drops", engine.drops.total)),
        (2, format!("{} unclaimed", engine.unclaimed.total)),
    ];
    parts.map(|(at, text)| (at, Span::from(text))).into()
}

/// All parts, in as many lines as that takes.
fn in_lines(parts: &[(usize, Span<'static>)], width: Option<usize>) -> Vec<Line<'static>> {
    let widths: Vec<_> = parts.iter().map(|(_, part)| part.width()).collect();
    let mut parts = parts.iter().map(|(_, part)| part.clone());
    // The first part begins with what the lines are about, and the others stand below that of it which follows.
    let rest = " ".repeat(ABOUT - GAP.len());
    let (first, others) = widths.split_first().map_or((0, &[][..]), |(w, o)| (*w, o));
    let room = width.unwrap_or(usize::MAX).saturating_sub(ABOUT);
    let widths: Vec<_> = [first.saturating_sub(ABOUT)]
        .into_iter()
        .chain(others.iter().copied())
        .collect();
    let line = |(at, count): (usize, usize)| {
        let head = (at > 0).then(|| Span::from(rest.clone()));
        joined(head.into_iter().chain(parts.by_ref().take(count)), GAP)
    };
    let lines = abreast(&widths, room).into_iter().enumerate();
    lines.map(line).collect()
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn float(total: u64) -> f64 {
    total as f64
}

/// What all blocks take, whichever are shown, and what that goes by.
fn timing(report: &Report, times: &Times, width: Option<usize>) -> Line<'static> {
    if let Some(why) = times.why() {
        return Line::from(why);
    }
    let load = percent(report.load().unwrap_or_default());
    let end = if times.packets == 1 { "" } else { "s" };
    let timed = format!("{} packet{end} timed", times.packets);
    let of = match times.sample {
        1 => "(all)".to_owned(),
        sample => format!("(1 in {sample})"),
    };
    let parts = [
        (
            0,
            Span::from(format!("time:    {load} % of a CPU in all blocks")),
        ),
        (1, Span::from(timed)),
        (2, Span::from(of)),
    ];
    fitting(parts, GAP, width)
}

#[cfg(test)]
mod tests;
