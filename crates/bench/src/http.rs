//! One HTTP request on a connection of its own: for readiness and RabbitMQ's management API.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Where requests go: `http://user:password@host:port`, the user being optional.
pub(crate) struct Base {
    authority: String,
    authorization: String,
    pub(crate) user: String,
}

impl Base {
    /// Reads a URL without a path.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no http URL"))?;
        let (credentials, authority) = rest.trim_end_matches('/').rsplit_once('@').unwrap_or(("", rest));
        let authorization = match credentials {
            "" => String::new(),
            known => format!("Authorization: Basic {}\r\n", STANDARD.encode(known)),
        };
        let user = credentials.split(':').next().unwrap_or_default().to_owned();
        Ok(Self { authority: authority.to_owned(), authorization, user })
    }

    /// Asks. HTTP/1.0, so that the answer ends with the connection and comes in one piece.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &str) -> Result<Reply> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            self.authorization,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        read(&String::from_utf8_lossy(&answer)).with_context(|| format!("{method} {path}: no HTTP answer"))
    }

    /// Asks, and takes anything but success for a failure.
    pub(crate) async fn succeed(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let reply = self.request(method, path, body).await?;
        ensure!(reply.status / 100 == 2, "{method} {path} answers {}: {}", reply.status, reply.body);
        Ok(reply.body)
    }
}

fn read(answer: &str) -> Option<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_the_url() {
        let base = Base::parse("http://guest:secret@127.0.0.1:15672/").unwrap();
        assert_eq!((base.authority.as_str(), base.user.as_str()), ("127.0.0.1:15672", "guest"));
        assert_eq!(base.authorization, "Authorization: Basic Z3Vlc3Q6c2VjcmV0\r\n");
        assert!(Base::parse("http://127.0.0.1:1").unwrap().authorization.is_empty());
        assert!(Base::parse("amqp://127.0.0.1").is_err());
    }

    #[test]
    fn an_answer_is_a_status_and_what_follows_the_head() {
        let reply = read("HTTP/1.1 204 No Content\r\na: b\r\n\r\n{}").unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (204, "{}"));
        assert!(read("").is_none());
        assert!(read("HTTP/1.1 x\r\n\r\n").is_none());
    }
}
