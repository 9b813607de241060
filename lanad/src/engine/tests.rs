// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::world::{Block, Event};

fn config(text: &str) -> Config {
    Config::parse("f", text).unwrap()
}

fn graph(blocks: &[(&str, &str)], bindings: &[(&str, &str)]) -> Fact {
    let block = |(name, kind): &(&str, &str)| {
        let is_edge = *kind == "eth";
        (
            (*name).to_owned(),
            Block {
                kind: (*kind).to_owned(),
                is_edge,
            },
        )
    };
    let pair = |(upper, lower): &(&str, &str)| ((*upper).to_owned(), (*lower).to_owned());
    Fact::Graph {
        blocks: blocks.iter().map(block).collect(),
        bindings: bindings.iter().map(pair).collect(),
    }
}

fn devices(up: &[(&str, bool)]) -> Fact {
    Fact::Devices {
        up: up
            .iter()
            .map(|(name, up)| ((*name).to_owned(), *up))
            .collect(),
    }
}

fn event(kind: &str, fb: &str, peer: Option<&str>) -> Fact {
    Fact::Event(Event {
        kind: kind.into(),
        fb: Some(fb.into()),
        peer: peer.map(Into::into),
        words: format!("{kind} {fb}"),
        ..Event::default()
    })
}

fn counters(block: &str, counter: &str, value: u64) -> Fact {
    Fact::Counters {
        values: [(block.to_owned(), [(counter.to_owned(), value)].into())].into(),
    }
}

#[test]
fn types_of_blocks() {
    let mut test = Test::new(
        "[[rule]]\nname='r'\nwhen={type='reliable',is='present'}\n[[rule]]\nname='n'\nwhen={type='reliable',is='missing'}\n",
    );
    let with = graph(&[("c1.4.reliable", "reliable"), ("r", "dummy")], &[]);
    assert_eq!(test.learn(&with), "r+ n-");
    assert_eq!(
        test.learn(&event("removed", "c1.4.reliable", None)),
        "r- n+"
    );
    let text = "[[rule]]\nname='r'\nwhen={type='reliable',is='unbound'}\n";
    let error = Config::parse("f", text).unwrap_err().to_string();
    assert!(
        error.contains("is: \"unbound\" is none of present, missing"),
        "{error}"
    );
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct Test {
    engine: Engine,
    now: u64,
}

impl Test {
    fn new(text: &str) -> Self {
        let mut test = Test {
            engine: Engine::new(&config(text), &BTreeMap::new()),
            now: 0,
        };
        assert_eq!(
            test.learn(&graph(
                &[("eth0", "eth"), ("echo", "icmp-echo")],
                &[("echo", "eth0")]
            )),
            ""
        );
        test.learn(&devices(&[("eth0", true)]));
        test
    }

    fn told(&self, switches: &[Switch]) -> String {
        let word = |switch: &Switch| {
            let rule = self.engine.rule(switch.rule).map_or("", |rule| &rule.name);
            format!("{rule}{}", if switch.holds { '+' } else { '-' })
        };
        switches.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn learn(&mut self, fact: &Fact) -> String {
        let (switches, _) = self.engine.learn(ms(self.now), fact);
        self.told(&switches)
    }

    /// Lets time pass, and says when what happened.
    fn pass(&mut self, millis: u64) -> String {
        let until = self.now + millis;
        let mut all = Vec::new();
        while let Some(at) = self.engine.deadline().filter(|at| *at <= ms(until)) {
            let switches = self.engine.pass(at);
            if switches.is_empty() {
                break;
            }
            all.push(format!("{}:{}", at.as_millis(), self.told(&switches)));
        }
        self.now = until;
        all.join(" ")
    }
}

#[test]
fn it_acts_on_what_it_finds_when_it_begins() {
    let rule = "[[rule]]\nname='r'\nwhen={block='echo',is='missing'}\nfor='1s'\n";
    let mut engine = Engine::new(&config(rule), &BTreeMap::new());
    assert_eq!(engine.learn(ms(0), &graph(&[], &[])).0, []);
    assert_eq!(engine.states().len(), 0, "it knows nothing of devices yet");
    let (switches, _) = engine.learn(ms(1), &devices(&[]));
    assert!(switches[0].holds && switches[0].cause.contains("lanad begins"));
    assert!(engine.states()["r"]);
    // What it knows from before, it does not forget.
    let mut engine = Engine::new(&config(rule), &[("r".to_owned(), false)].into());
    engine.learn(ms(0), &devices(&[]));
    let (switches, _) = engine.learn(ms(0), &graph(&[], &[]));
    assert!(!switches[0].holds);
    assert_eq!(engine.deadline(), None, "it looks when something happens");
    assert_eq!(engine.pass(ms(5)), []);
    assert_eq!(engine.deadline(), Some(ms(1005)));
    assert!(engine.pass(ms(1005))[0].holds);
}

#[test]
fn conditions_have_to_last() {
    let mut test = Test::new(
        "[[rule]]\nname='r'\nwhen={bound=['echo','eth0']}\nfor='100ms'\nclear-for='1s'\n",
    );
    assert!(test.engine.states()["r"]);
    assert_eq!(test.learn(&event("unbound", "echo", Some("eth0"))), "");
    assert_eq!(test.pass(500), "");
    assert_eq!(test.learn(&event("bound", "echo", Some("eth0"))), "");
    assert_eq!(test.pass(5000), "", "it was over for too short a time");
    test.learn(&event("unbound", "echo", Some("eth0")));
    assert_eq!(test.pass(2000), "6500:r-");
    test.learn(&event("bound", "echo", Some("eth0")));
    assert_eq!(test.pass(2000), "7600:r+");
}

#[test]
fn what_is_not_known_does_not_last() {
    let mut test = Test::new("[[rule]]\nname='r'\nwhen={rate='b.packets',above=1}\nfor='2s'\n");
    test.learn(&counters("b", "packets", 0));
    test.now = 1000;
    test.learn(&counters("b", "packets", 1));
    assert_eq!(test.engine.deadline(), None);
    test.now = 2000;
    test.learn(&counters("b", "packets", 100));
    assert_eq!(test.engine.deadline(), Some(ms(4000)));
    test.now = 3000;
    test.learn(&counters("other", "packets", 0));
    assert_eq!(test.engine.deadline(), None, "the block is gone");
    assert_eq!(test.pass(9000), "");
}

#[test]
fn a_block_that_goes_takes_its_bindings_along() {
    let mut test = Test::new("[[rule]]\nname='r'\nwhen={block='eth0',is='unbound'}\n");
    assert_eq!(test.learn(&event("removed", "echo", None)), "r+");
    let rule = "[[rule]]\nname='r'\nwhen={block='echo',is='missing'}\n";
    let mut test = Test::new(rule);
    assert_eq!(test.learn(&event("removed", "echo", None)), "r+");
    let (_, unclear) = test.engine.learn(ms(0), &event("added", "echo", None));
    assert!(unclear, "its type is not told");
}

#[test]
fn rates_have_two_ends() {
    let mut test = Test::new("[[rule]]\nname='r'\nwhen={rate='echo.packets',above=100,until=50}\n");
    let mut seen = Vec::new();
    for value in [0, 50, 151, 211, 261, 300] {
        test.now += 1000;
        seen.push(test.learn(&counters("echo", "packets", value)));
    }
    assert_eq!(
        seen,
        ["", "r-", "r+", "", "r-", ""],
        "101 is above 100, 60 above 50, 50 is not"
    );
    test.now += 1000;
    assert_eq!(
        test.learn(&counters("echo", "packets", 0)),
        "",
        "a counter that begins anew has no rate"
    );
}

#[test]
fn probes_are_lost_in_part() {
    let text = "[probe.p]\nping='192.0.2.1'\nwindow=4\n\
        [[rule]]\nname='loss'\nwhen={loss='p',above=0.4}\n[[rule]]\nname='slow'\nwhen={delay='p',above='5ms'}\n";
    let mut test = Test::new(text);
    let probe = |seconds| Fact::Probe {
        name: "p".into(),
        seconds,
    };
    let mut seen = Vec::new();
    for seconds in [
        Some(0.001),
        None,
        Some(0.001),
        Some(0.001),
        None,
        None,
        Some(0.02),
        Some(0.02),
    ] {
        seen.push(test.learn(&probe(seconds)));
    }
    assert_eq!(seen, ["", "", "", "loss- slow-", "loss+", "", "slow+", ""]);
    assert_eq!(test.learn(&probe(Some(0.02))), "loss-");
}

#[test]
fn paths_are_interrupted_and_blocks_unused() {
    let mut test = Test::new(
        "[[rule]]\nname='p'\nwhen={path=['a','b']}\n[[rule]]\nname='u'\nwhen={unused=['tee']}\n",
    );
    let both = |a: u64, b: u64| Fact::Counters {
        values: [
            ("a".to_owned(), [("packets".to_owned(), a)].into()),
            ("b".to_owned(), [("packets".to_owned(), b)].into()),
        ]
        .into(),
    };
    let mut seen = Vec::new();
    for (a, b) in [(0, 0), (9, 9), (20, 9), (20, 9)] {
        test.now += 1000;
        seen.push(test.learn(&both(a, b)));
    }
    assert_eq!(seen, ["", "p-", "p+", "p-"]);
    let (switches, _) = test.engine.learn(
        ms(0),
        &graph(&[("t", "tee"), ("x", "dummy"), ("eth0", "eth")], &[]),
    );
    assert_eq!(
        (test.told(&switches).as_str(), &switches[0].unused[..]),
        ("u+", &["t".to_owned()][..])
    );
}

#[test]
fn moments_pass() {
    let mut test = Test::new(
        "[[rule]]\nname='e'\nwhen={event='hop-limit',block='x'}\nper-minute=2\n[[rule]]\nname='t'\nwhen={every='10s'}\n",
    );
    assert_eq!(test.learn(&event("hop-limit", "y", None)), "");
    let seen: Vec<_> = (0..4)
        .map(|_| test.learn(&event("hop-limit", "x", None)))
        .collect();
    assert_eq!(seen, ["e+", "e+", "", ""], "twice a minute");
    assert_eq!(test.pass(25_000), "10000:t+ 20000:t+");
    test.pass(36_000);
    assert_eq!(test.learn(&event("hop-limit", "x", None)), "e+");
    assert!(test.engine.states().is_empty(), "a moment does not hold");
}

#[test]
fn a_rule_waits_when_it_has_acted_too_often() {
    let mut test = Test::new("[[rule]]\nname='r'\nwhen={bound=['a','b']}\nper-minute=1\n");
    test.now = 1000;
    assert_eq!(test.learn(&event("bound", "a", Some("b"))), "r+");
    assert_eq!(test.learn(&event("unbound", "a", Some("b"))), "r-");
    assert_eq!(test.learn(&event("bound", "a", Some("b"))), "");
    assert_eq!(test.pass(120_000), "61000:r+");
}

#[test]
fn what_rules_want_of_the_graph_goes_with_their_state() {
    let mut test = Test::new(
        "[graph]\nfiles=['f']\n[[rule]]\nname='r'\nwhen={bound=['echo','eth0']}\nthen=[{set=['a','b','c']}]\notherwise=[{remove='x'}, {log='l'}]\n",
    );
    assert_eq!(
        test.engine.graph_actions(),
        [Action::Set("a".into(), "b".into(), "c".into())]
    );
    test.learn(&event("unbound", "echo", Some("eth0")));
    assert_eq!(test.engine.graph_actions(), [Action::Remove("x".into())]);
}
