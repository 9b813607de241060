// SPDX-License-Identifier: GPL-2.0

//! Blocks of whichever type, as the graph has them.

use super::{
    block::{Block, Elements, Options, Peer},
    notifier::Event,
};
use crate::{
    base::error::Failure,
    fail,
    packet::{
        batch::Batch,
        engine::Context,
        entrance::Ppe,
        hold::Place,
        verdict::{Unclaimed, Verdict},
    },
    sys::{
        bindings,
        context::Process,
        frame::Frame,
        hold::Due,
        skb::Skb,
        slot::{self, Cased, PacketHandler},
    },
};
use core::{any::Any, fmt};
use kernel::{prelude::*, str::CString};

/// A reference to a block of whichever type, with its packet handlers.
pub(crate) type BlockRef = slot::BlockRef<Ppe, dyn Object>;

impl BlockRef {
    /// Gives a block an allocation of its own. Sleeps.
    pub(crate) fn of<B: Block>(block: B) -> Result<Self> {
        Self::new(block, |block| block)
    }
}

impl<B: Block> PacketHandler<Ppe> for B {
    #[inline(always)]
    fn handle(&self, packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        self.receive(packet, cx)
    }

    #[inline(always)]
    fn handle_frame(&self, packet: Frame, cx: &mut Context<'_>) -> Verdict<Frame> {
        self.receive(packet, cx)
    }

    #[inline(always)]
    fn handle_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        self.receive_batch(batch, cx);
    }

    fn handle_due(&self, due: Due, cx: &mut Context<'_>) -> Option<Verdict<Skb>> {
        match due {
            Due::Packet(held) => Some(self.release(held.packet, cx)),
            Due::Wake => {
                self.wake(cx);
                None
            }
        }
    }
}

/// A block of whichever type, as the control side sees it.
pub(crate) trait Object: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<BlockRef, Failure>;
    fn options(&self, to: &mut dyn Options, process: &Process);
    fn unclaimed(&self) -> Unclaimed;
    fn batch(&self) -> bool;
    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<BlockRef>, Failure>;
    fn uses(&self, port: u16) -> Option<bool>;
    /// This block with the state of another; none when there is none to take over.
    fn take_over(&self, old: &dyn Object, process: &Process) -> Result<Option<BlockRef>, Failure>;
    fn export(&self, to: &mut dyn Options, process: &Process);
    fn print_part(
        &self,
        from: u64,
        to: &mut dyn fmt::Write,
        process: &Process,
    ) -> Result<Option<u64>, fmt::Error>;
    fn event(&self, event: &Event, process: &Process);
    fn notices(&self, tell: &mut dyn FnMut(fmt::Arguments<'_>), process: &Process);
    fn placed(&self, place: &Place<'_>);
}

impl<B: Block> Object for Cased<Ppe, B> {
    fn as_any(&self) -> &dyn Any {
        self.block()
    }
    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<BlockRef, Failure> {
        Ok(BlockRef::of(Block::set(
            self.block(),
            key,
            value,
            process,
        )?)?)
    }
    fn options(&self, to: &mut dyn Options, process: &Process) {
        Block::options(self.block(), to, process);
    }
    fn unclaimed(&self) -> Unclaimed {
        Block::unclaimed(self.block())
    }
    fn batch(&self) -> bool {
        Block::batch(self.block())
    }
    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<BlockRef>, Failure> {
        let next = Block::ports(self.block(), egress, process)?;
        Ok(next.map(BlockRef::of).transpose()?)
    }
    fn uses(&self, port: u16) -> Option<bool> {
        Block::uses(self.block(), port)
    }
    fn take_over(&self, old: &dyn Object, process: &Process) -> Result<Option<BlockRef>, Failure> {
        let next = match old.as_any().downcast_ref() {
            Some(old) => Block::adopt(self.block(), old, process)?,
            None => {
                let mut import = Import {
                    block: self.block(),
                    next: Ok(None),
                    process,
                };
                old.export(&mut import, process);
                import.next?
            }
        };
        Ok(next.map(BlockRef::of).transpose()?)
    }
    fn export(&self, to: &mut dyn Options, process: &Process) {
        Block::export(self.block(), to, process);
    }
    fn print_part(
        &self,
        from: u64,
        to: &mut dyn fmt::Write,
        process: &Process,
    ) -> Result<Option<u64>, fmt::Error> {
        Block::print_part(self.block(), from, to, process)
    }
    fn event(&self, event: &Event, process: &Process) {
        Block::event(self.block(), event, process);
    }
    fn notices(&self, tell: &mut dyn FnMut(fmt::Arguments<'_>), process: &Process) {
        Block::notices(self.block(), tell, process);
    }
    fn placed(&self, place: &Place<'_>) {
        Block::placed(self.block(), place);
    }
}

/// Lets a block import what another one exports, piece by piece.
struct Import<'a, B> {
    block: &'a B,
    next: Result<Option<B>, Failure>,
    process: &'a Process,
}

impl<B: Block> Options for Import<'_, B> {
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>) {
        let Ok(now) = &self.next else { return };
        let block = now.as_ref().unwrap_or(self.block);
        let text = CString::try_from_fmt(value).map_err(Failure::from);
        self.next = text.and_then(|text| {
            let text = text.to_str().map_err(|_| Failure::from(EINVAL))?;
            block.import(key, text, self.process).map(Some)
        });
    }

    fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>) {
        self.put(key, value);
    }
}

/// Whether each option of a block's configuration is short enough to be shown.
pub(crate) fn check_options(block: &dyn Object, process: &Process) -> Result<(), Failure> {
    let mut lengths = Lengths(Ok(()));
    block.options(&mut lengths, process);
    lengths.0
}

struct Lengths(Result<(), Failure>);

impl Options for Lengths {
    fn put(&mut self, _: &str, _: fmt::Arguments<'_>) {}

    fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>) {
        const MAX: usize = bindings::LANA_OPTION_MAX as usize;
        let mut length = Length(0);
        // Counting does not fail.
        let _ = fmt::Write::write_fmt(&mut length, value);
        if self.0.is_ok() && length.0 > MAX {
            let length = length.0;
            self.0 = Err(fail!(
                E2BIG,
                "option '{key}' would have {length} bytes, {MAX} are the most"
            ));
        }
    }

    fn put_list(&mut self, key: &str, list: &dyn Elements) {
        const MAX: usize = bindings::LANA_VALUE_MAX as usize;
        let size = list.size();
        if self.0.is_ok() && size > MAX {
            self.0 = Err(fail!(
                E2BIG,
                "option '{key}' would have {size} bytes, {MAX} are the most"
            ));
        }
    }
}

/// How long a text is, in bytes.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(s.len());
        Ok(())
    }
}
