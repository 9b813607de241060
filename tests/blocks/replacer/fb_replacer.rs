// SPDX-License-Identifier: GPL-2.0

//! `replacer`: changes packets as a test says, by the calls that keep checksums right, and counts what is known
//! of their checksums. The option `do` is a list of, separated by `;`:
//!
//! - `OFFSET HEX [KIND AT]...`: replaces bytes; the KIND of a checksum is `c` (covers them), `p` (they are in
//!   its pseudo-header), or the same in capitals where 0 is none
//! - `complete`: fills a checksum in
//! - `resize LENGTH`
//! - `header LENGTH`: looks at as many bytes, in all ways that there are

use lana::prelude::*;

block_module! {
    type: Replacer,
    name: "fb_replacer",
    authors: ["The LANA developers"],
    description: "LANA block of the tests: changes packets",
    license: "GPL",
    alias: ["lana-fb-replacer"],
}

/// What came, by what was known of its checksum; what could not be done; sums of devices that were wrong
/// afterwards.
#[derive(Zeroable)]
struct Seen {
    none: Count,
    unnecessary: Count,
    complete: Count,
    partial: Count,
    failed: Count,
    wrong: Count,
}

enum Op {
    Replace(u32, KVec<u8>, KVec<Sum>),
    Complete,
    Resize(u32),
    Header(u32),
}

impl Op {
    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next();
        let number = |text: Option<&str>| {
            let text = text.ok_or(EINVAL)?;
            text.parse::<u32>().map_err(|_| EINVAL)
        };
        match word() {
            Some("complete") => return Ok(Self::Complete),
            Some("resize") => return Ok(Self::Resize(number(word())?)),
            Some("header") => return Ok(Self::Header(number(word())?)),
            first => {
                let offset = number(first)?;
                let hex = word().ok_or(EINVAL)?;
                let (mut bytes, mut sums) = (KVec::new(), KVec::new());
                for at in (0..hex.len()).step_by(2) {
                    let byte = hex.get(at..).and_then(|rest| rest.get(..2)).ok_or(EINVAL)?;
                    let byte = u8::from_str_radix(byte, 16).map_err(|_| EINVAL)?;
                    bytes.push(byte, GFP_KERNEL)?;
                }
                while let Some(kind) = word() {
                    let at = number(word())?;
                    let sum = match kind {
                        "c" => Sum::covering(at),
                        "C" => Sum::covering(at).optional(),
                        "p" => Sum::of_pseudo_header(at),
                        "P" => Sum::of_pseudo_header(at).optional(),
                        _ => return Err(EINVAL),
                    };
                    sums.push(sum, GFP_KERNEL)?;
                }
                Ok(Self::Replace(offset, bytes, sums))
            }
        }
    }

    fn run(&self, packet: &mut impl Packet) -> bool {
        match self {
            Self::Replace(offset, bytes, sums) => packet.replace(*offset, bytes, sums),
            Self::Complete => packet.complete_checksum(),
            Self::Resize(len) => packet.resize(*len),
            Self::Header(len) => {
                packet.header(*len).is_some()
                    || packet.header_mut(*len).is_some()
                    || packet.checksum(0, *len).is_some()
                    || packet.checksum(*len, 2).is_some()
            }
        }
    }
}

struct Replacer {
    seen: Arc<PerCpu<Seen>>,
    ops: KVec<Op>,
}

impl Block for Replacer {
    const TYPE: &'static str = "replacer";
    const OPTIONS: &'static [OptionSpec] = &[OptionSpec {
        key: "do",
        values: Values::Text("operations"),
        default: Initial::Text(""),
        doc: "What is done to each packet",
    }];

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            seen: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
            ops: KVec::new(),
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let seen = self.seen.this(cx.cpu());
        match packet.summed() {
            Summed::None => seen.none.add(1),
            Summed::Unnecessary => seen.unnecessary.add(1),
            Summed::Complete(_) => seen.complete.add(1),
            Summed::Partial => seen.partial.add(1),
        }
        for op in &self.ops {
            if !op.run(&mut packet) {
                seen.failed.add(1);
            }
        }
        if let Summed::Complete(sum) = packet.summed() {
            // Of the two zeros either will do.
            let right = packet.checksum(0, packet.len()).unwrap_or(!sum);
            if right != sum && (right, sum) != (0, 0xffff) && (right, sum) != (0xffff, 0) {
                seen.wrong.add(1);
            }
        }
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        if key != "do" {
            return Err(Self::unknown(key));
        }
        let text = core::str::from_utf8(value).unwrap_or_default();
        let mut ops = KVec::new();
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let op = Op::parse(part).map_err(|_| fail!(EINVAL, "do: what is '{part}'?"))?;
            ops.push(op, GFP_KERNEL)?;
        }
        Ok(Self {
            seen: self.seen.clone(),
            ops,
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let sum = |of: fn(&Seen) -> &Count| {
            let each = self.seen.iter().map(|(_, seen)| of(seen).get());
            each.fold(0, u64::wrapping_add)
        };
        let mut put = |name, count| to.put(name, format_args!("{count}"));
        put("none", sum(|seen| &seen.none));
        put("unnecessary", sum(|seen| &seen.unnecessary));
        put("complete", sum(|seen| &seen.complete));
        put("partial", sum(|seen| &seen.partial));
        put("failed", sum(|seen| &seen.failed));
        put("wrong", sum(|seen| &seen.wrong));
    }
}
