//! The black-box suite: the whole product on the local stage, through its API alone.

mod adapters;
mod bad_input;
mod billing;
mod budget;
mod courses;
mod fulfillment;
mod idempotency;
mod interleavings;
mod manage;
mod order;
mod parked;
mod payers;
mod payments;
mod process;
mod processor;
mod queues;
mod races;
pub(crate) mod rules;
mod schedules;
mod selfcheck;
mod story;
mod stripe;
mod surface;
mod template;
mod tenants;
mod tracking;
mod webhooks;
