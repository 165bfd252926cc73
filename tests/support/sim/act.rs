//! What callers and queues do.

use serde_json::Value;

use super::check;
use super::world::World;

/// One thing that is done.
#[derive(Debug, Clone)]
pub enum Act {
    /// A request with an API key, repeated until it is acknowledged.
    Http {
        /// `POST`, for example.
        method: &'static str,
        /// The path.
        path: String,
        /// The API key.
        key: String,
        /// The body.
        body: Value,
        /// The `Idempotency-Key`, where there is one.
        idempotency_key: Option<&'static str>,
        /// Other answers than 2xx that are the end of it, by their problem code.
        refusals: &'static [&'static str],
    },
    /// An event, given to a function.
    Event {
        /// The function's logical id.
        function: &'static str,
        /// The event.
        event: Value,
    },
    /// What is in the queues is delivered.
    Delivery,
    /// So many seconds pass, and whatever is due by then is done.
    Wait(i64),
}

impl Act {
    /// The same, for which these refusals are the end of it too, by their problem code.
    #[must_use]
    pub fn or_refused(mut self, codes: &'static [&'static str]) -> Self {
        if let Self::Http { refusals, .. } = &mut self {
            *refusals = codes;
        }
        self
    }

    /// The same, under an `Idempotency-Key`.
    #[must_use]
    pub fn under(mut self, name: &'static str) -> Self {
        if let Self::Http { idempotency_key, .. } = &mut self {
            *idempotency_key = Some(name);
        }
        self
    }

    /// Does it once.
    ///
    /// # Errors
    /// What it was answered, if that was no acknowledgement.
    pub(super) async fn attempt(&self, world: &World, who: &str) -> Result<(), String> {
        match self {
            Self::Delivery => {
                world.deliver().await;
                Ok(())
            }
            Self::Wait(seconds) => {
                world.advance(*seconds);
                for _ in 0..check::ROUNDS {
                    if !world.has_work() {
                        break;
                    }
                    check::sweep(world).await;
                    world.deliver().await;
                }
                Ok(())
            }
            Self::Event { function, event } => match world.invoke(who, function, event.clone()).await {
                Some(Some(_)) => Ok(()),
                Some(None) => Err(format!("{function} has failed")),
                None => Err(format!("the process of {function} has ended")),
            },
            Self::Http { method, path, key, body, idempotency_key, refusals } => {
                let bearer = format!("Bearer {key}");
                let mut headers = vec![("authorization", bearer.as_str())];
                headers.extend(idempotency_key.map(|key| ("idempotency-key", key)));
                let reply = world.http(who, method, path, &headers, body.to_string()).await;
                world.note(|| format!("      {who}: {reply:?}"));
                let is_done = reply.as_ref().is_some_and(|reply| {
                    let code = reply.body["code"].as_str().unwrap_or_default();
                    (200..300).contains(&reply.status) || refusals.contains(&code)
                });
                if is_done { Ok(()) } else { Err(format!("{reply:?}")) }
            }
        }
    }
}
