//! Faults on the way between functions and engines: what the embedded engines never do by themselves, and a stop at any
//! step, which is what a killed process looks like from outside.

mod connector;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use connector::conflict;
pub(crate) use connector::http_client;

/// The most calls that are remembered.
const CALLS_MAX: usize = 10_000;

/// One planned fault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation that it befalls, `TransactWriteItems` for example; every one if absent.
    pub call: Option<String>,
    /// How many such calls pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it befalls then.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub effect: Effect,
}

fn once() -> u32 {
    1
}

/// What a fault does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The stage stops for good before the call reaches the engine: nothing a function does goes on, and whoever waits
    /// is told so. Drop the stage and start it again on its state directory.
    HaltBefore,
    /// The same, after the engine has done what was asked.
    HaltAfter,
    /// The engine refuses the call because there are too many.
    Throttle,
    /// Another transaction is at the same items.
    Conflict,
    /// The engine has an internal error; nothing was done.
    Unavailable,
    /// The engine has done it, and the answer is lost on the way.
    LoseAnswer,
}

/// The faults of one stage; all clones are the same.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    halted: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Fault>,
    calls: VecDeque<String>,
}

/// What the functions did since faults were planned the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The operations they called, the earliest first.
    pub calls: Vec<String>,
    /// Whether the stage has been stopped.
    pub halted: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self { plan: Arc::default(), halted: Arc::new(watch::Sender::new(false)) }
    }
}

impl Faults {
    /// Replaces the planned faults and forgets the calls so far.
    pub fn plan(&self, faults: Vec<Fault>) {
        *self.lock() = Plan { faults, calls: VecDeque::new() };
    }

    /// The calls since then.
    pub fn log(&self) -> Log {
        Log { calls: self.lock().calls.iter().cloned().collect(), halted: *self.halted.borrow() }
    }

    /// Waits until the stage is stopped.
    pub(crate) async fn halted(&self) {
        let mut halted = self.halted.subscribe();
        if halted.wait_for(|halted| *halted).await.is_err() {
            // The sender is in `self`, so it is still there.
            std::future::pending::<()>().await;
        }
    }

    /// Stops the stage for good.
    pub(crate) fn halt(&self) {
        self.halted.send_replace(true);
    }

    /// Remembers a call and says what befalls it.
    fn meet(&self, call: &str) -> Option<Effect> {
        if *self.halted.borrow() {
            return Some(Effect::HaltBefore);
        }
        let mut plan = self.lock();
        if plan.calls.len() == CALLS_MAX {
            plan.calls.pop_front();
        }
        plan.calls.push_back(call.to_owned());
        let mut met = None;
        for fault in
            plan.faults.iter_mut().filter(|fault| fault.call.as_deref().is_none_or(|name| name == call))
        {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 && met.is_none() {
                fault.times -= 1;
                met = Some(fault.effect);
            }
        }
        met
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        // The plan is whole between any two statements, so a panic elsewhere does not spoil it.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(call: Option<&str>, skip: u32, times: u32) -> Fault {
        Fault { call: call.map(str::to_owned), skip, times, effect: Effect::Throttle }
    }

    fn met(faults: &Faults, calls: &[&str]) -> Vec<bool> {
        calls.iter().map(|call| faults.meet(call).is_some()).collect()
    }

    #[test]
    fn a_fault_skips_calls_and_then_befalls_so_many() {
        let faults = Faults::default();
        faults.plan(vec![fault(None, 1, 2)]);
        assert_eq!(met(&faults, &["GetItem"; 4]), [false, true, true, false]);
    }

    #[test]
    fn a_fault_of_one_operation_leaves_the_others_alone() {
        let faults = Faults::default();
        faults.plan(vec![fault(Some("PutItem"), 0, 1)]);
        assert_eq!(met(&faults, &["GetItem", "PutItem", "PutItem"]), [false, true, false]);
        assert_eq!(faults.log().calls, ["GetItem", "PutItem", "PutItem"]);
    }

    #[test]
    fn a_halted_stage_does_nothing_any_more() {
        let faults = Faults::default();
        faults.halt();
        assert_eq!(faults.meet("GetItem"), Some(Effect::HaltBefore));
        assert_eq!(faults.log(), Log { calls: Vec::new(), halted: true });
    }
}
