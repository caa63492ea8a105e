//! What could not be processed, in the hands of an operator.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Copy, Raven, cli,
    cli::Ended,
    plain,
    servers::servers,
    wait::{eventually, until},
};

async fn run(raven: &Raven, arguments: &[&str]) -> Ended {
    raven.cli(&[&["dead-letter"], arguments].concat(), "").await
}

async fn list(raven: &Raven, arguments: &[&str]) -> Vec<Value> {
    let listed = run(raven, &[&["list", "--json"], arguments].concat()).await.json();
    listed["data"].as_array().unwrap().clone()
}

/// Waits until there are so many.
async fn letters(raven: &Raven, count: usize) -> Vec<Value> {
    until("the dead letters", async || list(raven, &[]).await, |letters| letters.len() == count).await
}

/// A letter as a worker puts it aside.
async fn bury(raven: &Raven, id: &str, headers: &Value, body: &str) {
    let properties = json!({"message_id": id, "headers": headers});
    raven.vhost.publish_to("raven.dead", "dead", &properties, body).await;
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_discarded() {
    let raven = Raven::start("a_dead_letter_is_listed_shown_and_discarded").await;
    let tenant = raven.tenant().await;
    let headers = json!({
        "raven-tenant": tenant.id, "raven-provider": "mailjet", "raven-received-at": "2026-01-01T00:00:00Z",
    });
    let properties = json!({"message_id": "unreadable", "headers": headers});
    let body = "no \u{1b}webhook";
    raven.vhost.publish_to("raven", "event", &properties, body).await;
    let nameless = "no header either";
    raven.vhost.publish("event", nameless).await;
    let id = tenant.send_to("open@example.com").await;
    tenant.told(&id, &["delivered", "open"]).await;

    let both = letters(&raven, 2).await;
    let letter = both.iter().find(|letter| letter["id"] == "unreadable").unwrap();
    assert_eq!((&letter["queue"], &letter["tenantId"]), (&json!("events"), &json!(tenant.id)));
    let told = (&letter["provider"], &letter["receivedAt"], &letter["bytes"], &letter["deaths"]);
    assert_eq!(told, (&json!("mailjet"), &json!("2026-01-01T00:00:00Z"), &json!(body.len()), &json!(0)));
    assert!(letter["buriedAt"].as_str().unwrap().starts_with("20"), "{letter}");
    let other = both.iter().find(|letter| letter["id"] != "unreadable").unwrap();
    let name = other["id"].as_str().unwrap();
    assert!(other["reason"].as_str().unwrap().contains("raven-tenant is missing"), "{other}");

    let shown = run(&raven, &["show", "unreadable", "--json"]).await.json()["data"].clone();
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["body"]), (1, &json!(body)));
    assert_eq!(shown[0]["headers"]["raven-tenant"], json!(tenant.id), "{shown}");
    assert_eq!(shown[0]["reason"], letter["reason"]);
    for arguments in [&["list"][..], &["show", "unreadable"]] {
        let text = run(&raven, arguments).await;
        assert!(text.status.success() && text.stdout.contains(&tenant.id), "{text:?}");
        assert!(!text.stdout.contains('\u{1b}'), "a letter steers the terminal: {text:?}");
    }
    assert_eq!(run(&raven, &["show", name, "--raw"]).await.stdout, nameless);

    let gone = run(&raven, &["discard", "unreadable", name, "--json"]).await.json();
    assert_eq!(gone, json!({"discarded": 2}));
    assert!(list(&raven, &[]).await.is_empty());
    for arguments in [["show", name], ["discard", name], ["replay", name]] {
        let ended = run(&raven, &arguments).await;
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        assert!(ended.stderr.contains(name), "{ended:?}");
    }
}

#[tokio::test]
async fn a_letter_whose_cause_is_gone_is_processed() {
    let raven = Raven::start("a_letter_whose_cause_is_gone_is_processed").await;
    let tenant = raven.tenant().await;
    let id = tenant.send_to("silent@example.com").await;
    let copy = Copy::of(&tenant.settled(&id, "sent").await, 0);
    // Published past ingest and a worker, as though an earlier version had not known the provider.
    let headers = json!({
        "raven-tenant": tenant.id, "raven-provider": "mailjet", "raven-received-at": "2026-01-01T00:00:00Z",
        "raven-reason": "the provider is not known", "raven-queue": "events", "CC": ["send"],
    });
    bury(&raven, "event-1", &headers, &json!([copy.open(1)]).to_string()).await;
    bury(&raven, "event-2", &headers, &json!([copy.open(2)]).to_string()).await;
    bury(&raven, "event-2", &headers, &json!([copy.open(3)]).to_string()).await;
    bury(&raven, "lost", &json!({"raven-reason": "nobody knows"}), "lost").await;
    letters(&raven, 4).await;

    let replayed = run(&raven, &["replay", "event-2", "--json"]).await.json();
    assert_eq!(replayed, json!({"replayed": 2, "failed": 0}), "all letters with the id");
    tenant.told(&id, &["open", "open"]).await;
    let failing = run(&raven, &["replay", "--all", "--json"]).await;
    assert_eq!(failing.status.code(), Some(1), "{failing:?}");
    let summary: Value = serde_json::from_str(&failing.stdout).unwrap();
    assert_eq!(summary, json!({"replayed": 1, "failed": 1}));
    assert!(failing.stderr.contains("lost: not replayed"), "{failing:?}");
    tenant.told(&id, &["open", "open", "open"]).await;
    let stays = list(&raven, &[]).await;
    assert_eq!((stays.len(), &stays[0]["id"]), (1, &json!("lost")), "{stays:?}");
    run(&raven, &["discard", "lost"]).await;
}

#[tokio::test]
async fn a_letter_whose_cause_remains_comes_back_once() {
    let mut raven = Raven::start("a_letter_whose_cause_remains_comes_back_once").await;
    raven.dead_letters_expected = true;
    for number in 0..3 {
        let properties = json!({"message_id": format!("bad-{number}")});
        raven.vhost.publish_to("raven", "send", &properties, "no message").await;
    }
    let buried_at = |letters: &[Value]| -> Vec<String> {
        letters.iter().map(|letter| letter["buriedAt"].as_str().unwrap().to_owned()).collect()
    };
    let last = buried_at(&letters(&raven, 3).await).into_iter().max().unwrap();
    assert!(list(&raven, &["--queue", "events"]).await.is_empty());
    let none = run(&raven, &["replay", "--all", "--queue", "events", "--json"]).await.json();
    assert_eq!(none, json!({"replayed": 0, "failed": 0}));
    // The worker buries them again while this runs; it ends all the same, after the three that were there.
    let replayed = run(&raven, &["replay", "--all", "--queue", "sends", "--json"]).await.json();
    assert_eq!(replayed, json!({"replayed": 3, "failed": 0}));
    let again = until(
        "the letters to be back",
        async || list(&raven, &["--queue", "sends"]).await,
        |letters| letters.len() >= 3,
    )
    .await;
    assert_eq!(again.len(), 3, "{again:?}");
    assert!(buried_at(&again).into_iter().all(|time| time > last), "{again:?}");
}

#[tokio::test]
async fn what_rabbitmq_gave_up_on_is_replayed() {
    let mut raven = Raven::without_worker("what_rabbitmq_gave_up_on_is_replayed").await;
    let tenant = raven.tenant().await;
    let mut message = plain("ann@example.com");
    message["attachments"] = json!([
        {"filename": "a.bin", "contentType": "application/octet-stream", "content": "/wD+"},
    ]);
    let id = tenant.send(&message).await;
    let complaint =
        json!({"event": "spam", "time": 1_700_000_000, "MessageID": 42, "email": "no@example.net"});
    tenant.tell(&[complaint]).await;

    for queue in ["sends", "events"] {
        raven.vhost.policy(queue, &json!({"delivery-limit": 1})).await;
        // Every look returns what it sees.
        let look = async || raven.vhost.waiting(queue).await.is_empty().then_some(());
        eventually("RabbitMQ to give up", look).await;
        raven.vhost.no_policy(queue).await;
    }
    let both = letters(&raven, 2).await;
    for letter in &both {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("delivered too often") && reason.contains("(delivery_limit)"), "{letter}");
        assert_eq!((&letter["deaths"], &letter["tenantId"]), (&json!(1), &json!(tenant.id)), "{letter}");
        assert!(letter["buriedAt"].is_string(), "{letter}");
    }
    let send = both.iter().find(|letter| letter["queue"] == "sends").unwrap();
    assert_eq!(send["id"], json!(id));

    let shown = &run(&raven, &["show", &id, "--json"]).await.json()["data"][0];
    let head: Value = serde_json::from_str(shown["body"].as_str().unwrap()).unwrap();
    assert_eq!((&head["message"]["subject"], &shown["attachmentBytes"]), (&json!("Hello"), &json!(3)));
    assert!(shown["headers"]["x-death"].as_str().unwrap().contains("delivery_limit"), "{shown}");
    let file = servers().scratch.join("what_rabbitmq_gave_up_on_is_replayed/letter.bin");
    assert!(run(&raven, &["show", &id, "-o", file.to_str().unwrap()]).await.status.success());
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() == send["bytes"] && bytes.ends_with(&[0xff, 0x00, 0xfe]), "{send}");

    let replayed = run(&raven, &["replay", "--all", "--json"]).await.json();
    assert_eq!(replayed, json!({"replayed": 2, "failed": 0}));
    let waiting = async || raven.vhost.waiting("events").await;
    let event = until("the event to be back", waiting, |events| events.len() == 1).await.remove(0);
    let mut headers: Vec<&String> = event["properties"]["headers"].as_object().unwrap().keys().collect();
    headers.retain(|name| *name != "x-delivery-count");
    assert_eq!(headers, ["raven-provider", "raven-received-at", "raven-tenant"], "{event}");
    raven.start_worker().await;
    tenant.settled(&id, "delivered").await;
    raven.sim.only_copy(&id).await;
    until("the complaint", async || tenant.suppression("no@example.net").await, Option::is_some).await;
}

#[tokio::test]
async fn many_letters_are_seen_whole_or_not_at_all() {
    let raven = Raven::without_worker("many_letters_are_seen_whole_or_not_at_all").await;
    let count = 150;
    let publish = |number: usize| {
        let (raven, id) = (&raven, format!("letter-{}", number % 50));
        async move { bury(raven, &id, &json!({"raven-queue": "sends"}), "many").await }
    };
    join_all((0..count).map(publish)).await;
    let limit = count.to_string();
    let everything = ["list", "--json", "--limit", &limit];
    let all = run(&raven, &everything).await;
    assert_eq!((all.json()["data"].as_array().unwrap().len(), all.stderr.as_str()), (count, ""));
    for ended in join_all((0..5).map(|_| run(&raven, &everything))).await {
        if ended.status.success() {
            assert_eq!(ended.json()["data"].as_array().unwrap().len(), count);
        } else {
            assert!(ended.stderr.contains("another command is at work"), "{ended:?}");
        }
    }
    let some = run(&raven, &["list", "--json", "--limit", "7"]).await;
    assert_eq!(some.json()["data"].as_array().unwrap().len(), 7);
    assert!(some.stderr.contains("7 of 150"), "{some:?}");
    assert_eq!((&some.json()["complete"], &all.json()["complete"]), (&json!(false), &json!(true)));

    assert_eq!(run(&raven, &["discard", "--all"]).await.status.code(), Some(2));
    assert_eq!(run(&raven, &["discard"]).await.status.code(), Some(2));
    let three = run(&raven, &["discard", "letter-9", "--json"]).await.json();
    assert_eq!(three, json!({"discarded": 3}));
    let rest = run(&raven, &["discard", "--all", "--yes", "--json"]).await.json();
    assert_eq!(rest, json!({"discarded": count - 3}));
    assert!(list(&raven, &[]).await.is_empty());
}

#[tokio::test]
async fn a_letter_that_its_queue_refuses_stays() {
    let raven = Raven::without_worker("a_letter_that_its_queue_refuses_stays").await;
    let tenant = raven.tenant().await;
    raven.vhost.policy("sends", &json!({"max-length": 1})).await;
    let message = plain("ann@example.com");
    let send = async || tenant.post("/v1/messages", &message).await.status;
    until("the queue to be full", send, |status| *status == 503).await;
    let headers = json!({"raven-queue": "sends", "raven-reason": "why"});
    for number in 0..3 {
        bury(&raven, &format!("letter-{number}"), &headers, "kept").await;
    }
    letters(&raven, 3).await;
    let refused = run(&raven, &["replay", "--all", "--json"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let summary: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(summary, json!({"replayed": 0, "failed": 3}));
    assert!(refused.stderr.contains("letter-1: not replayed: the broker refused"), "{refused:?}");
    letters(&raven, 3).await;
    raven.vhost.no_policy("sends").await;
    let again = async || {
        run(&raven, &["replay", "--all"]).await;
        list(&raven, &[]).await.len()
    };
    until("the queue to take them", again, |left| *left == 0).await;
}

#[tokio::test]
async fn an_interrupted_replay_loses_nothing() {
    let mut raven = Raven::without_worker("an_interrupted_replay_loses_nothing").await;
    raven.dead_letters_expected = true;
    let body = "x".repeat(100_000);
    let mut ids: Vec<String> = (0..50).map(|number| format!("letter-{number:02}")).collect();
    ids.sort();
    let headers = json!({"raven-queue": "sends"});
    join_all(ids.iter().map(|id| bury(&raven, id, &headers, &body))).await;
    letters(&raven, ids.len()).await;

    let mut url = raven.vhost.url();
    url.set_port(Some(raven.proxies.rabbitmq.port)).unwrap();
    let variables = [("AMQP_URL", url.as_str())];
    let replay = cli::run(&variables, &["dead-letter", "replay", "--all", "--json"], "");
    let interrupt = async {
        until(
            "a replayed letter",
            async || raven.vhost.waiting("sends-large").await.len(),
            |count| *count > 0,
        )
        .await;
        raven.proxies.rabbitmq.cut();
    };
    let (ended, ()) = tokio::join!(replay, interrupt);
    let _: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no summary: {ended:?}"));
    let everywhere = async || {
        let mut found = Vec::new();
        for queue in ["sends-large", "dead-letters"] {
            let messages = raven.vhost.waiting(queue).await;
            let id = |message: &Value| message["properties"]["message_id"].as_str().unwrap().to_owned();
            found.extend(messages.iter().map(id));
        }
        found.sort();
        found.dedup();
        found
    };
    until("every letter in one queue or the other", everywhere, |found| *found == ids).await;
}

#[tokio::test]
async fn dead_letters_need_rabbitmq_and_nothing_else() {
    let raven = Raven::without_worker("dead_letters_need_rabbitmq_and_nothing_else").await;
    let url = raven.vhost.url();
    let list = async |variables: &[(&str, &str)]| cli::run(variables, &["dead-letter", "list"], "").await;
    assert!(list(&[("AMQP_URL", url.as_str())]).await.status.success());
    let missing = list(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")]).await;
    let away = list(&[("AMQP_URL", "amqp://nobody:hidden@127.0.0.1:1")]).await;
    assert_eq!((missing.status.code(), away.status.code()), (Some(2), Some(4)), "{missing:?} {away:?}");
    for (ended, named) in [(missing, "AMQP_URL"), (away, "RabbitMQ")] {
        assert!(ended.stderr.contains(named) && ended.stderr.lines().count() == 1, "{ended:?}");
        assert!(!ended.stderr.contains("hidden"), "{ended:?}");
    }
    let help = cli::run(&[], &["--help"], "").await.stdout;
    assert!(help.contains("dead-letter") && help.contains("AMQP_URL"), "{help}");
}
