// SPDX-License-Identifier: GPL-2.0

//! From statements to instructions: labels become distances.

use crate::{
    grammar::{self, Label},
    insn::{unsigned, Insn, MAX_INSNS},
    problem::Problem,
};
use std::{collections::HashMap, ops::Range};

/// Instructions, and what is known of where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The instructions.
    pub insns: Vec<Insn>,
    /// The bytes of the text that each was made from, if it was a source text.
    pub places: Vec<Range<usize>>,
}

/// Compiles a source text. Where jumps go is checked only as far as they can be encoded.
pub fn assemble(text: &str) -> Result<Program, Problem> {
    let (statements, loose) = grammar::parse(text)?;
    if let Some(label) = loose.first() {
        let what = format!("there is no instruction behind the label {}", label.name);
        return Err(Problem::new(label.at.clone(), what));
    }
    if let Some(statement) = statements.get(MAX_INSNS) {
        let what = format!("a program has at most {MAX_INSNS} instructions");
        return Err(Problem::new(statement.at.clone(), what));
    }
    let mut labels: HashMap<&str, (usize, Range<usize>)> = HashMap::new();
    for (index, statement) in statements.iter().enumerate() {
        for label in &statement.labels {
            if let Some((_, first)) = labels.insert(label.name, (index, label.at.clone())) {
                let before = text.get(..first.start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let what = format!("the label {} is in line {line} already", label.name);
                return Err(Problem::new(label.at.clone(), what));
            }
        }
    }
    let mut program = Program::default();
    for (index, statement) in statements.iter().enumerate() {
        // From the next instruction on; negative if it goes back.
        let distance = |label: &Label<'_>| match labels.get(label.name) {
            Some((target, _)) => Ok(i32::try_from(*target).unwrap_or(i32::MAX)
                - i32::try_from(index).unwrap_or(i32::MAX)
                - 1),
            None => Err(Problem::new(
                label.at.clone(),
                format!("there is no label {}", label.name),
            )),
        };
        let short = |label: &Option<Label<'_>>| {
            let Some(label) = label else { return Ok(0) };
            let distance = distance(label)?;
            u8::try_from(distance)
                .map_err(|_| Problem::new(label.at.clone(), too_far(label, distance)))
        };
        let mut insn = statement.op.with(statement.k);
        insn.jt = short(&statement.yes)?;
        insn.jf = short(&statement.no)?;
        if let Some(label) = &statement.always {
            // What goes back becomes a distance beyond the end, which `check` refuses.
            insn.k = unsigned(distance(label)?);
        }
        program.insns.push(insn);
        program.places.push(statement.at.clone());
    }
    Ok(program)
}

fn too_far(label: &Label<'_>, distance: i32) -> String {
    if distance < 0 {
        format!("{} is behind: jumps go only forward", label.name)
    } else {
        format!(
            "{} is {distance} instructions away: a conditional jump goes over 255 at most",
            label.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::AD_OFF;

    fn codes(text: &str) -> Vec<(u16, u8, u8, u32)> {
        let program = assemble(text).map_err(|p| p.line("t", text));
        let insns = program.unwrap().insns;
        insns.into_iter().map(Into::into).collect()
    }

    fn said(text: &str) -> String {
        assemble(text).unwrap_err().line("t", text)
    }

    #[test]
    fn every_operand() {
        for (text, insn) in [
            ("ldb [1]", (0x30, 0, 0, 1)),
            ("ldh [x + 2]", (0x48, 0, 0, 2)),
            ("ldh [x+2]", (0x48, 0, 0, 2)),
            ("ldb [%x+0]", (0x50, 0, 0, 0)),
            ("ld [x - 4]", (0x40, 0, 0, u32::MAX - 3)),
            ("ld [x + -4]", (0x40, 0, 0, u32::MAX - 3)),
            ("ld #-1", (0x00, 0, 0, u32::MAX)),
            ("ld # 0x10", (0x00, 0, 0, 16)),
            ("LD #LEN", (0x80, 0, 0, 0)),
            ("ld len", (0x80, 0, 0, 0)),
            ("ld M[15]", (0x60, 0, 0, 15)),
            ("ld m [ 017 ]", (0x60, 0, 0, 15)),
            ("ld [0b101]", (0x20, 0, 0, 5)),
            ("ldi 7", (0x00, 0, 0, 7)),
            ("ldxi #7", (0x01, 0, 0, 7)),
            ("ldx #len", (0x81, 0, 0, 0)),
            ("ldx M[1]", (0x61, 0, 0, 1)),
            ("ldx 4*([14]&0xf)", (0xb1, 0, 0, 14)),
            ("ldxb 4 * ( [ 14 ] & 15 )", (0xb1, 0, 0, 14)),
            ("st M[3]", (0x02, 0, 0, 3)),
            ("stx M[3]", (0x03, 0, 0, 3)),
            ("add #1", (0x04, 0, 0, 1)),
            ("xor x", (0xac, 0, 0, 0)),
            ("mod %x", (0x9c, 0, 0, 0)),
            ("neg", (0x84, 0, 0, 0)),
            ("ret a", (0x16, 0, 0, 0)),
            ("ret %a", (0x16, 0, 0, 0)),
            ("ret x", (0x0e, 0, 0, 0)),
            ("tax", (0x07, 0, 0, 0)),
            ("txa", (0x87, 0, 0, 0)),
            ("ldh #proto", (0x28, 0, 0, AD_OFF)),
            ("ldb type", (0x30, 0, 0, AD_OFF + 4)),
            ("ld #vlan_tpid", (0x20, 0, 0, AD_OFF + 60)),
            ("ld #vlanp", (0x20, 0, 0, AD_OFF + 48)),
        ] {
            assert_eq!(codes(text), [insn], "{text}");
        }
    }

    #[test]
    fn jumps_become_distances() {
        let text = "# 1 \"x.c\"\nL0: jeq #1,L1,L2 /* a\n comment */ jlt x,L2; another\n\
                    jne #2, L3\njmp L3 L1:ret #0 L2: L_2:\n\nret a L3: ret #1";
        let insns = [
            (0x15, 3, 4, 1),
            (0x3d, 0, 3, 0),
            (0x15, 0, 3, 2),
            (0x05, 0, 0, 2),
            (0x06, 0, 0, 0),
            (0x16, 0, 0, 0),
            (0x06, 0, 0, 1),
        ];
        assert_eq!(codes(text), insns);
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, what) in [
            ("ldh\nret #0", "t:1:1: ldh takes [k], [x + k] or an extension such as #proto, not ret"),
            ("ldh", "t:1:1: ldh takes [k], [x + k] or an extension such as #proto, not the end of the text"),
            ("st #1", "t:1:4: st takes M[k]"),
            ("ret #0\nfoo #1", "t:2:1: there is no instruction foo"),
            ("ret 0", "t:1:5: ret takes #k or a"),
            ("ld [y + 1]", "t:1:5: [k] or [x + k] is wanted, not [y"),
            ("ld [4", "t:1:6: ] is wanted, not the end of the text"),
            ("ld #09", "t:1:5: 09 is no number"),
            ("ld #0x", "t:1:5: 0x is no number"),
            ("ld #4294967296", "t:1:5: 4294967296 does not fit in 32 bits"),
            ("ldx 5*([14]&0xf)", "t:1:5: only 4*([k]&0xf) can be computed"),
            ("ldh #foo", "t:1:5: there is no extension #foo"),
            ("jeq #1", "t:1:7: a comma and a label behind it is wanted, not the end of the text"),
            ("jmp ret", "t:1:5: a label is wanted, and ret is an instruction"),
            ("jmp L", "t:1:5: there is no label L"),
            ("L: ret #0\njeq #1,L", "t:2:8: L is behind: jumps go only forward"),
            ("ret #0\nL:", "t:2:1: there is no instruction behind the label L"),
            ("L: ret #0\nL: ret #0", "t:2:1: the label L is in line 1 already"),
            ("ret #0 /* x", "t:1:8: this comment has no end"),
            ("ret #0 @", "t:1:8: @: an instruction or a label is wanted"),
            ("ret #ä", "t:1:6: a number is wanted, not ä"),
        ] {
            assert_eq!(said(text), what);
        }
        let far = format!("jeq #1,L\n{}L: ret #0", "tax\n".repeat(256));
        assert_eq!(
            said(&far),
            "t:1:8: L is 256 instructions away: a conditional jump goes over 255 at most"
        );
        let near = format!("jeq #1,L\n{}L: ret #0", "tax\n".repeat(255));
        assert_eq!(codes(&near)[0], (0x15, 255, 0, 1));
        assert_eq!(
            said(&"tax\n".repeat(4097)),
            "t:4097:1: a program has at most 4096 instructions"
        );
    }
}
