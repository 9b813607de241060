// SPDX-License-Identifier: GPL-2.0

//! What the screen shows.

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
    assert!(!view.input.scroll.quit);
    assert_eq!(view.selection.text(), "web type=counter");
    press(
        &mut view,
        "/\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\n",
    );
    assert!(view.selection.is_all());
    press(&mut view, "q");
    assert!(view.input.scroll.quit);
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
    assert_eq!(shown[6], "    filtered 800");
    assert_eq!(
        status(&mut view, 80),
        "q end  ? keys  hidden: PACKETS BYTES DROPS  s sort: packets  / filter  i idle"
    );
    assert_eq!(
        status(&mut view, 50),
        "q end  ? keys  hidden: TYPE PACKETS BYTES DROPS"
    );
    assert_eq!(
        status(&mut view, 40),
        "q end  ? keys  hidden: TYPE RX/S TX/S +3"
    );
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
    let low = drawn(&mut view, (60, 7));
    assert_eq!(
        low[1],
        "engine:  2000 packets/s  800 drops/s  0 unclaimed/s"
    );
    // A screen that is high has all of it.
    let narrow = drawn(&mut view, (60, 24));
    let expected = [
        "engine:  2000 packets/s  1.60 Mbit/s  5200 calls/s",
        "         800 drops/s  0 unclaimed/s",
        "total:   3000 packets  300 kB  7800 calls  1200 drops",
        "         0 unclaimed",
    ];
    assert_eq!(narrow[1..5], expected);
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
    assert!(
        lines[7].starts_with("Hidden columns: PACKETS "),
        "{lines:?}"
    );
    assert!(lines[9].starts_with("arrows scroll"), "{lines:?}");
    // On an even smaller one they scroll.
    drawn(&mut view, (60, 6));
    view.key(
        KeyEvent::new(KeyCode::Down, KeyModifiers::NONE),
        &sample(3, Instant::now()),
    );
    assert_eq!(drawn(&mut view, (60, 6))[1], KEYS_IN_SHORT[1]);
    press(&mut view, "\x1b");
    assert!(!view.input.help && !view.input.scroll.quit);
    press(&mut view, "hN");
    assert!(!view.input.help && view.status(None).contains("sort: name"));
    // Where one types a filter they are letters.
    press(&mut view, "/h?");
    assert!(!view.input.help && view.status(None).contains("filter: h?"));
}

#[test]
fn no_size_is_too_small() {
    for size in [(1, 1), (20, 2), (40, 5), (1, 80), (300, 100)] {
        assert_eq!(drawn(&mut view(&[]), size).len(), usize::from(size.1));
    }
}
