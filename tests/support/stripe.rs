//! A Stripe to deliver to: as much of its documented API as the engine uses, in this process.
//!
//! [`Account`] is the API: a plain function from a request to what becomes of it, with what the account holds. Around it
//! stand a [`Server`] on a port of its own, and a [`Connector`] without a socket, for time that is paused.
//!
//! It behaves as documented: who may ask, idempotency keys (<https://docs.stripe.com/api/idempotent_requests>), errors
//! (<https://docs.stripe.com/api/errors>), pagination, customers' balances, coupons and promotion codes. And it can be told
//! what goes wrong with the next calls ([`Trouble`]).

mod account;
mod connector;
mod keys;
mod objects;
mod server;
mod wire;

pub(crate) use account::Holdings;
pub use account::{Account, Outcome, Trouble};
pub use connector::Connector;
pub(crate) use connector::read;
pub use server::Server;
pub use wire::{Request, Response};
