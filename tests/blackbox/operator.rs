//! What an operator meets: exit codes, rings of keys that do not fit, the audit log.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::{Value, json};

use crate::harness::{
    Raven,
    cli::{self, Ended},
    http,
    wait::until,
};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
const OTHER_RING: &str = "other:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A failure without a result: one line on standard error, nothing on standard output.
#[track_caller]
fn assert_failed(ended: &Ended, code: i32) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(!ended.stderr.is_empty(), "{ended:?}");
}

#[tokio::test]
async fn exit_codes_tell_what_to_do_next() {
    let raven = Raven::without_worker("exit_codes_tell_what_to_do_next").await;
    let tenant = raven.bare_tenant().await;
    let (tenant, tenant_key) = (tenant.id.as_str(), tenant.key.as_str());
    for (arguments, code) in [
        (&["frobnicate"][..], 2),
        (&["key", "create", "--tenant", "nonsense", "--json"], 2),
        (&["tenant", "create", " ", "--json"], 2),
        (&["audit", "list", "--tenant", tenant, "--action", "key.borrowed", "--json"], 2),
        (&["key", "list", "--tenant", NOBODY, "--json"], 3),
        (&["key", "revoke", "ffffffff", "--json"], 3),
        (&["audit", "list", "--tenant", NOBODY, "--json"], 3),
        (&["provider", "show", "mailjet", "--tenant", tenant, "--json"], 3),
        (&["provider", "delete", "mailjet", "--tenant", tenant, "--json"], 3),
        (&["events", "renormalise", "--since", "2026-01-01", "--tenant", NOBODY, "--json"], 3),
        (&["dead-letter", "show", "none", "--json"], 3),
        (&["key", "create", "--tenant", tenant, "--name", "a\nb", "--json"], 2),
        (&["suppression", "remove", "ada@shop.example", "--tenant", tenant, "--json"], 3),
        (&["suppression", "export", "--tenant", tenant, "--json"], 2),
        (&["suppression", "export", "/", "--tenant", tenant, "--json"], 2),
        (&["suppression", "import", "/none/such.csv", "--tenant", tenant, "--json"], 2),
        (&["suppression", "import", "-", "--tenant", tenant, "--json"], 2),
        (&["domain", "show", "shop.example", "--tenant", tenant, "--json"], 3),
        (&["domain", "check", "shop.example", "--tenant", tenant, "--json"], 3),
        (&["domain", "remove", "shop.example", "--tenant", tenant, "--json"], 3),
        (&["domain", "list", "--tenant", NOBODY, "--json"], 3),
        (&["webhook", "remove", "--tenant", tenant, "--json"], 3),
        (&["webhook", "register", "--tenant", tenant, "--url", "nonsense", "--json"], 2),
        (&["erase", "ada@shop.example", "--tenant", NOBODY, "--json"], 3),
        (&["provider", "test", "mailjet", "--tenant", tenant, "--json"], 3),
    ] {
        assert_failed(&raven.cli(arguments, "").await, code);
    }
    let mut register = vec!["webhook", "register", "--tenant", tenant, "--url", "https://raven.example"];
    register.extend(["--backup-url", "ftp://raven.example", "--json"]);
    assert_failed(&raven.cli(&register, "").await, 2);
    let away = [
        ("DATABASE_URL", "postgres://nobody:hidden@127.0.0.1:1/none"),
        ("AMQP_URL", "amqp://nobody:hidden@127.0.0.1:1"),
    ];
    for arguments in [
        &["tenant", "list", "--json"][..],
        &["migrate", "--json"],
        &["encryption", "rotate", "--json"],
        &["dead-letter", "list", "--json"],
    ] {
        let ended = raven.cli_with(&away, arguments, "").await;
        assert_failed(&ended, 4);
        assert!(!ended.stderr.contains("hidden"), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    assert_failed(&cli::run(&[], &["tenant", "list", "--json"], "").await, 2);
    // A key that is mistyped, or none of ours, is no text to be repeated in logs.
    let typed = format!("{tenant_key}x");
    let ended = raven.cli(&["key", "revoke", &typed, "--json"], "").await;
    assert_failed(&ended, 2);
    assert!(!ended.stderr.contains(&typed[20..]), "{ended:?}");
    let id = raven.cli(&["key", "revoke", tenant_key, "--json"], "").await.json();
    assert_eq!(id["data"][0]["keyId"], tenant_key["rk_live_".len()..][..8], "a whole key will do");
}

#[tokio::test]
async fn the_help_says_what_exit_codes_mean() {
    let help = cli::run(&[], &["--help"], "").await.stdout;
    assert!(
        help.contains("3 no such thing") && help.contains("4 Postgres, RabbitMQ or Mailjet is away"),
        "{help}"
    );
}

#[tokio::test]
async fn accounts_are_shown_masked_and_deleted_and_the_log_tells() {
    let raven = Raven::without_worker("accounts_are_shown_masked_and_deleted_and_the_log_tells").await;
    let tenant = raven.bare_tenant().await;
    let (key, secret) = (&tenant.account.0, &tenant.account.1);
    let mut set =
        vec!["provider", "set", "mailjet", "--tenant", &tenant.id, "--from-email", "a@shop.example"];
    set.extend(["--json"]);
    let given = [("MAILJET_API_KEY", key.as_str()), ("MAILJET_API_SECRET", secret.as_str())];
    raven.cli_with(&given, &set, "").await.json();
    let help = raven.cli_with(&given, &["provider", "set", "--help"], "").await;
    assert!(!help.stdout.contains(key.as_str()) && !help.stdout.contains(secret.as_str()), "{help:?}");

    let which = ["--tenant", &tenant.id, "--json"];
    let shown = raven.cli(&[&["provider", "show", "mailjet"], &which[..]].concat(), "").await.json();
    assert_eq!(shown["apiSecret"], format!("****{}", &secret[secret.len() - 4..]), "{shown}");
    assert_eq!(shown["fromEmail"], "a@shop.example");
    raven.cli(&[&["provider", "delete", "mailjet"], &which[..]].concat(), "").await.json();
    tenant.get("/v1/providers/mailjet").await.problem(404, "not_found");

    let list = async |more: &[&str]| {
        let arguments = [&["audit", "list"], &which[..], more].concat();
        raven.cli(&arguments, "").await.json()
    };
    let names = |list: &Value| -> Vec<String> {
        let rows = list["data"].as_array().unwrap();
        rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
    };
    let all = list(&[]).await;
    assert_eq!(names(&all), ["provider.deleted", "provider.set", "key.created", "tenant.created"]);
    assert_eq!((&all["data"][0]["actor"], &all["data"][0]["subject"]), (&json!("cli"), &json!("mailjet")));
    let some = list(&["--limit", "1"]).await;
    let cursor = some["nextCursor"].as_str().unwrap();
    let rest = list(&["--cursor", cursor, "--action", "tenant.created"]).await;
    assert_eq!((names(&some), names(&rest)), (names(&all)[..1].to_vec(), names(&all)[3..].to_vec()));
    assert_eq!((&all["nextCursor"], &rest["nextCursor"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_ring_that_lacks_a_key_is_refused_at_the_start() {
    let raven = Raven::without_worker("a_ring_that_lacks_a_key_is_refused_at_the_start").await;
    let tenant = raven.tenant().await;
    let ring = [("RAVEN_ENCRYPTION_KEYS", OTHER_RING)];
    let set = ["provider", "show", "mailjet", "--tenant", &tenant.id];
    for ended in [
        raven.run_service("raven-ingest", &ring).await,
        raven.run_service("raven-worker", &ring).await,
        raven.cli_with(&ring, &set, "").await,
    ] {
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        let told = ended.stderr.contains("RAVEN_ENCRYPTION_KEYS lacks the key \"test\"");
        assert!(told && !ended.stderr.contains("AAAA"), "{ended:?}");
    }
    let status = raven.cli_with(&ring, &["encryption", "status", "--json"], "").await.json();
    let rows = status["data"].as_array().unwrap();
    assert_eq!((&rows[0]["keyId"], &rows[0]["secrets"]), (&json!("other"), &json!(0)), "{status}");
    let lacking = (&rows[1]["keyId"], &rows[1]["secrets"], &rows[1]["inRing"]);
    assert_eq!(lacking, (&json!("test"), &json!(2), &json!(false)), "{status}");
    let rotated = raven.cli_with(&ring, &["encryption", "rotate", "--json"], "").await;
    assert_eq!(rotated.status.code(), Some(1), "{rotated:?}");
    let result: Value = serde_json::from_str(&rotated.stdout).unwrap();
    assert_eq!(result["unreadable"], json!([tenant.id]), "{rotated:?}");
}

#[tokio::test]
async fn a_ring_that_lacks_a_key_is_told_when_postgres_comes_back() {
    let mut raven = Raven::without_worker("a_ring_that_lacks_a_key_is_told_when_postgres_comes_back").await;
    let tenant = raven.tenant().await;
    raven.proxies.postgres.cut();
    let url = raven.launch_worker(&[("RAVEN_ENCRYPTION_KEYS", OTHER_RING)]);
    let ready = url.join("readyz").unwrap();
    let read = async || match http::try_send(http::client().get(ready.clone())).await {
        Ok(reply) => (reply.status, reply.text),
        Err(fault) => (0, fault.to_string()),
    };
    // It starts without Postgres, and then says what is wrong rather than end.
    until("a start", read, |(status, text)| *status == 503 && text.contains("postgres")).await;
    raven.proxies.postgres.heal();
    let (_, text) = until("the reason", read, |(_, text)| text.contains("lacks the key")).await;
    assert!(text.contains(r#"\"test\""#) && text.contains("not_ready"), "{text}");
    assert!(raven.workers[0].ended().is_none());

    // Once all that is stored opens, all is well, without a restart.
    tenant.request(reqwest::Method::DELETE, "/v1/providers/mailjet").send().await.unwrap();
    until("readiness", read, |(status, _)| *status == 200).await;
}

#[tokio::test]
async fn a_crash_leaves_no_memory_behind() {
    let mut raven = Raven::without_worker("a_crash_leaves_no_memory_behind").await;
    let ended = raven.ingest.abort().await;
    assert!(ended.signal().is_some() && !ended.core_dumped(), "{ended:?}");
}

#[tokio::test]
async fn shells_are_told_how_to_complete() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cli::run(&[], &["completions", shell], "").await;
        assert!(script.status.success() && script.stdout.contains("dead-letter"), "{shell}: {script:?}");
    }
    let json = cli::run(&[], &["completions", "bash", "--json"], "").await.json();
    assert!(json["script"].as_str().unwrap().contains("dead-letter"), "{json}");
}
