//! The little Markdown that descriptions use: paragraphs, `code`, **strong** and tables.

use super::html::Html;

/// Paragraphs and tables.
pub(super) fn blocks(text: &str) -> Html {
    Html::all(text.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| {
        if block.trim_start().starts_with('|') {
            table(block)
        } else {
            Html::tag("p", &[], inline(block.trim()))
        }
    }))
}

/// A line of text.
pub(super) fn inline(text: &str) -> Html {
    // Every second part stands between a pair of marks; a mark without its pair is only a character.
    let marked = |text: &str, mark: &str| -> Vec<(bool, String)> {
        let parts: Vec<&str> = text.split(mark).collect();
        let last = parts.len() - 1;
        let odd = |(place, part): (usize, &&str)| {
            if place % 2 == 1 && place == last {
                (false, format!("{mark}{part}"))
            } else {
                (place % 2 == 1, (*part).to_owned())
            }
        };
        parts.iter().enumerate().map(odd).collect()
    };
    Html::all(marked(text, "`").into_iter().map(|(code, part)| {
        if code {
            return Html::tag("code", &[], &*part);
        }
        Html::all(
            marked(&part, "**").into_iter().map(|(strong, part)| {
                if strong { Html::tag("strong", &[], &*part) } else { Html::text(&part) }
            }),
        )
    }))
}

/// A table whose second line is the rule below its head.
fn table(block: &str) -> Html {
    let row = |line: &str, cell: &'static str| {
        let cells = line.trim().trim_matches('|').split('|');
        Html::tag("tr", &[], Html::all(cells.map(|text| Html::tag(cell, &[], inline(text.trim())))))
    };
    let mut lines = block.trim().lines();
    let head = lines.next().map(|line| row(line, "th")).unwrap_or_default();
    let body = Html::all(lines.skip(1).map(|line| row(line, "td")));
    framed([Html::tag("thead", &[], head), Html::tag("tbody", &[], body)].into())
}

/// A table that scrolls by itself where the screen is narrow.
pub(super) fn framed(rows: Html) -> Html {
    Html::tag("div", &[("class", "wide")], Html::tag("table", &[], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_in_pairs() {
        let code = |text: &str| Html::tag("code", &[], text);
        assert_eq!(inline("a `b` c"), [Html::text("a "), code("b"), Html::text(" c")].into());
        assert_eq!(inline("it`s"), Html::text("it`s"));
        assert_eq!(inline("`**`"), [Html::default(), code("**"), Html::default()].into());
        assert_eq!(inline("**b**"), Html::tag("strong", &[], "b"));
    }
}
