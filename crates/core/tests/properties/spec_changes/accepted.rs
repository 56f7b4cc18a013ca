//! Which edits the API server accepts, and how many of each kind a run has written.

use carpack_api::ConcurrencyPackSpec;
use carpack_api::common::{Money, Time};
use carpack_api::pack::{PurchaseWindow, RenewalMode};
use carpack_core::time::{parse_duration, term};
use jiff::Timestamp;

use super::edits::{Edit, put_back, write};
use crate::world::HOUR;

/// How many edits a whole run has made that changed something.
#[derive(Debug, Default)]
pub struct Written {
    pub lives: u32,
    /// What the API server accepts, and what it refuses, of each edit when it is the only one.
    pub valid: u32,
    pub invalid: u32,
    pub rolled_back: u32,
}

impl Written {
    pub fn count(&mut self, edit: &Edit, first: &ConcurrencyPackSpec, now: Timestamp) {
        let mut alone = first.clone();
        write(edit, &mut alone, first, now);
        let kind = match edit {
            Edit::PutBack | Edit::RollBack => &mut self.rolled_back,
            _ if is_accepted(&alone, first) => &mut self.valid,
            _ => &mut self.invalid,
        };
        *kind += 1;
    }
}

/// True when the API server accepts a spec in place of the first one, which is Daily and has no `purchaseWindow`. These are
/// the rules of `crates/api/src/pack.rs` once more: no API server runs here, so nothing evaluates the CEL.
fn is_accepted(spec: &ConcurrencyPackSpec, first: &ConcurrencyPackSpec) -> bool {
    let is_text = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    let is_number = |text: &str, most: usize| is_text(text, most) && text.bytes().all(|b| b.is_ascii_digit());
    let is_name = |name: &str| {
        let (mut characters, others) = (name.chars(), " ._-");
        let begins = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        begins && is_text(name, 40) && characters.all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let is_money = |money: &Money| {
        let (whole, fraction) = money.amount.split_once('.').unwrap_or((money.amount.as_str(), "0"));
        let is_code = money.currency.len() == 3 && money.currency.bytes().all(|b| b.is_ascii_uppercase());
        is_number(whole, 12) && is_number(fraction, 4) && is_code
    };
    // A year has four digits.
    let is_time = |time: &Time| time.0 != Timestamp::MIN;
    let is_window = |window: &PurchaseWindow| {
        let (opens, closes) = (window.not_before.as_ref(), window.not_after.as_ref());
        let in_order = opens.zip(closes).is_none_or(|(opens, closes)| opens.0 < closes.0);
        in_order && opens.into_iter().chain(closes).all(is_time)
    };
    let renewal = &spec.renewal;
    let shorter = term(spec.billing_mode, renewal.duration.unwrap_or(spec.duration).min(spec.duration));
    let is_lead = |text: &str| parse_duration(text).is_some_and(|lead| lead >= HOUR && lead < shorter);
    let is_renewed = renewal.mode == RenewalMode::Operator
        && renewal.duration.is_none_or(|duration| (1..=36).contains(&duration))
        && renewal.renew_before.as_deref().is_none_or(is_lead)
        && renewal.until.as_ref().is_none_or(is_time);
    let mut as_bought = spec.clone();
    put_back(&mut as_bought, first);
    as_bought == *spec
        && spec.project.as_deref().is_none_or(|project| is_text(project, 128))
        && spec.pack_name.as_deref().is_none_or(is_name)
        && spec.purchase_window.as_ref().is_none_or(is_window)
        && spec.max_price.as_ref().is_none_or(is_money)
        && is_renewed
        && spec.adopt.is_none()
}
