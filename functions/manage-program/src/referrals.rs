//! Referrals.

use aws::http::{Caller, Limit, Params, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::store::Page;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{Channel, ExternalId, ParticipantId, ProgramId};
use domain::referral::{Binding, Referral};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::reports::days;

/// A referral.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReferralRow {
    /// Your own id of the referee.
    referee: ExternalId,
    /// The participant who referred.
    referrer: ParticipantId,
    /// The program.
    program: ProgramId,
    /// The code that was entered.
    #[schema(example = "BLU-2345")]
    used_code: String,
    /// The form or app.
    channel: Channel,
    /// When the referee signed up.
    signed_up_at: DateTime<Utc>,
    /// When the engine was told.
    recorded_at: DateTime<Utc>,
}

/// A page of referrals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReferralList {
    /// Newest first.
    data: Vec<ReferralRow>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// Which referrals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this referrer's (prt_...).
    referrer: Option<String>,
    /// Only this referee's: your own id; answers at most one.
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

impl From<Referral> for ReferralRow {
    fn from(referral: Referral) -> Self {
        Self {
            referee: referral.referee,
            referrer: referral.referrer,
            program: referral.program,
            used_code: referral.used_code.to_string(),
            channel: referral.channel,
            signed_up_at: referral.signed_up_at,
            recorded_at: referral.recorded_at,
        }
    }
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
            Binding::Bound(referral) => vec![referral],
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
    Ok(axum::Json(ReferralList { data: page.rows.into_iter().map(ReferralRow::from).collect(), next_cursor }))
}
