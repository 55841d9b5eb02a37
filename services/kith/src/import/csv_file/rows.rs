//! The rows of a CSV file, as quotes make them of its lines: where each begins and ends, and what is wrong with its quotes.
//! What stands in the cells is read by the `csv` crate, which takes rows in the same way but says nothing of these things.

/// A row of a file, which quotes may make of several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Its first line, from 1.
    pub first: u64,
    /// Its last line.
    pub last: u64,
    /// Lines before it in which nothing stands at all.
    pub blank: u64,
    pub fault: Option<QuoteFault>,
}

/// What can be wrong with quotes. Lines may be lost in all of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteFault {
    NeverCloses {
        opened: u64,
    },
    /// After the quote that closes, something stands before the next separator.
    Followed {
        opened: u64,
        closed: u64,
    },
    /// A line between the quotes has as many cells as there are columns.
    Swallows {
        opened: u64,
        line: u64,
    },
}

/// Reads rows of a text in which `\n` ends lines.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    text: &'a [u8],
    separator: u8,
    columns: usize,
    at: usize,
    line: u64,
}

impl<'a> Rows<'a> {
    /// Of `text` from its line `line` on, with so many columns.
    pub fn new(text: &'a [u8], separator: u8, columns: usize, line: u64) -> Self {
        Self { text, separator, columns, at: 0, line }
    }

    /// How much was read, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte, and counts its line.
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        self.line += u64::from(byte == b'\n');
        Some(byte)
    }

    /// Reads a cell that a quote opens, to its end; answers the byte that ended it, and what is wrong.
    fn quoted(&mut self) -> (Option<u8>, Option<QuoteFault>) {
        let opened = self.line;
        let mut inner = Inner::default();
        let mut fault = None;
        loop {
            match self.byte() {
                None => return (None, Some(QuoteFault::NeverCloses { opened })),
                Some(b'"') if self.text.get(self.at) == Some(&b'"') => self.at += 1,
                Some(b'"') => break,
                Some(byte) => {
                    let line = self.line - u64::from(byte == b'\n');
                    if byte == b'\n' && line > opened && inner.is_row(self.separator, self.columns) {
                        fault = fault.or(Some(QuoteFault::Swallows { opened, line }));
                    }
                    inner.takes(byte, self.separator);
                }
            }
        }
        let closed = self.line;
        if closed > opened && inner.is_row(self.separator, self.columns) {
            fault = fault.or(Some(QuoteFault::Swallows { opened, line: closed }));
        }
        loop {
            match self.byte() {
                byte @ (None | Some(b'\n')) => return (byte, fault),
                Some(byte) if byte == self.separator => return (Some(byte), fault),
                Some(b' ') => {}
                Some(_) => fault = Some(QuoteFault::Followed { opened, closed }),
            }
        }
    }

    fn unquoted(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                byte @ (None | Some(b'\n')) => return byte,
                Some(byte) if byte == self.separator => return Some(byte),
                Some(_) => {}
            }
        }
    }
}

/// A line within quotes: whether it looks like a row of its own. In prose, a separator has a space beside it.
#[derive(Debug, Default)]
struct Inner {
    separators: usize,
    prose: bool,
    before: u8,
}

impl Inner {
    fn takes(&mut self, byte: u8, separator: u8) {
        if byte == b'\n' {
            *self = Self::default();
            return;
        }
        self.separators += usize::from(byte == separator);
        self.prose |= (byte == b' ' && self.before == separator) || (byte == separator && self.before == b' ');
        self.before = byte;
    }

    fn is_row(&self, separator: u8, columns: usize) -> bool {
        columns > 1 && self.separators + 1 == columns && !(self.prose && separator == b',')
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let before = self.line;
        while self.text.get(self.at) == Some(&b'\n') {
            self.byte();
        }
        let (first, blank) = (self.line, self.line - before);
        if self.at == self.text.len() {
            return None;
        }
        let mut fault = None;
        let end = loop {
            let end = if self.text.get(self.at) == Some(&b'"') {
                self.at += 1;
                let (end, wrong) = self.quoted();
                fault = fault.or(wrong);
                end
            } else {
                self.unquoted()
            };
            if end != Some(self.separator) {
                break end;
            }
        };
        let ends_line = end == Some(b'\n') || self.text.ends_with(b"\n");
        let last = (self.line - u64::from(ends_line)).max(first);
        Some(Row { first, last, blank, fault })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        Rows::new(text.as_bytes(), b',', 2, 1).collect()
    }

    #[test]
    fn a_row_is_of_the_lines_that_its_quotes_make_one() {
        let row = |first, last, blank| Row { first, last, blank, fault: None };
        assert_eq!(rows("a,b\n\n\nc,\"d\ne\"\nf,g"), [row(1, 1, 0), row(4, 5, 2), row(6, 6, 0)]);
        assert_eq!(rows("\n\n"), []);
        assert_eq!(rows("\"a\" ,\"b \"\"c\"\"\"\n"), [row(1, 1, 0)]);
    }

    #[test]
    fn what_is_wrong_with_quotes_is_said() {
        let faults = |text| rows(text).into_iter().filter_map(|row| row.fault).collect::<Vec<_>>();
        assert_eq!(faults("a,b\nc,\"d\ne,f\n"), [QuoteFault::NeverCloses { opened: 2 }]);
        assert_eq!(faults("c,\"d\ng,\"h\"\n"), [QuoteFault::Followed { opened: 1, closed: 2 }]);
        assert_eq!(faults("c,\"d\ne,f\ng\"\nh,i\n"), [QuoteFault::Swallows { opened: 1, line: 2 }]);
        assert_eq!(faults("c,\"d\ne,f\"\nh,i\n"), [QuoteFault::Swallows { opened: 1, line: 2 }]);
        assert_eq!(faults("c,\"d\nmilk, honey\nbread\"\nh,5\" pipe\n"), []);
    }

    proptest! {
        /// Else lines would be named that are others.
        #[test]
        fn rows_are_those_that_the_csv_crate_reads(text in "[ab,\"\n ]{0,40}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let read: Vec<_> = reader.byte_records().map(Result::unwrap).collect();
            let rows = rows(&text);
            prop_assert_eq!(rows.len(), read.len());
            let lines = text.lines().count() as u64;
            prop_assert!(rows.iter().all(|row| row.first <= row.last && row.last <= lines));
            prop_assert!(rows.windows(2).all(|two| two[0].last < two[1].first));
        }
    }
}
