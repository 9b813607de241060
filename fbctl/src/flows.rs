// SPDX-License-Identifier: GPL-2.0

//! `fbctl flows`: the flows that blocks of the type `netflow` keep: once, on a screen, or as text again and again.

mod columns;
mod devices;
mod filter;
mod flow;
mod json;
mod reading;
#[cfg(test)]
mod tests;
mod view;

use crate::{
    cli::{FlowsHow, FLOW_KEYS, FLOW_KEYS_IN_SHORT},
    rates::unit,
    screen::{fitting, hidden_note, keys, KEYS_WIDTH},
    utc::clock,
};
use anstyle::Style as Ansi;
use anyhow::Result;
use columns::Columns;
use crossterm::event::KeyEvent;
pub(crate) use filter::{Filter, Word, KEYS};
use lana_cli::{
    clean,
    screen::{alarm, bold, show, Live},
    usage, Session, Stop,
};
use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
    Frame,
};
use reading::{Block, Flows};
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};
pub(crate) use view::Sort;
use view::View;

/// So many flows are in the list of a screen, unless the user says another number.
const MOST_ON_SCREEN: usize = 1000;
/// Of a screen, no more than this part is for what is said of blocks.
const BLOCKS: usize = 4;
const GAP: &str = "  ";
const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn run(session: &mut Session, words: &[Word], how: &FlowsHow) -> Result<()> {
    let (mut names, mut filter) = (Vec::new(), Filter::default());
    for word in words {
        match word {
            Word::Name(name) if names.contains(name) => {}
            Word::Name(name) => names.push(name.clone()),
            Word::Filter(more) => filter.add(more),
        }
    }
    for more in &how.filter {
        filter.add(more);
    }
    let interval = how.watch.or_else(|| how.batch.then_some(SECOND));
    if interval.is_none() && how.times.is_some() {
        return Err(usage("--times is for --watch"));
    }
    let Some(interval) = interval else {
        return once(session, &names, filter, how);
    };
    let stop = Stop::new()?;
    let flows = Flows::first(session, &names, None)?;
    filter.check(&flows.devices)?;
    let sort = how.sort.unwrap_or(Sort::Rate);
    let is_screen = !how.batch && !session.out.is_json();
    let all = if is_screen {
        MOST_ON_SCREEN
    } else {
        usize::MAX
    };
    let view = View::new(filter, sort, how.reverse, how.count.unwrap_or(all));
    let mut shown = Shown {
        session,
        flows,
        view,
        interval,
        left: how.times.unwrap_or(u64::MAX),
    };
    if is_screen {
        return show(&mut shown, &stop, "-b prints text, -j JSON");
    }
    shown.print(&stop)
}

/// A table.
fn once(session: &mut Session, names: &[String], filter: Filter, how: &FlowsHow) -> Result<()> {
    let flows = Flows::first(session, names, Some(&filter))?;
    let most = how.count.unwrap_or(usize::MAX);
    let sort = how.sort.unwrap_or(Sort::Packets);
    let view = View::new(filter, sort, how.reverse, most);
    let (rows, _) = view.arranged(&flows);
    if session.out.is_json() {
        return json::print(&mut session.out, &flows, &rows);
    }
    // As any table, it leaves no trace if it is empty.
    if rows.is_empty() {
        return Ok(());
    }
    let columns = Columns::new(&flows, &rows, sort, session.out.columns());
    let style = if session.out.has_colour() {
        Ansi::new().bold()
    } else {
        Ansi::new()
    };
    let titles = columns.titles();
    session.out.text(&format!("{style}{titles}{style:#}\n"))?;
    for line in rows.iter().flat_map(|row| columns.lines(row)) {
        session.out.line(&line)?;
    }
    if columns.hidden.is_empty() {
        return Ok(());
    }
    let hidden = columns.hidden.join(" ");
    session.out.line(&format!("hidden: {hidden}"))
}

/// What is read again and again.
struct Shown<'a> {
    session: &'a mut Session,
    flows: Flows,
    view: View,
    interval: Duration,
    left: u64,
}

impl Shown<'_> {
    /// Text or JSON each interval.
    fn print(&mut self, stop: &Stop) -> Result<()> {
        // What goes to a file or a program has all columns.
        let width = io::stdout().is_terminal().then(lana_cli::columns).flatten();
        while self.left > 0 {
            stop.sleep(self.due());
            if stop.has_come() {
                return Ok(());
            }
            self.next()?;
            let out = &mut self.session.out;
            if out.is_json() {
                let (rows, _) = self.view.arranged(&self.flows);
                json::print(out, &self.flows, &rows)?;
            } else {
                let (head, lines, hidden) = picture(&self.flows, &self.view, width, usize::MAX);
                let note = hidden_note(&hidden, width.unwrap_or(usize::MAX)).map(Line::from);
                for line in head.iter().chain(&lines).chain(&note) {
                    out.line(line.to_string().trim_end())?;
                }
                out.line("")?;
            }
            out.flush()?;
        }
        Ok(())
    }
}

impl Live for Shown<'_> {
    fn draw(&mut self, frame: &mut Frame<'_>) {
        draw(frame, &self.flows, &mut self.view);
    }

    fn key(&mut self, key: KeyEvent) {
        self.view.key(key, &self.flows);
    }

    /// After a pause: to read a million flows can take longer than the interval.
    fn due(&self) -> Instant {
        self.flows.at + self.interval
    }

    fn next(&mut self) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        self.flows.next(self.session)
    }

    fn has_ended(&self) -> bool {
        self.view.input.scroll.quit || self.left == 0
    }
}

/// Draws the flows, or the keys.
fn draw(frame: &mut Frame<'_>, flows: &Flows, view: &mut View) {
    let width = usize::from(frame.area().width);
    let height = usize::from(frame.area().height);
    let (mut head, mut lines, hidden) = picture(flows, view, Some(width), height);
    if view.input.help {
        head.truncate(1);
        lines = keys((FLOW_KEYS, &FLOW_KEYS_IN_SHORT), &hidden, width, height);
    }
    let note = hidden_note(&hidden, width.saturating_sub(KEYS_WIDTH));
    let status = view.status(note.as_deref());
    view.input.scroll.draw(frame, &head, &lines, &status);
}

/// The lines that stay, those that scroll, and the columns there is no room for.
fn picture(
    flows: &Flows,
    view: &View,
    width: Option<usize>,
    height: usize,
) -> (Vec<Line<'static>>, Vec<Line<'static>>, Vec<&'static str>) {
    let (rows, count) = view.arranged(flows);
    let columns = Columns::new(flows, &rows, view.sort, width);
    let mut head = vec![title(flows, view, count, width)];
    let blocks = flows.blocks.iter().take(height / BLOCKS);
    head.extend(blocks.map(|block| totals(block, width)));
    head.push(Line::styled(
        columns.titles(),
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
    ));
    let lines = rows.iter().flat_map(|row| columns.lines(row));
    let lines = lines.map(Line::from).collect();
    (head, lines, columns.hidden)
}

fn title(flows: &Flows, view: &View, count: usize, width: Option<usize>) -> Line<'static> {
    let mut parts = vec![
        format!("fbctl flows - {}", clock(flows.time)),
        format!("{count} of {} flows", flows.count()),
    ];
    match view.filter.text() {
        text if text.is_empty() => {}
        text => parts.push(clean(&text)),
    }
    let parts = parts.into_iter().map(Span::from).enumerate();
    let line = fitting(parts, ", ", width);
    bold(line.to_string())
}

/// What a block counts.
fn totals(block: &Block, width: Option<usize>) -> Line<'static> {
    let count = |name: &str| block.counter(name);
    let ways = ["full", "unsent", "version"];
    let lost = ways.map(|way| count(&format!("lost.{way}.packets")));
    let lost = lost
        .iter()
        .fold(0_u64, |sum, lost| sum.saturating_add(*lost));
    let parts = [
        (
            0,
            format!("{}: {} flows", clean(&block.name), count("current")),
        ),
        (2, format!("load {} %", count("load"))),
        (3, format!("{} packets", count("packets"))),
        (4, format!("{}B", unit(float(count("bytes"))))),
        (5, format!("{} begun", count("begun"))),
        (6, format!("{} exported", count("exported.flows"))),
    ];
    let parts = parts.map(|(importance, text)| (importance, Span::from(text)));
    let lost = alarm(float(lost), format!("{lost} packets lost"));
    fitting(parts.into_iter().chain([(1, lost)]), GAP, width)
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn float(total: u64) -> f64 {
    total as f64
}
