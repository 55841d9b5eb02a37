//! A file of calendars as components of lines (RFC 5545, 3.1 and 3.4 to 3.6), each with the line on which it is.

use super::line::unescaped;

/// A line: a property with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    /// Where it is, from 1.
    pub line: usize,
    /// In capitals.
    pub name: String,
    /// Names in capitals.
    parameters: Vec<(String, String)>,
    /// As it stands there.
    pub value: String,
}

/// An event, a zone, or something else between `BEGIN` and `END`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    /// Where it begins, from 1.
    pub line: usize,
    /// In capitals.
    pub name: String,
    pub properties: Vec<Property>,
    pub components: Vec<Component>,
}

/// A file that cannot be read as one of calendars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    /// Not text.
    #[error("line {0}: is not UTF-8; save the file as UTF-8")]
    Utf8(usize),
    /// Something else.
    #[error("line {0}: a calendar begins with BEGIN:VCALENDAR")]
    NoCalendar(usize),
    /// Cut off.
    #[error("line {line}: {name} begins here and never ends; the file may be cut off")]
    Unclosed {
        /// What.
        name: String,
        /// Where it begins.
        line: usize,
    },
    /// An end of something else than what began.
    #[error("line {line}: {name} ends here, and did not begin")]
    Unopened {
        /// What.
        name: String,
        /// Where it ends.
        line: usize,
    },
    /// Too deep.
    #[error("line {0}: has components in components, deeper than any calendar")]
    Deep(usize),
}

/// How deep components may be, a count.
const DEPTH_MAX: usize = 8;

impl Property {
    /// The property on a line; nothing if it is none.
    fn read(line: usize, text: &str) -> Option<Self> {
        let name_ends = text.find([':', ';'])?;
        let (name, mut rest) = text.split_at(name_ends);
        let mut parameters = vec![];
        while let Some(more) = rest.strip_prefix(';') {
            let (parameter, value) = more.split_once('=')?;
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => value.split_at(value.find([':', ';'])?),
            };
            // Of several values, the first is enough for what is read here.
            rest = &after[after.find([':', ';'])?..];
            parameters.push((parameter.to_ascii_uppercase(), value.to_owned()));
        }
        let value = rest.strip_prefix(':')?.to_owned();
        (!name.is_empty()).then(|| Self { line, name: name.to_ascii_uppercase(), parameters, value })
    }

    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its value as text.
    pub fn text(&self) -> String {
        unescaped(&self.value)
    }
}

impl Component {
    fn new(line: usize, name: String) -> Self {
        Self { line, name, properties: vec![], components: vec![] }
    }

    /// The first property of this name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// All properties of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The first property of this name, as text that is not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.property(name).map(Property::text).filter(|text| !text.trim().is_empty())
    }
}

/// The calendars of a file, and the lines that are no properties.
pub(super) fn read(file: &[u8]) -> Result<(Vec<Component>, Vec<usize>), FileError> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let text = str::from_utf8(file).map_err(|error| {
        let before = &file[..error.valid_up_to()];
        FileError::Utf8(before.split(|byte| *byte == b'\n').count())
    })?;
    let (mut calendars, mut open, mut odd) = (vec![], Vec::<Component>::new(), vec![]);
    for (line, text) in unfolded(text) {
        let Some(property) = Property::read(line, &text) else {
            if open.is_empty() {
                return Err(FileError::NoCalendar(line));
            }
            odd.push(line);
            continue;
        };
        let (name, depth) = (property.value.trim().to_ascii_uppercase(), open.len());
        match (property.name.as_str(), open.last_mut()) {
            ("BEGIN", None) if name != "VCALENDAR" => return Err(FileError::NoCalendar(line)),
            ("BEGIN", _) if depth >= DEPTH_MAX => return Err(FileError::Deep(line)),
            ("BEGIN", _) => open.push(Component::new(line, name)),
            ("END", Some(last)) if last.name == name => {
                let ended = open.pop().into_iter();
                match open.last_mut() {
                    Some(around) => around.components.extend(ended),
                    None => calendars.extend(ended),
                }
            }
            ("END", _) => return Err(FileError::Unopened { name, line }),
            (_, Some(last)) => last.properties.push(property),
            (_, None) => return Err(FileError::NoCalendar(line)),
        }
    }
    match open.pop() {
        Some(Component { line, name, .. }) => Err(FileError::Unclosed { name, line }),
        None if calendars.is_empty() => Err(FileError::NoCalendar(1)),
        None => Ok((calendars, odd)),
    }
}

/// Lines as they were before they were folded, with the number of the first.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::<(usize, String)>::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, before))) => before.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded_and_parameters_may_be_quoted() {
        let file = b"\xef\xbb\xbfBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=\"W. Europe: Standard\";X=1,2:2026\r\n 0106T190000\r\n\
                     SUMMARY:a\\,b\\n\r\n\tc\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let (calendars, odd) = read(file).unwrap();
        let event = &calendars[0].components[0];
        let start = event.property("DTSTART").unwrap();
        assert_eq!((start.line, start.parameter("TZID")), (3, Some("W. Europe: Standard")));
        assert_eq!((start.value.as_str(), event.text("SUMMARY").as_deref()), ("20260106T190000", Some("a,b\nc")));
        assert!(odd.is_empty());
    }

    #[test]
    fn what_is_no_calendar_is_said_to_be_none_and_where() {
        for (file, expected) in [
            (&b""[..], FileError::NoCalendar(1)),
            (b"name;day\nSteps;Monday", FileError::NoCalendar(1)),
            (b"BEGIN:VEVENT\nEND:VEVENT", FileError::NoCalendar(1)),
            (b"BEGIN:VCALENDAR\nX:\xff", FileError::Utf8(2)),
            (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", FileError::Unclosed { name: "VEVENT".into(), line: 2 }),
            (b"BEGIN:VCALENDAR\nEND:VEVENT", FileError::Unopened { name: "VEVENT".into(), line: 2 }),
        ] {
            assert_eq!(read(file), Err(expected));
        }
        assert_eq!(read(&b"BEGIN:VCALENDAR\n".repeat(9)), Err(FileError::Deep(9)));
        let (_, odd) = read(b"BEGIN:VCALENDAR\nwhat is this\nEND:VCALENDAR").unwrap();
        assert_eq!(odd, [2]);
    }
}
