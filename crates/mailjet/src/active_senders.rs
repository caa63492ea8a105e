//! `/v3/REST/sender`: addresses, and whole domains, that mail may come from.

use serde_json::Value;

use crate::rest::{Rest, RestError};

/// A sender as Mailjet lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderState {
    /// An address, or `*@domain` for all of a domain.
    pub email: String,
    /// Whether mail may come from it.
    pub is_active: bool,
}

impl SenderState {
    fn of(row: &Value) -> Option<Self> {
        let is_active = row["Status"].as_str().unwrap_or_default().eq_ignore_ascii_case("active");
        Some(Self { email: row["Email"].as_str()?.to_lowercase(), is_active })
    }
}

impl Rest<'_> {
    /// Every sender of the account, and whether it is active.
    pub async fn sender_states(self) -> Result<Vec<SenderState>, RestError> {
        Ok(self.list("sender", &[]).await?.iter().filter_map(SenderState::of).collect())
    }

    /// The sender with this very address, if the account has it.
    pub async fn sender_state(self, email: &str) -> Result<Option<SenderState>, RestError> {
        let path = format!("sender/{}", email.replace('%', "%25").replace('/', "%2F"));
        Ok(self.get(&path).await?.as_ref().and_then(SenderState::of))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sender_is_active_only_if_mailjet_says_so() {
        let row = |status: Value| SenderState::of(&json!({"Email": "*@Shop.example", "Status": status}));
        let state = row(json!("Active")).unwrap();
        assert_eq!((state.email.as_str(), state.is_active), ("*@shop.example", true));
        for other in [json!("Inactive"), json!("Deleted"), json!(null)] {
            assert!(!row(other).unwrap().is_active);
        }
        assert_eq!(SenderState::of(&json!({"ID": 1})), None);
    }
}
