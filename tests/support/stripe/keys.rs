//! Idempotency keys: the answer to the first request is kept and told again, until the key is forgotten.

use std::collections::BTreeMap;

use super::wire::{Request, Response};

/// What is known of the keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    kept: BTreeMap<String, Kept>,
    under_way: BTreeMap<String, UnderWay>,
}

#[derive(Debug, Clone)]
struct Kept {
    /// The request that the answer is for.
    request: Asked,
    response: Response,
}

/// A request that has not come to its end.
#[derive(Debug, Clone)]
struct UnderWay {
    request: Request,
    /// How many more requests find it at work.
    asked: u32,
}

type Asked = (String, BTreeMap<String, String>);

/// What a key says to a request.
#[derive(Debug)]
pub(super) enum Said {
    /// It is the first.
    Nothing,
    /// The answer, without anything being done.
    Answer(Response),
    /// The first request ends now, and this is it; afterwards the key is to be asked again.
    Finish(Request),
}

fn asked(request: &Request) -> Asked {
    (format!("{} {}", request.method, request.path), request.form.clone())
}

impl Keys {
    /// What the request's key says to it.
    pub(super) fn ask(&mut self, request: &Request) -> Said {
        let key = request.header("idempotency-key");
        if let Some(first) = self.under_way.get_mut(key) {
            if first.asked > 0 {
                first.asked -= 1;
                let code = Some("idempotency_key_in_use");
                return Said::Answer(Response::error(409, "idempotency_error", code, None));
            }
            let first = self.under_way.remove(key).unwrap();
            return Said::Finish(first.request);
        }
        match self.kept.get(key) {
            None => Said::Nothing,
            Some(kept) if kept.request == asked(request) => {
                Said::Answer(kept.response.clone().with("idempotent-replayed", "true"))
            }
            Some(_) => Said::Answer(Response::error(400, "idempotency_error", None, None)),
        }
    }

    /// Keeps the answer to a request that has a key. Requests that are wrong in themselves are not kept, nor are those that
    /// were turned away.
    pub(super) fn keep(&mut self, request: &Request, response: &Response) {
        let key = request.header("idempotency-key");
        if !key.is_empty()
            && request.method == "POST"
            && ![400, 401, 403, 409, 429].contains(&response.status)
        {
            let kept = Kept { request: asked(request), response: response.clone() };
            self.kept.insert(key.to_owned(), kept);
        }
    }

    /// Leaves a request under way, for so many further ones; `false` when it has no key, and so cannot be met again.
    pub(super) fn leave(&mut self, request: &Request, asked: u32) -> bool {
        let key = request.header("idempotency-key");
        if !key.is_empty() {
            self.under_way.insert(key.to_owned(), UnderWay { request: request.clone(), asked });
        }
        !key.is_empty()
    }

    /// All that are under way: they come to their end.
    pub(super) fn all_under_way(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.under_way).into_values().map(|first| first.request).collect()
    }

    /// Forgets every answer.
    pub(super) fn prune(&mut self) {
        self.kept.clear();
    }
}
