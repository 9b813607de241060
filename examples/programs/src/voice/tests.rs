// SPDX-License-Identifier: GPL-2.0

use super::{frame::Frame, wav::Wav, *};
use crate::transport::Transport;
use std::{
    io::{self, Cursor},
    os::unix::net::UnixDatagram,
    sync::atomic::AtomicBool,
    thread,
};

const LISTENING: Listening = Listening {
    // Plenty, as tests share a machine with others.
    jitter: Duration::from_secs(3),
    time: None,
};

/// What a file becomes on its way to another host.
fn transmit(
    wav: &Wav,
    way: impl FnOnce(UnixDatagram) -> Box<dyn Transport + Send>,
) -> (Wav, Heard, Spoken) {
    let (here, mut there) = UnixDatagram::pair().unwrap();
    let receiver = thread::spawn(move || {
        let mut file = Cursor::new(Vec::new());
        let stop = AtomicBool::new(false);
        let heard = receive(&mut there, &mut file, LISTENING, &stop).unwrap();
        (Wav::read(&file.into_inner()).unwrap(), heard)
    });
    let spoken = send(way(here).as_mut(), wav).unwrap();
    let (played, heard) = receiver.join().unwrap();
    (played, heard, spoken)
}

/// Samples that Opus holds back, of 48 kHz.
const LOOKAHEAD: usize = 312;

/// How much louder the sound is than what is wrong with it, in dB.
fn likeness(sent: &[i16], played: &[i16]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
    let signal = power(&mut sent.iter().copied().map(f64::from));
    let pairs = sent.iter().zip(&played[LOOKAHEAD..]);
    let error = power(&mut pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)));
    10.0 * (signal / error).log10()
}

#[test]
fn a_second_arrives_whole() {
    let wav = tone(1, 48_000, 1);
    let start = Instant::now();
    let (played, heard, spoken) = transmit(&wav, |socket| Box::new(socket));
    // In real time: the last frame is due at 0.98 s, and again after it the end, twice.
    assert!(start.elapsed() >= FRAME * 51);
    assert_eq!(spoken.frames, 50);
    assert_eq!((heard.received(), heard.missing()), (50, 0));
    assert_eq!((played.rate, played.channels), (48_000, 1));
    assert_eq!(played.samples.len(), 48_000);
    let likeness = likeness(&wav.samples, &played.samples);
    // At 32 kbit/s; played a sample too early or too late, it is below 5.
    assert!(likeness > 8.0, "{likeness}");
}

#[test]
fn other_rates_and_channels_arrive() {
    let mono = tone(1, 16_000, 1);
    let (played, heard, _) = transmit(&mono, |socket| Box::new(socket));
    assert_eq!(heard.missing(), 0);
    assert_eq!((played.rate, played.channels), (48_000, 1));
    assert_eq!(played.samples.len(), 48_000);
    let loud = played.samples.iter().filter(|s| s.abs() > 2000).count();
    assert!(loud > 4_800, "{loud}");

    // A voice on the left, and half a frame at the end.
    let mut stereo = tone(1, 48_000, 2);
    stereo.samples.truncate(2 * (480 + 960 * 20));
    stereo
        .samples
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|right| *right = 0);
    let (played, heard, spoken) = transmit(&stereo, |socket| Box::new(socket));
    assert_eq!((heard.missing(), spoken.frames), (0, 21));
    assert_eq!((played.channels, played.samples.len()), (2, 2 * 960 * 21));
    let sum = |skip| -> i64 {
        let channel = played.samples.iter().skip(skip).step_by(2);
        channel.map(|&s| i64::from(s.abs())).sum()
    };
    assert!(sum(0) > 10 * sum(1), "{} {}", sum(0), sum(1));
}

/// A way on which some frames are lost.
struct Lossy(UnixDatagram);

impl Transport for Lossy {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let frame = Frame::decode(datagram).unwrap();
        if !frame.end && frame.sequence % 10 == 5 {
            return Ok(());
        }
        Transport::send(&mut self.0, datagram)
    }

    fn receive(&mut self, datagram: &mut [u8], deadline: Instant) -> io::Result<Option<usize>> {
        Transport::receive(&mut self.0, datagram, deadline)
    }
}

#[test]
fn what_is_lost_is_filled() {
    let wav = tone(1, 48_000, 1);
    let (played, heard, spoken) = transmit(&wav, |socket| Box::new(Lossy(socket)));
    assert_eq!(
        (spoken.frames, heard.received(), heard.missing()),
        (50, 45, 5)
    );
    assert_eq!(played.samples.len(), 48_000);
    // In the middle of a syllable there is no silence, though a frame is missing.
    let concealed = &played.samples[960 * 5..960 * 6];
    assert!(concealed.iter().any(|s| s.abs() > 500));
}

#[test]
fn deadlines_do_not_drift() {
    let start = Instant::now();
    assert_eq!(due(start, 0), start);
    assert_eq!(due(start, 1), start + FRAME);
    assert_eq!(due(start, 180_000), start + Duration::from_secs(3600));
}
