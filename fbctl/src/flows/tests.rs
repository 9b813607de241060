// SPDX-License-Identifier: GPL-2.0

//! What the screen shows.

use super::{
    reading::tests::{flows, later},
    *,
};
use crossterm::event::{KeyCode, KeyModifiers};
use lana_cli::screen::text_of;

fn view(words: &str) -> View {
    View::new(words.parse().unwrap(), Sort::Rate, false, 1000)
}

fn drawn(view: &mut View, size: (u16, u16)) -> Vec<String> {
    text_of(size, |frame| draw(frame, &flows(Some(later)), view))
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
        view.key(key, &flows(Some(later)));
    }
}

/// The source ports, from the top.
fn order(view: &View) -> Vec<u16> {
    let flows = flows(Some(later));
    let (rows, _) = view.arranged(&flows);
    rows.iter().map(|row| row.key.ports.0).collect()
}

#[test]
fn what_carries_the_most_stands_above() {
    let expected = [
        "fbctl flows - 00:00:00Z, 3 of 3 flows",
        "f: 5 flows  load 0 %  3157 packets  0 B  0 begun  0 exported  7 packets lost",
        "PROTO  SOURCE              DESTINATION       PACKETS/S  BITS/S  PACKETS    BYTES    AGE  IDLE  FLAGS",
        "tcp    198.51.100.7:443    192.0.2.1:40000        1500   16.0M     6000  8000000  3m19s  1.1s  APSF",
        "udp    [2001:db8::1]:5000  [2001:db8::2]:53         10   8.00k       20     2000   0.9s  2.0s  -",
        "tcp    192.0.2.1:40000     198.51.100.7:443          0       0      114    53000  3m20s  1.1s  APSF",
    ];
    let lines = drawn(&mut view(""), (101, 9));
    assert_eq!(lines[..6], expected);
    assert_eq!(
        lines[8],
        "q end  ? keys  hidden: IN OUT DIRECTION VLAN TOS  s sort: packets/s  / filter  p pause  r reverse"
    );
}

#[test]
fn keys_sort_and_turn_round() {
    let mut view = view("");
    assert_eq!(order(&view), [443, 5000, 40000]);
    for (key, expected) in [
        ("T", [443, 40000, 5000]),
        ("Y", [443, 40000, 5000]),
        ("A", [40000, 443, 5000]),
        ("I", [5000, 443, 40000]),
        ("S", [40000, 443, 5000]),
        ("D", [443, 40000, 5000]),
        ("B", [443, 5000, 40000]),
        ("r", [40000, 5000, 443]),
    ] {
        press(&mut view, key);
        assert_eq!(order(&view), expected, "{key}");
    }
    press(&mut view, "s");
    assert!(view.status(None).contains("sort: packets, reversed"));
}

#[test]
fn the_first_are_those_of_the_order() {
    let mut view = View::new(Filter::default(), Sort::Bytes, false, 2);
    assert_eq!(order(&view), [443, 40000]);
    press(&mut view, "r");
    assert_eq!(order(&view), [5000, 40000]);
    let lines = drawn(&mut view, (80, 9));
    assert!(lines[0].ends_with("3 of 3 flows"), "{}", lines[0]);
    assert_eq!(lines[5], "");
}

#[test]
fn a_filter_is_typed() {
    let mut view = view("proto=tcp");
    assert_eq!(order(&view), [443, 40000]);
    press(&mut view, "/ sport=x\n");
    let status = view.status(None);
    let expected = "filter: proto=tcp sport=x_  'sport=x' is not a port from 0 to 65535, or FIRST-LAST  (Enter";
    assert!(status.starts_with(expected), "{status}");
    assert_eq!(order(&view), [443, 40000]);
    press(&mut view, "\x08443\n");
    let lines = drawn(&mut view, (80, 9));
    assert_eq!(
        lines[0],
        "fbctl flows - 00:00:00Z, 1 of 3 flows, proto=tcp sport=443"
    );
    press(&mut view, "/ in=lan7\n");
    assert!(view
        .status(None)
        .contains("'in=lan7': there is no such device"));
    press(&mut view, "\x1b");
    assert_eq!(order(&view), [443]);
    press(&mut view, "q");
    assert!(view.input.scroll.quit);
}

#[test]
fn a_key_shows_the_keys() {
    let mut view = view("");
    press(&mut view, "?");
    let lines = drawn(&mut view, (80, 24)).join("\n");
    for shown in ["q, Esc         quit\n", "Hidden columns: AGE IDLE"] {
        assert!(lines.contains(shown), "{lines}");
    }
    // A small screen shows all of them, in short, and no line is cut.
    let lines = drawn(&mut view, (60, 12));
    for shown in FLOW_KEYS_IN_SHORT {
        assert!(lines.iter().any(|line| line == shown), "{lines:?}");
    }
}

#[test]
fn no_size_is_too_small() {
    for size in [(1, 1), (20, 2), (40, 5), (1, 80), (300, 100)] {
        assert_eq!(drawn(&mut view(""), size).len(), usize::from(size.1));
    }
}
