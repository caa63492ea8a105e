//! How many statements the worker gives to Postgres, as the extension `pg_stat_statements` counts them. It counts
//! nothing unless told so for a database, and then only in sessions that begin afterwards; ours began before.

use anyhow::Result;

use crate::installation::DATABASE;
use crate::report::Table;
use crate::sends::tenants::Shape;
use crate::servers::Servers;
use crate::statistics::number;

/// Statements that are named; the others are summed up.
const NAMED: usize = 14;
/// Characters of a statement that are shown.
const SHOWN: usize = 70;

const COUNTED: &str = "
select s.query, sum(s.calls)::bigint as calls
from pg_stat_statements s join pg_database d on d.oid = s.dbid
where d.datname = $1
group by s.query
order by 2 desc, 1";

/// One statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    text: String,
    /// How many times it was executed.
    calls: usize,
}

/// Whether this server can count.
pub(super) async fn can_be_counted(servers: &Servers) -> Result<bool> {
    let asked = "select current_setting('shared_preload_libraries') like '%pg_stat_statements%'";
    Ok(servers.admin.client.query_one(asked, &[]).await?.get(0))
}

/// Begins to count in the database of the present measurement.
pub(super) async fn begin(servers: &Servers) -> Result<()> {
    let client = &servers.admin.client;
    client.batch_execute("create extension if not exists pg_stat_statements").await?;
    client.batch_execute(&format!("alter database {DATABASE} set pg_stat_statements.track = 'top'")).await?;
    client.execute("select pg_stat_statements_reset()", &[]).await?;
    Ok(())
}

/// What was counted, the most frequent first.
pub(super) async fn read(servers: &Servers) -> Result<Vec<Statement>> {
    let rows = servers.admin.client.query(COUNTED, &[&DATABASE]).await?;
    let statement = |row: &tokio_postgres::Row| {
        let calls = usize::try_from(row.get::<_, i64>("calls"))?;
        Ok(Statement { text: row.get("query"), calls })
    };
    rows.iter().map(statement).collect()
}

/// Prints what was counted for so many messages.
pub(super) fn tell(counted: &[(Shape, Vec<Statement>)], messages: usize) {
    if counted.is_empty() {
        println!("\n  Statements are not counted: this PostgreSQL runs without pg_stat_statements.");
    }
    for (shape, statements) in counted {
        let a_message = |calls: usize| format!("{:.4}", number(calls) / number(messages.max(1)));
        let all: usize = statements.iter().map(|statement| statement.calls).sum();
        let heading =
            format!("statements of the worker, {}, from its start, in a round of their own", shape.name());
        let mut table = Table::new([heading.as_str(), "executed", "a message"]);
        table.add(["all".to_owned(), all.to_string(), a_message(all)]);
        for statement in statements.iter().take(NAMED) {
            table.add([beginning(&statement.text), statement.calls.to_string(), a_message(statement.calls)]);
        }
        let others: usize = statements.iter().skip(NAMED).map(|statement| statement.calls).sum();
        table.add(["others".to_owned(), others.to_string(), a_message(others)]);
        println!("\n{}", table.text().trim_end());
    }
}

/// The beginning of a statement on one line, whatever its line breaks.
fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_on_one_line() {
        assert_eq!(beginning("\nselect 1\n  from t"), "select 1 from t");
        assert_eq!(beginning(&"ä".repeat(200)).chars().count(), SHOWN);
    }
}
