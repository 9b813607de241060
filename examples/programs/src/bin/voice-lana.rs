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

/// Send a WAV file as voice over Ethernet, or receive one
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 success, 1 frames were late or lost, 2 an error"
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a file in real time, 50 frames per second
    Send {
        /// Name of the block
        #[arg(long)]
        name: String,
        /// MAC address of the other host
        #[arg(long, value_name = "MAC")]
        peer: Mac,
        /// EtherType of the datagrams
        #[arg(long, value_parser = number16, default_value = "0x88b5")]
        ethertype: u16,
        /// Seconds to wait before the first frame, so that you can bind the block
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
        delay: Duration,
        /// The WAV file: 16 bits, 16 or 48 kHz, mono or stereo
        file: PathBuf,
    },
    /// Receive voice into a file, at 48 kHz
    Receive {
        /// Name of the block
        #[arg(long)]
        name: String,
        /// EtherType of the datagrams
        #[arg(long, value_parser = number16, default_value = "0x88b5")]
        ethertype: u16,
        /// Milliseconds by which to delay playback, so that no frame is late
        #[arg(long, value_name = "MS", default_value_t = 60)]
        jitter: u64,
        /// Stop after SECONDS seconds [default: no limit]
        #[arg(long, value_parser = seconds)]
        seconds: Option<Duration>,
        /// Number of late or lost frames that still count as success
        #[arg(long, value_name = "N", default_value_t = 0)]
        tolerate: u64,
        /// The WAV file to write
        file: PathBuf,
    },
    /// Make a file that sounds somewhat like speech
    Tone {
        /// Length in seconds
        seconds: u16,
        /// Samples per second
        #[arg(long, default_value_t = 48_000)]
        rate: u32,
        /// Write two channels instead of one
        #[arg(long)]
        stereo: bool,
        /// The WAV file to write
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
