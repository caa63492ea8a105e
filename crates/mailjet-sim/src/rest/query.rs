//! Query parameters that all lists share.

use std::collections::HashMap;

use actix_web::web;

use super::reply::RestError;

/// Rows on a page at most.
const MOST: usize = 1000;

/// The parameters of a request.
pub(crate) type Parameters = web::Query<HashMap<String, String>>;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Rows left out at the start.
    pub(crate) offset: usize,
    /// Rows at most; Mailjet gives 10 when not asked.
    pub(crate) limit: usize,
}

impl Page {
    /// Reads `Limit` and `Offset`.
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, RestError> {
        let number = |name: &str, default: usize| match parameters.get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| RestError::new(400, format!("Invalid value for \"{name}\": {text}")))
            }
        };
        let limit = match number("Limit", 10)? {
            0 => MOST,
            limit => limit.min(MOST),
        };
        Ok(Self { offset: number("Offset", 0)?, limit })
    }

    /// Cuts the part out of a list.
    pub(crate) fn cut<T>(self, rows: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        rows.into_iter().skip(self.offset).take(self.limit)
    }
}

/// Whether a parameter is given and says yes.
pub(crate) fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}
