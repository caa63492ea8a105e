//! Printing: a table for people, one JSON document for programs.

use std::io::Write as _;

use serde_json::Value;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints one thing: as JSON, or as lines of names and values.
    pub(crate) fn one(self, value: &Value) -> anyhow::Result<()> {
        if self.json {
            return print(&format!("{value}\n"));
        }
        let fields = value.as_object().into_iter().flatten();
        let lines: Vec<String> = fields.map(|(name, value)| format!("{name:<12} {}", plain(value))).collect();
        print(&(lines.join("\n") + "\n"))
    }

    /// Prints a list: as `{"data": […]}`, or as a table of `columns`.
    pub(crate) fn list(self, rows: &[Value], columns: &[&str]) -> anyhow::Result<()> {
        self.list_with(rows, columns, &[])
    }

    /// Prints a page of a list, which a program reads on behind `next`; people are told how.
    pub(crate) fn page(self, rows: &[Value], columns: &[&str], next: Option<String>) -> anyhow::Result<()> {
        if let Some(cursor) = next.as_ref().filter(|_| !self.json) {
            note(&format!("there are more: --cursor {cursor}"))?;
        }
        self.list_with(rows, columns, &[("nextCursor", next.into())])
    }

    /// Prints a list; the document for programs has these fields beside it.
    pub(crate) fn list_with(
        self,
        rows: &[Value],
        columns: &[&str],
        beside: &[(&str, Value)],
    ) -> anyhow::Result<()> {
        if self.json {
            let mut document = serde_json::json!({ "data": rows });
            for (name, value) in beside {
                document[name] = value.clone();
            }
            return print(&format!("{document}\n"));
        }
        let cell = |row: &Value, column: &str| row.get(column).map(plain).unwrap_or_default();
        let mut table = vec![columns.iter().map(|&column| column.to_owned()).collect::<Vec<_>>()];
        table.extend(rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()));
        let widths: Vec<usize> = (0..columns.len())
            .map(|place| table.iter().map(|row| row[place].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in table {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        print(&text)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A remark beside the result, on standard error.
pub(crate) fn note(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "raven: {text}")?;
    Ok(())
}

/// Writes text to standard output as it is.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Whoever wrote a text does not get to steer the operator's terminal.
pub(crate) fn printable(text: &str) -> String {
    let safe = |char: char| !char.is_control() || char == '\n' || char == '\t';
    text.chars()
        .map(|char| if safe(char) { char.to_string() } else { char.escape_unicode().to_string() })
        .collect()
}
