//! Organizations, their API keys and their webhook endpoints.

use chrono::{DateTime, Duration, Utc};
use domain::id::{ApiKeyId, EndpointId, OrganizationId, Processor};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, absent, from_item, key_attributes, number, text, text_of, to_attribute, to_item,
};
use super::keys::{self, Key};
use super::page::Range;

/// Most API keys, and most webhook endpoints, of one organization.
pub const KEYS_MAX: usize = 20;
/// Days that the record of a revoked key stays.
const REVOKED_DAYS: i64 = 90;

/// A tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrganizationRow {
    /// Its id.
    pub organization: OrganizationId,
    /// Its name, for people.
    pub name: String,
    /// Live or test money, never both; organizations made before there was a choice are live.
    #[serde(default = "live")]
    pub livemode: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// SHA-256 of the request that created it; tells a repetition from another request.
    pub request_hash: String,
}

/// An API key; the secret itself is never stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKeyRow {
    /// Its id.
    pub key: ApiKeyId,
    /// Whose.
    pub organization: OrganizationId,
    /// The organization's mode.
    #[serde(default = "live")]
    pub livemode: bool,
    /// Its name, for people.
    pub name: String,
    /// SHA-256 of the secret, in hex.
    pub hash: String,
    /// The last four characters of the secret.
    pub last4: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
}

/// Where a payment processor sends its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointRow {
    /// Its id, the last part of its address.
    pub endpoint: EndpointId,
    /// Whose.
    pub organization: OrganizationId,
    /// Which processor.
    pub processor: Processor,
    /// Live or test events; the other kind is not accepted.
    pub livemode: bool,
    /// Its signing secrets, sealed.
    pub sealed_secrets: Vec<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
}

const fn live() -> bool {
    true
}

impl Store {
    /// Creates an organization with its first key; answers the rows that stand, which are earlier ones when the same
    /// request was made before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_organization(
        &self,
        organization: &OrganizationRow,
        key: &ApiKeyRow,
    ) -> Result<Option<(OrganizationRow, ApiKeyRow)>, StoreError> {
        let place = keys::directory(&organization.organization);
        let mut actions = self.api_key_actions(key)?;
        actions.push(self.put_action(to_item(&place, organization)?, &absent())?);
        match self.transact(actions).await? {
            Transaction::Committed => Ok(None),
            Transaction::Refused { .. } => {
                let known = self.get(&place, true).await?.ok_or(StoreError::Contended { attempts: 1 })?;
                let known_key = self.get(&keys::api_key(&key.hash), true).await?;
                let known_key =
                    known_key.ok_or_else(|| StoreError::corrupt("an organization without its key"))?;
                Ok(Some((from_item(known)?, from_item(known_key)?)))
            }
        }
    }

    /// A page of the directory, for the nightly run: organizations, and whether each has ever had a destination for its events;
    /// `after` is the last organization seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_organizations(
        &self,
        after: Option<&OrganizationId>,
        limit: i32,
    ) -> Result<Vec<(OrganizationId, bool)>, StoreError> {
        let after = after.map(|after| key_attributes(&keys::directory(after)));
        let range = Range::new(keys::DIRECTORY, "org_", "org_~", limit);
        let (items, _) = self.query(&range, after).await?;
        let parse = |item: &Item| {
            let id = OrganizationId::parse(text_of(item, "sk")).map_err(StoreError::corrupt)?;
            Ok((id, item.contains_key("has_destinations")))
        };
        items.iter().map(parse).collect()
    }

    /// An organization.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_organization(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationRow>, StoreError> {
        self.get(&keys::directory(organization), false).await?.map(from_item).transpose()
    }

    /// Creates a key; answers the earlier row when the same key exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_api_key(&self, key: &ApiKeyRow) -> Result<Option<ApiKeyRow>, StoreError> {
        self.create(&keys::api_key(&key.hash), self.api_key_actions(key)?).await
    }

    fn api_key_actions(
        &self,
        key: &ApiKeyRow,
    ) -> Result<Vec<aws_sdk_dynamodb::types::TransactWriteItem>, StoreError> {
        let listing = to_item(&keys::api_key_listing(&key.organization, &key.key), key)?;
        Ok(vec![
            self.put_action(to_item(&keys::api_key(&key.hash), key)?, &absent())?,
            self.put_action(listing, &absent())?,
        ])
    }

    /// The key of a hash; kept in memory for [`crate::CACHE_SECONDS`], so a revoked key can work that much longer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_api_key(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        let now = self.clock.now();
        if let Some(row) = self.api_keys.fresh(&hash.to_owned(), now) {
            return Ok(Some(row));
        }
        let row: Option<ApiKeyRow> =
            self.get(&keys::api_key(hash), false).await?.map(from_item).transpose()?;
        let row = row.filter(|row| row.revoked_at.is_none());
        if let Some(row) = &row {
            self.api_keys.keep(hash.to_owned(), row.clone(), now);
        }
        Ok(row)
    }

    /// The keys of an organization, revoked ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_api_keys(&self, organization: &OrganizationId) -> Result<Vec<ApiKeyRow>, StoreError> {
        let items = self.list_own(organization, keys::API_KEYS).await?;
        items.into_iter().map(from_item).collect()
    }

    /// Revokes a key; `false` when there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_api_key(
        &self,
        organization: &OrganizationId,
        id: &ApiKeyId,
    ) -> Result<bool, StoreError> {
        let listing = keys::api_key_listing(organization, id);
        let Some(row) = self.get(&listing, true).await?.map(from_item::<ApiKeyRow>).transpose()? else {
            return Ok(false);
        };
        if row.revoked_at.is_some() {
            return Ok(true);
        }
        let now = self.clock.now();
        let expires_at = (now + Duration::days(REVOKED_DAYS)).timestamp();
        let change = Change::new("SET revoked_at = :now, #ttl = :ttl", "attribute_exists(pk)")
            .name("#ttl", keys::TTL_ATTRIBUTE)
            .value(":now", to_attribute(&now)?)
            .value(":ttl", number(expires_at));
        let actions = vec![
            self.update_action(&listing, &change)?,
            self.update_action(&keys::api_key(&row.hash), &change)?,
        ];
        match self.transact(actions).await? {
            Transaction::Committed => {
                self.api_keys.forget(&row.hash);
                Ok(true)
            }
            Transaction::Refused { .. } => Err(StoreError::Contended { attempts: 1 }),
        }
    }

    /// Creates an endpoint; answers the earlier row when the same endpoint exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_endpoint(&self, row: &EndpointRow) -> Result<Option<EndpointRow>, StoreError> {
        let place = keys::endpoint(&row.endpoint);
        let pointer = keys::endpoint_listing(&row.organization, &row.endpoint);
        let actions = vec![
            self.put_action(to_item(&place, row)?, &absent())?,
            self.put_action(key_attributes(&pointer), &absent())?,
        ];
        self.create(&place, actions).await
    }

    /// The endpoint of an id; kept in memory for [`crate::CACHE_SECONDS`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_endpoint(&self, id: &EndpointId) -> Result<Option<EndpointRow>, StoreError> {
        let now = self.clock.now();
        if let Some(row) = self.endpoints.fresh(&id.as_str().to_owned(), now) {
            return Ok(Some(row));
        }
        let row: Option<EndpointRow> =
            self.get(&keys::endpoint(id), false).await?.map(from_item).transpose()?;
        if let Some(row) = &row {
            self.endpoints.keep(id.as_str().to_owned(), row.clone(), now);
        }
        Ok(row)
    }

    /// The endpoints of an organization.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_endpoints(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        let pointers = self.list_own(organization, keys::ENDPOINTS).await?;
        let place = |pointer: &Item| {
            let id = text_of(pointer, "sk").trim_start_matches(keys::ENDPOINTS);
            EndpointId::parse(id).map(|id| keys::endpoint(&id)).map_err(StoreError::corrupt)
        };
        let places: Vec<Key> = pointers.iter().map(place).collect::<Result<_, _>>()?;
        self.get_all(&places).await?.into_iter().map(from_item).collect()
    }

    /// Replaces an endpoint's secrets; `None` when the organization has no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_endpoint_secrets(
        &self,
        organization: &OrganizationId,
        id: &EndpointId,
        sealed_secrets: &[String],
    ) -> Result<Option<EndpointRow>, StoreError> {
        let change = Change::new("SET sealed_secrets = :secrets", "organization = :organization")
            .value(":secrets", to_attribute(&sealed_secrets)?)
            .value(":organization", text(organization.as_str()));
        match self.update(&keys::endpoint(id), &change).await? {
            Write::Done(item) => {
                self.endpoints.forget(&id.as_str().to_owned());
                from_item(item).map(Some)
            }
            Write::Refused(_) => Ok(None),
        }
    }

    /// Removes an endpoint; `false` when the organization has no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_endpoint(
        &self,
        organization: &OrganizationId,
        id: &EndpointId,
    ) -> Result<bool, StoreError> {
        let owner = text(organization.as_str());
        let condition = Change::new("", "organization = :organization").value(":organization", owner);
        let listing = keys::endpoint_listing(organization, id);
        let actions = vec![
            self.delete_action(&keys::endpoint(id), &condition)?,
            self.delete_action(&listing, &Change::new("", "attribute_exists(pk)"))?,
        ];
        self.endpoints.forget(&id.as_str().to_owned());
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Every row of the organization's own partition that starts with a prefix. Live ones are few; revoked keys stay on
    /// record for a while, and may be many where keys are replaced often.
    pub(crate) async fn list_own(
        &self,
        organization: &OrganizationId,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let end = format!("{prefix}~");
        let mut range = Range::new(organization.as_str(), prefix, &end, 100);
        range.consistent = true;
        let (mut rows, mut after) = self.query(&range, None).await?;
        while after.is_some() {
            let (more, next) = self.query(&range, after).await?;
            rows.extend(more);
            after = next;
        }
        Ok(rows)
    }
}
