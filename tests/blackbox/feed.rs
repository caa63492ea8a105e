//! `GET /v1/events`: the history as a feed, each event exactly once.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Raven, Tenant,
    wait::{DEADLINE, until},
};

/// An event about nobody's mail; `number` tells it from all others.
fn stray(number: u64, event: &str) -> Value {
    json!({"event": event, "time": 1_767_225_600 + number, "MessageID": 7, "email": format!("r{}@example.com", number % 3),
        "hard_bounce": true, "Payload": number.to_string()})
}

/// The number of a [`stray`].
fn number(event: &Value) -> u64 {
    event["raw"]["Payload"].as_str().expect("a payload").parse().expect("a number")
}

/// Follows the feed in pages until `count` events have come.
async fn follow(tenant: &Tenant, limit: usize, count: usize) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    until(
        "the whole feed",
        async || {
            let (page, next) = tenant.feed(&format!("limit={limit}&after={after}")).await;
            assert_eq!(page.is_empty(), next.is_none(), "a cursor comes with every page that is not empty");
            after = next.unwrap_or_else(|| after.clone());
            seen.extend(page);
            seen.len()
        },
        |&so_far| so_far >= count,
    )
    .await;
    let (rest, _) = tenant.feed(&format!("after={after}")).await;
    assert!(rest.is_empty(), "more than {count}: {rest:?}");
    seen
}

#[tokio::test]
async fn the_feed_goes_on_where_its_reader_was() {
    let raven = Raven::start("the_feed_goes_on_where_its_reader_was").await;
    let tenant = raven.bare_tenant().await;
    assert_eq!(tenant.feed("").await, (Vec::new(), None));
    tenant.tell(&(0..7).map(|number| stray(number, "open")).collect::<Vec<_>>()).await;
    let first = follow(&tenant, 3, 7).await;
    assert_eq!(first.iter().map(number).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>(), "as they came");
    let sequences: Vec<i64> = first.iter().filter_map(|event| event["sequence"].as_i64()).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");

    tenant.tell(&[stray(7, "bounce"), stray(0, "open"), stray(8, "click"), stray(9, "sent")]).await;
    let all = follow(&tenant, 500, 10).await;
    assert_eq!(all[..7], first, "what was read stays as it was");
    let (page, next) = tenant.feed(&format!("cursor={}&limit=2", sequences[6])).await;
    assert_eq!(page, all[7..9], "a sequence is a cursor, by either name");
    assert_eq!(next, all[8]["sequence"].as_i64().map(|sequence| sequence.to_string()));
}

#[tokio::test]
async fn the_feed_is_filtered_by_type_and_recipient() {
    let raven = Raven::start("the_feed_is_filtered_by_type_and_recipient").await;
    let tenant = raven.bare_tenant().await;
    let events: Vec<Value> = (0..30)
        .map(|number| stray(number, ["open", "bounce", "future"][usize::try_from(number).unwrap() % 3]))
        .collect();
    tenant.tell(&events).await;
    follow(&tenant, 500, 30).await;
    // The number tells the type, and by chance the recipient as well: those with type and recipient are all or none.
    for (query, remainder) in [
        ("type=open", Some(0)),
        ("type=hard_bounce", Some(1)),
        ("type=unknown", Some(2)),
        ("recipient=R1%40Example.com", Some(1)),
        ("type=hard_bounce&recipient=r1@example.com", Some(1)),
        ("type=hard_bounce&recipient=r2@example.com", None),
        ("type=delivered", None),
    ] {
        let (page, _) = tenant.feed(&format!("{query}&limit=500")).await;
        let numbers: Vec<u64> = page.iter().map(number).collect();
        let expected: Vec<u64> = (0..30).filter(|number| Some(number % 3) == remainder).collect();
        assert_eq!(numbers, expected, "{query}");
    }
    let (page, next) = tenant.feed("type=open&limit=4").await;
    let (rest, _) = tenant.feed(&format!("type=open&after={}", next.unwrap())).await;
    assert_eq!(
        [page, rest].concat().iter().map(number).collect::<Vec<_>>(),
        (0..30).step_by(3).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_feed_is_strict_and_keeps_tenants_apart() {
    let raven = Raven::start("the_feed_is_strict_and_keeps_tenants_apart").await;
    let (tenant, other) = (raven.bare_tenant().await, raven.bare_tenant().await);
    tenant.tell(&[stray(1, "open")]).await;
    follow(&tenant, 50, 1).await;
    assert_eq!(other.feed("").await, (Vec::new(), None));
    for (query, parameter) in [
        ("type=opened", "?type"),
        ("after=x", "?after"),
        ("after=-1", "?after"),
        ("cursor=1e3", "?cursor"),
        ("limit=501", "?limit"),
        ("recipient=", "?recipient"),
        ("recipent=a@example.com", "?recipent"),
    ] {
        let problem = tenant.get(&format!("/v1/events?{query}")).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], parameter, "{query}");
    }
    let nobody = tenant.with_key("");
    nobody.get("/v1/events").await.problem(401, "unauthorized");
}

/// One writer has drawn its numbers and cannot commit, another that began later has committed: the feed waits, or its
/// reader would pass over what the first one wrote.
#[tokio::test]
async fn a_late_commit_is_not_passed_over() {
    let mut raven = Raven::without_worker("a_late_commit_is_not_passed_over").await;
    raven.start_worker_with(&[("RAVEN_EVENT_LANES", "1")]).await;
    raven.start_worker_with(&[("RAVEN_EVENT_LANES", "1")]).await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("late").await;
    let mut session = raven.database.session().await;
    let hold = session.client.transaction().await.unwrap();
    hold.execute("select 1 from messages where id = $1 for update", &[&id.parse::<uuid::Uuid>().unwrap()])
        .await
        .unwrap();
    // Whoever records this has inserted it, and waits for the message.
    tenant.tell(&[copy.sent(1)]).await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until(
        "a writer that waits",
        async || hold.query_one(waiting, &[]).await.unwrap().get(0),
        |count: &i64| *count == 1,
    )
    .await;
    // Each worker takes some of these; the other one commits, which the suppression list shows.
    let complaint = |number: u64| json!({"event": "spam", "time": 1_767_225_600, "MessageID": 7, "email": format!("c{number}@example.com")});
    for number in 0..20 {
        tenant.tell(&[complaint(number)]).await;
    }
    let committed = async || {
        let list = tenant.get("/v1/suppressions").await.expect(200);
        list["data"].as_array().unwrap().len()
    };
    until("a later writer to have committed", committed, |count| *count >= 1).await;
    assert_eq!(tenant.feed("").await, (Vec::new(), None), "nothing before what is still open");
    hold.commit().await.unwrap();
    let all = follow(&tenant, 4, 21).await;
    assert_eq!(all[0]["messageId"], json!(id));
}

/// A worker with four lanes, which writes many small transactions.
const WRITERS: [(&str, &str); 3] =
    [("RAVEN_EVENT_LANES", "4"), ("RAVEN_EVENT_PREFETCH", "4"), ("RAVEN_EVENT_BATCH", "2")];

/// Twelve writers have all they can do, and the reader is at their heels, where commits overtake each other: of batches
/// that began in one order, long ones end after short ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_writers_and_a_reader_at_their_heels() {
    const BODIES: u64 = 1200;
    const LARGE: u64 = 60;
    let mut raven = Raven::without_worker("twelve_writers_and_a_reader_at_their_heels").await;
    let tenant = raven.bare_tenant().await;
    let size = |body: u64| if body.is_multiple_of(6) { LARGE } else { 1 };
    let post = async |body: u64| {
        let from = body * LARGE;
        tenant.tell(&(from..from + size(body)).map(|number| stray(number, "open")).collect::<Vec<_>>()).await;
    };
    stream::iter(0..BODIES).for_each_concurrent(16, post).await;
    raven.proxies.postgres.dawdle();
    let count = usize::try_from((0..BODIES).map(size).sum::<u64>()).unwrap();
    let start_workers = async {
        for _ in 0..3 {
            raven.start_worker_with(&WRITERS).await;
        }
    };
    let ((), seen) = tokio::join!(start_workers, read_without_pause(&tenant, count));
    let distinct: HashSet<u64> = seen.iter().map(number).collect();
    assert_eq!((seen.len(), distinct.len()), (count, count), "each exactly once");
    assert!(seen.is_sorted_by_key(|event| event["sequence"].as_i64()));
}

async fn read_without_pause(tenant: &Tenant, count: usize) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), None);
    let mut progress = Instant::now();
    while seen.len() < count {
        let (page, next) = tenant.feed(&format!("limit=500&after={}", after.as_deref().unwrap_or(""))).await;
        if next.is_some() {
            (after, progress) = (next, Instant::now());
        }
        seen.extend(page);
        assert!(progress.elapsed() < DEADLINE, "{} of {count} events, and no more come", seen.len());
    }
    seen
}
