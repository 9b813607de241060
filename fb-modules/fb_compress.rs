// SPDX-License-Identifier: GPL-2.0

//! `compress`: compresses packets in one direction, and decompresses them in the other, by zstd. `compress/format.rs` has
//! the format. A packet that would not get shorter passes as it is.

use lana::prelude::{
    option::{Number, Size},
    *,
};

#[path = "compress/format.rs"]
mod format;

use format::{Header, Kind, Not, ADDRESSES, DATA, ETHER_TYPE, INSERTED};

block_module! {
    type: Compress,
    name: "fb_compress",
    authors: ["The LANA developers"],
    description: "LANA block: compresses packets with zstd",
    license: "GPL",
    alias: ["lana-fb-compress"],
}

words! {
    /// The direction in which packets are compressed.
    enum Way {
        Egress = "egress",
        Ingress = "ingress",
    }
}

/// The longest packet that the format has: its addresses, and what 16 bits can count.
const LONGEST: u64 = ADDRESSES as u64 + u16::MAX as u64;

options! {
    /// What can be set.
    struct Config {
        /// Direction in which packets are compressed. They are decompressed in the other
        compress: Way = Way::Egress,
        /// Level of zstd: higher ones take more time, and compress a little better
        level: Number<1, 9> = Number(1),
        /// Shorter packets pass as they are
        least: Size<64, LONGEST> = Size(128),
        /// Packets that would be longer than this when decompressed are dropped as too-big
        limit: Size<64, LONGEST> = Size(9018),
    }
}

#[derive(Zeroable)]
struct Counts {
    compressed: Count,
    plain: Count,
    bytes_in: Count,
    bytes_out: Count,
    decompressed: Count,
    passed: Count,
    corrupt: Count,
}

struct Compress {
    config: Config,
    zstd: Arc<Zstd>,
    counts: Arc<PerCpu<Counts>>,
}

fn allocate(level: u64, process: &Process) -> Result<Arc<Zstd>> {
    let zstd = Zstd::new(i32::try_from(level).unwrap_or(1), process)?;
    Ok(Arc::new(zstd, GFP_KERNEL)?)
}

impl Compress {
    fn compresses(&self, direction: Direction) -> bool {
        match self.config.compress {
            Way::Egress => direction == Direction::Egress,
            Way::Ingress => direction == Direction::Ingress,
        }
    }

    /// Compresses a packet that is no super-packet, and has no tag beside it.
    fn pack<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Result<(), DropReason> {
        let counts = self.counts.this(cx.cpu());
        let before = packet.len();
        counts.bytes_in.add(before.into());
        match self.squeeze(packet, cx)? {
            true => counts.compressed.add(1),
            false => counts.plain.add(1),
        }
        counts.bytes_out.add(packet.len().into());
        Ok(())
    }

    /// Whether it has been compressed.
    fn squeeze<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Result<bool, DropReason> {
        let len = packet.len();
        let head = packet.header(len.min(DATA as u32)).unwrap_or_default();
        let is_packed = head
            .get(ADDRESSES..)
            .and_then(|rest| rest.first_chunk())
            .is_some_and(|ether_type| u16::from_be_bytes(*ether_type) == ETHER_TYPE);
        if is_packed {
            return self.store(packet).map(|()| false);
        }
        if u64::from(len) < self.config.least.0 || u64::from(len) > self.config.limit.0 {
            return Ok(false);
        }
        let Some(bytes) = packet.header_mut(len) else {
            return Err(DropReason::NoMemory);
        };
        // It is to be shorter by one byte at least.
        let end = bytes.len();
        let room = DATA..end.saturating_sub(1);
        let done = self.zstd.compress(bytes, ADDRESSES..end, room, cx.cpu());
        let Some(done) = done else {
            return Ok(false);
        };
        let original = end.saturating_sub(ADDRESSES);
        let header = Header {
            kind: Kind::Zstd,
            original: original as u16,
            length: done as u16,
        };
        let shorter = done.saturating_add(DATA) as u32;
        let written = packet.replace(ADDRESSES as u32, &header.bytes(), &[]);
        if !written || !packet.resize(shorter) {
            return Err(DropReason::NoMemory);
        }
        packet.renew();
        Ok(true)
    }

    /// Puts a header in front of what has one already.
    fn store<P: Packet>(&self, packet: &mut P) -> Result<(), DropReason> {
        let original = packet.len().saturating_sub(ADDRESSES as u32);
        let Ok(original) = u16::try_from(original) else {
            return Err(DropReason::TooBig);
        };
        let header = Header {
            kind: Kind::Stored,
            original,
            length: original,
        };
        let inserted = packet.insert(ADDRESSES as u32, INSERTED as u32);
        if !inserted || !packet.replace(ADDRESSES as u32, &header.bytes(), &[]) {
            return Err(DropReason::NoMemory);
        }
        Ok(())
    }

    /// The header of a packet that is to be decompressed; none where it passes as it is.
    fn look<P: Packet>(&self, packet: &mut P) -> Result<Option<Header>, DropReason> {
        // A tag beside it is outside of all, so that is no compressed packet, as it would be none with the tag in it.
        if packet.vlan().is_some() {
            return Ok(None);
        }
        let len = packet.len();
        let head = packet.header(len.min(DATA as u32)).unwrap_or_default();
        match Header::read(head, len as usize) {
            Ok(header) if self.longest() < whole(&header) => Err(DropReason::TooBig),
            Ok(header) if !packet.is_super() => Ok(Some(header)),
            Err(Not::Plain) => Ok(None),
            _ => Err(DropReason::Malformed),
        }
    }

    fn longest(&self) -> u32 {
        self.config.limit.0 as u32
    }

    /// Decompresses a packet.
    fn unpack<P: Packet>(
        &self,
        packet: &mut P,
        header: &Header,
        cx: &Context<'_>,
    ) -> Result<(), DropReason> {
        let counts = self.counts.this(cx.cpu());
        let whole = whole(header);
        if header.kind == Kind::Stored {
            if !packet.remove(ADDRESSES as u32, INSERTED as u32) || !packet.resize(whole) {
                return Err(DropReason::NoMemory);
            }
        } else {
            let longer = whole.max(packet.len());
            let bytes = match packet.resize(longer) {
                true => packet.header_mut(longer),
                false => None,
            };
            let bytes = bytes.ok_or(DropReason::NoMemory)?;
            let data = DATA..DATA.saturating_add(header.length.into());
            let to = ADDRESSES..whole as usize;
            let done = self.zstd.decompress(bytes, data, to, cx.cpu());
            if done != Some(header.original.into()) {
                counts.corrupt.add(1);
                return Err(DropReason::Malformed);
            }
            if !packet.resize(whole) {
                return Err(DropReason::NoMemory);
            }
        }
        packet.renew();
        counts.decompressed.add(1);
        Ok(())
    }

    fn with(&self, config: Config, zstd: Arc<Zstd>) -> Self {
        Self {
            config,
            zstd,
            counts: self.counts.clone(),
        }
    }
}

/// How long a packet is when it is decompressed.
fn whole(header: &Header) -> u32 {
    u32::from(header.original).saturating_add(ADDRESSES as u32)
}

fn go_on<P: Packet>(packet: P, done: Result<(), DropReason>, cx: &Context<'_>) -> Verdict<P> {
    match done {
        Ok(()) => cx.pass(packet),
        Err(reason) => Verdict::drop(packet, reason),
    }
}

impl Block for Compress {
    const TYPE: &'static str = "compress";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        if !Zstd::is_there() {
            pr_err!("compress: this kernel has no zstd library (CONFIG_ZSTD_COMPRESS)\n");
            return Err(EOPNOTSUPP);
        }
        let config = Config::DEFAULT;
        Ok(Self {
            config,
            zstd: allocate(config.level.0, args.process())?,
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if self.compresses(cx.direction()) {
            // Room for a header, where it is to be stored.
            if has_room(&mut packet, INSERTED as u32) {
                let done = self.pack(&mut packet, cx);
                return go_on(packet, done, cx);
            }
            return packet.with_skb(cx, |skb, cx| {
                skb.change_parts(cx, |part, cx| self.pack(part, cx))
            });
        }
        let header = match self.look(&mut packet) {
            Ok(Some(header)) => header,
            Ok(None) => {
                self.counts.this(cx.cpu()).passed.add(1);
                return cx.pass(packet);
            }
            Err(reason) => return Verdict::drop(packet, reason),
        };
        let more = whole(&header).saturating_sub(packet.len());
        if has_room(&mut packet, more) {
            let done = self.unpack(&mut packet, &header, cx);
            return go_on(packet, done, cx);
        }
        packet.with_skb(cx, |mut skb, cx| {
            let done = self.unpack(&mut skb, &header, cx);
            go_on(skb, done, cx)
        })
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        let zstd = match config.level == self.config.level {
            true => self.zstd.clone(),
            false => allocate(config.level.0, process)?,
        };
        Ok(self.with(config, zstd))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let sum = |part: fn(&Counts) -> &Count| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts).get());
            parts.fold(0, u64::wrapping_add)
        };
        let (before, after) = (sum(|c| &c.bytes_in), sum(|c| &c.bytes_out));
        to.put("compressed", format_args!("{}", sum(|c| &c.compressed)));
        to.put("plain", format_args!("{}", sum(|c| &c.plain)));
        to.put("bytes-in", format_args!("{before}"));
        to.put("bytes-out", format_args!("{after}"));
        // In hundredths; 1.00 where nothing has come.
        let ratio = before.saturating_mul(100).checked_div(after).unwrap_or(100);
        to.put("ratio", format_args!("{}.{:02}", ratio / 100, ratio % 100));
        to.put("decompressed", format_args!("{}", sum(|c| &c.decompressed)));
        to.put("passed", format_args!("{}", sum(|c| &c.passed)));
        to.put("corrupt", format_args!("{}", sum(|c| &c.corrupt)));
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(old.with(self.config, self.zstd.clone())))
    }
}
