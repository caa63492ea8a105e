//! How the types of the document read: in a phrase, and field by field.

use serde_json::Value;

use super::html::Html;
use super::words::{framed, inline};

const SCHEMAS: &str = "#/components/schemas/";

/// The type of a value in a phrase, with a link to each type that has a name.
pub(super) fn phrase(schema: &Value) -> Html {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMAS)) {
        return Html::tag("a", &[("href", &*format!("#type-{name}"))], name);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return listed(choices.iter().map(phrase), " or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return listed(
            words.iter().map(|word| Html::tag("code", &[], word.as_str().unwrap_or("null"))),
            ", ",
        );
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    listed(names.into_iter().map(|name| single(schema, name)), " or ")
}

fn single(schema: &Value, name: &str) -> Html {
    match name {
        "array" if schema["items"].is_object() => [Html::text("array of "), phrase(&schema["items"])].into(),
        "string" => match schema["format"].as_str() {
            Some(format) => Html::text(&format!("string ({format})")),
            None => Html::text("string"),
        },
        "object" if schema["additionalProperties"]["type"] == "string" => Html::text("object of strings"),
        other => Html::text(other),
    }
}

fn listed(pieces: impl Iterator<Item = Html>, between: &str) -> Html {
    Html::all(
        pieces.enumerate().flat_map(|(place, piece)| {
            [if place == 0 { Html::default() } else { Html::text(between) }, piece]
        }),
    )
}

/// The limits of a value.
pub(super) fn limits(schema: &Value) -> Html {
    const NAMES: [(&str, &str); 9] = [
        ("minimum", "from"),
        ("maximum", "to"),
        ("minLength", "characters from"),
        ("maxLength", "characters up to"),
        ("minItems", "entries from"),
        ("maxItems", "entries up to"),
        ("maxProperties", "entries up to"),
        ("default", "else"),
        ("contentEncoding", "in"),
    ];
    let words = NAMES.iter().filter_map(|(key, words)| {
        let value = schema.get(*key).filter(|value| !value.is_null() && **value != 0)?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(Html::text(&format!("{words} {value}")))
    });
    listed(words, ", ")
}

/// The fields of an object as a table; empty for what is none.
pub(super) fn fields(schema: &Value) -> Html {
    let parts: Vec<&Value> = match schema["allOf"].as_array() {
        Some(parts) => parts.iter().collect(),
        None => vec![schema],
    };
    let rows = Html::all(
        parts.into_iter().filter_map(|part| part["properties"].as_object().map(|all| (part, all))).flat_map(
            |(part, properties)| {
                let required: Vec<&str> =
                    part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                properties
                    .iter()
                    .map(move |(name, schema)| row(name, schema, required.contains(&name.as_str())))
            },
        ),
    );
    if rows.is_empty() { rows } else { framed(Html::tag("tbody", &[], rows)) }
}

/// A field or a parameter.
pub(super) fn row(name: &str, schema: &Value, required: bool) -> Html {
    let mark = if required { Html::tag("small", &[], " required") } else { Html::default() };
    let limits = limits(schema);
    let limits = if limits.is_empty() { limits } else { [Html::text("; "), limits].into() };
    let kind = Html::tag("div", &[("class", "type")], [phrase(schema), limits]);
    // What may be null has its words at the choice that is not.
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let words = std::iter::once(schema).chain(choices).find_map(|one| one["description"].as_str());
    let words = words.map(inline).unwrap_or_default();
    let left = Html::tag("td", &[], [Html::tag("code", &[], name), mark]);
    Html::tag("tr", &[], [left, Html::tag("td", &[], [kind, words])])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: &Value) -> String {
        phrase(schema).into_page().replace("<!doctype html>", "")
    }

    #[test]
    fn types_read_as_one_would_say_them() {
        assert_eq!(read(&json!({"type": ["string", "null"], "format": "uuid"})), "string (uuid) or null");
        assert_eq!(read(&json!({"type": "array", "items": {"type": "integer"}})), "array of integer");
        assert_eq!(read(&json!({})), "anything");
        let named = json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Page"}]});
        assert_eq!(read(&named), "null or <a href=\"#type-Page\">Page</a>");
    }
}
