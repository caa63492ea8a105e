//! The command line, and how programs refuse to start.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Raven,
    cli::{self, run_program},
    database::Database,
};

type Variables = Vec<(&'static str, &'static str)>;

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nobody:hidden@127.0.0.1:1/none");
const BROKER: (&str, &str) = ("AMQP_URL", "amqp://nobody:hidden@127.0.0.1:1");

#[tokio::test]
async fn migrating_is_safe_at_once_and_again() {
    let database = Database::empty(&format!("raven_test_{}_migrate", std::process::id())).await;
    let url = database.url();
    let variables = [("DATABASE_URL", url.as_str())];
    let migrate = async || cli::run(&variables, &["migrate", "--json"], "").await;
    for ended in join_all((0..4).map(|_| migrate())).await {
        assert!(ended.status.success(), "{ended:?}");
        ended.json();
    }
    let session = database.session().await;
    let tables = async || {
        let count = "select count(*) from information_schema.tables where table_schema = 'public'";
        session.client.query_one(count, &[]).await.unwrap().get::<_, i64>(0)
    };
    let before = tables().await;
    assert!(before > 5, "{before} tables");
    migrate().await.json();
    assert_eq!(tables().await, before);
    let text = cli::run(&variables, &["migrate"], "").await;
    assert!(text.status.success(), "{text:?}");
}

#[tokio::test]
async fn tenants_and_keys() {
    let raven = Raven::without_worker("tenants_and_keys").await;
    let created = raven.cli(&["tenant", "create", "Ann's shop", "--json"], "").await.json();
    assert_eq!(created.as_object().unwrap().len(), 3, "{created}");
    assert_eq!(created["name"], "Ann's shop");
    let key = created["apiKey"].as_str().unwrap();
    let (id, tenant) = (&key["rk_live_".len()..][..8], created["tenantId"].as_str().unwrap());
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");

    let data = async |arguments: &[&str]| {
        let ended = raven.cli(arguments, "").await;
        assert!(!ended.stdout.contains(key), "a key is shown once");
        ended.json()["data"].as_array().unwrap().clone()
    };
    let tenants = data(&["tenant", "list", "--json"]).await;
    assert_eq!((tenants.len(), &tenants[0]["tenantId"]), (1, &json!(tenant)), "{tenants:?}");
    assert_eq!(tenants[0]["name"], "Ann's shop");

    let made = raven.cli(&["key", "create", "--tenant", tenant, "--json"], "").await.json();
    assert_eq!(made["scope"], "manage");
    let key_id = made["keyId"].as_str().unwrap();
    let keys = data(&["key", "list", "--tenant", tenant, "--json"]).await;
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().any(|row| row["keyId"] == *key_id), "{keys:?}");
    raven.cli(&["key", "revoke", key_id, "--json"], "").await.json();

    for wrong in [
        &["key", "list", "--tenant", "00000000-0000-4000-8000-000000000000", "--json"][..],
        &["key", "create", "--tenant", "nonsense", "--json"],
        &["key", "create", "--tenant", tenant, "--scope", "root", "--json"],
        &["key", "revoke", "ffffffff", "--json"],
        &["frobnicate"],
    ] {
        let ended = raven.cli(wrong, "").await;
        let empty_list = ended.stdout.contains(r#""data""#);
        assert!(!ended.status.success() || empty_list, "{wrong:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_provider_from_the_command_line() {
    let raven = Raven::start("a_provider_from_the_command_line").await;
    let tenant = raven.bare_tenant().await;
    let (key, secret) = (&tenant.account.0, &tenant.account.1);
    let mut arguments = vec!["provider", "set", "mailjet", "--tenant", &tenant.id];
    arguments.extend(["--from-email", "hello@shop.example", "--from-name", "Shop", "--api-key", key]);
    arguments.extend(["--api-secret-stdin", "--json"]);
    let ended = raven.cli(&arguments, &format!("{secret}\n")).await;
    ended.json();
    assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{ended:?}");
    raven.sim.register((key, secret), &tenant.webhook_url(), 1).await;
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    assert_eq!(raven.sim.only_copy(&id).await["from"]["email"], "hello@shop.example");
}

#[tokio::test]
async fn a_missing_or_malformed_setting_is_named_in_one_line() {
    let keys = ("RAVEN_ENCRYPTION_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let cases: [(&str, &[&str], Variables, &str); 8] = [
        ("raven", &["migrate"], vec![], "DATABASE_URL"),
        ("raven", &["tenant", "list"], vec![("DATABASE_URL", "nonsense")], "DATABASE_URL"),
        ("raven-ingest", &[], vec![BROKER, keys], "DATABASE_URL"),
        ("raven-ingest", &[], vec![DATABASE, keys], "AMQP_URL"),
        ("raven-worker", &[], vec![DATABASE, BROKER], "RAVEN_ENCRYPTION_KEYS"),
        (
            "raven-worker",
            &[],
            vec![DATABASE, BROKER, ("RAVEN_ENCRYPTION_KEYS", "a:b")],
            "RAVEN_ENCRYPTION_KEYS",
        ),
        ("raven-worker", &[], vec![DATABASE, BROKER, keys, ("MAILJET_TIMEOUT", "soon")], "MAILJET_TIMEOUT"),
        ("raven-ingest", &[], vec![DATABASE, BROKER, keys, ("RAVEN_LISTEN", "here")], "RAVEN_LISTEN"),
    ];
    for (program, arguments, variables, named) in cases {
        let ended = run_program(program, &variables, arguments, "").await;
        assert!(!ended.status.success(), "{program} {variables:?}: {ended:?}");
        let lines: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{program} {variables:?}: {ended:?}");
        assert!(lines[0].contains(named), "{program} {variables:?}: {ended:?}");
        assert!(!ended.stderr.contains("hidden"), "{ended:?}");
    }
}

#[tokio::test]
async fn help_lists_the_settings() {
    let both = [
        "DATABASE_URL",
        "AMQP_URL",
        "RAVEN_ENCRYPTION_KEYS",
        "RAVEN_LISTEN",
        "RAVEN_LOG",
        "RAVEN_LOG_FORMAT",
    ];
    let ingest = ["RAVEN_PUBLIC_URL", "127.0.0.1:8080"];
    let worker = [
        "MAILJET_URL",
        "MAILJET_TIMEOUT",
        "RAVEN_BATCH_LINGER",
        "RAVEN_RETRY_BASE",
        "RAVEN_RETRY_MAX",
        "RAVEN_RETRY_WINDOW",
        "RAVEN_RECONCILE_AFTER",
        "RAVEN_SHUTDOWN_GRACE",
        "127.0.0.1:8081",
    ];
    for (program, own) in [("raven-ingest", &ingest[..]), ("raven-worker", &worker)] {
        let ended =
            run_program(program, &[("DATABASE_URL", "postgres://x:hidden@y/z")], &["--help"], "").await;
        assert!(ended.status.success(), "{ended:?}");
        for name in both.iter().chain(own) {
            assert!(ended.stdout.contains(name), "{program} --help lacks {name}: {}", ended.stdout);
        }
        assert!(!ended.stdout.contains("hidden"));
    }
    let help = cli::run(&[], &["--help"], "").await;
    for command in ["migrate", "tenant", "key", "provider"] {
        assert!(help.stdout.contains(command), "{help:?}");
    }
}

#[tokio::test]
async fn json_is_all_that_stands_on_stdout() {
    let raven = Raven::without_worker("json_is_all_that_stands_on_stdout").await;
    let list = raven.cli(&["tenant", "list", "--json"], "").await;
    let none: [Value; 0] = [];
    assert_eq!(list.json(), json!({ "data": none }));
    assert_eq!(list.stderr, "", "nothing to complain of");
}
