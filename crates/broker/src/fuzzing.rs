//! Readers that nobody else may call, for the fuzz targets; only they are built with this module.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::FieldTable;
use lapin::types::parsing::parse_field_table;

use crate::dead_letters::Letter;

/// Reads a dead letter whose headers came over the wire as these bytes, unless they are no table.
pub fn letter(headers: &[u8], body: &[u8]) -> Option<Letter> {
    let (rest, table) = parse_field_table(headers).ok()?;
    rest.is_empty().then(|| of(table, body))
}

/// The same letter once it was put back where it came from, and died again without a word.
pub fn again(letter: &Letter) -> Letter {
    Letter::new(letter.original_properties(), letter.body.clone())
}

fn of(table: FieldTable, body: &[u8]) -> Letter {
    Letter::new(BasicProperties::default().with_headers(table), Bytes::copy_from_slice(body))
}
