//! A stage with a small template and functions made for the purpose.

mod fixture;

mod delivery;
mod fault;
mod http;
mod product;
mod restart;
mod schedule;
mod store;
