//! Referees, and the sources that wait for them.
//!
//! A source whose payer has not signed up yet waits on the payer's row; binding the payer reads what waits in the same
//! write, and leaves the row due until all of it has been decided again. A customer's row does the same for sources
//! whose payer is only known to the processor.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::event::Event;
use domain::id::{ExternalId, OrganizationId, ParticipantId, SourceId};
use domain::referral::{Binding, Referral};
use domain::tally::RefereeTally;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, absent, from_item, index_in, key_of, number, set_all, text, text_of, to_attribute,
    to_item,
};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};
use super::source::RefereeCount;
use super::tally::TallyRow;

/// Most sources that can wait for one referee or customer.
pub(crate) const WAITING_MAX: usize = 200;

/// A referee's row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RefereeRow {
    /// How the referee is bound, once it has signed up.
    #[serde(default)]
    binding: Option<StoredBinding>,
    /// Referrals that were removed before the present one.
    #[serde(default)]
    former: Vec<Referral>,
    /// Counts the changes of the binding.
    #[serde(default)]
    revision: u64,
    /// Sources to be decided again.
    #[serde(default)]
    pub waiting: Vec<SourceId>,
    /// What is counted of the referee, by the number of the referral.
    #[serde(default)]
    tallies: BTreeMap<String, RefereeTally>,
    /// Counts the writes of it.
    #[serde(default)]
    tally_version: u64,
    /// Which of the referrals are told to have earned something.
    #[serde(default)]
    converted: BTreeSet<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredBinding {
    Organic { signed_up_at: DateTime<Utc> },
    Bound(Box<Referral>),
}

/// How a binding was taken.
#[derive(Debug)]
pub enum Bind {
    /// Bound now; these sources wait to be decided again, and the row is due until they are.
    New {
        /// Often none.
        waiting: Vec<SourceId>,
    },
    /// Bound before.
    Known(Box<RefereeRow>),
}

impl RefereeRow {
    /// The binding as the rules know it.
    #[must_use]
    pub fn binding(&self) -> Binding {
        match &self.binding {
            None => Binding::Unknown,
            Some(StoredBinding::Organic { signed_up_at }) => Binding::Organic { signed_up_at: *signed_up_at },
            Some(StoredBinding::Bound(referral)) => {
                Binding::Bound { referral: (**referral).clone(), former: self.former.clone() }
            }
        }
    }

    /// What is counted of the referee in one of its referrals.
    #[must_use]
    pub fn tally(&self, number: u32) -> RefereeTally {
        self.tallies.get(&number.to_string()).cloned().unwrap_or_default()
    }

    /// Whether it is told of one of the referrals that it has earned something.
    #[must_use]
    pub fn has_converted(&self, number: u32) -> bool {
        self.converted.contains(&number)
    }
}

/// What goes with a new binding.
#[derive(Debug, Clone, Default)]
pub struct Companions {
    /// The sign-up is a source of its own, to be decided once the binding is written.
    pub decides_signup: bool,
    /// A code that can be used a limited number of times, and that number.
    pub limited_code: Option<(ReferralCode, u32)>,
    /// The referrer's counters with this referral counted, as they are to be.
    pub tally: Option<TallyRow>,
    /// What the outside is told of it, where anybody wants that.
    pub event: Option<Event>,
}

/// How a new binding was taken.
#[derive(Debug)]
pub enum Bound {
    /// Written, or found written.
    Taken(Bind),
    /// The code was used up in the meantime.
    CodeUsedUp,
    /// The counters were written in the meantime: read them again.
    Lost,
}

impl Store {
    /// What is known of a payer; a strong read, since money depends on it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_referee(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
    ) -> Result<RefereeRow, StoreError> {
        let item = self.get(&keys::referee(organization, id), true).await?;
        item.map_or_else(|| Ok(RefereeRow::default()), from_item)
    }

    /// Binds a referee who is not bound yet, with what goes with it: one write when nothing does, one transaction else.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_binding_with(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
        binding: &Binding,
        companions: &Companions,
        now: DateTime<Utc>,
    ) -> Result<Bound, StoreError> {
        let shares = binding.latest().map_or(0, |referral| referral.shares.len());
        let alone = companions.limited_code.is_none() && companions.tally.is_none() && shares == 0;
        if alone && companions.event.is_none() {
            let signup = companions.decides_signup.then(|| SourceId::signup(id));
            return self
                .commit_binding(organization, id, binding, signup.as_ref(), now)
                .await
                .map(Bound::Taken);
        }
        let key = keys::referee(organization, id);
        let signup = companions.decides_signup.then(|| SourceId::signup(id));
        let due = Some(keys::due(&key, now));
        let change = binding_change(organization, &key, binding, now, due, signup.as_ref())?;
        let mut actions = vec![self.update_action(&key, &change)?];
        if let Some(referral) = binding.latest() {
            for (place, share) in referral.shares.iter().enumerate().skip(1) {
                let key = keys::share(organization, id, referral.number, place);
                actions.push(self.put_action(
                    referral_item(organization, &key, referral, &share.participant)?,
                    &absent(),
                )?);
            }
        }
        let code_at = actions.len();
        if let Some((code, most)) = &companions.limited_code {
            let change = Change::new(
                "ADD uses :one",
                "attribute_exists(pk) AND (attribute_not_exists(uses) OR uses < :most)",
            )
            .value(":one", number(1))
            .value(":most", number(most));
            actions.push(self.update_action(&keys::code(organization, code), &change)?);
        }
        if let Some(tally) = &companions.tally {
            actions.push(self.tally_action(organization, tally)?);
        }
        if let Some(event) = &companions.event {
            actions.push(self.event_action(event)?);
        }
        match self.transact(actions).await? {
            Transaction::Committed => {
                let row = self.get_referee(organization, id).await?;
                if row.waiting.is_empty() {
                    self.finish_referee(organization, id).await?;
                }
                Ok(Bound::Taken(Bind::New { waiting: row.waiting }))
            }
            Transaction::Refused { rows } => {
                let known = self.get_referee(organization, id).await?;
                if known.binding.is_some() {
                    return Ok(Bound::Taken(Bind::Known(Box::new(known))));
                }
                let code = rows.get(code_at).and_then(Option::as_ref);
                let used_up = companions.limited_code.as_ref().zip(code).is_some_and(|((_, most), row)| {
                    let uses = row
                        .get("uses")
                        .and_then(|uses| uses.as_n().ok())
                        .and_then(|uses| uses.parse::<u32>().ok());
                    uses.is_some_and(|uses| uses >= *most)
                });
                Ok(if used_up { Bound::CodeUsedUp } else { Bound::Lost })
            }
        }
    }

    /// Replaces a binding by hand: a referral that was assigned or removed, with the event that tells of it. `false` when it
    /// changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_rebinding(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
        before: &RefereeRow,
        binding: &Binding,
        event: Option<&Event>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let Binding::Bound { referral, former } = binding else {
            return Err(StoreError::corrupt("a binding that binds nothing"));
        };
        let key = keys::referee(organization, id);
        let is_new = before.binding().latest().is_none_or(|known| known.number != referral.number);
        let mut attributes = vec![
            ("binding", to_attribute(&StoredBinding::Bound(Box::new(referral.clone())))?),
            ("former", to_attribute(former)?),
            ("revision", number(before.revision.saturating_add(1))),
        ];
        if before.binding.is_none() {
            // Sources may wait for it: the row is due until they have been decided.
            let due = keys::due(&key, now);
            attributes.extend([("due_pk", text(due.pk)), ("due_sk", text(due.sk))]);
        }
        if is_new {
            attributes.extend(referral_attributes(organization, &key, referral, &referral.referrer, now));
        }
        let condition = match before.binding {
            None => "attribute_not_exists(binding)",
            Some(_) if before.revision == 0 => "attribute_not_exists(revision)",
            Some(_) => "revision = :before",
        };
        let change = set_all(attributes, condition);
        let change = if before.revision == 0 || before.binding.is_none() {
            change
        } else {
            change.value(":before", number(before.revision))
        };
        let mut actions = vec![self.update_action(&key, &change)?];
        if let Some(last) = former.last().filter(|_| is_new) {
            let place = keys::former(organization, id, last.number);
            actions.push(
                self.put_action(referral_item(organization, &place, last, &last.referrer)?, &absent())?,
            );
        }
        if let Some(event) = event {
            actions.push(self.event_action(event)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// The write of what a decision changes of a referee: what is counted of it, under the version that was read, and that a
    /// referral of it has earned something, which is written once.
    pub(crate) fn referee_action(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
        count: Option<&RefereeCount<'_>>,
        converted: Option<u32>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut change =
            count.map_or_else(|| Ok(Change::new("", "attribute_exists(binding)")), tally_change)?;
        if let Some(converted) = converted {
            change.expression.push_str(" ADD converted :referrals");
            change.condition.push_str(" AND NOT contains(converted, :referral)");
            change = change
                .value(":referrals", AttributeValue::Ns(vec![converted.to_string()]))
                .value(":referral", number(converted));
        }
        self.update_action(&keys::referee(organization, id), &change)
    }

    async fn commit_binding(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
        binding: &Binding,
        signup: Option<&SourceId>,
        now: DateTime<Utc>,
    ) -> Result<Bind, StoreError> {
        let key = keys::referee(organization, id);
        if signup.is_none() {
            let quiet = binding_change(organization, &key, binding, now, None, None)?;
            let refused = match self.update(&key, &quiet).await? {
                Write::Done(_) => return Ok(Bind::New { waiting: Vec::new() }),
                Write::Refused(item) => item,
            };
            let known: RefereeRow = from_item(refused)?;
            if known.binding.is_some() {
                return Ok(Bind::Known(Box::new(known)));
            }
        }
        let due = binding_change(organization, &key, binding, now, Some(keys::due(&key, now)), signup)?;
        match self.update(&key, &due).await? {
            Write::Done(item) => Ok(Bind::New { waiting: from_item::<RefereeRow>(item)?.waiting }),
            Write::Refused(item) => from_item(item).map(|row| Bind::Known(Box::new(row))),
        }
    }

    /// Everything that waited for a referee has been decided again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_referee(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
    ) -> Result<(), StoreError> {
        let change = Change::new("REMOVE due_pk, due_sk, waiting", "attribute_exists(binding)");
        self.update(&keys::referee(organization, id), &change).await.map(|_| ())
    }

    /// Referrals of one referrer, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_referrals_of(
        &self,
        organization: &OrganizationId,
        referrer: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Referral>, StoreError> {
        const NAMES: &[&str] = &["pk", "sk", "listing_sk"];
        let pk = keys::participant_partition(organization, referrer);
        let mut range = Range::new(&pk, "0", "~", limit);
        (range.index, range.newest_first) = (Some(keys::LISTING_INDEX), true);
        let start = after(cursor, NAMES, ("listing_pk", &pk));
        let (items, next) = self.query(&range, start).await?;
        let places: Vec<Key> = items.iter().map(key_of).collect();
        let rows = self.get_referrals(&places).await?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, NAMES)) })
    }

    /// When a participant has last referred somebody; an eventual read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_referral_at(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let mut range = Range::new(&pk, "0", "~", 1);
        (range.index, range.newest_first) = (Some(keys::LISTING_INDEX), true);
        let (items, _) = self.query(&range, None).await?;
        Ok(items.first().and_then(|item| keys::moment_in(text_of(item, "listing_sk"))))
    }

    /// How many referrals a participant has made; an eventual read.
    pub(crate) async fn count_referrals_of(
        &self,
        organization: &OrganizationId,
        referrer: &ParticipantId,
    ) -> Result<u32, StoreError> {
        let pk = keys::participant_partition(organization, referrer);
        let mut range = Range::new(&pk, "0", "~", 1000);
        range.index = Some(keys::LISTING_INDEX);
        let (mut count, mut after) = (0_usize, None);
        loop {
            let (items, next) = self.query(&range, after).await?;
            count = count.saturating_add(items.len());
            after = next;
            if after.is_none() {
                return Ok(u32::try_from(count).unwrap_or(u32::MAX));
            }
        }
    }

    /// What is known of referees, by their rows' keys.
    pub(crate) async fn get_bindings(&self, places: &[Key]) -> Result<Vec<Binding>, StoreError> {
        let items = self.get_all(places).await?;
        items.into_iter().map(|item| from_item::<RefereeRow>(item).map(|row| row.binding())).collect()
    }

    /// Referrals by their rows' keys.
    pub(crate) async fn get_referrals(&self, places: &[Key]) -> Result<Vec<Referral>, StoreError> {
        let referral = |item: Item| match from_item::<RefereeRow>(item)?.binding() {
            Binding::Bound { referral, .. } => Ok(Some(referral)),
            Binding::Unknown | Binding::Organic { .. } => Ok(None),
        };
        let items = self.get_all(places).await?;
        Ok(items
            .into_iter()
            .map(referral)
            .collect::<Result<Vec<_>, StoreError>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

/// What is counted of a referee, one version up, on the condition that nobody else has counted.
fn tally_change(count: &RefereeCount<'_>) -> Result<Change, StoreError> {
    let RefereeCount { before, number: of, tally, .. } = count;
    let mut tallies = before.tallies.clone();
    tallies.insert(of.to_string(), (*tally).clone());
    let attributes = vec![
        ("tallies", to_attribute(&tallies)?),
        ("tally_version", number(before.tally_version.saturating_add(1))),
    ];
    Ok(match before.tally_version {
        0 => set_all(attributes, "attribute_exists(binding) AND attribute_not_exists(tally_version)"),
        version => set_all(attributes, "tally_version = :before").value(":before", number(version)),
    })
}

/// The write that binds. With `due`, sources may be waiting and the row becomes due; without, there must be none.
/// `signup` waits from now on itself.
fn binding_change(
    organization: &OrganizationId,
    key: &Key,
    binding: &Binding,
    now: DateTime<Utc>,
    due: Option<Key>,
    signup: Option<&SourceId>,
) -> Result<Change, StoreError> {
    let stored = match binding {
        Binding::Bound { referral, .. } => StoredBinding::Bound(Box::new(referral.clone())),
        Binding::Organic { signed_up_at } => StoredBinding::Organic { signed_up_at: *signed_up_at },
        Binding::Unknown => return Err(StoreError::corrupt("a binding that binds nothing")),
    };
    let condition = match &due {
        None => "attribute_not_exists(binding) AND attribute_not_exists(waiting)",
        Some(_) => "attribute_not_exists(binding)",
    };
    let mut attributes: Vec<(&str, AttributeValue)> = vec![("binding", to_attribute(&stored)?)];
    if let Some(referral) = binding.latest() {
        attributes.extend(referral_attributes(organization, key, referral, &referral.referrer, now));
    }
    if let Some(due) = due {
        attributes.extend([("due_pk", text(due.pk)), ("due_sk", text(due.sk))]);
    }
    let mut change = set_all(attributes, condition);
    if let Some(signup) = signup {
        change.expression.push_str(" ADD waiting :signup");
        change = change.value(":signup", AttributeValue::Ss(vec![signup.to_string()]));
    }
    Ok(change)
}

/// What lists a referral: in its day, and with its referrer.
fn referral_attributes(
    organization: &OrganizationId,
    key: &Key,
    referral: &Referral,
    referrer: &ParticipantId,
    now: DateTime<Utc>,
) -> Vec<(&'static str, AttributeValue)> {
    let day = keys::day(organization, key, now);
    let by_referrer = keys::referrer(organization, referrer, &referral.referee, now);
    vec![
        ("kind", text("referral")),
        ("program", text(referral.program.as_str())),
        ("day_pk", text(day.pk)),
        ("day_sk", text(day.sk)),
        ("listing_pk", text(by_referrer.pk)),
        ("listing_sk", text(by_referrer.sk)),
    ]
}

/// A row that lists a referral with one more referrer. It is in no day: its referral is counted once.
fn referral_item(
    organization: &OrganizationId,
    key: &Key,
    referral: &Referral,
    referrer: &ParticipantId,
) -> Result<Item, StoreError> {
    let row = RefereeRow {
        binding: Some(StoredBinding::Bound(Box::new(referral.clone()))),
        ..RefereeRow::default()
    };
    let mut item = to_item(key, &row)?;
    // An empty set cannot be stored, and this row waits for nothing.
    item.retain(|name, _| ["pk", "sk", "binding"].contains(&name.as_str()));
    let by_referrer = keys::referrer(organization, referrer, &referral.referee, referral.recorded_at);
    index_in(&mut item, keys::LISTING_INDEX, &by_referrer);
    item.insert("kind".to_owned(), text("referral"));
    Ok(item)
}
