//! Reading settings from the environment.

use std::collections::HashMap;
use std::fmt::{self, Display, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use zeroize::Zeroizing;

/// One setting: what `--help` says of it, and how it is read.
#[derive(Debug)]
pub struct Variable {
    /// Its name in the environment.
    pub name: &'static str,
    /// What it is when it is not set; none when it must be set.
    pub default: Option<&'static str>,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// The variables of a process, read once. Some are secrets, so all are wiped from memory with the value.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, Zeroizing<String>>);

/// A setting that cannot be used: one line that names the variable and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {fault}")]
pub struct Invalid {
    variable: String,
    fault: String,
}

impl Environment {
    /// The environment of this process. For each `NAME_FILE` whose `NAME` is not set, `NAME` is the content of that
    /// file, as container platforms hand secrets over.
    pub fn of_process() -> Result<Self, Invalid> {
        let mut variables: HashMap<String, Zeroizing<String>> =
            std::env::vars().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        let files: Vec<(String, String)> = variables
            .iter()
            .filter_map(|(name, path)| Some((name.strip_suffix("_FILE")?.to_owned(), path.to_string())))
            .filter(|(name, _)| is_ours(name) && !variables.contains_key(name))
            .collect();
        for (name, path) in files {
            let content = std::fs::read_to_string(&path).map_err(|fault| Invalid {
                variable: format!("{name}_FILE"),
                fault: format!("names {path}, which cannot be read: {fault}"),
            })?;
            let content = Zeroizing::new(content);
            variables.insert(name, Zeroizing::new(content.trim_end().to_owned()));
        }
        Ok(Self(variables))
    }

    /// An environment of these variables only.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), Zeroizing::new(value.to_owned()));
        Self(variables.into_iter().map(owned).collect())
    }

    /// A setting as `parse` reads it.
    pub fn read<T, E: Display>(
        &self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Invalid> {
        let value = self.0.get(variable.name).map(|value| value.as_str()).filter(|value| !value.is_empty());
        let Some(value) = value.or(variable.default) else {
            return Err(variable.invalid(format!("is not set; set it to: {}", variable.meaning)));
        };
        parse(value).map_err(|fault| variable.invalid(fault.to_string()))
    }

    /// A setting that may be missing.
    pub fn optional(&self, variable: &Variable) -> Option<String> {
        self.0.get(variable.name).filter(|value| !value.is_empty()).map(|value| value.to_string())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("RAVEN_")
        || matches!(name, "DATABASE_URL" | "AMQP_URL" | "MAILJET_URL" | "MAILJET_TIMEOUT")
}

impl Variable {
    /// The fault of this setting.
    pub fn invalid(&self, fault: impl Into<String>) -> Invalid {
        Invalid { variable: self.name.to_owned(), fault: fault.into() }
    }
}

/// Reads a time span such as `250ms`, `5s`, `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let span: SignedDuration = text.parse().map_err(|_| "is not a time span such as 250ms, 5s or 1h")?;
    Duration::try_from(span).map_err(|_| "is a negative time span")
}

/// Reads a time span that is not zero.
pub fn positive(text: &str) -> Result<Duration, &'static str> {
    duration(text).and_then(|span| if span.is_zero() { Err("is zero") } else { Ok(span) })
}

/// The longest age that can be set: a hundred years, from which every moment can still be counted.
const OLDEST: Duration = Duration::from_hours(24 * 36_525);

/// Reads how old something may grow, such as `30d` or `12h`; nothing when it is `off`. A day has 24 hours.
pub fn age(text: &str) -> Result<Option<Duration>, &'static str> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let span: Span = text.parse().map_err(|_| "is not an age such as 30d or 12h, or off")?;
    let span =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| "needs its months in days")?;
    let age = Duration::try_from(span).map_err(|_| "is a negative time span")?;
    match age {
        Duration::ZERO => Err("is zero; off keeps for ever"),
        _ if age > OLDEST => Err("is over a hundred years; off keeps for ever"),
        _ => Ok(Some(age)),
    }
}

/// Reads an address to listen on.
pub fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "is not an address such as 127.0.0.1:8080")
}

/// Reads a number from 1.
pub fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("is not a whole number from 1")
}

/// Reads a number of bytes such as `64MiB`, from 1.
pub fn size(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "is not a size such as 64MiB or 1GiB";
    let text = text.trim();
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kib" => 10,
        "mib" => 20,
        "gib" => 30,
        "tib" => 40,
        _ => return Err(WRONG),
    };
    let number: u64 = number.parse().map_err(|_| WRONG)?;
    number.checked_mul(1 << shift).filter(|&bytes| bytes > 0).ok_or(WRONG)
}

/// What `--help` prints of these settings.
pub fn help(variables: &[&Variable]) -> String {
    let mut text = String::from("Settings (environment; NAME_FILE names a file that holds the value):\n");
    for variable in variables {
        let default = variable.default.map_or("required".to_owned(), |value| format!("default {value}"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<24} {} ({default})", variable.name, variable.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Variable = Variable { name: "SPAN", default: Some("5s"), meaning: "how long" };
    const URL: Variable = Variable { name: "URL", default: None, meaning: "where, e.g. http://x" };

    #[test]
    fn defaults_hold_when_nothing_is_set() {
        assert_eq!(Environment::default().read(&SPAN, duration), Ok(Duration::from_secs(5)));
        let empty = Environment::of([("SPAN", "")]);
        assert_eq!(empty.read(&SPAN, duration), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn a_fault_names_the_variable_and_the_fix() {
        let missing = Environment::default().read(&URL, listen).unwrap_err();
        assert_eq!(missing.to_string(), "URL is not set; set it to: where, e.g. http://x");
        let wrong = Environment::of([("SPAN", "soon")]).read(&SPAN, duration).unwrap_err();
        assert_eq!(wrong.to_string(), "SPAN is not a time span such as 250ms, 5s or 1h");
    }

    #[test]
    fn ages_are_read() {
        let hours = |text| age(text).map(|age| age.map(|age| age.as_secs() / 3600));
        assert_eq!([hours("30d"), hours("2w 12h"), hours("1h")], [Ok(Some(720)), Ok(Some(348)), Ok(Some(1))]);
        assert_eq!([hours("off"), hours("OFF")], [Ok(None), Ok(None)]);
        for wrong in ["", "0d", "-5d", "13 months", "1y", "30", "for ever", "99999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read() {
        let read = ["4096", "64 MiB", "1GiB", "2kib", "3TiB"].map(|text| size(text).ok());
        assert_eq!(read, [Some(4096), Some(64 << 20), Some(1 << 30), Some(2048), Some(3 << 40)]);
        for wrong in ["", "0", "GiB", "1GB", "-1MiB", "1.5GiB", "99999999999TiB", "1 G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_read() {
        let read = |text| duration(text).map(|span| span.as_millis());
        assert_eq!([read("10ms"), read("1h"), read("1m 30s")], [Ok(10), Ok(3_600_000), Ok(90_000)]);
        assert!(read("-5s").is_err() && read("5").is_err());
    }
}
