// SPDX-License-Identifier: GPL-2.0

//! Random programs compile to what the kernel tree's `tools/bpf/bpf_asm` makes of them.
//! `LANA_PROGRAMS=1000000` is the long form; `LANA_SEED` begins elsewhere. It wants the kernel's source
//! (`KSRC`, which scripts/env sets), flex, bison and a C compiler.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use bpfc::{assemble::assemble, insn::EXTENSIONS};
use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Numbers that are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
    fn number(&mut self) -> String {
        let bits = u32::try_from(self.next() >> 32).unwrap() >> self.below(32);
        match self.below(6) {
            0 => format!("0x{bits:x}"),
            1 => format!("0X{bits:08X}"),
            2 => format!("0b{:b}", bits >> 1),
            3 => format!("0{:o}", bits.max(1)),
            4 => format!("-{}", (bits >> 1).max(1)),
            _ => bits.to_string(),
        }
    }
}

fn program(random: &mut Random) -> String {
    let most = if random.below(8) == 0 { 300 } else { 12 };
    let len = 1 + random.below(most);
    let mut text = String::new();
    let blank = [" ", "", "\n"];
    for index in 0..len {
        let _ = write!(
            text,
            "{}",
            random.pick(&["", " ", "\t", "; c #0 ret\n", "/* tax\n ret */ "])
        );
        let (before, behind) = (random.pick(&["", " "]), random.pick(&blank));
        let _ = write!(text, "L_{index}{before}:{behind}");
        let upper = random.below(8) == 0;
        let mut line = statement(random, index, len);
        if upper {
            line = line.to_uppercase();
        }
        let _ = write!(
            text,
            "{line}{}",
            random.pick(&["\n", " \n", " ; end\n", "\n\n", " "])
        );
    }
    text
}

fn statement(random: &mut Random, index: usize, len: usize) -> String {
    let k = random.number();
    let target = |random: &mut Random| {
        // Mostly one that can be jumped to.
        let span = if random.below(16) == 0 {
            len + 1
        } else {
            (len - index).min(250)
        };
        let to = if span > len {
            random.below(span)
        } else {
            (index + 1 + random.below(span)).min(len - 1)
        };
        format!("L_{to}")
    };
    match random.below(12) {
        0 => format!("{} [{k}]", random.pick(&["ld", "ldh", "ldb"])),
        1 => format!(
            "{} [{}x + {k}]",
            random.pick(&["ld", "ldh", "ldb"]),
            random.pick(&["", "%"])
        ),
        2 => {
            let bare: Vec<&str> = EXTENSIONS.iter().filter(|e| e.2).map(|e| e.0).collect();
            let hash = random.pick(&["#", ""]);
            format!(
                "{} {hash}{}",
                random.pick(&["ld", "ldh", "ldb"]),
                random.pick(&bare)
            )
        }
        3 => format!("{} M[{k}]", random.pick(&["ld", "ldx", "st", "stx"])),
        4 => format!(
            "{} {}",
            random.pick(&["ld", "ldx"]),
            random.pick(&["#len", "len"])
        ),
        5 => format!("{} #{k}", random.pick(&["ld", "ldx", "ldi", "ldxi"])),
        6 => format!("{} {k}", random.pick(&["ldi", "ldxi"])),
        7 => format!(
            "{} 4*([{k}]&{})",
            random.pick(&["ldx", "ldxb"]),
            random.pick(&["0xf", "15"])
        ),
        8 => {
            let name = random.pick(&["jeq", "jgt", "jge", "jset", "jne", "jneq", "jlt", "jle"]);
            let operand = match random.below(3) {
                0 => "x".to_owned(),
                1 => "%x".to_owned(),
                _ => format!("#{k}"),
            };
            let mut line = format!(
                "{name} {operand},{}{}",
                random.pick(&["", " "]),
                target(random)
            );
            if matches!(name, "jeq" | "jgt" | "jge" | "jset") && random.below(3) != 0 {
                let _ = write!(line, ",{}", target(random));
            }
            line
        }
        9 => format!("{} {}", random.pick(&["jmp", "ja"]), target(random)),
        10 => {
            let names = [
                "add", "sub", "mul", "div", "mod", "and", "or", "xor", "lsh", "rsh",
            ];
            let operand = match random.below(3) {
                0 => "x".to_owned(),
                1 => "%x".to_owned(),
                _ => format!("#{k}"),
            };
            format!("{} {operand}", random.pick(&names))
        }
        _ => match random.below(4) {
            0 => format!("ret #{k}"),
            1 => random
                .pick(&["ret a", "ret %a", "ret x", "ret %x"])
                .to_owned(),
            2 => "neg".to_owned(),
            _ => random.pick(&["tax", "txa"]).to_owned(),
        },
    }
}

/// Builds the many-programs form of bpf_asm.
fn build() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = PathBuf::from(env::var_os("KSRC").unwrap_or_default());
    let tool = source.join("tools/bpf");
    assert!(
        tool.join("bpf_exp.y").exists(),
        "no kernel source in KSRC: run this by scripts/chroot, after scripts/setup source"
    );
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bpf_asm");
    fs::create_dir_all(&out).unwrap();
    let run = |command: &mut Command| {
        let done = command.current_dir(&out).output().unwrap();
        assert!(
            done.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    run(Command::new("bison")
        .args(["-d", "-o", "bpf_exp.yacc.c"])
        .arg(tool.join("bpf_exp.y")));
    run(Command::new("flex")
        .args(["-o", "bpf_exp.lex.c"])
        .arg(tool.join("bpf_exp.l")));
    run(Command::new("cc")
        .args(["-O2", "-w", "-D__EXPORTED_HEADERS__", "-I."])
        .arg(format!("-I{}", source.join("tools/include/uapi").display()))
        .arg(format!("-I{}", source.join("tools/include").display()))
        .args(["-o", "asm", "bpf_exp.yacc.c", "bpf_exp.lex.c"])
        .arg(top.join("tests/asm.c")));
    out.join("asm")
}

#[test]
fn as_the_kernel_trees() {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (mut left, seed): (u64, u64) = (number("LANA_PROGRAMS", 3000), number("LANA_SEED", 1));
    let asm = build();
    let mut random = Random(seed);
    let (mut compiled, mut refused) = (0, 0);
    while left > 0 {
        let count = left.min(1000);
        left -= count;
        let texts: Vec<String> = (0..count).map(|_| program(&mut random)).collect();
        let mut child = Command::new(&asm)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let all = texts.join("\0") + "\0";
        let writer = std::thread::spawn(move || input.write_all(all.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let mut lines = output.lines();
        for text in &texts {
            let mut theirs = Vec::new();
            let status = loop {
                let line = lines.next().unwrap();
                match line.strip_prefix('=') {
                    Some(status) => break status,
                    None => theirs.push(line),
                }
            };
            let ours = assemble(text);
            if status == "0" {
                let ours = ours.map_err(|e| e.line(text, text)).unwrap();
                let ours: Vec<String> = ours
                    .insns
                    .iter()
                    .map(|i| {
                        let (code, k) = (hex(i.code.into(), 4), hex(i.k, 10));
                        format!("{{ {code}, {:>2}, {:>2}, {k} }},", i.jt, i.jf)
                    })
                    .collect();
                assert_eq!(ours, theirs, "{text}");
                compiled += 1;
            } else {
                assert!(ours.is_err(), "bpf_asm refuses it: {text}");
                refused += 1;
            }
        }
    }
    assert!(
        compiled > refused && refused > 0,
        "{compiled} were compiled, {refused} refused"
    );
}

/// As `%#010x` of C, which gives 0 no prefix.
fn hex(number: u32, width: usize) -> String {
    match number {
        0 => format!("{number:0width$}"),
        _ => format!("{number:#0width$x}"),
    }
}
