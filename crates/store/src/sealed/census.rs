//! Which keys the stored secrets are sealed with.

use std::collections::BTreeMap;
use std::fmt;

use super::SEALED;
use crate::{Error, Keyring, Store};

/// How much a key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key; nothing for records of no form that is known.
    pub id: Option<String>,
    /// Secrets that it seals.
    pub secrets: u64,
    /// Its place in the ring, from zero, which seals; nothing if the ring lacks it.
    pub place: Option<usize>,
}

impl KeyUse {
    /// Whether the ring does as well without it.
    pub fn is_removable(&self) -> bool {
        self.secrets == 0 && self.place.is_some_and(|place| place > 0)
    }
}

/// Stored secrets are sealed with keys that the ring does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Lacking(Vec<KeyUse>);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lacks ")?;
        for (number, key) in self.0.iter().enumerate() {
            let (comma, id) = (if number > 0 { ", " } else { "" }, key.id.as_deref().unwrap_or_default());
            write!(f, "{comma}the key {id:?}, with which {} stored secrets are sealed", key.secrets)?;
        }
        f.write_str("; add it behind the first (see: raven encryption status)")
    }
}

/// Every key of the ring, in its order, and behind them all others that seal something.
pub async fn census(store: &Store, ring: &Keyring) -> Result<Vec<KeyUse>, Error> {
    let mut stored = stored(store).await?;
    let of_ring = ring.ids().enumerate().map(|(place, id)| (Some(id.to_owned()), Some(place)));
    let of_ring: Vec<KeyUse> = of_ring
        .map(|(id, place)| KeyUse { secrets: stored.remove(&id).unwrap_or_default(), id, place })
        .collect();
    let others = stored.into_iter().map(|(id, secrets)| KeyUse { id, secrets, place: None });
    Ok(of_ring.into_iter().chain(others).collect())
}

/// The keys that the ring lacks, if there are any.
pub async fn lacking(store: &Store, ring: &Keyring) -> Result<Option<Lacking>, Error> {
    let mut keys = census(store, ring).await?;
    keys.retain(|key| key.place.is_none() && key.id.is_some());
    Ok((!keys.is_empty()).then_some(Lacking(keys)))
}

/// How many secrets each key seals. Records are taken apart by the form that `seal` describes.
async fn stored(store: &Store) -> Result<BTreeMap<Option<String>, u64>, Error> {
    let client = store.client().await?;
    let mut stored = BTreeMap::new();
    for sealed in &SEALED {
        for column in sealed.columns {
            let count = format!(
                "select case when octet_length({column}) > 2 and get_byte({column}, 0) = 1
                        then substring({column} from 3 for get_byte({column}, 1)) end as key_id, count(*) as secrets
                 from {} where {column} is not null group by 1",
                sealed.table
            );
            for row in client.query(&count, &[]).await? {
                let id: Option<&[u8]> = row.get("key_id");
                let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
                *stored.entry(id).or_default() += row.get::<_, i64>("secrets").unsigned_abs();
            }
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secrets: u64, place: Option<usize>) -> KeyUse {
        KeyUse { id: Some(id.to_owned()), secrets, place }
    }

    #[test]
    fn only_an_unused_key_behind_the_first_can_go() {
        let keys = [key("a", 0, Some(0)), key("b", 1, Some(1)), key("c", 0, Some(2)), key("d", 0, None)];
        assert_eq!(keys.map(|key| key.is_removable()), [false, false, true, false]);
    }

    #[test]
    fn what_lacks_is_told_in_one_line() {
        let lacking = Lacking(vec![key("a\n", 2, None), key("b", 1, None)]).to_string();
        let expected = "lacks the key \"a\\n\", with which 2 stored secrets are sealed, the key \"b\", with which \
             1 stored secrets are sealed; add it behind the first (see: raven encryption status)";
        assert_eq!(lacking, expected);
    }
}
