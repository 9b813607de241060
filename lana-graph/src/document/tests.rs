// SPDX-License-Identifier: GPL-2.0

//! Files, good and bad.

use super::*;
use crate::model::{Device, Kind, Names, Share, Target};
use ::toml::{Table, Value};

/// One of each.
const EXAMPLE: &str = r#"
# upper, lower
bindings = [ ["count", "lan0"],
    ["filter", "count"], ] # numbers the ports
subscriptions = [ ["filter", "lan0"] ]

[devices.lan0]
subsystem = "ethernet"

[blocks.count]
type = "counter"

[devices.mydev0]
subsystem = "ethernet"
carrier = "wan0"
id = 10

[blocks.filter]
type = "bpf"
options = { program = "{ 0x6, 0, 0, 0 },\n" }
"#;

fn mistake(file: &str) -> String {
    match read(file, &mut Names::default()) {
        Ok(target) => panic!("{file}\nis {target:?}"),
        Err(mistake) => format!("{}: {}", mistake.line, mistake.text),
    }
}

/// What was read, in the form of the file.
fn value(target: &Target<'_>, names: &Names) -> Table {
    let pairs = |bonds: &[crate::model::Bond]| -> Value {
        let pair = |bond: &crate::model::Bond| {
            let (first, second) = bond.pair;
            Value::from(vec![names.text(first), names.text(second)])
        };
        bonds.iter().map(pair).collect::<Vec<_>>().into()
    };
    let (mut blocks, mut devices) = (Table::new(), Table::new());
    for (name, block) in target.blocks.iter() {
        let mut table = Table::new();
        let text = |name| Value::from(names.text(name));
        let options = block.settings.iter();
        let options: Table = options
            .map(|s| (names.text(s.key).to_owned(), Value::from(s.value.as_ref())))
            .collect();
        if !options.is_empty() {
            table.insert("options".into(), options.into());
        }
        let name_text = names.text(name).to_owned();
        match block.kind {
            Kind::Made(kind) => {
                table.insert("type".into(), text(kind));
                blocks.insert(name_text, table.into());
            }
            Kind::Device(Device {
                subsystem,
                ifname,
                share,
                xdp,
            }) => {
                table.insert("subsystem".into(), text(subsystem));
                if ifname != name {
                    table.insert("ifname".into(), text(ifname));
                }
                if let Some(Share { carrier, id }) = share {
                    table.insert("carrier".into(), text(carrier));
                    table.insert("id".into(), i64::from(id).into());
                }
                if xdp {
                    table.insert("xdp".into(), true.into());
                }
                devices.insert(name_text, table.into());
            }
        }
    }
    let mut all = Table::new();
    for (key, value) in [
        ("bindings", pairs(&target.bindings)),
        ("subscriptions", pairs(&target.subscriptions)),
        ("blocks", blocks.into()),
        ("devices", devices.into()),
    ] {
        let empty = match &value {
            Value::Table(table) => table.is_empty(),
            Value::Array(array) => array.is_empty(),
            _ => false,
        };
        if !empty {
            all.insert(key.to_owned(), value);
        }
    }
    all
}

#[test]
fn places_are_those_of_the_file() {
    let mut names = Names::default();
    let target = read(EXAMPLE, &mut names).unwrap();
    let lines: Vec<_> = target
        .bindings
        .iter()
        .map(|b| line(EXAMPLE, b.place))
        .collect();
    assert_eq!(lines, [3, 4]);
    let lines: Vec<_> = target
        .blocks
        .iter()
        .map(|(_, b)| line(EXAMPLE, b.place))
        .collect();
    assert_eq!(lines, [7, 10, 13, 18]);
    let filter = target.blocks.iter().last().unwrap().1;
    assert_eq!(line(EXAMPLE, filter.settings[0].place), 20);
}

/// However it is spelt, it is what the crate `toml` makes of it.
#[test]
fn files_are_read_as_toml() {
    for file in [
        EXAMPLE,
        "",
        "\u{feff}# a mark of byte order\r\n",
        "bindings = []\n[blocks]\n[devices]",
        "blocks.a.type = 'x'\nblocks.a.options.k = '''\nv'''\nblocks.b = { type = \"y\" }",
        "blocks = { a = { type = 'x', options = { k = 'v', l = '' } } , b.type = 'y' }",
        "[blocks]\na.type = 'x'\na.options = {}\nb = { type = 'y', options.k = 'v' }",
        "[blocks.a.options]\nk = 'v'\n[blocks.a]\ntype = 'x'\n[blocks]\nb.type = 'y'",
        "[blocks.\"a b\"]\n'type' = \"\\u0078\\n\"\n[blocks.a\u{200d}]\ntype='x'".replace('\u{200d}', "-_1").as_str(),
        "[ blocks . a ]\r\n type\t=\t'x' # why\r\n[devices.e]\r\nsubsystem='s'\r\nifname='f'\r\n",
        "blocks.a.type = 'x'\n[blocks.b]\ntype = 'y'\n[blocks.b.options]\nk = \"\"\"a\\\n   b\"\"\"",
        "[devices]\nv = { id = 0xf_f, carrier = 'e', subsystem = 's' }\nw.id = +1_0\nw.carrier = 'e'\nw.subsystem = 's'",
        "[devices]\nv = { xdp = true, subsystem = 's' }\nw.xdp = true # frames\nw.subsystem = 's'",
        "devices.v.subsystem = 's'\ndevices.v.carrier = ''\ndevices.v.id = 0b1 # one\n",
        "bindings = [\n [ 'a', # one\n 'b' ] # two\n ,\n]\nblocks = { a.type = 't', b.type = 't' }",
    ] {
        let mut names = Names::default();
        let target = read(file, &mut names);
        let target = target.unwrap_or_else(|m| panic!("{file}\n{m:?}"));
        let mut expected: Table = ::toml::from_str(file).unwrap();
        expected.retain(|_, value| match value {
            Value::Table(table) => !table.is_empty(),
            Value::Array(array) => !array.is_empty(),
            _ => true,
        });
        for table in expected.get_mut("blocks").into_iter().filter_map(Value::as_table_mut) {
            for (_, block) in table.iter_mut() {
                let block = block.as_table_mut().unwrap();
                block.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
            }
        }
        assert_eq!(value(&target, &names), expected, "{file}");
    }
}

/// What the crate `toml` refuses is refused, in the same line.
#[test]
fn what_is_no_toml_is_refused() {
    for file in [
        "[blocks.a]\ntype = 'x'\n[blocks.a]\n",
        "[blocks.a]\ntype = 'x'\ntype = 'y'\n",
        "[blocks]\n[blocks]\n",
        "blocks.a.type = 'x'\n[blocks.a]\n",
        "blocks.a.type = 'x'\n\n[blocks]\n",
        "blocks = { a.type = 'x' }\n[blocks.b]\ntype = 'y'",
        "blocks = { a = { type = 'x' }, a.options.k = 'v' }",
        "blocks.a = { type = 'x' }\nblocks.a.options.k = 'v'",
        "[blocks.a]\ntype = 'x'\n[blocks]\na.options.k = 'v'",
        "[blocks.a]\noptions.k = 'v'\noptions = {}",
        "[blocks.a]\noptions.k = 'v'\n[blocks.a.options]",
        "[blocks.a]\noptions = { k = 'v', k = 'w' }",
        "bindings = []\nbindings = []",
        "bindings = []\n[bindings]",
        "bindings = [['a' 'b']]",
        "bindings = [['a', 'b']\n\nblocks = {}",
        "[blocks.a\ntype = 'x'",
        "[blocks.a]\ntype = 'x",
        "[blocks.a]\ntype = x",
        "[blocks.a]\ntype = \"\\q\"",
        "[blocks.a]\ntype\n",
        "[blocks.a]]\n",
        "[]\n",
        "[blocks..a]\n",
        "[blocks.a] type = 'x'",
        "# a\u{7}\n",
        "]\n}\n",
        "= 'x'",
        ".a = 1",
        "[devices.v]\nid = 010",
        "[devices.v]\nid = 0xfg",
        "[devices.v]\nid = +",
        "[devices.v]\nid = 1\nid = 1",
        "[devices.v]\nxdp = true\nxdp = true",
        "[devices.v]\nxdp = yes",
        "[devices.v]\nxdp = True",
    ] {
        let theirs = ::toml::from_str::<Table>(file).unwrap_err();
        let before = file.get(..theirs.span().unwrap().start).unwrap();
        let number = 1 + before.matches('\n').count();
        let ours = mistake(file);
        assert!(
            ours.starts_with(&format!("{number}: ")),
            "{file}\n{ours}\n{theirs}"
        );
    }
}

#[test]
fn what_is_no_graph_is_refused() {
    for (file, expected) in [
        (
            "\nbloks.a.type = 'x'",
            "2: unknown key 'bloks': not bindings, subscriptions, devices, blocks",
        ),
        (
            "[blocks.a]\ntyp = 'x'",
            "2: unknown key 'typ': not type, options",
        ),
        (
            "[devices.a]\ntype = 'x'",
            "2: unknown key 'type': not subsystem, ifname, carrier, id, xdp, options",
        ),
        (
            "[blocks.a]\nifname = 'x'",
            "2: unknown key 'ifname': not type, options",
        ),
        ("\n[blocks.a]", "2: 'a' has no type"),
        ("[devices.a]\nifname = 'x'", "1: 'a' has no subsystem"),
        (
            "blocks.a.type = 'x'\ndevices.a.subsystem = 'y'",
            "2: 'a' is both a block and a device",
        ),
        (
            "[blocks.a]\ntype = 1",
            "2: a string is wanted here, not integer",
        ),
        (
            "[blocks.a]\ntype = true",
            "2: a string is wanted here, not boolean",
        ),
        ("[blocks.a]\ntype = ['x']", "2: a string is wanted here"),
        (
            "[blocks.a]\ntype = { x = 'x' }",
            "2: a string is wanted here",
        ),
        ("[blocks.a]\noptions = 'x'", "2: a table is wanted here"),
        ("blocks = 1", "1: a table is wanted here, not integer"),
        ("blocks = ['x']", "1: a table is wanted here"),
        ("[blocks.a.type]\n", "1: it is no table"),
        ("blocks.a.type.x = 'y'", "1: it is no table"),
        ("[[blocks]]", "1: no array of tables belongs here"),
        (
            "bindings = 'x'",
            "1: an array of [UPPER, LOWER] is wanted here",
        ),
        (
            "bindings = {}",
            "1: an array of [UPPER, LOWER] is wanted here",
        ),
        ("bindings = ['x']", "1: [UPPER, LOWER] is wanted here"),
        ("bindings = [{}]", "1: [UPPER, LOWER] is wanted here"),
        (
            "subscriptions = [[]]",
            "1: [SUBSCRIBER, PUBLISHER] has two names",
        ),
        ("bindings = [\n['x']]", "2: [UPPER, LOWER] has two names"),
        (
            "bindings = [['a', 'b', 'c']]",
            "1: [UPPER, LOWER] has two names",
        ),
        ("bindings = [['a', ['b']]]", "1: a name is wanted here"),
        (
            "bindings = [['a', 1]]",
            "1: a string is wanted here, not integer",
        ),
        (
            "blocks.a.type = 't'\nbindings = [\n['a', 'x']]",
            "3: the file has no block or device 'x'",
        ),
        (
            "blocks = { a.type = 't', b.type = 't' }\nsubscriptions = [\n['a', 'b'],\n['a', 'b']]",
            "4: the subscription a b is there twice",
        ),
    ] {
        assert_eq!(mistake(file), expected, "{file}");
    }
}

#[test]
fn what_is_no_virtual_device_is_refused() {
    for (file, expected) in [
        (
            "\n[devices.a]\nsubsystem = 's'\nid = 1",
            "2: 'a' has no carrier",
        ),
        (
            "\n[devices.a]\nsubsystem = 's'\ncarrier = 'x'",
            "2: 'a' has no id",
        ),
        (
            "[blocks.a]\nid = 1",
            "2: unknown key 'id': not type, options",
        ),
        (
            "[devices.a]\ncarrier = 1",
            "2: a string is wanted here, not integer",
        ),
        (
            "[devices.a]\nid = '1'",
            "2: an integer from 0 to 255 is wanted here",
        ),
        (
            "[devices.a]\nid = 256",
            "2: an integer from 0 to 255 is wanted here",
        ),
        (
            "[devices.a]\nid = -1",
            "2: an integer from 0 to 255 is wanted here",
        ),
        (
            "[devices.a]\nid = 1.0",
            "2: an integer from 0 to 255 is wanted here, not float",
        ),
        (
            "[devices.a]\nid = [1]",
            "2: an integer from 0 to 255 is wanted here",
        ),
        (
            "[devices.a]\nid = { x = 1 }",
            "2: an integer from 0 to 255 is wanted here",
        ),
        ("[devices.a]\nid.x = 1", "2: it is no table"),
    ] {
        assert_eq!(mistake(file), expected, "{file}");
    }
}

#[test]
fn xdp_is_for_hooked_devices() {
    let v = "[devices.v]\nsubsystem = 's'\n";
    for (file, expected) in [
        (format!("{v}xdp = true"), true),
        (format!("{v}xdp = false"), false),
        (v.to_owned(), false),
        (format!("{v}xdp = false\ncarrier = 'x'\nid = 1"), false),
    ] {
        let mut names = Names::default();
        let target = read(&file, &mut names).unwrap();
        let block = target.blocks.get(names.name("v")).unwrap();
        let Kind::Device(device) = block.kind else {
            panic!("{file}");
        };
        assert_eq!(device.xdp, expected, "{file}");
    }
    for (file, expected) in [
        (
            "[blocks.a]\nxdp = true",
            "2: unknown key 'xdp': not type, options",
        ),
        (
            "[devices.a]\nxdp = true\ncarrier = 'x'\nid = 1\nsubsystem = 's'",
            "2: 'a' is virtual: xdp is for hooked devices",
        ),
        ("[devices.a]\nxdp = 'on'", "2: true or false is wanted here"),
        (
            "[devices.a]\nxdp = 1",
            "2: true or false is wanted here, not integer",
        ),
        (
            "[devices.a]\nxdp = [true]",
            "2: true or false is wanted here",
        ),
        ("[devices.a]\nxdp = {}", "2: true or false is wanted here"),
        ("[devices.a]\nxdp.x = true", "2: it is no table"),
        (
            "[devices.a]\nid = true",
            "2: an integer from 0 to 255 is wanted here, not boolean",
        ),
    ] {
        assert_eq!(mistake(file), expected, "{file}");
    }
}

/// Whatever comes, nothing panics; and what is read has a place in the file.
#[test]
fn damaged_files_do_no_harm() {
    let mut seed = 0x2545_f491_u64;
    let mut below = |end: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % end
    };
    for _ in 0..10_000 {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for _ in 0..=below(3) {
            let (at, other) = (below(text.len()), below(text.len()));
            match below(3) {
                0 => text[at] = text[other],
                1 => drop(text.remove(at)),
                _ => text.insert(
                    at,
                    ['[', ']', '{', '}', '=', '.', '"', '\n', ',', '\''][below(10)],
                ),
            }
        }
        let file: String = text.into_iter().collect();
        let ours = read(&file, &mut Names::default());
        if ours.is_ok() {
            ::toml::from_str::<Table>(&file).unwrap_or_else(|e| panic!("{file}\n{e}"));
        }
    }
    let deep = "bindings = ".to_owned() + &"[".repeat(1 << 20);
    assert!(mistake(&deep).starts_with("1: "));
    let deep = "blocks = ".to_owned() + &"{a=".repeat(1 << 20);
    assert!(mistake(&deep).starts_with("1: "));
}

/// Portions end where the parser would not notice.
#[test]
fn long_files_are_read_in_portions() {
    let mut file = String::from("blocks.first.type = 't'\n");
    for number in 0..3000 {
        let head = format!("[blocks.b{number}]\ntype = \"t\"\n");
        let options = format!("[blocks.b{number}.options]\nk = '''\n[\n'''\n");
        file.extend([head, options]);
    }
    let mut names = Names::default();
    let target = read(&file, &mut names).unwrap();
    assert_eq!(target.blocks.iter().count(), 3001);
    assert_eq!(
        value(&target, &names),
        ::toml::from_str::<Table>(&file).unwrap()
    );
    let last = target.blocks.iter().last().unwrap().1;
    assert_eq!(line(&file, last.place), 6 * 2999 + 2);
    file += "oops";
    assert!(mistake(&file).starts_with("18002: "), "{}", mistake(&file));
}

#[test]
fn schema_has_the_same_keys() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../Documentation/graph.schema.json"
    );
    let schema = std::fs::read_to_string(path).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let keys = |place: &str| -> Vec<String> {
        let table = schema.pointer(place).unwrap();
        assert_eq!(table["additionalProperties"], false, "{place}");
        let mut keys: Vec<_> = table["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    let mut root = [key::BINDINGS, key::SUBSCRIPTIONS, key::BLOCKS, key::DEVICES];
    root.sort_unstable();
    assert_eq!(keys(""), root);
    assert_eq!(keys("/$defs/block"), [key::OPTIONS, key::TYPE]);
    let device = [
        key::CARRIER,
        key::ID,
        key::IFNAME,
        key::OPTIONS,
        key::SUBSYSTEM,
        key::XDP,
    ];
    assert_eq!(keys("/$defs/device"), device);
    let together = serde_json::json!({ key::CARRIER: [key::ID], key::ID: [key::CARRIER] });
    assert_eq!(schema["$defs"]["device"]["dependentRequired"], together);
    let hooked = serde_json::json!({
        key::CARRIER: { "properties": { key::XDP: { "const": false } } },
    });
    assert_eq!(schema["$defs"]["device"]["dependentSchemas"], hooked);
}
