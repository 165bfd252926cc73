//! The ledger: rewards, the entries that correct them, and balances as a fold of both.
//!
//! A reward is the opening entry of its own small account. Later entries (refunds, restorations) are lines of their
//! own that name it; no line's `delta` ever changes. What becomes available to the participant, and when:
//!
//! | line | adds to what is delivered |
//! |---|---|
//! | reward | `payable`, at the moment of fulfilment, once |
//! | entry against a reward that is not yet being delivered | nothing; it lowers or raises `payable` |
//! | entry against a reward that is being or was delivered | its `delta`, at once (a clawback when negative) |
//! | redemption | less `amount`: it is spent, or given back |
//!
//! What is delivered is counted where it went: in the balance that can be spent, as cash that partner invoices pay out, or
//! elsewhere. So `available + cash + elsewhere + spent + pending = earned - reversed` always, and every settled line's
//! contribution is final: a snapshot of a settled prefix of the ledger stays true for ever.

mod balance;
mod delivery;
mod posting;
mod reward;

pub use balance::{Balances, Figures, Line, Redemption, add_line, left_of};
pub use delivery::{Account, CONFIRM_DAYS, Failure, Handed, News, Outside, Sending, Untold, Way};
pub use posting::{Context, Delta, Entry, HANDS_MAX, Posted, Posting, note, open, post, take_back};
pub use reward::{Cause, MOVES_MAX, Move, Note, Promise, Reward, RewardState};

#[cfg(test)]
pub(crate) mod sample;

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
