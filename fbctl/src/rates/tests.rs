// SPDX-License-Identifier: GPL-2.0

//! Samples, and what is printed of their differences.

use super::{json::BlockLine, *};

/// After so many steps.
pub(crate) fn sample(step: u64, at: Instant) -> Sample {
    let block = |idp, name: &str, kind: &str, packets: u64| Block {
        idp,
        name: name.into(),
        kind: kind.into(),
        packets: packets * step,
        bytes: packets * 100 * step,
        received: (kind == "eth").then_some(packets / 4 * step),
        drops: BTreeMap::new(),
    };
    let mut filter = block(2, "web-filter", "bpf", 1000);
    filter.drops.insert("filtered".into(), 400 * step);
    Sample {
        at,
        time: SystemTime::UNIX_EPOCH,
        blocks: vec![
            block(1, "eth0", "eth", 1000),
            filter,
            block(3, "web-count", "counter", 600),
            block(4, "idle", "dummy", 0),
        ],
        engine: Engine {
            packets: 1000 * step,
            bytes: 100_000 * step,
            calls: 2600 * step,
            drops: 400 * step,
            unclaimed: 0,
        },
        peers: ["eth0".to_owned()].into(),
    }
}

/// What came between two samples that are a second apart.
pub(crate) fn report() -> Report {
    let begin = Instant::now();
    Report::new(&sample(1, begin), &sample(3, begin + SECOND))
}

/// The same, with times of packets that were traced.
pub(crate) fn timed() -> Report {
    use lana_netlink::spec::{HopAttrs, ProbeAttrs};
    let hop = |(idp, took): (u32, u64)| HopAttrs {
        idp: Some(idp),
        took: Some(took),
        ..Default::default()
    };
    let mut times = Times {
        sample: 8,
        ..Times::default()
    };
    times.add(&ProbeAttrs {
        hop: [(1, 40), (2, 1500), (3, 9)].map(hop).to_vec(),
        ..Default::default()
    });
    Report {
        times: Some(times),
        ..report()
    }
}

fn names(words: &[&str], parts: bool) -> Vec<String> {
    let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
    let mut report = report();
    report.keep(&Selection::new(&words), parts);
    report.blocks.into_iter().map(|block| block.name).collect()
}

#[test]
fn table_of_rates() {
    let expected = "\
NAME        TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  REASONS
eth0        eth           2000   500  1500   1.60M        0  -
web-filter  bpf           2000     -     -   1.60M      800  filtered 800
web-count   counter       1200     -     -    960k        0  -
idle        dummy            0     -     -       0        0  -
";
    assert_eq!(table(&report(), true).render(false), expected);
    let said = "engine:  2000 packets/s  1.60 Mbit/s  800 drops/s  0 unclaimed/s";
    assert_eq!(engine(&report(), None), [said]);
    assert_eq!(engine(&timed(), None), [format!("{said}  0.3 % of a CPU")]);
    let narrow = [
        "engine:  2000 packets/s  1.60 Mbit/s  800 drops/s",
        "         0 unclaimed/s  0.3 % of a CPU",
    ];
    assert_eq!(engine(&timed(), Some(60)), narrow);
    assert_eq!(engine(&timed(), Some(20)).len(), 5);
}

/// Of those that were asked for it is their sum; of one it would be the same again.
#[test]
fn total_of_a_selection() {
    let last = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        let mut report = timed();
        report.keep(&Selection::new(&words), true);
        let text = table(&report, false).render(false);
        text.lines().last().map(str::to_owned)
    };
    let expected = "total       2 blocks       3200   2.56M      800       -   0.3  -";
    assert_eq!(last(&["web"]).as_deref(), Some(expected));
    // Each figure is the sum of those above it.
    let expected = "total       3 blocks       5200   500  1500   4.16M      800       -   0.3  -";
    assert_eq!(last(&["eth0", "web"]).as_deref(), Some(expected));
    assert!(last(&["idle"]).is_some_and(|last| last.starts_with("idle ")));
    assert_eq!(last(&["nothing"]), None);
    assert_eq!(
        [0.0, 0.01, 0.0999, 0.1, 250.0].map(percent),
        ["0.0", "<0.1", "<0.1", "0.1", "250.0"]
    );
}

#[test]
fn table_with_times() {
    let expected = "\
NAME        TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT  CPU%  REASONS
eth0        eth           2000   500  1500   1.60M        0      40  <0.1  -
web-filter  bpf           2000     -     -   1.60M      800    1500   0.3  filtered 800
web-count   counter       1200     -     -    960k        0     9.0  <0.1  -
idle        dummy            0     -     -       0        0       -     -  -
";
    assert_eq!(table(&timed(), true).render(false), expected);
    let line = |report: &Report| {
        let block = BlockLine::new(report, &report.blocks[1]);
        serde_json::to_value(block).unwrap()
    };
    let block = line(&timed());
    assert_eq!(block["nanoseconds-per-packet"], 1500.0);
    assert_eq!(block["cpu-percent"], 0.3);
    assert_eq!(line(&report()).get("cpu-percent"), None);
}

#[test]
fn a_narrow_terminal_has_all_figures() {
    let text = |columns| {
        let mut table = table(&timed(), true);
        let hidden = table.narrow(&SPARE, columns);
        assert_eq!(hidden.len(), usize::from(columns < 80));
        let text = table.fitted(Some(columns), false);
        assert!(text.lines().all(|line| line.len() <= columns), "{text}");
        text
    };
    assert_eq!(text(100), table(&timed(), true).render(false));
    let expected = "\
NAME        TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT  CPU%
eth0        eth           2000   500  1500   1.60M        0      40  <0.1
web-filter  bpf           2000     -     -   1.60M      800    1500   0.3
    reasons filtered 800
web-count   counter       1200     -     -    960k        0     9.0  <0.1
idle        dummy            0     -     -       0        0       -     -
";
    assert_eq!(text(80), expected);
    let expected = "\
NAME        PACKETS/S  BITS/S  DROPS/S  NS/PKT  CPU%
eth0             2000   1.60M        0      40  <0.1
    rx/s 500  tx/s 1500
web-filter       2000   1.60M      800    1500   0.3
    reasons filtered 800
web-count        1200    960k        0     9.0  <0.1
idle                0       0        0       -     -
";
    assert_eq!(text(60), expected);
    let narrow = text(40);
    assert!(
        narrow.starts_with("NAME        PACKETS/S  DROPS/S  NS/PKT\n"),
        "{narrow}"
    );
}

#[test]
fn numbers_are_short() {
    for (rate, text) in [
        (0.0, "0"),
        (0.25, "0.2"),
        (9.96, "10"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (12_345.0, "12.3k"),
        (999_600.0, "1.00M"),
        (9.999e9, "10.0G"),
        (4e15, "4P"),
    ] {
        assert_eq!(scaled(rate), text, "{rate}");
    }
    assert_eq!(number(12_345_678.4), "12345678");
}

#[test]
fn blocks_are_kept_by_name_and_filter() {
    assert_eq!(names(&[], false).len(), 4);
    assert_eq!(names(&["eth0", "web"], false), ["eth0"]);
    assert_eq!(names(&["web"], true), ["web-filter", "web-count"]);
    assert_eq!(names(&["web", "type=bpf"], true), ["web-filter"]);
    assert_eq!(names(&["bound-to=web-filter"], true), ["eth0"]);
}
