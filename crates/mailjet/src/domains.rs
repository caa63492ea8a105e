//! Sending domains: the sender `*@domain`, its validation, and the check of what the domain publishes.
//!
//! Read tolerantly: numbers also as texts, fields missing or of another type, one spelling or the other.

mod read;

use domain::DomainName;
use serde_json::json;

pub use self::read::{DnsFindings, DomainDns, DomainSender, Finding, Standing, TxtRecord, Validation};
use crate::rest::{Changed, Rest, RestError};

/// Whether a sender had to be made, or was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Kept,
    /// It was created, or brought back from the deleted.
    Made,
}

impl Rest<'_> {
    /// The sender of a whole domain, in whatever state; one that is deleted keeps its row.
    pub async fn domain_sender(self, domain: &DomainName) -> Result<Option<DomainSender>, RestError> {
        self.find(domain, &[("Domain", domain.as_str()), ("ShowDeleted", "true")]).await
    }

    /// Sees to it that there is a sender of the whole domain: takes the one that exists, brings back one that was deleted,
    /// or creates one.
    pub async fn ensure_domain_sender(
        self,
        domain: &DomainName,
    ) -> Result<(DomainSender, Origin), RestError> {
        let sender = match self.domain_sender(domain).await? {
            Some(sender) => sender,
            None => match self.create(domain).await? {
                Ok(sender) => return Ok((sender, Origin::Made)),
                // Somebody else was faster, or the filter left it out.
                Err(refusal) => self.find(domain, &[("ShowDeleted", "true")]).await?.ok_or(refusal)?,
            },
        };
        if sender.standing != Standing::Deleted {
            return Ok((sender, Origin::Kept));
        }
        let revived =
            match self.put(&format!("sender/{}", sender.id), &json!({"Name": domain.as_str()})).await? {
                Changed::To(row) => DomainSender::read(&row, domain),
                Changed::Already => None,
            };
        // An answer without the row, or with another: what counts is what is there now.
        let revived = match revived {
            Some(sender) => Some(sender),
            None => self.domain_sender(domain).await?,
        };
        match revived {
            Some(sender) if sender.standing != Standing::Deleted => Ok((sender, Origin::Made)),
            _ => Err(RestError::Unavailable("the deleted sender did not come back".to_owned())),
        }
    }

    /// Has Mailjet look for the proof of ownership. Failure is a success of the call, and that the sender is active
    /// already is a refusal of it.
    pub async fn validate_sender(self, id: i64) -> Result<Validation, RestError> {
        match self.post(&format!("sender/{id}/validate"), &json!({})).await {
            Ok(row) => Ok(Validation::read(&row)),
            Err(RestError::Refused { status: 400, message }) if read::says_active(&message) => {
                Ok(Validation::Passed)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Deletes a sender; answers whether there was one.
    pub async fn delete_sender(self, id: i64) -> Result<bool, RestError> {
        self.delete(&format!("sender/{id}")).await
    }

    /// What the domain should publish, if Mailjet knows the domain.
    pub async fn domain_dns(self, domain: &DomainName) -> Result<Option<DomainDns>, RestError> {
        let row = self.get(&format!("dns/{domain}")).await?;
        row.map(|row| {
            let unreadable = || RestError::Unavailable("its DNS records cannot be read".to_owned());
            DomainDns::read(&row, domain).ok_or_else(unreadable)
        })
        .transpose()
    }

    /// Has Mailjet look at what the domain publishes.
    pub async fn check_dns(self, domain: &DomainName) -> Result<DnsFindings, RestError> {
        let row = self.post(&format!("dns/{domain}/check"), &json!({})).await?;
        Ok(DnsFindings::read(&row))
    }

    async fn find(
        self,
        domain: &DomainName,
        filters: &[(&str, &str)],
    ) -> Result<Option<DomainSender>, RestError> {
        let rows = self.list("sender", filters).await?;
        // Every row is compared here: an unknown filter is ignored.
        Ok(rows.iter().find_map(|row| DomainSender::read(row, domain)))
    }

    /// The inner error is Mailjet's refusal, which is also how it says that the sender exists.
    async fn create(self, domain: &DomainName) -> Result<Result<DomainSender, RestError>, RestError> {
        let body = json!({"Email": format!("*@{domain}"), "Name": domain.as_str()});
        match self.post("sender", &body).await {
            Ok(row) => match DomainSender::read(&row, domain) {
                Some(sender) => Ok(Ok(sender)),
                None => Err(RestError::Unavailable("the sender that it created cannot be read".to_owned())),
            },
            Err(refusal @ RestError::Refused { status: 400, .. }) => Ok(Err(refusal)),
            Err(fault) => Err(fault),
        }
    }
}
