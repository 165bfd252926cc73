//! Event destinations: where an organization has its events sent, and the secrets that they are signed with.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, Utc};
use domain::delivery::DisabledBecause;
use domain::id::{DestinationId, OrganizationId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, absent, from_item, set_all, text, to_attribute, to_item};
use super::keys;

/// Most destinations of one organization.
pub const DESTINATIONS_MAX: usize = 10;
/// Hours that a secret stays valid once another has taken its place.
const REPLACED_HOURS: i64 = 24;

/// A destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestinationRow {
    /// Its id.
    pub destination: DestinationId,
    /// Where events are sent.
    pub url: String,
    /// The types of the events that are sent; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The organization's mode.
    pub livemode: bool,
    /// Why nothing is sent, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// What is signed with, the newest first.
    pub secrets: Vec<DestinationSecret>,
    /// Since when all attempts have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Why.
    pub because: DisabledBecause,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A secret of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationSecret {
    /// Sealed for the destination.
    pub sealed: String,
    /// Until when it is signed with; without it, until another takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// What of a destination is to change.
#[derive(Debug, Clone, Default)]
pub struct DestinationChange {
    /// Where events are sent.
    pub url: Option<String>,
    /// The types of the events that are sent; `Some(None)` for all.
    pub events: Option<Option<Vec<String>>>,
    /// What it is.
    pub description: Option<Option<String>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

impl DestinationRow {
    /// Whether it gets events of a type now.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        let filter = self.events.as_deref();
        self.disabled.is_none() && filter.is_none_or(|kinds| kinds.iter().any(|known| known == kind))
    }

    /// The secrets that are signed with at a moment.
    pub fn secrets_at(&self, now: DateTime<Utc>) -> impl Iterator<Item = &DestinationSecret> {
        self.secrets.iter().filter(move |secret| secret.valid_until.is_none_or(|until| now < until))
    }

    /// Its secrets once a new one has taken the newest one's place.
    #[must_use]
    pub fn rotated(&self, sealed: String, now: DateTime<Utc>) -> Vec<DestinationSecret> {
        let until = now + Duration::hours(REPLACED_HOURS);
        let replaced = self.secrets_at(now).cloned().map(|secret| DestinationSecret {
            valid_until: Some(secret.valid_until.unwrap_or(until)),
            ..secret
        });
        std::iter::once(DestinationSecret { sealed, valid_until: None }).chain(replaced).collect()
    }
}

impl Store {
    /// Creates a destination, and notes in the directory that the organization has had one; answers the earlier row when the
    /// same one exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_destination(
        &self,
        organization: &OrganizationId,
        row: &DestinationRow,
    ) -> Result<Option<DestinationRow>, StoreError> {
        let place = keys::destination(organization, &row.destination);
        let noted = Change::new("SET has_destinations = :yes", "attribute_exists(pk)")
            .value(":yes", AttributeValue::Bool(true));
        let actions = vec![
            self.put_action(to_item(&place, row)?, &absent())?,
            self.update_action(&keys::directory(organization), &noted)?,
        ];
        self.create(&place, actions).await
    }

    /// The destinations of an organization; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_destinations(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<DestinationRow>, StoreError> {
        let items = self.list_own(organization, keys::DESTINATIONS).await?;
        items.into_iter().map(from_item).collect()
    }

    /// Whether a destination of the organization wanted events of a type at most [`crate::CACHE_SECONDS`] ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_wanted(&self, organization: &OrganizationId, kind: &str) -> Result<bool, StoreError> {
        let known = self.destinations.fresh(&organization.as_str().to_owned(), self.clock.now());
        let destinations = match known {
            Some(destinations) => destinations,
            None => self.read_destinations(organization).await?,
        };
        Ok(destinations.iter().any(|destination| destination.wants(kind)))
    }

    /// The destinations of an organization, for whoever tells them of an event. That there is none is remembered for
    /// [`crate::CACHE_SECONDS`]: most organizations' events go nowhere, and cost no read then. Else a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_listening(
        &self,
        organization: &OrganizationId,
    ) -> Result<Arc<[DestinationRow]>, StoreError> {
        let known = self.destinations.fresh(&organization.as_str().to_owned(), self.clock.now());
        match known.filter(|destinations| destinations.is_empty()) {
            Some(none) => Ok(none),
            None => self.read_destinations(organization).await,
        }
    }

    async fn read_destinations(
        &self,
        organization: &OrganizationId,
    ) -> Result<Arc<[DestinationRow]>, StoreError> {
        let now = self.clock.now();
        let destinations: Arc<[DestinationRow]> = self.list_destinations(organization).await?.into();
        self.destinations.keep(organization.as_str().to_owned(), destinations.clone(), now);
        Ok(destinations)
    }

    /// A destination; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_destination(
        &self,
        organization: &OrganizationId,
        id: &DestinationId,
    ) -> Result<Option<DestinationRow>, StoreError> {
        self.get(&keys::destination(organization, id), true).await?.map(from_item).transpose()
    }

    /// Changes a destination; `None` when there is no such. To enable it, or to give it
    /// another address, is to begin anew: what failed before counts no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_destination(
        &self,
        organization: &OrganizationId,
        id: &DestinationId,
        change: &DestinationChange,
        now: DateTime<Utc>,
    ) -> Result<Option<DestinationRow>, StoreError> {
        let (mut set, mut gone) = (Vec::new(), Vec::new());
        if let Some(url) = &change.url {
            set.push(("url", text(url)));
            gone.push("failing_since");
        }
        match &change.events {
            Some(Some(events)) => set.push(("events", to_attribute(events)?)),
            Some(None) => gone.push("events"),
            None => {}
        }
        match &change.description {
            Some(Some(description)) => set.push(("description", text(description))),
            Some(None) => gone.push("description"),
            None => {}
        }
        match change.enabled {
            Some(true) => gone.extend(["disabled", "failing_since"]),
            Some(false) => {
                let disabled = Disabled { because: DisabledBecause::Owner, at: now };
                set.push(("disabled", to_attribute(&disabled)?));
            }
            None => {}
        }
        if set.is_empty() && gone.is_empty() {
            return self.find_destination(organization, id).await;
        }
        let mut update = set_all(set.clone(), "attribute_exists(pk)");
        // What is disabled already stays so for the reason that it was.
        let (anew, kept) = ("#disabled = :disabled", "#disabled = if_not_exists(#disabled, :disabled)");
        update.expression = update.expression.replace(anew, kept);
        if set.is_empty() {
            update.expression.clear();
        }
        gone.sort_unstable();
        gone.dedup();
        let update = update.removing(gone);
        match self.update(&keys::destination(organization, id), &update).await? {
            Write::Done(item) => from_item(item).map(Some),
            Write::Refused(_) => Ok(None),
        }
    }

    /// Replaces a destination's secrets; `false` when they have changed since it was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_destination_secrets(
        &self,
        organization: &OrganizationId,
        row: &DestinationRow,
        secrets: &[DestinationSecret],
    ) -> Result<bool, StoreError> {
        let change = Change::new("SET secrets = :secrets", "secrets = :was")
            .value(":secrets", to_attribute(&secrets)?)
            .value(":was", to_attribute(&row.secrets)?);
        let written = self.update(&keys::destination(organization, &row.destination), &change).await?;
        Ok(matches!(written, Write::Done(_)))
    }

    /// Removes a destination.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_destination(
        &self,
        organization: &OrganizationId,
        id: &DestinationId,
    ) -> Result<(), StoreError> {
        self.delete(&keys::destination(organization, id)).await
    }

    /// Notes that an attempt has succeeded, or has failed where none had before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_attempt(
        &self,
        organization: &OrganizationId,
        id: &DestinationId,
        succeeded: bool,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let change = if succeeded {
            Change::new("REMOVE failing_since", "attribute_exists(failing_since)")
        } else {
            let condition = "attribute_exists(pk) AND attribute_not_exists(failing_since)";
            Change::new("SET failing_since = :now", condition).value(":now", to_attribute(&now)?)
        };
        // Where the condition does not hold, it is noted already, or the destination is gone.
        self.update(&keys::destination(organization, id), &change).await.map(|_| ())
    }

    /// Disables a destination because of what became of an attempt; `false` when it is disabled already, or has changed in
    /// what the decision rests on: its address, or since when it fails.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn disable_destination(
        &self,
        organization: &OrganizationId,
        row: &DestinationRow,
        because: DisabledBecause,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let since = match &row.failing_since {
            Some(_) if because == DisabledBecause::Failing => " AND failing_since = :since",
            Some(_) | None => "",
        };
        let condition = format!("#url = :url AND attribute_not_exists(disabled){since}");
        let mut change = Change::new("SET disabled = :disabled", condition)
            .name("#url", "url")
            .value(":url", text(&row.url))
            .value(":disabled", to_attribute(&Disabled { because, at: now })?);
        if !since.is_empty() {
            change = change.value(":since", to_attribute(&row.failing_since)?);
        }
        let written = self.update(&keys::destination(organization, &row.destination), &change).await?;
        Ok(matches!(written, Write::Done(_)))
    }
}
