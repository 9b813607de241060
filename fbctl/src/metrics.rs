// SPDX-License-Identifier: GPL-2.0

//! `fbctl metrics`: all that is counted, as OpenMetrics text: printed, or served by HTTP.

mod collect;
mod http;
mod text;

use crate::cli::MetricsHow;
use anyhow::{Context, Result};
use lana_cli::{kernel, usage, Session};
use lana_netlink::{Connection, Error};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

/// Where `--listen` listens unless it is said.
pub(crate) const ADDRESS: &str = "127.0.0.1:9526";
/// How many are answered at once; others are turned away.
const CLIENTS: usize = 16;
/// How long a client may take to ask and to hear.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(session: &mut Session, how: &MetricsHow) -> Result<()> {
    if session.out.is_json() {
        return Err(usage("OpenMetrics is text: fbctl -j stats prints JSON"));
    }
    if let Some(address) = &how.listen {
        return listen(address);
    }
    if how.inetd {
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        return http::answer(&mut input, &mut output, metrics).context("standard output");
    }
    let text = collect::families(session.lana()?)?.text();
    session.out.text(&text)
}

/// All of it as it is now, by a connection of its own.
fn metrics() -> Result<String, Error> {
    let families = collect::families(&mut Connection::open()?)?;
    Ok(families.text())
}

/// A port alone is one of this machine's own address.
fn addresses(text: &str) -> Result<Vec<SocketAddr>> {
    let whole = match text.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => text.to_owned(),
    };
    match whole.to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(_) => Err(usage(format!(
            "'{text}' is no address to listen at, such as {ADDRESS} or [::]:9526"
        ))),
    }
}

fn listen(address: &str) -> Result<()> {
    let listener = TcpListener::bind(addresses(address)?.as_slice());
    let listener = listener.map_err(|error| kernel(address, &error))?;
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((client, _)) = listener.accept() else {
            // The client has gone, or we have too many files: neither lasts.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let theirs = Arc::clone(&clients);
        let spawned = thread::Builder::new().spawn(move || {
            // A client that does not listen any more is none of our business.
            let _ = serve(client);
            theirs.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(client: TcpStream) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut output = Impatient {
        client: client.try_clone()?,
        until,
    };
    http::answer(&mut Impatient { client, until }, &mut output, metrics)
}

/// A client that is given so much time, however it divides what it sends and takes.
struct Impatient {
    client: TcpStream,
    until: Instant,
}

impl Impatient {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl io::Read for Impatient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.client.set_read_timeout(self.left()?)?;
        self.client.read(buffer)
    }
}

impl io::Write for Impatient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.client.set_write_timeout(self.left()?)?;
        self.client.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.client.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_port_is_an_address() {
        assert_eq!(
            addresses("9526").unwrap(),
            ["127.0.0.1:9526".parse().unwrap()]
        );
        assert_eq!(addresses("[::1]:1").unwrap(), ["[::1]:1".parse().unwrap()]);
        for text in ["", "65536", "x y", "127.0.0.1"] {
            let error = addresses(text).unwrap_err().to_string();
            assert!(
                error.contains("is no address to listen at"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn who_says_or_takes_nothing_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"GET /").unwrap();
        let mut input = Impatient {
            client: server,
            until: Instant::now() + Duration::from_millis(20),
        };
        let mut said = [0; 16];
        assert_eq!(input.read(&mut said).unwrap(), 5);
        assert!(input.read(&mut said).is_err());
        assert!(input.read(&mut said).is_err());
        input.until = Instant::now() + Duration::from_millis(20);
        let much = vec![0; 1 << 26];
        assert!(input.write_all(&much).is_err());
    }
}
