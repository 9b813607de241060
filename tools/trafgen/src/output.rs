// SPDX-License-Identifier: GPL-2.0

//! Where frames go, one by one: a packet socket, a block of LANA's graph, or a file. Rings are in [`crate::ring`].

use crate::{packet::PacketSocket, probe::Probe, writer::Writer};
use anyhow::Context;
use lana_cli::kernel;
use lana_netlink::{Connection, Op};
use lana_socket::{Kind, Socket};
use pcap_file::{
    pcap::{PcapHeader, PcapPacket, PcapWriter},
    DataLink, Endianness, PcapError,
};
use rustix::{
    io::Errno,
    net::{send, SendFlags},
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

/// Frames and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Totals {
    /// One frame more.
    #[inline]
    pub fn add(&mut self, length: usize) {
        self.frames += 1;
        self.bytes += length as u64;
    }
}

/// Where frames go.
pub trait Output: Send {
    /// Sends some frames, at most so many: those sent.
    fn send(&mut self, writer: &mut Writer, most: u64) -> io::Result<Totals>;

    /// Says when the next frame leaves, for those that keep that.
    fn at(&mut self, time: Duration) {
        let _ = time;
    }

    /// Comes back when all have left.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One frame at a time, by a function that takes it.
struct Single<F> {
    frame: Vec<u8>,
    take: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()> + Send> Output for Single<F> {
    fn send(&mut self, writer: &mut Writer, _: u64) -> io::Result<Totals> {
        let number = writer.turn();
        let length = writer.write(number, &mut self.frame, false);
        (self.take)(self.frame.get(..length).unwrap_or_default())?;
        let mut totals = Totals::default();
        totals.add(length);
        Ok(totals)
    }
}

fn single(
    longest: usize,
    take: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
) -> Box<dyn Output> {
    let frame = vec![0; longest];
    Box::new(Single { frame, take })
}

/// How long a device may take nothing: one without a carrier does that.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// What is wrong with a device that takes nothing.
pub(crate) fn stuck() -> io::Error {
    io::Error::other("the device takes no frames any more: has it lost its carrier?")
}

/// Sends a frame, and tries again while there is no room for it.
fn insist(mut send: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut end = None;
    loop {
        let Err(error) = send() else {
            return Ok(());
        };
        match Errno::from_io_error(&error) {
            Some(Errno::NOBUFS | Errno::AGAIN) => {
                if Instant::now() > *end.get_or_insert_with(|| Instant::now() + PATIENCE) {
                    return Err(stuck());
                }
                std::thread::yield_now();
            }
            Some(Errno::INTR) => {}
            _ => return Err(error),
        }
    }
}

/// Sends each frame by a call.
pub fn socket(socket: PacketSocket, longest: usize) -> Box<dyn Output> {
    single(longest, move |frame| {
        insist(|| Ok(send(&socket, frame, SendFlags::empty())?))
    })
}

/// Sends each frame by a call, and then looks whether a host still answers.
pub fn probed(socket: PacketSocket, longest: usize, mut probe: Probe) -> Box<dyn Output> {
    single(longest, move |frame| {
        send(&socket, frame, SendFlags::empty())?;
        if probe.alive()? {
            return Ok(());
        }
        let mut packet = Vec::new();
        write_text(&mut packet, frame)?;
        io::stdout().write_all(&packet)?;
        Err(io::Error::other(
            "the host answers no more after this packet",
        ))
    })
}

/// Sends frames into LANA's graph: down through a block, or up into it.
pub fn graph(block: &str, up: bool, longest: usize) -> anyhow::Result<Box<dyn Output>> {
    let socket = Socket::open(Kind::Raw).map_err(refused)?;
    let name = socket
        .name()
        .map_err(|error| kernel("the socket's name", &error))?;
    let (upper, lower) = if up {
        (block, name.as_str())
    } else {
        (name.as_str(), block)
    };
    let about = || format!("bind {upper} {lower}");
    let done = Connection::open()?
        .change(&Op::Bind { upper, lower })
        .with_context(about)?;
    if let Some(warning) = done.warning {
        let _ = writeln!(io::stderr(), "trafgen: warning: {warning}");
    }
    Ok(single(longest, move |frame| insist(|| socket.send(frame))))
}

fn refused(error: lana_socket::Error) -> anyhow::Error {
    match error {
        lana_socket::Error::Io(error) => kernel("a socket of LANA", &error),
        error => kernel("a socket of LANA", &io::Error::other(error.to_string())),
    }
}

/// What a PCAP file may hold: Ethernet, or 802.11 with radiotap.
pub fn link_type(radio: bool) -> DataLink {
    if radio {
        DataLink::IEEE802_11_RADIOTAP
    } else {
        DataLink::ETHERNET
    }
}

/// Writes a PCAP file.
struct Capture {
    frame: Vec<u8>,
    /// None once it is finished.
    to: Option<PcapWriter<BufWriter<File>>>,
    time: Duration,
}

/// A PCAP file, made anew.
pub fn capture(file: &Path, radio: bool, longest: usize) -> io::Result<Box<dyn Output>> {
    let header = PcapHeader {
        datalink: link_type(radio),
        endianness: Endianness::native(),
        ..PcapHeader::default()
    };
    let to = BufWriter::new(File::create(file)?);
    let to = PcapWriter::with_header(to, header).map_err(of_pcap)?;
    Ok(Box::new(Capture {
        frame: vec![0; longest],
        to: Some(to),
        time: Duration::ZERO,
    }))
}

fn of_pcap(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

impl Output for Capture {
    fn send(&mut self, writer: &mut Writer, _: u64) -> io::Result<Totals> {
        let number = writer.turn();
        let length = writer.write(number, &mut self.frame, false);
        let frame = self.frame.get(..length).unwrap_or_default();
        let original = u32::try_from(length).unwrap_or(u32::MAX);
        let packet = PcapPacket::new(self.time, original, frame);
        if let Some(to) = &mut self.to {
            to.write_packet(&packet).map_err(of_pcap)?;
        }
        let mut totals = Totals::default();
        totals.add(length);
        Ok(totals)
    }

    fn at(&mut self, time: Duration) {
        self.time = time;
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.to.take() {
            Some(to) => to.into_writer().flush(),
            None => Ok(()),
        }
    }
}

/// Writes a frame in the language.
fn write_text(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    writeln!(to, "{{")?;
    for line in frame.chunks(8) {
        let bytes: Vec<_> = line.iter().map(|byte| format!("{byte:#04x}")).collect();
        writeln!(to, "  {},", bytes.join(", "))?;
    }
    writeln!(to, "}}\n")
}

/// Writes frames as a text of the language.
struct Text<W> {
    frame: Vec<u8>,
    to: W,
}

/// A text of the language.
pub fn text(to: impl Write + Send + 'static, longest: usize) -> Box<dyn Output> {
    let to = BufWriter::new(to);
    let frame = vec![0; longest];
    Box::new(Text { frame, to })
}

impl<W: Write + Send> Output for Text<W> {
    fn send(&mut self, writer: &mut Writer, _: u64) -> io::Result<Totals> {
        let number = writer.turn();
        let length = writer.write(number, &mut self.frame, false);
        write_text(&mut self.to, self.frame.get(..length).unwrap_or_default())?;
        let mut totals = Totals::default();
        totals.add(length);
        Ok(totals)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
