//! Referrals.

use aws::http::{
    Caller, Limit, Params, PathId, Problem, ProblemBody, ReferralView, open_cursor, seal_cursor,
};
use aws::store::Page;
use axum::extract::State;
use chrono::NaiveDate;
use domain::id::{ExternalId, ParticipantId};
use domain::referral::Binding;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::reports::days;

/// A page of referrals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReferralList {
    /// Newest first.
    data: Vec<ReferralView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// Which referrals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this referrer's (prt_...), removed ones and those it shares with others among them.
    referrer: Option<String>,
    /// Only this referee's: your own id. The latest, then those that were removed before; at most 20.
    referee: Option<String>,
    /// First day (UTC) that they were recorded on; six days before `to` unless told.
    from: Option<NaiveDate>,
    /// Last day; today unless told. At most 31 days.
    to: Option<NaiveDate>,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List referrals
///
/// By referrer, by referee, or by the days that they were recorded on.
#[utoipa::path(get, path = "/v1/referrals",
    operation_id = "list_referrals", tag = "reading", params(ListQuery),
    responses((status = 200, body = ReferralList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<axum::Json<ReferralList>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let limit = query.limit.get();
    let (list, page) = if let Some(referee) = &query.referee {
        let referee = ExternalId::theirs(referee, "?referee")?;
        let rows = match store.get_referee(organization, &referee).await?.binding() {
            Binding::Bound { referral, former } => {
                std::iter::once(referral).chain(former.into_iter().rev()).collect()
            }
            Binding::Organic { .. } | Binding::Unknown => Vec::new(),
        };
        (String::new(), Page { rows, next: None })
    } else if let Some(referrer) = &query.referrer {
        let referrer = ParticipantId::theirs(referrer, "?referrer")?;
        let list = format!("referrals of {referrer}");
        let cursor = open_cursor(&list, query.cursor.as_deref())?;
        let page = store.list_referrals_of(organization, &referrer, cursor.as_deref(), limit).await?;
        (list, page)
    } else {
        let range = days(query.from, query.to, deps.edge.now())?;
        let list = format!("referrals {range:?}");
        let cursor = open_cursor(&list, query.cursor.as_deref())?;
        (list, store.list_referrals(organization, range, cursor.as_deref(), limit).await?)
    };
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(ReferralList {
        data: page.rows.into_iter().map(ReferralView::from).collect(),
        next_cursor,
    }))
}
