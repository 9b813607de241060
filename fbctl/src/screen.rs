// SPDX-License-Identifier: GPL-2.0

//! What lists on a screen have in common: keys, a filter that is typed, and the lines and columns that fit.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use lana_cli::screen::Scroll;
use ratatui::text::{Line, Span};

/// What the line at the bottom says before the columns.
pub(crate) const KEYS_WIDTH: usize = 15;

/// What is left to do after a key was pressed.
pub(crate) enum Pressed {
    /// Nothing.
    Done,
    /// This filter was typed.
    Filter(String),
    /// The key is one of the list's own.
    Key(KeyEvent),
}

/// What keys change that all lists know.
#[derive(Default)]
pub(crate) struct Input {
    pub(crate) scroll: Scroll,
    /// The keys are shown.
    pub(crate) help: bool,
    /// The filter that is being typed, and what was wrong with it.
    typed: Option<(String, Option<String>)>,
}

impl Input {
    pub(crate) fn key(&mut self, key: KeyEvent) -> Pressed {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let (Some((typed, wrong)), false) = (&mut self.typed, is_control) {
            *wrong = None;
            match key.code {
                KeyCode::Char(c) => typed.push(c),
                KeyCode::Backspace => {
                    typed.pop();
                }
                KeyCode::Esc => self.typed = None,
                KeyCode::Enter => {
                    let typed = self.typed.take().unwrap_or_default();
                    return Pressed::Filter(typed.0);
                }
                _ => {}
            }
            return Pressed::Done;
        }
        let scrolls = matches!(
            key.code,
            KeyCode::Up
                | KeyCode::Down
                | KeyCode::PageUp
                | KeyCode::PageDown
                | KeyCode::Home
                | KeyCode::End
        );
        if self.help && scrolls {
            self.scroll.key(key);
            return Pressed::Done;
        }
        let is_help = matches!(key.code, KeyCode::Char('?' | 'h'));
        if std::mem::take(&mut self.help) && (is_help || key.code == KeyCode::Esc) {
            return Pressed::Done;
        }
        if is_help {
            self.help = true;
            self.scroll.top = 0;
            return Pressed::Done;
        }
        Pressed::Key(key)
    }

    /// Lets the user type a filter, beginning with this one, if `wrong` says so another time.
    pub(crate) fn ask(&mut self, filter: String, wrong: Option<String>) {
        self.typed = Some((filter, wrong));
    }

    /// The line at the bottom, if it is not the list's.
    pub(crate) fn status(&self) -> Option<String> {
        if let Some((typed, wrong)) = &self.typed {
            let wrong = wrong.as_ref().map(|wrong| format!("  {wrong}"));
            let wrong = wrong.unwrap_or_default();
            return Some(format!(
                "filter: {typed}_{wrong}  (Enter takes it, Esc leaves it)"
            ));
        }
        let help = "arrows scroll, any other key leaves the keys";
        self.help.then(|| help.to_owned())
    }
}

/// What the keys do, and what is hidden; `in_short` where all of it does not fit on the screen.
pub(crate) fn keys(
    (all, in_short): (&str, &[&str]),
    hidden: &[&str],
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let mut rest = Vec::new();
    if !hidden.is_empty() {
        rest.push(format!("Hidden columns: {}", hidden.join(" ")));
        rest.push("  -b in a pipe or a file prints all, and so does --json".to_owned());
    }
    let with_rest = |lines: Vec<&str>| -> Vec<String> {
        let lines = lines.into_iter().map(str::to_owned);
        lines.chain(rest.clone()).collect()
    };
    let all = with_rest(all.lines().collect());
    // The title and the line at the bottom stand there, too.
    let fits = all.len() + 2 <= height && all.iter().all(|line| line.len() <= width);
    let lines = if fits {
        all
    } else {
        with_rest(in_short.to_vec())
    };
    lines.into_iter().map(Line::from).collect()
}

/// The columns for which there is no room: as many names as fit, and how many more.
pub(crate) fn hidden_note(hidden: &[&str], width: usize) -> Option<String> {
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
pub(crate) fn fitting<'a>(
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
    joined(parts.into_iter().map(|(_, part)| part), gap)
}

pub(crate) fn joined<'a>(parts: impl Iterator<Item = Span<'a>>, gap: &'static str) -> Line<'a> {
    let spans = parts.enumerate().flat_map(|(at, part)| {
        let gap = (at > 0).then(|| Span::from(gap));
        gap.into_iter().chain([part])
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// Which columns there is room for, and how much room is left: of groups, the most important ones of which come first.
/// Those of a group are shown together, and the first group always is.
pub(crate) fn choose<C: Copy + PartialEq>(
    groups: impl IntoIterator<Item = Vec<C>>,
    width: impl Fn(C) -> usize,
    gap: usize,
    room: Option<usize>,
) -> (Vec<C>, usize) {
    let (mut left, mut shown) = (room.unwrap_or(usize::MAX), Vec::new());
    let mut is_full = false;
    for group in groups {
        let group: Vec<_> = group.into_iter().filter(|c| !shown.contains(c)).collect();
        let widths = group.iter().map(|column| width(*column) + gap);
        let wide = widths.sum::<usize>();
        let wide = wide.saturating_sub(if shown.is_empty() { gap } else { 0 });
        // Without a name the rest says nothing.
        if !is_full && wide <= left || shown.is_empty() {
            left = left.saturating_sub(wide);
            shown.extend(group);
        } else {
            is_full |= !group.is_empty();
        }
    }
    (shown, left)
}
