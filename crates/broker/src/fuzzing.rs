//! Readers that nobody else may call, and what has to hold of what they read; for tests and the fuzz targets only.

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

/// Checks a letter.
///
/// # Panics
/// Where it is not told of, or where what goes back to its queue carries anything that the broker would act upon, or
/// loses something on the way there and back.
pub fn letter_holds(letter: &Letter) {
    assert!(!letter.id.is_empty() && !letter.reason.is_empty() || letter.header("raven-reason").is_some());
    for (name, words) in letter.headers() {
        assert!(letter.header(&name).is_none_or(|text| text == words), "{name} reads the same for people");
    }
    let once = again(letter);
    assert_eq!((once.deaths, once.queue.as_deref(), once.buried_at.as_deref()), (0, None, None));
    assert!(once.headers().iter().all(|(name, _)| name.starts_with("raven-")), "{:?}", once.headers());
    assert_eq!((&once.body, once.id.as_str()), (&letter.body, letter.id.as_str()));
    // Compared as printed, since a header that is not a number (NaN) is unlike itself.
    let (twice, once) = (format!("{:?}", again(&once)), format!("{once:?}"));
    assert_eq!(twice, once, "nothing is lost on the way there and back");
}

/// The same letter once it was put back where it came from, and died again without a word.
fn again(letter: &Letter) -> Letter {
    Letter::new(letter.original_properties(), letter.body.clone())
}

fn of(table: FieldTable, body: &[u8]) -> Letter {
    Letter::new(BasicProperties::default().with_headers(table), Bytes::copy_from_slice(body))
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldArray};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Names that matter, and others.
    fn name() -> impl Strategy<Value = String> {
        let telling = [
            "raven-reason",
            "raven-queue",
            "raven-buried-at",
            "x-death",
            "queue",
            "reason",
            "count",
            "time",
            "CC",
        ];
        prop_oneof![4 => select(telling.to_vec()).prop_map(str::to_owned), 1 => "(raven-)?[a-z]{0,3}"]
    }

    fn table(entries: Vec<(String, AMQPValue)>) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(name.into(), value);
        }
        table
    }

    fn value() -> impl Strategy<Value = AMQPValue> {
        let words = select(vec!["", "sends", "events", "dead-letters", "rejected", "7", "\n"]);
        let leaf = prop_oneof![
            3 => words.prop_map(|text| AMQPValue::LongString(text.into())),
            1 => any::<Vec<u8>>().prop_map(|bytes| AMQPValue::LongString(bytes.into())),
            1 => any::<i64>().prop_map(AMQPValue::LongLongInt),
            1 => any::<u64>().prop_map(AMQPValue::Timestamp),
            1 => any::<f64>().prop_map(AMQPValue::Double),
            1 => select(vec![AMQPValue::Void, AMQPValue::Boolean(true), AMQPValue::Float(f32::NAN)]),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let entries = vec((name(), inner.clone()), 0..6);
            let array = vec(inner, 0..4).prop_map(|values| AMQPValue::FieldArray(FieldArray::from(values)));
            prop_oneof![2 => entries.prop_map(|entries| AMQPValue::FieldTable(table(entries))), 3 => array]
        })
    }

    proptest! {
        #[test]
        fn any_letter_is_told_of_and_goes_back_clean(headers in vec((name(), value()), 0..6), body in any::<Vec<u8>>()) {
            letter_holds(&of(table(headers), &body));
        }

        #[test]
        fn headers_of_any_bytes_are_read_or_refused(headers in any::<Vec<u8>>()) {
            let size = u32::try_from(headers.len()).unwrap().to_be_bytes();
            if let Some(letter) = letter(&[&size[..], &headers].concat(), b"") {
                letter_holds(&letter);
            }
        }
    }
}
