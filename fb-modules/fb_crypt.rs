// SPDX-License-Identifier: GPL-2.0

//! `crypt`: encrypts packets in one direction, and decrypts them in the other, by AES-GCM. `crypt/format.rs` has the format,
//! and Documentation/blocks.md what it protects from.
//!
//! A key is for one direction, and no key encrypts a packet by itself. With each that is set a session begins, whose key is
//! derived from it and from the session's name: the time, and a random number. So the numbers of packets begin at 1
//! with each session, after each boot and in each block, and yet no nonce comes twice under one key.

use kernel::{
    alloc::flags::__GFP_NOWARN,
    new_spinlock,
    str::CString,
    sync::{
        atomic::{Atomic, Relaxed},
        SpinLock,
    },
};
use lana::prelude::{
    crypto::{Aead, Secret},
    *,
};

#[path = "crypt/format.rs"]
mod format;
#[path = "crypt/key.rs"]
mod key;
#[path = "crypt/window.rs"]
mod window;

use format::{Header, Not, ADDRESSES, HEADER, INSERTED, OVERHEAD, SHORTEST, TAG};
use key::Bad;
use window::Window;

block_module! {
    type: Crypt,
    name: "fb_crypt",
    authors: ["The LANA developers"],
    description: "LANA block: encrypts packets with AES-GCM",
    license: "GPL",
    alias: ["lana-fb-crypt"],
}

const TX_KEY: &str = "tx.key";
const KEY: &str = "ID:KEY, a number up to 255 and 32 or 64 hexadecimal digits";

words! {
    /// The direction in which packets are encrypted.
    enum Way {
        Egress = "egress",
        Ingress = "ingress",
    }
}

options! {
    /// What can be set, beside the keys.
    struct Config {
        ..OptionSpec::text(TX_KEY, KEY, "The key that encrypts, and its number. No packet leaves without one"),
        ..OptionSpec::text(
            "rx.N.key",
            "32 or 64 hexadecimal digits",
            "The key with number N that decrypts. There can be four. An empty value removes it",
        ),
        /// Direction in which packets are encrypted. They are decrypted in the other
        encrypt: Way = Way::Egress,
    }
}

#[derive(Zeroable)]
struct Counts {
    encrypted: Count,
    decrypted: Count,
    no_key: Count,
    spent: Count,
    clear: Count,
    forged: Count,
    replayed: Count,
    stale: Count,
}

/// What encrypts: a session.
struct Sender {
    key: u8,
    secret: Secret,
    session: [u8; format::SESSION],
    aead: Aead,
    /// The last number that was given to a packet.
    sequence: Atomic<u64>,
}

impl Sender {
    /// Begins a session, which is later than `before`.
    fn begin(
        key: u8,
        secret: Secret,
        before: Option<&Self>,
        process: &Process,
    ) -> Result<Arc<Self>, Failure> {
        let later = before.map_or(0, |before| format::time(&before.session).saturating_add(1));
        let mut salt = [0; 8];
        crypto::random(&mut salt, process)?;
        let session = format::session(time::real().max(later), salt);
        let derived = secret.derive(&format::label(key, &session))?;
        let sender = Self {
            key,
            secret,
            session,
            aead: Aead::new(&derived, process).ok_or(ENOMEM)?,
            sequence: Atomic::new(0),
        };
        Ok(Arc::new(sender, GFP_KERNEL)?)
    }

    /// The number of the next packet; none when the session has had as many as it may.
    fn next(&self) -> Option<u64> {
        format::number(self.sequence.fetch_add(1, Relaxed))
    }
}

/// The session of a peer.
struct Session {
    name: [u8; format::SESSION],
    aead: Aead,
}

/// The latest session of a peer from which an authentic packet has come, and which packets of it have.
struct Latest {
    session: Arc<Session>,
    window: Window,
}

/// What decrypts: a key, whose sender begins sessions as it likes.
#[pin_data]
struct Receiver {
    key: u8,
    /// What its option is called.
    name: CString,
    secret: Secret,
    #[pin]
    latest: SpinLock<Option<Latest>>,
}

impl Receiver {
    fn new(key: u8, secret: Secret) -> Result<Arc<Self>> {
        let name = CString::try_from_fmt(fmt!("rx.{key}.key"))?;
        let receiver = pin_init!(Self {
            key,
            name,
            secret,
            latest <- new_spinlock!(None, "Crypt::latest"),
        });
        Arc::pin_init(receiver, GFP_KERNEL)
    }

    /// The session that a packet says it is of, if it may come. It may be a new one, as nothing of it is authentic yet.
    fn expect(&self, header: &Header) -> Result<Arc<Session>, Refused> {
        if let Some(latest) = &*self.latest.lock() {
            let session = &latest.session;
            if session.name == header.session {
                return match latest.window.may_come(header.sequence) {
                    true => Ok(session.clone()),
                    false => Err(Refused::Replayed),
                };
            }
            if format::time(&header.session) <= format::time(&session.name) {
                return Err(Refused::Stale);
            }
        }
        if !(1..=format::LAST).contains(&header.sequence) {
            return Err(Refused::Replayed);
        }
        let derived = self
            .secret
            .derive(&format::label(self.key, &header.session));
        let derived = derived.map_err(|_| Refused::NoMemory)?;
        let session = Session {
            name: header.session,
            aead: Aead::new_atomic(&derived).ok_or(Refused::NoMemory)?,
        };
        Arc::new(session, GFP_ATOMIC | __GFP_NOWARN).map_err(|_| Refused::NoMemory)
    }

    /// A packet is authentic: that it does not come again.
    fn come(&self, header: &Header, session: Arc<Session>) -> Result<(), Refused> {
        let mut guard = self.latest.lock();
        let latest = match &mut *guard {
            // On another CPU the session may have become the latest, or one that is later still.
            Some(latest) if latest.session.name == header.session => latest,
            Some(latest) if format::time(&header.session) <= format::time(&latest.session.name) => {
                return Err(Refused::Stale);
            }
            other => other.insert(Latest {
                session,
                window: Window::new(),
            }),
        };
        match latest.window.come(header.sequence) {
            true => Ok(()),
            false => Err(Refused::Replayed),
        }
    }
}

/// Why a packet does not go on.
#[derive(Clone, Copy)]
enum Refused {
    NoKey,
    Spent,
    Clear,
    Malformed,
    Forged,
    Replayed,
    Stale,
    TooBig,
    NoMemory,
}

/// How many keys can decrypt.
const RECEIVERS: usize = 4;

struct Crypt {
    config: Config,
    sender: Option<Arc<Sender>>,
    receivers: [Option<Arc<Receiver>>; RECEIVERS],
    counts: Arc<PerCpu<Counts>>,
}

impl Crypt {
    fn encrypts(&self, direction: Direction) -> bool {
        match self.config.encrypt {
            Way::Egress => direction == Direction::Egress,
            Way::Ingress => direction == Direction::Ingress,
        }
    }

    /// Encrypts a packet that is no super-packet, has no tag beside it, and its checksum in it.
    fn seal<P: Packet>(&self, packet: &mut P) -> Result<(), Refused> {
        let Some(sender) = &self.sender else {
            return Err(Refused::NoKey);
        };
        let short = SHORTEST as u32;
        if packet.len() < short && !packet.resize(short) {
            return Err(Refused::NoMemory);
        }
        if packet.len() > Skb::LEN_MAX.saturating_sub(OVERHEAD as u32) {
            return Err(Refused::TooBig);
        }
        let all = packet.len().saturating_add(OVERHEAD as u32);
        if !packet.resize(all) {
            return Err(Refused::NoMemory);
        }
        let sequence = sender.next().ok_or(Refused::Spent)?;
        let header = Header {
            key: sender.key,
            session: sender.session,
            sequence,
        };
        // The end is room for the tag already.
        let opened = packet.resize(all.saturating_sub(INSERTED as u32))
            && packet.insert(ADDRESSES as u32, INSERTED as u32)
            && packet.replace(ADDRESSES as u32, &header.bytes(), &[]);
        let bytes = packet.header_mut(all).filter(|_| opened);
        let bytes = bytes.ok_or(Refused::NoMemory)?;
        let parts = bytes.split_at_mut_checked(HEADER);
        let Some((associated, [data @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _])) = parts
        else {
            return Err(Refused::Malformed);
        };
        let tag = sender.aead.seal(&header.nonce(), associated, data);
        let at = all.saturating_sub(TAG as u32);
        if !packet.replace(at, &tag, &[]) {
            return Err(Refused::NoMemory);
        }
        packet.renew();
        Ok(())
    }

    /// Decrypts a packet.
    fn open<P: Packet>(&self, packet: &mut P) -> Result<(), Refused> {
        // A tag beside it is outside of what is authentic.
        if packet.vlan().is_some() {
            return Err(Refused::Clear);
        }
        let len = packet.len();
        let head = packet.header(len.min(HEADER as u32));
        let head = head.ok_or(Refused::Malformed)?;
        let header = Header::read(head, len as usize).map_err(|not| match not {
            Not::Clear => Refused::Clear,
            Not::Malformed => Refused::Malformed,
        })?;
        if packet.is_super() {
            return Err(Refused::Malformed);
        }
        let mut receivers = self.receivers.iter().flatten();
        let receiver = receivers.find(|receiver| receiver.key == header.key);
        let receiver = receiver.ok_or(Refused::NoKey)?;
        let session = receiver.expect(&header)?;
        let bytes = packet.header_mut(len).ok_or(Refused::NoMemory)?;
        let parts = bytes.split_at_mut_checked(HEADER);
        let (associated, rest) = parts.ok_or(Refused::Malformed)?;
        let (data, tag) = rest.split_last_chunk_mut().ok_or(Refused::Malformed)?;
        if !session.aead.open(&header.nonce(), associated, data, tag) {
            return Err(Refused::Forged);
        }
        receiver.come(&header, session)?;
        let rest = len.saturating_sub(TAG as u32);
        if !packet.resize(rest) || !packet.remove(ADDRESSES as u32, INSERTED as u32) {
            return Err(Refused::NoMemory);
        }
        packet.renew();
        Ok(())
    }

    /// Encrypts or decrypts a packet, and counts that.
    fn change<P: Packet>(
        &self,
        packet: &mut P,
        seals: bool,
        cx: &Context<'_>,
    ) -> Result<(), DropReason> {
        let counts = self.counts.this(cx.cpu());
        let (done, count) = match seals {
            true => (self.seal(packet), &counts.encrypted),
            false => (self.open(packet), &counts.decrypted),
        };
        let count = match done {
            Ok(()) => {
                count.add(1);
                return Ok(());
            }
            Err(Refused::Malformed) => return Err(DropReason::Malformed),
            Err(Refused::TooBig) => return Err(DropReason::TooBig),
            Err(Refused::NoMemory) => return Err(DropReason::NoMemory),
            Err(Refused::NoKey) => &counts.no_key,
            Err(Refused::Spent) => &counts.spent,
            Err(Refused::Clear) => &counts.clear,
            Err(Refused::Forged) => &counts.forged,
            Err(Refused::Replayed) => &counts.replayed,
            Err(Refused::Stale) => &counts.stale,
        };
        count.add(1);
        Err(DropReason::Filtered)
    }

    /// The same block with other keys.
    fn with(&self, config: Config, sender: Option<Arc<Sender>>) -> Self {
        Self {
            config,
            sender,
            receivers: self.receivers.clone(),
            counts: self.counts.clone(),
        }
    }

    /// Reads a key, which is nowhere else afterwards.
    fn secret(key: &str, digits: &[u8], process: &Process) -> Result<Secret, Failure> {
        if !Aead::is_there() {
            let text = "this kernel has no AES-GCM library (CONFIG_CRYPTO_LIB_AES_GCM)";
            return Err(fail!(EOPNOTSUPP, "{key}: {text}"));
        }
        let mut bad = None;
        let fill = |bytes: &mut _| match key::read(digits, bytes) {
            Ok(len) => Some(len),
            Err(why) => {
                bad = Some(why);
                None
            }
        };
        let secret = Secret::new(fill, process)?;
        secret.ok_or_else(|| match bad {
            Some(Bad::Hidden) => fail!(
                EINVAL,
                "{key}: a saved graph has no keys: give the key itself"
            ),
            Some(Bad::Weak) => fail!(EINVAL, "{key}: all of its bytes are the same"),
            _ => fail!(EINVAL, "{key}: a key has 32 or 64 hexadecimal digits"),
        })
    }

    fn set_sender(&self, value: &[u8], process: &Process) -> Result<Self, Failure> {
        if value.is_empty() {
            return Ok(self.with(self.config, None));
        }
        let colon = value.iter().position(|byte| *byte == b':');
        let parts = colon.and_then(|colon| value.split_at_checked(colon));
        let (id, digits) = parts.unwrap_or((b"", value));
        let digits = digits.strip_prefix(b":").unwrap_or(digits);
        let secret = Self::secret(TX_KEY, digits, process)?;
        let id = core::str::from_utf8(id).ok().and_then(key::number);
        let id = id.ok_or_else(|| fail!(EINVAL, "{TX_KEY}: {KEY}"))?;
        let mut receivers = self.receivers.iter().flatten();
        if receivers.any(|receiver| receiver.secret == secret) {
            return Err(fail!(
                EINVAL,
                "{TX_KEY}: a key is for one direction, and this one decrypts"
            ));
        }
        let sender = Sender::begin(id, secret, self.sender.as_deref(), process)?;
        Ok(self.with(self.config, Some(sender)))
    }

    fn set_receiver(
        &self,
        key: &str,
        id: u8,
        digits: &[u8],
        process: &Process,
    ) -> Result<Self, Failure> {
        let mut next = self.with(self.config, self.sender.clone());
        let mine = |place: &&mut Option<Arc<Receiver>>| {
            place.as_ref().is_some_and(|receiver| receiver.key == id)
        };
        let place = next.receivers.iter_mut().find(mine);
        if digits.is_empty() {
            if let Some(place) = place {
                *place = None;
            }
            return Ok(next);
        }
        let secret = Self::secret(key, digits, process)?;
        if self
            .sender
            .as_ref()
            .is_some_and(|sender| sender.secret == secret)
        {
            return Err(fail!(
                EINVAL,
                "{key}: a key is for one direction, and this one encrypts"
            ));
        }
        if let Some(place) = place {
            // What came under this key does not come again.
            if place
                .as_ref()
                .is_none_or(|receiver| receiver.secret != secret)
            {
                *place = Some(Receiver::new(id, secret)?);
            }
            return Ok(next);
        }
        let free = next.receivers.iter_mut().find(|place| place.is_none());
        let free = free.ok_or_else(|| {
            fail!(
                ENOSPC,
                "{key}: there are {RECEIVERS} keys: remove one first"
            )
        })?;
        *free = Some(Receiver::new(id, secret)?);
        Ok(next)
    }
}

impl Block for Crypt {
    const TYPE: &'static str = "crypt";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            config: Config::DEFAULT,
            sender: None,
            receivers: [const { None }; RECEIVERS],
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let seals = self.encrypts(cx.direction());
        if seals && !has_room(&mut packet, OVERHEAD as u32) {
            return packet.with_skb(cx, |skb, cx| {
                skb.change_parts(cx, |part, cx| self.change(part, true, cx))
            });
        }
        match self.change(&mut packet, seals, cx) {
            Ok(()) => cx.pass(packet),
            Err(reason) => Verdict::drop(packet, reason),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let text = value.trim_ascii();
        if key == TX_KEY {
            return self.set_sender(text, process);
        }
        if let Some(id) = key
            .strip_prefix("rx.")
            .and_then(|rest| rest.strip_suffix(".key"))
        {
            let id = key::number(id).ok_or_else(|| fail!(EINVAL, "{key}: a number up to 255"))?;
            return self.set_receiver(key, id, text, process);
        }
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        Ok(self.with(config, self.sender.clone()))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts).get());
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("encrypted", |counts| &counts.encrypted);
        sum("decrypted", |counts| &counts.decrypted);
        sum("no-key", |counts| &counts.no_key);
        sum("spent", |counts| &counts.spent);
        sum("clear", |counts| &counts.clear);
        sum("forged", |counts| &counts.forged);
        sum("replayed", |counts| &counts.replayed);
        sum("stale", |counts| &counts.stale);
        let hidden = key::HIDDEN;
        if let Some(sender) = &self.sender {
            to.put("tx.id", format_args!("{}", sender.key));
            to.put_config(TX_KEY, format_args!("{hidden}"));
        }
        // In the order of their numbers, as in a file that others write.
        for id in 0..=u8::MAX {
            let mut receivers = self.receivers.iter().flatten();
            if let Some(receiver) = receivers.find(|receiver| receiver.key == id) {
                let name = receiver.name.to_str().unwrap_or_default();
                to.put_config(name, format_args!("{hidden}"));
            }
        }
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        // A key of its own wins; where it is the old one's, the session goes on.
        let sender = match (&self.sender, &old.sender) {
            (Some(own), Some(old)) if own.key == old.key && own.secret == old.secret => Some(old),
            (None, old) => old.as_ref(),
            (own, _) => own.as_ref(),
        };
        let has_own = self.receivers.iter().any(Option::is_some);
        let mut receivers = if has_own {
            &self.receivers
        } else {
            &old.receivers
        }
        .clone();
        for own in receivers.iter_mut().flatten() {
            let mut before = old.receivers.iter().flatten();
            let same = |old: &&Arc<Receiver>| old.key == own.key && old.secret == own.secret;
            if let Some(old) = before.find(same) {
                *own = old.clone();
            }
        }
        Ok(Some(Self {
            config: self.config,
            sender: sender.cloned(),
            receivers,
            counts: old.counts.clone(),
        }))
    }
}
