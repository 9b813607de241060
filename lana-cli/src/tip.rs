// SPDX-License-Identifier: GPL-2.0

//! What a user may have meant by a word that nobody knows.

/// The words of an error that say so; nothing where no name is near. `what` is the kind of thing.
pub fn tip<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|name| (strsim::jaro(word, name), name));
    // As near as clap wants commands to be.
    let nearest = near
        .filter(|(how, _)| *how > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| {
        format!("; tip: a similar {what} exists: '{name}'")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_meant() {
        let known = || ["tee", "counter", "icmp-echo"].into_iter();
        assert_eq!(
            tip("type", "countr", known()),
            "; tip: a similar type exists: 'counter'"
        );
        assert_eq!(tip("type", "nonsense", known()), "");
    }
}
