//! A suppression file of any bytes: where it is cut does not matter, and what was read of it is read again from what is
//! written of that.
#![no_main]

use domain::suppression::file::{BadHeader, HEADER, Reader, Row, RowFault, write};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

type Rows = Vec<Result<Row, RowFault>>;

fn read(pieces: &[&[u8]]) -> Result<Rows, BadHeader> {
    let (mut reader, mut rows) = (Reader::default(), Vec::new());
    for piece in pieces {
        reader.read(piece, |row| rows.push(row))?;
    }
    reader.end(|row| rows.push(row))?;
    Ok(rows)
}

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (cut, headed, file) = input;
    let file = if headed { [b"email,reason\n", file].concat() } else { file.to_vec() };
    let rows = read(&[&file]);
    let (front, back) = file.split_at(usize::from(cut).min(file.len()));
    assert_eq!(read(&[front, back]), rows);
    let (mut copy, mut good) = (HEADER.to_owned(), Vec::new());
    for row in rows.into_iter().flatten().flatten() {
        assert!(!row.email.as_str().chars().any(char::is_control));
        write(&mut copy, row.email.as_str(), row.reason, Timestamp::UNIX_EPOCH);
        good.push(Ok(row));
    }
    assert_eq!(read(&[copy.as_bytes()]), Ok(good));
});
