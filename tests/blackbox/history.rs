//! What events do: status, history and suppressions, whatever order they come in and however often.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven};

#[tokio::test]
async fn a_group_changes_status_history_and_suppressions_once() {
    let raven = Raven::start("a_group_changes_status_history_and_suppressions_once").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("group").await;
    let group = [copy.sent(1), copy.open(2), copy.hard_bounce(3)];
    tenant.tell(&group).await;
    tenant.told(&id, &["delivered", "open", "hard_bounce"]).await;
    assert_eq!(tenant.event_types(&id).await, ["delivered", "open", "hard_bounce"], "oldest first");
    let message = tenant.settled(&id, "bounced").await;
    assert_eq!(tenant.suppression(&copy.email).await.as_deref(), Some("hard_bounce"));
    let events = tenant.events(&id).await;
    assert_eq!(events[2]["reason"], "550 5.1.1 no such user");
    assert_eq!(events[0]["raw"], group[0], "raw is what Mailjet said");

    tenant.tell(&group).await;
    for event in &group {
        let reply = tenant.webhook(event.to_string()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let again = json!(group).to_string();
    let replies = join_all((0..20).map(|_| tenant.webhook(again.clone()))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    tenant.drained().await;
    assert_eq!(tenant.events(&id).await, events, "a repeat adds nothing");
    assert_eq!(tenant.message(&id).await, message, "a repeat changes nothing");
}

/// Words one event about a copy.
type Make = fn(&Copy, u64) -> Value;

#[tokio::test]
async fn status_only_moves_forward() {
    let raven = Raven::start("status_only_moves_forward").await;
    let tenant = raven.tenant().await;
    let cases: [(&str, &[Make], &str); 10] = [
        ("spam-sent", &[Copy::spam, Copy::sent], "complained"),
        ("hard-sent", &[Copy::hard_bounce, Copy::sent], "bounced"),
        ("soft-sent", &[Copy::soft_bounce, Copy::sent], "delivered"),
        ("sent-soft", &[Copy::sent, Copy::soft_bounce], "delivered"),
        ("blocked-sent-soft", &[Copy::blocked, Copy::sent, Copy::soft_bounce], "blocked"),
        ("hard-blocked", &[Copy::hard_bounce, Copy::blocked], "bounced"),
        ("unsub-hard", &[Copy::unsub, Copy::hard_bounce], "unsubscribed"),
        ("spam-unsub-hard-sent", &[Copy::spam, Copy::unsub, Copy::hard_bounce, Copy::sent], "complained"),
        ("open-sent", &[Copy::open, Copy::sent], "delivered"),
        ("open", &[Copy::open], "sent"),
    ];
    let mut waiting = Vec::new();
    for (name, makes, status) in cases {
        let (id, copy) = tenant.silent(name).await;
        for (second, make) in (1..).zip(makes) {
            // Each in a request of its own, and with the time of what it tells: later told, earlier happened.
            tenant.tell(&[make(&copy, 10 - second)]).await;
        }
        waiting.push((id, name, makes.len(), status));
    }
    tenant.drained().await;
    for (id, name, count, status) in waiting {
        let message = tenant.message(&id).await;
        assert_eq!(
            (&message["status"], &message["recipients"][0]["status"]),
            (&json!(status), &json!(status)),
            "{name}"
        );
        assert_eq!(tenant.events(&id).await.len(), count, "{name}");
    }
}

#[tokio::test]
async fn a_message_is_as_bad_as_its_worst_recipient() {
    let raven = Raven::start("a_message_is_as_bad_as_its_worst_recipient").await;
    let tenant = raven.tenant().await;
    let to = ["silent+a@example.com", "silent+b@example.com"];
    let id = tenant.send(&json!({"to": to, "subject": "s", "bodyText": "t"})).await;
    let message = tenant.settled(&id, "sent").await;
    let (a, b) = (Copy::of(&message, 0), Copy::of(&message, 1));
    tenant.tell(&[a.sent(1), b.spam(2)]).await;
    let message = tenant.settled(&id, "complained").await;
    assert_eq!(message["recipients"][0]["status"], "delivered");
    assert_eq!(message["recipients"][1]["status"], "complained");
}

#[tokio::test]
async fn made_up_events_change_nothing() {
    let raven = Raven::start("made_up_events_change_nothing").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("made-up").await;
    let before = tenant.message(&id).await;
    let zero = Copy { number: 0, ..copy.clone() };
    let nobody = Copy { email: String::new(), ..copy.clone() };
    tenant.tell(&[zero.hard_bounce(1), zero.spam(2), nobody.hard_bounce(3), nobody.unsub(4)]).await;
    tenant
        .tell(&[json!({"event": "unsub", "time": "", "MessageID": 0, "email": "", "hard_bounce": ""})])
        .await;
    tenant.drained().await;
    assert_eq!(tenant.message(&id).await, before);
    assert_eq!(tenant.events(&id).await, Vec::<Value>::new());
    assert_eq!(tenant.suppression(&copy.email).await, None);
}

#[tokio::test]
async fn another_tenants_message_is_never_touched() {
    let raven = Raven::start("another_tenants_message_is_never_touched").await;
    let (tenant, stranger) = (raven.tenant().await, raven.tenant().await);
    let (id, copy) = tenant.silent("mine").await;
    let before = tenant.message(&id).await;
    stranger.tell(&[copy.sent(1), copy.spam(2)]).await;
    stranger.drained().await;
    assert_eq!(tenant.message(&id).await, before);
    assert!(tenant.events(&id).await.is_empty());
    assert_eq!(tenant.suppression(&copy.email).await, None);
    assert_eq!(stranger.suppression(&copy.email).await.as_deref(), Some("spam_complaint"), "their own list");
    stranger.get(&format!("/v1/messages/{id}/events")).await.problem(404, "not_found");
}

#[tokio::test]
async fn unknown_events_are_kept_to_the_digit() {
    let raven = Raven::start("unknown_events_are_kept_to_the_digit").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("unknown").await;
    let numbers = r#""big":123456789012345678901234567890,"small":0.1000000000000000055511151231257827"#;
    let (number, email) = (copy.number, &copy.email);
    let body = format!(
        r#"[7,{{"event":"future","time":1767225601,"MessageID":{number},"email":"{email}","CustomID":"{id}",{numbers}}}]"#
    );
    assert_eq!(tenant.webhook(body).await.status, 200);
    tenant.told(&id, &["unknown"]).await;
    let reply = tenant.get(&format!("/v1/messages/{id}/events")).await;
    assert!(reply.text.contains(numbers), "{}", reply.text);
    assert!(reply.text.contains(&format!(r#""MessageID":{number}"#)), "{}", reply.text);
    assert_eq!(tenant.message(&id).await["status"], "sent");
}

#[tokio::test]
async fn an_event_without_a_message_is_kept_and_suppresses() {
    let raven = Raven::start("an_event_without_a_message_is_kept_and_suppresses").await;
    let tenant = raven.tenant().await;
    let stray = Copy {
        custom_id: String::new(),
        email: "Stray@example.com".to_owned(),
        number: 1_152_921_505_370_435_001,
        guid: String::new(),
    };
    tenant.tell(&[stray.hard_bounce(1)]).await;
    tenant.drained().await;
    assert_eq!(tenant.suppression("stray@example.com").await.as_deref(), Some("hard_bounce"));
    let (events, _) = tenant.feed("recipient=STRAY@example.com").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["messageId"], &events[0]["type"]), (&Value::Null, &json!("hard_bounce")));
}

#[tokio::test]
async fn events_that_come_before_their_message_are_linked() {
    let mut raven = Raven::without_worker("events_that_come_before_their_message_are_linked").await;
    let tenant = raven.tenant().await;
    // Many, so that some events are recorded in the very moment in which their messages are stored.
    let mut ids = Vec::new();
    for number in 0..40 {
        let email = format!("silent+early{number}@example.com");
        let id = tenant.send_to(&email).await;
        let early = Copy {
            custom_id: id.clone(),
            email,
            number: 1_152_921_505_370_435_001 + number,
            guid: uuid::Uuid::from_u128(u128::from(number)).to_string(),
        };
        tenant.tell(&[early.open(2), early.sent(1)]).await;
        ids.push(id);
    }
    raven.start_worker().await;
    for id in &ids {
        tenant.told(id, &["delivered", "open"]).await;
        tenant.settled(id, "delivered").await;
        assert!(raven.sim.copies(id).await.len() <= 1, "never two copies");
    }
}
