//! Finding secrets in whatever form programs give them away.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Looks for secrets, each in every form.
pub(crate) struct Detector {
    needles: Vec<Needle>,
}

struct Needle {
    name: String,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Detector {
    /// Of nothing.
    pub(crate) fn new() -> Self {
        Self { needles: Vec::new() }
    }

    /// Looks for this one as well; `name` is what a find is told as.
    pub(crate) fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(secret.len() >= 12, "{name} is too short to be told from chance");
        for (form, bytes) in forms(secret) {
            self.needles.push(Needle { name: name.to_owned(), form, bytes });
        }
    }

    /// What stands in a text, by name and form.
    pub(crate) fn found(&self, text: &[u8]) -> Vec<String> {
        let stands = |needle: &&Needle| holds(text, &needle.bytes);
        self.needles.iter().filter(stands).map(|needle| format!("{}, {}", needle.name, needle.form)).collect()
    }
}

/// Whether the bytes stand in the text: the search of strings is the quick one, and takes Latin-1 for what it is.
fn holds(text: &[u8], bytes: &[u8]) -> bool {
    match (std::str::from_utf8(text), std::str::from_utf8(bytes)) {
        (Ok(text), Ok(bytes)) => text.contains(bytes),
        (Ok(_), Err(_)) => false,
        (Err(_), _) => text.windows(bytes.len()).any(|window| window == bytes),
    }
}

/// A secret plain, in hex, percent-encoded, in base64 at each alignment, and as Rust prints bytes.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |write: fn(u8) -> String| secret.iter().copied().map(write).collect::<String>().into_bytes();
    let decimals: Vec<String> = secret.iter().map(ToString::to_string).collect();
    let mut forms = vec![
        ("plain", secret.to_vec()),
        ("hex", each(|byte| format!("{byte:02x}"))),
        ("hex in capitals", each(|byte| format!("{byte:02X}"))),
        ("percent-encoded", each(|byte| format!("%{byte:02x}"))),
        ("percent-encoded in capitals", each(|byte| format!("%{byte:02X}"))),
        ("percent-encoded where need be", each(percent)),
        ("decimals", decimals.join(", ").into_bytes()),
    ];
    for offset in 0..3 {
        forms.push(("base64", aligned(secret, offset, &STANDARD_NO_PAD)));
        forms.push(("base64 for URLs", aligned(secret, offset, &URL_SAFE_NO_PAD)));
    }
    forms
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The characters that a secret has in base64 wherever it stands: those that no neighbour has a part in.
fn aligned(secret: &[u8], offset: usize, engine: &impl Engine) -> Vec<u8> {
    let shifted = [&vec![0; offset][..], secret].concat();
    let text = engine.encode(&shifted);
    let (first, last) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
    text.as_bytes()[first..last].to_vec()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &[u8] = b"s3cret/With+Odd?Chars~";

    fn found(text: impl AsRef<[u8]>) -> bool {
        let mut detector = Detector::new();
        detector.add("it", SECRET);
        !detector.found(text.as_ref()).is_empty()
    }

    #[test]
    fn every_form_is_found_in_any_company() {
        let each: Vec<String> = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
        let (hex, percent) = (each.concat(), format!("%{}", each.join("%")));
        let plain = String::from_utf8(SECRET.to_vec()).unwrap();
        assert!(found(format!("GET /?token={plain}&x")), "plain");
        assert!(found(format!("\\x00{hex}ff")), "as Postgres dumps bytes");
        assert!(found(hex.to_uppercase()), "hex in capitals");
        assert!(found(format!("?token={percent}")) && found(percent.to_uppercase()), "percent-encoded");
        assert!(found("token=s3cret%2FWith%2BOdd%3FChars~&"), "as forms encode it");
        assert!(found(format!("{:?}", [b"x".as_slice(), SECRET].concat())), "as Rust prints bytes");
        assert!(found([b"\xff\xfe".as_slice(), SECRET].concat()), "between bytes that are no text");
        for before in 0..6 {
            for after in 0..4 {
                let whole = ["u".repeat(before).as_bytes(), SECRET, "v".repeat(after).as_bytes()].concat();
                assert!(found(STANDARD.encode(&whole)), "base64, {before} before and {after} behind");
                assert!(
                    found(URL_SAFE.encode(&whole)),
                    "base64 for URLs, {before} before and {after} behind"
                );
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert!(!found("nothing of it"));
        assert!(!found(&SECRET[1..]));
        assert!(!found(STANDARD.encode(&SECRET[2..])));
    }
}
