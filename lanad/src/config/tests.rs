// SPDX-License-Identifier: GPL-2.0

use super::*;

const WHOLE: &str = r#"
sample = "500ms"
[graph]
files = ["/etc/lana"]
repair = "report"
settle = "1s"
[probe.echo]
ping = "192.0.2.1"
interval = "100ms"
[probe.web]
run = ["curl", "-sf", "http://192.0.2.1"]
[announcement.anycast]
bird = "/run/bird/bird.ctl"
protocol = "dinr"
[announcement.other]
exabgp = "/run/exabgp.in"
route = "50.0.0.0/8 next-hop self"
[[rule]]
name = "gone"
when = { any = [
    { block = "echo", is = "unbound" },
    { device = "eth0", is = "down" },
    { loss = "echo", above = 0.5, until = 0.1 },
    { delay = "echo", above = "20ms" },
    { not = { bound = ["echo", "eth0"] } },
    { rate = "echo.answered", below = 10 },
    { path = ["eth0", "echo"] },
    { unused = [] },
] }
for = "10ms"
clear-for = "5s"
per-minute = 3
then = [{ withdraw = "anycast" }, { set = ["echo", "limit", "10"] }, { run = ["logger", "gone"] }]
otherwise = [{ announce = "anycast" }]
[[rule]]
name = "loops"
when = { event = "hop-limit" }
then = [{ log = "a loop" }]
[[rule]]
name = "timer"
when = { every = "1h" }
then = [{ run = ["true"] }]
"#;

#[test]
fn a_file_is_read() {
    let config = Config::parse("f", WHOLE).unwrap();
    assert_eq!(config.rule.len(), 3);
    assert!(config.samples());
    assert_eq!(config.rule[0].hold, Span::from_millis(10));
    let When::Any(any) = &config.rule[0].when else {
        panic!("{:?}", config.rule[0].when)
    };
    let words: Vec<_> = any.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "block echo is unbound",
            "device eth0 is down",
            "loss of echo above 0.5",
            "delay of echo above 0.02 s",
            "not echo is bound to eth0",
            "rate of echo.answered below 10",
            "path eth0 echo is interrupted",
            "blocks are unused",
        ]
    );
    let again = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<Config>(again).unwrap(), config);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, why) in [
        ("x = 1", "f:1: unknown field `x`"),
        ("\n[graph]\nfiles = []", "f: graph: 'files' is empty"),
        ("[[rule]]\nname = 'r'\nwhen = {}", "f:3: a condition has one of these: all, any"),
        ("[[rule]]\nname = 'r'\nwhen = { block = 'b' }", "f:3: 'is' is missing"),
        ("[[rule]]\nname = 'r'\nwhen = { block = 'b', is = 'up' }", "is: \"up\" is none of present, missing, unbound"),
        ("[[rule]]\nname = 'r'\nwhen = { block = 'b', is = 'missing', above = 1 }", "the condition 'block b is missing' has no 'above'"),
        ("[[rule]]\nname = 'r'\nwhen = { rate = 'b', above = 1 }", "rate: 'b' is no BLOCK.COUNTER"),
        ("[[rule]]\nname = 'r'\nwhen = { rate = 'b.c' }", "rate: it wants either 'above' or 'below'"),
        ("[[rule]]\nname = 'r'\nwhen = { rate = 'b.c', above = 1, until = 2 }", "rate: 'until' is on the wrong side"),
        ("[probe.p]\nping='::1'\n[[rule]]\nname = 'r'\nwhen = { delay = 'p', above = 1 }", "delay: a time such as '5ms' is wanted"),
        ("[[rule]]\nname = 'r'\nwhen = { loss = 'p', above = 1 }", "f: rule 'r': there is no probe 'p'"),
        ("[[rule]]\nname = 'r'\nwhen = { every = '0' }", "every: it is above 0"),
        ("[[rule]]\nname = 'r'\nwhen = { every = 'x' }", "'x' is no time such as '200ms'"),
        ("[[rule]]\nname = 'r'\nwhen = { path = ['a'] }", "path: it has two blocks at least"),
        ("[[rule]]\nname = 'r'\nwhen = { not = { event = 'added' } }", "f: rule 'r': 'event' and 'every' stand alone"),
        ("[[rule]]\nname = 'r'\nwhen = { event = 'added' }\notherwise = [{ log = 'x' }]", "what happens has no end"),
        ("[[rule]]\nname = 'r'\nwhen = { every = '1s' }\nthen = [{ announce = 'a' }]", "there is no announcement 'a'"),
        ("[[rule]]\nname = 'r'\nwhen = { every = '1s' }\nthen = [{ apply = 'a' }]", "'apply' wants a [graph]"),
        ("[graph]\nfiles=['x']\n[[rule]]\nname = 'r'\nwhen = { every = '1s' }\nthen = [{ remove = 'a' }]", "a moment cannot change a [graph]"),
        ("[[rule]]\nname = 'r'\nwhen = { every = '1s' }\n[[rule]]\nname = 'r'\nwhen = { every = '1s' }", "there are two of this name"),
        ("[announcement.a]\nbird = '/x'", "announcement 'a': it wants either"),
        ("[announcement.a]\nbird = '/x'\nprotocol = \"p\\n\"", "a line without control characters is wanted"),
        ("[probe.p]\nping = '::1'\nsource = '1.2.3.4'", "'ping' and 'source' are of one family"),
        ("[probe.p]\nrun = ['true']\nnetns = 'n'", "'source' and 'netns' go with 'ping'"),
        ("[probe.p]\nwindow = 0\nping = '::1'", "'window' is from 1 to 1000"),
        ("[probe.p]\n", "probe 'p': it wants either 'ping' or 'run'"),
        ("[[rule]]\nname = 'r'\nper-minute = 0\nwhen = { every = '1s' }", "f: rule 'r': 'per-minute' is 1 at least"),
        ("sample = '1ms'", "'sample' is 10 ms at least"),
    ] {
        let error = Config::parse("f", text).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(why), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let deep = "{ not = ".repeat(40) + "{ block = 'b', is = 'missing' }" + &" }".repeat(40);
    let text = format!("[[rule]]\nname = 'r'\nwhen = {deep}");
    assert!(Config::parse("f", &text).is_err());
}

/// The file for editors is made from the types.
#[test]
fn the_schema_is_that_of_the_types() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../Documentation/lanad.schema.json"
    );
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == Config::schema(),
        "make it anew: lanad --schema > Documentation/lanad.schema.json"
    );
}
