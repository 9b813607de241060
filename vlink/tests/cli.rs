// SPDX-License-Identifier: GPL-2.0

//! The tool as the shell sees it: exit codes, messages, generated files.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

fn vlink(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vlink"));
    command.args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn wrong_command_lines_are_usage() {
    let output = vlink(&["ethernet", "hook"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "vlink: the following required arguments were not provided: <DEVICE|--index <IFINDEX>>; \
         usage: vlink ethernet hook <DEVICE|--index <IFINDEX>> [KEY=VALUE]...\n"
    );
    for args in [
        &[][..],
        &["ethernet"],
        &["ethernet", "add", "x"],
        &["ethernet", "rm"],
        &["token-ring"],
        &["token-ring", "frobnicate"],
        &["token-ring", "hook"],
        &["ethernet", "unhook", "eth0", "--block", "eth0"],
    ] {
        let output = vlink(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{args:?}");
    }
    let output = vlink(&["shwo"]);
    let said = text(&output.stderr);
    assert!(
        said.starts_with("vlink: unrecognized subcommand 'shwo'; "),
        "{said}"
    );
    assert!(said.contains("'show'"), "{said}");
    let output = vlink(&["ethernet", "add", "mydev0", "eth0", "256"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "vlink: invalid value '256' for '[ID]': ID wants a number from 0 to 255\n"
    );
}

#[test]
fn changes_of_devices_go_in_transactions() {
    let batch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("batch");
    let changes = "ethernet hook eth0\nethernet add mydev0 eth0 0x0a\n\
                   ethernet add mydev1 eth0 --block b\nethernet rm --index 7\n\
                   token-ring unhook --block c\n";
    fs::write(&batch, changes.to_owned() + "show\n").unwrap();
    let output = vlink(&["-b", batch.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let expected =
        ":6: show: changes nothing that a transaction can hold; --force goes line by line\n";
    let said = text(&output.stderr);
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn man_pages_and_completions_are_made() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man");
    let _ = fs::remove_dir_all(&directory);
    let output = vlink(&["man", directory.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(directory.join("vlink.8").exists());
    assert!(directory.join("vlink-ethernet-hook.8").exists());
    let page = fs::read_to_string(directory.join("vlink-ethernet-add.8")).unwrap();
    assert!(page.contains("0xac00"), "{page}");
    let output = vlink(&["completions", "bash"]);
    assert!(text(&output.stdout).contains("LANA_COMPLETE"));
}
