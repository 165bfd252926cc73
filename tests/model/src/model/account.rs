//! What stands of one reward, and how far its delivery has come.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use domain::terms::{Approval, TermsDraft};

use super::{Place, promise::of_unit};

/// How far a reward has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    None,
    Pending,
    Held,
    Approved,
    Fulfilling,
    Fulfilled,
}

/// What stands of what a place has been given.
#[derive(Debug, Clone, Default)]
pub struct Account {
    target: i64,
    /// Taken back by hand, and not given again.
    taken: i64,
    /// Nothing is given any more.
    closed: bool,
    pub state: State,
    /// What the worker who claimed it delivers.
    claimed: i64,
    /// When it was earned.
    pub at: DateTime<Utc>,
    held_until: Option<DateTime<Utc>>,
    below: bool,
    /// How often it was opened again: what is earned by it is then earned by another.
    pub(super) again: u32,
    opened: bool,
}

impl Account {
    /// What stands.
    pub fn stands(&self) -> i64 {
        if self.closed { 0 } else { (self.target - self.taken).max(0) }
    }

    /// What waits for its delivery, and what was delivered less what was taken back since.
    pub fn figures(&self) -> (i64, i64) {
        match self.state {
            State::Fulfilling => (self.claimed, self.stands() - self.claimed),
            State::Fulfilled => (0, self.stands()),
            State::None | State::Pending | State::Held | State::Approved => (self.stands(), 0),
        }
    }

    pub(super) fn was_opened(&self) -> bool {
        self.opened
    }

    fn is_claimed(&self) -> bool {
        matches!(self.state, State::Fulfilling | State::Fulfilled)
    }

    /// Brings it to what its source gives; whether a reward was opened by it.
    pub(super) fn aim(&mut self, target: i64, at: DateTime<Utc>) -> bool {
        let before = self.stands();
        self.target = target;
        let opens = before == 0 && self.stands() > 0 && !self.is_claimed();
        if opens {
            self.again += u32::from(self.opened);
            self.opened = true;
            self.at = at;
        }
        self.fall();
        opens
    }

    /// A reward that is taken back in full before its delivery is not revived.
    fn fall(&mut self) {
        if self.stands() == 0 && !self.is_claimed() {
            self.state = State::None;
        }
    }

    /// Takes back by hand; whether it could be.
    pub(super) fn take_back(&mut self, amount: Option<i64>, reject: bool) -> bool {
        let stands = self.stands();
        let possible = self.state != State::Fulfilling && !(reject && self.state == State::Fulfilled);
        if !possible || stands == 0 {
            return false;
        }
        let amount = amount.unwrap_or(stands).min(stands);
        self.closed = reject || amount == stands;
        self.taken += amount;
        self.fall();
        true
    }

    pub(super) fn claim(&mut self, now: DateTime<Utc>) {
        let held_no_more = !self.below && self.held_until.is_some_and(|until| until <= now);
        if self.state == State::Approved || (self.state == State::Held && held_no_more) {
            self.claimed = self.stands();
            self.state = State::Fulfilling;
        }
    }

    pub(super) fn complete(&mut self) {
        if self.state == State::Fulfilling {
            self.state = State::Fulfilled;
        }
    }

    pub(super) fn approve(&mut self, now: DateTime<Utc>) {
        if self.state == State::Pending {
            self.state = self.agreed(now);
        }
    }

    fn agreed(&self, now: DateTime<Utc>) -> State {
        let held = self.below || self.held_until.is_some_and(|until| until > now);
        if held { State::Held } else { State::Approved }
    }
}

/// Step 11: what has to wait (`opened` with what it gives of the whole event, so that no order of refunds matters), and what has waited for enough to be earned and need not any more.
pub(super) fn hold(
    accounts: &mut BTreeMap<Place, Account>,
    draft: &TermsDraft,
    changed: &[Place],
    opened: &[(Place, i64)],
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    let too_little = |accounts: &BTreeMap<Place, Account>, place: &Place| {
        let of = accounts.iter().filter(|(known, _)| known.who == place.who && known.unit == place.unit);
        let sum: i64 = of.map(|(_, account)| account.stands()).sum();
        of_unit(&draft.min_earnings, &place.unit).is_some_and(|least| sum < least)
    };
    for (place, whole) in opened {
        let below = too_little(accounts, place);
        let rule = draft.rules.iter().find(|rule| rule.id.as_str() == place.rule).unwrap();
        let account = accounts.get_mut(place).unwrap();
        account.below = below;
        account.held_until = (rule.hold_days > 0).then(|| at + Duration::days(i64::from(rule.hold_days)));
        let asks = match &rule.approval {
            Approval::Automatic => false,
            Approval::Manual => true,
            Approval::ManualAbove(most) => most.unit.code() != place.unit || *whole > most.amount,
        };
        account.state = if asks { State::Pending } else { account.agreed(now) };
    }
    for place in changed {
        if too_little(accounts, place) {
            continue;
        }
        let waits = |(known, account): &(&Place, &mut Account)| {
            known.who == place.who && known.unit == place.unit && account.below
        };
        for (_, account) in accounts.iter_mut().filter(waits) {
            account.below = false;
            if account.state == State::Held {
                account.state = account.agreed(now);
            }
        }
    }
}
