//! The targets by name.

mod bearer;
mod code;
mod csv;
mod cursor;
mod event;
mod id;
mod key;
mod message;
mod money;
mod request;
mod signature;
mod terms;

/// Something that reads what comes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder below `corpus`.
    pub name: &'static str,
    /// Reads the bytes, and panics where something does not hold.
    pub check: fn(&[u8]),
    /// Folders below the workspace's root whose files are inputs, too.
    pub seeds: &'static [&'static str],
    /// How many mutations a test tries.
    pub mutations: u64,
}

const fn target(name: &'static str, check: fn(&[u8]), mutations: u64) -> Target {
    Target { name, check, seeds: &[], mutations }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("bearer", bearer::check, 300),
    target("code", code::check, 5_000),
    target("csv", csv::check, 3_000),
    target("cursor", cursor::check, 5_000),
    Target { seeds: &["infra/events"], ..target("event", event::check, 2_000) },
    target("id", id::check, 5_000),
    target("key", key::check, 5_000),
    target("message", message::check, 3_000),
    target("money", money::check, 5_000),
    target("request", request::check, 400),
    target("signature", signature::check, 3_000),
    target("terms", terms::check, 1_000),
];

/// The lines of a text: the first so many, and all the rest as the last.
fn lines<const N: usize>(bytes: &[u8]) -> Option<[&str; N]> {
    let mut lines = str::from_utf8(bytes).ok()?.splitn(N, '\n');
    let mut parts = [""; N];
    for part in &mut parts {
        *part = lines.next()?;
    }
    Some(parts)
}
