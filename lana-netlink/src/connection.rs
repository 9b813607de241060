// SPDX-License-Identifier: GPL-2.0

//! Requests and their answers.

use crate::{
    api::Dump,
    error::Error,
    extack::ExtAck,
    family::Family,
    message::{messages, Content, Request, BODY},
    op::{Op, Transaction},
    refusal::Refusal,
    socket::{KernelSocket, Transport},
    spec::{Command, FAMILY},
    wire::{Attributes, DecodeError, Writer},
};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};

/// How often a dump that saw the graph change is asked for again.
const DUMP_TRIES: usize = 8;

/// A change was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "the kernel may have something to say"]
pub struct Done {
    /// The kernel did it, but has this to say about it.
    pub warning: Option<String>,
}

/// A conversation with the kernel about the graph of one network namespace: the one the thread was
/// in when it was opened.
pub struct Connection {
    transport: Box<dyn Transport>,
    family: Family,
    seq: u32,
}

impl Connection {
    /// Opens a socket and finds the family.
    pub fn open() -> Result<Self, Error> {
        Self::over(Box::new(KernelSocket::open().map_err(Error::Socket)?))
    }

    /// Finds the family at the other end of `transport`.
    pub fn over(mut transport: Box<dyn Transport>) -> Result<Self, Error> {
        let family = Family::find(transport.as_mut(), FAMILY)?;
        Ok(Connection {
            transport,
            family,
            seq: 0,
        })
    }

    /// Asks for a change.
    pub fn change(&mut self, change: &Op<'_>) -> Result<Done, Error> {
        if change.is_long() {
            let mut transaction = Transaction::default();
            transaction.push(change)?;
            return self.transact(transaction).map_err(|mut error| {
                if let Error::Refused(refusal) = &mut error {
                    refusal.change = None;
                }
                error
            });
        }
        let mut attrs = Writer::behind(BODY);
        change.encode(&mut attrs)?;
        self.act(change.command(), attrs)
    }

    /// Asks for changes that are made together or not at all.
    pub fn transact(&mut self, transaction: Transaction) -> Result<Done, Error> {
        let (attrs, further) = transaction.into_parts();
        self.act(Command::Transact, attrs).map_err(|mut error| {
            if let Error::Refused(refusal) = &mut error {
                let change = |operation| Transaction::change_of(&further, operation);
                refusal.change = refusal.change.map(change);
            }
            error
        })
    }

    fn act(&mut self, command: Command, attrs: Writer) -> Result<Done, Error> {
        let end = self.converse(command, NLM_F_ACK, attrs, |_| Ok(()))?;
        Ok(Done {
            warning: end.ack.message,
        })
    }

    /// Asks for one thing.
    pub(crate) fn get<A: Attributes>(&mut self, command: Command, attrs: &A) -> Result<A, Error> {
        let (mut count, mut last) = (0, None);
        self.visit(command, NLM_F_ACK, attrs, |attrs| {
            count += 1;
            last = Some(A::decode(attrs)?);
            Ok(())
        })?;
        last.filter(|_| count == 1).ok_or(Error::Answers(count))
    }

    /// Asks for all things of a kind, again if they changed meanwhile.
    pub(crate) fn dump<A: Attributes + Default>(
        &mut self,
        command: Command,
    ) -> Result<Dump<A>, Error> {
        let mut tries = 1;
        loop {
            let mut items = Vec::new();
            let interrupted = self.visit(command, NLM_F_DUMP, &A::default(), |attrs| {
                items.push(A::decode(attrs)?);
                Ok(())
            })?;
            if !interrupted || tries == DUMP_TRIES {
                return Ok(Dump { items, interrupted });
            }
            tries += 1;
        }
    }

    /// Asks for things and shows the attributes of each. Whether they changed meanwhile is the
    /// result.
    pub(crate) fn visit<A: Attributes>(
        &mut self,
        command: Command,
        flags: u16,
        attrs: &A,
        each: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<bool, Error> {
        let mut writer = Writer::behind(BODY);
        attrs.encode(&mut writer)?;
        let end = self.converse(command, flags, writer, each)?;
        Ok(end.interrupted)
    }

    /// Sends a request, whose attributes are written behind room for the headers, and reads up to
    /// the acknowledgement or the end of the dump.
    fn converse(
        &mut self,
        command: Command,
        flags: u16,
        attrs: Writer,
        mut each: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<End, Error> {
        self.seq = self.seq.wrapping_add(1);
        let request = Request::new(command, self.family.id, flags, self.seq, attrs)?;
        self.transport.send(&request.bytes).map_err(Error::Socket)?;
        let mut interrupted = false;
        loop {
            let datagram = self.transport.receive().map_err(Error::Socket)?;
            for message in messages(&datagram) {
                let message = message?;
                if message.seq != self.seq {
                    continue; // the rest of an answer that was given up
                }
                interrupted |= message.interrupted;
                match message.content {
                    Content::Family { attrs, .. } => each(attrs)?,
                    Content::Ack { code: 0, ack } | Content::Done { code: 0, ack } => {
                        return Ok(End { interrupted, ack });
                    }
                    Content::Ack { code, ack } | Content::Done { code, ack } => {
                        return Err(Refusal::new(code, ack, &request).into());
                    }
                    Content::Other => {}
                }
            }
        }
    }
}

/// The end of an answer.
struct End {
    interrupted: bool,
    ack: ExtAck,
}

#[cfg(test)]
mod tests;
