//! Whom a billing run has to look at: participants of whom something was left to bill, and whom it is done with.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::id::{OrganizationId, ParticipantId, ProgramId};
use serde::Deserialize;

use super::Store;
use super::billing::{BillingRunRow, next_run};
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, absent, from_item, key_attributes, key_of, number, text_of};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};

/// Days that a run remembers whom it is done with: far more than a run takes.
const SEEN_DAYS: i64 = 60;
/// Days after which a participant that has nothing left to bill is forgotten.
const CLOSED_DAYS: i64 = 7;

/// A participant that a run has to look at, with what it was carried over under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Who.
    pub participant: ParticipantId,
    /// The version of the row that says that something is left, while it does.
    pub version: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct CarryRow {
    open: bool,
    version: u64,
}

impl Store {
    /// Those of the participants that a run is not done with; at most 50.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_unseen(
        &self,
        organization: &OrganizationId,
        row: &BillingRunRow,
        participants: &[ParticipantId],
    ) -> Result<Vec<Carried>, StoreError> {
        let seen = |id: &ParticipantId| keys::run_seen(organization, &row.run, id);
        let carry = |id: &ParticipantId| keys::carry(organization, &row.program, id);
        let places: Vec<Key> = participants.iter().flat_map(|id| [seen(id), carry(id)]).collect();
        let found = self.get_all(&places).await?;
        let at = |key: &Key| found.iter().find(|item| key_of(item) == *key);
        let mut unseen = Vec::new();
        for participant in participants.iter().filter(|id| at(&seen(id)).is_none()) {
            let open = at(&carry(participant)).cloned().map(from_item::<CarryRow>).transpose()?;
            let version = open.filter(|carry| carry.open).map(|carry| carry.version);
            unseen.push(Carried { participant: participant.clone(), version });
        }
        Ok(unseen)
    }

    /// Participants of a program with something left to bill, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_carried(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<ParticipantId>, StoreError> {
        let pk = keys::carry_partition(organization, program);
        let mut range = Range::new(&pk, "prt_", "prt_~", limit);
        range.consistent = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let open = |item: &&Item| item.get("open").and_then(|open| open.as_bool().ok()) == Some(&true);
        let parse = |item: &Item| ParticipantId::parse(text_of(item, "sk")).map_err(StoreError::corrupt);
        let rows = items.iter().filter(open).map(parse).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// A run is done with a participant, of whom something is left or nothing is. `false` when another worker is at the run,
    /// or something of the participant's changed that has to be looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_participant(
        &self,
        organization: &OrganizationId,
        row: &BillingRunRow,
        carried: &Carried,
        is_left: bool,
    ) -> Result<bool, StoreError> {
        let (item, condition) = next_run(organization, row, self.clock.now())?;
        let mut seen = key_attributes(&keys::run_seen(organization, &row.run, &carried.participant));
        seen.insert(keys::TTL_ATTRIBUTE.to_owned(), self.days_from_now(SEEN_DAYS));
        let mut actions = vec![self.put_action(item, &condition)?, self.put_action(seen, &absent())?];
        if !row.dry_run {
            if is_left {
                actions.push(self.carry_action(organization, &row.program, &carried.participant)?);
            } else if let Some(version) = carried.version {
                let change = Change::new("SET #open = :no, #ttl = :ttl", "version = :version")
                    .name("#open", "open")
                    .name("#ttl", keys::TTL_ATTRIBUTE)
                    .value(":no", AttributeValue::Bool(false))
                    .value(":ttl", self.days_from_now(CLOSED_DAYS))
                    .value(":version", number(version));
                let key = keys::carry(organization, &row.program, &carried.participant);
                actions.push(self.update_action(&key, &change)?);
            }
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Notes that something of a participant is left to bill. Its version goes up, so that a run that has looked before does
    /// not close it.
    pub(crate) fn carry_action(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
        participant: &ParticipantId,
    ) -> Result<TransactWriteItem, StoreError> {
        let expression = "SET #open = :yes, version = if_not_exists(version, :zero) + :one REMOVE #ttl";
        let change = Change::new(expression, "")
            .name("#open", "open")
            .name("#ttl", keys::TTL_ATTRIBUTE)
            .value(":yes", AttributeValue::Bool(true))
            .value(":zero", number(0))
            .value(":one", number(1));
        self.update_action(&keys::carry(organization, program, participant), &change)
    }
}
