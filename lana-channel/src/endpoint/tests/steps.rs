// SPDX-License-Identifier: GPL-2.0

//! What happens, step by step and at random.

use super::world::*;
use crate::{
    BadMessage, Config, Fallback, Name, Policy, Reason, Refusal, Report, Service, Verdict, Wanted,
};

fn world(seed: u64) -> World {
    World::new(seed, [config(), config()])
}

fn lacking(name: &str) -> Config {
    let mut config = config();
    let name = Name::short(name).unwrap();
    config.have.retain(|has| has.name != name);
    config
}

#[test]
fn open_change_and_close() {
    let mut world = world(1);
    world.open(0, "checksum,compress,crypt");
    world.run(5 * S);
    world.agree().unwrap();
    for host in 0..2 {
        assert_eq!(world.sending(host), "checksum,compress,crypt");
        assert!(world.has(host, |report| matches!(report, Report::Up)));
        assert!(world.has(host, |r| matches!(r, Report::Running { number: 1, .. })));
    }
    world.open(1, "crypt,reliable");
    world.run(15 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(0), "crypt,reliable");
    world.close(0);
    world.run(30 * S);
    world.agree().unwrap();
    for host in 0..2 {
        assert_eq!(world.sending(host), "");
        assert!(world.has(host, |r| *r == Report::Closed(Reason::Request)));
        assert!(!world.hosts[host].endpoint.is_up());
    }
    assert!(world.packets > 5_000);
    assert_eq!(world.lost, []);
}

#[test]
fn a_moment_to_switch() {
    let mut later = config();
    later.delay = 3000;
    let mut world = World::new(2, [later, config()]);
    world.open(0, "crypt");
    world.run(3 * S);
    assert_eq!((world.sending(0), world.sending(1)), Default::default());
    world.run(S);
    assert_eq!(world.sending(0), "crypt");
    assert_eq!(world.sending(1), "crypt");
    assert_eq!(world.lost, []);
}

#[test]
fn a_host_without_a_block() {
    let mut world = World::new(3, [config(), lacking("compress")]);
    world.open(0, "compress?,crypt");
    world.run(5 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(1), "crypt");
    let name = Name::short("compress").unwrap();
    let without = vec![(name.clone(), Verdict::Lacking)];
    assert!(world.has(
        0,
        |r| matches!(r, Report::Running { without: w, .. } if *w == without)
    ));
    let refused = Report::Refused(Refusal::Block(name, Verdict::Lacking));
    world.open(0, "compress,crypt");
    world.run(5 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(0), "crypt");
    assert!(world.has(0, |r| *r == refused));

    let mut world = World::new(3, [config(), lacking("compress")]);
    world.open(0, "compress,crypt");
    world.run(20 * S);
    world.agree().unwrap();
    assert!(world.has(0, |r| *r == refused));
    assert!(world.has(0, |r| *r == Report::Closed(Reason::Blocks)));
    assert!(!world.hosts[0].endpoint.is_up() && !world.hosts[1].endpoint.is_up());
    assert_eq!(world.lost, []);
}

#[test]
fn a_host_that_demands_a_block() {
    let mut strict = config();
    strict.demand = vec![Name::short("crypt").unwrap()];
    strict.fallback = Fallback::Closed;
    let mut world = World::new(4, [config(), strict]);
    world.open(0, "compress");
    world.run(20 * S);
    world.agree().unwrap();
    let demands = |r: &Report| matches!(r, Report::Refused(Refusal::Peer(Reason::Demand, name)) if name == "org.lana.crypt");
    assert!(world.has(0, demands));
    world.open(0, "compress,crypt");
    world.run(5 * S);
    assert_eq!(world.sending(1), "compress,crypt");
    assert!(world.hosts[1]
        .endpoint
        .open(wanted("compress"), world.now)
        .is_err());
    // It closes, but never sends in clear.
    world.close(0);
    world.run(20 * S);
    world.agree().unwrap();
    assert_eq!(world.hosts[1].kernel.send(true), None);
    assert_eq!(world.hosts[0].kernel.send(true), Some(vec![]));
}

#[test]
fn inseparable_stacks() {
    let mut world = world(5);
    world.open(0, "reliable");
    world.run(15 * S);
    world.open(0, "compress,reliable");
    world.run(30 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(1), "compress,reliable");
    let number =
        |number| move |r: &Report| matches!(r, Report::Running { number: n, .. } if *n == number);
    assert!(world.has(1, number(2)) && world.has(1, number(3)));
    assert_eq!(world.lost, []);

    // Nothing may run in between that is in clear.
    let mut strict = config();
    strict.fallback = Fallback::Closed;
    let mut world = World::new(5, [strict, config()]);
    world.open(0, "crypt,reliable");
    world.run(15 * S);
    world.open(0, "reliable");
    world.run(30 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(0), "crypt,reliable");
    let refused = |r: &Report| matches!(r, Report::Refused(Refusal::Peer(Reason::Inseparable, _)));
    assert!(world.has(0, refused));
}

#[test]
fn different_keys() {
    let mut other = config();
    other.key = key(2);
    let mut world = World::new(6, [config(), other]);
    world.open(0, "crypt");
    world.run(60 * S);
    world.agree().unwrap();
    assert!(world.sent.iter().all(|(to, _)| *to == 1), "an answer");
    assert!(world.has(1, |r| *r == Report::Ignored(BadMessage::Tag)));
    let told = world.hosts[1].reports.len();
    assert!(told <= 6, "told {told} times");
    assert!(world.has(0, |r| *r == Report::Closed(Reason::Timeout)));
    assert_eq!(world.sending(0), "");
    assert_eq!(world.lost, []);
}

#[test]
fn both_open_at_once() {
    let mut ends = [0; 2];
    for seed in 0..40 {
        let mut world = world(seed);
        world.open(0, "checksum,crypt");
        world.open(1, "counter");
        world.run(20 * S);
        world.agree().unwrap();
        match world.sending(0).as_str() {
            "counter,checksum,crypt" => ends[0] += 1,
            "checksum,crypt,counter" => ends[1] += 1,
            other => panic!("{other}"),
        }
        assert_eq!(world.lost, [], "seed {seed}");
    }
    assert!(ends.iter().all(|&end| end > 5), "{ends:?}");
}

#[test]
fn recorded_messages() {
    let mut world = world(8);
    world.open(0, "crypt");
    world.run(5 * S);
    world.restart(0, true);
    world.run(20 * S);
    let (sent, before) = (world.sent.clone(), world.sent.len());
    let strangers = |error: &Result<(), BadMessage>| error.is_ok();
    for (to, bytes) in &sent {
        // To whom they were sent, and back to the sender. Only the first greeting of a session that is over is answered.
        let result = world.inject(*to, bytes);
        assert!(
            !strangers(&result) || bytes[24..40] == [0; 16],
            "{result:?}"
        );
        let result = world.inject(1 - to, bytes);
        assert!(
            !strangers(&result) || bytes[24..40] == [0; 16],
            "{result:?}"
        );
    }
    assert!(
        world.sent.len() - before <= 2 * sent.iter().filter(|(_, b)| b[24..40] == [0; 16]).count()
    );
    world.run(20 * S);
    world.agree().unwrap();
    assert_eq!(world.sending(0), "crypt");
    assert!(world.hosts[0].endpoint.is_up());
    assert_eq!(world.lost, []);
}

#[test]
fn a_killed_process_goes_on() {
    let mut world = world(9);
    world.open(0, "compress,crypt");
    world.run(5 * S);
    for host in [0, 1, 0] {
        world.restart(host, true);
        world.run(20 * S);
        world.agree().unwrap();
        assert!(world.hosts[0].endpoint.is_up());
        assert_eq!(world.sending(1), "compress,crypt");
    }
    // Again what runs already: nothing changes.
    world.open(0, "compress,crypt");
    world.run(5 * S);
    assert!(world.has(0, |r| matches!(r, Report::Running { number: 1, .. })));
    assert_eq!(world.lost, []);
}

#[test]
fn a_host_that_has_forgotten() {
    let mut world = world(10);
    world.open(0, "compress,crypt");
    world.run(5 * S);
    world.restart(1, false);
    world.run(20 * S);
    world.agree().unwrap();
    assert!(world.has(0, |r| *r == Report::Reset));
    assert_eq!(world.sending(0), "compress,crypt");
    assert!(!world.lost.is_empty());
}

#[test]
fn a_dead_host() {
    let mut world = world(11);
    world.open(0, "compress");
    world.run(5 * S);
    world.loss = 1.0;
    world.run(60 * S);
    for host in 0..2 {
        assert!(world.has(host, |r| *r == Report::Closed(Reason::Timeout)));
        assert_eq!(world.hosts[host].kernel.send(true), Some(vec![]));
    }
    world.loss = 0.0;
    world.open(1, "crypt");
    world.run(10 * S);
    assert_eq!(world.sending(0), "crypt");
}

#[test]
fn services() {
    let mut world = world(12);
    world.open(0, "compress");
    world.run(5 * S);
    let service = Service {
        context: "*".into(),
        service: "tcp:80".into(),
    };
    let now = world.now;
    let services = world.hosts[1].endpoint.services();
    let token = services.publish(service.clone(), 60, now).unwrap();
    world.loss = 0.5;
    world.hosts[0].endpoint.resolve(service.clone(), now);
    let other = Service {
        context: "x".into(),
        ..service.clone()
    };
    world.hosts[0].endpoint.resolve(other.clone(), now);
    world.run(20 * S);
    let found = |r: &Report| matches!(r, Report::Resolved { service: s, token: Some((t, 1..=60)) } if *s == service && *t == token);
    assert!(world.has(0, found));
    assert!(world.has(0, |r| *r
        == Report::Resolved {
            service: other.clone(),
            token: None
        }));
}

/// One host with an adaptive stack, and another one.
fn adaptive(seed: u64, mut other: Config) -> World {
    let mut one = config();
    one.policy = Policy::reliable();
    one.timing.keepalive = 100 * MS;
    other.timing = one.timing;
    World::new(seed, [one, other])
}

#[test]
fn an_adaptive_stack() {
    let mut world = adaptive(13, config());
    world.open(0, "compress,crypt");
    world.run(30 * S);
    assert_eq!(world.sending(1), "compress,crypt");
    world.loss = 0.1;
    world.run(60 * S);
    assert_eq!(world.sending(1), "compress,reliable,crypt");
    world.loss = 0.0;
    world.run(60 * S);
    assert_eq!(world.sending(1), "compress,crypt");
    world.agree().unwrap();
    assert_eq!(world.lost, []);
    let link = world.hosts[1].endpoint.measured().unwrap();
    assert_eq!(link.loss(), Some(0.0));
    assert!(
        (2 * MS..20 * MS).contains(&link.round_trip.unwrap()),
        "{link:?}"
    );
}

#[test]
fn an_adaptive_stack_that_is_refused() {
    let mut world = adaptive(14, lacking("reliable"));
    world.open(0, "crypt");
    world.run(10 * S);
    world.loss = 0.3;
    world.run(600 * S);
    let tried = |report: &&Report| matches!(report, Report::Adapted { .. });
    let tried = world.hosts[0].reports.iter().filter(tried).count();
    // After 10, 20, 40 ... seconds.
    assert!((3..8).contains(&tried), "{tried}");
    assert_eq!(world.sending(1), "crypt");
    world.agree().unwrap();
}

#[test]
fn an_adaptive_stack_after_a_restart() {
    let mut world = adaptive(15, config());
    world.open(0, "crypt");
    world.run(10 * S);
    world.loss = 0.1;
    world.run(60 * S);
    assert_eq!(world.sending(1), "reliable,crypt");
    world.restart(0, true);
    world.open(0, "crypt");
    world.run(5 * S);
    assert_eq!(world.sending(0), "reliable,crypt");
}

#[test]
fn a_change_that_is_cut_off() {
    let mut first = Vec::new();
    for moment in 0..60 {
        let mut world = World::new(moment, [config(), config()]);
        world.open(0, "crypt");
        world.run(15 * S);
        world.open(0, "compress,crypt");
        world.run(MS * u32::try_from(moment).unwrap());
        world.loss = 1.0;
        world.run(12 * S);
        first.push(world.sending(0) == "crypt");
        world.loss = 0.0;
        world.run(60 * S);
        world.agree().unwrap();
        assert_eq!(world.sending(0), "compress,crypt", "after {moment} ms");
    }
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
}

/// What a seed says, on a bad link. No packet is lost by it, unless a host forgets or transactions fail.
fn any(seed: u64, restarts: bool, failures: bool) {
    let mut world = world(seed);
    let stacks = [
        "compress",
        "crypt",
        "checksum,compress,crypt",
        "compress,reliable,crypt",
        "crypt,reliable",
        "compress?,nothing?",
        "checksum",
        "reliable",
        "counter,compress,dummy",
    ];
    world.way = 400 * MS;
    let first = world.random.usize(..2);
    let names = world.random.choice(stacks).unwrap();
    world.open(first, &names.replace("nothing?", "dummy?"));
    for _ in 0..world.random.usize(1..12) {
        world.loss = world.random.f64() * 0.3;
        world.double = world.random.f64() * 0.3;
        world.fail = if failures { 0.2 } else { 0.0 };
        let time = S.mul_f64(world.random.f64() * 12.0);
        world.run(time);
        let host = world.random.usize(..2);
        match world.random.u8(..10) {
            0..6 => {
                let names = world.random.choice(stacks).unwrap();
                world.open(host, &names.replace("nothing?", "dummy?"));
            }
            6 => world.close(host),
            7 if restarts => {
                let knows = world.random.bool();
                world.restart(host, knows);
            }
            8 if restarts => world.restart(host, true),
            9 if restarts => {
                world.loss = 1.0;
                let time = S.mul_f64(world.random.f64() * 50.0);
                world.run(time);
            }
            _ => {}
        }
    }
    world.loss = 0.0;
    world.fail = 0.0;
    world.run(200 * S);
    let before = world.lost.len();
    let wrong = world.agree().err();
    world.run(20 * S);
    let lost = world.lost.len();
    let good = wrong.is_none() && lost == before && (lost == 0 || restarts);
    assert!(good, "seed {seed}: {wrong:?}\n{}", world.story.join("\n"));
}

/// Some seeds: `LANA_SEEDS` of them, from `LANA_SEED` on.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|number| number.parse().unwrap())
    };
    let first = number("LANA_SEED").unwrap_or(0);
    first..first + number("LANA_SEEDS").unwrap_or(20)
}

#[test]
fn bad_links() {
    seeds().for_each(|seed| any(seed, false, false));
}

#[test]
fn restarts_on_bad_links() {
    seeds().for_each(|seed| any(1_000_000 + seed, true, false));
}

#[test]
fn transactions_that_fail() {
    seeds().for_each(|seed| any(2_000_000 + seed, true, true));
}

#[test]
fn what_cannot_be_offered() {
    let mut world = world(14);
    let now = world.now;
    let long = |count: usize| -> Vec<Wanted> {
        let mut blocks = wanted("compress");
        let value = "x".repeat(200);
        blocks[0].options = (0..count)
            .map(|i| (format!("o{i}"), value.clone()))
            .collect();
        blocks
    };
    let endpoint = &mut world.hosts[0].endpoint;
    assert!(matches!(
        endpoint.open(wanted("a.b"), now),
        Err(crate::BadStack::Lacking(_))
    ));
    let mut optional = long(9);
    optional[0].optional = true;
    assert!(matches!(
        endpoint.open(optional, now),
        Err(crate::BadStack::Long(_))
    ));
}
