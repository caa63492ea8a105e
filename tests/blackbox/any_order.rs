//! Whatever order events come in, however they are split over requests, and however often they are repeated: messages,
//! recipients and suppressions end the same.

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven, Tenant, wait::until};

/// Stories that are tried; each is told twice.
const STORIES: usize = 40;

/// What may happen to a recipient's copy.
const HAPPENINGS: [fn(&Copy, u64) -> Value; 7] =
    [Copy::sent, Copy::open, Copy::soft_bounce, Copy::hard_bounce, Copy::blocked, Copy::unsub, Copy::spam];

/// Something that happens to the first or the second recipient.
type Happening = (usize, usize);

/// A selection of happenings, and two ways of telling them: as lists of requests.
#[derive(Debug, Clone)]
struct Story {
    ways: [Vec<Vec<Happening>>; 2],
    happenings: usize,
}

fn story() -> impl Strategy<Value = Story> {
    let all: Vec<Happening> =
        (0..2).flat_map(|who| (0..HAPPENINGS.len()).map(move |what| (who, what))).collect();
    subsequence(all, 1..=6).prop_flat_map(|chosen| {
        let happenings = chosen.len();
        (telling(chosen.clone()), telling(chosen))
            .prop_map(move |(one, other)| Story { ways: [one, other], happenings })
    })
}

/// Any order, some of it repeated, cut anywhere.
fn telling(chosen: Vec<Happening>) -> impl Strategy<Value = Vec<Vec<Happening>>> {
    let count = chosen.len();
    subsequence(chosen.clone(), 0..=count)
        .prop_map(move |repeats| [chosen.clone(), repeats].concat())
        .prop_shuffle()
        .prop_flat_map(|told| {
            let cuts = proptest::collection::vec(any::<bool>(), told.len());
            (Just(told), cuts)
        })
        .prop_map(|(told, cuts)| {
            let mut requests: Vec<Vec<Happening>> = vec![Vec::new()];
            for (happening, cut) in told.into_iter().zip(cuts) {
                if cut && requests.last().is_some_and(|request| !request.is_empty()) {
                    requests.push(Vec::new());
                }
                requests.last_mut().expect("a request").push(happening);
            }
            requests
        })
}

/// Tells a story of a new message, and answers what became of it, without what differs from message to message.
async fn tell(tenant: &Tenant, name: &str, requests: &[Vec<Happening>], happenings: usize) -> Value {
    let to = [format!("silent+{name}a@example.com"), format!("silent+{name}b@example.com")];
    let id = tenant.send(&json!({"to": to, "subject": "s", "bodyText": "t"})).await;
    let message = tenant.settled(&id, "sent").await;
    let copies = [Copy::of(&message, 0), Copy::of(&message, 1)];
    for request in requests {
        let event =
            |&(who, what): &Happening| HAPPENINGS[what](&copies[who], u64::try_from(what).expect("a second"));
        tenant.tell(&request.iter().map(event).collect::<Vec<_>>()).await;
    }
    until("the story to be told", async || tenant.events(&id).await.len(), |count| *count == happenings)
        .await;
    let message = tenant.message(&id).await;
    json!({
        "message": message["status"],
        "recipients": [message["recipients"][0]["status"], message["recipients"][1]["status"]],
        "suppressions": [tenant.suppression(&to[0]).await, tenant.suppression(&to[1]).await],
        "types": tenant.events(&id).await.iter().map(|event| event["type"].clone()).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn any_order_and_any_split_end_the_same() {
    let mut raven = Raven::start("any_order_and_any_split_end_the_same").await;
    raven.start_worker().await;
    let tenant = raven.tenant().await;
    let mut runner = TestRunner::default();
    let stories: Vec<Story> =
        (0..STORIES).map(|_| story().new_tree(&mut runner).expect("a story").current()).collect();
    let told = stories.iter().enumerate().map(async |(number, story)| {
        let mut ends = Vec::new();
        for (way, requests) in story.ways.iter().enumerate() {
            ends.push(tell(&tenant, &format!("{number}-{way}"), requests, story.happenings).await);
        }
        assert_eq!(ends[0], ends[1], "{story:?}");
    });
    futures_util::future::join_all(told).await;
}
