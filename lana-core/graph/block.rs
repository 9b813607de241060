// SPDX-License-Identifier: GPL-2.0

//! What the author of a block sees: the [`Block`] trait and the verdicts a handler can give.
//!
//! A module of a block consists of a type that implements [`Block`] and of
//! [`block_module!`](crate::block_module). See `Documentation/writing-blocks.md`.

use super::notifier::Event;
use crate::{
    base::{error::Failure, option::OptionSpec},
    fail,
    packet::{
        batch::Batch,
        engine::Context,
        entrance::Ppe,
        hold::{HoldQueue, Place},
        skb_or_frame::Packet,
        verdict::{Unclaimed, Verdict},
    },
    sys::{
        bindings,
        compat::{ENOTSOCK, EOPNOTSUPP},
        context::Process,
        hold::HoldOwner,
        netdev::DeviceHandle,
        skb::Skb,
        sock::SocketHandle,
    },
};
use core::fmt;
use kernel::{prelude::*, sync::Arc};

/// The failure to set an option that a type does not have.
pub(crate) fn no_option(kind: &str, options: &[OptionSpec], key: &str) -> Failure {
    if options.is_empty() {
        return fail!(ENOENT, "type {kind} has no option '{key}': it has none");
    }
    let all = fail!(
        ENOENT,
        "type {kind} has no option '{key}': it has {}",
        Keys(options)
    );
    if all.is_cut() {
        return fail!(ENOENT, "type {kind} has no option '{key}'");
    }
    all
}

/// The keys of options, as a list.
struct Keys<'a>(&'a [OptionSpec]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for option in self.0 {
            write!(f, "{comma}{}", option.key)?;
            comma = ", ";
        }
        Ok(())
    }
}

/// What a type of block does with packets; `mode` of the netlink specification.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// Brings packets into the graph.
    Source = bindings::LANA_MODE_SOURCE,
    /// Takes packets out of the graph.
    Sink = bindings::LANA_MODE_SINK,
    /// Takes packets and passes them on.
    Dual = bindings::LANA_MODE_DUAL,
}

/// What the blocks of a type are made by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Somebody asks for one.
    Request,
    /// The vlink subsystem of this name, for a device that is hooked.
    Device(&'static str),
    /// The vlink subsystem of this name, together with a virtual device. One type can be.
    VirtualDevice(&'static str),
    /// A program that opens a socket. One type can be.
    Socket,
}

/// What an egress port leads to.
pub struct Peer<'a> {
    /// The block it is bound to, by its number, which stays when that is replaced.
    pub idp: u32,
    /// The same by its name.
    pub name: &'a str,
    /// Packets that leave by the port can come to an end: a device that is up and has a carrier, a
    /// socket, or a block that keeps them.
    pub up: bool,
    /// The speed of that device in Mbit/s; 0 where it is not known.
    pub speed: u32,
    /// Its Ethernet address; none where there is no device.
    pub address: Option<[u8; 6]>,
    /// The longest network packet that the device takes, in bytes; `u32::MAX` where there is no device.
    pub mtu: u32,
    /// The number of the device in its namespace; none where there is no device.
    pub device_index: Option<u32>,
    /// The device, for a [`NextHop`](crate::prelude::NextHop) on its link.
    pub device: Option<&'a DeviceHandle>,
}

/// The file `/proc/net/lana/fblock/<name>` of a block.
#[derive(Clone, Copy)]
pub enum File {
    /// There is none.
    None,
    /// Reading prints what [`Block::print`] does.
    Read,
    /// The same; writing sets the option of this name.
    Option(&'static str),
}

/// What the beginning of a text is worth that is written to a block's file, in pieces of any size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is no value yet. Where nothing follows, the option stays as it is.
    Partial,
    /// It is a value, and may be the beginning of a longer one. It is set when the file is closed.
    Possible,
    /// It is a value that nothing can be added to. It is set at once.
    Complete,
}

/// What a block is made from.
pub struct Args {
    device: Option<DeviceHandle>,
    socket: Option<SocketHandle>,
    process: Process,
    pub(super) holds: KVec<Arc<HoldOwner<Ppe>>>,
}

impl Args {
    pub(crate) fn new(device: Option<DeviceHandle>, socket: Option<SocketHandle>) -> Self {
        Self {
            device,
            socket,
            process: Process::new(),
            holds: KVec::new(),
        }
    }

    /// How many hold queues a block can have.
    pub const HOLD_QUEUES: usize = 8;

    /// A queue for packets that wait in the block, with room for none yet. It belongs to the state of the block: so
    /// packets stay in it when the block is set or replaced. They are freed when the block is removed, and with its
    /// namespace. `E2BIG` for more than [`Args::HOLD_QUEUES`]. Sleeps.
    pub fn hold_queue(&mut self) -> Result<HoldQueue> {
        if self.holds.len() >= Self::HOLD_QUEUES {
            return Err(E2BIG);
        }
        let owner = HoldOwner::new(&self.process)?;
        let queue = HoldQueue::new(owner.hold().clone());
        let owner = Arc::new(owner, GFP_KERNEL)?;
        self.holds.push(owner, GFP_KERNEL)?;
        Ok(queue)
    }

    /// Evidence of process context, which blocks are made in.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The device that the block is to stand for; only blocks of a vlink subsystem get one. The handle is
    /// good until the device goes, however long the block keeps it.
    pub fn device(&self) -> Result<DeviceHandle> {
        self.device.clone().ok_or(ENODEV)
    }

    /// The socket that the block is to stand for; only blocks that a socket makes get one. The handle is
    /// good until the socket is closed.
    pub fn socket(&self) -> Result<SocketHandle> {
        self.socket.clone().ok_or(ENOTSOCK)
    }
}

/// Takes what a block has to say of itself, as keys and values.
pub trait Options {
    /// Something that only shows: a counter, a result.
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>);

    /// A part of the configuration: setting this option to this value, for all that there are,
    /// makes a new block of the type like this one.
    fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>);

    /// The same, where the value is a list of any length. Readers get a long one in parts.
    fn put_list(&mut self, key: &str, list: &dyn Elements) {
        self.put_config(key, format_args!("{}", Whole(list)));
    }
}

/// The value of an option that is a list: its text is that of each element, with a comma between two.
pub trait Elements {
    /// How many there are.
    fn count(&self) -> usize;
    /// How many bytes the text has.
    fn size(&self) -> usize;
    /// Writes the text of one, by its number.
    fn write(&self, number: usize, to: &mut dyn fmt::Write) -> fmt::Result;

    /// Finds the size, by writing all of the text. A list keeps it, as it is asked for whenever the block is shown.
    fn measure(&self) -> usize {
        let mut length = Length(0);
        for number in 0..self.count() {
            // Counting does not fail.
            let _ = self.write(number, &mut length);
        }
        let commas = self.count().saturating_sub(1);
        length.0.saturating_add(commas)
    }
}

/// How long a text is, in bytes.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// All of a list.
pub(crate) struct Whole<'a>(pub(crate) &'a dyn Elements);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for number in 0..self.0.count() {
            if number > 0 {
                f.write_str(",")?;
            }
            self.0.write(number, f)?;
        }
        Ok(())
    }
}

/// A type of functional block.
///
/// A block's configuration does not change: setting an option makes another block that takes its
/// place, for all packets at once, together with whatever else changes. What is to be carried over
/// (its state) stands behind an [`Arc`](kernel::sync::Arc) that both have. The block is shared
/// among all CPUs, so what changes in its state is per CPU ([`PerCpu`]), atomic or behind a spin
/// lock.
///
/// [`PerCpu`]: crate::sys::percpu::PerCpu
pub trait Block: Send + Sync + Sized + 'static {
    /// Name of the type. The module has the alias `lana-fb-<name>`.
    const TYPE: &'static str;
    /// What it does with packets.
    const MODE: Mode = Mode::Dual;
    /// How many blocks can be bound on top of one, which are its ingress ports.
    const INGRESS_PORTS: u32 = 1;
    /// How many blocks one can be bound on top of, which are its egress ports.
    const EGRESS_PORTS: u32 = 1;
    /// What its blocks are made by.
    const MAKER: Maker = Maker::Request;
    /// Its file in procfs.
    const FILE: File = File::None;
    /// Its options. [`Block::set`] is asked for no other.
    const OPTIONS: &'static [OptionSpec] = &[];

    /// Whether its blocks are told by [`Block::ports`] what their ports lead to.
    const WATCHES_PORTS: bool = false;

    /// Whether its blocks have something to tell: [`Block::notices`].
    const NOTIFIES: bool = false;

    /// Whether its blocks hold packets or want to be woken: [`HoldQueue`].
    const HOLDS: bool = false;

    /// Makes a block. Process context, may sleep; the graph's lock is held, and RTNL for a device.
    fn new(args: &mut Args) -> Result<Self>;

    /// Takes a packet. Softirq context (or bottom halves off), in an RCU read-side section: must
    /// not sleep. May run on all CPUs at once.
    ///
    /// A [`Verdict`] can only be had by giving the packet away, so none is forgotten.
    ///
    /// It is compiled for each of what carries packets: for skbs, and for the frames of drivers that are entered
    /// before an skb is made for them.
    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P>;

    /// Takes packets that are here together: those that a device has received, where it collects
    /// them. Context as for `receive`. For blocks that can do something once for all of them; it has
    /// to come to the same as `receive` for each of them in turn, which is what others do.
    fn receive_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        batch.each(cx, |packet, cx| self.receive(packet, cx));
    }

    /// Lets a packet go on that was in one of its [`HoldQueue`]s, when its time has come: the way it came, by the first
    /// port, unless a block says otherwise. Context as for `receive`. Where another block has taken the place of
    /// that which had the packet wait, that one is asked.
    fn release(&self, packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        cx.pass(packet)
    }

    /// The time has come at which it wanted to be woken: [`HoldQueue::wake_at`]. It may let packets leave by
    /// [`Context::emit`]. Context as for `receive`.
    fn wake(&self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Sets one of [`Block::OPTIONS`]: makes the block that takes this one's place, with the same state. An empty
    /// value is for what a new block has. Process context, may sleep; the graph's lock is held.
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let _ = (value, process);
        Err(Self::unknown(key))
    }

    /// Judges what has been written so far to a file that sets an option ([`File::Option`]); a
    /// program may write one value by many calls. A failure says that nothing could make a value of
    /// it. Process context, may sleep.
    fn progress(text: &[u8]) -> Result<Progress, Failure> {
        let _ = text;
        Ok(Progress::Possible)
    }

    /// Shows the options. Process context, may sleep; the graph's lock is held.
    fn options(&self, to: &mut dyn Options, process: &Process) {
        let _ = (to, process);
    }

    /// What becomes of what its device receives and no block takes. Process context, may sleep; the
    /// graph's lock is held.
    fn unclaimed(&self) -> Unclaimed {
        Unclaimed::Drop
    }

    /// Whether what its device receives goes through the graph in batches. Process context, may sleep;
    /// the graph's lock is held.
    fn batch(&self) -> bool {
        false
    }

    /// Hears what the egress ports lead to, in the order of their numbers, with each change of the
    /// graph and of the devices below: makes the block that goes with these, which takes effect in
    /// one step with the change; `None` where it is this one. Process context, may sleep; the graph's
    /// lock is held.
    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<Self>, Failure> {
        let _ = (egress, process);
        Ok(None)
    }

    /// Whether the block uses an egress port, for who watches its ports: where that changes, the events
    /// [`Kind::PortUp`](super::notifier::Kind::PortUp) and `PortDown` tell. `None` tells nothing. Process context; the
    /// graph's lock is held.
    fn uses(&self, port: u16) -> Option<bool> {
        let _ = port;
        None
    }

    /// Makes the block that takes this one's place when it replaces `old`: with its own
    /// configuration, and the very state of `old`, so that what packets do to that meanwhile is
    /// not lost. `None` where blocks of the type have no state. Process context, may sleep; the
    /// graph's lock is held.
    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        let _ = (old, process);
        Ok(None)
    }

    /// Tells the state to a block of another type that replaces this one; a block without state
    /// tells nothing. Process context, may sleep; the graph's lock is held.
    fn export(&self, to: &mut dyn Options, process: &Process) {
        let _ = (to, process);
    }

    /// Takes a piece of the state that a block of another type exports: makes the block that has
    /// it, to take this one's place. Process context, may sleep; the graph's lock is held.
    fn import(&self, key: &str, value: &str, process: &Process) -> Result<Self, Failure> {
        let _ = (value, process);
        Err(Self::no_import(key))
    }

    /// Prints what its file in procfs shows. Process context, may sleep.
    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result {
        let _ = (to, process);
        Ok(())
    }

    /// Prints the part of its file that begins at `from`. The first part begins at 0. Returns where the next part begins:
    /// at a larger number, up to `i64::MAX`; `None` after the last part. A block whose file can be long has this in place
    /// of [`Block::print`]: the kernel keeps one part at a time, so a part should have a few kilobytes. There is no lock
    /// between two parts, and another block may have the name by then, even one of another type. A part may be asked for
    /// again. An error means lack of memory. Process context, may sleep.
    fn print_part(
        &self,
        from: u64,
        to: &mut dyn fmt::Write,
        process: &Process,
    ) -> Result<Option<u64>, fmt::Error> {
        if from == 0 {
            self.print(to, process)?;
        }
        Ok(None)
    }

    /// Gets an event of a block it is bound or subscribed to. Process context, may sleep; the
    /// graph's lock is held.
    fn event(&self, event: &Event, process: &Process) {
        let _ = (event, process);
    }

    /// Tells what has happened to it since the last call, if anything: each text, of up to 255 bytes, is an event
    /// [`Kind::Notice`](super::notifier::Kind::Notice) of the block, which goes where the core's own events go. Called soon
    /// after [`Context::notify`], ten times a second at most, for blocks of types that [`Block::NOTIFIES`] says it of.
    /// Process context, may sleep; the graph's lock is held.
    fn notices(&self, tell: &mut dyn FnMut(fmt::Arguments<'_>), process: &Process) {
        let _ = (tell, process);
    }

    /// Told where it stands, after each change that concerns it: for [`HoldQueue::stand`]. Only with [`Block::HOLDS`].
    /// Process context; the graph's lock is held.
    fn placed(&self, place: &Place<'_>) {
        let _ = place;
    }

    /// The failure to set an option that the type does not have.
    fn unknown(key: &str) -> Failure {
        no_option(Self::TYPE, Self::OPTIONS, key)
    }

    /// The failure to take over a piece of state that the type has no use for.
    fn no_import(key: &str) -> Failure {
        let kind = Self::TYPE;
        fail!(
            EOPNOTSUPP,
            "type {kind} takes over no '{key}' (drop-state drops it)"
        )
    }
}

/// Makes a kernel module that offers a type of block: `module!` of the kernel crate, with a type
/// that implements [`Block`] as `type`. With [`Maker::Socket`], `family` names the `i32` among its
/// parameters that has the number of the address family.
#[macro_export]
macro_rules! block_module {
    (type: $block:ty, family: $family:ident, $($info:tt)*) => {
        $crate::block_module! { @ $block, Some(&module_parameters::$family), $($info)* }
    };
    (type: $block:ty, $($info:tt)*) => {
        $crate::block_module! { @ $block, None, $($info)* }
    };
    (@ $block:ty, $family:expr, $($info:tt)*) => {
        struct BlockModule;

        impl ::kernel::Module for BlockModule {
            fn init(module: &'static ::kernel::ThisModule) -> ::kernel::error::Result<Self> {
                $crate::glue::register::<$block>(module, $family)?;
                Ok(Self)
            }
        }

        ::kernel::prelude::module! { type: BlockModule, $($info)* }
    };
}
