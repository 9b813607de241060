// SPDX-License-Identifier: GPL-2.0

//! Counts the packets that come to a block.

use anyhow::Result;
use clap::Parser;
use lana_examples::{
    program::{self, TICK},
    sniff::{self, Each, Mode, Options, Source, PATIENCE},
};
use lana_socket::{Kind, Ring, Socket};
use std::{
    io,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd},
    process::ExitCode,
};

/// Count the packets that a block receives
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Name of the block
    #[arg(long)]
    name: String,
    #[command(flatten)]
    options: Options,
}

enum Lana {
    Socket(Socket),
    Ring(Ring),
}

impl Lana {
    fn socket(&self) -> &Socket {
        match self {
            Lana::Socket(socket) => socket,
            Lana::Ring(ring) => ring.socket(),
        }
    }
}

impl Source for Lana {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }

    fn take(&mut self, each: &mut Each<'_>) -> Result<ControlFlow<()>> {
        if let Lana::Ring(ring) = self {
            ring.wait(Some(TICK))?;
            while let Some(record) = ring.receive()? {
                if each(record.data, &record.meta)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn drops(&self) -> io::Result<u32> {
        Ok(self.socket().statistics()?.drops)
    }
}

fn run(cli: &Cli) -> Result<bool> {
    let options = &cli.options;
    let socket = Socket::open(Kind::Raw)?;
    sniff::prepare(socket.as_fd(), options)?;
    socket.set_auxdata(options.verbose)?;
    let mut source = match options.mode {
        Mode::Ring => {
            let ring = socket.ring(options.buffer)?;
            ring.set_pause(PATIENCE)?;
            Lana::Ring(ring)
        }
        Mode::Recv | Mode::Mmsg => Lana::Socket(socket),
    };
    source.socket().bind(&cli.name)?;
    program::ready(source.socket().name()?);
    sniff::run(&mut source, options)
}

fn main() -> ExitCode {
    program::run("sniff-lana", run)
}
