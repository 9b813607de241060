// SPDX-License-Identifier: GPL-2.0

//! Listens to the events of the graph, and notices when some were missed.

use crate::{
    error::Error,
    family::Family,
    message::{messages, Content},
    socket::{KernelSocket, Transport},
    spec::{Command, EventAttrs, FAMILY, GROUP_EVENTS},
    wire::Attributes,
};
use netlink_packet_generic::constants::{CTRL_CMD_DELFAMILY, GENL_ID_CTRL};
use std::{collections::VecDeque, io, os::fd::BorrowedFd};

const ENOBUFS: i32 = 105;
/// The controller's own group, `notify`, has the controller's number.
const CONTROLLER_GROUP: u32 = GENL_ID_CTRL as u32;

/// What a listener learns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Something happened.
    Event(EventAttrs),
    /// This many events were missed before the next one.
    Lost(u64),
    /// The kernel had no room for an event: some were missed. How many tells the next
    /// [`Notice::Lost`].
    Overrun,
    /// The module was unloaded; nothing will come any more.
    Unloaded,
}

/// The events of one network namespace, from when it was opened.
pub struct EventStream {
    transport: Box<dyn Transport>,
    family: u16,
    /// Number of the last event.
    last: Option<u64>,
    /// Read and not yet told.
    waiting: VecDeque<Notice>,
    ended: bool,
    /// Why it ended.
    failure: Option<Error>,
}

impl EventStream {
    /// Opens a socket, finds the family and joins its group.
    pub fn open() -> Result<Self, Error> {
        let socket = KernelSocket::open().map_err(Error::Socket)?;
        socket.enlarge().map_err(Error::Socket)?;
        Self::over(Box::new(socket))
    }

    /// Finds the family at the other end of `transport` and joins its group.
    pub fn over(mut transport: Box<dyn Transport>) -> Result<Self, Error> {
        let family = Family::find(transport.as_mut(), FAMILY)?;
        let group = family.group(GROUP_EVENTS).ok_or(Error::NotLoaded)?;
        transport.join(group).map_err(Error::Socket)?;
        transport.join(CONTROLLER_GROUP).map_err(Error::Socket)?;
        Ok(EventStream {
            transport,
            family: family.id,
            last: None,
            waiting: VecDeque::new(),
            ended: false,
            failure: None,
        })
    }

    /// What to wait for until there is a notice.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.transport.fd()
    }

    /// The next notice, if there is one already. [`Notice::Unloaded`] is the last.
    pub fn take_notice(&mut self) -> Result<Option<Notice>, Error> {
        loop {
            if let Some(notice) = self.waiting.pop_front() {
                return Ok(Some(notice));
            }
            let Some(datagram) = self.transport.try_receive().transpose() else {
                return Ok(None);
            };
            self.read(datagram)?;
        }
    }

    /// Takes a datagram apart.
    fn read(&mut self, datagram: io::Result<Vec<u8>>) -> Result<(), Error> {
        let datagram = match datagram {
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                self.waiting.push_back(Notice::Overrun);
                return Ok(());
            }
            result => result.map_err(Error::Socket)?,
        };
        for message in messages(&datagram) {
            let message = message?;
            let Content::Family { command, attrs } = message.content else {
                continue;
            };
            if message.kind == self.family && command == Command::EventNtf as u8 {
                self.take(EventAttrs::decode(attrs)?);
            } else if message.kind == GENL_ID_CTRL
                && command == CTRL_CMD_DELFAMILY
                && Family::decode(attrs)?.id == self.family
            {
                self.waiting.push_back(Notice::Unloaded);
            }
        }
        Ok(())
    }

    /// Compares the event's number with the last one's.
    fn take(&mut self, event: EventAttrs) {
        if let (Some(seq), Some(last)) = (event.seq, self.last) {
            // A number that is not larger would be a new count: nothing to compare with.
            if let Some(lost @ 1..) = seq.checked_sub(last.saturating_add(1)) {
                self.waiting.push_back(Notice::Lost(lost));
            }
        }
        self.last = event.seq.or(self.last);
        self.waiting.push_back(Notice::Event(event));
    }
}

/// Blocks until something happens; ends after an error or [`Notice::Unloaded`].
impl Iterator for EventStream {
    type Item = Result<Notice, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(notice) = self.waiting.pop_front() {
                self.ended |= notice == Notice::Unloaded;
                return Some(Ok(notice));
            }
            if self.ended {
                return self.failure.take().map(Err);
            }
            let datagram = self.transport.receive();
            if let Err(error) = self.read(datagram) {
                // What came before it is told first.
                self.failure = Some(error);
                self.ended = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
