// SPDX-License-Identifier: GPL-2.0

//! Options that are secret: keys, which the kernel shows as a word. The tools neither print nor write them down.

/// What stands for a secret.
pub const SECRET: &str = "secret";

/// Whether the value of an option is one: the last part of its name says so, as in `tx.key`.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    matches!(key.rsplit_once('.'), Some((_, "key")))
}

/// A word of a command line, in which no secret is left.
pub(crate) fn without(word: String) -> String {
    match word.split_once('=') {
        // From a file, the word tells where it is only.
        Some((key, value)) if is_secret(key) && !value.starts_with('@') => {
            format!("{key}={SECRET}")
        }
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_alone() {
        for key in ["tx.key", "rx.7.key"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["key", "route-key", "tx.id", "rx.key.7", ""] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn words() {
        for (word, left) in [
            ("tx.key=1:00ff", "tx.key=secret"),
            ("rx.1.key=", "rx.1.key=secret"),
            ("tx.key=@/etc/key", "tx.key=@/etc/key"),
            ("rate=1", "rate=1"),
            ("set", "set"),
        ] {
            assert_eq!(without(word.to_owned()), left);
        }
    }
}
