// SPDX-License-Identifier: GPL-2.0

//! What two hosts agree on, and which packets can be told apart.

use super::*;

fn wanted(names: &str) -> Vec<Wanted> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| Wanted {
            optional: name.ends_with('?'),
            ..Wanted::new(Name::short(name.trim_end_matches('?')).unwrap())
        })
        .collect()
}

fn agreed(names: &str) -> Vec<Agreed> {
    let offer = wanted(names);
    let verdicts: Vec<_> = offer.iter().map(|w| judge(w, &catalogue())).collect();
    combine(&offer, &verdicts).unwrap()
}

fn names(stack: &[Wanted]) -> String {
    let names: Vec<_> = stack
        .iter()
        .map(|block| {
            let name = block.name.as_str().trim_start_matches("org.lana.");
            format!("{name}{}", if block.optional { "?" } else { "" })
        })
        .collect();
    names.join(",")
}

#[test]
fn verdicts() {
    let have = catalogue();
    let crypt = |versions, options: &[&str]| {
        let wanted = Wanted {
            versions,
            options: options
                .iter()
                .map(|&key| (key.into(), "1".into()))
                .collect(),
            ..Wanted::new(Name::short("compress").unwrap())
        };
        judge(&wanted, &have)
    };
    assert_eq!(crypt(0..=9, &["level"]), Verdict::Accept(1));
    assert_eq!(crypt(2..=9, &[]), Verdict::Version(1, 1));
    assert_eq!(crypt(0..=0, &[]), Verdict::Version(1, 1));
    assert_eq!(
        crypt(1..=1, &["limit", "level"]),
        Verdict::Option("limit".into())
    );
    let lacking = &wanted("nothing")[0];
    assert_eq!(judge(lacking, &have), Verdict::Lacking);
}

#[test]
fn combinations() {
    let offer = wanted("checksum,new?,crypt");
    let verdicts: Vec<_> = offer.iter().map(|w| judge(w, &catalogue())).collect();
    assert_eq!(
        combine(&offer, &verdicts).unwrap(),
        agreed("checksum,crypt")
    );
    let offer = wanted("checksum,new");
    let verdicts: Vec<_> = offer.iter().map(|w| judge(w, &catalogue())).collect();
    let refused = (Name::short("new").unwrap(), Verdict::Lacking);
    assert_eq!(combine(&offer, &verdicts), Err(refused));
}

#[test]
fn merging() {
    let merged = |one, other| names(&merge(&wanted(one), &wanted(other)));
    assert_eq!(merged("a.x,a.y", "a.y,a.x"), "a.x,a.y");
    assert_eq!(
        merged("compress,crypt", "checksum"),
        "checksum,compress,crypt"
    );
    assert_eq!(merged("crypt?", "crypt"), "crypt");
    assert_eq!(merged("crypt?", "crypt?"), "crypt?");
    assert_eq!(merged("", "crypt"), "crypt");
}

#[test]
fn digests() {
    let one = agreed("checksum,crypt");
    let mut other = one.clone();
    assert_eq!(digest(&one), digest(&other));
    other[0].options.push(("a".into(), "b".into()));
    assert_ne!(digest(&one), digest(&other));
    assert_ne!(digest(&one), digest(&agreed("crypt,checksum")));
}

#[test]
fn packets_that_can_be_told_apart() {
    let separable = |one, other| {
        let have = catalogue();
        let result = separable(&agreed(one), &agreed(other), &have);
        assert_eq!(
            result,
            super::separable(&agreed(other), &agreed(one), &have)
        );
        result
    };
    assert!(separable("", "compress"));
    assert!(separable("checksum", "checksum"));
    assert!(separable("compress,checksum", "compress"));
    assert!(separable("checksum,compress,crypt", "compress,crypt"));
    assert!(separable("crypt", "crypt"));
    assert!(separable("compress,crypt", "compress,crypt,reliable"));
    assert!(separable("compress,crypt", "compress,reliable,crypt"));
    assert!(!separable("reliable", "compress,reliable"));
    assert!(!separable("crypt,compress", "compress"));
    assert!(!separable("crypt,compress", "crypt,compress"));
}

#[test]
fn bridges() {
    let bridge = |one, other| {
        let bridge = bridge(&agreed(one), &wanted(other), &catalogue());
        bridge.map(|bridge| names(&bridge))
    };
    assert_eq!(bridge("compress", "crypt"), None);
    assert_eq!(bridge("reliable", "reliable"), None);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(bridge("reliable", "compress,reliable"), some("compress"));
    assert_eq!(bridge("reliable", "checksum?,reliable"), some("checksum?"));
    assert_eq!(
        bridge("compress", "checksum,crypt,compress"),
        some("checksum,crypt")
    );
    assert_eq!(bridge("crypt,reliable", "reliable"), some(""));
}

#[test]
fn bad_stacks() {
    assert_eq!(check(&wanted("crypt,checksum")), Ok(()));
    let twice = BadStack::Twice(Name::short("crypt").unwrap());
    assert_eq!(check(&wanted("crypt,checksum,crypt")), Err(twice));
    let many: Vec<_> = (0..17).map(|i| format!("a.b{i}")).collect();
    assert_eq!(check(&wanted(&many.join(","))), Err(BadStack::Many));
    let mut one = wanted("crypt");
    one[0].options.push(("a\n".into(), String::new()));
    assert!(matches!(check(&one), Err(BadStack::Options(_))));
}
