//! Where secrets are not, and what becomes of those that do not open.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Raven, Tenant, http, leak::Detector, servers::servers, wait::until};

/// Two tenants with keys of every kind, tokens, accounts (one of them changed since) and mail; and a dead letter.
async fn use_everything(raven: &mut Raven, detector: &mut Detector) {
    raven.dead_letters_expected = true;
    for number in 1..=2 {
        let mut tenant = raven.tenant().await;
        remember(detector, &tenant);
        let live = ["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"];
        let test = ["key", "create", "--tenant", &tenant.id, "--test", "--json"];
        for arguments in [&live[..], &test] {
            let made = raven.cli(arguments, "").await.json();
            let key = made["apiKey"].as_str().unwrap();
            add_key(detector, key);
            let id = tenant.with_key(key).send_to("ann@example.com").await;
            tenant.settled(&id, if key.contains("test") { "sent" } else { "delivered" }).await;
        }
        for _ in 0..2 {
            let made = tenant.post("/v1/webhook-tokens", &Value::Null).await.expect(200);
            let token = made["token"].as_str().unwrap();
            detector.add("a webhook token", token);
            raven.guard(token);
            let url = made["url"].as_str().unwrap().parse::<Url>().unwrap();
            let post = async || http::send(http::client().post(url.clone()).body("[]")).await.status;
            // Where ingest has just read the token before this one, it demands that until it reads again.
            until("the token to be known", post, |status| *status == 200).await;
            let query = format!("{}?token={token}", tenant.webhook_url());
            assert_eq!(http::send(http::client().post(query).body("[]")).await.status, 200);
        }
        if number == 1 {
            tenant.account = (format!("changed{}", tenant.account.0), format!("changed{}", tenant.account.1));
            remember(detector, &tenant);
            tenant.set_provider().await;
            tenant.get("/v1/providers/mailjet").await.expect(200);
            raven.cli(&["provider", "show", "mailjet", "--tenant", &tenant.id], "").await;
        }
        let id = tenant.send_to("silent@example.com").await;
        tenant.settled(&id, "sent").await;
        tenant.post("/v1/suppressions", &json!({"email": "nobody@example.com"})).await;
    }
    raven.vhost.publish("event", "a webhook without headers").await;
    let letters = async || raven.cli(&["dead-letter", "list", "--json"], "").await.json()["data"].clone();
    until("the dead letter", letters, |letters| letters.as_array().is_some_and(|all| !all.is_empty())).await;
}

fn remember(detector: &mut Detector, tenant: &Tenant) {
    add_key(detector, &tenant.key);
    detector.add("a Mailjet key", &tenant.account.0);
    detector.add("a Mailjet secret", &tenant.account.1);
}

fn add_key(detector: &mut Detector, key: &str) {
    detector.add("the secret of an API key", key.rsplit('_').next().unwrap());
}

/// Keys of the ring, as text and as the bytes that it stands for.
fn add_ring(detector: &mut Detector, ring: &str) {
    for (_, key) in ring.split(',').filter_map(|entry| entry.split_once(':')) {
        detector.add("a key of the ring", key);
        detector.add("the bytes of a key of the ring", STANDARD.decode(key).unwrap());
    }
}

/// The database as `pg_dump` writes it, which stands where the server says that its programs are.
async fn dump(raven: &Raven) -> Vec<u8> {
    let session = raven.database.session().await;
    let asked = "select setting from pg_config where name = 'BINDIR'";
    let folder: String = session.client.query_one(asked, &[]).await.unwrap().get(0);
    let program = Path::new(&folder).join("pg_dump");
    let output = Command::new(&program).arg("--dbname").arg(raven.database.url().as_str()).output().await;
    let output = output.unwrap_or_else(|fault| panic!("{}: {fault}", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn a_used_database_logs_and_metrics_hold_no_secret() {
    let mut raven = Raven::with_log("a_used_database_logs_and_metrics_hold_no_secret", "trace").await;
    raven.start_worker().await;
    let mut detector = Detector::new();
    add_ring(&mut detector, raven.keys());
    let passwords = [&servers().postgres, &servers().amqp].map(|server| server.password().unwrap());
    // A short one, such as a server has before anybody sets it, would be found by chance.
    for password in passwords.iter().filter(|password| password.len() >= 12) {
        detector.add("the password of a server", password);
    }
    use_everything(&mut raven, &mut detector).await;
    let ring = format!("k2:{},{}", new_key(), raven.keys());
    raven.use_keys(&ring);
    add_ring(&mut detector, &ring);
    raven.cli(&["encryption", "rotate", "--json"], "").await.json();

    let dump = dump(&raven).await;
    for table in ["providers", "messages", "suppressions", "webhook_tokens", "audit_log"] {
        let filled = String::from_utf8_lossy(&dump).contains(&format!("COPY public.{table}"));
        assert!(filled, "the dump lacks {table}");
    }
    assert_eq!(detector.found(&dump), <[&str; 0]>::default(), "in the database");
    for url in [raven.url.clone(), raven.worker_urls[0].clone()] {
        let metrics = http::send(http::client().get(url.join("metrics").unwrap())).await;
        assert!(metrics.status == 200 && metrics.text.contains("raven_"), "{metrics:?}");
        assert_eq!(detector.found(metrics.text.as_bytes()), <[&str; 0]>::default(), "in metrics of {url}");
    }
    // Mail is nobody's business either, and has its place in the database.
    detector.add("the words of a mail", crate::harness::plain("")["bodyText"].as_str().unwrap());
    let logs: Vec<_> = std::fs::read_dir(raven.folder()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(logs.len() >= 3, "{logs:?}");
    for log in logs {
        let text = std::fs::read(&log).unwrap();
        assert!(!text.is_empty(), "{}", log.display());
        println!("{}: {} bytes", log.display(), text.len());
        assert_eq!(detector.found(&text), <[&str; 0]>::default(), "in {}", log.display());
    }
}

fn new_key() -> String {
    STANDARD.encode(std::array::from_fn::<u8, 32, _>(|_| fastrand::u8(..)))
}

#[tokio::test]
async fn a_secret_copied_to_another_tenant_does_not_open() {
    let mut raven = Raven::start("a_secret_copied_to_another_tenant_does_not_open").await;
    let (robbed, thief) = (raven.tenant().await, raven.tenant().await);
    let session = raven.database.session().await;
    let copy = |from: &Tenant, to: &Tenant| {
        format!(
            "update providers as mine
             set api_key_sealed = other.api_key_sealed, api_secret_sealed = other.api_secret_sealed
             from providers as other where mine.tenant_id = '{}' and other.tenant_id = '{}'",
            to.id, from.id
        )
    };
    let keep = "create table kept as select api_key_sealed, api_secret_sealed from providers where tenant_id";
    session.client.batch_execute(&format!("{keep} = '{}'", thief.id)).await.unwrap();
    session.client.batch_execute(&copy(&robbed, &thief)).await.unwrap();
    // So that no account is known from before.
    raven.workers[0].terminate().await;
    raven.start_worker().await;

    let waiting = thief.send_to("ann@example.com").await;
    let path = format!("/v1/messages/{waiting}");
    let read = async || thief.get(&path).await.json();
    let held =
        until("the reason", read, |message| message["error"]["code"] == "credentials_unreadable").await;
    assert_eq!((&held["status"], &held["attempts"]), (&json!("queued"), &json!(0)), "{held}");
    let other = robbed.send_to("ben@example.com").await;
    robbed.settled(&other, "delivered").await;
    assert!(raven.sim.copies(&waiting).await.is_empty(), "nothing went out with the account of another");

    let rotated = raven.cli(&["encryption", "rotate", "--json"], "").await;
    assert_eq!(rotated.status.code(), Some(1), "{rotated:?}");
    let result: Value = serde_json::from_str(&rotated.stdout).unwrap();
    assert_eq!(result, json!({"rotated": 0, "already": 2, "unreadable": [thief.id]}), "{rotated:?}");

    let restore = "update providers as mine set api_key_sealed = kept.api_key_sealed,
        api_secret_sealed = kept.api_secret_sealed from kept where mine.tenant_id";
    session.client.batch_execute(&format!("{restore} = '{}'; drop table kept", thief.id)).await.unwrap();
    thief.settled(&waiting, "delivered").await;
    raven.sim.only_copy(&waiting).await;
}

#[tokio::test]
async fn every_row_is_looked_at_and_those_that_do_not_open_are_named() {
    let mut raven =
        Raven::without_worker("every_row_is_looked_at_and_those_that_do_not_open_are_named").await;
    let tenants = [raven.tenant().await, raven.tenant().await];
    let session = raven.database.session().await;
    // More than rotation takes at once: copies belong to none of those who have them.
    let strangers =
        "insert into tenants (id, name) select gen_random_uuid(), 'stranger' from generate_series(1, 170)
        returning id::text";
    let mut strangers: Vec<String> =
        session.client.query(strangers, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    strangers.sort_unstable();
    let copy = "insert into providers (tenant_id, provider, from_email, api_key_sealed, api_secret_sealed)
        select t.id, p.provider, p.from_email, p.api_key_sealed, p.api_secret_sealed
        from tenants t cross join (select * from providers limit 1) p where t.name = 'stranger'";
    session.client.execute(copy, &[]).await.unwrap();
    let ring = format!("k2:{},{}", new_key(), raven.keys());
    raven.use_keys(&ring);
    for (rotated, already) in [(4, 0), (0, 4)] {
        let ended = raven.cli(&["encryption", "rotate", "--json"], "").await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let result: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(result, json!({"rotated": rotated, "already": already, "unreadable": strangers}));
    }
    for tenant in &tenants {
        tenant.get("/v1/providers/mailjet").await.problem(500, "internal");
    }
    raven.restart_ingest().await;
    for tenant in &tenants {
        tenant.get("/v1/providers/mailjet").await.expect(200);
    }
}

/// Sends until told to stop, through whichever ingest takes it, and answers the ids.
async fn traffic(tenant: &Tenant, stop: &std::sync::atomic::AtomicBool) -> Vec<String> {
    let mut ids = Vec::new();
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let name = format!("mail-{}", ids.len());
        let message = json!({"to": format!("{name}@example.com"), "subject": "Hello", "bodyText": "Hello."});
        let id = loop {
            let request = tenant.request(Method::POST, "/v1/messages").header("Idempotency-Key", &name);
            match http::try_send(request.json(&message)).await {
                Ok(reply) if reply.status == 200 => break reply.json()["id"].as_str().unwrap().to_owned(),
                // Ingest is being restarted; whether the request was taken is not known, hence the key.
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        ids.push(id);
    }
    ids
}

/// Restarts every process with this ring, one after the other.
async fn deploy(raven: &mut Raven, ring: &str) {
    raven.use_keys(ring);
    raven.restart_ingest().await;
    for mut old in std::mem::take(&mut raven.workers) {
        assert!(old.terminate().await.success());
        raven.start_worker().await;
    }
}

async fn status(raven: &Raven) -> Vec<Value> {
    raven.cli(&["encryption", "status", "--json"], "").await.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn keys_are_rotated_under_traffic() {
    let mut raven = Raven::start("keys_are_rotated_under_traffic").await;
    raven.start_worker().await;
    let tenants = [raven.tenant().await, raven.tenant().await];
    let (k1, k2) = (raven.keys().to_owned(), format!("k2:{}", new_key()));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let session = raven.database.session().await;
    let changed = async || {
        let asked = "select max(updated_at)::text from providers";
        session.client.query_one(asked, &[]).await.unwrap().get::<_, String>(0)
    };
    let before = changed().await;

    let rotation = async {
        deploy(&mut raven, &format!("{k1},{k2}")).await;
        deploy(&mut raven, &format!("{k2},{k1}")).await;
        let row = |id: &str, secrets: u64, seals: bool, removable: bool| json!({"keyId": id, "secrets": secrets, "inRing": true, "seals": seals, "removable": removable});
        assert_eq!(status(&raven).await, [row("k2", 0, true, false), row("test", 4, false, false)]);
        let rotate = async || raven.cli(&["encryption", "rotate", "--json"], "").await.json();
        assert_eq!(rotate().await, json!({"rotated": 4, "already": 0, "unreadable": []}));
        assert_eq!(rotate().await, json!({"rotated": 0, "already": 4, "unreadable": []}));
        assert_eq!(status(&raven).await, [row("k2", 4, true, false), row("test", 0, false, true)]);
        deploy(&mut raven, &k2).await;
        for tenant in &tenants {
            let id = tenant.send_to("last@example.com").await;
            tenant.settled(&id, "delivered").await;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (all, ()) = tokio::join!(join_all(tenants.iter().map(|tenant| traffic(tenant, &stop))), rotation);
    assert_eq!(changed().await, before, "the accounts are the same to those who use them");
    for (tenant, ids) in tenants.iter().zip(&all) {
        println!("{} messages", ids.len());
        for id in ids {
            tenant.settled(id, "delivered").await;
            raven.sim.only_copy(id).await;
        }
        let log = raven.cli(&["audit", "list", "--tenant", &tenant.id, "--json"], "").await.json();
        let rotations = log["data"].as_array().unwrap().iter();
        assert_eq!(rotations.filter(|entry| entry["action"] == "secrets.rotated").count(), 1, "{log}");
    }
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

#[tokio::test]
async fn a_killed_rotation_is_finished_by_the_next() {
    let mut raven = Raven::without_worker("a_killed_rotation_is_finished_by_the_next").await;
    let tenants = [raven.tenant().await, raven.tenant().await, raven.tenant().await];
    let ring = format!("k2:{},{}", new_key(), raven.keys());
    raven.use_keys(&ring);
    let mut session = raven.database.session().await;
    let owner = session.client.transaction().await.unwrap();
    let lock = format!("select 1 from providers where tenant_id = '{}' for update", tenants[1].id);
    owner.execute(&lock, &[]).await.unwrap();

    let mut rotate = Command::new(servers().programs.join("raven"));
    rotate.env_clear().envs(raven.cli_variables()).args(["encryption", "rotate"]).kill_on_drop(true);
    let mut running = rotate.spawn().unwrap();
    let counts = async || {
        let of = |rows: Vec<Value>| rows.iter().map(|row| row["secrets"].as_u64()).collect::<Vec<_>>();
        of(status(&raven).await)
    };
    until("all but the locked row", counts, |counts| *counts == [Some(4), Some(2)]).await;
    assert!(running.try_wait().unwrap().is_none(), "it comes back for what is locked");
    running.kill().await.unwrap();
    owner.rollback().await.unwrap();

    let rotate = async || raven.cli(&["encryption", "rotate", "--json"], "").await.json();
    assert_eq!(rotate().await, json!({"rotated": 2, "already": 4, "unreadable": []}));
    assert_eq!(rotate().await, json!({"rotated": 0, "already": 6, "unreadable": []}));
}

#[tokio::test]
async fn what_its_owner_changes_meanwhile_stays_changed() {
    let mut raven = Raven::without_worker("what_its_owner_changes_meanwhile_stays_changed").await;
    let mut tenant = raven.tenant().await;
    let old_ring = raven.keys().to_owned();
    raven.use_keys(&format!("k2:{},{old_ring}", new_key()));
    let mut session = raven.database.session().await;
    let holder = session.client.transaction().await.unwrap();
    holder.execute("select 1 from providers for update", &[]).await.unwrap();
    tenant.account = (format!("new{}", tenant.account.0), format!("new{}", tenant.account.1));
    let account = (tenant.account.0.as_str(), tenant.account.1.as_str());
    raven.sim.register(account, &tenant.webhook_url(), 2).await;

    // First the change waits for the row, sealed with the old key, and behind it the rotation meets the row.
    let variables = [
        ("RAVEN_ENCRYPTION_KEYS", &*old_ring),
        ("MAILJET_API_KEY", account.0),
        ("MAILJET_API_SECRET", account.1),
    ];
    let set =
        ["provider", "set", "mailjet", "--tenant", &tenant.id, "--from-email", "a@shop.example", "--json"];
    let watcher = raven.database.session().await;
    let sessions = async |of: &str| {
        let count =
            format!("select count(*) from pg_stat_activity where datname = current_database() and {of}");
        watcher.client.query_one(&count, &[]).await.unwrap().get::<_, i64>(0)
    };
    let change = raven.cli_with(&variables, &set, "");
    let rotate = async {
        until("the change to wait", async || sessions("wait_event_type = 'Lock'").await, |count| *count == 1)
            .await;
        raven.cli(&["encryption", "rotate", "--json"], "").await
    };
    let release = async {
        let met =
            "pid <> pg_backend_pid() and (query like '%skip locked%' or query like 'update providers%')";
        until("the rotation to meet the row", async || sessions(met).await, |count| *count == 1).await;
        holder.rollback().await.unwrap();
    };
    let (changed, rotated, ()) = tokio::join!(change, rotate, release);
    changed.json();
    assert_eq!(rotated.json(), json!({"rotated": 2, "already": 0, "unreadable": []}));
    raven.start_worker().await;
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    assert_eq!(raven.sim.only_copy(&id).await["apiKey"], account.0);
}
