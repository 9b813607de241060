// SPDX-License-Identifier: GPL-2.0

use super::*;
use std::path::Path;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixListener,
    sync::mpsc::unbounded_channel,
    time::sleep,
};

/// What a routing daemon has heard, in the order in which it has answered. It takes its time for the first one.
async fn bird(path: &Path, heard: UnboundedSender<String>) {
    let listener = UnixListener::bind(path).unwrap();
    let mut patience = Duration::from_millis(200);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (heard, wait) = (heard.clone(), std::mem::take(&mut patience));
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            stream.get_mut().write_all(b"0001 ready\n").await.unwrap();
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            sleep(wait).await;
            heard.send(line.trim().to_owned()).unwrap();
            stream.get_mut().write_all(b"0000 \n").await.unwrap();
        });
    }
}

fn announcements(path: &Path, names: &[(&str, &str)]) -> BTreeMap<String, Announcement> {
    let text = |(name, protocol): &(&str, &str)| {
        let path = path.display();
        format!("[announcement.{name}]\nbird='{path}'\nprotocol='{protocol}'\n")
    };
    let text: String = names.iter().map(text).collect();
    let config = crate::config::Config::parse("f", &text).unwrap();
    config.announcement
}

async fn order() {
    let path = std::env::temp_dir().join(format!("lanad-bird-{}", std::process::id()));
    let (heard, mut words) = unbounded_channel();
    let (path_of, to) = (path.clone(), heard);
    tokio::spawn(async move { bird(&path_of, to).await });
    let (to, mut effects) = unbounded_channel::<Effect>();
    let wanted = announcements(&path, &[("one", "p"), ("same", "q")]);
    let announcers = Announcer::renew(BTreeMap::new(), &wanted, &to);
    announcers["one"].want(true);
    // It has told, and has no answer yet.
    sleep(Duration::from_millis(50)).await;
    let wanted = announcements(&path, &[("other", "p"), ("same", "q")]);
    let announcers = Announcer::renew(announcers, &wanted, &to);
    announcers["other"].want(false);
    announcers["same"].want(true);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(words.recv().await.unwrap());
    }
    // One that is as it was does not wait.
    assert_eq!(told, ["enable q", "enable p", "disable p"]);
    let mut last = String::new();
    while last != "other" {
        if let Effect::Announced(name, _) = effects.recv().await.unwrap() {
            last = name;
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_new_announcer_waits_for_the_one_before() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(order());
}
