//! The rules and the words of the referral engine: plain functions over values. No IO, no async, no clock, no
//! randomness and no AWS; time, ids and entropy are parameters.
#![warn(missing_docs)]

pub mod audit;
pub mod billing;
pub mod campaign;
pub mod chargebee;
pub mod code;
pub mod contact;
pub mod customers;
pub mod decision;
pub mod delivery;
pub mod discount;
pub mod event;
pub mod fact;
pub mod id;
pub mod ledger;
pub mod message;
pub mod money;
pub mod notification;
pub mod paddle;
pub mod payout;
pub mod program;
pub mod rate;
pub mod reason;
pub mod referral;
pub mod referral_report;
pub mod report;
pub mod simulation;
pub mod source;
pub mod stripe;
pub mod tally;
pub mod task;
pub mod template;
pub mod terms;
pub mod touch;
pub mod variant;
pub mod webhook;
