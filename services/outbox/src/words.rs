//! What is written to people: that there is something to see and where, and nothing else. There is no place in it for a
//! name.

/// An e-mail's subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub subject: String,
    pub text: String,
}

impl Words {
    /// There is something to see.
    pub fn something_to_see(public_url: &str) -> Self {
        let text = format!("There is something for you to see: {public_url}\n");
        Self { subject: "There is something for you to see".into(), text }
    }

    /// A code, for whoever reads what goes to an address.
    pub fn code(code: &str, public_url: &str) -> Self {
        let text = format!(
            "Your code is {code}\n\nWhoever asked for it said that this is their address: {public_url}\n\
             If it was not you, do nothing: nothing else is sent here then.\n"
        );
        Self { subject: "Your code".into(), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_nothing_in_it_but_where_to_look() {
        let words = Words::something_to_see("https://kith.example.org");
        assert_eq!(words.text, "There is something for you to see: https://kith.example.org\n");
        assert!(Words::code("01234567", "https://kith.example.org").text.contains("01234567"));
        assert!(!Words::code("01234567", "").subject.contains("01234567"), "a screen that is locked shows subjects");
    }
}
