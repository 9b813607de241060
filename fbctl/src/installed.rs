// SPDX-License-Identifier: GPL-2.0

//! The types whose modules are installed: depmod has written down by which aliases the kernel asks for
//! them.

use lana_netlink::{wire::Flag, Type};
use std::{env, fs, path::Path};

/// The types that the kernel that runs would find. Without the list of a distribution, none.
pub(crate) fn installed() -> Vec<Type> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // A test puts a tree of its own in place of the system's.
    let root = env::var_os("LANA_SYSROOT").unwrap_or_default();
    let list = Path::new(&root)
        .join(if root.is_empty() {
            "/lib/modules"
        } else {
            "lib/modules"
        })
        .join(release.trim())
        .join("modules.alias");
    types(&fs::read_to_string(list).unwrap_or_default())
}

/// The types of a `modules.alias`, by name.
fn types(list: &str) -> Vec<Type> {
    let aliases = || {
        let lines = list.lines().filter_map(|line| line.strip_prefix("alias "));
        lines.filter_map(|line| line.split_once(' '))
    };
    let of = |module: &str, prefix: &str| {
        let mut own = aliases().filter(|(_, by)| *by == module);
        own.find_map(|(alias, _)| Some(alias.strip_prefix(prefix)?.to_owned()))
    };
    let mut types: Vec<_> = aliases()
        .filter_map(|(alias, module)| {
            let virtual_ = of(module, "lana-vdev-");
            Some(Type {
                name: Some(alias.strip_prefix("lana-fb-")?.to_owned()),
                module: Some(module.to_owned()),
                r#virtual: virtual_.is_some().then_some(Flag),
                vlink: virtual_.or_else(|| of(module, "lana-vlink-")),
                socket: of(module, "net-pf-").map(|_| Flag),
                ..Default::default()
            })
        })
        .collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_say_what_makes_the_blocks() {
        let list = "# Aliases extracted from modules themselves.\n\
            alias lana-fb-tee fb_tee\n\
            alias lana-fb-eth fb_eth\nalias lana-vlink-ethernet fb_eth\n\
            alias net-pf-18 fb_pflana\nalias lana-fb-pflana fb_pflana\n\
            alias lana-vdev-ethernet fb_ethvlink\nalias lana-fb-ethvlink fb_ethvlink\n\
            alias fs-ext4 ext4\nalias broken\n";
        let types = types(list);
        let names: Vec<_> = types
            .iter()
            .filter_map(|kind| kind.name.as_deref())
            .collect();
        assert_eq!(names, ["eth", "ethvlink", "pflana", "tee"]);
        let [eth, ethvlink, pflana, tee] = types.as_slice() else {
            unreachable!()
        };
        assert_eq!(
            (eth.vlink.as_deref(), eth.r#virtual),
            (Some("ethernet"), None)
        );
        assert_eq!(ethvlink.vlink.as_deref(), Some("ethernet"));
        assert_eq!(ethvlink.r#virtual, Some(Flag));
        assert_eq!(pflana.socket, Some(Flag));
        assert_eq!((tee.vlink.as_deref(), tee.socket), (None, None));
    }
}
