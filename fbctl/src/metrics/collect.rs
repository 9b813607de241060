// SPDX-License-Identifier: GPL-2.0

//! From what the kernel tells to families of numbers.

use super::text::{word, Families, Kind};
use crate::options::{counted, leads_to, numbered};
use lana_netlink::{
    spec::{DropReason, OptionAttrs},
    wire::Value,
    Connection, Error, Fb, PpeCpu, Type, Vlink,
};

/// Longest text of a block that is a label.
const LONGEST: usize = 64;

/// Asks for all of it.
pub(super) fn families(lana: &mut Connection) -> Result<Families, Error> {
    let mut families = Families::default();
    cpus(&mut families, &lana.ppe()?.items);
    types(&mut families, &lana.types()?.items);
    devices(&mut families, &lana.vlinks()?.items);
    blocks(&mut families, &lana.fbs()?.items);
    Ok(families)
}

fn cpus(families: &mut Families, cpus: &[PpeCpu]) {
    use Kind::{Counter, Gauge};
    type Of = fn(&PpeCpu) -> Option<u64>;
    let rows: [(&str, Kind, Option<&'static str>, &str, Of); 7] = [
        (
            "lana_cpu_packets",
            Counter,
            Some("packets"),
            "Packets that entered the graph on a CPU, copies made in it included.",
            |cpu| cpu.packets,
        ),
        (
            "lana_cpu_bytes",
            Counter,
            Some("bytes"),
            "Their bytes.",
            |cpu| cpu.bytes,
        ),
        (
            "lana_cpu_calls",
            Counter,
            None,
            "Calls of packet handlers on a CPU.",
            |cpu| cpu.calls,
        ),
        (
            "lana_cpu_drops",
            Counter,
            None,
            "Packets dropped on a CPU.",
            |cpu| cpu.drops,
        ),
        (
            "lana_cpu_unclaimed",
            Counter,
            None,
            "Packets that no block took and that the network stack got.",
            |cpu| cpu.unclaimed,
        ),
        (
            "lana_cpu_backlog",
            Gauge,
            None,
            "Packets waiting for the end of the current walk on a CPU.",
            |cpu| cpu.backlog.map(u64::from),
        ),
        (
            "lana_cpu_backlog_max",
            Gauge,
            None,
            "The most that ever waited.",
            |cpu| cpu.backlog_max.map(u64::from),
        ),
    ];
    for (name, kind, unit, help, of) in rows {
        families.declare(name, kind, unit, help);
        for cpu in cpus {
            let number = cpu.cpu.unwrap_or_default().to_string();
            families.put(name, kind, &[("cpu", &number)], of(cpu).unwrap_or_default());
        }
    }
}

fn types(families: &mut Families, types: &[Type]) {
    let (name, kind) = ("lana_type_blocks", Kind::Gauge);
    let help = "Blocks of a type, in all network namespaces.";
    families.declare(name, kind, Some("blocks"), help);
    for of in types {
        let labels = [("type", of.name.as_deref().unwrap_or_default())];
        families.put(name, kind, &labels, of.instances.unwrap_or_default());
    }
}

fn devices(families: &mut Families, devices: &[Vlink]) {
    let info = "lana_device";
    let help = "A device that is connected to the graph, and the block that stands for it.";
    families.declare(info, Kind::Info, None, help);
    let (xdp, replaced) = ("lana_device_xdp", "lana_device_xdp_replaced");
    let help = "1 where packets enter as frames of the driver: native XDP.";
    families.declare(xdp, Kind::Gauge, None, help);
    let help = "1 where they do no more, as somebody has installed another XDP program.";
    families.declare(replaced, Kind::Gauge, None, help);
    for device in devices {
        let name = device.ifname.as_deref().unwrap_or_default();
        let mut labels = vec![
            ("device", name),
            ("block", device.fb.as_deref().unwrap_or_default()),
            ("subsystem", device.subsystem.as_deref().unwrap_or_default()),
        ];
        if let Some(carrier) = &device.carrier {
            labels.push(("carrier", carrier));
        }
        families.put(info, Kind::Info, &labels, 1);
        let labels = [("device", name)];
        for (name, is) in [
            (xdp, device.xdp.is_some()),
            (replaced, device.xdp_replaced.is_some()),
        ] {
            families.put(name, Kind::Gauge, &labels, u8::from(is));
        }
    }
}

fn blocks(families: &mut Families, fbs: &[Fb]) {
    let kind = Kind::Counter;
    let (packets, bytes) = ("lana_block_packets", "lana_block_bytes");
    let (drops, skbs) = ("lana_block_drops", "lana_block_skbs");
    let help = "A block, its type, and the device that it stands for.";
    families.declare("lana_block", Kind::Info, None, help);
    let help = "Packets that a block was given.";
    families.declare(packets, kind, Some("packets"), help);
    families.declare(bytes, kind, Some("bytes"), "Their bytes.");
    let help = "Packets dropped at a block, by reason.";
    families.declare(drops, kind, None, help);
    let help = "Skbs that were made of frames at a block.";
    families.declare(skbs, kind, Some("skbs"), help);
    for fb in fbs {
        let block = ("block", fb.name.as_deref().unwrap_or_default());
        let mut labels = vec![block, ("type", fb.r#type.as_deref().unwrap_or_default())];
        if let Some(device) = &fb.ifname {
            labels.push(("device", device));
        }
        families.put("lana_block", Kind::Info, &labels, 1);
        let stats = fb.stats.clone().unwrap_or_default();
        let labels = [block];
        families.put(packets, kind, &labels, stats.packets.unwrap_or_default());
        families.put(bytes, kind, &labels, stats.bytes.unwrap_or_default());
        families.put(skbs, kind, &labels, stats.skbs.unwrap_or_default());
        // All reasons, at 0 too: what appears with its first packet has no rate for that.
        for reason in DropReason::ALL {
            families.put(drops, kind, &[block, ("reason", reason.name())], 0);
        }
        for drop in &stats.drop {
            let reason = drop.reason.map(|reason: Value<_>| reason.to_string());
            let labels = [block, ("reason", &reason.unwrap_or_default())];
            families.put(drops, kind, &labels, drop.packets.unwrap_or_default());
        }
        own(families, fb);
    }
}

/// What a block itself counts. Its type says neither whether it only grows nor its unit.
fn own(families: &mut Families, fb: &Fb) {
    let name = fb.name.as_deref().unwrap_or_default();
    let kind = fb.r#type.as_deref().unwrap_or_default();
    let prefix = format!("lana_fb_{}", word(kind));
    // Text is for the labels of one number: those of the block, or of each that has a number.
    let mut texts: Vec<(String, Vec<(String, String)>)> = Vec::new();
    // A dash stands for what there is not.
    let is_there = |option: &&OptionAttrs| !matches!(option.value.as_deref(), None | Some("-"));
    for option in counted(fb).filter(is_there) {
        let key = option.key.as_deref().unwrap_or_default();
        let value = option.value.as_deref().unwrap_or_default().trim();
        let mut labels = vec![("block".to_owned(), name.to_owned())];
        let mut to = None;
        let (base, what) = match numbered(key) {
            Some(key) => {
                to = leads_to(fb, key);
                labels.push((word(key.of), key.number.to_string()));
                (format!("{prefix}_{}", word(key.of)), key.what)
            }
            None => (prefix.clone(), key),
        };
        match number(value) {
            Some((number, is_ratio)) => {
                let ratio = if is_ratio { "_ratio" } else { "" };
                let family = free(format!("{base}_{}{ratio}", word(what)));
                let help = format!("What blocks of type {kind} show as {what}.");
                let unit = is_ratio.then_some("ratio");
                families.declare(&family, Kind::Unknown, unit, &help);
                families.put(&family, Kind::Unknown, &borrowed(&labels), number);
            }
            None if value.chars().count() <= LONGEST => {
                let known = |(other, with): &&mut (String, Vec<_>)| {
                    *other == base && with.starts_with(&labels)
                };
                let text = (word(what), value.to_owned());
                if let Some((_, with)) = texts.iter_mut().find(known) {
                    with.push(text);
                    continue;
                }
                let to = to.map(|to| ("to".to_owned(), to.to_owned()));
                labels.extend(to.into_iter().chain([text]));
                texts.push((base, labels));
            }
            None => {}
        }
    }
    for (family, labels) in texts {
        let help = format!("What blocks of type {kind} show as text.");
        families.declare(&family, Kind::Info, None, &help);
        families.put(&family, Kind::Info, &borrowed(&labels), 1);
    }
}

fn borrowed(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A name that is not that of a sample of another family.
fn free(name: String) -> String {
    if name.ends_with("_info") {
        name + "_"
    } else {
        name
    }
}

/// A number as OpenMetrics has it, and whether it was a percentage.
fn number(value: &str) -> Option<(String, bool)> {
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    if let Some(percent) = value.strip_suffix('%').filter(|text| is_number(text)) {
        let percent: f64 = percent.parse().ok()?;
        return Some((format!("{:.4}", percent / 100.0), true));
    }
    // Whole numbers as they are: a float has not all of them.
    let is_good = is_number(value) && value.parse::<f64>().is_ok();
    is_good.then(|| (value.to_owned(), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::sample;
    use lana_netlink::{
        spec::{Direction, PortAttrs},
        wire::Flag,
    };

    fn option(key: &str, value: &str) -> OptionAttrs {
        OptionAttrs {
            key: Some(key.into()),
            value: Some(value.into()),
            ..Default::default()
        }
    }

    fn text_of(fbs: &[Fb]) -> String {
        let mut families = Families::default();
        blocks(&mut families, fbs);
        families.text()
    }

    #[test]
    fn counters_of_blocks() {
        let text = text_of(&sample());
        for line in [
            "# UNIT lana_block_packets packets",
            "lana_block_info{block=\"eth0\",type=\"eth\"} 1",
            "lana_block_packets_total{block=\"eth0\"} 10",
            "lana_block_bytes_total{block=\"eth0\"} 640",
            "lana_block_drops_total{block=\"eth0\",reason=\"too-big\"} 2",
            "lana_block_drops_total{block=\"eth0\",reason=\"filtered\"} 0",
            "lana_block_skbs_total{block=\"fb2\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_a_block_itself_counts() {
        let mut program = option("program", "x");
        program.config = Some(Flag);
        let fb = Fb {
            name: Some("m".into()),
            r#type: Some("multi-path".into()),
            option: vec![
                option("strategy", "session"),
                option("port.0.link", "up"),
                option("port.0.packets", "18446744073709551615"),
                option("port.0.wanted", "33.33%"),
                option("port.1.link", "down"),
                option("port.1.state.x", "a"),
                option("refused.rate-source", "-1.5"),
                option("info", "1"),
                option("odd", "1.2.3"),
                option("given", "-"),
                option("long", &"x".repeat(65)),
                program,
            ],
            port: vec![PortAttrs {
                direction: Some(Value::Known(Direction::Egress)),
                index: Some(1),
                peer_name: Some("dsl1".into()),
                ..Default::default()
            }],
            ..Default::default()
        };
        let text = text_of(&[fb]);
        let own: Vec<_> = text
            .lines()
            .filter(|line| line.contains("lana_fb_"))
            .filter(|line| !line.starts_with("# HELP"))
            .collect();
        let expected = [
            "# TYPE lana_fb_multi_path info",
            "lana_fb_multi_path_info{block=\"m\",strategy=\"session\",odd=\"1.2.3\"} 1",
            "# TYPE lana_fb_multi_path_info_ unknown",
            "lana_fb_multi_path_info_{block=\"m\"} 1",
            "# TYPE lana_fb_multi_path_port info",
            "lana_fb_multi_path_port_info{block=\"m\",port=\"0\",link=\"up\"} 1",
            "lana_fb_multi_path_port_info{block=\"m\",port=\"1\",to=\"dsl1\",link=\"down\",state_x=\"a\"} 1",
            "# TYPE lana_fb_multi_path_port_packets unknown",
            "lana_fb_multi_path_port_packets{block=\"m\",port=\"0\"} 18446744073709551615",
            "# TYPE lana_fb_multi_path_port_wanted_ratio unknown",
            "# UNIT lana_fb_multi_path_port_wanted_ratio ratio",
            "lana_fb_multi_path_port_wanted_ratio{block=\"m\",port=\"0\"} 0.3333",
            "# TYPE lana_fb_multi_path_refused_rate_source unknown",
            "lana_fb_multi_path_refused_rate_source{block=\"m\"} -1.5",
        ];
        assert_eq!(own, expected, "{text}");
    }

    #[test]
    fn engine_and_devices() {
        let mut families = Families::default();
        let cpu = PpeCpu {
            cpu: Some(1),
            calls: Some(7),
            ..Default::default()
        };
        cpus(&mut families, &[cpu]);
        let device = Vlink {
            ifname: Some("v0".into()),
            fb: Some("b".into()),
            subsystem: Some("ethernet".into()),
            carrier: Some("eth0".into()),
            xdp: Some(Flag),
            ..Default::default()
        };
        devices(&mut families, &[device]);
        types(&mut families, &[Type::default()]);
        let text = families.text();
        for line in [
            "lana_cpu_calls_total{cpu=\"1\"} 7",
            "lana_cpu_backlog_max{cpu=\"1\"} 0",
            "lana_device_info{device=\"v0\",block=\"b\",subsystem=\"ethernet\",carrier=\"eth0\"} 1",
            "lana_device_xdp{device=\"v0\"} 1",
            "lana_device_xdp_replaced{device=\"v0\"} 0",
            "lana_type_blocks{type=\"\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
