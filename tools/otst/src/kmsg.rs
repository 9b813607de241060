// SPDX-License-Identifier: GPL-2.0

//! The kernel's log, line by line, from now on.

use anyhow::{Context, Result};
use lana_cli::denied;
use lana_netlink::errno_text;
use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    fs::{open, Mode, OFlags},
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

const FILE: &str = "/dev/kmsg";
/// The longest record that the kernel hands out is 2048 bytes, escaped up to four times as long.
const RECORD: usize = 8192;
/// A record of others that was overwritten before we read it: `EPIPE`.
const EPIPE: i32 = 32;

/// What is to be read.
pub(crate) struct Log(File);

impl Log {
    /// Opens it behind its last line.
    pub(crate) fn open() -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = open(FILE, flags, Mode::empty()).map_err(io::Error::from);
        let opened = opened
            .map(File::from)
            .and_then(|mut log| log.seek(SeekFrom::End(0)).map(|_| log));
        let log = opened.map_err(|error| denied(errno_text(&error)));
        log.context(FILE).map(Self)
    }

    /// The next line, if one comes within a quarter of a second.
    pub(crate) fn next(&mut self) -> Result<Option<String>> {
        let mut record = vec![0; RECORD];
        loop {
            match self.0.read(&mut record) {
                Ok(len) => return Ok(record.get(..len).and_then(text)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.raw_os_error() == Some(EPIPE) => continue,
                Err(error) => return Err(denied(errno_text(&error))).context(FILE),
            }
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            let quarter = Timespec {
                tv_sec: 0,
                tv_nsec: 250_000_000,
            };
            match poll(&mut fds, Some(&quarter)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }
}

/// The text of a record, `PRIORITY,NUMBER,TIME,FLAGS;TEXT` and lines of other things.
fn text(record: &[u8]) -> Option<String> {
    let record = String::from_utf8_lossy(record);
    let (_, text) = record.split_once(';')?;
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn the_text_of_a_record() {
        let record = b"6,1234,98765,-;otst: a; b\n SUBSYSTEM=net\n";
        assert_eq!(text(record).as_deref(), Some("otst: a; b"));
        assert_eq!(text(b"6,1,2,-;\n").as_deref(), Some(""));
        assert_eq!(text(b"\xff"), None);
    }
}
