//! A RabbitMQ vhost a test, and a look into it through the management API.

use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::{
    http::{self, Reply},
    servers::servers,
    wait::finish,
};

/// A vhost, deleted with this value.
#[derive(Debug)]
pub(crate) struct Vhost {
    name: String,
}

impl Vhost {
    /// A new one, open to the user of the tests.
    pub(crate) async fn create(name: &str) -> Self {
        let this = Self { name: name.to_owned() };
        manage(Method::PUT, &format!("api/vhosts/{name}"), &json!({})).await.expect(201);
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let user = servers().management.username();
        let answer = manage(Method::PUT, &format!("api/permissions/{name}/{user}"), &all).await;
        assert!([201, 204].contains(&answer.status), "{answer:?}");
        this
    }

    /// Its URL.
    pub(crate) fn url(&self) -> Url {
        let mut url = servers().amqp.clone();
        url.set_path(&self.name);
        url
    }

    /// What the management API says of a queue.
    pub(crate) async fn queue(&self, queue: &str) -> Option<Value> {
        let answer = manage(Method::GET, &format!("api/queues/{}/{queue}", self.name), &Value::Null).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// What the management API says of an exchange.
    pub(crate) async fn exchange(&self, exchange: &str) -> Option<Value> {
        let answer =
            manage(Method::GET, &format!("api/exchanges/{}/{exchange}", self.name), &Value::Null).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// The messages that wait in a queue, up to a hundred; they stay there.
    pub(crate) async fn waiting(&self, queue: &str) -> Vec<Value> {
        let order =
            json!({"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 1000});
        let answer = manage(Method::POST, &format!("api/queues/{}/{queue}/get", self.name), &order).await;
        answer.expect(200).as_array().expect("a list of messages").clone()
    }

    /// Puts a message into a queue, past ingest.
    pub(crate) async fn publish(&self, key: &str, payload: &str) {
        self.publish_to("raven", key, &json!({}), payload).await;
    }

    /// Puts a message with these properties where an exchange routes it.
    pub(crate) async fn publish_to(&self, exchange: &str, key: &str, properties: &Value, payload: &str) {
        let mut properties = properties.clone();
        properties["delivery_mode"] = json!(2);
        let order = json!({
            "properties": properties, "routing_key": key, "payload": payload, "payload_encoding": "string",
        });
        let path = format!("api/exchanges/{}/{exchange}/publish", self.name);
        assert_eq!(manage(Method::POST, &path, &order).await.expect(200)["routed"], true);
    }

    /// Closes the connections with this name; answers how many.
    pub(crate) async fn disconnect(&self, role: &str) -> usize {
        let path = format!("api/vhosts/{}/connections", self.name);
        let all = manage(Method::GET, &path, &Value::Null).await.expect(200);
        let of_role = all
            .as_array()
            .expect("a list of connections")
            .iter()
            .filter(|one| one["user_provided_name"] == role);
        let mut closed = 0;
        for connection in of_role {
            let name = connection["name"].as_str().expect("a name").replace(' ', "%20").replace('>', "%3E");
            let answer = manage(Method::DELETE, &format!("api/connections/{name}"), &Value::Null).await;
            closed += usize::from(answer.status == 204);
        }
        closed
    }

    /// Lays a policy over the queues with this name, until it is lifted.
    pub(crate) async fn policy(&self, queue: &str, definition: &Value) {
        let path = format!("api/policies/{}/{queue}", self.name);
        let pattern = format!("^{queue}$");
        let policy = json!({"pattern": pattern, "definition": definition, "apply-to": "queues"});
        manage(Method::PUT, &path, &policy).await.expect(201);
    }

    /// Lifts the policy.
    pub(crate) async fn no_policy(&self, queue: &str) {
        let path = format!("api/policies/{}/{queue}", self.name);
        assert_eq!(manage(Method::DELETE, &path, &Value::Null).await.status, 204);
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let path = format!("api/vhosts/{}", self.name);
        if finish(async { manage(Method::DELETE, &path, &Value::Null).await }).is_err() {
            eprintln!("the vhost {} is left behind", self.name);
        }
    }
}

async fn manage(method: Method, path: &str, body: &Value) -> Reply {
    let api = &servers().management;
    let mut url = api.join(path).expect("a path of the management API");
    url.set_username("").and_then(|()| url.set_password(None)).expect("a URL with a host");
    let request = http::client().request(method, url).basic_auth(api.username(), api.password());
    http::send(if body.is_null() { request } else { request.json(body) }).await
}
