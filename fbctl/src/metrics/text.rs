// SPDX-License-Identifier: GPL-2.0

//! The OpenMetrics text format, <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
};

/// What the numbers of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They only grow.
    Counter,
    Gauge,
    /// None: its labels are text.
    Info,
    /// Nobody has said.
    Unknown,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Unknown => "unknown",
        }
    }

    /// What the name of a sample ends with.
    fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Unknown => "",
        }
    }
}

/// Names and values.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// Numbers of one name.
#[derive(Debug)]
struct Family {
    kind: Kind,
    unit: Option<&'static str>,
    help: String,
    /// By their labels, so that each is there once.
    samples: BTreeMap<String, String>,
}

/// All numbers, by the name of their family.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    /// Declares a family, which is shown even if it has no numbers. Its unit is what its name ends with.
    pub(super) fn declare(
        &mut self,
        name: &str,
        kind: Kind,
        unit: Option<&'static str>,
        help: &str,
    ) {
        self.0.entry(name.to_owned()).or_insert_with(|| Family {
            kind,
            unit,
            help: help.to_owned(),
            samples: BTreeMap::new(),
        });
    }

    /// Adds a number to a family. One of another kind has that name, too, where blocks of foreign types show odd
    /// things: then there is no place for it.
    pub(super) fn put(&mut self, name: &str, kind: Kind, labels: Labels<'_>, value: impl Display) {
        if let Some(family) = self.0.get_mut(name).filter(|family| family.kind == kind) {
            family.samples.insert(rendered(labels), value.to_string());
        }
    }

    /// The document.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (name, family) in &self.0 {
            // Writing to a string does not fail.
            let _ = writeln!(out, "# TYPE {name} {}", family.kind.name());
            if let Some(unit) = family.unit {
                let _ = writeln!(out, "# UNIT {name} {unit}");
            }
            let _ = writeln!(out, "# HELP {name} {}", escaped(&family.help));
            for (labels, value) in &family.samples {
                let _ = writeln!(out, "{name}{}{labels} {value}", family.kind.suffix());
            }
        }
        out.push_str("# EOF\n");
        out
    }
}

/// Labels in braces. Of two with the same name the first one counts.
fn rendered(labels: Labels<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in labels {
        if !names.contains(name) {
            names.push(name);
            parts.push(format!("{name}=\"{}\"", escaped(value)));
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("{{{}}}", parts.join(","))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A name as metrics and labels may have it, of any text: what they cannot have is an underscore.
pub(super) fn word(text: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let word: String = text.chars().map(legal).collect();
    match word.chars().next() {
        Some(c) if c.is_ascii_digit() => format!("_{word}"),
        None => "_".to_owned(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_before_their_numbers() {
        let mut families = Families::default();
        families.declare("a_bytes", Kind::Counter, Some("bytes"), "What \"it\" has.");
        families.put("a_bytes", Kind::Counter, &[("block", "x\"\\\ny")], 5);
        families.declare("b", Kind::Info, None, "Text.");
        families.put("b", Kind::Info, &[], 1);
        families.declare("c", Kind::Unknown, None, "None.");
        let expected = r#"# TYPE a_bytes counter
# UNIT a_bytes bytes
# HELP a_bytes What \"it\" has.
a_bytes_total{block="x\"\\\ny"} 5
# TYPE b info
# HELP b Text.
b_info 1
# TYPE c unknown
# HELP c None.
# EOF
"#;
        assert_eq!(families.text(), expected);
    }

    #[test]
    fn nothing_is_there_twice() {
        let mut families = Families::default();
        families.declare("a", Kind::Gauge, None, "First.");
        families.declare("a", Kind::Info, None, "Second.");
        families.put("a", Kind::Gauge, &[("x", "1"), ("x", "2")], 1);
        families.put("a", Kind::Gauge, &[("x", "1")], 2);
        families.put("a", Kind::Info, &[("x", "3")], 1);
        let expected = "# TYPE a gauge\n# HELP a First.\na{x=\"1\"} 2\n# EOF\n";
        assert_eq!(families.text(), expected);
    }

    #[test]
    fn words_are_legal() {
        assert_eq!(word("refused.rate-source"), "refused_rate_source");
        assert_eq!(
            (word("5tee"), word(""), word("ä")),
            ("_5tee".into(), "_".into(), "_".into())
        );
    }
}
