// SPDX-License-Identifier: GPL-2.0

//! Requests and their answers.

use crate::{
    api::Dump,
    error::Error,
    extack::ExtAck,
    family::Family,
    message::{messages, Content, Request},
    refusal::Refusal,
    socket::{KernelSocket, Transport},
    spec::{Command, FAMILY},
    wire::Attributes,
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

/// What came back for a request.
struct Answer {
    /// The attributes of each message.
    parts: Vec<Vec<u8>>,
    interrupted: bool,
    ack: ExtAck,
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

    /// Asks for something to be done.
    pub(crate) fn act<A: Attributes>(
        &mut self,
        command: Command,
        attrs: &A,
    ) -> Result<Done, Error> {
        let answer = self.transact(command, NLM_F_ACK, attrs)?;
        Ok(Done {
            warning: answer.ack.message,
        })
    }

    /// Asks for one thing.
    pub(crate) fn get<A: Attributes>(&mut self, command: Command, attrs: &A) -> Result<A, Error> {
        let answer = self.transact(command, NLM_F_ACK, attrs)?;
        match answer.parts.as_slice() {
            [one] => Ok(A::decode(one)?),
            other => Err(Error::Answers(other.len())),
        }
    }

    /// Asks for all things of a kind, again if they changed meanwhile.
    pub(crate) fn dump<A: Attributes + Default>(
        &mut self,
        command: Command,
    ) -> Result<Dump<A>, Error> {
        let mut tries = 1;
        loop {
            let answer = self.transact(command, NLM_F_DUMP, &A::default())?;
            if answer.interrupted && tries < DUMP_TRIES {
                tries += 1;
                continue;
            }
            let items = answer.parts.iter().map(|part| A::decode(part));
            return Ok(Dump {
                items: items.collect::<Result<_, _>>()?,
                interrupted: answer.interrupted,
            });
        }
    }

    fn transact<A: Attributes>(
        &mut self,
        command: Command,
        flags: u16,
        attrs: &A,
    ) -> Result<Answer, Error> {
        self.seq = self.seq.wrapping_add(1);
        let request = Request::new(command, self.family.id, flags, self.seq, attrs)?;
        self.transport.send(&request.bytes).map_err(Error::Socket)?;
        self.collect(&request)
    }

    /// Reads up to the acknowledgement or the end of the dump.
    fn collect(&mut self, request: &Request) -> Result<Answer, Error> {
        let mut answer = Answer {
            parts: Vec::new(),
            interrupted: false,
            ack: ExtAck::default(),
        };
        loop {
            let datagram = self.transport.receive().map_err(Error::Socket)?;
            for message in messages(&datagram) {
                let message = message?;
                if message.seq != self.seq {
                    continue; // the rest of an answer that was given up
                }
                answer.interrupted |= message.interrupted;
                match message.content {
                    Content::Family { attrs, .. } => answer.parts.push(attrs.to_vec()),
                    Content::Ack { code: 0, ack } | Content::Done { code: 0, ack } => {
                        answer.ack = ack;
                        return Ok(answer);
                    }
                    Content::Ack { code, ack } | Content::Done { code, ack } => {
                        return Err(Refusal::new(code, ack, request).into());
                    }
                    Content::Other => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
