// SPDX-License-Identifier: GPL-2.0

//! Rules as texts: `proto=udp dport=53 -> 1`.

use core::{fmt, ops::RangeInclusive};

use super::{
    address::{Address, Prefix},
    headers::{ICMP, ICMPV6, IPV4, IPV6, PROTOCOLS},
    list::Wanted,
};

/// The highest number of an output.
pub(crate) const LAST_PORT: u16 = 63;

/// Names that stand for numbers. The first name of a number is the one that is shown.
const ETHER_TYPES: [(&str, u16); 7] = [
    ("ipv4", IPV4),
    ("ip", IPV4),
    ("ipv6", IPV6),
    ("ip6", IPV6),
    ("arp", 0x0806),
    ("mpls", 0x8847),
    ("lldp", 0x88cc),
];
const CODE_POINTS: [(&str, u8); 21] = [
    ("cs0", 0),
    ("cs1", 8),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("cs2", 16),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("cs3", 24),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("cs4", 32),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs5", 40),
    ("ef", 46),
    ("cs6", 48),
    ("cs7", 56),
];

fn ether_type_of(prefix: Prefix) -> u16 {
    match prefix.first() {
        Address::V4(_) => IPV4,
        Address::V6(_) => IPV6,
    }
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// By a port.
    Port(u16),
    Drop,
}

impl Output {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "drop" => Some(Self::Drop),
            text => Some(Self::Port(number(text, LAST_PORT.into())? as u16)),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// The first and the last of numbers.
pub(crate) type Range = (u16, u16);

/// What a packet must have, and where it goes then. What is `None` is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) ether_type: Option<u16>,
    pub(crate) vlan: Option<Range>,
    pub(crate) proto: Option<u8>,
    pub(crate) src: Option<Wanted<Prefix>>,
    pub(crate) dst: Option<Wanted<Prefix>>,
    pub(crate) sport: Option<Wanted<Range>>,
    pub(crate) dport: Option<Wanted<Range>>,
    pub(crate) dscp: Option<u8>,
    /// Type, and perhaps code.
    pub(crate) icmp: Option<(u8, Option<u8>)>,
    pub(crate) to: Output,
}

/// What is wrong with the text of a rule: the part that it is about, and what could stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad<'a> {
    /// There is no `-> OUTPUT`.
    NoOutput,
    Output(&'a str),
    /// Neither a key nor the arrow.
    Word(&'a str),
    Key(&'a str),
    Twice(&'static str),
    /// The key, its value, and the form that it has.
    Value(&'static str, &'a str, &'static str),
    /// Two keys that no packet has both.
    Never(&'static str, &'static str),
}

impl fmt::Display for Bad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// What was written: its beginning, in one line.
        struct Said<'a>(&'a str);
        impl fmt::Display for Said<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut chars = self.0.escape_default();
                f.write_str("'")?;
                chars
                    .by_ref()
                    .take(24)
                    .try_for_each(|c| fmt::Write::write_char(f, c))?;
                f.write_str(if chars.next().is_some() { "...'" } else { "'" })
            }
        }
        match *self {
            Self::NoOutput => f.write_str("ends in no '-> PORT' or '-> drop'"),
            Self::Output(text) => {
                write!(f, "{} is no output: 0 to {LAST_PORT}, or drop", Said(text))
            }
            Self::Word(text) => write!(f, "{} is not KEY=VALUE", Said(text)),
            Self::Key(text) => write!(f, "no key {}", Said(text)),
            Self::Twice(key) => write!(f, "{key} is there twice"),
            Self::Value(key, text, form) => write!(f, "{key}={} is not {form}", Said(text)),
            Self::Never(one, other) => write!(f, "no packet has this {one} and this {other}"),
        }
    }
}

/// A whole number in decimal, at most `most`.
pub(crate) fn number(text: &str, most: u32) -> Option<u32> {
    let plain = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    let number = text.parse().ok().filter(|_| plain)?;
    (number <= most).then_some(number)
}

/// A number or two, with a dash between them.
pub(crate) fn range(text: &str, most: u32) -> Option<Range> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first, most)?, number(last, most)?);
    (first <= last).then_some((first as u16, last as u16))
}

/// A name, or else a number.
fn named<T: Copy>(
    text: &str,
    names: &[(&str, T)],
    number: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let name = names.iter().find(|(name, _)| *name == text);
    name.map(|&(_, value)| value).or_else(|| number(text))
}

fn ether_type(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 4)?;
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn icmp(text: &str) -> Option<(u8, Option<u8>)> {
    let byte = |text| number(text, 255).map(|number| number as u8);
    match text.split_once('/') {
        Some((kind, code)) => Some((byte(kind)?, Some(byte(code)?))),
        None => Some((byte(text)?, None)),
    }
}

/// Takes the next word off a text: up to a space that is not in double quotes.
fn word<'a>(text: &mut &'a str) -> Option<&'a str> {
    let rest = text.trim_start();
    let mut quoted = false;
    let end = rest.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    let (word, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    *text = behind;
    Some(word).filter(|word| !word.is_empty())
}

/// Puts the value of a key, unless there is one, or it is none of this form.
fn put<'a, T>(
    place: &mut Option<T>,
    key: &'static str,
    text: &'a str,
    form: &'static str,
    value: Option<T>,
) -> Result<(), Bad<'a>> {
    if place.is_some() {
        return Err(Bad::Twice(key));
    }
    *place = Some(value.ok_or(Bad::Value(key, text, form))?);
    Ok(())
}

impl Rule {
    /// Reads a rule, and the text of its BPF program.
    pub(crate) fn parse(mut text: &str) -> Result<(Self, Option<&str>), Bad<'_>> {
        let mut rule = Self {
            ether_type: None,
            vlan: None,
            proto: None,
            src: None,
            dst: None,
            sport: None,
            dport: None,
            dscp: None,
            icmp: None,
            to: Output::Drop,
        };
        let mut program = None;
        while let Some(part) = word(&mut text) {
            if part == "->" {
                let output = word(&mut text).ok_or(Bad::NoOutput)?;
                rule.to = Output::parse(output).ok_or(Bad::Output(output))?;
                if let Some(more) = word(&mut text) {
                    return Err(Bad::Word(more));
                }
                rule.check()?;
                return Ok((rule, program));
            }
            let (key, value) = part.split_once('=').ok_or(Bad::Word(part))?;
            rule.with(key, value, &mut program)?;
        }
        Err(Bad::NoOutput)
    }

    fn with<'a>(
        &mut self,
        key: &'a str,
        text: &'a str,
        program: &mut Option<&'a str>,
    ) -> Result<(), Bad<'a>> {
        const ADDRESS: &str = "an address, a prefix or @LIST";
        const PORTS: &str = "PORT, FIRST-LAST or @LIST";
        let address = || Wanted::parse(text, |text| Prefix::parse(text).ok());
        let ports = || Wanted::parse(text, |text| range(text, 65_535));
        let byte = |most| move |text: &str| number(text, most).map(|number| number as u8);
        match key {
            "ethertype" => put(
                &mut self.ether_type,
                "ethertype",
                text,
                "ipv4, arp, ... or 0xHHHH",
                named(text, &ETHER_TYPES, ether_type),
            ),
            "vlan" => put(
                &mut self.vlan,
                "vlan",
                text,
                "ID or FIRST-LAST",
                range(text, 4095),
            ),
            "proto" => put(
                &mut self.proto,
                "proto",
                text,
                "tcp, udp, ... or a number",
                named(text, &PROTOCOLS, byte(255)),
            ),
            "src" => put(&mut self.src, "src", text, ADDRESS, address()),
            "dst" => put(&mut self.dst, "dst", text, ADDRESS, address()),
            "sport" => put(&mut self.sport, "sport", text, PORTS, ports()),
            "dport" => put(&mut self.dport, "dport", text, PORTS, ports()),
            "dscp" => put(
                &mut self.dscp,
                "dscp",
                text,
                "ef, cs1, ... or 0 to 63",
                named(text, &CODE_POINTS, byte(63)),
            ),
            "icmp-type" => put(
                &mut self.icmp,
                "icmp-type",
                text,
                "TYPE or TYPE/CODE",
                icmp(text),
            ),
            "bpf" => {
                let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
                let inner = inner.map(str::trim).filter(|inner| !inner.is_empty());
                put(program, "bpf", text, "a program in double quotes", inner)
            }
            _ => Err(Bad::Key(key)),
        }
    }

    /// Refuses what no packet can match, as far as that is plain.
    fn check(&self) -> Result<(), Bad<'static>> {
        let families = [
            ("src", self.src.and_then(Wanted::this).map(ether_type_of)),
            ("dst", self.dst.and_then(Wanted::this).map(ether_type_of)),
        ];
        if let [(_, Some(one)), (_, Some(other))] = families {
            if one != other {
                return Err(Bad::Never("src", "dst"));
            }
        }
        for (key, family) in families {
            let other = self.ether_type.is_some_and(|own| Some(own) != family);
            if family.is_some() && other {
                return Err(Bad::Never("ethertype", key));
            }
        }
        let is_ip = self.ether_type.is_none_or(|own| matches!(own, IPV4 | IPV6));
        let of_ip = [
            ("proto", self.proto.is_some()),
            ("sport", self.sport.is_some()),
            ("dport", self.dport.is_some()),
            ("dscp", self.dscp.is_some()),
            ("icmp-type", self.icmp.is_some()),
        ];
        for (key, is_there) in of_ip {
            if is_there && !is_ip {
                return Err(Bad::Never("ethertype", key));
            }
        }
        let has_ports = matches!(self.proto, None | Some(6 | 17 | 33 | 132 | 136));
        let has_types = matches!(self.proto, None | Some(ICMP | ICMPV6));
        for (key, is_there, can) in [
            ("sport", self.sport.is_some(), has_ports),
            ("dport", self.dport.is_some(), has_ports),
            ("icmp-type", self.icmp.is_some(), has_types),
        ] {
            if is_there && !can {
                return Err(Bad::Never("proto", key));
            }
        }
        let ports = [("sport", self.sport), ("dport", self.dport)];
        for (key, ports) in ports {
            if ports.is_some() && self.icmp.is_some() {
                return Err(Bad::Never("icmp-type", key));
            }
        }
        Ok(())
    }
}

/// The name of a number, or the number.
fn show<T: Copy + PartialEq + fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    value: T,
    names: &[(&str, T)],
) -> fmt::Result {
    match names.iter().find(|(_, named)| *named == value) {
        Some((name, _)) => write!(f, "{key}={name} "),
        None => write!(f, "{key}={value} "),
    }
}

/// A range as it is shown.
pub(crate) struct Span(pub(crate) u16, pub(crate) u16);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(first, last) = self;
        if first == last {
            write!(f, "{first}")
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

/// A key, and what it wants, with a space behind it.
fn show_wanted<T, S: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    wanted: Option<Wanted<T>>,
    show: impl FnOnce(T) -> S,
) -> fmt::Result {
    match wanted {
        None => Ok(()),
        Some(Wanted::This(this)) => write!(f, "{key}={} ", show(this)),
        Some(Wanted::Listed(list)) => write!(f, "{key}=@{list} "),
    }
}

impl Rule {
    /// All but the program and the output, each with a space behind it.
    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = self.ether_type {
            match ETHER_TYPES.iter().find(|(_, named)| *named == value) {
                Some((name, _)) => write!(f, "ethertype={name} ")?,
                None => write!(f, "ethertype=0x{value:04x} ")?,
            }
        }
        let span = |(first, last)| Span(first, last);
        show_wanted(f, "vlan", self.vlan.map(Wanted::This), span)?;
        if let Some(proto) = self.proto {
            show(f, "proto", proto, &PROTOCOLS)?;
        }
        show_wanted(f, "src", self.src, |prefix| prefix)?;
        show_wanted(f, "dst", self.dst, |prefix| prefix)?;
        show_wanted(f, "sport", self.sport, span)?;
        show_wanted(f, "dport", self.dport, span)?;
        if let Some(dscp) = self.dscp {
            show(f, "dscp", dscp, &CODE_POINTS)?;
        }
        match self.icmp {
            None => Ok(()),
            Some((kind, None)) => write!(f, "icmp-type={kind} "),
            Some((kind, Some(code))) => write!(f, "icmp-type={kind}/{code} "),
        }
    }
}

/// A rule with its program, as it is shown: each rule has one such text.
pub(crate) struct Shown<'a, P>(pub(crate) &'a Rule, pub(crate) Option<P>);

impl<P: fmt::Display> fmt::Display for Shown<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.keys(f)?;
        if let Some(program) = &self.1 {
            write!(f, "bpf=\"{program}\" ")?;
        }
        write!(f, "-> {}", self.0.to)
    }
}

/// The number of a key such as `rule.N`.
pub(crate) fn number_of(key: &str) -> Option<u16> {
    let (_, digits) = key.split_once('.')?;
    number(digits, u16::MAX.into()).map(|number| number as u16)
}

/// Whether a range has this number.
#[inline]
pub(crate) fn is_in((first, last): Range, number: u16) -> bool {
    RangeInclusive::new(first, last).contains(&number)
}
