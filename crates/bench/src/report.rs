//! Figures as text.

use std::fmt::Write as _;

/// Lines of cells; the first of each is aligned to the left, the others to the right.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// With these headings.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self(vec![headings.map(str::to_owned).into()])
    }

    /// Adds a line.
    pub(crate) fn add<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }

    /// The text, indented.
    pub(crate) fn text(&self) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width =
            |column: usize| self.0.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        let mut text = String::new();
        for line in &self.0 {
            let mut row = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing to a string cannot fail.
                let _ = match column {
                    0 => write!(row, "  {cell:<width$}"),
                    _ => write!(row, "  {cell:>width$}"),
                };
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

/// What a figure should be, and whether it is.
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) bound: Bound,
    pub(crate) unit: &'static str,
}

/// On which side of a number a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    Below(f64),
}

impl Goal {
    /// Whether the figure is where it should be.
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.measured >= least,
            Bound::Below(most) => self.measured < most,
        }
    }

    /// All goals as a table.
    pub(crate) fn table(goals: &[Self]) -> String {
        let mut table = Table::new(["", "measured", "goal", ""]);
        for goal in goals {
            let (sign, number) = match goal.bound {
                Bound::AtLeast(number) => ("≥", number),
                Bound::Below(number) => ("<", number),
            };
            table.add([
                goal.what.clone(),
                format!("{:.1} {}", goal.measured, goal.unit),
                format!("{sign} {number:.0} {}", goal.unit),
                if goal.is_met() { "met" } else { "not met" }.to_owned(),
            ]);
        }
        table.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let mut table = Table::new(["", "µs", "share"]);
        table.add(["raw".to_owned(), "1".to_owned(), String::new()]);
        table.add(["ingest".to_owned(), "12345".to_owned(), "80 %".to_owned()]);
        assert_eq!(table.text(), "             µs  share\n  raw         1\n  ingest  12345   80 %\n");
    }

    #[test]
    fn a_goal_is_met_or_not() {
        let goal = |measured, bound| Goal { what: String::new(), measured, bound, unit: "%" }.is_met();
        assert!(goal(80.0, Bound::AtLeast(80.0)) && !goal(79.9, Bound::AtLeast(80.0)));
        assert!(goal(9.9, Bound::Below(10.0)) && !goal(10.0, Bound::Below(10.0)));
    }
}
