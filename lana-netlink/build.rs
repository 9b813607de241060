// SPDX-License-Identifier: GPL-2.0

//! Turns the family's YAML specification into `$OUT_DIR/spec.rs`: the numbers, the enums, and a
//! struct with its decoder and encoder for each set of attributes.

#[path = "build/attributes.rs"]
mod attributes;
#[path = "build/generate.rs"]
mod generate;
#[path = "build/model.rs"]
mod model;

use anyhow::{Context, Result};
use std::{env, fs, path::PathBuf};

/// Where the specification is, seen from this crate.
const SPEC: &str = "../Documentation/netlink/specs/lana.yaml";

fn main() -> Result<()> {
    let path =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("not run by cargo")?).join(SPEC);
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rerun-if-changed=build");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {SPEC}"))?;
    let spec: model::Spec =
        serde_norway::from_str(&text).with_context(|| format!("parsing {SPEC}"))?;
    let code = generate::generate(&spec).with_context(|| format!("in {SPEC}"))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").context("not run by cargo")?).join("spec.rs");
    fs::write(out, code).context("writing spec.rs")
}
