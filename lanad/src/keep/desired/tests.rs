// SPDX-License-Identifier: GPL-2.0

use super::*;

const GRAPH: &str = r#"
bindings = [["c", "eth0"], ["d", "c"], ["v", "c"]]
[devices.eth0]
subsystem = "ethernet"
[devices.v]
subsystem = "ethernet"
carrier = "eth0"
id = 7
[blocks.c]
type = "counter"
options.a = "1"
[blocks.d]
type = "dummy"
"#;

fn desired(more: &str) -> Desired {
    let source = |name: &str, text: &str| Source::new(name.to_owned(), text.as_bytes()).unwrap();
    let files = vec![source("g", GRAPH)];
    let more = [(PathBuf::from("m"), vec![source("m", more)])].into();
    Desired {
        name: "g".into(),
        files,
        more,
    }
}

/// The wanted graph as words: blocks with options, then bindings.
fn told(desired: &Desired, actions: &[Action], devices: &[&str]) -> (String, Vec<String>) {
    let mut names = Names::default();
    let (target, missing) = desired
        .target(actions, &mut names, |name| devices.contains(&name))
        .unwrap();
    let blocks = target.blocks.iter().map(|(name, block)| {
        let options = block
            .settings
            .iter()
            .map(|one| format!(" {}={}", names.text(one.key), one.value));
        format!("{}{}", names.text(name), options.collect::<String>())
    });
    let bonds = target
        .bindings
        .iter()
        .map(|bond| format!("{}-{}", names.text(bond.pair.0), names.text(bond.pair.1)));
    (blocks.chain(bonds).collect::<Vec<_>>().join(", "), missing)
}

#[test]
fn rules_change_what_is_wanted() {
    let two = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let (c, eth0) = two("c", "eth0");
    let whole = desired("bindings = [[\"n\", \"c\"]]\n[blocks.n]\ntype = \"tee\"\n[blocks.c]\ntype = \"counter\"\noptions.b = \"2\"\n");
    let all = ["eth0"];
    let is = |actions: &[Action]| told(&whole, actions, &all).0;
    assert_eq!(is(&[]), "eth0, v, c a=1, d, c-eth0, d-c, v-c");
    assert_eq!(
        is(&[Action::Set(c.clone(), "a".into(), "5".into())]),
        "eth0, v, c a=5, d, c-eth0, d-c, v-c"
    );
    assert_eq!(
        is(&[Action::Unbind(c.clone(), eth0.clone())]),
        "eth0, v, c a=1, d, d-c, v-c"
    );
    assert_eq!(
        is(&[
            Action::Bind(c.clone(), eth0),
            Action::Bind("d".into(), "eth0".into())
        ]),
        "eth0, v, c a=1, d, c-eth0, d-c, v-c, d-eth0"
    );
    assert_eq!(
        is(&[Action::Remove("d".into())]),
        "eth0, v, c a=1, c-eth0, v-c"
    );
    assert_eq!(
        is(&[Action::Apply("m".into())]),
        "eth0, v, c a=1 b=2, d, n, c-eth0, d-c, v-c, n-c"
    );
    assert_eq!(
        is(&[Action::Replace("d".into(), "n".into())]),
        "eth0, v, c a=1, c-eth0, v-c",
        "n is not there"
    );
    assert_eq!(
        is(&[
            Action::Apply("m".into()),
            Action::Replace("d".into(), "n".into())
        ]),
        "eth0, v, c a=1 b=2, n, c-eth0, n-c, v-c, n-c"
    );
    let error = whole.target(
        &[Action::Set("x".into(), "a".into(), "5".into())],
        &mut Names::default(),
        |_| true,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "set x a: the files have no block 'x'"
    );
    let error = whole.target(
        &[Action::Bind("x".into(), "c".into())],
        &mut Names::default(),
        |_| true,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "bind x c: the files have no block 'x'"
    );
    assert!(whole.check().is_ok());
}

#[test]
fn devices_that_are_not_there_are_left_out() {
    let whole = desired("");
    assert_eq!(
        told(&whole, &[], &[]),
        ("c a=1, d, d-c".to_owned(), vec!["eth0".to_owned()])
    );
    let empty = Desired {
        name: "e".into(),
        files: vec![],
        more: HashMap::new(),
    };
    let error = format!("{:#}", empty.check().unwrap_err());
    assert_eq!(
        error,
        "e: no block and no device, so the whole graph would go"
    );
}
