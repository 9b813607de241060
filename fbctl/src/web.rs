// SPDX-License-Identifier: GPL-2.0

//! `fbctl web`: the graph as a page that is alive.

mod change;
mod counters;
mod delta;
mod feed;
mod guard;
mod http;
mod packets;

use crate::{
    cli,
    picture::{
        scene::{Room, Scene},
        svg,
    },
    record,
};
use anyhow::{Context, Result};
use change::Wish;
use feed::Feed;
use guard::Guard;
use http::{Answer, Request};
use lana_cli::{usage, Session};
use lana_netlink::{errno_text, Connection};
use packets::Packets;
use serde::Serialize;
use std::{
    io::{self, BufWriter, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    thread,
};

/// At most so many connections at a time.
const CONNECTIONS: usize = 64;

const PAGE: &str = include_str!("web/page.html");
const PAGE_STYLE: &str = include_str!("web/page.css");
const SCRIPT: &str = include_str!("web/page.js");
const VIEW_SCRIPT: &str = include_str!("web/view.js");
const PACKETS_SCRIPT: &str = include_str!("web/packets.js");

/// Where to listen: an address with a port, or a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let why = "it must be a port, or an address with one, as in 127.0.0.1:8080";
    text.parse().map_err(|_| why.to_owned())
}

pub(crate) fn run(session: &mut Session, options: &cli::Web) -> Result<()> {
    session.lana()?;
    let replay = match &options.replay {
        Some(path) => record::read(path)?,
        None => Vec::new(),
    };
    let at = options.listen;
    let listener = session.at_home(move || TcpListener::bind(at));
    let listener = listener
        .map_err(|error| usage(errno_text(&error)))
        .with_context(|| at.to_string())?;
    let at = listener.local_addr()?;
    if !at.ip().is_loopback() {
        session.warn("others on the network can listen in: what the page shows is not encrypted");
    }
    let server = Arc::new(Server {
        guard: Guard::new(at.port())?,
        feed: Feed::new(session.globals.netns.clone(), replay),
        write: options.write,
        packets: Packets::new(options.packets),
        connections: AtomicUsize::new(0),
    });
    server.feed.listen()?;
    session
        .out
        .line(&format!("http://{at}/?token={}", server.guard.token()))?;
    session.out.flush()?;
    let acceptor = server.clone();
    thread::spawn(move || acceptor.accept(&listener));
    Ok(server.feed.run(session.lana()?)?)
}

struct Server {
    guard: Guard,
    feed: Arc<Feed>,
    write: bool,
    packets: Packets,
    connections: AtomicUsize,
}

impl Server {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of something: somebody may give it back.
                thread::sleep(http::TIME / 10);
                continue;
            };
            let server = self.clone();
            thread::spawn(move || {
                let before = server.connections.fetch_add(1, Ordering::Relaxed);
                // Who asks need not wait for the answer.
                let _ = server.serve(&stream, before >= CONNECTIONS);
                server.connections.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }

    fn serve(&self, stream: &TcpStream, busy: bool) -> io::Result<()> {
        stream.set_read_timeout(Some(http::TIME))?;
        stream.set_write_timeout(Some(http::TIME))?;
        stream.set_nodelay(true)?;
        let mut to = BufWriter::new(stream);
        if busy {
            return Answer::text(503, "there are too many connections").write(&mut to, "");
        }
        let request = http::read(&mut &*stream)
            .and_then(|request| self.guard.check(&request).map(|()| request));
        let request = match request {
            Ok(request) => request,
            Err(answer) => return answer.write(&mut to, ""),
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/events") => self.stream(&mut to),
            ("GET", "/trace") => self.packets.trace(&request, stream),
            ("GET", "/capture") => self.packets.capture(&request, stream),
            ("GET", "/") => self.page().write(&mut to, POLICY),
            _ => self.answer(&request).write(&mut to, ""),
        }
    }

    fn page(&self) -> Answer {
        asset("text/html", PAGE.replace("TOKEN", self.guard.token()))
    }

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/page.css") => asset("text/css", format!("{}{PAGE_STYLE}", svg::STYLE)),
            ("GET", "/page.js") => asset("text/javascript", SCRIPT.to_owned()),
            ("GET", "/view.js") => asset("text/javascript", VIEW_SCRIPT.to_owned()),
            ("GET", "/packets.js") => asset("text/javascript", PACKETS_SCRIPT.to_owned()),
            ("GET", "/about") => Answer::json(&About {
                write: self.write,
                packets: self.packets.allowed,
                version: env!("CARGO_PKG_VERSION"),
            }),
            ("GET", "/versions") => Answer::json(&self.feed.versions()),
            ("GET", "/version") => self.version(request),
            ("GET", "/block") => block(request),
            ("POST", "/preview" | "/change") if !self.write => Answer::text(
                403,
                "this page only shows: fbctl web --write lets it change the graph",
            ),
            ("POST", "/preview") => self
                .preview(&request.body)
                .unwrap_or_else(|error| refusal(&error)),
            ("POST", "/change") => change(&request.body).unwrap_or_else(|error| refusal(&error)),
            _ => Answer::text(404, "there is nothing of this name"),
        }
    }

    /// Tells what changes, until the page is closed.
    fn stream(&self, to: &mut impl Write) -> io::Result<()> {
        write!(to, "{}\r\n", http::head(200, "text/event-stream"))?;
        to.flush()?;
        for message in self.feed.join() {
            to.write_all(message.as_bytes())?;
            to.flush()?;
        }
        Ok(())
    }

    /// The picture of an earlier version.
    fn version(&self, request: &Request) -> Answer {
        let number = request
            .query
            .get("number")
            .and_then(|text| text.parse().ok());
        match number.and_then(|number| self.feed.graph(Some(number))) {
            Some(graph) => Answer::json(&Scene::new(&graph, Room::ALL, &[])),
            None => Answer::text(404, "there is no such version"),
        }
    }

    fn preview(&self, body: &[u8]) -> Result<Answer> {
        let wish = Wish::read(body)?;
        let graph = self.feed.graph(None).unwrap_or_default();
        let preview = wish.preview(&graph)?;
        let scene = Scene::new(&preview.graph, Room::ALL, &[]);
        Ok(Answer::json(&Previewed {
            commands: preview.commands,
            scene,
        }))
    }
}

#[derive(Serialize)]
struct About {
    write: bool,
    packets: bool,
    version: &'static str,
}

#[derive(Serialize)]
struct Previewed {
    commands: Vec<String>,
    scene: Scene,
}

/// What the page may load: only what comes from here.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; style-src 'self'; \
                      script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'\r\n";

fn asset(kind: &'static str, text: String) -> Answer {
    Answer {
        status: 200,
        kind: match kind {
            "text/html" => "text/html; charset=utf-8",
            "text/css" => "text/css; charset=utf-8",
            _ => "text/javascript; charset=utf-8",
        },
        body: text.into_bytes(),
    }
}

/// All that the kernel shows of a block.
fn block(request: &Request) -> Answer {
    let name = request.query.get("name").map_or("", String::as_str);
    let found = Connection::open().and_then(|mut lana| lana.fb(name));
    match found {
        Ok(fb) => Answer::json(&fb),
        Err(error) => Answer::text(404, &error.to_string()),
    }
}

fn change(body: &[u8]) -> Result<Answer> {
    let transaction = Wish::read(body)?.transaction()?;
    let done = Connection::open()?.transact(transaction)?;
    Ok(Answer::json(&done.warning))
}

fn refusal(error: &anyhow::Error) -> Answer {
    Answer::text(409, &format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("8080"), Ok(([127, 0, 0, 1], 8080).into()));
        assert_eq!(address("[::1]:1").unwrap().to_string(), "[::1]:1");
        for wrong in ["", "localhost", "1.2.3.4", "99999", "1.2.3.4:x"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    fn server(write: bool) -> Server {
        Server {
            guard: Guard::new(1).unwrap(),
            feed: Feed::new(None, Vec::new()),
            write,
            packets: Packets::new(false),
            connections: AtomicUsize::new(0),
        }
    }

    fn status(server: &Server, method: &str, path: &str, body: &str) -> u16 {
        let request = Request {
            method: method.into(),
            path: path.into(),
            body: body.into(),
            ..Request::default()
        };
        server.answer(&request).status
    }

    #[test]
    fn who_only_shows_changes_nothing() {
        let wish = r#"{"changes": [{"change": "bind", "upper": "a", "lower": "b"}]}"#;
        for path in ["/preview", "/change"] {
            assert_eq!(status(&server(false), "POST", path, wish), 403);
        }
        assert_eq!(status(&server(true), "POST", "/preview", wish), 409);
        assert_eq!(status(&server(true), "POST", "/change", "{}"), 409);
        for path in [
            "/versions",
            "/about",
            "/page.js",
            "/view.js",
            "/packets.js",
            "/page.css",
        ] {
            assert_eq!(status(&server(false), "GET", path, ""), 200);
        }
        assert_eq!(status(&server(false), "GET", "/version", ""), 404);
        assert_eq!(status(&server(false), "GET", "/etc/passwd", ""), 404);
    }

    #[test]
    fn the_page_is_whole() {
        for script in [SCRIPT, VIEW_SCRIPT, PACKETS_SCRIPT] {
            for id in script
                .split("byId(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
            }
            // Nothing that others wrote becomes part of the page unread.
            assert!(!script.contains("innerHTML") && !script.contains("eval("));
        }
    }
}
