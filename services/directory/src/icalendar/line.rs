//! Content lines (RFC 5545, 3.1): how they are folded, and how text stands in them.

/// Longest line, in octets, its end not counted.
const OCTETS_MAX: usize = 75;

/// Lines that are written.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A line as it is: its name, parameters and value.
    pub fn line(&mut self, line: &str) {
        let mut room = OCTETS_MAX;
        let mut rest = line;
        while rest.len() > room {
            // A character is never split.
            let cut = (0..=room).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(room);
            let (part, more) = rest.split_at(cut);
            self.0.push_str(part);
            self.0.push_str("\r\n ");
            (rest, room) = (more, OCTETS_MAX - 1); // the space counts
        }
        self.0.push_str(rest);
        self.0.push_str("\r\n");
    }

    /// A line whose value is text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.line(&format!("{name}:{}", escaped(text)));
    }

    /// All of them.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Text as a value: what would end it, or make several of it, is escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => escaped.push_str("\\n"),
            '\t' => escaped.push('\t'),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text of a value.
pub(super) fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

/// The texts of a value that is a list of them.
pub(super) fn list(value: &str) -> Vec<String> {
    let (mut texts, mut escape) = (vec![String::new()], false);
    for character in value.chars() {
        let last = texts.last_mut().expect("one at least");
        match character {
            ',' if !escape => texts.push(String::new()),
            other => last.push(other),
        }
        escape = character == '\\' && !escape;
    }
    texts.iter().map(|text| unescaped(text)).filter(|text| !text.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_means_something_in_a_value_is_escaped() {
        assert_eq!(escaped("a\\b;c,d:e\r\nf\ng\u{7}"), "a\\\\b\\;c\\,d:e\\nf\\ng");
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_75_octets_and_unfolding_gives_what_was_written(text in "\\PC{0,300}") {
            let mut lines = Lines::default();
            lines.text("SUMMARY", &text);
            let written = lines.into_text();
            prop_assert!(written.ends_with("\r\n") && !written.replace("\r\n", "").contains(['\r', '\n']));
            for line in written.split("\r\n") {
                prop_assert!(line.len() <= OCTETS_MAX, "{line}");
            }
            prop_assert_eq!(unescaped(&escaped(&text)), text.clone());
            prop_assert_eq!(written.replace("\r\n ", ""), format!("SUMMARY:{}\r\n", escaped(&text)));
        }
    }
}
