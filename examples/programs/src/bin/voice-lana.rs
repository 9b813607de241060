// SPDX-License-Identifier: GPL-2.0

//! Voice over Ethernet, by blocks: from a WAV file on a host to one on another.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use lana_examples::{
    program::{self, number16, seconds, Common},
    voice::{self, wav::Wav, Listening},
    LanaTransport,
};
use lana_socket::Mac;
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Voice over Ethernet, from a WAV file to a WAV file
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 all well, 1 frames were late or lost, 2 it could not be done"
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a file as it is to be heard, 50 frames a second
    Send {
        /// What to call the block
        #[arg(long)]
        name: String,
        /// The other host
        #[arg(long, value_name = "MAC")]
        peer: Mac,
        /// What the datagrams are
        #[arg(long, value_parser = number16, default_value = "0x88b5")]
        ethertype: u16,
        /// Seconds before the first frame, in which the block can be bound to others
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
        delay: Duration,
        /// 16 bits, 16 or 48 kHz, mono or stereo
        file: PathBuf,
    },
    /// Receive into a file what is to be heard, at 48 kHz
    Receive {
        /// What to call the block
        #[arg(long)]
        name: String,
        /// What the datagrams are
        #[arg(long, value_parser = number16, default_value = "0x88b5")]
        ethertype: u16,
        /// Milliseconds for which frames are held back, so that none is late
        #[arg(long, value_name = "MS", default_value_t = 60)]
        jitter: u64,
        /// Listen no longer than that
        #[arg(long, value_parser = seconds)]
        seconds: Option<Duration>,
        /// Be content although so many frames are late or lost
        #[arg(long, value_name = "N", default_value_t = 0)]
        tolerate: u64,
        /// Which
        file: PathBuf,
    },
    /// Make a file that sounds a little like speech
    Tone {
        /// How long
        seconds: u16,
        /// Samples in a second
        #[arg(long, default_value_t = 48_000)]
        rate: u32,
        /// Two channels
        #[arg(long)]
        stereo: bool,
        /// Which
        file: PathBuf,
    },
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(BufWriter::new(file))
}

fn run(cli: &Cli) -> Result<bool> {
    match &cli.command {
        Command::Send {
            name,
            peer,
            ethertype,
            delay,
            file,
        } => {
            let context = || file.display().to_string();
            let bytes = fs::read(file).with_context(context)?;
            let wav = Wav::read(&bytes).with_context(context)?;
            let mut transport = LanaTransport::open(name, Some(*peer), *ethertype)?;
            program::ready(transport.name()?);
            thread::sleep(*delay);
            let spoken = voice::send(&mut transport, &wav)?;
            cli.common.print(&spoken.totals())?;
            Ok(true)
        }
        Command::Receive {
            name,
            ethertype,
            jitter,
            seconds,
            tolerate,
            file,
        } => {
            let file = create(file)?;
            let stop = program::stop_flag()?;
            let mut transport = LanaTransport::open(name, None, *ethertype)?;
            program::ready(transport.name()?);
            let listening = Listening {
                jitter: Duration::from_millis(*jitter),
                time: *seconds,
            };
            let heard = voice::receive(&mut transport, file, listening, &stop)?;
            cli.common.print(&heard.totals())?;
            Ok(heard.received() > 0 && heard.missing() <= *tolerate)
        }
        Command::Tone {
            seconds,
            rate,
            stereo,
            file,
        } => {
            let wav = voice::tone(*seconds, *rate, 1 + u16::from(*stereo));
            wav.write(create(file)?)?;
            Ok(true)
        }
    }
}

fn main() -> ExitCode {
    program::run("voice-lana", run)
}
