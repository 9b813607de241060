// SPDX-License-Identifier: GPL-2.0

//! `fbctl top`: the blocks that carry the most, on a screen, or as text again and again.

mod columns;
mod view;

use crate::{
    cli::{TopHow, KEYS, KEYS_IN_SHORT},
    rates::{self, number, percent, unit, EngineRates, Meter, Report},
    select::{Selection, Wanted},
    timing::Times,
    utc::clock,
};
use anyhow::Result;
use columns::columns;
use crossterm::event::KeyEvent;
use lana_cli::{
    clean,
    screen::{self, alarm, Live},
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
/// What the line at the bottom says before the columns.
const KEYS_WIDTH: usize = 15;

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
    let height = usize::from(frame.area().height);
    let (mut head, mut lines, hidden) = picture(report, view, Some(width), Some(height));
    if view.help {
        head.truncate(1);
        lines = keys(&hidden, width, height);
    }
    let note = hidden_note(&hidden, width.saturating_sub(KEYS_WIDTH));
    let status = view.status(note.as_deref());
    view.scroll.draw(frame, &head, &lines, &status);
}

/// What the keys do, and what is hidden; in short where all of it does not fit on the screen.
fn keys(hidden: &[&str], width: usize, height: usize) -> Vec<Line<'static>> {
    let mut rest = Vec::new();
    if !hidden.is_empty() {
        rest.push(format!("Hidden columns: {}", hidden.join(" ")));
        rest.push("  -b in a pipe or a file prints all, and so does --json".to_owned());
    }
    let all: Vec<_> = KEYS
        .lines()
        .map(str::to_owned)
        .chain(rest.clone())
        .collect();
    // The title and the line at the bottom stand there, too.
    let fits = all.len() + 2 <= height && all.iter().all(|line| line.len() <= width);
    let lines = if fits {
        all
    } else {
        let short = KEYS_IN_SHORT.map(str::to_owned).into_iter();
        short.chain(rest).collect()
    };
    lines.into_iter().map(Line::from).collect()
}

/// The columns for which there is no room: as many names as fit, and how many more.
fn hidden_note(hidden: &[&str], width: usize) -> Option<String> {
    let text = |named: usize| {
        let names = hidden.iter().take(named).copied();
        let more = hidden.len().saturating_sub(named);
        let more = (more > 0).then(|| format!("+{more}"));
        let words: Vec<_> = names.map(str::to_owned).chain(more).collect();
        format!("hidden: {}", words.join(" "))
    };
    let mut all = (0..=hidden.len()).rev().map(text);
    let fits = all.find(|text| text.len() <= width);
    fits.filter(|_| !hidden.is_empty())
}

/// The first part, and of the others the most important ones that fit, in their order: each has its importance, 0 for
/// the greatest.
fn fitting<'a>(
    parts: impl IntoIterator<Item = (usize, Span<'a>)>,
    gap: &'static str,
    width: Option<usize>,
) -> Line<'a> {
    let mut parts: Vec<_> = parts.into_iter().collect();
    let room = width.unwrap_or(usize::MAX);
    let taken = |parts: &[(usize, Span<'_>)]| {
        let widths = parts.iter().map(|(_, part)| part.width() + gap.len());
        widths.sum::<usize>().saturating_sub(gap.len())
    };
    while taken(&parts) > room && parts.len() > 1 {
        let least = parts.iter().enumerate().skip(1);
        let least = least.max_by_key(|(_, (importance, _))| *importance);
        if let Some((at, _)) = least {
            parts.remove(at);
        }
    }
    let parts = parts.into_iter().enumerate();
    let spans = parts.flat_map(|(at, (_, part))| {
        let gap = (at > 0).then(|| Span::from(gap));
        gap.into_iter().chain([part])
    });
    Line::from(spans.collect::<Vec<_>>())
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
    if fits(3) || room >= LOWEST {
        head.push(rates_of(&engine, width));
    }
    if fits(others + 1) {
        head.push(totals_of(&engine, width));
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

fn rates_of(engine: &EngineRates, width: Option<usize>) -> Line<'static> {
    let drops = format!("{} drops/s", number(engine.drops.rate));
    let parts = [
        (
            0,
            format!("engine:  {} packets/s", number(engine.packets.rate)).into(),
        ),
        (2, format!("{}bit/s", unit(engine.bytes.rate * 8.0)).into()),
        (4, format!("{} calls/s", number(engine.calls.rate)).into()),
        (1, alarm(engine.drops.rate, drops)),
        (
            3,
            format!("{} unclaimed/s", number(engine.unclaimed.rate)).into(),
        ),
    ];
    fitting(parts, "  ", width)
}

fn totals_of(engine: &EngineRates, width: Option<usize>) -> Line<'static> {
    let parts = [
        (0, format!("total:   {} packets", engine.packets.total)),
        (2, format!("{}B", unit(float(engine.bytes.total)))),
        (4, format!("{} calls", engine.calls.total)),
        (1, format!("{} drops", engine.drops.total)),
        (3, format!("{} unclaimed", engine.unclaimed.total)),
    ];
    fitting(parts.map(|(at, text)| (at, Span::from(text))), "  ", width)
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
    fitting(parts, "  ", width)
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
            "fbctl top - 00:00:00Z, 4 of 4 blocks, totals since each block was made",
            "engine:  2000 packets/s  1.60 Mbit/s  5200 calls/s  800 drops/s  0 unclaimed/s",
            "total:   3000 packets  300 kB  7800 calls  1200 drops  0 unclaimed",
            "BLOCK       TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  PACKETS  BYTES  DROPS  REASONS",
            "eth0        eth           2000   500  1500   1.60M        0     3000   300k      0",
            "web-filter  bpf           2000     -     -   1.60M      800     3000   300k   1200  filtered 800",
            "web-count   counter       1200     -     -    960k        0     1800   180k      0",
            "idle        dummy            0     -     -       0        0        0      0      0",
        ];
        let lines = drawn(&mut view(&[]), (120, 10));
        assert_eq!(lines[..8], expected);
    }

    #[test]
    fn times_have_columns_and_an_order() {
        let lines = |report: &Report, view: &View| {
            let (head, lines, _) = picture(report, view, None, None);
            let lines = head.iter().chain(&lines).map(ToString::to_string);
            lines
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        let mut view = view(&[]);
        press(&mut view, "L");
        let mut report = timed();
        let expected = [
            "time:    0.3 % of a CPU in all blocks  1 packet timed  (1 in 8)",
            "BLOCK       TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT   CPU%  PACKETS  BYTES  DROPS  REASONS",
            "web-filter  bpf           2000     -     -   1.60M      800    1500    0.3     3000   300k   1200  filtered 800",
            "eth0        eth           2000   500  1500   1.60M        0      40   <0.1     3000   300k      0",
            "web-count   counter       1200     -     -    960k        0     9.0   <0.1     1800   180k      0",
            "idle        dummy            0     -     -       0        0       -      -        0      0      0",
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
            "fbctl top - 00:00:00Z, 1 of 4 blocks, web type=counter, totals since each block was made"
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
            lines[4].starts_with(
                "eth0   eth        2000   500  1500   1.60M        0        0      0      0"
            ),
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
        assert!(shown[3].ends_with("BITS/S  DROPS/S"), "{}", shown[3]);
        assert_eq!(
            status(&mut view, 80),
            "q end  ? keys  hidden: PACKETS BYTES DROPS  s sort: packets  / filter  i idle"
        );
        assert_eq!(
            status(&mut view, 50),
            "q end  ? keys  hidden: TYPE PACKETS BYTES DROPS +1"
        );
        assert_eq!(status(&mut view, 40), "q end  ? keys  hidden: TYPE TX/S +5");
        assert!(!status(&mut view, 120).contains("hidden"));
    }

    #[test]
    fn what_stands_above_is_never_cut() {
        let mut view = view(&["type=bpf"]);
        let whole = drawn(&mut view, (200, 10));
        for width in 40..120 {
            for line in &drawn(&mut view, (width, 10))[..3] {
                let words = |text: &str| {
                    let parts = text.split("  ").map(str::trim);
                    parts
                        .flat_map(|part| part.split(", ").map(str::to_owned))
                        .collect::<Vec<_>>()
                };
                let known: Vec<_> = whole.iter().flat_map(|line| words(line)).collect();
                let is_known = words(line).iter().all(|part| known.contains(part));
                assert!(is_known, "{width}: {line}");
            }
        }
        let narrow = drawn(&mut view, (60, 10));
        assert_eq!(
            narrow[1],
            "engine:  2000 packets/s  1.60 Mbit/s  800 drops/s"
        );
    }

    #[test]
    fn a_low_screen_has_more_room_for_blocks() {
        let mut report = timed();
        for n in 0..9 {
            let mut block = report.blocks[0].clone();
            block.name = format!("b{n}");
            report.blocks.push(block);
        }
        let head = |height| {
            let lines = text_of((100, height), |frame| {
                draw(frame, &report, &mut view(&[]));
            });
            let names = lines
                .iter()
                .map(|line| line.split([' ', ':']).next().unwrap());
            let names: Vec<_> = names.map(str::to_owned).collect();
            let at = names.iter().position(|name| name == "BLOCK").unwrap();
            names[..at].join(" ")
        };
        assert_eq!(head(24), "fbctl engine total time");
        assert_eq!(head(18), "fbctl engine time");
        assert_eq!(head(10), "fbctl engine");
        assert_eq!(head(6), "fbctl");
    }

    #[test]
    fn idle_blocks_can_be_hidden() {
        let mut view = view(&[]);
        press(&mut view, "i");
        let lines = drawn(&mut view, (120, 10));
        assert!(
            lines[0].contains("3 of 4 blocks, idle hidden"),
            "{}",
            lines[0]
        );
        assert!(!lines.iter().any(|line| line.starts_with("idle ")));
        press(&mut view, "i");
        assert!(drawn(&mut view, (120, 10))[7].starts_with("idle "));
    }

    #[test]
    fn a_key_shows_the_keys() {
        let mut view = view(&[]);
        press(&mut view, "?");
        let lines = drawn(&mut view, (80, 20)).join("\n");
        for shown in [
            "q, Esc         quit\n",
            "Hidden columns: PACKETS BYTES DROPS\n",
            "any other key leaves the keys",
        ] {
            assert!(lines.contains(shown), "{lines}");
        }
        // A small screen shows all of them, in short, and no line is cut.
        let lines = drawn(&mut view, (60, 10));
        for shown in KEYS_IN_SHORT {
            assert!(lines.iter().any(|line| line == shown), "{lines:?}");
        }
        assert!(lines[7].starts_with("Hidden columns: TYPE "), "{lines:?}");
        assert!(lines[9].starts_with("arrows scroll"), "{lines:?}");
        // On an even smaller one they scroll.
        drawn(&mut view, (60, 6));
        view.key(
            KeyEvent::new(KeyCode::Down, KeyModifiers::NONE),
            &sample(3, Instant::now()),
        );
        assert_eq!(drawn(&mut view, (60, 6))[1], KEYS_IN_SHORT[1]);
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
