//! Taking fields out of a JSON object, one by one; what is left over was misspelt.

use serde_json::{Map, Value};

use crate::problem::Fault;

pub(super) struct Fields {
    object: Map<String, Value>,
    base: String,
    faults: Vec<Fault>,
}

/// A name as a part of a JSON pointer (RFC 6901, section 3).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Fields {
    pub(super) fn of(value: Value, base: &str) -> Result<Self, Vec<Fault>> {
        match value {
            Value::Object(object) => Ok(Self { object, base: base.to_owned(), faults: Vec::new() }),
            _ => Err(vec![Fault { pointer: base.to_owned(), detail: "is not an object".to_owned() }]),
        }
    }

    /// Notes a fault at `path` below this object.
    pub(super) fn fault(&mut self, path: &str, detail: impl Into<String>) {
        self.faults.push(Fault { pointer: format!("{}/{path}", self.base), detail: detail.into() });
    }

    /// A field; null is the same as none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, in whatever form; an empty array is no field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object
            .get(name)
            .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => self.wrong(name, "is not a text"),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong(name, "is neither true nor false"),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            _ => self.wrong(name, "is not an object"),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => self.wrong(name, "is not an array").unwrap_or_default(),
        }
    }

    fn wrong<T>(&mut self, name: &str, detail: &str) -> Option<T> {
        self.fault(name, detail);
        None
    }

    /// Ends the reading: `value`, if nothing was wrong.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Vec<Fault>> {
        let names: Vec<String> = self.object.keys().map(|name| escape(name)).collect();
        for name in names {
            self.fault(&name, "is not a field that is known here");
        }
        if self.faults.is_empty() { Ok(value) } else { Err(self.faults) }
    }

    /// Moves the faults of a nested object here.
    pub(super) fn adopt<T>(&mut self, nested: Result<T, Vec<Fault>>) -> Option<T> {
        nested.map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// The pointer of `path` below this object.
    pub(super) fn pointer(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}
