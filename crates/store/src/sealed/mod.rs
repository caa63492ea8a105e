//! Every column that holds sealed secrets, and what is done with all of them: counting by key, comparing with a ring of
//! keys, and sealing anew under another key.

mod census;
mod guard;
mod rotate;

pub use census::{KeyUse, Lacking, census, lacking};
pub use guard::guard;
pub use rotate::{Rotation, rotate};

use secrecy::{ExposeSecret as _, SecretString};

use crate::seal::Place;
use crate::{Error, Keyring, Store};

/// Columns of a table that hold sealed secrets.
struct Sealed {
    table: &'static str,
    /// What tells a tenant's rows apart: a column, or where there is only one row its name as an SQL literal.
    row: &'static str,
    columns: &'static [&'static str],
}

/// All of them. A secret that is not listed here would be lost with the key that sealed it.
const SEALED: [Sealed; 2] = [
    Sealed { table: "providers", row: "provider", columns: &["api_key_sealed", "api_secret_sealed"] },
    Sealed {
        table: "webhook_registrations",
        row: "'mailjet'",
        columns: &["url_sealed", "backup_url_sealed", "former_sealed"],
    },
];

/// Rows that hold sealed secrets.
pub async fn count(store: &Store) -> Result<u64, Error> {
    let client = store.client().await?;
    let mut rows = 0;
    for Sealed { table, .. } in &SEALED {
        let row = client.query_one(&format!("select count(*) from {table}"), &[]).await?;
        rows += row.get::<_, i64>(0).unsigned_abs();
    }
    Ok(rows)
}

/// Seals a secret with a nonce that nobody has used.
pub(crate) fn seal(ring: &Keyring, place: Place<'_>, secret: &SecretString) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).map_err(|fault| Error::Unavailable(Box::new(fault)))?;
    Ok(ring.seal(place, secret.expose_secret().as_bytes(), nonce)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every migration, in one text.
    fn schema() -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "sql"));
        files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn every_sealed_column_of_the_schema_is_listed() {
        let schema = schema();
        let words = schema.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        let in_schema: std::collections::BTreeSet<&str> =
            words.filter(|word| word.ends_with("_sealed")).collect();
        let listed = SEALED.iter().flat_map(|one| one.columns).copied().collect();
        assert_eq!(in_schema, listed);
    }
}
