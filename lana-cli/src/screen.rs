// SPDX-License-Identifier: GPL-2.0

//! What fills a terminal and is drawn again and again: lines that scroll, below a head that stays, above
//! a line that says where we are.

use crate::{
    failure::usage,
    stop::{Stop, NAP},
};
use anyhow::{Context, Result};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    Frame,
};
use std::{
    io::{self, IsTerminal},
    time::Instant,
};

/// Where in its lines a screen is, and what keys have that all screens know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scroll {
    /// How many lines are above the first that is shown.
    pub top: usize,
    /// How many lines there are, and how many of them fit: set when it is drawn.
    pub lines: usize,
    /// How many of them fit.
    pub height: usize,
    /// What is shown stays.
    pub paused: bool,
    /// The user wants to leave.
    pub quit: bool,
}

impl Scroll {
    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.quit = true,
            KeyCode::Char('q') | KeyCode::Esc => self.quit = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Up | KeyCode::Char('k') => self.top = self.top.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.top = self.top.saturating_add(1),
            KeyCode::PageUp => self.top = self.top.saturating_sub(self.height),
            KeyCode::PageDown => self.top = self.top.saturating_add(self.height),
            KeyCode::Home => self.top = 0,
            KeyCode::End => self.top = self.lines,
            _ => {}
        }
        self.fit(self.lines, self.height);
    }

    /// So many lines are there, and so many fit.
    pub fn fit(&mut self, lines: usize, height: usize) {
        self.lines = lines;
        self.height = height;
        self.top = self.top.min(lines.saturating_sub(height));
    }

    /// Draws the head, as many lines as fit, and at the bottom where we are and `status`: of its parts, between which
    /// two blanks stand, as many as fit.
    pub fn draw(
        &mut self,
        frame: &mut Frame<'_>,
        head: &[Line<'_>],
        lines: &[Line<'_>],
        status: &str,
    ) {
        let area = frame.area();
        let room = usize::from(area.height.saturating_sub(1));
        self.fit(lines.len(), room.saturating_sub(head.len()));
        let shown = head.iter().chain(lines.iter().skip(self.top)).take(room);
        for (y, line) in (area.y..).zip(shown) {
            frame.render_widget(line, Rect::new(area.x, y, area.width, 1));
        }
        if area.height > 0 {
            let bottom = Rect::new(area.x, area.bottom().saturating_sub(1), area.width, 1);
            let text = format!("{}{status}", self.place());
            let text = fitting(&text, usize::from(area.width));
            let style = Style::new().add_modifier(Modifier::REVERSED);
            frame.render_widget(Line::styled(text, style), bottom);
        }
    }

    /// Whether it is paused, and which lines are shown where not all are.
    fn place(&self) -> String {
        let paused = if self.paused { "PAUSED  " } else { "" };
        if self.lines <= self.height {
            return paused.to_owned();
        }
        let (first, last) = (
            self.top.saturating_add(1),
            self.top.saturating_add(self.height),
        );
        format!("{paused}{first}-{last}/{}  ", self.lines)
    }
}

/// As many of the parts of a line as fit, between which two blanks stand: the first one always.
fn fitting(text: &str, width: usize) -> &str {
    let mut text = text;
    while text.chars().count() > width {
        let Some((first, _)) = text.rsplit_once("  ") else {
            break;
        };
        text = first.trim_end();
    }
    text
}

/// A line that stands out.
pub fn bold(text: impl Into<String>) -> Line<'static> {
    Line::styled(text.into(), Style::new().add_modifier(Modifier::BOLD))
}

/// What must not be, in red where there is some.
pub fn alarm(rate: f64, text: String) -> Span<'static> {
    if rate > 0.0 {
        Span::styled(text, Style::new().fg(Color::Red))
    } else {
        Span::from(text)
    }
}

/// What is shown on a screen.
pub trait Live {
    /// Draws it.
    fn draw(&mut self, frame: &mut Frame<'_>);
    /// A key was pressed.
    fn key(&mut self, key: KeyEvent);
    /// When it is to be read anew.
    fn due(&self) -> Instant;
    /// Reads it anew.
    fn next(&mut self) -> Result<()>;
    /// Whether the user wants to leave.
    fn has_ended(&self) -> bool;
}

/// Shows it until it has ended, or a signal has come. Where there is no terminal, `instead` says what there is.
pub fn show(live: &mut impl Live, stop: &Stop, instead: &str) -> Result<()> {
    if !io::stdout().is_terminal() {
        return Err(usage(format!(
            "the standard output is no terminal: {instead}"
        )));
    }
    let mut terminal = ratatui::try_init().context("the terminal")?;
    let result = go_on(&mut terminal, live, stop);
    ratatui::try_restore().context("the terminal")?;
    result
}

fn go_on(terminal: &mut ratatui::DefaultTerminal, live: &mut impl Live, stop: &Stop) -> Result<()> {
    while !live.has_ended() && !stop.has_come() {
        terminal
            .draw(|frame| live.draw(frame))
            .context("the terminal")?;
        let left = live.due().saturating_duration_since(Instant::now());
        if event::poll(left.min(NAP)).context("the terminal")? {
            if let Event::Key(key) = event::read().context("the terminal")? {
                live.key(key);
            }
        } else if left.is_zero() {
            live.next()?;
        }
    }
    Ok(())
}

/// The lines of text that a screen of that size has: for tests.
pub fn text_of((width, height): (u16, u16), draw: impl FnOnce(&mut Frame<'_>)) -> Vec<String> {
    use ratatui::{backend::TestBackend, Terminal};
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height)) else {
        return Vec::new();
    };
    if terminal.draw(draw).is_err() {
        return Vec::new();
    }
    let buffer = terminal.backend().buffer();
    let cell = |at| buffer.cell(at).map_or(" ", |cell| cell.symbol());
    let row = |y| (0..width).map(|x| cell((x, y))).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Line<'static>> {
        (0..count).map(|n| Line::from(n.to_string())).collect()
    }

    fn press(scroll: &mut Scroll, code: KeyCode) {
        scroll.key(KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn the_head_stays() {
        let mut scroll = Scroll::default();
        let head = [bold("head")];
        let shown = |scroll: &mut Scroll| {
            let draw = |frame: &mut Frame<'_>| scroll.draw(frame, &head, &lines(9), "q");
            text_of((20, 5), draw)
        };
        assert_eq!(shown(&mut scroll), ["head", "0", "1", "2", "1-3/9  q"]);
        press(&mut scroll, KeyCode::PageDown);
        assert_eq!(shown(&mut scroll), ["head", "3", "4", "5", "4-6/9  q"]);
        press(&mut scroll, KeyCode::End);
        press(&mut scroll, KeyCode::Char('p'));
        assert_eq!(
            shown(&mut scroll),
            ["head", "6", "7", "8", "PAUSED  7-9/9  q"]
        );
    }

    #[test]
    fn no_part_of_a_line_is_cut() {
        assert_eq!(
            fitting("q end  p pause  r reverse", 25),
            "q end  p pause  r reverse"
        );
        assert_eq!(fitting("q end  p pause  r reverse", 24), "q end  p pause");
        assert_eq!(fitting("q end  p pause", 3), "q end");
    }

    #[test]
    fn no_size_is_too_small() {
        for size in [(1, 1), (80, 1), (1, 80), (5, 2)] {
            let mut scroll = Scroll::default();
            let draw = |frame: &mut Frame<'_>| {
                scroll.draw(frame, &lines(3), &lines(9), "");
            };
            assert_eq!(text_of(size, draw).len(), usize::from(size.1));
        }
    }
}
