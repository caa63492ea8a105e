//! The suppression list as a CSV file (RFC 4180): read in pieces of any size, written row by row.
//!
//! Reading holds one row at a time, and a row is bounded, so a file may be of any length. Whatever stands in one row harms
//! no other, but for a quote that is never closed, which makes one row of all that follows.

use csv_core::ReadRecordResult;
use jiff::Timestamp;

use crate::{EmailAddress, SuppressionReason};

/// The first line of a file that is written.
pub const HEADER: &str = "email,reason,createdAt\r\n";
/// Bytes of one row that is read.
const ROW_BYTES: usize = 16 * 1024;
/// Columns of one row that is read.
const COLUMNS: usize = 256;
/// The byte order mark in UTF-8, with which spreadsheets begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A row that can be put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The address.
    pub email: EmailAddress,
    /// The reason; by hand where the file gives none.
    pub reason: SuppressionReason,
}

/// A row that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub detail: String,
}

/// The first line does not say what the columns are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// There is no column of addresses.
    #[error("the first line names no column `email`")]
    NoEmail,
    /// Two columns have the same name, and nobody knows which is meant.
    #[error("the first line names two columns `{0}`")]
    Twice(&'static str),
    /// The first line is longer than any row may be.
    #[error("the first line is too long to be one of column names")]
    TooLong,
}

/// Which columns matter.
#[derive(Debug)]
struct Columns {
    email: usize,
    reason: Option<usize>,
    ignored: Vec<String>,
}

/// Reads a file.
pub struct Reader {
    csv: csv_core::Reader,
    row: Box<[u8; ROW_BYTES]>,
    ends: Box<[usize; COLUMNS]>,
    /// How much of both is in use.
    used: (usize, usize),
    too_long: bool,
    /// Whether a row has begun that has not ended.
    within: bool,
    /// Lines that have ended so far, and the one on which the row begins.
    line: u64,
    begins: u64,
    /// The first bytes, until it is known whether they are a byte order mark.
    front: Option<Vec<u8>>,
    columns: Option<Columns>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            csv: csv_core::Reader::new(),
            row: Box::new([0; ROW_BYTES]),
            ends: Box::new([0; COLUMNS]),
            used: (0, 0),
            too_long: false,
            within: false,
            line: 1,
            begins: 1,
            front: Some(Vec::new()),
            columns: None,
        }
    }
}

impl Reader {
    /// Reads the next piece of the file, and hands over the rows that end in it.
    pub fn read(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(Result<Row, RowFault>),
    ) -> Result<(), BadHeader> {
        let Some(mut front) = self.front.take() else { return self.rows(piece, &mut each) };
        front.extend_from_slice(piece);
        if front.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&front) {
            self.front = Some(front);
            return Ok(());
        }
        self.rows(front.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&front), &mut each)
    }

    /// Reads the last row, where no line end follows it.
    pub fn end(&mut self, mut each: impl FnMut(Result<Row, RowFault>)) -> Result<(), BadHeader> {
        let front = self.front.take().unwrap_or_default();
        self.rows(&front, &mut each)?;
        // To this reader, nothing is the end; and a row that did not begin has none.
        if self.within {
            self.step(&[], &mut each)?;
        }
        if self.columns.is_some() { Ok(()) } else { Err(BadHeader::NoEmail) }
    }

    /// The names of columns that mean nothing here; known once the first line is read.
    pub fn ignored(&self) -> &[String] {
        self.columns.as_ref().map_or(&[], |columns| &columns.ignored)
    }

    fn rows(
        &mut self,
        mut piece: &[u8],
        each: &mut impl FnMut(Result<Row, RowFault>),
    ) -> Result<(), BadHeader> {
        loop {
            // Line ends between rows, and empty lines, belong to no row.
            while let [end @ (b'\r' | b'\n'), rest @ ..] = piece
                && !self.within
            {
                self.line += u64::from(*end == b'\n');
                piece = rest;
            }
            if piece.is_empty() {
                return Ok(());
            }
            if !self.within {
                (self.within, self.begins) = (true, self.line);
            }
            let read = self.step(piece, each)?;
            piece = &piece[read..];
        }
    }

    /// Reads on, to the end of the row at most; answers how many bytes that took.
    fn step(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Result<Row, RowFault>),
    ) -> Result<usize, BadHeader> {
        let (bytes, fields) = self.used;
        let (result, read, wrote, ended) =
            self.csv.read_record(piece, &mut self.row[bytes..], &mut self.ends[fields..]);
        self.used = (bytes + wrote, fields + ended);
        self.line += piece[..read].iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
        match result {
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                (self.too_long, self.used) = (true, (0, 0));
            }
            ReadRecordResult::InputEmpty if !piece.is_empty() => {}
            ReadRecordResult::InputEmpty | ReadRecordResult::Record | ReadRecordResult::End => {
                let row = self.row();
                (self.used, self.too_long, self.within) = ((0, 0), false, false);
                if let Some(row) = row? {
                    each(row);
                }
            }
        }
        Ok(read)
    }

    /// The row that has just ended, unless it is the first, which names the columns.
    fn row(&mut self) -> Result<Option<Result<Row, RowFault>>, BadHeader> {
        let Some(columns) = &self.columns else {
            if self.too_long {
                return Err(BadHeader::TooLong);
            }
            let names = (0..self.used.1).map(|place| String::from_utf8_lossy(self.field(place)).into_owned());
            self.columns = Some(Columns::of(names.collect())?);
            return Ok(None);
        };
        if self.too_long {
            let detail = format!("is over {ROW_BYTES} bytes or {COLUMNS} columns: is a quote never closed?");
            return Ok(Some(Err(RowFault { line: self.begins, detail })));
        }
        let email = self.field(columns.email);
        let reason = columns.reason.map_or(&b""[..], |place| self.field(place));
        Ok(Some(parse(email, reason).map_err(|detail| RowFault { line: self.begins, detail })))
    }

    /// A field of the row; a row may have fewer than the first.
    fn field(&self, place: usize) -> &[u8] {
        let ends = &self.ends[..self.used.1];
        let Some(&end) = ends.get(place) else { return b"" };
        let begin = place.checked_sub(1).map_or(0, |before| ends[before]);
        self.row.get(begin..end).unwrap_or_default()
    }
}

impl Columns {
    fn of(names: Vec<String>) -> Result<Self, BadHeader> {
        let (mut email, mut reason, mut ignored) = (None, None, Vec::new());
        for (place, name) in names.into_iter().enumerate() {
            let known = match name.trim().to_ascii_lowercase().as_str() {
                "email" => (&mut email, "email"),
                "reason" => (&mut reason, "reason"),
                _ => {
                    ignored.push(name);
                    continue;
                }
            };
            if known.0.replace(place).is_some() {
                return Err(BadHeader::Twice(known.1));
            }
        }
        Ok(Self { email: email.ok_or(BadHeader::NoEmail)?, reason, ignored })
    }
}

fn parse(email: &[u8], reason: &[u8]) -> Result<Row, String> {
    let text = |bytes| std::str::from_utf8(bytes).map(str::trim).map_err(|_| "is not UTF-8".to_owned());
    let (email, reason) = (text(email)?, text(reason)?);
    if email.is_empty() {
        return Err("has no address".to_owned());
    }
    let email = EmailAddress::parse(email).map_err(|fault| format!("email {fault}"))?;
    let reason = match reason {
        "" => SuppressionReason::Manual,
        name => name.parse().map_err(|fault| format!("reason {fault}"))?,
    };
    Ok(Row { email, reason })
}

/// Writes a row. Nothing is done to addresses that a spreadsheet would take for a formula: they would no longer be those
/// that are on the list.
pub fn write(file: &mut String, email: &str, reason: SuppressionReason, created_at: Timestamp) {
    if email.contains(['"', ',', '\r', '\n']) {
        file.push('"');
        file.push_str(&email.replace('"', "\"\""));
        file.push('"');
    } else {
        file.push_str(email);
    }
    for text in [",", reason.as_str(), ",", &created_at.to_string(), "\r\n"] {
        file.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<Result<Row, RowFault>>;

    fn read(pieces: &[&[u8]]) -> Result<Rows, BadHeader> {
        let (mut reader, mut rows) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, |row| rows.push(row))?;
        }
        reader.end(|row| rows.push(row))?;
        Ok(rows)
    }

    fn words(file: &[u8]) -> Vec<String> {
        let word = |row: Result<Row, RowFault>| match row {
            Ok(row) => format!("{} {}", row.email, row.reason.as_str()),
            Err(fault) => format!("{}: {}", fault.line, fault.detail),
        };
        read(&[file]).unwrap().into_iter().map(word).collect()
    }

    #[test]
    fn files_as_people_have_them_are_read() {
        let file = b"\xef\xbb\xbfName, EMAIL ,Reason\r\n\"Lovelace, Ada\",ada@example.com,spam_complaint\r\n\r\nBob,\"bob@example.com\"\r\nEve,\"\"\"e,v\"\"@example.com\",";
        assert_eq!(
            words(file),
            ["ada@example.com spam_complaint", "bob@example.com manual", "\"e,v\"@example.com manual"]
        );
        assert_eq!(
            words(b"email\na@example.com\rb@example.com"),
            ["a@example.com manual", "b@example.com manual"]
        );
        assert!(words(b"email\n").is_empty() && words(b"email").is_empty());
    }

    #[test]
    fn a_bad_row_is_named_by_its_line_and_harms_no_other() {
        let file = b"email,reason\r\nno address\r\n\"x\r\ny\",\r\n\r\na@example.com,whim\r\n\xff@example.com\r\n,manual\r\nok@example.com\r\n";
        let words = words(file);
        let starts =
            ["2: email is not an", "3: email is not an", "6: reason is not one of", "7: is not UTF-8"];
        for (word, start) in words.iter().zip(starts) {
            assert!(word.starts_with(start), "{words:?}");
        }
        assert_eq!(words[4..], ["8: has no address", "ok@example.com manual"]);
    }

    #[test]
    fn endless_rows_are_bounded() {
        let long = format!("email\n{}@example.com\na@example.com\n", "x".repeat(100_000));
        assert_eq!(words(long.as_bytes())[1], "a@example.com manual");
        let wide = format!("email\n{}\na@example.com\n", ",".repeat(5_000));
        assert_eq!(words(wide.as_bytes())[1], "a@example.com manual");
        let open = format!("email\n\"{}", "a@example.com\n".repeat(10_000));
        let words = words(open.as_bytes());
        assert!(words.len() == 1 && words[0].starts_with("2: is over"), "{words:?}");
    }

    #[test]
    fn the_first_line_must_say_where_the_addresses_are() {
        for (file, fault) in [
            (&b""[..], BadHeader::NoEmail),
            (b"\xef\xbb", BadHeader::NoEmail),
            (b"{\"a\":1}", BadHeader::NoEmail),
            (b"a@example.com\nb@example.com", BadHeader::NoEmail),
            (b"email,Email\n", BadHeader::Twice("email")),
            ("x".repeat(20_000).as_bytes(), BadHeader::TooLong),
        ] {
            assert_eq!(read(&[file]), Err(fault));
        }
    }

    proptest! {
        #[test]
        fn where_pieces_are_cut_does_not_matter(
            file in "(\u{feff})?email,reason(\r\n|\n)([a-c@.,\" \r\n]|a@b\\.cd|manual){0,60}", cuts in any::<[u8; 3]>(),
        ) {
            let bytes = file.as_bytes();
            let mut cuts = cuts.map(|cut| usize::from(cut) % (bytes.len() + 1));
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            prop_assert_eq!(read(&[bytes]), read(&[&bytes[..a], &bytes[a..b], &bytes[b..c], &bytes[c..]]));
        }

        #[test]
        fn junk_never_panics(junk in any::<Vec<u8>>(), more in any::<Vec<u8>>()) {
            let _ = read(&[&junk, &more]);
            let _ = read(&[b"email\n", &junk, &more]);
        }

        #[test]
        fn what_is_written_is_read(local in "[a-z,\"]{1,8}") {
            let quoted = format!("\"{}\"@example.com", local.replace('"', "\\\""));
            if let Ok(email) = EmailAddress::parse(&quoted) {
                let mut file = HEADER.to_owned();
                write(&mut file, email.as_str(), SuppressionReason::HardBounce, Timestamp::UNIX_EPOCH);
                let row = Row { email, reason: SuppressionReason::HardBounce };
                prop_assert_eq!(read(&[file.as_bytes()]), Ok(vec![Ok(row)]));
            }
        }
    }
}
