// SPDX-License-Identifier: GPL-2.0

//! Counts the packets that a socket receives, the same over LANA's and over `PF_PACKET`.

use crate::program::{seconds, stop_flag, Common, Totals, TICK};
use anyhow::Result;
use clap::{Args, ValueEnum};
use lana_socket::{
    ethernet, receive, set_recv_buffer, set_timestamps, Batch, Direction, Meta, PacketKind,
};
use rustix::net::sockopt::{set_socket_timeout, Timeout};
use std::{
    io::{self, ErrorKind, Write},
    ops::ControlFlow,
    os::fd::BorrowedFd,
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Room for a packet, beyond which it is only counted.
const PACKET: usize = 2048;
/// Packets that a call receives.
const BATCH: usize = 64;

/// How long packets may wait in shared memory, so that many are told of at a time.
pub const PATIENCE: Duration = Duration::from_millis(20);

/// How packets are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One system call per packet
    Recv,
    /// One system call for up to 64 packets
    Mmsg,
    /// Shared memory
    Ring,
}

/// What one can choose.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How to receive packets
    #[arg(long, value_enum, default_value = "recv")]
    pub mode: Mode,
    /// Stop after COUNT packets [default: no limit]
    #[arg(long)]
    pub count: Option<u64>,
    /// Stop after SECONDS seconds [default: no limit]
    #[arg(long, value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// Size of the receive buffer in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    pub buffer: u32,
    /// Print a line for each packet
    #[arg(short, long)]
    pub verbose: bool,
    /// Totals
    #[command(flatten)]
    pub common: Common,
}

/// What is done with a packet: its first bytes, and what is known about it.
pub type Each<'a> = dyn FnMut(&[u8], &Meta) -> Result<ControlFlow<()>> + 'a;

/// A socket that receives packets.
pub trait Source {
    /// The socket.
    fn socket(&self) -> BorrowedFd<'_>;
    /// Takes the packets of the ring, after waiting for the first for at most [`TICK`].
    fn take(&mut self, each: &mut Each<'_>) -> Result<ControlFlow<()>>;
    /// Packets for which there was no room.
    fn drops(&self) -> io::Result<u32>;
}

/// Prepares a socket, before packets come.
pub fn prepare(socket: BorrowedFd<'_>, options: &Options) -> io::Result<()> {
    set_recv_buffer(socket, options.buffer as usize)?;
    set_timestamps(socket, options.verbose)?;
    Ok(set_socket_timeout(socket, Timeout::Recv, Some(TICK))?)
}

/// Receives packets until it is to end, and prints how many.
pub fn run(source: &mut dyn Source, options: &Options) -> Result<bool> {
    let stop = stop_flag()?;
    let start = Instant::now();
    let end = options.seconds.and_then(|time| start.checked_add(time));
    let wanted = options.count.unwrap_or(u64::MAX);
    let (mut packets, mut bytes) = (0_u64, 0_u64);
    let mut out = io::stdout().lock();
    let mut each = |data: &[u8], meta: &Meta| {
        packets += 1;
        bytes += meta.original as u64;
        if options.verbose {
            writeln!(out, "{}", describe(data, meta))?;
        }
        Ok(if packets < wanted {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    };
    let mut one = vec![0; PACKET];
    let mut many = Batch::new(BATCH, PACKET);
    while wanted > 0 && !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end)
    {
        let flow = match options.mode {
            Mode::Recv => awaited(receive(source.socket(), &mut one))?
                .map_or(Ok(ControlFlow::Continue(())), |got| {
                    each(one.get(..got.length).unwrap_or_default(), &got.meta)
                }),
            Mode::Mmsg => awaited(many.receive(source.socket()))?
                .map_or(Ok(ControlFlow::Continue(())), |_| every(&many, &mut each)),
            Mode::Ring => source.take(&mut each),
        };
        if flow?.is_break() {
            break;
        }
    }
    drop(out);
    let took = start.elapsed().as_secs_f64();
    let round = |number: f64| (number * 1e3).round() / 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = packets as f64 / took;
    let totals = Totals::default()
        .with("packets", packets)
        .with("bytes", bytes)
        .with("drops", source.drops()?)
        .with("seconds", round(took))
        .with("packets-per-second", round(rate));
    options.common.print(&totals)?;
    Ok(true)
}

fn every(batch: &Batch, each: &mut Each<'_>) -> Result<ControlFlow<()>> {
    for packet in batch.packets() {
        if each(packet.data, &packet.received.meta)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Nothing, where the time to wait was over.
fn awaited<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// Time of day, direction, length, source, destination, `EtherType`.
fn describe(data: &[u8], meta: &Meta) -> String {
    let time = meta.time.unwrap_or_else(SystemTime::now);
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let way = match (meta.direction, meta.kind) {
        (Some(Direction::Egress), _) | (None, PacketKind::Outgoing) => "out",
        _ => "in ",
    };
    let micros = since.subsec_micros();
    let length = meta.original;
    let what = ethernet(data).map_or_else(
        || "no Ethernet header".to_owned(),
        |(to, from, ethertype)| format!("{from} > {to} {ethertype:#06x}"),
    );
    format!("{hour:02}:{minute:02}:{second:02}.{micros:06} {way} {length:5} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_packet() {
        let meta = Meta {
            direction: Some(Direction::Egress),
            original: 60,
            time: Some(UNIX_EPOCH + Duration::new(86_400 + 3_661, 5_000)),
            ..Meta::default()
        };
        let frame = [&[1; 6][..], &[2; 6], &[0x88, 0xb5]].concat();
        assert_eq!(
            describe(&frame, &meta),
            "01:01:01.000005 out    60 02:02:02:02:02:02 > 01:01:01:01:01:01 0x88b5"
        );
        assert!(describe(&frame[..13], &meta).ends_with("no Ethernet header"));
    }
}
