//! Every statement on the data of tenants names the tenant. This reads the SQL out of the sources, the tables out of the
//! migrations, and fails for a statement that touches a table of tenants' data more often than it names a tenant.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

mod sources;

use std::collections::BTreeSet;

use sources::{literals, read, root, rust_files};

/// Statements that were looked at and may do without: where each stands, words that only it has, and the reason.
const REVIEWED: [(&str, &str, &str); 19] = [
    ("api_keys.rs", "update api_keys set last_used_at", "notes of keys that were recognised just before"),
    ("directory.rs", "from api_keys where key_id = any", "a key is what tells the tenant"),
    ("delivery_events/read.rs", "where {condition}", "both callers' conditions name it, see the test below"),
    ("delivery_events/revise.rs", "lock table delivery_events", "a lock shows nothing and changes nothing"),
    ("domains.rs", "tenant_id <> $1", "a sender at Mailjet that others use stays; nobody is told of them"),
    ("domains/looks.rs", "where due_at <= now() and tenant_id <> all", "workers serve all tenants, in turns"),
    ("messages/due/mod.rs", "with recursive tenants", "workers serve all tenants, in turns"),
    ("webhook_registrations.rs", "with due as materialized", "workers serve all tenants, in turns"),
    ("managed_tokens.rs", "select 1 from webhook_tokens where {OVER}", "workers clean up for all tenants"),
    ("managed_tokens.rs", "where {OVER} returning tenant_id, id", "workers clean up for all tenants"),
    ("retention.rs", "delete from audit_log", "workers delete what is old of all tenants"),
    ("retention/events.rs", "delete from delivery_events_older", "workers delete what is old of all tenants"),
    ("retention/events.rs", "delete from untimed_events", "workers delete what is old of all tenants"),
    ("retention/messages.rs", "with oldest as materialized", "workers delete what is old of all tenants"),
    (
        "erasure/messages.rs",
        "select e.message_id from message_erasures e",
        "workers finish erasures of all tenants",
    ),
    (
        "messages/settle.rs",
        "with gains as materialized",
        "locks only messages that `gains` found by their tenants",
    ),
    ("sealed/mod.rs", "select count(*) from {table}", "counts rows that hold secrets"),
    ("sealed/census.rs", "count(*) as secrets from {}", "counts secrets by the key that sealed them"),
    ("sealed/rotate.rs", "from {table}", "the operator seals everything under another key"),
];

/// Crates that measure and prove, and whose SQL never meets the data of a tenant who is somebody.
const TOOLS: [&str; 4] = ["bench", "prove", "testbed", "xtask"];

#[test]
fn every_statement_on_tenants_data_names_the_tenant() {
    let tables = tables();
    assert!(tables.contains("messages") && tables.len() >= 15, "{tables:?}");
    let (mut faults, mut seen, mut excused) = (Vec::new(), 0, BTreeSet::new());
    for file in rust_files(&root().join("crates")) {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if TOOLS.iter().any(|tool| path.starts_with(&format!("crates/{tool}/"))) || path.contains("/tests/") {
            continue;
        }
        for literal in literals(&read(&file)) {
            let statement = literal.split_whitespace().collect::<Vec<_>>().join(" ");
            let touched = touches(&statement, &tables);
            if touched == 0 {
                continue;
            }
            seen += 1;
            if !path.starts_with("crates/store/src/") {
                faults.push(format!("{path} holds SQL, which belongs into crates/store: {statement}"));
            }
            let reviewed = REVIEWED.iter().position(|(end, words, _)| {
                path.ends_with(&format!("/src/{end}")) && statement.contains(words)
            });
            match reviewed {
                Some(place) => _ = excused.insert(place),
                None if touched > namings(&statement) => faults.push(format!(
                    "{path} touches tenants' data {touched} times and names a tenant {} times: {statement}",
                    namings(&statement)
                )),
                None => {}
            }
        }
    }
    assert!(seen > 100, "only {seen} statements were found");
    for (place, (path, words, _)) in REVIEWED.iter().enumerate() {
        if !excused.contains(&place) {
            faults.push(format!("{path} has no statement with {words:?} any more"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The tables that have a tenant's column, and what stands for a table in statements that are put together.
fn tables() -> BTreeSet<String> {
    let mut tables =
        BTreeSet::from(["{table}".to_owned(), "{}".to_owned(), "delivery_events_older".to_owned()]);
    for file in std::fs::read_dir(root().join("migrations")).unwrap() {
        let text = read(&file.unwrap().path());
        for made in text.split("\ncreate table ").skip(1) {
            let Some((head, body)) = made.split_once('(') else { continue };
            let columns = body.split("\n)").next().unwrap();
            if columns.lines().any(|line| line.trim_start().starts_with("tenant_id ")) {
                tables.insert(head.trim().trim_start_matches("if not exists ").to_owned());
            }
        }
    }
    tables
}

/// How often a statement reads or writes one of the tables.
fn touches(statement: &str, tables: &BTreeSet<String>) -> usize {
    // A comma joins as well, so it is a word of its own.
    let apart = statement.replace(',', " , ");
    let words: Vec<&str> = apart.split([' ', '(', ')', ';']).filter(|word| !word.is_empty()).collect();
    let into = ["from", "join", "into", "update", "using", "table", "only", "truncate"];
    let ends =
        ["where", "set", "select", "values", "on", "group", "order", "limit", "returning", "union", "and"];
    let (mut by_list, mut by_name, mut in_list) = (0, 0, false);
    for pair in words.windows(2) {
        in_list = ["from", "using"].contains(&pair[0]) || in_list && !ends.contains(&pair[0]);
        let joins = into.contains(&pair[0]) || in_list && pair[0] == ",";
        by_list += usize::from(joins && tables.contains(pair[1]));
    }
    // Words do not tell where a list goes on behind a statement within it; there a name of its own tells.
    for three in words.windows(3) {
        let is_named =
            !([",", "=", "from", "select", "values"].contains(&three[2]) || three[2].starts_with('{'));
        let joins = into.contains(&three[0]) || three[0] == "," && is_named;
        by_name += usize::from(joins && tables.contains(three[1]));
    }
    by_list.max(by_name)
}

/// How often a statement says whose rows it means: by comparing the column, or by writing it.
fn namings(statement: &str) -> usize {
    let compared = ["tenant_id = ", "tenant_id is not distinct from ", "using (tenant_id"];
    let compared: usize = compared.iter().map(|words| statement.matches(words).count()).sum();
    let written = statement.split("insert into ").skip(1).filter(|rest| {
        let columns = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        columns.is_some_and(|(columns, _)| columns.split(", ").any(|column| column == "tenant_id"))
    });
    compared + written.count()
}

#[test]
fn pages_of_events_are_of_one_tenant() {
    let mut seen = 0;
    for (file, condition) in
        [("read.rs", "message_id = $1 and tenant_id = $2"), ("feed.rs", "tenant_id = $1 and ")]
    {
        let source = read(&root().join("crates/store/src/delivery_events").join(file));
        seen += source.matches("page(").count();
        assert!(source.contains(condition), "{file}");
    }
    assert_eq!(seen, 3, "who else asks for a page, besides its definition?");
}

#[test]
fn what_names_no_tenant_is_found() {
    let tables = tables();
    for (statement, touched, named) in [
        ("select 1 from messages where id = $1", 1, 0),
        ("select 1 from messages where id = $1 returning tenant_id", 1, 0),
        ("select 1 from messages m join recipients r on r.message_id = m.id where m.tenant_id = $1", 2, 1),
        ("insert into messages (tenant_id, attempts, status) select 1, attempts from x", 1, 1),
        ("select 1 from messages m, recipients r where m.tenant_id = $1", 2, 1),
        ("select 1 from messages m join x on x.id = m.id, recipients r where m.tenant_id = $1", 2, 1),
        ("select 1 from messages, recipients, suppressions s where s.tenant_id = $1", 3, 1),
        ("update recipients r set status = 1 where r.tenant_id is not distinct from $1", 1, 1),
        ("insert into suppressions as s (tenant_id, email) values ($1, $2)", 1, 1),
        ("insert into suppressions as s (email) select tenant_id from x", 1, 0),
        ("delete from {table} where tenant_id <> $1", 1, 0),
        ("select 1 from chores", 0, 0),
    ] {
        assert_eq!((touches(statement, &tables), namings(statement)), (touched, named), "{statement}");
    }
    let source = "fn a() { // \"no\"\n b('\"', \"one \\\" {C}\", r#\"two \"x\"\"#) } /// it's \"no\"\n\n#[cfg(test)]\nmod tests { \"no\" }";
    assert_eq!(literals(source), ["one \" {C}", "two \"x\""]);
}
