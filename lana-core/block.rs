// SPDX-License-Identifier: GPL-2.0

//! What the author of a block sees: the [`Block`] trait and the verdicts a handler can give.
//!
//! A module of a block consists of a type that implements [`Block`] and of
//! [`block_module!`](crate::block_module). See `Documentation/writing-blocks.md`.

use crate::{
    engine::{Context, Direction, Port},
    error::Failure,
    fail,
    notifier::Event,
    stats::DropReason,
    sys::{netdev::Device, skb::Packet},
};
use core::fmt;
use kernel::{prelude::*, types::NotThreadSafe};

/// What a type of block does with packets; `mode` of the netlink specification.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// Brings packets into the graph.
    Source = crate::sys::bindings::LANA_MODE_SOURCE,
    /// Takes packets out of the graph.
    Sink = crate::sys::bindings::LANA_MODE_SINK,
    /// Takes packets and passes them on.
    Dual = crate::sys::bindings::LANA_MODE_DUAL,
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

/// Evidence of process context: what sleeps asks for it, so that no packet handler can do it.
pub struct Process(NotThreadSafe);

impl Process {
    /// Made by the control side, which runs in process context.
    pub(crate) fn new() -> Self {
        Self(NotThreadSafe)
    }
}

/// What a block is made from.
pub struct Args {
    pub(crate) device: Option<Device>,
}

impl Args {
    /// The device that the block is to stand for; only blocks of a vlink subsystem get one.
    pub fn device(&mut self) -> Result<Device> {
        self.device.take().ok_or(ENODEV)
    }
}

/// Takes the options of a block, to show them.
pub trait Options {
    /// One option.
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>);
}

/// A type of functional block.
///
/// The block is shared among all CPUs, so what changes in it is per CPU ([`PerCpu`]), replaced
/// under RCU ([`RcuCell`]) or behind a spin lock.
///
/// [`PerCpu`]: crate::sys::percpu::PerCpu
/// [`RcuCell`]: crate::sys::rcu::RcuCell
pub trait Block: Send + Sync + Sized + 'static {
    /// Name of the type. The module has the alias `lana-fb-<name>`.
    const TYPE: &'static str;
    /// What it does with packets.
    const MODE: Mode = Mode::Dual;
    /// How many blocks can be bound on top of one, which are its ingress ports.
    const INGRESS_PORTS: u32 = 1;
    /// How many blocks one can be bound on top of, which are its egress ports.
    const EGRESS_PORTS: u32 = 1;
    /// The vlink subsystem that makes blocks of this type from devices, if one does.
    const VLINK: Option<&'static str> = None;
    /// Its file in procfs.
    const FILE: File = File::None;

    /// Makes a block. Process context, may sleep; the graph's lock is held, and RTNL for a device.
    fn new(args: &mut Args) -> impl PinInit<Self, Error>;

    /// Takes a packet. Softirq context (or bottom halves off), in an RCU read-side section: must
    /// not sleep. May run on all CPUs at once.
    ///
    /// A [`Verdict`] can only be had by giving the packet away, so none is forgotten.
    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict;

    /// Sets an option. Process context, may sleep; the graph's lock is held. On failure, all is
    /// as before.
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<(), Failure> {
        let _ = (value, process);
        Err(Self::unknown(key))
    }

    /// Shows the options. Process context, may sleep; the graph's lock is held.
    fn options(&self, to: &mut dyn Options, process: &Process) {
        let _ = (to, process);
    }

    /// Prints what its file in procfs shows. Process context, may sleep.
    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result {
        let _ = (to, process);
        Ok(())
    }

    /// Gets an event of a block it is bound or subscribed to. Process context, may sleep; the
    /// graph's lock is held.
    fn event(&self, event: &Event<'_>, process: &Process) {
        let _ = (event, process);
    }

    /// The failure to set an option that the type does not have.
    fn unknown(key: &str) -> Failure {
        fail!(ENOENT, "type {} has no option '{}'", Self::TYPE, key)
    }
}

/// A block of whichever type, as the control side sees it.
pub(crate) trait Object: Send + Sync {
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<(), Failure>;
    fn options(&self, to: &mut dyn Options, process: &Process);
    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result;
    fn event(&self, event: &Event<'_>, process: &Process);
}

impl<B: Block> Object for B {
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<(), Failure> {
        Block::set(self, key, value, process)
    }
    fn options(&self, to: &mut dyn Options, process: &Process) {
        Block::options(self, to, process);
    }
    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result {
        Block::print(self, to, process)
    }
    fn event(&self, event: &Event<'_>, process: &Process) {
        Block::event(self, event, process);
    }
}

/// What a handler has done with its packet. Small enough for two registers.
#[must_use]
pub struct Verdict {
    packet: Option<Packet>,
    code: u32,
}

/// What the engine makes of a [`Verdict`].
pub(crate) enum Decision {
    Forward(Packet, Port),
    Drop(Option<Packet>, DropReason),
    Consumed,
}

impl Verdict {
    const EGRESS: u32 = 1 << 31;
    const ENDED: u32 = 1 << 30;
    const CONSUMED: u32 = u32::MAX;

    /// The packet leaves by a port.
    #[inline]
    pub fn forward(packet: Packet, port: Port) -> Self {
        let direction = match port.direction {
            Direction::Ingress => 0,
            Direction::Egress => Self::EGRESS,
        };
        Self {
            packet: Some(packet),
            code: direction | u32::from(port.index),
        }
    }

    /// The packet is dropped, and counted under the reason.
    #[inline]
    pub fn drop(packet: Packet, reason: DropReason) -> Self {
        Self {
            packet: Some(packet),
            code: Self::ENDED | reason as u32,
        }
    }

    /// The packet was given to somebody who dropped it.
    #[inline]
    pub(crate) fn lost(reason: DropReason) -> Self {
        Self {
            packet: None,
            code: Self::ENDED | reason as u32,
        }
    }

    /// The packet has arrived somewhere.
    #[inline]
    pub(crate) fn consumed() -> Self {
        Self {
            packet: None,
            code: Self::CONSUMED,
        }
    }

    #[inline]
    pub(crate) fn decide(self) -> Decision {
        match self.packet {
            Some(packet) if self.code & Self::ENDED == 0 => {
                let direction = if self.code & Self::EGRESS == 0 {
                    Direction::Ingress
                } else {
                    Direction::Egress
                };
                let index = self.code as u16;
                Decision::Forward(packet, Port { direction, index })
            }
            None if self.code == Self::CONSUMED => Decision::Consumed,
            packet => Decision::Drop(packet, DropReason::from_wire(self.code & !Self::ENDED)),
        }
    }
}

/// Makes a kernel module that offers a type of block: `module!` of the kernel crate, with a type
/// that implements [`Block`] as `type`.
#[macro_export]
macro_rules! block_module {
    (type: $block:ty, $($info:tt)*) => {
        struct BlockModule {
            _registration: $crate::builder::Registration,
        }

        impl ::kernel::Module for BlockModule {
            fn init(module: &'static ::kernel::ThisModule) -> ::kernel::error::Result<Self> {
                let owner = $crate::sys::module::Owner::new(module);
                Ok(Self {
                    _registration: $crate::builder::Registration::new::<$block>(owner)?,
                })
            }
        }

        ::kernel::prelude::module! { type: BlockModule, $($info)* }
    };
}
