//! What the black-box suite stands on: a stage of its own for each test, and the API as a caller uses it.

pub mod openapi;
mod partners;
mod tenant;
mod world;

pub use partners::Partners;
pub use tenant::{Answer, Participant, STRIPE_SECRET, Tenant, percent_rule};
pub use world::World;
