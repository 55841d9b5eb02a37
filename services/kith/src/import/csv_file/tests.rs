use encoding_rs::{MACINTOSH, WINDOWS_1250, WINDOWS_1252};
use proptest::prelude::*;

use super::*;
use crate::args::Columns;

const KNOWN: Known<'_> = Known { names: &["name", "e_mail", "notes"], beginnings: &["answer."] };

/// A row as it was read: its line, and its cells.
type Seen = (u64, Vec<(String, String)>);

fn seen(bytes: &[u8], form: &CsvForm) -> Result<(Vec<Seen>, Lines), FileError> {
    let mut rows = Vec::new();
    let read = read(
        bytes,
        form,
        |names| KNOWN.columns(names),
        |line, cells| {
            rows.push((line, cells.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()));
            vec![]
        },
    )?;
    Ok((rows, read))
}

fn renamed(pairs: &[(&str, &str)]) -> CsvForm {
    let columns = pairs.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).to_owned())).collect();
    CsvForm { columns: vec![Columns(columns)], ..CsvForm::default() }
}

fn row(line: u64, cells: &[(&str, &str)]) -> Seen {
    (line, cells.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn cells_are_told_apart_as_the_file_does_it() {
    let ann = |line| vec![row(line, &[("e_mail", "a@b.example"), ("name", "Ann")])];
    for (text, line) in [
        ("name,e_mail\nAnn,a@b.example\n", 2),
        ("Name;E-Mail\r\nAnn;a@b.example\r\n", 2),
        ("\u{feff}\"NAME\"\t E mail \rAnn\ta@b.example\r", 2),
        ("sep=;\nname;e_mail\nAnn;a@b.example", 3),
        ("\u{feff}\"sep=|\"\r\nname|e_mail\r\nAnn|a@b.example", 3),
        ("\n\n name , e-mail ,,\n\nAnn,a@b.example,,\n,,,\n", 5),
        ("name,e_mail,notes\n\"Ann\" ,=\"a@b.example\",\n", 2),
    ] {
        assert_eq!(seen(text.as_bytes(), &CsvForm::default()).unwrap().0, ann(line), "{text:?}");
    }
    let form = CsvForm { separator: Some(b'~'), ..CsvForm::default() };
    assert_eq!(seen(b"name~e_mail\nAnn~a@b.example", &form).unwrap().0, ann(2));
    assert!(seen(b"name,e_mail\nAnn,a@b.example", &form).is_err());
}

#[test]
fn columns_can_have_other_names_or_not_be_read() {
    let form = renamed(&[("Vorname", "name"), ("Straße, Ort", "")]);
    let text = "VORNAME ;Straße, Ort;Answer.9\nAnn;Weg 1;2\nBea;\u{fffd};\n";
    let (rows, read) = seen(text.as_bytes(), &form).unwrap();
    assert_eq!(rows, [row(2, &[("answer.9", "2"), ("name", "Ann")]), row(3, &[("name", "Bea")])]);
    assert!(read.wrong.is_empty());
    let refused = |text: &str, form: &CsvForm| seen(text.as_bytes(), form).unwrap_err();
    assert_eq!(refused("name\n", &form), FileError::Missing("Vorname".into()));
    assert_eq!(refused("name;Vorname;Straße, Ort\n", &form), FileError::Twice("name".into()));
    assert_eq!(
        refused("Name;Straße, Ort;notes;Vorname\n", &renamed(&[("Straße, Ort", "")]))
            .to_string()
            .split(';')
            .next()
            .unwrap(),
        "column 4 of the first line, `Vorname`, is unknown"
    );
    assert!(matches!(refused("Vorname\n", &renamed(&[("Vorname", "nobody")])), FileError::Unknown { number: 1, .. }));
}

#[test]
fn what_is_wrong_is_named_by_its_line() {
    let wrong = |text: &[u8]| {
        let said = seen(text, &CsvForm::default()).unwrap().1.wrong;
        said.into_iter().map(|wrong| (wrong.line, wrong.column)).collect::<Vec<_>>()
    };
    let at = |line: u64, column: &str| vec![(line, column.to_owned())];
    assert_eq!(wrong(b"name,notes\n\n\"a\n\nb\",c\n\nd,e,f\n"), at(7, "notes"));
    assert_eq!(wrong(b"name,notes\r\ra,b\rc"), at(4, "notes"));
    assert_eq!(wrong(b"name,,notes\na,,b\nc,d,e\n"), at(3, "2"));
    assert_eq!(wrong(b"name,notes\na,\nb,\xff\n"), at(3, "notes"));
    assert_eq!(wrong("name,notes\na,\nM\u{fffd}ller,\n".as_bytes()), at(3, "name"));
    assert_eq!(seen(b"name,\xff\n", &CsvForm::default()).unwrap_err(), FileError::Letters(1));
    assert_eq!(seen(b"\nname,\"notes\na,b\n", &CsvForm::default()).unwrap_err(), FileError::Quote(2));
}

#[test]
fn letters_are_read_as_somebody_says() {
    for encoding in [WINDOWS_1250, WINDOWS_1252, MACINTOSH] {
        let bytes = encoding.encode("name\nZoë Österg\n").0.into_owned();
        let form = CsvForm { encoding: Some(encoding), ..CsvForm::default() };
        let (rows, read) = seen(&bytes, &form).unwrap();
        assert_eq!((rows, read.encoding), (vec![row(2, &[("name", "Zoë Österg")])], encoding.name()));
    }
    let lukasz = WINDOWS_1250.encode("name\nAnn\nŁukasz\n").0.into_owned();
    let (rows, read) = seen(&lukasz, &CsvForm::default()).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(read.wrong[0].to_string().starts_with("line 3, column name: is not UTF-8: save"), "{}", read.wrong[0]);
}

#[test]
fn a_row_of_explanations_is_nobody_and_one_that_is_called_so_is_somebody() {
    let (rows, read) = seen(b"name,notes\n# who,# what\n# 1,\n#1,#2\n", &CsvForm::default()).unwrap();
    assert_eq!((rows.len(), read.explanations), (2, 1));
}

/// How a program writes files.
#[allow(clippy::struct_excessive_bools)] // each is one of chance
#[derive(Debug, Clone)]
struct Dialect {
    separator: u8,
    says_separator: bool,
    line_end: &'static str,
    ends: bool,
    quotes_all: bool,
    mark: bool,
    wide: Option<bool>,
    trailing: usize,
}

fn dialect() -> impl Strategy<Value = Dialect> {
    let separators = prop::sample::select(SEPARATORS);
    let line_ends = prop::sample::select(&["\n", "\r\n", "\r"][..]);
    let flags = any::<(bool, bool, bool, bool, Option<bool>)>();
    (separators, line_ends, flags, 0..3_usize).prop_map(|(separator, line_end, flags, trailing)| {
        let (says_separator, ends, quotes_all, mark, wide) = flags;
        Dialect { separator, says_separator, line_end, ends, quotes_all, mark, wide, trailing }
    })
}

impl Dialect {
    fn write(&self, table: &[Vec<String>]) -> Vec<u8> {
        let separator = char::from(self.separator);
        let cell = |text: &String| {
            if self.quotes_all || text.contains(['"', '\n', separator]) {
                format!("\"{}\"", text.replace('"', "\"\"").replace('\n', self.line_end))
            } else {
                text.clone()
            }
        };
        let line = |cells: &Vec<String>| {
            let cells: Vec<_> = cells.iter().map(cell).chain(vec![String::new(); self.trailing]).collect();
            cells.join(&separator.to_string())
        };
        let mut lines: Vec<_> = self.says_separator.then(|| format!("sep={separator}")).into_iter().collect();
        lines.extend(table.iter().map(line));
        let text = lines.join(self.line_end) + if self.ends { self.line_end } else { "" };
        let text = if self.mark || self.wide.is_some() { format!("\u{feff}{text}") } else { text };
        let two: fn(u16) -> [u8; 2] = match self.wide {
            None => return text.into_bytes(),
            Some(true) => u16::to_le_bytes,
            Some(false) => u16::to_be_bytes,
        };
        text.encode_utf16().flat_map(two).collect()
    }
}

proptest! {
    /// What stands in a file is read as it was written, and each row has the line that an editor shows.
    #[test]
    fn a_table_is_read_as_it_was_written_in_every_dialect(
        cells in prop::collection::vec(prop::collection::vec("[a-cäł€ ,;\t|\"']{0,6}|[a-c ]{0,3}\n[a-c\n]{0,3}", 3), 0..8),
        dialect in dialect(),
    ) {
        let head = ["Name", "e-mail", "NOTES"].map(str::to_owned).to_vec();
        let table: Vec<_> = std::iter::once(head).chain(cells).collect();
        let (mut line, mut wanted, mut nobody) = (1 + u64::from(dialect.says_separator), vec![], 0);
        for (n, cells) in table.iter().enumerate() {
            let texts: Vec<_> = ["name", "e_mail", "notes"].into_iter().zip(cells.iter().map(|text| bare(text))).collect();
            let said: BTreeMap<_, _> = texts.into_iter().filter(|(_, text)| !text.is_empty()).collect();
            match (n, said.is_empty()) {
                (0, _) => {}
                (_, true) => nobody += 1,
                (_, false) => wanted.push((line, said.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())),
            }
            line += 1 + cells.iter().map(|text| text.matches('\n').count() as u64).sum::<u64>();
        }
        let (rows, read) = seen(&dialect.write(&table), &CsvForm::default()).unwrap();
        prop_assert_eq!(&read.wrong, &[]);
        prop_assert_eq!((rows, read.empty), (wanted, nobody));
    }

    /// Whatever a file is, each of its lines is read, empty, or named.
    #[test]
    fn no_line_is_lost_in_silence(text in "(name,notes\n)?([ab]?[,\"\n]?){0,30}") {
        let text = format!("name,notes\n{text}");
        let Ok((rows, read)) = seen(text.as_bytes(), &CsvForm::default()) else { return Ok(()) };
        let named: std::collections::BTreeSet<_> = read.wrong.iter().map(|wrong| wrong.line).collect();
        let rows: Vec<_> = rows.into_iter().map(|(line, _)| line).collect();
        for (n, line) in (1..).zip(text.lines()).skip(1) {
            let has_letters = line.contains(['a', 'b', 'm']);
            // Of a row that quotes make of several lines, the first is said.
            let begun = rows.iter().chain(&named).any(|first| *first <= n);
            prop_assert!(!has_letters || begun, "line {} of {:?}", n, text);
        }
    }
}
