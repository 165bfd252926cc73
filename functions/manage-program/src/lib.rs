//! What the people of an organization set up, look at and do by hand: keys, programs with their terms, participants'
//! own terms, webhook endpoints, event destinations, connections to processors, referrals, rewards, ledgers, balances, partner invoices,
//! payout batches, decisions, reports and self-checks.

mod api_keys;
mod billing_runs;
mod bulk;
mod by_hand;
mod campaigns;
mod checks;
mod decisions;
mod deliveries;
mod destinations;
mod endpoints;
mod enrollments;
mod exchange_rates;
mod ledger;
mod notifications;
mod organizations;
mod page;
mod parked;
mod participants;
mod partner_invoices;
mod payout_batches;
mod processor_connections;
mod programs;
mod redemptions;
mod referral_report;
mod referrals;
mod replay;
mod reports;
mod rewards;
mod simulation;
mod tasks;
mod terms;
mod tokens;

use aws::http::{Edge, IdempotencyKey, Problem, finish};
use aws::outbound::Reach;
use aws::queue::Queue;
use aws::seal::{Sealer, Secret};
use aws::settle::Settler;
use aws::store::Store;
use aws::{ConfigError, Platform};
use axum::Router;
use axum::extract::FromRef;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{delete, get, patch, post, put};
use serde::{Deserialize, Deserializer};
use utoipa::OpenApi;

/// The API's description; a test holds that it is what the types say.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
    settler: Settler,
    report_queue: Queue,
    /// What addresses event destinations may have.
    reach: Reach,
    root_key: Secret,
    sealer: Sealer,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`, `REPORT_QUEUE_URL`,
    /// `EVENTS_QUEUE_URL`, `ROOT_KEY_SECRET_ARN`, `SEALING_KEY_SECRET_ARN`, and `WEBHOOKS_TO_LOOPBACK` where a stage for
    /// development has it.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let root_key = Secret::new(platform, lookup, "ROOT_KEY_SECRET_ARN")?;
        let sealer = Sealer::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let report_queue = Queue::new(platform, lookup, "REPORT_QUEUE_URL")?;
        let edge = Edge { store, clock: platform.clock.clone(), entropy: platform.entropy.clone() };
        Ok(Self { edge, settler, report_queue, reach: Reach::of(lookup), root_key, sealer })
    }

    /// The bytes that a new thing's id and secret are made from: random, or the same for the same `Idempotency-Key`,
    /// so that a repeated request finds what the first one made, wherever that one stopped.
    async fn seed(&self, purpose: &str, owner: &str, key: &IdempotencyKey) -> Result<[u8; 32], Problem> {
        match &key.0 {
            Some(key) => Ok(self.sealer.derive(purpose, &[owner, key]).await?),
            None => self.edge.entropy.draw().map_err(|error| Problem::internal(&error)),
        }
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let routes = Router::new()
        .route("/v1/organizations", post(organizations::create))
        .route("/v1/api-keys", post(api_keys::create).get(api_keys::list))
        .route("/v1/api-keys/{id}", delete(api_keys::revoke))
        .route("/v1/programs", post(programs::create).get(programs::list))
        .route("/v1/programs/{program}", get(programs::read).patch(programs::change))
        .route("/v1/programs/{program}/groups", get(terms::list_groups))
        .route("/v1/programs/{program}/groups/{group}", put(terms::change_group))
        .route("/v1/programs/{program}/terms/{version}", get(terms::read))
        .route("/v1/programs/{program}/simulate", post(simulation::simulate))
        .route("/v1/programs/{program}/participants", get(participants::list))
        .route("/v1/participants/{id}", patch(participants::change))
        .route("/v1/participants/{id}/notifications", get(notifications::list))
        .route("/v1/participants/{id}/campaigns", get(campaigns::journeys))
        .route("/v1/campaigns", post(campaigns::create).get(campaigns::list))
        .route("/v1/campaigns/{id}", get(campaigns::read).patch(campaigns::change))
        .route("/v1/tasks", get(tasks::list))
        .route("/v1/tasks/{id}", get(tasks::read))
        .route("/v1/tasks/{id}/done", post(tasks::finish))
        .route("/v1/tasks/{id}/dismiss", post(tasks::dismiss))
        .route("/v1/unsubscribe/{token}", get(notifications::ask).post(notifications::unsubscribe))
        .route("/v1/webhook-endpoints", post(endpoints::create).get(endpoints::list))
        .route("/v1/webhook-endpoints/{endpoint}", patch(endpoints::change).delete(endpoints::remove))
        .route("/v1/event-destinations", post(destinations::create).get(destinations::list))
        .route(
            "/v1/event-destinations/{id}",
            get(destinations::read).patch(destinations::change).delete(destinations::remove),
        )
        .route("/v1/event-destinations/{id}/rotate-secret", post(destinations::rotate))
        .route("/v1/event-destinations/{id}/deliveries", get(deliveries::list))
        .route("/v1/event-destinations/{id}/deliveries/{delivery}", get(deliveries::read))
        .route("/v1/event-destinations/{id}/deliveries/{delivery}/replay", post(deliveries::replay))
        .route(
            "/v1/processor-connections/{processor}",
            put(processor_connections::connect)
                .get(processor_connections::read)
                .delete(processor_connections::disconnect),
        )
        .route("/v1/exchange-rates/{day}", put(exchange_rates::give).get(exchange_rates::read))
        .route("/v1/referrals", get(referrals::list))
        .route("/v1/rewards", get(rewards::list))
        // To read it is to read a reward of that id, and there is none.
        .route("/v1/rewards/bulk", post(bulk::bulk).get(async || Problem::not_found("reward")))
        .route("/v1/rewards/{id}", get(rewards::read))
        .route("/v1/rewards/{id}/approve", post(by_hand::approve))
        .route("/v1/rewards/{id}/reject", post(by_hand::reject))
        .route("/v1/rewards/{id}/reverse", post(by_hand::reverse))
        .route("/v1/rewards/{id}/fulfill", post(by_hand::fulfill))
        .route("/v1/rewards/{id}/retry", post(by_hand::retry))
        .route("/v1/participants/{id}/redemptions", post(redemptions::create).get(redemptions::list))
        .route("/v1/participants/{id}/redemptions/{reference}", get(redemptions::read))
        .route("/v1/participants/{id}/redemptions/{reference}/return", post(redemptions::give_back))
        .route("/v1/participants/{id}/rewards", post(by_hand::grant))
        .route("/v1/participants/{id}/enrollments", get(enrollments::list))
        .route("/v1/participants/{id}/ledger", get(ledger::list))
        .route("/v1/participants/{id}/balances", get(ledger::balances))
        .route("/v1/participants/{id}/partner-invoices", get(partner_invoices::list))
        .route("/v1/participants/{id}/tokens", post(tokens::create))
        .route("/v1/billing-runs", post(billing_runs::create).get(billing_runs::list))
        .route("/v1/billing-runs/{run}", get(billing_runs::read))
        .route("/v1/billing-runs/{run}/invoices", get(billing_runs::invoices))
        .route("/v1/checks", post(checks::create))
        .route("/v1/checks/{check}", get(checks::read))
        .route("/v1/partner-invoices/{id}", get(partner_invoices::read))
        .route("/v1/partner-invoices/{id}/lines", get(partner_invoices::lines))
        .route("/v1/partner-invoices/{id}/finalize", post(partner_invoices::finalize))
        .route("/v1/partner-invoices/{id}/pay", post(partner_invoices::pay))
        .route("/v1/partner-invoices/{id}/void", post(partner_invoices::void))
        .route("/v1/payout-batches", post(payout_batches::create).get(payout_batches::list))
        .route("/v1/payout-batches/{batch}", get(payout_batches::read))
        .route("/v1/payout-batches/{batch}/cancel", post(payout_batches::cancel))
        .route("/v1/payout-batches/{batch}/export", get(payout_batches::export::export))
        .route("/v1/payout-batches/{batch}/lines", get(payout_batches::lines::list))
        .route("/v1/payout-batches/{batch}/lines/bulk", post(payout_batches::lines::bulk))
        .route("/v1/payout-batches/{batch}/lines/{participant}/paid", post(payout_batches::lines::paid))
        .route("/v1/payout-batches/{batch}/lines/{participant}/failed", post(payout_batches::lines::failed))
        .route("/v1/decisions/{*source}", get(decisions::read))
        .route("/v1/events/{source}/replay", post(replay::replay))
        .route("/v1/parked-events", get(parked::list))
        .route("/v1/reports/daily", get(reports::daily))
        .route("/v1/reports/referrals", get(referral_report::referrals))
        .route(
            "/openapi.json",
            get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()),
        );
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        organizations::create,
        api_keys::create,
        api_keys::list,
        api_keys::revoke,
        programs::create,
        programs::list,
        programs::read,
        programs::change,
        terms::read,
        terms::list_groups,
        terms::change_group,
        simulation::simulate,
        participants::list,
        participants::change,
        notifications::list,
        notifications::ask,
        notifications::unsubscribe,
        campaigns::create,
        campaigns::list,
        campaigns::read,
        campaigns::change,
        campaigns::journeys,
        tasks::list,
        tasks::read,
        tasks::finish,
        tasks::dismiss,
        endpoints::create,
        endpoints::list,
        endpoints::change,
        endpoints::remove,
        destinations::create,
        destinations::list,
        destinations::read,
        destinations::change,
        destinations::remove,
        destinations::rotate,
        deliveries::list,
        deliveries::read,
        deliveries::replay,
        processor_connections::connect,
        processor_connections::read,
        processor_connections::disconnect,
        exchange_rates::give,
        exchange_rates::read,
        referrals::list,
        rewards::list,
        rewards::read,
        by_hand::grant,
        by_hand::approve,
        by_hand::reject,
        by_hand::reverse,
        by_hand::fulfill,
        by_hand::retry,
        bulk::bulk,
        redemptions::create,
        redemptions::list,
        redemptions::read,
        redemptions::give_back,
        enrollments::list,
        ledger::list,
        ledger::balances,
        decisions::read,
        replay::replay,
        parked::list,
        reports::daily,
        referral_report::referrals,
        tokens::create,
        billing_runs::create,
        billing_runs::list,
        billing_runs::read,
        billing_runs::invoices,
        partner_invoices::list,
        partner_invoices::read,
        partner_invoices::lines,
        partner_invoices::finalize,
        partner_invoices::pay,
        partner_invoices::void,
        payout_batches::create,
        payout_batches::list,
        payout_batches::read,
        payout_batches::cancel,
        payout_batches::export::export,
        payout_batches::lines::list,
        payout_batches::lines::bulk,
        payout_batches::lines::paid,
        payout_batches::lines::failed,
        checks::create,
        checks::read,
        openapi_document,
    ))]
    struct Doc;
    Doc::openapi()
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "meta", security(()),
    responses((status = 200, body = Object, description = "The OpenAPI 3.1 description of this API")))]
#[expect(dead_code, reason = "only describes the route")]
fn openapi_document() {}

/// A name for people: trimmed, 1 to `max` characters, none of them a control character.
fn checked_name(name: &str, max: usize) -> Result<String, Problem> {
    checked_text("/name", name, max)
}

/// A text for people: trimmed, 1 to `max` characters, none of them a control character.
fn checked_text(pointer: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let wrong =
        || Problem::field(pointer, format!("must have 1 to {max} characters and no control characters"));
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// A field that may be null: tells null from a field that was left out.
fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Tells a repeated answer from a first one.
fn replay_header(repeated: bool) -> [(&'static str, &'static str); 1] {
    [("idempotent-replayed", if repeated { "true" } else { "false" })]
}
