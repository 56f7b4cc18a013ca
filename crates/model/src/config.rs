//! The worlds that are explored.

use carpack_api::{CarAccountSpec, ConcurrencyPack, ConcurrencyPackSpec, Mode};
use carpack_core::Timing;
use carpack_core::account::{Account, Health};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// The namespace of the packs.
pub const NAMESPACE: &str = "events";
/// The namespace of the orders.
pub const TREASURY: &str = "carpack-system";
/// When every world begins: 2026-12-01T00:00:00Z.
pub const BEGIN: i64 = 1_796_083_200;
/// How long the cloud accepts a signature, in seconds.
pub const SIGNATURE: i64 = 300;
/// The product code of the packs.
pub const PRODUCT: &str = "p_car";

/// What the cloud does with the token of a paid call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// The cloud answers a second call with the same token with the first one's order.
    Honoured,
    /// The cloud ignores tokens.
    Ignored,
    /// The cloud honours a token for so many seconds.
    Expire(i64),
    /// The cloud honours a token for so many minutes, and the account says so.
    Known(i32),
}

/// A bug that is seeded into the driver of the decisions. The model must detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The intent is written after the call was sent.
    IntentAfterCall,
    /// Each attempt has a token of its own.
    TokenPerAttempt,
    /// Statuses are written without comparing resource versions.
    NoVersionCheck,
    /// A call without an answer counts as refused.
    TimeoutIsRefusal,
    /// A signed call is sent without checking the lease or the age of the intent.
    UncheckedAfterSigning,
    /// There is no quarantine: an absence is believed at once.
    NoQuarantine,
    /// A deleted order is released whatever its lines say.
    CarelessFinalizer,
    /// A pack is not reconciled once its renewal is due.
    MissedRenewal,
}

/// A pack of a world, and when it is bought and renewed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name.
    pub name: &'static str,
    /// The number of concurrencies. Each is an instance of its own.
    pub quantity: i32,
    /// Until how many hours after the beginning the operator renews it; none: it is not renewed.
    pub until: Option<i64>,
    /// True when it is renewed by successors; false: by extensions.
    pub replace: bool,
    /// How many seconds after the beginning its purchase window opens; none: it is open.
    pub opens: Option<i64>,
}

/// What people may do in a world. [`World::interventions`] limits how often, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct People {
    /// They approve or deny orders.
    pub approve: bool,
    /// They delete orders.
    pub delete_orders: bool,
    /// They delete packs and create them again.
    pub recreate_packs: bool,
}

/// A world to explore.
#[derive(Debug, Clone)]
pub struct World {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its packs, all paid by one account.
    pub packs: Vec<Plan>,
    /// What the cloud does with tokens.
    pub tokens: Tokens,
    /// After so many seconds the cloud's lists show a purchase or a renewal.
    pub lag: i64,
    /// The number of faults in one run: a process frozen or killed, an answer given up, a call refused.
    pub faults: u8,
    /// How often people intervene in one run.
    pub interventions: u8,
    /// What people may do.
    pub people: People,
    /// True when the lease is checked after signing. False: two leaders that know nothing of each other.
    pub fenced: bool,
    /// The intervals of the decisions.
    pub timing: Timing,
    /// The bug that is seeded, if any.
    pub mutant: Option<Mutant>,
    /// The rule that is known to be broken in this world, by the beginning of its name.
    pub known: Option<&'static str>,
    /// The rule that is not checked in this world, by the beginning of its name.
    pub waived: Option<String>,
}

impl World {
    /// One pack of two instances, bought and renewed once; the cloud honours tokens.
    pub fn small() -> Self {
        Self {
            name: "small",
            about: "one pack of two instances, bought and renewed once",
            packs: vec![Plan { name: "concert", quantity: 2, until: Some(30), replace: false, opens: None }],
            tokens: Tokens::Honoured,
            lag: 0,
            faults: 1,
            interventions: 0,
            people: People::default(),
            fenced: true,
            timing: Timing::default(),
            mutant: None,
            known: None,
            waived: None,
        }
    }

    /// The account that pays.
    pub fn account(&self) -> Option<Account> {
        let mut spec = json!({
            "site": "International",
            "credentials": {"secretRef": {"name": "key"}},
            "mode": if self.people.approve { Mode::ApprovalRequired } else { Mode::Automatic },
            "purchase": {"channel": "Api", "api": {
                "productCode": PRODUCT, "subProductCode": "sp_car", "parameterTemplate": "{}",
                "periodUnits": {"Daily": "d"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"}]},
            "tenants": [{"namespaces": [NAMESPACE], "projects": []}]
        });
        if let Tokens::Known(minutes) = self.tokens {
            spec["purchase"]["api"]["clientTokenHonoredMinutes"] = json!(minutes);
        }
        let spec: CarAccountSpec = serde_json::from_value(spec).ok()?;
        Some(Account { name: "default".to_owned(), spec, health: Health::Ready })
    }

    /// A pack as it is applied for the first or a later time.
    pub fn pack(&self, index: usize, incarnation: u8) -> Option<ConcurrencyPack> {
        let plan = self.packs.get(index)?;
        let renewal = match plan.until {
            Some(hours) => json!({
                "mode": "Operator", "duration": 1, "renewBefore": "6h",
                "strategy": if plan.replace { "Replace" } else { "Extend" },
                "until": at(BEGIN.saturating_add(hours.saturating_mul(3600))).to_string()
            }),
            None => json!({"mode": "None"}),
        };
        let mut window = json!({"notAfter": at(BEGIN.saturating_add(12 * 3600)).to_string()});
        if let Some(opens) = plan.opens {
            window["notBefore"] = json!(at(BEGIN.saturating_add(opens)).to_string());
        }
        let spec = json!({
            "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": plan.quantity,
            "duration": 1, "renewal": renewal, "purchaseWindow": window
        });
        let spec: ConcurrencyPackSpec = serde_json::from_value(spec).ok()?;
        let mut pack = ConcurrencyPack::new(plan.name, spec);
        pack.metadata.namespace = Some(NAMESPACE.to_owned());
        pack.metadata.uid = self.uid(index, incarnation);
        pack.metadata.generation = Some(1);
        Some(pack)
    }

    /// The UID of a pack that is applied for the first or a later time.
    pub fn uid(&self, index: usize, incarnation: u8) -> Option<String> {
        self.packs.get(index).map(|plan| format!("{}-{incarnation}", plan.name))
    }

    /// True when this bug is seeded in this world.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The intervals of the decisions, changed by [`Mutant::NoQuarantine`].
    pub fn intervals(&self) -> Timing {
        let quarantine = if self.is(Mutant::NoQuarantine) { SignedDuration::ZERO } else { self.timing.quarantine };
        Timing { quarantine, ..self.timing }
    }
}

/// A second of the model's clock as a timestamp.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}
