// SPDX-License-Identifier: GPL-2.0

//! A list of ports, as an option.

use lana::prelude::{
    fmt,
    option::{Value, Values},
};

/// The most ports of a list.
const MOST: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ports([Option<u16>; MOST]);

impl Ports {
    pub(crate) const NONE: Self = Self([None; MOST]);

    pub(crate) fn include(&self, port: u16) -> bool {
        self.0.contains(&Some(port))
    }
}

impl Value for Ports {
    const VALUES: Values = Values::Text("up to 8 ports, such as 53,443");

    fn parse(text: &str) -> Option<Self> {
        let mut ports = Self::NONE;
        let mut words = text.split(',');
        for (place, word) in ports.0.iter_mut().zip(&mut words) {
            *place = Some(word.parse().ok()?);
        }
        words.next().is_none().then_some(ports)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, port) in self.0.iter().flatten().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{port}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana::prelude::{fail, option::Shown, options, Failure, OptionSpec, Options, EINVAL};

    options! {
        struct Config {
            /// What passes
            ports: Ports = Ports::NONE,
        }
    }

    /// What shows.
    struct Told(String);

    impl Options for Told {
        fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>) {
            self.0 += &format!("{key}={value}");
        }
        fn put(&mut self, _key: &str, _value: fmt::Arguments<'_>) {}
    }

    #[test]
    fn lists_have_up_to_eight_ports() {
        for good in ["1", "53,443", "1,2,3,4,5,6,7,8"] {
            assert_eq!(Shown(Ports::parse(good).unwrap()).to_string(), good);
        }
        for bad in [",", "x", "65536", "1,2,3,4,5,6,7,8,9"] {
            assert_eq!(Ports::parse(bad), None);
        }
    }

    #[test]
    fn the_option_is_declared() {
        let [OptionSpec { key: "ports", .. }] = Config::OPTIONS else {
            panic!("one option");
        };
        let config = Config::DEFAULT.with("ports", b"7,9").unwrap().unwrap();
        let mut told = Told(String::new());
        config.put(&mut told);
        assert_eq!(told.0, "ports=7,9");
        let failure: Failure = fail!(EINVAL, "ports: {}", Ports::VALUES);
        assert!(Config::DEFAULT.with("ports", b"x") == Some(Err(failure)));
        assert!(Config::DEFAULT.with("port", b"7").is_none());
    }
}
