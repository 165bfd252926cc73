//! What an account holds: customers with their balances, coupons, promotion codes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::wire::{Request, Response};

/// Seconds of five years: the longest time that a coupon can be redeemed for.
const FIVE_YEARS: i64 = 5 * 366 * 86_400;

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    customers: BTreeMap<String, Customer>,
    /// Oldest first.
    transactions: Vec<Value>,
    coupons: BTreeMap<String, Value>,
    /// Oldest first.
    promotion_codes: Vec<Value>,
}

#[derive(Debug, Clone, Default)]
struct Customer {
    currency: Option<String>,
    balance: i64,
    deleted: bool,
}

type Answered = Result<Value, Response>;

impl Objects {
    pub(super) fn add_customer(&mut self, id: &str, currency: Option<&str>) {
        let customer = Customer { currency: currency.map(str::to_owned), ..Customer::default() };
        self.customers.insert(id.to_owned(), customer);
    }

    pub(super) fn delete_customer(&mut self, id: &str) {
        self.customers.get_mut(id).unwrap().deleted = true;
    }

    pub(super) fn balance(&self, id: &str) -> i64 {
        self.customers[id].balance
    }

    pub(super) fn transactions(&self, reward: &str, step: u32) -> Vec<(String, i64)> {
        let step = step.to_string();
        let of_step = |transaction: &&Value| {
            let metadata = &transaction["metadata"];
            metadata["reward_id"] == reward && metadata["step"] == step
        };
        let told = |transaction: &Value| {
            (transaction["id"].as_str().unwrap().to_owned(), transaction["amount"].as_i64().unwrap())
        };
        self.transactions.iter().filter(of_step).map(told).collect()
    }

    pub(super) fn steps(&self, reward: &str) -> Vec<(String, i64)> {
        let of_reward = |transaction: &&Value| transaction["metadata"]["reward_id"] == reward;
        let told = |transaction: &Value| {
            let step = transaction["metadata"]["step"].as_str().unwrap().to_owned();
            (step, transaction["amount"].as_i64().unwrap())
        };
        self.transactions.iter().filter(of_reward).map(told).collect()
    }

    pub(super) fn promotion_codes(&self, reward: &str) -> Vec<Value> {
        let of_reward = |code: &&Value| code["metadata"]["reward_id"] == reward;
        self.promotion_codes.iter().filter(of_reward).cloned().collect()
    }

    pub(super) fn coupon(&self, id: &str) -> Option<Value> {
        self.coupons.get(id).cloned()
    }

    pub(super) fn redeem(&mut self, code: &str) {
        let known = self.promotion_codes.iter_mut().find(|known| known["code"] == code).unwrap();
        assert_eq!(known["active"], true, "{code} cannot be used");
        known["times_redeemed"] = json!(1);
        known["active"] = json!(false);
    }

    /// Does what is asked.
    pub(super) fn act(&mut self, request: &Request, created: i64) -> Response {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let answered = match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["v1", "customers", id]) => self.customer(id),
            ("POST", ["v1", "customers", id, "balance_transactions"]) => self.credit(id, request, created),
            ("GET", ["v1", "customers", id, "balance_transactions"]) => self.list_transactions(id, request),
            ("POST", ["v1", "coupons"]) => self.make_coupon(request, created),
            ("GET", ["v1", "coupons", id]) => self.coupons.get(*id).cloned().ok_or_else(|| missing("coupon")),
            ("POST", ["v1", "promotion_codes"]) => self.make_code(request, created),
            ("GET", ["v1", "promotion_codes"]) => self.list_codes(request),
            ("POST", ["v1", "promotion_codes", id]) => self.change_code(id, request),
            _ => Err(Response::error(404, "invalid_request_error", None, None)),
        };
        answered.map_or_else(|refused| refused, Response::object)
    }

    fn customer(&self, id: &str) -> Answered {
        let customer = self.customers.get(id).ok_or_else(|| missing("id"))?;
        if customer.deleted {
            return Ok(json!({"id": id, "object": "customer", "deleted": true}));
        }
        Ok(
            json!({"id": id, "object": "customer", "balance": customer.balance, "currency": customer.currency}),
        )
    }

    fn credit(&mut self, id: &str, request: &Request, created: i64) -> Answered {
        only(request, &["amount", "currency", "description"])?;
        let amount = integer(request, "amount")?.ok_or_else(|| needed("amount"))?;
        let currency = request.parameter("currency").ok_or_else(|| needed("currency"))?;
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_lowercase()) {
            return Err(Response::invalid("parameter_invalid", "currency"));
        }
        let number = self.transactions.len() + 1;
        let customer = self.customers.get_mut(id).filter(|customer| !customer.deleted);
        let customer = customer.ok_or_else(|| missing("customer"))?;
        if customer.currency.get_or_insert_with(|| currency.to_owned()) != currency {
            return Err(Response::error(400, "invalid_request_error", None, None));
        }
        customer.balance += amount;
        let transaction = json!({"id": format!("cbtxn_{number:06}"), "object": "customer_balance_transaction",
            "amount": amount, "created": created, "currency": currency, "customer": id, "type": "adjustment",
            "description": request.parameter("description"), "ending_balance": customer.balance,
            "metadata": request.metadata(), "livemode": false});
        self.transactions.push(transaction.clone());
        Ok(transaction)
    }

    fn list_transactions(&self, id: &str, request: &Request) -> Answered {
        only(request, &["limit", "starting_after"])?;
        if self.customers.get(id).is_none_or(|customer| customer.deleted) {
            return Err(missing("customer"));
        }
        let own = self.transactions.iter().rev().filter(|transaction| transaction["customer"] == id);
        page(own.collect(), request)
    }

    fn make_coupon(&mut self, request: &Request, created: i64) -> Answered {
        let known = [
            "id",
            "name",
            "duration",
            "max_redemptions",
            "percent_off",
            "amount_off",
            "currency",
            "redeem_by",
        ];
        only(request, &known)?;
        let id = request.parameter("id").ok_or_else(|| needed("id"))?.to_owned();
        let duration = request.parameter("duration").ok_or_else(|| needed("duration"))?;
        let percent = request.parameter("percent_off").map(number).transpose()?;
        let (amount, redeem_by) = (integer(request, "amount_off")?, integer(request, "redeem_by")?);
        if percent.is_some() == amount.is_some() {
            return Err(Response::invalid("parameter_invalid", "percent_off"));
        }
        if amount.is_some_and(|amount| amount <= 0)
            || amount.is_some() != request.form.contains_key("currency")
        {
            return Err(Response::invalid("parameter_invalid", "amount_off"));
        }
        if redeem_by.is_some_and(|at| at <= created || at > created + FIVE_YEARS) {
            return Err(Response::invalid("parameter_invalid", "redeem_by"));
        }
        if request.parameter("name").is_some_and(|name| name.len() > 40) {
            return Err(Response::invalid("parameter_invalid", "name"));
        }
        if self.coupons.contains_key(&id) {
            return Err(Response::invalid("resource_already_exists", "id"));
        }
        let coupon = json!({"id": id, "object": "coupon", "duration": duration, "percent_off": percent,
            "amount_off": amount, "currency": request.parameter("currency"), "redeem_by": redeem_by,
            "max_redemptions": integer(request, "max_redemptions")?, "metadata": request.metadata(),
            "name": request.parameter("name"), "times_redeemed": 0, "valid": true});
        self.coupons.insert(id, coupon.clone());
        Ok(coupon)
    }

    fn make_code(&mut self, request: &Request, created: i64) -> Answered {
        only(request, &["coupon", "code", "customer", "max_redemptions", "expires_at"])?;
        let absent =
            |param| Response::error(400, "invalid_request_error", Some("resource_missing"), Some(param));
        let coupon = request.parameter("coupon").ok_or_else(|| needed("coupon"))?;
        let coupon = self.coupons.get(coupon).cloned().ok_or_else(|| absent("coupon"))?;
        let customer = request.parameter("customer");
        let known = |id: &str| self.customers.get(id).is_some_and(|customer| !customer.deleted);
        if customer.is_some_and(|id| !known(id)) {
            return Err(absent("customer"));
        }
        let code = request.parameter("code").ok_or_else(|| needed("code"))?;
        if !code.bytes().all(|sign| sign.is_ascii_alphanumeric()) {
            return Err(Response::invalid("parameter_invalid", "code"));
        }
        let expires_at = integer(request, "expires_at")?;
        let last = coupon["redeem_by"].as_i64();
        if expires_at.is_some_and(|at| at <= created || last.is_some_and(|last| at > last)) {
            return Err(Response::invalid("parameter_invalid", "expires_at"));
        }
        let same = |known: &Value| {
            known["active"] == true && known["customer"] == json!(customer) && known["code"] == code
        };
        if self.promotion_codes.iter().any(same) {
            return Err(Response::error(400, "invalid_request_error", None, None));
        }
        let made = json!({"id": format!("promo_{:06}", self.promotion_codes.len() + 1), "object": "promotion_code",
            "active": true, "code": code, "coupon": coupon, "created": created, "customer": customer,
            "expires_at": expires_at, "max_redemptions": integer(request, "max_redemptions")?,
            "metadata": request.metadata(), "times_redeemed": 0, "livemode": false});
        self.promotion_codes.push(made.clone());
        Ok(made)
    }

    fn list_codes(&self, request: &Request) -> Answered {
        only(request, &["limit", "starting_after", "coupon", "code", "customer", "active"])?;
        let fits = |known: &&Value| {
            let coupon = request.parameter("coupon").is_none_or(|coupon| known["coupon"]["id"] == coupon);
            let code = request.parameter("code").is_none_or(|code| known["code"] == code);
            coupon && code && request.parameter("customer").is_none_or(|id| known["customer"] == id)
        };
        page(self.promotion_codes.iter().rev().filter(fits).collect(), request)
    }

    fn change_code(&mut self, id: &str, request: &Request) -> Answered {
        only(request, &["active"])?;
        let known = self.promotion_codes.iter_mut().find(|known| known["id"] == id);
        let known = known.ok_or_else(|| missing("promotion_code"))?;
        if let Some(active) = request.parameter("active") {
            known["active"] = json!(active == "true");
        }
        Ok(known.clone())
    }
}

fn missing(param: &str) -> Response {
    Response::error(404, "invalid_request_error", Some("resource_missing"), Some(param))
}

fn needed(param: &str) -> Response {
    Response::invalid("parameter_missing", param)
}

/// Parameters that are not known are refused.
fn only(request: &Request, known: &[&str]) -> Result<(), Response> {
    let odd =
        request.form.keys().find(|name| !known.contains(&name.as_str()) && !name.starts_with("metadata["));
    odd.map_or(Ok(()), |name| Err(Response::invalid("parameter_unknown", name)))
}

fn integer(request: &Request, name: &str) -> Result<Option<i64>, Response> {
    let parse = |text: &str| text.parse().map_err(|_| Response::invalid("parameter_invalid_integer", name));
    request.parameter(name).map(parse).transpose()
}

/// A percentage, as the number that Stripe answers.
fn number(text: &str) -> Result<Value, Response> {
    let number = serde_json::from_str::<Value>(text).ok();
    let fits = |number: &Value| number.as_f64().is_some_and(|number| number > 0.0 && number <= 100.0);
    number.filter(fits).ok_or_else(|| Response::invalid("parameter_invalid", "percent_off"))
}

/// A page of a list, newest first.
fn page(all: Vec<&Value>, request: &Request) -> Answered {
    let limit = integer(request, "limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(Response::invalid("parameter_invalid_integer", "limit"));
    }
    let begin = match request.parameter("starting_after") {
        None => 0,
        Some(after) => {
            let at = all.iter().position(|object| object["id"] == after);
            at.ok_or_else(|| Response::invalid("resource_missing", "starting_after"))? + 1
        }
    };
    let limit = usize::try_from(limit).unwrap();
    let data: Vec<Value> = all.iter().skip(begin).take(limit).map(|object| (*object).clone()).collect();
    let mut list = Map::new();
    list.insert("object".to_owned(), json!("list"));
    list.insert("has_more".to_owned(), json!(begin + data.len() < all.len()));
    list.insert("data".to_owned(), Value::Array(data));
    Ok(Value::Object(list))
}
