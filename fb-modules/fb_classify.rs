// SPDX-License-Identifier: GPL-2.0

//! `classify`: sends each packet by one of several ports, by the first of its rules that the packet's headers match.

use kernel::str::CString;
use lana::prelude::{
    option::{Directions, Value},
    *,
};

#[path = "classify/list.rs"]
mod list;
#[path = "classify/listed.rs"]
mod listed;
#[path = "classify/matching.rs"]
mod matching;
#[path = "classify/rule.rs"]
mod rule;
#[expect(
    dead_code,
    reason = "the bpf block also prints programs, and takes them in pieces"
)]
#[path = "bpf/text.rs"]
mod text;

use listed::{Edit, Kind, Listed, Names};
use rule::{Output, Rule, Shown};

block_module! {
    type: Classify,
    name: "fb_classify",
    authors: ["The LANA developers"],
    description: "LANA block: chooses a port by the contents of a packet",
    license: "GPL",
    alias: ["lana-fb-classify"],
}

/// What the block keeps things in.
type List<T> = KVVec<T>;

/// The most rules.
const RULES: usize = 256;
/// The most lists.
const LISTS: usize = 64;
/// Places to count at: twice as many, so that a rule that is new can have one that no packet counts at any more.
const SEATS: usize = 2 * RULES;
const LAST_SEAT: u16 = SEATS as u16 - 1;

/// What a CPU counts.
#[derive(Zeroable)]
struct Counts {
    seats: [Count; SEATS],
    unmatched: Count,
    malformed: Count,
}

/// The program of a rule.
struct Filter {
    program: bpf::Program,
    insns: KVec<bpf::Insn>,
}

impl Filter {
    fn load(key: &str, text: &str, process: &Process) -> Result<Self, Failure> {
        let mut insns = KVec::new();
        let mut memory = Ok(());
        let push = |(code, jt, jf, k): text::Quad| {
            memory = insns.push(bpf::Insn { code, jt, jf, k }, GFP_KERNEL);
            memory.is_ok()
        };
        let parsed = text::parse(text.as_bytes(), push);
        memory?;
        parsed.map_err(|bad| fail!(EINVAL, "{key}: bpf: {bad}"))?;
        let program = bpf::Program::new(&insns, process).map_err(|e| {
            if e == EINVAL {
                fail!(
                    EINVAL,
                    "{key}: bpf: the kernel's checker refuses the program"
                )
            } else {
                e.into()
            }
        })?;
        Ok(Self { program, insns })
    }

    fn is(&self, other: &Option<Arc<Self>>) -> bool {
        let other = other.as_ref();
        other.is_some_and(|other| *self.insns == *other.insns)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::pack(f, self.insns.iter().map(|i| (i.code, i.jt, i.jf, i.k)))
    }
}

/// A rule in its place.
#[derive(Clone)]
struct Entry {
    number: u16,
    rule: Rule,
    filter: Option<Arc<Filter>>,
    lists: Names,
    /// Where its packets are counted.
    seat: u16,
    /// What was counted there before it was its own.
    base: u64,
}

impl Entry {
    #[inline(never)]
    fn parse(key: &str, number: u16, text: &str, process: &Process) -> Result<Self, Failure> {
        let (rule, program) = Rule::parse(text).map_err(|bad| fail!(EINVAL, "{key}: {bad}"))?;
        let load = |program| {
            Arc::new(Filter::load(key, program, process)?, GFP_KERNEL).map_err(Failure::from)
        };
        Ok(Self {
            number,
            rule,
            filter: program.map(load).transpose()?,
            lists: Names::NONE,
            seat: 0,
            base: 0,
        })
    }

    /// Whether it is the same rule at the same place.
    fn is(&self, other: &Self) -> bool {
        let same_filter = match &self.filter {
            None => other.filter.is_none(),
            Some(filter) => filter.is(&other.filter),
        };
        (self.number, self.rule) == (other.number, other.rule) && same_filter
    }
}

impl Value for Output {
    const VALUES: Values = Values::Text(TO);
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

options! {
    /// What can be set, besides the rules.
    struct Config {
        ..OptionSpec::text(
            "rule.N",
            "KEY=VALUE... -> PORT, or -> drop",
            "Sends matching packets by this port. The first matching rule wins",
        ),
        ..OptionSpec::text(
            "prefixes.N",
            "addresses and prefixes, with commas or spaces between them",
            "Lists prefixes for the rules that name it: src=@N, dst=@N",
        ),
        ..OptionSpec::text("prefixes.N+", "addresses and prefixes", "Adds prefixes to a list"),
        ..OptionSpec::text(
            "prefixes.N-",
            "addresses and prefixes",
            "Removes prefixes from a list",
        ),
        ..OptionSpec::text(
            "ports.N",
            "ports and ranges such as 80,443,8000-8099",
            "Lists ports for the rules that name it: sport=@N, dport=@N",
        ),
        ..OptionSpec::text("ports.N+", "ports and ranges", "Adds ports to a list"),
        ..OptionSpec::text("ports.N-", "ports and ranges", "Removes ports from a list"),
        /// Port for packets that no rule matches
        default: Output = Output::Port(0),
        /// Direction of the packets that rules apply to. The others pass by port 0
        direction: Directions = Directions::Ingress,
    }
}

struct Classify {
    config: Config,
    /// By kind and number.
    lists: List<Arc<Listed>>,
    /// By number.
    entries: List<Entry>,
    asks_vlan: bool,
    /// The seat that was given last.
    last: u16,
    counts: Arc<PerCpu<Counts>>,
}

const TO: &str = "a port from 0 to 63, or drop";

impl Classify {
    /// Where a packet goes, and at which seat that is counted.
    #[inline]
    fn decide<P: Packet>(&self, packet: &mut P, counts: &Counts) -> Output {
        let parsed = packet.parse();
        if parsed.malformed.is_some() {
            counts.malformed.add(1);
        }
        let vlan = match self.asks_vlan {
            true => packet.vlan().or(parsed.vlan),
            false => None,
        };
        let vlan = vlan.map(|tci| tci & 0xfff);
        for entry in &self.entries {
            if !entry.rule.matches(&parsed, vlan) || !entry.lists.allow(&parsed) {
                continue;
            }
            if let Some(filter) = &entry.filter {
                if packet.filter(&filter.program) == 0 {
                    continue;
                }
            }
            if let Some(count) = counts.seats.get(usize::from(entry.seat)) {
                count.add(1);
            }
            return entry.rule.to;
        }
        counts.unmatched.add(1);
        self.config.default
    }

    fn sum(&self, what: impl Fn(&Counts) -> u64) -> u64 {
        let counts = self.counts.iter();
        counts.fold(0, |sum, (_, counts)| sum.wrapping_add(what(counts)))
    }

    /// What was counted at a seat.
    fn total(&self, seat: u16) -> u64 {
        self.sum(|counts| counts.seats.get(usize::from(seat)).map_or(0, Count::get))
    }

    /// This with other rules, for which seats are found: a rule that stays keeps its own.
    fn with(&self, rules: List<Entry>, lists: List<Arc<Listed>>) -> Result<Self> {
        let mut entries = List::with_capacity(rules.len(), GFP_KERNEL)?;
        let mut last = self.last;
        for mut entry in rules {
            match self.entries.iter().find(|old| old.is(&entry)) {
                Some(old) => (entry.seat, entry.base) = (old.seat, old.base),
                None => {
                    last = self.free_seat(last, &entries);
                    (entry.seat, entry.base) = (last, self.total(last));
                }
            }
            entry.lists = Names::find(&entry.rule, &lists);
            entries.push(entry, GFP_KERNEL)?;
        }
        Ok(Self {
            config: self.config,
            lists,
            asks_vlan: entries
                .iter()
                .any(|entry: &Entry| entry.rule.vlan.is_some()),
            entries,
            last,
            counts: self.counts.clone(),
        })
    }

    /// The next seat behind the last one that no rule has.
    fn free_seat(&self, last: u16, new: &[Entry]) -> u16 {
        let mut seat = last;
        for _ in 0..SEATS {
            seat = seat.wrapping_add(1) & LAST_SEAT;
            let has = |entries: &[Entry]| entries.iter().any(|entry| entry.seat == seat);
            if !has(&self.entries) && !has(new) {
                break;
            }
        }
        seat
    }

    fn copy(&self) -> Result<List<Entry>> {
        let mut entries = List::with_capacity(self.entries.len(), GFP_KERNEL)?;
        for entry in &self.entries {
            entries.push(entry.clone(), GFP_KERNEL)?;
        }
        Ok(entries)
    }

    /// This with another rule of a number, or without it.
    #[inline(never)]
    fn set_rule(
        &self,
        key: &str,
        number: u16,
        text: &str,
        process: &Process,
    ) -> Result<Self, Failure> {
        let mut new = match text {
            "" => None,
            text => Some(Entry::parse(key, number, text, process)?),
        };
        let mut rules = List::with_capacity(self.entries.len().saturating_add(1), GFP_KERNEL)?;
        for entry in &self.entries {
            if entry.number >= number {
                if let Some(new) = new.take() {
                    rules.push(new, GFP_KERNEL)?;
                }
            }
            if entry.number != number {
                rules.push(entry.clone(), GFP_KERNEL)?;
            }
        }
        if let Some(new) = new {
            rules.push(new, GFP_KERNEL)?;
        }
        if rules.len() > RULES {
            return Err(fail!(ENOSPC, "{key}: more than {RULES} rules"));
        }
        Ok(self.with(rules, self.copy_lists()?)?)
    }

    fn copy_lists(&self) -> Result<List<Arc<Listed>>> {
        let mut lists = List::with_capacity(self.lists.len().saturating_add(1), GFP_KERNEL)?;
        for list in &self.lists {
            lists.push(list.clone(), GFP_KERNEL)?;
        }
        Ok(lists)
    }

    /// This with another list of a number, or without it.
    #[inline(never)]
    fn set_list(
        &self,
        key: &str,
        id: (Kind, u16),
        edit: Edit,
        text: &str,
    ) -> Result<Self, Failure> {
        let id_of = |list: &Listed| (list.kind, list.number);
        let mut lists = self.copy_lists()?;
        lists.retain(|list| id_of(list) != id);
        let old = self.lists.iter().find(|list| id_of(list) == id);
        let list = Listed::edited(key, id, edit, old.map(|old| &**old), text)?;
        if let Some(list) = list {
            if lists.len() >= LISTS {
                return Err(fail!(ENOSPC, "{key}: more than {LISTS} lists"));
            }
            let list = Arc::new(list, GFP_KERNEL)?;
            let at = lists.partition_point(|list| id_of(list) < id);
            lists.insert_within_capacity(at, list).map_err(|_| ENOMEM)?;
        }
        Ok(self.with(self.copy()?, lists)?)
    }
}

/// Makes the name of an option of a rule. Without memory there is none.
fn with_key(of: &str, number: u16, what: &str, put: impl FnOnce(&str)) {
    let key = CString::try_from_fmt(fmt!("{of}.{number}{what}"));
    if let Ok(Ok(key)) = key.as_ref().map(|key| key.to_str()) {
        put(key);
    }
}

impl Block for Classify {
    const TYPE: &'static str = "classify";
    const INGRESS_PORTS: u32 = rule::LAST_PORT as u32 + 1;
    const EGRESS_PORTS: u32 = rule::LAST_PORT as u32 + 1;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            config: Config::DEFAULT,
            lists: List::new(),
            entries: List::new(),
            asks_vlan: false,
            last: 0,
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let direction = cx.direction();
        if !self.config.direction.include(direction) {
            return cx.pass(packet);
        }
        match self.decide(&mut packet, self.counts.this(cx.cpu())) {
            Output::Port(index) => Verdict::forward(packet, Port { direction, index }),
            Output::Drop => Verdict::drop(packet, DropReason::Filtered),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let kind = Kind::of(key);
        if kind.is_some() || key.starts_with("rule.") {
            let text = core::str::from_utf8(value);
            let text = text.map_err(|_| fail!(EINVAL, "{key}: not a text"))?.trim();
            let (edit, of) = Edit::of(key);
            let number = rule::number_of(of);
            let number =
                number.ok_or_else(|| fail!(EINVAL, "{key}: numbers are from 0 to 65535"))?;
            return match kind {
                None => self.set_rule(key, number, text, process),
                Some(kind) => self.set_list(key, (kind, number), edit, text),
            };
        }
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        let next = self.with(self.copy()?, self.copy_lists()?)?;
        Ok(Self { config, ..next })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let sum = |what: &dyn Fn(&Counts) -> u64| self.sum(what);
        to.put(
            "unmatched",
            format_args!("{}", sum(&|counts| counts.unmatched.get())),
        );
        to.put(
            "malformed",
            format_args!("{}", sum(&|counts| counts.malformed.get())),
        );
        self.config.put(to);
        for list in &self.lists {
            with_key(list.kind.name(), list.number, "", |key| {
                to.put_list(key, &**list);
            });
        }
        for entry in &self.entries {
            let packets = self.total(entry.seat).wrapping_sub(entry.base);
            with_key("rule", entry.number, "", |key| {
                let shown = Shown(&entry.rule, entry.filter.as_deref());
                to.put_config(key, format_args!("{shown}"));
            });
            with_key("rule", entry.number, ".packets", |key| {
                to.put(key, format_args!("{packets}"));
            });
        }
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        let next = old.with(self.copy()?, self.copy_lists()?)?;
        Ok(Some(Self {
            config: self.config,
            ..next
        }))
    }
}
