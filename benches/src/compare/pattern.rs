//! Selecting rows by name.

/// Whether a row's name is meant by a pattern: `*` stands for any text, and a pattern without one
/// may be anywhere in the name.
///
/// ```
/// use corecast_lab::compare::pattern::matches;
///
/// assert!(matches("owned", "emit/owned/listeners=10"));
/// assert!(matches("emit/*=10", "emit/owned/listeners=10"));
/// assert!(!matches("emit/*=10", "emit/owned/listeners=100"));
/// ```
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else {
        return name.contains(pattern);
    };
    // What stands before the first star and behind the last is fixed; the parts between are looked
    // for from the left, which finds them all if they can be found in order at all.
    let Some(rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text_and_anchor_the_rest() {
        assert!(matches("*", "anything/at=all"));
        assert!(matches("async/*/bytes=*", "async/one/bytes=8"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b", "a"));
        assert!(!matches("ab*bc", "abc"), "the fixed ends may not overlap");
        assert!(!matches("one*", "async/one/bytes=8"));
    }

    #[test]
    fn without_a_star_any_part_of_the_name_will_do() {
        assert!(matches("bytes=8", "async/one/bytes=8"));
        assert!(matches("", "async/one/bytes=8"));
        assert!(!matches("Bytes", "async/one/bytes=8"));
    }
}
