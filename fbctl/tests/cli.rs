// SPDX-License-Identifier: GPL-2.0

//! The tool as the shell sees it: exit codes, messages, generated files.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

fn fbctl(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fbctl"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may be done before it reads anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code and standard error.
fn failure(args: &[&str], input: &str) -> (Option<i32>, String) {
    let output = fbctl(args, input);
    (output.status.code(), text(&output.stderr))
}

fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    directory
}

#[test]
fn wrong_command_lines_are_usage() {
    for (args, expected) in [
        (
            &["add", "fb2"][..],
            "fbctl: the following required arguments were not provided: <TYPE>; \
             usage: fbctl add <NAME> <TYPE>\n",
        ),
        (
            &["set", "fb3", "program"],
            "fbctl: invalid value 'program' for '<KEY=VALUE>': KEY=VALUE wants a =\n",
        ),
        (
            &["set", "fb3", "program=@/no/such/file"],
            "fbctl: set fb3 program: /no/such/file: No such file or directory\n",
        ),
        (
            &["-b", "/no/such/file"],
            "fbctl: /no/such/file: No such file or directory\n",
        ),
        (
            &["-n", "no such namespace", "show"],
            "fbctl: network namespace no such namespace: No such file or directory\n",
        ),
        (
            &["trace", "--filter", "@/no/such/file"],
            "fbctl: trace: --filter: /no/such/file: No such file or directory\n",
        ),
        (
            &["capture", "eth0", "-s"],
            "fbctl: capture: -s is --stats; how much of a packet: --snaplen\n",
        ),
        (
            &["stats", "-w", "fb2"],
            "fbctl: invalid value 'fb2' for '--watch [<SECONDS>]': an interval is 0.1 to 86400 \
             seconds; names stand before the option\n",
        ),
        (
            &["top", "-d", "0"],
            "fbctl: invalid value '0' for '--delay <SECONDS>': an interval is 0.1 to 86400 seconds\n",
        ),
        (
            &["metrics", "--listen", "nowhere"],
            "fbctl: metrics: 'nowhere' is no address to listen at, such as 127.0.0.1:9526 or \
             [::]:9526\n",
        ),
        (
            &["-b", "-", "show"],
            "fbctl: either a command or --batch, not both\n",
        ),
    ] {
        assert_eq!(failure(args, ""), (Some(1), expected.to_owned()));
    }
    for args in [
        &[][..],
        &["nosuch"],
        &["show", "--nosuch"],
        &["--force", "show"],
    ] {
        let (code, said) = failure(args, "");
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn batch_errors_name_the_line() {
    let (code, said) = failure(&["-b", "-"], "# nothing\n\nadd fb2\n");
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("fbctl: -:3: the following required arguments"),
        "{said}"
    );
    let (_, said) = failure(&["-b", "-"], "set fb3 program=@-\n");
    let expected = "fbctl: -:1: set fb3 program: @-: the batch comes from there\n";
    assert_eq!(said, expected);
    let (code, said) = failure(&["--force", "-b", "-"], "nosuch\nadd 'x\n");
    assert_eq!((code, said.lines().count()), (Some(1), 2), "{said}");
    assert_eq!(
        failure(&["-b", "-"], "# nothing\n"),
        (Some(0), String::new())
    );
}

#[test]
fn batches_are_transactions() {
    for (args, input, expected) in [
        (
            &["-b", "-"][..],
            "add a dummy\n\nshow\n",
            "fbctl: -:3: show: changes nothing that a transaction can hold; --force goes line by line\n",
        ),
        (
            &["-b", "-"],
            "add a dummy\nset a k=@/no/such\n",
            "fbctl: -:2: set a k: /no/such: No such file or directory\n",
        ),
        (
            &["--force", "-b", "-"],
            "apply -\n",
            "fbctl: -:1: apply: nothing was changed: -: the batch comes from there\n",
        ),
    ] {
        assert_eq!(failure(args, input), (Some(1), expected.to_owned()));
    }
}

#[test]
fn bad_graph_files_are_refused_with_the_line() {
    for (file, expected) in [
        (
            "[blocks.a]\ntyp = 'x'",
            "-:2: unknown key 'typ': not type, options",
        ),
        ("\n[blocks.a", "-:2: unclosed table, expected ']'"),
        ("a", "-:1: key with no value, expected '='"),
    ] {
        let expected = format!("fbctl: apply: nothing was changed: {expected}\n");
        assert_eq!(failure(&["apply", "-"], file), (Some(1), expected));
    }
    let (code, said) = failure(&["apply", "/no/such/file"], "");
    let expected = "fbctl: apply: nothing was changed: /no/such/file: No such file or directory\n";
    assert_eq!((code, said.as_str()), (Some(1), expected));
    let (code, said) = failure(&["apply", "/proc/self/exe"], "");
    assert_eq!(code, Some(1));
    assert!(said.ends_with(": it is not UTF-8\n"), "{said}");
}

#[test]
fn help_and_version_are_no_errors() {
    let output = fbctl(&["--help"], "");
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(
        help.contains("Examples:") && help.contains("Exit status:"),
        "{help}"
    );
    assert!(!help.contains("  man "), "{help}");
    let output = fbctl(&["-V"], "");
    assert_eq!(
        text(&output.stdout),
        concat!("fbctl ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

/// What stands below the options of a help, for lines of so many columns.
fn below(args: &[&str], columns: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fbctl"));
    command.args(args).env_remove("COLUMNS");
    let output = command.envs(columns.map(|columns| ("COLUMNS", columns)));
    let help = text(&output.output().unwrap().stdout);
    let (_, options) = help.rsplit_once("-h, --help").unwrap();
    options.split_once("\n\n").unwrap().1.to_owned()
}

#[test]
fn examples_fit_into_80_columns() {
    for args in ["--help", "help trace", "help apply", "help top"] {
        let args: Vec<_> = args.split(' ').collect();
        assert_eq!(below(&args, Some("80")), below(&args, None), "{args:?}");
    }
    assert_ne!(below(&["--help"], Some("60")), below(&["--help"], None));
}

#[test]
fn completions_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let output = fbctl(&["completions", shell], "");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("LANA_COMPLETE"), "{shell}");
    }
}

#[test]
fn man_pages_are_made() {
    let directory = scratch("man");
    let output = fbctl(&["man", directory.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = fs::read_to_string(directory.join("fbctl.8")).unwrap();
    assert!(page.contains("EXIT STATUS"), "{page}");
    assert!(directory.join("fbctl-bind.8").exists());
    let page = fs::read_to_string(directory.join("fbctl-apply.8")).unwrap();
    assert!(
        page.contains("FORMAT") && page.contains("[blocks.count]"),
        "{page}"
    );
    let (code, said) = failure(&["man", "/dev/null/x"], "");
    assert_eq!(
        (code, said),
        (Some(1), "fbctl: man: /dev/null/x: Not a directory\n".into())
    );
}

/// Runs it where nothing can be written to one of its outputs. Exit code, and what the other one says.
fn full(args: &[&str], input: &str, error: bool) -> (Option<i32>, String) {
    let no_room = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_fbctl"));
    command.args(args).stdin(Stdio::piped());
    if error {
        command.stderr(no_room()).stdout(Stdio::piped());
    } else {
        command.stdout(no_room()).stderr(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = if error { output.stdout } else { output.stderr };
    (output.status.code(), text(&said))
}

#[test]
fn what_cannot_be_written_is_an_error() {
    for (args, label) in [
        (&["--help"][..], "--help"),
        (&["add", "--help"], "--help"),
        (&["--version"], "--version"),
        (&["completions", "bash"], "completions"),
    ] {
        let said = format!("fbctl: {label}: standard output: No space left on device\n");
        assert_eq!(full(args, "", false), (Some(1), said));
    }
}

#[test]
fn a_standard_error_that_is_full_changes_nothing() {
    assert_eq!(full(&["nosuch"], "", true), (Some(1), String::new()));
    let (code, said) = full(&["--force", "-b", "-"], "nosuch\ncompletions bash\n", true);
    assert_eq!(code, Some(1));
    assert!(said.contains("LANA_COMPLETE"), "{said}");
}

#[test]
fn nobody_reading_is_silent() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fbctl"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}
