// SPDX-License-Identifier: GPL-2.0

//! A graph as SVG.

use super::{
    caption::{figures_of, title, Figures},
    model::{Graph, Loss, Role},
    scene::{tenth, Box, Line, Room, Scene},
};
use lana_cli::clean;
use std::fmt::Write;

/// What both the file and the page of `fbctl web` look like.
pub(crate) const STYLE: &str = include_str!("picture.css");
/// Around the picture.
const BORDER: f64 = 16.0;
/// The line above it.
const TITLE: f64 = 26.0;
/// A line of the legend.
const LEGEND: f64 = 20.0;
const LEGEND_CHARACTER: f64 = 6.7;

pub(crate) fn svg(graph: &Graph, figures: Figures) -> String {
    let texts: Vec<_> = graph
        .blocks
        .iter()
        .map(|block| figures_of(block, figures))
        .collect();
    let room = Room {
        packets: figures != Figures::Drops,
        drops: texts.iter().any(|(_, loss)| loss.is_some()),
    };
    let length = |text: &str| text.chars().count();
    let counters = texts.iter().map(|(packets, loss)| {
        let loss = loss.as_ref().map_or(0, |loss| length(&loss.text));
        length(packets).max(loss)
    });
    let scene = Scene::new(graph, room, &counters.collect::<Vec<_>>());
    let legend = legend(graph);
    let legend_width = legend.iter().map(Entry::width);
    let title = title(graph);
    let title_width = tenth(LEGEND_CHARACTER * 1.2 * character_count(&title));
    // The entries of the legend go into as many lines as they need.
    let inner = legend_width.fold(scene.width.max(title_width).max(240.0), f64::max);
    let (entries, lines) = arrange(&legend, inner);
    let width = inner + 2.0 * BORDER;
    let top = BORDER + TITLE;
    let bottom = if lines > 0.0 {
        lines * LEGEND + 14.0
    } else {
        0.0
    };
    let height = top + scene.height + bottom + BORDER;
    let mut out = String::new();
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <style>\n{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        w = tenth(width),
        h = tenth(height),
    );
    out.push_str(&head);
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{BORDER}\" y=\"{}\">{}</text>",
        BORDER + 10.0,
        escape(&title)
    );
    let aside = tenth(BORDER + (inner - scene.width) / 2.0);
    let _ = writeln!(out, "<g transform=\"translate({aside},{top})\">");
    for line in &scene.lines {
        draw_line(&mut out, line, graph);
    }
    for (of, texts) in scene.boxes.iter().zip(&texts) {
        draw_box(&mut out, of, texts);
    }
    for port in scene.lines.iter().flat_map(|line| &line.ports) {
        let _ = writeln!(
            out,
            "<text class=\"port\" x=\"{}\" y=\"{}\">{}</text>",
            port.x, port.y, port.number
        );
    }
    out.push_str("</g>\n");
    for (entry, x, y) in entries {
        entry.draw(&mut out, BORDER + x, top + scene.height + 14.0 + y);
    }
    out + "</svg>\n"
}

fn draw_line(out: &mut String, line: &Line, graph: &Graph) {
    let block = |number: usize| graph.blocks.get(number);
    let rate = |number: usize| block(number)?.rate.as_ref().map(|rate| rate.packets);
    // No more can have gone this way than either end had.
    let rate = rate(line.lower)
        .zip(rate(line.upper))
        .map(|(a, b)| a.min(b));
    let (class, style) = match (line.loose, rate) {
        (true, _) => ("line loose", String::new()),
        (false, Some(rate)) if rate > 0.0 => {
            let width = tenth((1.4 + 0.6 * (1.0 + rate).log10()).min(6.0));
            ("line active", format!(" style=\"stroke-width:{width}px\""))
        }
        _ => ("line", String::new()),
    };
    let name = |number: usize| block(number).map_or("", |block| block.name.as_str());
    let what = if line.loose {
        format!(
            "{} gets the events of {}",
            name(line.upper),
            name(line.lower)
        )
    } else {
        format!("{} on {}", name(line.upper), name(line.lower))
    };
    let _ = writeln!(
        out,
        "<path class=\"{class}\"{style} d=\"{}\"><title>{}</title></path>",
        line.path,
        escape(&what)
    );
}

fn draw_box(out: &mut String, of: &Box, (packets, loss): &(String, Option<Loss>)) {
    let _ = writeln!(
        out,
        "<g class=\"{}\" transform=\"translate({},{})\">",
        of.class, of.x, of.y
    );
    let round = match of.class.as_str() {
        "block" => 6.0,
        "socket" => of.height / 2.0,
        _ => 0.0,
    };
    let _ = writeln!(
        out,
        "<rect class=\"shape\" width=\"{}\" height=\"{}\" rx=\"{round}\"/>",
        of.width, of.height
    );
    if of.class == "block" {
        let _ = writeln!(
            out,
            "<rect class=\"hue{}\" x=\"3\" y=\"6\" width=\"4\" height=\"{}\" rx=\"2\"/>",
            of.hue,
            of.height - 12.0
        );
    }
    let middle = of.width / 2.0;
    let text = |out: &mut String, class: &str, y: f64, text: &str| {
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>"
        );
    };
    text(out, "name", 18.0, &escape(&of.name));
    text(out, "detail", 33.0, &escape(&of.detail));
    let mut y = 48.0;
    if !packets.is_empty() {
        text(out, "figures", y, packets);
        y += 15.0;
    }
    if let Some(loss) = loss {
        let class = if loss.bad {
            "figures bad"
        } else {
            "figures usual"
        };
        text(out, class, y, &escape(&loss.text));
    }
    out.push_str("</g>\n");
}

/// What is explained below the picture: only what there is in it.
struct Entry {
    class: &'static str,
    text: String,
    hue: Option<usize>,
}

impl Entry {
    fn width(&self) -> f64 {
        26.0 + LEGEND_CHARACTER * character_count(&self.text) + 18.0
    }

    fn draw(&self, out: &mut String, x: f64, y: f64) {
        let (x, y) = (tenth(x), tenth(y));
        let _ = writeln!(
            out,
            "<g class=\"{}\" transform=\"translate({x},{y})\">",
            self.class
        );
        let sign = match (self.class, self.hue) {
            ("binding", _) => "<path class=\"line\" d=\"M0,7L20,7\"/>".to_owned(),
            ("active", _) => {
                "<path class=\"line active\" style=\"stroke-width:3px\" d=\"M0,7L20,7\"/>"
                    .to_owned()
            }
            ("subscription", _) => "<path class=\"line loose\" d=\"M0,7L20,7\"/>".to_owned(),
            (_, Some(hue)) => {
                format!("<rect class=\"hue{hue}\" x=\"8\" width=\"4\" height=\"14\" rx=\"2\"/>")
            }
            ("socket", _) => {
                "<rect class=\"shape\" width=\"20\" height=\"14\" rx=\"7\"/>".to_owned()
            }
            _ => "<rect class=\"shape\" width=\"20\" height=\"14\"/>".to_owned(),
        };
        let _ = writeln!(
            out,
            "{sign}<text class=\"legend\" x=\"26\" y=\"11\">{}</text></g>",
            escape(&self.text)
        );
    }
}

fn legend(graph: &Graph) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |class, text: &str, hue| {
        let text = clean(text);
        entries.push(Entry { class, text, hue });
    };
    let devices = || {
        graph.blocks.iter().filter_map(|block| match &block.role {
            Role::Device(device) => Some(device),
            _ => None,
        })
    };
    for (class, text) in [
        ("device up", "device, up"),
        ("device no-carrier", "no carrier"),
        ("device down", "down"),
    ] {
        let state = |device: &super::model::Device| {
            device
                .state
                .is_some_and(|state| class.ends_with(super::model::state_text(state)))
        };
        if devices().any(state) {
            add(class, text, None);
        }
    }
    if devices().any(|device| device.carrier.is_some()) {
        add("virtual device", "virtual device", None);
    }
    if graph
        .blocks
        .iter()
        .any(|block| matches!(block.role, Role::Socket(_)))
    {
        add("socket", "socket", None);
    }
    let blocks = graph
        .blocks
        .iter()
        .filter(|block| block.role == Role::None {});
    let mut kinds: Vec<_> = blocks.map(|block| block.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        add("block", kind, Some(super::scene::hue(kind)));
    }
    if graph.seconds.is_some() {
        add("active", "packets at both ends", None);
    }
    if !graph.subscriptions.is_empty() {
        add("subscription", "subscription", None);
    }
    entries
}

/// Where each entry goes, and how many lines there are.
fn arrange(legend: &[Entry], width: f64) -> (Vec<(&Entry, f64, f64)>, f64) {
    let (mut x, mut y, mut placed) = (0.0, 0.0, Vec::new());
    for entry in legend {
        if x > 0.0 && x + entry.width() > width {
            (x, y) = (0.0, y + LEGEND);
        }
        placed.push((entry, x, y));
        x += entry.width();
    }
    let lines = if placed.is_empty() {
        0.0
    } else {
        y / LEGEND + 1.0
    };
    (placed, lines)
}

fn character_count(text: &str) -> f64 {
    text.chars().map(|_| 1.0).sum()
}

/// The text as it may stand between tags and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no way to write these.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
