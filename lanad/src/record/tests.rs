// SPDX-License-Identifier: GPL-2.0

use super::*;
use std::fs;

#[test]
fn what_was_recorded_happens_again() {
    let text = "[[rule]]\nname='r'\nwhen={device='eth0',is='down'}\nfor='1s'\n";
    let config = Config::parse("f", text).unwrap();
    let path = std::env::temp_dir().join(format!("lanad-record-{}", std::process::id()));
    let mut recorder = Recorder::new(&path, &BTreeMap::new()).unwrap();
    let graph = Fact::Graph {
        blocks: BTreeMap::new(),
        bindings: std::collections::BTreeSet::new(),
    };
    let device = |up| Fact::Devices {
        up: [("eth0".to_owned(), up)].into(),
    };
    recorder.learned(Duration::ZERO, &graph).unwrap();
    recorder
        .learned(Duration::from_millis(5), &device(true))
        .unwrap();
    recorder
        .learned(Duration::from_millis(10), &device(false))
        .unwrap();
    recorder
        .learned(Duration::from_secs(2), &device(true))
        .unwrap();
    let told: Vec<_> = replay(&config, &path)
        .unwrap()
        .iter()
        .map(|acted| (acted.at, acted.holds))
        .collect();
    assert_eq!(told, [(5000, false), (1_010_000, true), (2_000_000, false)]);
    fs::write(&path, "{}\n").unwrap();
    let error = replay(&config, &path).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}:1: this is no line of a record", path.display())
    );
    fs::remove_file(path).unwrap();
}
