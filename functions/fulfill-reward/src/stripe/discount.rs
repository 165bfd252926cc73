//! A discount at Stripe: a coupon, and a promotion code for it that only the participant can use
//! (<https://docs.stripe.com/api/coupons>, <https://docs.stripe.com/api/promotion_codes>).
//!
//! Both have names of their own: the coupon is called as its reward, and the promotion code hangs on the coupon. So
//! whatever was made before is found by its name, by whoever tries again.
//!
//! A discount cannot be made smaller. When a part of the reward is taken back, nothing changes at Stripe; when all of it
//! is, the promotion code is switched off, unless it was used. What is given again switches it on.

use chrono::{DateTime, TimeDelta, Utc};
use domain::discount::{DiscountCode, Worth};
use domain::id::StripeCustomerId;
use domain::money::{Money, Percentage};
use domain::stripe::minor::in_stripe_units;
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::answer::{Failure, malformed};
use super::{Access, Call, Stripe, customer, is_of, is_old, metadata, too_old};
use crate::way::{Receipt, Step, Undone, Way};

/// Longest time that a coupon can be redeemed for, counted from when the reward was made; Stripe takes five years.
const REDEEMABLE: TimeDelta = TimeDelta::days(5 * 365);
/// Longest code at Stripe that is passed on, in characters; those made here have twelve.
const CODE_MAX: usize = 50;

/// A discount for the participant at Stripe.
#[derive(Debug, Clone)]
pub struct Discount {
    stripe: Stripe,
}

/// A coupon as it is to be, or as it is.
#[derive(Debug, PartialEq, Eq)]
struct Coupon {
    percent_off: Option<Percentage>,
    amount_off: Option<i64>,
    currency: Option<String>,
    redeem_by: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct CouponBody {
    percent_off: Option<Number>,
    amount_off: Option<i64>,
    currency: Option<String>,
    redeem_by: Option<i64>,
    duration: String,
    max_redemptions: Option<u32>,
}

/// A promotion code, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct PromotionCode {
    id: String,
    code: String,
    active: bool,
    times_redeemed: u32,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<PromotionCode>,
}

impl Way for Discount {
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone> {
        if step.number == 0 {
            let (customer, coupon) = (customer(step)?, Coupon::of(step)?);
            let access = self.stripe.access(step.organization).await?;
            self.make_coupon(&access, step, &coupon).await?;
            return self.make_code(&access, step, customer, &coupon).await;
        }
        let access = self.stripe.access(step.organization).await?;
        let known = self.look(&access, step).await?;
        let known = known
            .ok_or_else(|| Undone::never("discount_gone", "the promotion code is not there any more"))?;
        self.switch(&access, step, known).await
    }
}

impl Coupon {
    fn of(step: &Step<'_>) -> Result<Self, Undone> {
        let reward = step.reward;
        let worth = Worth::of(reward, step.amount);
        let worth = worth.ok_or_else(|| {
            Undone::never("unit_not_deliverable", "a discount is of a percentage or of money")
        })?;
        let redeem_by = reward.promise.expires_at.map(|at| at.min(reward.recorded_at + REDEEMABLE));
        if redeem_by.is_some_and(|at| at <= step.now) {
            return Err(Undone::never("discount_expired", "the reward's time is over"));
        }
        let redeem_by = redeem_by.as_ref().map(DateTime::<Utc>::timestamp);
        let bare = Self { percent_off: None, amount_off: None, currency: None, redeem_by };
        match worth {
            Worth::PercentOff(percent) if percent.is_above_whole() => {
                Err(Undone::never("amount_not_deliverable", "Stripe takes off 100 percent at most"))
            }
            Worth::PercentOff(percent) => Ok(Self { percent_off: Some(percent), ..bare }),
            Worth::AmountOff(Money { amount, unit }) => {
                let units = unit.currency().and_then(|currency| in_stripe_units(amount, currency));
                let units = units.ok_or_else(|| {
                    Undone::never("amount_not_deliverable", format!("Stripe has no such amount of {unit}"))
                })?;
                Ok(Self { amount_off: Some(units), currency: Some(unit.code().to_ascii_lowercase()), ..bare })
            }
        }
    }

    /// The coupon that a body of Stripe's tells; `None` for one that is used in another way than those made here.
    fn read(body: Value) -> Option<Self> {
        let body: CouponBody = serde_json::from_value(body).ok()?;
        let percent_off = body.percent_off.map(|number| Percentage::parse(&number.to_string()));
        let once = body.duration == "once" && body.max_redemptions == Some(1);
        once.then_some(Self {
            percent_off: percent_off.transpose().ok()?,
            amount_off: body.amount_off,
            currency: body.currency,
            redeem_by: body.redeem_by,
        })
    }

    fn form(&self, step: &Step<'_>) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("id", step.reward.reward.to_string()),
            ("name", "Referral reward".to_owned()),
            ("duration", "once".to_owned()),
            ("max_redemptions", "1".to_owned()),
        ];
        form.extend(self.percent_off.map(|percent| ("percent_off", percent.to_string())));
        form.extend(self.amount_off.map(|amount| ("amount_off", amount.to_string())));
        form.extend(self.currency.clone().map(|currency| ("currency", currency)));
        form.extend(self.redeem_by.map(|at| ("redeem_by", at.to_string())));
        form.extend(metadata(step));
        form
    }
}

impl Discount {
    pub(crate) const fn new(stripe: Stripe) -> Self {
        Self { stripe }
    }

    /// The reward's code: a secret, and the same for every try.
    async fn code(&self, step: &Step<'_>) -> Result<DiscountCode, Undone> {
        let parts = [step.organization.as_str(), step.reward.reward.as_str()];
        let entropy = self.stripe.sealer.derive("promotion code", &parts).await;
        Ok(DiscountCode::generate(&entropy.map_err(|error| Undone::later(error.to_string()))?, 0))
    }

    async fn make_coupon(&self, access: &Access, step: &Step<'_>, coupon: &Coupon) -> Result<(), Undone> {
        let call = Call::post("/v1/coupons".to_owned(), coupon.form(step));
        match self.stripe.call(access, call).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(refused)) if refused.code.as_deref() == Some("resource_already_exists") => {
                let path = format!("/v1/coupons/{}", step.reward.reward);
                let known = Coupon::read(self.stripe.call(access, Call::get(path, Vec::new())).await?);
                if known.as_ref() == Some(coupon) {
                    return Ok(());
                }
                Err(Undone::never("step_differs", "a coupon of the reward's name gives something else"))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn make_code(
        &self,
        access: &Access,
        step: &Step<'_>,
        customer: &StripeCustomerId,
        coupon: &Coupon,
    ) -> Result<Receipt, Undone> {
        if step.key > 0 || is_old(step) {
            if let Some(known) = self.look(access, step).await? {
                return Ok(receipt(known));
            }
            if is_old(step) {
                return Err(too_old());
            }
        }
        let mut form = vec![
            ("coupon", step.reward.reward.to_string()),
            // Signs and digits alone: Stripe takes no dashes.
            ("code", self.code(step).await?.as_str().to_owned()),
            ("customer", customer.to_string()),
            ("max_redemptions", "1".to_owned()),
        ];
        form.extend(coupon.redeem_by.map(|at| ("expires_at", at.to_string())));
        form.extend(metadata(step));
        let call = Call::post("/v1/promotion_codes".to_owned(), form).keyed(step);
        match self.stripe.call(access, call).await {
            Ok(body) => {
                let made = serde_json::from_value(body);
                made.map(receipt).map_err(|_| malformed("promotion code"))
            }
            Err(Failure::Undone(undone)) => Err(undone),
            // It may be refused because it is there.
            Err(Failure::Refused(refused)) => match self.look(access, step).await? {
                Some(known) => Ok(receipt(known)),
                None if refused.param.as_deref() == Some("customer") => {
                    Err(refused.never("no_such_customer"))
                }
                None => Err(refused.never("processor_refused")),
            },
        }
    }

    /// The promotion code that was made for the reward: it hangs on the coupon of its name.
    async fn look(&self, access: &Access, step: &Step<'_>) -> Result<Option<PromotionCode>, Undone> {
        let form = vec![("coupon", step.reward.reward.to_string()), ("limit", "100".to_owned())];
        let call = Call::get("/v1/promotion_codes".to_owned(), form);
        let page = serde_json::from_value::<Page>(self.stripe.call(access, call).await?);
        let page = page.map_err(|_| malformed("list of promotion codes"))?;
        Ok(page.data.into_iter().find(|known| is_of(known.metadata.as_ref(), step)))
    }

    /// Lets the code be used, or no more, as what stands of the reward asks for.
    async fn switch(
        &self,
        access: &Access,
        step: &Step<'_>,
        known: PromotionCode,
    ) -> Result<Receipt, Undone> {
        let active = step.reward.net > 0;
        if known.times_redeemed > 0 || known.active == active {
            return Ok(receipt(known));
        }
        let path = format!("/v1/promotion_codes/{}", known.id);
        self.stripe.call(access, Call::post(path, vec![("active", active.to_string())])).await?;
        Ok(receipt(known))
    }
}

/// The code, and that it was used where it was.
fn receipt(known: PromotionCode) -> Receipt {
    let code: String = known.code.chars().take(CODE_MAX).collect();
    Receipt { reference: if known.times_redeemed > 0 { format!("{code} redeemed") } else { code } }
}
