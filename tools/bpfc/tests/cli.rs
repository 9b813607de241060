// SPDX-License-Identifier: GPL-2.0

//! The tool itself: what it prints, its exit codes, and that what is wrong takes one line and the place.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking"
)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ARP: &str = "ldh [12]\njeq #0x806,L1,L2\nL1: ret #0xffff\nL2: ret #0\n";

/// A file of this test.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Exit code, standard output, standard error.
fn bpfc(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bpfc"))
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

fn prints(arguments: &[&str], input: &str, wanted: &str) {
    let done = bpfc(arguments, input);
    assert_eq!(done, (Some(0), wanted.to_owned(), String::new()));
}

fn fails(arguments: &[&str], input: &str, wanted: &str) {
    let (code, out, errors) = bpfc(arguments, input);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
    let first = errors.lines().next().expect("nothing is said");
    assert!(first.contains(wanted), "{errors}");
    let rest = errors.lines().skip(1);
    assert!(
        rest.into_iter().all(|line| line.contains(" | ")),
        "{errors}"
    );
}

/// A capture of packets: what was captured, and how long each was.
fn pcap(link: u32, packets: &[(&[u8], u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Big endian, version 2.4, at most 96 bytes of each are kept.
    for word in [0xa1b2_c3d4, 0x0002_0004, 0, 0, 96, link] {
        bytes.extend(u32::to_be_bytes(word));
    }
    for (index, (data, len)) in (0..).zip(packets) {
        let kept = u32::try_from(data.len()).unwrap();
        for word in [1000 + index, 7 + index, kept, *len] {
            bytes.extend(u32::to_be_bytes(word));
        }
        bytes.extend(*data);
    }
    bytes
}

/// A frame of Ethernet.
fn frame(protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(protocol.to_be_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn the_commands_of_the_thesis() {
    file("arp.bpf", ARP);
    let lines = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000806 },\n\
                 { 0x6, 0, 0, 0x0000ffff },\n{ 0x6, 0, 0, 0x00000000 },\n";
    prints(&["arp.bpf"], "", lines);
    prints(&["-i", "arp.bpf"], "", lines);
    prints(&["-"], ARP, lines);
    let verbose = format!(
        "*** Generated program:\n(000) ldh [12]\n(001) jeq #0x806 jt 2 jf 3\n(002) ret #65535\n\
         (003) ret #0\n*** Validating: is valid!\n*** Result:\n{lines}"
    );
    prints(&["-Vi", "arp.bpf"], "", &verbose);
    prints(&["-V", "arp.bpf"], "", &verbose);
    prints(
        &["-f", "xt_bpf", "arp.bpf"],
        "",
        "4,40 0 0 12,21 0 1 2054,6 0 0 65535,6 0 0 0,\n",
    );
    prints(
        &["-f", "tcpdump", "arp.bpf"],
        "",
        "4\n40 0 0 12\n21 0 1 2054\n6 0 0 65535\n6 0 0 0\n",
    );
    prints(&["-f", "netsniff-ng", "arp.bpf"], "", lines);
    let source =
        "        ldh [12]\n        jeq #0x806,L2,L3\nL2:     ret #0xffff\nL3:     ret #0\n";
    let (code, dumped, _) = bpfc(&["-d", "-"], lines);
    assert_eq!(code, Some(0));
    prints(&["-"], &dumped, lines);
    assert!(dumped.lines().count() == source.lines().count(), "{dumped}");
}

#[test]
fn the_rest_of_the_command_line() {
    let version = format!("bpfc {}\n", env!("CARGO_PKG_VERSION"));
    prints(&["-v"], "", &version);
    prints(&["--version"], "", &version);
    let (code, help, _) = bpfc(&["-h"], "");
    assert!(code == Some(0) && help.contains("Exit status:"), "{help}");
    for arguments in [
        &["--nosuch"][..],
        &[],
        &["-f", "elf", "x.bpf"],
        &["-j", "x.bpf"],
        &["--run", "x.bpf"],
    ] {
        fails(arguments, "", "");
    }
    fails(&["x.bpf", "-r", "y.pcap"], "", "-r wants --run or --debug");
    fails(&["--run", "-", "-r", "-"], "", "can be only one thing");
    fails(
        &["--debug", "-", "-r", "x.pcap"],
        "",
        "can be only one thing",
    );
}

#[test]
fn mistakes_are_told_in_a_line_and_shown() {
    fails(&["nonexistent.bpf"], "", "nonexistent.bpf: No such file");
    fails(&["."], "", ".: Is a directory");
    fails(&["-"], "", "-: the program has no instruction");
    fails(
        &["-"],
        "ldh [12]\nhop\n",
        "-:2:1: there is no instruction hop",
    );
    fails(
        &["-"],
        "jeq #1,L1,L2\nL1: ret #1",
        "-:1:11: there is no label L2",
    );
    fails(&["-"], "ld #1", "does not end with ret");
    fails(&["-"], "div #0\nret #0", "-:1:1: division by zero");
    fails(&["-"], "ret #0\nret #1", "-:2:1: no way leads to this");
    fails(&["-"], "{ 0x99, 0, 0, 0 },", "");
    fails(&["-"], "\u{1b}[31m", "");
    file("latin1.bpf", b"; \xe4\nret #0");
    fails(&["latin1.bpf"], "", "latin1.bpf: not a text");
    let (_, _, errors) = bpfc(&["-"], "ldh [12]\nhop\n");
    assert!(errors.ends_with("\n 2 | hop\n   | ^^^\n"), "{errors}");
    prints(
        &["-b", "-"],
        "ret #0\nret #1",
        "{ 0x6, 0, 0, 0x00000000 },\n{ 0x6, 0, 0, 0x00000001 },\n",
    );
}

#[test]
fn a_capture_is_filtered() {
    file("some.bpf", ARP);
    let (arp, ip) = (frame(0x0806, &[0; 28]), frame(0x0800, &[0x45; 30]));
    let cut: &[u8] = arp.get(..13).unwrap();
    // The last but one was cut where the protocol is.
    let packets: [(&[u8], u32); 5] = [(&ip, 44), (&arp, 42), (&ip, 44), (cut, 42), (&arp, 1500)];
    file("some.pcap", pcap(1, &packets));
    prints(
        &["--run", "some.bpf", "-r", "some.pcap"],
        "",
        "     2  1001.000008     42  65535\n     5  1004.000011   1500  65535\n2 of 5 packets pass\n",
    );
    let json = "{\"number\":2,\"time\":\"1001.000008\",\"length\":42,\"verdict\":65535}\n\
                {\"number\":5,\"time\":\"1004.000011\",\"length\":1500,\"verdict\":65535}\n";
    prints(&["--run", "some.bpf", "-r", "some.pcap", "-j"], "", json);
    let parsed: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(parsed.get("verdict"), Some(&65535.into()));
    prints(
        &["--run", "-", "-r", "some.pcap"],
        "ld #len\nsub #1499\nret a",
        "     1  1000.000007     44  4294965841\n     2  1001.000008     42  4294965839\n     \
         3  1002.000009     44  4294965841\n     4  1003.000010     42  4294965839\n     \
         5  1004.000011   1500  1\n5 of 5 packets pass\n",
    );
    // Packets without a link header.
    file("ip.pcap", pcap(101, &[(&[0x45, 0], 2), (&[0x60, 0], 2)]));
    prints(
        &["--run", "-", "-r", "ip.pcap"],
        "ldh #proto\njeq #0x86dd,L1,L2\nL1: ret #1\nL2: ret #0",
        "     2  1001.000008      2  1\n1 of 2 packets pass\n",
    );
    file("none.pcap", pcap(1, &[]));
    prints(
        &["--run", "some.bpf", "-r", "none.pcap"],
        "",
        "0 of 0 packets pass\n",
    );
}

#[test]
fn bad_captures_are_told_in_a_line() {
    file("bad.bpf", ARP);
    let run = |capture, wanted| fails(&["--run", "bad.bpf", "-r", capture], "", wanted);
    run("nonexistent.pcap", "nonexistent.pcap: No such file");
    file("text.pcap", "no capture at all, but a text");
    run("text.pcap", "text.pcap: this is no pcap file");
    file("empty.pcap", "");
    run("empty.pcap", "empty.pcap: this is no pcap file");
    let whole = pcap(1, &[(&frame(0x0800, &[0; 40]), 54)]);
    file("short.pcap", whole.get(..60).unwrap());
    let (code, _, errors) = bpfc(&["--run", "bad.bpf", "-r", "short.pcap"], "");
    assert_eq!(
        (code, errors.as_str()),
        (Some(1), "bpfc: short.pcap: packet 1: it is cut off\n")
    );
}

#[test]
fn a_program_is_debugged() {
    file("debug.bpf", ARP);
    let (arp, ip) = (frame(0x0806, &[0; 28]), frame(0x0800, &[0x45; 30]));
    file("debug.pcap", pcap(1, &[(&ip, 44), (&arp, 42)]));
    prints(
        &["--debug", "debug.bpf", "-r", "debug.pcap"],
        "step\nregisters\nbreak 2\nrun\nrun\nrun\n",
        "packet 1, 44 bytes\nA 0x0  X 0x0  (000) ldh [12]\n\
         A 0x800  X 0x0  (001) jeq #0x806 jt 2 jf 3\n\
         A     0x00000800  2048\nX     0x00000000  0\n\
         stops at (002) ret #65535\n\
         verdict 0: dropped\n\
         packet 2, 42 bytes\nA 0x0  X 0x0  (000) ldh [12]\n\
         A 0x806  X 0x0  (002) ret #65535\n\
         verdict 65535: passed\nno packets are left\n",
    );
    let (code, out, _) = bpfc(&["--debug", "debug.bpf", "-r", "debug.pcap"], "q\n");
    assert_eq!((code, out.lines().count()), (Some(0), 2));
}
