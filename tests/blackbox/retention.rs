//! Deleting what is old. Ages are made by changing the times in the test's own database.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven, Tenant, http, plain, wait::until};

/// Turns come quickly; how long things are kept is the default.
const OFTEN: (&str, &str) = ("RAVEN_RETENTION_EVERY", "300ms");

async fn sql(raven: &Raven, text: &str) {
    raven.database.session().await.client.batch_execute(text).await.unwrap();
}

async fn count(raven: &Raven, query: &str) -> i64 {
    let session = raven.database.session().await;
    session.client.query_one(&format!("select count(*) from {query}"), &[]).await.unwrap().get(0)
}

/// Makes all messages and their contents so many days older.
async fn age(raven: &Raven, days: u32) {
    let older = format!(
        "update messages set created_at = created_at - interval '{days} days';
         update recipients set created_at = created_at - interval '{days} days';
         update message_tags set created_at = created_at - interval '{days} days';
         update message_contents set ages_from = ages_from - interval '{days} days'"
    );
    sql(raven, &older).await;
}

/// Has one more worker delete from now on.
async fn begin(raven: &mut Raven, more: &[(&'static str, &str)]) {
    sql(raven, "delete from chores where name = 'delete what is old'").await;
    raven.start_worker_with(&[&[OFTEN], more].concat()).await;
}

/// Waits until a turn that began after this call has ended.
async fn turn(raven: &Raven) {
    sql(
        raven,
        "insert into untimed_events (tenant_id, fingerprint, occurred_at)
         values (gen_random_uuid(), '', '2000-01-01')",
    )
    .await;
    let marker = "untimed_events where occurred_at = '2000-01-01'";
    // The last thing of a turn but for the audit log.
    until("a turn", async || count(raven, marker).await, |&left| left == 0).await;
}

async fn schedule(tenant: &Tenant, to: &str) -> String {
    let mut message = plain(to);
    message["scheduledAt"] = json!(Timestamp::now() + SignedDuration::from_hours(1));
    let answer = tenant.post("/v1/messages", &message).await.expect(200);
    let id = answer["id"].as_str().unwrap().to_owned();
    tenant.settled(&id, "scheduled").await;
    id
}

/// A message of each kind: sent, failed, scheduled, and queued for good.
async fn one_of_each(raven: &Raven, tenant: &Tenant) -> [String; 4] {
    let mut message = plain("silent@example.com");
    message["tags"] = json!(["receipt"]);
    let sent = tenant.send(&message).await;
    let failed = tenant.send_to("silent+failed@example.com").await;
    let queued = tenant.send_to("silent+queued@example.com").await;
    for id in [&sent, &failed, &queued] {
        tenant.settled(id, "sent").await;
    }
    let scheduled = schedule(tenant, "ann@example.com").await;
    for (id, status, due) in [(&failed, 30, "null"), (&queued, 10, "now() + interval '1 day'")] {
        let change = format!(
            "update messages set status = {status}, due_at = {due} where id = '{id}';
             update recipients set status = {status} where message_id = '{id}'"
        );
        sql(raven, &change).await;
    }
    [sent, failed, scheduled, queued]
}

#[tokio::test]
async fn bodies_go_when_they_are_old_and_settled() {
    let mut raven = Raven::start("bodies_go_when_they_are_old_and_settled").await;
    let tenant = raven.tenant().await;
    let [sent, failed, scheduled, queued] = one_of_each(&raven, &tenant).await;
    let lost = "insert into message_contents (message_id, tenant_id, content)
                values (gen_random_uuid(), gen_random_uuid(), 'of a message that is gone')";
    sql(&raven, lost).await;
    age(&raven, 31).await;
    let young = tenant.send_to("silent+young@example.com").await;
    tenant.settled(&young, "sent").await;
    begin(&mut raven, &[]).await;
    let contents = async || count(&raven, "message_contents").await;
    until("old bodies to go", contents, |&left| left == 3).await;
    turn(&raven).await;
    let kept = |id: &str| format!("message_contents where message_id = '{id}'");
    for (id, left) in [(&sent, 0), (&failed, 0), (&scheduled, 1), (&queued, 1), (&young, 1)] {
        assert_eq!(count(&raven, &kept(id)).await, left, "{}", tenant.message(id).await);
    }
    assert_eq!(tenant.message(&sent).await["subject"], "Hello", "the message stays");
    let retry = http::send(tenant.request(Method::POST, &format!("/v1/messages/{failed}/retry"))).await;
    let why = retry.problem(409, "conflict");
    assert!(why["detail"].as_str().unwrap().contains("content has aged out"), "{why}");
    assert_eq!(tenant.message(&failed).await["status"], "failed");
    // What was put off is sent in the end, and goes then.
    sql(&raven, "update messages set due_at = now() where due_at is not null").await;
    for id in [&scheduled, &queued] {
        until("the mail", async || raven.sim.copies(id).await, |copies| !copies.is_empty()).await;
    }
    until("the queued one", async || tenant.message(&queued).await, |now| now["status"] != "queued").await;
    sql(&raven, "update message_contents set ages_from = ages_from - interval '2 days'").await;
    until("its body to go", async || count(&raven, &kept(&queued)).await, |&left| left == 0).await;
    assert_eq!(count(&raven, &kept(&scheduled)).await, 1, "it was to be sent a moment ago");
}

#[tokio::test]
async fn messages_go_when_they_are_old_and_settled() {
    let mut raven = Raven::start("messages_go_when_they_are_old_and_settled").await;
    let tenant = raven.tenant().await;
    let [sent, failed, scheduled, queued] = one_of_each(&raven, &tenant).await;
    let copy = Copy::of(&tenant.message(&sent).await, 0);
    tenant.tell(&[copy.open(1)]).await;
    tenant.told(&sent, &["open"]).await;
    age(&raven, 401).await;
    let young = tenant.send_to("silent+young@example.com").await;
    tenant.settled(&young, "sent").await;
    begin(&mut raven, &[("RAVEN_KEEP_BODIES", "off")]).await;
    until("old messages to go", async || count(&raven, "messages").await, |&left| left == 3).await;
    turn(&raven).await;
    for id in [&sent, &failed] {
        tenant.get(&format!("/v1/messages/{id}")).await.problem(404, "not_found");
    }
    for (id, status) in [(&scheduled, "scheduled"), (&queued, "queued"), (&young, "sent")] {
        assert_eq!(tenant.message(id).await["status"], status);
    }
    for (table, left) in [("recipients", 3), ("message_contents", 3), ("message_tags", 0), ("attempts", 2)] {
        assert_eq!(count(&raven, table).await, left, "{table}");
    }
    let events = tenant.feed("limit=500").await.0;
    assert_eq!((events.len(), &events[0]["messageId"]), (1, &json!(sent)), "events have an age of their own");
    // A late event of what is gone is kept, and belongs to nothing.
    tenant.tell(&[copy.sent(2)]).await;
    tenant.drained().await;
    assert_eq!(tenant.feed("type=delivered").await.0[0]["messageId"], Value::Null);
}

/// A month of 2020, and an event in it and one in none, copied from the one that is there. Both have forgotten times.
const LONG_AGO: &str = "
create table delivery_events_202001 partition of delivery_events
    for values from ('2020-01-01T00:00Z') to ('2020-02-01T00:00Z');
insert into delivery_events (tenant_id, id, fingerprint, kind, message_id, recipient, recipient_key, provider,
                             occurred_at, received_at, raw)
select e.tenant_id, gen_random_uuid(), decode(md5(t.at::text), 'hex'), e.kind, e.message_id, e.recipient,
       e.recipient_key, e.provider, t.at, t.at, e.raw
from delivery_events e
cross join unnest(array['2020-01-15T00:00Z', '2019-06-15T00:00Z']::timestamptz[]) as t(at)
where e.kind = 'open';
insert into untimed_events select tenant_id, fingerprint, occurred_at from delivery_events";

#[tokio::test]
async fn months_of_events_go_when_all_of_them_is_old() {
    let mut raven = Raven::start("months_of_events_go_when_all_of_them_is_old").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("old").await;
    tenant.tell(&[copy.hard_bounce(1), copy.open(2)]).await;
    tenant.told(&id, &["hard_bounce", "open"]).await;
    sql(&raven, LONG_AGO).await;
    let months = "pg_inherits where inhparent = 'delivery_events'::regclass";
    let before = count(&raven, months).await;
    let all = tenant.feed("limit=500").await.0;
    assert_eq!(all.len(), 4);
    begin(&mut raven, &[]).await;
    until("old events to go", async || tenant.feed("limit=500").await.0, |left| *left == all[..2]).await;
    turn(&raven).await;
    assert_eq!(count(&raven, months).await, before - 1, "the month of 2020");
    assert_eq!(count(&raven, "untimed_events").await, 2, "those of events that are here");
    assert_eq!(tenant.message(&id).await["status"], "bounced");
    assert!(raven.workers[1].log().contains("a month of events dropped for its age"));
    tenant.tell(&[copy.hard_bounce(1), copy.open(2), copy.open(3)]).await;
    tenant.told(&id, &["hard_bounce", "open", "open"]).await;
    let session = raven.database.session().await;
    let metered = "select ensure_event_partitions(3)";
    assert_eq!(session.client.query_one(metered, &[]).await.unwrap().get::<_, i32>(0), 0, "none is missing");
}

#[tokio::test]
async fn a_month_in_use_keeps_nobody_waiting() {
    let mut raven = Raven::start("a_month_in_use_keeps_nobody_waiting").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("old").await;
    tenant.tell(&[copy.open(2)]).await;
    tenant.told(&id, &["open"]).await;
    sql(&raven, LONG_AGO).await;
    let reader = raven.database.session().await;
    reader.client.batch_execute("begin; select from delivery_events").await.unwrap();
    begin(&mut raven, &[]).await;
    let waits = "pg_locks where not granted and relation = 'delivery_events'::regclass";
    let month = "pg_class where relname = 'delivery_events_202001'";
    for _ in 0..2 {
        until("somebody to wait", async || count(&raven, waits).await, |&waiting| waiting > 0).await;
        // Whoever stands behind that goes on although the reader does not.
        tenant.feed("limit=500").await;
        until("nobody to wait", async || count(&raven, waits).await, |&waiting| waiting == 0).await;
        assert_eq!(count(&raven, month).await, 1);
    }
    reader.client.batch_execute("rollback").await.unwrap();
    until("the month to go", async || count(&raven, month).await, |&left| left == 0).await;
}

#[tokio::test]
async fn off_keeps_for_ever_and_the_audit_log_goes_when_it_is_to() {
    let mut raven = Raven::start("off_keeps_for_ever_and_the_audit_log_goes_when_it_is_to").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("old").await;
    tenant.tell(&[copy.open(2)]).await;
    tenant.told(&id, &["open"]).await;
    sql(&raven, LONG_AGO).await;
    age(&raven, 4_000).await;
    sql(&raven, "update audit_log set created_at = created_at - interval '4000 days'").await;
    tenant.post("/v1/suppressions", &json!({"email": "ann@example.com"})).await.expect(200);
    let entries = count(&raven, "audit_log").await;
    let off = ["RAVEN_KEEP_BODIES", "RAVEN_KEEP_MESSAGES", "RAVEN_KEEP_EVENTS"].map(|name| (name, "off"));
    begin(&mut raven, &[&off[..], &[("RAVEN_KEEP_AUDIT", "800d")]].concat()).await;
    until("old entries to go", async || count(&raven, "audit_log").await, |&left| left == 1).await;
    assert!(entries > 1);
    for (table, left) in [("messages", 1), ("message_contents", 1), ("delivery_events", 3)] {
        assert_eq!(count(&raven, table).await, left, "{table}");
    }
}
