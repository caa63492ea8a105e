//! One operation of the document: what it takes, an example, what it answers.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::Html;
use super::types;
use super::words::{blocks, framed, inline};

/// An operation with where it stands.
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a Value,
    pub(super) document: &'a Value,
}

impl Operation<'_> {
    pub(super) fn id(&self) -> &str {
        self.body["operationId"].as_str().unwrap_or_default()
    }

    /// The entry in the table of contents.
    pub(super) fn entry(&self) -> Html {
        let summary = self.body["summary"].as_str().unwrap_or_default().trim_end_matches('.');
        Html::tag("li", &[], Html::tag("a", &[("href", &*format!("#{}", self.id()))], summary))
    }

    pub(super) fn section(&self) -> Html {
        let method = self.method.to_uppercase();
        let address = [
            Html::tag("span", &[("class", "method")], &*method),
            Html::text(" "),
            Html::tag("code", &[], self.path),
        ];
        let text = |name: &str| self.body[name].as_str().map(blocks).unwrap_or_default();
        let summary = self.body["summary"].as_str().map(inline).unwrap_or_default();
        Html::tag(
            "section",
            &[("id", self.id()), ("class", "operation")],
            [
                Html::tag("h3", &[], summary),
                Html::tag("p", &[("class", "address")], address),
                text("description"),
                self.parameters(),
                self.request(),
                titled("Example", Html::tag("pre", &[], Html::tag("code", &[], &*self.curl()))),
                titled("Answers", self.answers()),
            ],
        )
    }

    fn parameters(&self) -> Html {
        let parameters = self.body["parameters"].as_array();
        let rows = Html::all(parameters.into_iter().flatten().map(|parameter| {
            let mut schema = parameter["schema"].clone();
            if let (Some(place), Some(words)) = (parameter["in"].as_str(), parameter["description"].as_str())
            {
                schema["description"] = format!("{words} ({place})").into();
            }
            types::row(parameter["name"].as_str().unwrap_or_default(), &schema, parameter["required"] == true)
        }));
        if rows.is_empty() { rows } else { titled("Parameters", framed(Html::tag("tbody", &[], rows))) }
    }

    fn request(&self) -> Html {
        let Some(content) = self.body["requestBody"]["content"]["application/json"].as_object() else {
            return Html::default();
        };
        let schema = content.get("schema").unwrap_or(&Value::Null);
        let words = self.body["requestBody"]["description"].as_str().unwrap_or_default();
        let line = Html::tag("p", &[], [types::phrase(schema), Html::text(". "), inline(words)]);
        titled("Body", [line, types::fields(self.resolved(schema))].into())
    }

    /// What a reference leads to, or the value itself.
    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let pointer = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    fn answers(&self) -> Html {
        let answers = self.body["responses"].as_object();
        let rows = answers.into_iter().flatten().map(|(status, answer)| {
            let answer = self.resolved(answer);
            let types = answer["content"].as_object().into_iter().flatten().map(|(media, content)| {
                let schema = &content["schema"];
                let kind = if schema["allOf"].is_array() { &schema["allOf"][0] } else { schema };
                Html::tag(
                    "div",
                    &[("class", "type")],
                    [types::phrase(kind), Html::text(&format!(", {media}"))],
                )
            });
            let headers = answer["headers"].as_object().into_iter().flatten().map(|(name, header)| {
                let words = header["description"].as_str().unwrap_or_default();
                Html::tag("div", &[], [Html::tag("code", &[], &**name), Html::text(": "), inline(words)])
            });
            let words = inline(answer["description"].as_str().unwrap_or_default());
            let right = Html::tag("td", &[], [Html::all(types), words, Html::all(headers)]);
            Html::tag("tr", &[], [Html::tag("td", &[], Html::tag("code", &[], &**status)), right])
        });
        framed(Html::tag("tbody", &[], Html::all(rows)))
    }

    /// How to ask for it in a shell.
    fn curl(&self) -> String {
        let parameters = self.body["parameters"].as_array();
        let path = parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "path").fold(
            self.path.to_owned(),
            |path, parameter| {
                let name = parameter["name"].as_str().unwrap_or_default();
                path.replace(&format!("{{{name}}}"), &self.sample(parameter))
            },
        );
        let mut words = match self.method {
            "get" => "curl".to_owned(),
            "post" if self.body["requestBody"].is_object() => "curl".to_owned(),
            method => format!("curl -X {}", method.to_uppercase()),
        };
        // Writing to a string cannot fail.
        let _ = write!(words, " \"$RAVEN{path}\"");
        if self.body.get("security").is_none() {
            words.push_str(" -H \"X-Raven-Key: $KEY\"");
        }
        let content = &self.body["requestBody"]["content"]["application/json"];
        let example = content.get("example").or_else(|| self.resolved(&content["schema"]).get("example"));
        if let Some(example) = example {
            let json = serde_json::to_string_pretty(example).unwrap_or_default();
            let _ = write!(words, " \\\n  -d '{}'", json.replace('\'', "'\\''"));
        }
        words
    }

    /// A value of a parameter in the path.
    fn sample(&self, parameter: &Value) -> String {
        let schema = self.resolved(&parameter["schema"]);
        let word = parameter["example"].as_str().or_else(|| schema["enum"][0].as_str());
        word.unwrap_or("019a0000-0000-7000-8000-000000000000").to_owned()
    }
}

fn titled(title: &str, content: Html) -> Html {
    [Html::tag("h4", &[], title), content].into()
}
