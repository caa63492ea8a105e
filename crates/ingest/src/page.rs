//! Lists in pages: `limit`, `cursor`, `nextCursor`.

use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::web::Query;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Fault, Problem};

const DEFAULT: usize = 50;
const MOST: usize = 500;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) data: Vec<T>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// What the OpenAPI document says of every list's paging.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `Parameters` reads")]
pub(crate) struct Paging {
    /// How many rows a page may have.
    #[param(minimum = 1, maximum = 500, default = 50, example = 50, nullable = false)]
    limit: Option<u16>,
    /// The `nextCursor` of the page before; none, or an empty one, is the beginning.
    #[param(format = "cursor", nullable = false)]
    cursor: Option<String>,
}

/// The parameters of a list, read strictly: a misspelt filter must not list everything.
pub(crate) struct Parameters {
    values: HashMap<String, String>,
    faults: Vec<Fault>,
}

impl Parameters {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
        let mut this = Self { values: HashMap::new(), faults: Vec::new() };
        for (name, value) in query.map(Query::into_inner).unwrap_or_default() {
            let pointer = format!("?{name}");
            // Which of two is meant nobody knows.
            if this.values.insert(name, value).is_some() {
                this.faults.push(Fault { pointer, detail: "is given twice".to_owned() });
            }
        }
        this
    }

    /// A parameter as `read` understands it.
    pub(crate) fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.values.remove(name)?;
        let read = |text: &str| {
            if text.chars().any(char::is_control) {
                Err("holds a control character".to_owned())
            } else {
                read(text)
            }
        };
        match read(&value) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.faults.push(Fault { pointer: format!("?{name}"), detail });
                None
            }
        }
    }

    /// How many rows a page has.
    pub(crate) fn limit(&mut self) -> usize {
        let read = |text: &str| {
            text.parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| format!("is not a number from 1 to {MOST}"))
        };
        self.take("limit", read).unwrap_or(DEFAULT)
    }

    /// Where the page before ended; an empty cursor is the beginning.
    pub(crate) fn cursor<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.values.get("cursor").is_some_and(String::is_empty) {
            self.values.remove("cursor");
        }
        self.take("cursor", |text| {
            let plain = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            plain
                .as_deref()
                .filter(|text| !text.chars().any(char::is_control))
                .and_then(read)
                .ok_or_else(|| "is not a cursor of this list".to_owned())
        })
    }

    /// Ends the reading: what is left over was not understood.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let unknown = self.values.into_keys().map(|name| Fault {
            pointer: format!("?{name}"),
            detail: "is not a parameter of this list".to_owned(),
        });
        self.faults.extend(unknown);
        self.faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }
}

/// Whether there are more rows than `limit`, of which one more was asked for; they are cut to it.
pub(crate) fn cut<R>(rows: &mut Vec<R>, limit: usize) -> bool {
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

/// The cursor that leads back to a place: what [`Parameters::cursor`] reads.
pub(crate) fn cursor_of(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// Makes a page of `rows`, after which there are `more` or none.
pub(crate) fn page<R, T>(
    rows: Vec<R>,
    more: bool,
    cursor: impl Fn(&R) -> String,
    view: impl Fn(R) -> T,
) -> Page<T> {
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor_of(&cursor(row)));
    Page { data: rows.into_iter().map(view).collect(), next_cursor }
}
