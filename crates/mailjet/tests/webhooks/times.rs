//! When an event happened.

use super::read;

/// The time that is read, as text.
fn at(time: &str) -> Option<String> {
    let event = read(&format!(r#"{{"event":"sent","email":"ada@example.com","MessageID":7,"time":{time}}}"#));
    event.occurred_at.map(|at| at.to_string())
}

#[test]
fn times_are_seconds_or_milliseconds() {
    for time in [
        "1767225600",
        "\"1767225600\"",
        "\" 1767225600 \"",
        "1767225600.0",
        "\"1767225600.000\"",
        "1767225600000",
    ] {
        assert_eq!(at(time).as_deref(), Some("2026-01-01T00:00:00Z"), "{time}");
    }
    assert_eq!(at("1767225600123").as_deref(), Some("2026-01-01T00:00:00.123Z"));
    assert_eq!(at("946684800").as_deref(), Some("2000-01-01T00:00:00Z"));
    assert_eq!(at("1767927845").as_deref(), Some("2026-01-09T03:04:05Z"), "a clock may be ahead by a week");
}

#[test]
fn impossible_times_are_no_times() {
    for time in [
        "0",
        "-5",
        "946684799",
        "1767927846",
        "99999999999",
        "100000000000",
        "946684799999",
        "1767927845001",
        "1767225600000000",
        "9223372036854775807",
        "99999999999999999999",
        "1e9",
        "1767225600.5",
        "\"1767225600.\"",
        "\"soon\"",
        "\"2026-01-01T00:00:00Z\"",
        "\"\"",
        "null",
        "true",
        "{}",
        "[1767225600]",
    ] {
        assert_eq!(at(time), None, "{time}");
    }
}
