// SPDX-License-Identifier: GPL-2.0

//! Texts that stand out on a terminal: drops, and devices that are down.

use crate::picture::{
    caption::{figures_of, Figures},
    model::{Block, Role},
    scene::detail,
};
use anstyle::{AnsiColor, Style};
use lana_cli::{clean, Line};
use lana_netlink::LinkState;

/// How much something stands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// Drops that filters are for, a device without a carrier.
    Notable,
    /// Other drops, a device that is down.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        let colour = match self {
            Tone::Plain => return Style::new(),
            Tone::Notable => AnsiColor::Yellow,
            Tone::Bad => AnsiColor::Red,
        };
        Style::new().fg_color(Some(colour.into()))
    }

    /// The text in its colour.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        if !colour || self == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }

    /// That of the state of a device.
    pub(super) fn of(block: &Block) -> Self {
        match &block.role {
            Role::Device(device) => match device.state {
                Some(LinkState::Down) => Tone::Bad,
                Some(LinkState::NoCarrier) => Tone::Notable,
                Some(LinkState::Up) | None => Tone::Plain,
            },
            Role::Socket(_) | Role::None {} => Tone::Plain,
        }
    }
}

/// A text with its tone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) tone: Tone,
    /// A figure, which is shown whole or not at all: a part of a number is another number.
    pub(super) whole: bool,
}

/// How much a line says of a block, from all of it to its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Brevity {
    All,
    /// Units in short.
    Units,
    /// And all drops as one number.
    Drops,
    /// And blocks without their numbers.
    Numbers,
    /// And without their types.
    Types,
    /// And without packets.
    Packets,
}

impl Brevity {
    pub(super) const EACH: [Brevity; 6] = [
        Brevity::All,
        Brevity::Units,
        Brevity::Drops,
        Brevity::Numbers,
        Brevity::Types,
        Brevity::Packets,
    ];
}

impl Words {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Words {
            text: text.into(),
            tone,
            whole: false,
        }
    }

    /// A number, with what it counts.
    pub(super) fn figure(text: impl Into<String>, tone: Tone) -> Self {
        Words {
            whole: true,
            ..Words::new(text, tone)
        }
    }

    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// So many reasons for drops are said of a block.
const REASONS: usize = 3;

/// What is said of a block: its name, its type and number and state, its packets. These may be empty.
pub(super) fn words(block: &Block, figures: Figures) -> [Words; 3] {
    let (packets, _) = figures_of(block, figures);
    [
        Words::new(clean(&block.name), Tone::Plain),
        Words::new(detail(block), Tone::of(block)),
        Words::new(packets, Tone::Plain),
    ]
}

/// The packets that a block has dropped, for each reason.
pub(super) fn drops(block: &Block, figures: Figures) -> Vec<Words> {
    let (_, loss) = figures_of(block, figures);
    let reasons = loss.map(|loss| loss.reasons).unwrap_or_default();
    let tone = |bad| if bad { Tone::Bad } else { Tone::Notable };
    let mut words: Vec<_> = reasons
        .iter()
        .take(REASONS)
        .map(|(text, bad)| Words::new(text, tone(*bad)))
        .collect();
    let rest = reasons.get(REASONS..).unwrap_or_default();
    if !rest.is_empty() {
        let bad = rest.iter().any(|(_, bad)| *bad);
        let end = if rest.len() == 1 { "" } else { "s" };
        let text = format!("{} more reason{end}", rest.len());
        words.push(Words::new(text, tone(bad)));
    }
    words
}

/// The packets of a block in fewer characters.
pub(super) fn short_packets(text: &str) -> String {
    text.replace(" packets/s", "/s")
        .replace(" packets", " pkt")
        .replace(" packet", " pkt")
}

/// The same for a line: the packets before a comma where drops follow, and these together.
pub(super) fn listed_words(block: &Block, figures: Figures, brevity: Brevity) -> [Words; 4] {
    let [name, mut detail, mut packets] = words(block, figures);
    let mut drops = drops(block, figures);
    if brevity >= Brevity::Units {
        packets.text = short_packets(&packets.text);
    }
    if brevity >= Brevity::Drops && drops.len() > 1 {
        let (_, loss) = figures_of(block, figures);
        let tone = |bad| if bad { Tone::Bad } else { Tone::Notable };
        let loss = loss.map(|loss| Words::new(loss.text, tone(loss.bad)));
        drops = loss.into_iter().collect();
    }
    if brevity >= Brevity::Numbers {
        let number = format!(" #{}", block.idp);
        detail.text = detail.text.replacen(&number, "", 1);
    }
    if brevity >= Brevity::Types {
        detail.text = match detail.text.split_once(" · ") {
            Some((_, rest)) => rest.to_owned(),
            None => String::new(),
        };
    }
    if brevity >= Brevity::Packets {
        packets.text.clear();
    }
    if !packets.text.is_empty() {
        // All are equally wide behind the number, so that these line up.
        let one = if packets.text.ends_with("packet") {
            " "
        } else {
            ""
        };
        let end = if drops.is_empty() { " " } else { "," };
        packets.text = format!("{}{end}{one}", packets.text);
    }
    let tone = drops.iter().map(|words| words.tone);
    let tone = if tone.clone().any(|tone| tone == Tone::Bad) {
        Tone::Bad
    } else {
        tone.max_by_key(|tone| *tone == Tone::Notable)
            .unwrap_or_default()
    };
    let texts: Vec<_> = drops.into_iter().map(|words| words.text).collect();
    let packets = Words::figure(packets.text, packets.tone);
    [name, detail, packets, Words::figure(texts.join(", "), tone)]
}

/// A name in so many columns: where it is too long, its middle is left out, as names differ at their ends.
pub(super) fn in_short(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    let Some(room) = width.checked_sub(1).filter(|_| letters.len() > width) else {
        return name.chars().take(width).collect();
    };
    let (begin, end) = (room / 2, letters.len() - (room - room / 2));
    let (head, tail) = (letters.get(..begin), letters.get(end..));
    let parts = [head.unwrap_or_default(), &['…'], tail.unwrap_or_default()];
    parts.concat().into_iter().collect()
}

/// A line without what is blank at its end.
pub(super) fn trimmed(mut words: Vec<Words>) -> Vec<Words> {
    while words
        .last()
        .is_some_and(|words| words.text.trim().is_empty())
    {
        words.pop();
    }
    if let Some(last) = words.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    words
}

/// What stands above a list: it goes on below where it is too long.
pub(super) fn heading(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if width < 20 => line(&[Words::new(text, Tone::Plain)], Some(width), false),
        width => Line::of(text).render(width, 0, false),
    }
}

/// The words one after another, in as many columns as there are. What is longer is cut; a figure is left out.
pub(super) fn line(words: &[Words], width: Option<usize>, colour: bool) -> String {
    let mut left = width.unwrap_or(usize::MAX);
    let total: usize = words.iter().map(Words::width).sum();
    let is_cut = total > left;
    if is_cut {
        left = left.saturating_sub(1);
    }
    let mut out = String::new();
    for word in words {
        let fits = word.width() <= left;
        if !fits && word.whole {
            break;
        }
        let text: String = word.text.chars().take(left).collect();
        left -= text.chars().count();
        out.push_str(&word.tone.paint(&text, colour));
        if !fits {
            break;
        }
    }
    if is_cut && width != Some(0) {
        out.push('…');
    }
    out
}
