//! The command lines of guides, done as they are written: `curl`, what `jq -r` takes out of its answer, and variables.

use std::collections::BTreeMap;

use hyper::{Method, Request};
use serde_json::Value;
use tests::world::Actor;

/// The lines of all fences of a guide that are for a shell.
pub fn lines(guide: &str) -> impl Iterator<Item = &str> {
    // Every second part is in a fence.
    let blocks = guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty())
}

/// As much of a shell as guides use.
pub struct Shell {
    who: Actor,
    variables: BTreeMap<String, String>,
}

impl Shell {
    /// A shell in which these variables are set, and `KITH`.
    pub fn new<const N: usize>(who: Actor, variables: [(&str, String); N]) -> Self {
        let kith = ("KITH", "http://kith".to_owned());
        let variables = variables.into_iter().chain([kith]).map(|(name, value)| (name.to_owned(), value));
        Self { who, variables: variables.collect() }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: String) {
        self.variables.insert(name.into(), value);
    }

    /// Does what a line says; answers what it prints, or puts into a variable.
    pub async fn run(&mut self, line: &str) -> Value {
        let assigned = line
            .split_once('=')
            .filter(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit()));
        let Some((name, what)) = assigned else { return self.curl(line).await };
        let value = match what.strip_prefix("$(").and_then(|what| what.strip_suffix(')')) {
            Some(command) => {
                let (command, filter) = command.split_once(" | jq -r .").expect("what is taken out of the answer");
                taken(&self.curl(command).await, filter)
            }
            None => self.words(what).concat().into(),
        };
        let text = value.as_str().unwrap_or_else(|| panic!("{line}: {value}")).to_owned();
        self.variables.insert(name.into(), text);
        value
    }

    /// The words of a line, with variables put in, but for what stands in single quotes.
    fn words(&self, line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote, mut rest) = (Vec::new(), String::new(), None, line.chars());
        while let Some(c) = rest.next() {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None, ' ') => words.push(std::mem::take(&mut word)),
                (None | Some('"'), '$') => word.push_str(&self.variable(&mut rest)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words
    }

    /// What `$NAME` or `${NAME#PREFIX}` is.
    fn variable(&self, rest: &mut std::str::Chars<'_>) -> String {
        let text = rest.as_str();
        let (name, prefix, read) = if let Some(braced) = text.strip_prefix('{') {
            let inner = braced.split_once('}').expect("a brace that is closed").0;
            let (name, prefix) = inner.split_once('#').unwrap_or((inner, ""));
            (name, prefix, inner.len() + 2)
        } else {
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
            (&text[..end], "", end)
        };
        *rest = text[read..].chars();
        let value = self.variables.get(name).unwrap_or_else(|| panic!("{name} is not set"));
        value.strip_prefix(prefix).unwrap_or(value).to_owned()
    }

    async fn curl(&self, line: &str) -> Value {
        let words = self.words(line);
        let (mut method, mut target, mut body, mut headers) = (Method::GET, String::new(), String::new(), vec![]);
        let mut rest = words.iter().map(String::as_str);
        assert_eq!((rest.next(), rest.next()), (Some("curl"), Some("-fsS")), "{line}");
        while let Some(word) = rest.next() {
            match word {
                "-X" => method = rest.next().unwrap().parse().unwrap(),
                "-H" => headers.push(rest.next().unwrap().split_once(": ").unwrap()),
                // Shown as it comes.
                "-N" => {}
                "-d" => body = rest.next().unwrap().into(),
                url => target = url.strip_prefix("http://kith").unwrap_or_else(|| panic!("{line}")).into(),
            }
        }
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = self.who.client().send(request, body.into()).await.expect("an answer");
        assert!(answer.status.is_success(), "{line}: {}", answer.json());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }
}

/// What a filter such as `needs[1].need` takes out.
fn taken(value: &Value, filter: &str) -> Value {
    let pointer = format!("/{}", filter.replace(['.', '['], "/").replace(']', ""));
    value.pointer(&pointer).unwrap_or_else(|| panic!(".{filter} of {value}")).clone()
}
