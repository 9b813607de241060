// SPDX-License-Identifier: GPL-2.0

//! Blocks that are bound to nothing: in columns, as `ls` has files.

use super::{
    style::{in_short, line, listed_words, trimmed, Brevity, Tone, Words},
    Look,
};
use crate::picture::model::Block;

/// Between columns, and before the first one.
const GAP: usize = 2;
/// How wide the columns are together where there is no limit.
const USUAL: usize = 100;

/// Lists them, from above to below and then from left to right.
pub(super) fn list(blocks: &[Block], look: &Look) -> String {
    // As much is said of the blocks as there is room for.
    let (mut cells, mut wide) = (Vec::new(), 0);
    for brevity in Brevity::EACH {
        cells = cells_of(blocks, look, brevity);
        let widths = cells.iter().map(|cell| cell.iter().map(Words::width).sum());
        wide = widths.max().unwrap_or_default();
        if look.has_room(wide) {
            break;
        }
    }
    let columns = (look.width.unwrap_or(USUAL) / wide.max(1)).max(1);
    let rows = cells.len().div_ceil(columns).max(1);
    let title = Words::new(format!("not bound ({}):", blocks.len()), Tone::Plain);
    let mut out = line(&[title], look.width, false) + "\n";
    for row in 0..rows {
        let all: Vec<_> = cells
            .iter()
            .skip(row)
            .step_by(rows)
            .flatten()
            .cloned()
            .collect();
        out.push_str(&line(&trimmed(all), look.width, look.colour));
        out.push('\n');
    }
    out
}

fn cells_of(blocks: &[Block], look: &Look, brevity: Brevity) -> Vec<Vec<Words>> {
    let room = look.width.filter(|_| brevity == Brevity::Packets);
    let room = room.map(|width| width.saturating_sub(GAP));
    let said = blocks.iter().map(|block| {
        let mut words = listed_words(block, look.figures, brevity);
        if let (Some(room), [name, ..]) = (room, &mut words) {
            name.text = in_short(&name.text, room);
        }
        words
    });
    let said: Vec<_> = said.collect();
    let width = |part: usize| {
        let parts = said.iter().filter_map(|words| words.get(part));
        parts.map(Words::width).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..4).map(width).collect();
    said.iter().map(|words| cell(words, &widths)).collect()
}

/// What is said of a block, each part as wide as those of the others.
fn cell(words: &[Words], widths: &[usize]) -> Vec<Words> {
    let mut cell = vec![Words::new(" ".repeat(GAP), Tone::Plain)];
    for (part, (words, width)) in words.iter().zip(widths).enumerate() {
        if *width == 0 {
            continue;
        }
        let blank = Words::new(" ".repeat(width - words.width()), Tone::Plain);
        if part > 0 {
            cell.push(Words::new(" ", Tone::Plain));
        }
        // Numbers stand to the right.
        if part == 2 {
            cell.extend([blank, words.clone()]);
        } else {
            cell.extend([words.clone(), blank]);
        }
    }
    cell
}
