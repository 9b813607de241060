// SPDX-License-Identifier: GPL-2.0

//! The options of a block as text: words on a line, and a table of those that are numbered, such as
//! multipath's `port.N.weight`, in which each number has a line.

use crate::rates::scaled;
use lana_netlink::{
    spec::{Direction, OptionAttrs},
    wire::Value,
    Fb,
};
use std::collections::BTreeMap;

/// Longest value of an option in the table; JSON has all of it.
const VALUE_WIDTH: usize = 32;
/// The same of one that has a line of its own, as `rule.3` has.
const ROW_WIDTH: usize = 80;
/// The same of several lines, on a terminal.
const LINES_WIDTH: usize = 12;
/// How wide a line of options may get.
const LINE_WIDTH: usize = 100;

/// Between columns.
const GAP: &str = "  ";
/// How far from the margin of a terminal they stand.
const NOTE: usize = 4;
/// The column that says what a number leads to.
const TO: &str = "to";

/// What options are to be shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sheet {
    /// A terminal of so many columns, whose table breaks lines.
    Terminal(usize),
    /// A file or a program, for which lines stay as they are.
    File,
}

/// A key of the form `port.3.weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered<'a> {
    pub(crate) of: &'a str,
    pub(crate) number: u32,
    pub(crate) what: &'a str,
}

/// Takes a key apart, if it is of that form.
pub(crate) fn numbered(key: &str) -> Option<Numbered<'_>> {
    let (of, rest) = key.split_once('.')?;
    let (number, what) = rest.split_once('.')?;
    let is_plain = !of.is_empty() && !what.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_plain)?;
    Some(Numbered { of, number, what })
}

/// The same for a key of the form `rule.3`, whose value is in a column of its own.
fn numbered_row(key: &str) -> Option<Numbered<'_>> {
    let (of, number) = key.split_once('.')?;
    let is_plain = !of.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_plain)?;
    let what = "value";
    Some(Numbered { of, number, what })
}

/// The options of a block: lines of words, of which the first may stand in a table's cell, and then the tables.
pub(crate) fn lines(fb: &Fb, sheet: Sheet) -> Vec<String> {
    let mut words = Vec::new();
    let mut tables: Vec<Numbers> = Vec::new();
    for option in &fb.option {
        let key = option.key.as_deref().unwrap_or_default();
        let value = option.value.as_deref().unwrap_or_default();
        let size = option.size.filter(|_| option.value.is_none());
        let size = size.map(|size| format!("({size} bytes)"));
        if let Some(key) = numbered_row(key) {
            let value = size.unwrap_or_else(|| cut(value, ROW_WIDTH));
            put(&mut tables, key, value);
            continue;
        }
        let value = size.unwrap_or_else(|| shorten(value, sheet));
        match numbered(key) {
            Some(key) => {
                let value = with_unit(fb, key, value);
                if let Some(to) = leads_to(fb, key) {
                    put(&mut tables, Numbered { what: TO, ..key }, to.to_owned());
                }
                put(&mut tables, key, value);
            }
            None => words.push(format!("{key}={value}")),
        }
    }
    let missing = [
        (fb.partial.is_some(), "(more than can be shown)"),
        (fb.withheld.is_some(), "(more for CAP_NET_ADMIN)"),
    ];
    let missing = missing.iter().filter(|(is, _)| *is);
    words.extend(missing.map(|(_, text)| (*text).to_owned()));
    let mut lines = wrap(&words, sheet);
    if lines.is_empty() && !tables.is_empty() {
        lines.push(String::new());
    }
    let width = match sheet {
        Sheet::Terminal(columns) => columns.saturating_sub(NOTE),
        Sheet::File => usize::MAX,
    };
    lines.extend(tables.iter().flat_map(|table| table.lines(width)));
    lines
}

/// What `multipath` has measured of a link, in bits a second: with the unit that its capacity has.
fn with_unit(fb: &Fb, key: Numbered<'_>, value: String) -> String {
    let is_rate = fb.r#type.as_deref() == Some("multipath")
        && key.of == "port"
        && matches!(key.what, "rate" | "last-rate");
    match value.parse::<u64>() {
        Ok(bits) if is_rate => {
            #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
            let text = scaled(bits as f64);
            format!("{}bit", text.to_lowercase())
        }
        _ => value,
    }
}

/// Those options that only show: what the block itself counts.
pub(crate) fn counted(fb: &Fb) -> impl Iterator<Item = &OptionAttrs> {
    fb.option.iter().filter(|option| option.config.is_none())
}

/// What the port leads to that an option is about: `port.N.…` is about the egress port N.
pub(crate) fn leads_to<'a>(fb: &'a Fb, key: Numbered<'_>) -> Option<&'a str> {
    let mut ports = fb.port.iter().filter(|_| key.of == "port");
    let egress = Some(Value::Known(Direction::Egress));
    let port = ports.find(|port| port.direction == egress && port.index == Some(key.number))?;
    port.peer_name.as_deref()
}

/// Words on as many lines as they need.
pub(crate) fn wrap(words: &[String], sheet: Sheet) -> Vec<String> {
    if matches!(sheet, Sheet::Terminal(_)) && !words.is_empty() {
        return vec![words.join(" ")];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < LINE_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    lines
}

/// The numbered options that begin with the same word.
struct Numbers {
    of: String,
    columns: Vec<String>,
    /// By number, in the order of the columns.
    rows: BTreeMap<u32, Vec<String>>,
}

fn put(tables: &mut Vec<Numbers>, key: Numbered<'_>, value: String) {
    let at = tables.iter().position(|table| table.of == key.of);
    let at = at.unwrap_or_else(|| {
        tables.push(Numbers {
            of: key.of.to_owned(),
            columns: Vec::new(),
            rows: BTreeMap::new(),
        });
        tables.len() - 1
    });
    let Some(table) = tables.get_mut(at) else {
        return;
    };
    let column = table.columns.iter().position(|column| column == key.what);
    let column = column.unwrap_or_else(|| {
        table.columns.push(key.what.to_owned());
        table.columns.len() - 1
    });
    let row = table.rows.entry(key.number).or_default();
    if row.len() <= column {
        row.resize(column + 1, String::new());
    }
    if let Some(cell) = row.get_mut(column) {
        *cell = value;
    }
}

impl Numbers {
    /// Columns that line up: what begins with a digit leans to the right. Those that do not fit into `width` stand below,
    /// again with the number and what it leads to.
    fn lines(&self, width: usize) -> Vec<String> {
        let head = [self.of.clone()].into_iter().chain(self.columns.clone());
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        for (number, row) in &self.rows {
            let mut cells = vec![number.to_string()];
            for column in 0..self.columns.len() {
                let cell = row.get(column).filter(|cell| !cell.is_empty());
                cells.push(cell.cloned().unwrap_or_else(|| "-".to_owned()));
            }
            lines.push(cells);
        }
        let column = |at: usize| {
            let cells: Vec<_> = lines.iter().filter_map(|line| line.get(at)).collect();
            let width = cells.iter().map(|cell| cell.chars().count()).max();
            let mut values = cells.iter().skip(1).filter(|cell| **cell != "-");
            let is_number = values.all(|cell| {
                !cell.contains(char::is_whitespace)
                    && cell.starts_with(|c: char| c.is_ascii_digit())
            });
            (width.unwrap_or_default(), is_number)
        };
        let columns: Vec<_> = (0..=self.columns.len()).map(column).collect();
        let own = if self.columns.first().is_some_and(|column| column == TO) {
            2
        } else {
            1
        };
        let own: Vec<usize> = (0..own).collect();
        let length = |group: &[usize]| {
            let widths = group.iter().filter_map(|at| columns.get(*at));
            widths.map(|(width, _)| width + GAP.len()).sum::<usize>()
        };
        let mut groups = vec![own.clone()];
        for at in own.len()..columns.len() {
            let Some(last) = groups.last_mut() else { break };
            if last.len() > own.len()
                && length(last) + length(&[at]) > width.saturating_add(GAP.len())
            {
                groups.push([own.clone(), vec![at]].concat());
            } else {
                last.push(at);
            }
        }
        let line = |cells: &Vec<String>, group: &[usize]| {
            let pad = |at: &usize| {
                let (cell, (width, is_number)) = cells.get(*at).zip(columns.get(*at))?;
                Some(if *is_number {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:width$}")
                })
            };
            let padded: Vec<_> = group.iter().filter_map(pad).collect();
            padded.join(GAP).trim_end().to_owned()
        };
        let group = |group: &Vec<usize>| -> Vec<_> {
            lines.iter().map(|cells| line(cells, group)).collect()
        };
        groups.iter().flat_map(group).collect()
    }
}

/// A value in one line, cut where it gets longer than `width`.
fn cut(value: &str, width: usize) -> String {
    let one_line = value.trim_end().replace('\n', "\\n");
    let mut short: String = one_line.chars().take(width).collect();
    if short.len() < one_line.len() {
        short.push_str("...");
    }
    short
}

/// A value as one word or one quotation, cut where it gets long.
fn shorten(value: &str, sheet: Sheet) -> String {
    let has_lines = value.trim_end().contains('\n');
    let width = if matches!(sheet, Sheet::Terminal(_)) && has_lines {
        LINES_WIDTH
    } else {
        VALUE_WIDTH
    };
    let short = cut(value, width);
    if short.is_empty() || short.contains(char::is_whitespace) {
        format!("\"{short}\"")
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::{spec::PortAttrs, wire::Flag};

    fn lines(fb: &Fb) -> Vec<String> {
        super::lines(fb, Sheet::File)
    }

    fn shorten(value: &str) -> String {
        super::shorten(value, Sheet::File)
    }

    fn fb(options: &[(&str, &str)]) -> Fb {
        let option = |(key, value): &(&str, &str)| OptionAttrs {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
            ..Default::default()
        };
        Fb {
            option: options.iter().map(option).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn keys_with_a_number() {
        let key = Numbered {
            of: "port",
            number: 12,
            what: "a.b",
        };
        assert_eq!(numbered("port.12.a.b"), Some(key));
        for key in [
            "port",
            "port.12",
            "port.x.y",
            ".1.x",
            "port.1.",
            "port..x",
            "port.+1.x",
        ] {
            assert_eq!(numbered(key), None, "{key}");
        }
    }

    #[test]
    fn numbers_have_a_line_each() {
        let fb = fb(&[
            ("strategy", "session"),
            ("port.1.weight", "2"),
            ("port.0.link", "up"),
            ("port.0.wanted", "33.33%"),
            ("port.1.link", "down"),
            ("port.1.wanted", "100.00%"),
            ("port.10.link", "off"),
        ]);
        let expected = [
            "strategy=session",
            "port  weight  link   wanted",
            "   0       -  up     33.33%",
            "   1       2  down  100.00%",
            "  10       -  off         -",
        ];
        assert_eq!(lines(&fb), expected);
    }

    #[test]
    fn many_words_have_many_lines() {
        let keys: Vec<_> = (0..12).map(|n| format!("refused.reason-{n}")).collect();
        let options: Vec<_> = keys.iter().map(|key| (key.as_str(), "1")).collect();
        let lines = lines(&fb(&options));
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().count() <= LINE_WIDTH));
        let words: Vec<_> = lines.iter().flat_map(|line| line.split(' ')).collect();
        assert_eq!(words.len(), 12);
        assert_eq!(super::lines(&fb(&options), Sheet::Terminal(80)).len(), 1);
    }

    #[test]
    fn ports_tell_what_they_lead_to() {
        let mut fb = fb(&[
            ("port.1.link", "up"),
            ("port.2.link", "up"),
            ("row.1.x", "y"),
        ]);
        fb.port.push(PortAttrs {
            direction: Some(Value::Known(Direction::Egress)),
            index: Some(1),
            peer_name: Some("dsl1".into()),
            ..Default::default()
        });
        let expected = [
            "",
            "port  to    link",
            "   1  dsl1  up",
            "   2  -     up",
            "row  x",
            "  1  y",
        ];
        assert_eq!(lines(&fb), expected);
    }

    #[test]
    fn columns_that_do_not_fit_stand_below() {
        let mut fb = fb(&[
            ("port.1.link", "up"),
            ("port.1.packets", "12"),
            ("port.1.rate", "1"),
        ]);
        fb.port.push(PortAttrs {
            direction: Some(Value::Known(Direction::Egress)),
            index: Some(1),
            peer_name: Some("dsl1".into()),
            ..Default::default()
        });
        let narrow = |columns| super::lines(&fb, Sheet::Terminal(columns));
        let wide = [
            "",
            "port  to    link  packets  rate",
            "   1  dsl1  up         12     1",
        ];
        assert_eq!(narrow(35), wide);
        let expected = [
            "",
            "port  to    link  packets",
            "   1  dsl1  up         12",
            "port  to    rate",
            "   1  dsl1     1",
        ];
        assert_eq!(narrow(34), expected);
        // One stands there at least.
        assert_eq!(narrow(10).len(), 1 + 3 * 2);
    }

    #[test]
    fn rates_have_units() {
        let options = [
            ("port.0.capacity", "10gbit"),
            ("port.0.rate", "982030"),
            ("port.0.pps", "1534"),
            ("port.0.last-rate", "0"),
        ];
        let mut fb = fb(&options);
        let expected = [
            "",
            "port  capacity    rate   pps  last-rate",
            "   0    10gbit  982030  1534          0",
        ];
        assert_eq!(lines(&fb), expected);
        fb.r#type = Some("multipath".into());
        let expected = [
            "",
            "port  capacity     rate   pps  last-rate",
            "   0    10gbit  982kbit  1534       0bit",
        ];
        assert_eq!(lines(&fb), expected);
    }

    #[test]
    fn long_values_tell_how_long() {
        let mut fb = fb(&[("prefixes.0", ""), ("prefixes.1", "::/0")]);
        fb.option[0].value = None;
        fb.option[0].size = Some(16_000_000);
        let expected = [
            "",
            "prefixes  value",
            "       0  (16000000 bytes)",
            "       1  ::/0",
        ];
        assert_eq!(lines(&fb), expected);
    }

    #[test]
    fn numbers_alone_leave_the_cell_empty() {
        assert_eq!(lines(&fb(&[("port.0.link", "up")]))[0], "");
        assert!(lines(&fb(&[])).is_empty());
    }

    #[test]
    fn what_is_not_shown_is_told() {
        let mut fb = fb(&[("program", "a\nb")]);
        fb.partial = Some(Flag);
        fb.withheld = Some(Flag);
        let line = "program=a\\nb (more than can be shown) (more for CAP_NET_ADMIN)";
        assert_eq!(lines(&fb), [line]);
    }

    #[test]
    fn values_stay_on_their_line() {
        assert_eq!(shorten(""), "\"\"");
        assert_eq!(shorten("on\n"), "on");
        assert_eq!(shorten("a\nb"), "a\\nb");
        assert_eq!(shorten("a b"), "\"a b\"");
        assert_eq!(shorten(&"x".repeat(33)), format!("{}...", "x".repeat(32)));
    }

    #[test]
    fn several_lines_are_short_on_a_terminal() {
        let shorten = |value| super::shorten(value, Sheet::Terminal(80));
        assert_eq!(shorten("4\n40 0 0 12\n"), "\"4\\n40 0 0 12\"");
        assert_eq!(shorten("4\n40 0 0 4294963200"), "\"4\\n40 0 0 42...\"");
        assert_eq!(shorten(&"x".repeat(32)), "x".repeat(32));
    }

    #[test]
    fn rules_have_a_line_each() {
        let fb = fb(&[
            ("unmatched", "3"),
            ("rule.10", "proto=udp dport=53 -> 1"),
            ("rule.10.packets", "12"),
            ("rule.9", &format!("bpf=\"hex {}\" -> 1", "0".repeat(90))),
            ("rule.9.packets", "0"),
        ]);
        assert_eq!(
            lines(&fb),
            [
                "unmatched=3".to_owned(),
                format!("rule  value{}  packets", " ".repeat(78)),
                format!("   9  bpf=\"hex {}...        0", "0".repeat(71)),
                format!("  10  proto=udp dport=53 -> 1{}       12", " ".repeat(60)),
            ]
        );
    }
}
