//! Which crate stands for which function of the template.

use crate::handler::{EventHandler, Registry};

/// A function crate that has `Deps` and `router`.
macro_rules! http {
    ($function:ident) => {
        |platform, lookup| Ok($function::router($function::Deps::new(platform, lookup)?))
    };
}

/// A function crate that has `Deps` and `handle`.
macro_rules! event {
    ($function:ident) => {
        |platform, lookup| {
            let deps = $function::Deps::new(platform, lookup)?;
            Ok(EventHandler::new(move |event| {
                let deps = deps.clone();
                async move { Ok($function::handle(&deps, event).await?) }
            }))
        }
    };
}

/// Every function of the product, by the logical id that the template gives it.
pub fn functions() -> Registry {
    Registry::default()
        .http("IssueCodeFunction", http!(issue_code))
        .http("AttributeSignupFunction", http!(attribute_signup))
        .http("ProcessInvoiceFunction", http!(process_invoice))
        .http("ManageProgramFunction", http!(manage_program))
        .event("FulfillRewardFunction", event!(fulfill_reward))
        .event("DeliverWebhookFunction", event!(deliver_webhook))
        .event("SendNotificationFunction", event!(send_notification))
        .event("SweepDueFunction", event!(sweep_due))
        .event("AggregateReportsFunction", event!(aggregate_reports))
}
