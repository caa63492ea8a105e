//! The page: contents, introduction, operations by tag, types.

use serde_json::Value;

use super::html::Html;
use super::operation::Operation;
use super::types;
use super::words::{blocks, inline};

/// The whole page of a document.
pub(super) fn page(document: &Value, style: &'static str) -> String {
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let head = Html::tag(
        "head",
        &[],
        [
            Html::meta("viewport", "width=device-width, initial-scale=1"),
            Html::meta("color-scheme", "light dark"),
            Html::tag("title", &[], &*format!("{title}: the API")),
            Html::style(style),
        ],
    );
    let groups = groups(document);
    let body = Html::tag("body", &[], [contents(&groups), main(document, title, &groups)]);
    Html::tag("html", &[("lang", "en")], [head, body]).into_page()
}

/// A tag's name and words, and its operations.
struct Group<'a> {
    name: &'a str,
    words: &'a str,
    operations: Vec<Operation<'a>>,
}

fn groups(document: &Value) -> Vec<Group<'_>> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| group(document, tag)).filter(|group| !group.operations.is_empty()).collect()
}

fn group<'a>(document: &'a Value, tag: &'a Value) -> Group<'a> {
    let name = tag["name"].as_str().unwrap_or_default();
    let operations = operations(document).into_iter().filter(|one| one.body["tags"][0] == name).collect();
    Group { name, words: tag["description"].as_str().unwrap_or_default(), operations }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.filter(|(_, body)| body["operationId"].is_string()).map(move |(method, body)| Operation {
                method,
                path,
                body,
                document,
            })
        })
        .collect()
}

fn contents(groups: &[Group<'_>]) -> Html {
    let group = |group: &Group<'_>| {
        let entries = Html::all(group.operations.iter().map(Operation::entry));
        Html::from([Html::tag("p", &[], group.name), Html::tag("ul", &[], entries)])
    };
    let types = Html::tag("p", &[], Html::tag("a", &[("href", "#types")], "Types"));
    Html::tag("nav", &[("aria-label", "Contents")], [Html::all(groups.iter().map(group)), types])
}

fn main(document: &Value, title: &str, groups: &[Group<'_>]) -> Html {
    let introduction = document["info"]["description"].as_str().map(blocks).unwrap_or_default();
    let machine = Html::tag("p", &[], Html::tag("a", &[("href", "/openapi.json")], "This as OpenAPI 3.1"));
    let group = |group: &Group<'_>| {
        let sections = Html::all(group.operations.iter().map(Operation::section));
        Html::from([Html::tag("h2", &[], group.name), Html::tag("p", &[], inline(group.words)), sections])
    };
    Html::tag(
        "main",
        &[],
        [
            Html::tag("h1", &[], title),
            introduction,
            machine,
            Html::all(groups.iter().map(group)),
            Html::tag("h2", &[("id", "types")], "Types"),
            Html::all(document["components"]["schemas"].as_object().into_iter().flatten().map(named)),
        ],
    )
}

/// A type that has a name.
fn named((name, schema): (&String, &Value)) -> Html {
    let words = schema["description"].as_str().map(blocks).unwrap_or_default();
    let fields = types::fields(schema);
    let body = if fields.is_empty() {
        let limits = types::limits(schema);
        let between = if limits.is_empty() { Html::default() } else { Html::text("; ") };
        Html::tag("p", &[("class", "type")], [types::phrase(schema), between, limits])
    } else {
        fields
    };
    Html::tag("section", &[("id", &*format!("type-{name}"))], [Html::tag("h3", &[], &**name), words, body])
}
