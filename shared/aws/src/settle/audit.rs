//! Looking at a source for the self-check: what is posted of it, its rewards, and what is decided of it now.

use chrono::{DateTime, Utc};
use domain::audit::{self, Finding, SourceCase, Standing};
use domain::id::{OrganizationId, RewardId, SourceId, SourceKind};
use domain::ledger::Reward;
use domain::reason::Reason;

use super::{Explanation, SettleError, explain};
use crate::store::{SourceRow, Store, StoreError, Waiting};

/// What a look at a source came to.
#[derive(Debug, Default)]
pub struct SourceLook {
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Whether it was decided again.
    pub is_decided: bool,
}

impl SourceLook {
    /// A source that cannot be read, or not be decided, is a finding.
    ///
    /// # Errors
    /// [`StoreError`] when the table did not answer.
    pub fn or_unreadable(source: &SourceId, look: Result<Self, SettleError>) -> Result<Self, StoreError> {
        match look {
            Ok(look) => Ok(look),
            Err(SettleError::Store(
                error @ (StoreError::Throttled { .. } | StoreError::Unavailable { .. }),
            )) => Err(error),
            Err(error) => {
                let finding = Finding::unreadable(audit::source_row(source), crate::handler::chain(&error));
                Ok(Self { findings: vec![finding], is_decided: false })
            }
        }
    }
}

/// Looks at a source and at the rewards that are `named` or that it names. `is_once` leaves the decision to whoever comes by
/// the first of its rewards.
///
/// # Errors
/// [`SettleError`].
pub async fn look_at_source(
    store: &Store,
    now: DateTime<Utc>,
    organization: &OrganizationId,
    source: &SourceId,
    (named, is_once): (&[RewardId], bool),
    consistent: bool,
) -> Result<SourceLook, SettleError> {
    let found = store.find_source_and_due(organization, source).await?;
    let Some((row, is_due)) = found else {
        let rewards = store.read_rewards(organization, named, consistent).await?;
        let nothing = case(source, &[], &rewards, Standing::Exempt);
        return Ok(SourceLook { findings: audit::source(&nothing), is_decided: false });
    };
    let mut ids: Vec<RewardId> = row.posted.iter().map(|posted| posted.reward.clone()).collect();
    let is_first = ids.first().is_none_or(|first| named.contains(first));
    ids.extend(named.iter().cloned());
    ids.sort();
    ids.dedup();
    let rewards = store.read_rewards(organization, &ids, consistent).await?;
    let given = row.grant.as_ref().map(|grant| grant.amount);
    // What is known of a payment is decided with its invoices.
    if (is_once && !is_first) || given.is_some() || !row.invoices.is_empty() {
        let known = SourceCase { given, ..case(source, &row.posted, &rewards, Standing::Exempt) };
        return Ok(SourceLook { findings: audit::source(&known), is_decided: given.is_some() });
    }
    let earner = match row.state.earned {
        Some(_) => store.read_rewards(organization, &first_level(source)?, true).await?,
        None => Vec::new(),
    };
    let explained = explain(store, now, organization, row).await?;
    let standing = standing_of(store, organization, &explained, is_due).await?;
    let known = SourceCase {
        decision: explained.decision.as_ref(),
        earned: explained.row.state.earned.as_ref().zip(earner.first()),
        ..case(source, &explained.row.posted, &rewards, standing)
    };
    Ok(SourceLook { findings: audit::source(&known), is_decided: true })
}

fn case<'a>(
    source: &'a SourceId,
    posted: &'a [domain::ledger::Posted],
    rewards: &'a [Reward],
    standing: Standing,
) -> SourceCase<'a> {
    SourceCase { source, posted, rewards, given: None, standing, decision: None, earned: None }
}

/// The reward that a second level is earned by.
fn first_level(source: &SourceId) -> Result<Vec<RewardId>, StoreError> {
    if source.kind != SourceKind::Reward {
        return Ok(Vec::new());
    }
    RewardId::parse(source.reference.as_str()).map(|id| vec![id]).map_err(StoreError::corrupt)
}

/// Whether what is posted of a source must be what is decided of it now.
async fn standing_of(
    store: &Store,
    organization: &OrganizationId,
    explained: &Explanation,
    is_due: bool,
) -> Result<Standing, StoreError> {
    let row = &explained.row;
    let unknown = matches!(explained.reason, Reason::PayerUnknown | Reason::AwaitingSignup);
    // Whether an e-mail address tells who paid is the program's to say, and it may say otherwise by now.
    let by_email = unknown && row.payer.external_id.is_none() && row.payer.email.is_some();
    let expired = row.parked.is_some_and(|parked| parked.expired);
    if let Some(waiting_for) = &row.waiting_for {
        let is_listed = is_listed(store, organization, row, waiting_for).await?;
        return Ok(Standing::Waiting { is_listed });
    }
    Ok(if is_due || expired || by_email { Standing::Exempt } else { Standing::Settled })
}

/// Whether a source is among those that are decided again once what it waits for is there.
async fn is_listed(
    store: &Store,
    organization: &OrganizationId,
    row: &SourceRow,
    waiting_for: &Waiting,
) -> Result<bool, StoreError> {
    Ok(match waiting_for {
        Waiting::Referee(referee) => {
            store.get_referee(organization, referee).await?.waiting.contains(&row.source)
        }
        Waiting::Customer(customer) => {
            store.list_waiting_for_customer(organization, customer).await?.contains(&row.source)
        }
        Waiting::Rate(key) => {
            let rates = store.find_rates(organization, key.day, key.to).await?;
            rates.is_some_and(|rates| rates.releasing.contains(&key.from))
        }
    })
}
