//! HTML that is well-formed and escaped by the way it is made: there is no other way to make it.

use std::fmt::Write as _;

/// A piece of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

/// Attributes of an element.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// Text, whatever it holds.
    pub(super) fn text(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        escape(text, &mut html);
        Self(html)
    }

    /// An element around a piece.
    pub(super) fn tag(name: &'static str, attributes: Attributes<'_>, inner: impl Into<Self>) -> Self {
        let Self(inner) = inner.into();
        let mut html = format!("<{name}");
        for (attribute, value) in attributes {
            // Writing to a string cannot fail.
            let _ = write!(html, " {attribute}=\"");
            escape(value, &mut html);
            html.push('"');
        }
        let _ = write!(html, ">{inner}</{name}>");
        Self(html)
    }

    /// A style sheet. What it holds is ours, and is no HTML.
    pub(super) fn style(sheet: &'static str) -> Self {
        Self(format!("<style>{sheet}</style>"))
    }

    /// An element in the head that has no content.
    pub(super) fn meta(name: &'static str, content: &str) -> Self {
        let Self(mut html) = Self::tag("meta", &[("name", name), ("content", content)], Self::default());
        html.truncate(html.len() - "</meta>".len());
        Self(html)
    }

    /// A list item of each, a row of each: all pieces, one after the other.
    pub(super) fn all(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|Self(piece)| piece).collect())
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole page, of which this is the root.
    pub(super) fn into_page(self) -> String {
        format!("<!doctype html>{}", self.0)
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl<const N: usize> From<[Self; N]> for Html {
    fn from(pieces: [Self; N]) -> Self {
        Self::all(pieces)
    }
}

fn escape(text: &str, html: &mut String) {
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let html = Html::tag("a", &[("href", "\"><script>")], "</a><script>alert('&')");
        let expected =
            "<a href=\"&quot;&gt;&lt;script&gt;\">&lt;/a&gt;&lt;script&gt;alert(&#39;&amp;&#39;)</a>";
        assert_eq!(html, Html(expected.to_owned()));
    }
}
