//! What else may go wrong, or be different, in a world besides its faults.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::OrderState;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cloud::ACCOUNT;
use crate::fault::names;
use crate::story::user;
use crate::world::{BALANCE, STORM, TENANT, TREASURY, World};

/// Something that is different from the plain world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The cloud does not look at tokens.
    TokensIgnored,
    /// The cloud forgets tokens after two minutes: before any quarantine is over.
    TokensExpire,
    /// The account says that the cloud honours tokens, as it does.
    TokensKnown,
    /// Monthly packs.
    Monthly,
    /// It is the last day of January, or of another long month.
    MonthEnd,
    /// Packs are renewed by successors.
    Replace,
    /// Lists and books lag behind, by up to 110 s.
    Lag,
    /// Lists and books lag behind by 2 to 15 minutes: also longer than any quarantine, so that only tokens help.
    LongLag,
    /// Each look may be answered by a replica that is up to 110 s behind: what was seen once goes away and comes back.
    Replicas,
    /// A frozen process sleeps for 8 to 12 minutes: longer than any quarantine.
    LongFreeze,
    /// The same, and with it its machine: it does not notice that its lease ran out.
    Suspended,
    /// A person deletes orders at any moment.
    OrdersDeleted,
    /// Purchases are delivered in parts, the rest up to five minutes later.
    Partial,
    /// The cloud binds and unbinds only some of the instances it is asked for, and reports an error.
    PartialBind,
    /// The renewal list misses rows, because they moved between pages; and CAR's own list, which stands in for it, dates
    /// expiries up to ten minutes otherwise.
    MissedRows,
    /// CAR's own list says the count of an instance only every other time.
    FewCounts,
    /// Paid calls that were lost arrive later, up to five minutes.
    Stray,
    /// Processes see changes up to three seconds late.
    SlowWatch,
    /// The watches of a process hear nothing for up to 65 s, then begin anew with what is there.
    DeafWatch,
    /// Processes see changes twice.
    RepeatedEvents,
    /// The operator's clock is off by up to four minutes.
    Skew,
    /// The operator's clock is an hour or a day off, until somebody sets it two minutes later.
    WrongClock,
    /// The account has no money, until somebody fills it up.
    Poor,
    /// For ten minutes the cloud refuses half of all calls: too many.
    Storm,
    /// The API server cannot be reached for up to two minutes.
    ApiOutage,
    /// Packs belong to no project.
    Unassigned,
    /// A person renames, unbinds and binds instances in the console.
    Console,
    /// The pack's name and project are edited at any time.
    Edits,
    /// The operator is stopped in order and started anew, again and again.
    Rollout,
    /// A second process stands by from the beginning.
    Standby,
    /// Every order waits for a person's approval.
    Approval,
    /// The operator is down when a renewal falls due.
    Outage,
    /// A neighbour has a pack in the same account.
    Neighbour,
    /// The pack is deleted and made anew under its name while it is being bought.
    Recreated,
    /// The first purchase is paid and never delivered.
    Undelivered,
    /// The account does not say in which zone the cloud's times are, or is wrong about it.
    OtherZone,
    /// A neighbour spends from the same account, which has limits and a brake: what both want fits in, and no more.
    Limits,
    /// Packs are returned when they are deleted; a person approves.
    Returned,
    /// Monthly packs which the cloud itself renews, and which lapse when they are deleted.
    AutoRenew,
    /// Somebody has renewed some of the instances in the console when the renewal falls due.
    ByHand,
    /// Lists and books lag behind by 2 to 8 minutes, tokens are ignored, and the account wants a person asked about calls that left no trace.
    Cautious,
    /// For ten minutes after the first paid call has left, no look is answered.
    Blind,
    /// Packs take over what was bought by hand, and for a while another pack names the same.
    Adopted,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::TokensIgnored,
        Self::TokensExpire,
        Self::TokensKnown,
        Self::Monthly,
        Self::MonthEnd,
        Self::Replace,
        Self::Lag,
        Self::LongLag,
        Self::Replicas,
        Self::LongFreeze,
        Self::Suspended,
        Self::OrdersDeleted,
        Self::Partial,
        Self::PartialBind,
        Self::MissedRows,
        Self::FewCounts,
        Self::Stray,
        Self::SlowWatch,
        Self::DeafWatch,
        Self::RepeatedEvents,
        Self::Skew,
        Self::WrongClock,
        Self::Poor,
        Self::Storm,
        Self::ApiOutage,
        Self::Unassigned,
        Self::Console,
        Self::Edits,
        Self::Rollout,
        Self::Standby,
        Self::Approval,
        Self::Outage,
        Self::Neighbour,
        Self::Recreated,
        Self::Undelivered,
        Self::OtherZone,
        Self::Limits,
        Self::Returned,
        Self::AutoRenew,
        Self::ByHand,
        Self::Cautious,
        Self::Blind,
        Self::Adopted,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TokensIgnored => "tokens-ignored",
            Self::TokensExpire => "tokens-expire",
            Self::TokensKnown => "tokens-known",
            Self::Monthly => "monthly",
            Self::MonthEnd => "month-end",
            Self::Replace => "replace",
            Self::Lag => "lag",
            Self::LongLag => "long-lag",
            Self::Replicas => "replicas",
            Self::LongFreeze => "long-freeze",
            Self::Suspended => "suspended",
            Self::OrdersDeleted => "orders-deleted",
            Self::Partial => "partial",
            Self::PartialBind => "partial-bind",
            Self::MissedRows => "missed-rows",
            Self::FewCounts => "few-counts",
            Self::Stray => "stray",
            Self::SlowWatch => "slow-watch",
            Self::DeafWatch => "deaf-watch",
            Self::RepeatedEvents => "repeated-events",
            Self::Skew => "skew",
            Self::WrongClock => "wrong-clock",
            Self::Poor => "poor",
            Self::Storm => "storm",
            Self::ApiOutage => "api-outage",
            Self::Unassigned => "unassigned",
            Self::Console => "console",
            Self::Edits => "edits",
            Self::Rollout => "rollout",
            Self::Standby => "standby",
            Self::Approval => "approval",
            Self::Outage => "outage",
            Self::Neighbour => "neighbour",
            Self::Recreated => "recreated",
            Self::Undelivered => "undelivered",
            Self::OtherZone => "other-zone",
            Self::Limits => "limits",
            Self::Returned => "returned",
            Self::AutoRenew => "auto-renew",
            Self::ByHand => "by-hand",
            Self::Cautious => "cautious",
            Self::Blind => "blind",
            Self::Adopted => "adopted",
        }
    }

    /// True for what leaves a person something to do, however well everything goes.
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Recreated | Self::Undelivered | Self::Outage | Self::Cautious)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no trouble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no trouble; there are: {}", .0, names(&Trouble::ALL))]
pub struct NoTrouble(String);

impl FromStr for Trouble {
    type Err = NoTrouble;

    fn from_str(text: &str) -> Result<Self, NoTrouble> {
        Self::ALL.into_iter().find(|trouble| trouble.name() == text).ok_or_else(|| NoTrouble(text.to_owned()))
    }
}

/// Lets loose whatever comes by itself.
pub fn let_loose(world: &Arc<World>) {
    for trouble in world.plan.troubles.clone() {
        let place = Arc::clone(world);
        match trouble {
            Trouble::Poor => world.spawn_trouble(async move { be_poor(&place).await }),
            Trouble::WrongClock => world.spawn_trouble(async move { set_the_clock_wrong(&place).await }),
            Trouble::Storm => world.spawn_trouble(sleep(STORM)),
            Trouble::ApiOutage => world.spawn_trouble(async move { cut_the_api_server_off(&place).await }),
            Trouble::Console => world.spawn_trouble(async move { play_with_the_console(&place).await }),
            Trouble::Edits => world.spawn_trouble(async move { edit(&place).await }),
            Trouble::Rollout => world.spawn_trouble(async move { roll_out(&place).await }),
            Trouble::OrdersDeleted => world.spawn_trouble(async move { delete_orders(&place).await }),
            Trouble::Approval | Trouble::Returned => world.spawn(async move { approve(&place).await }),
            _ => {}
        }
    }
}

fn seconds(world: &World, low: u64, high: u64) -> Duration {
    world.between(low.saturating_mul(1000), high.saturating_mul(1000))
}

async fn be_poor(world: &World) {
    // The account cannot fail to exist.
    let _ = world.cloud().set_balance(ACCOUNT, 100);
    sleep(seconds(world, 20, 200)).await;
    let _ = world.cloud().set_balance(ACCOUNT, BALANCE);
}

async fn set_the_clock_wrong(world: &World) {
    sleep(seconds(world, 0, 10)).await;
    let hours = [1, -1, 24, -24];
    let off = SignedDuration::from_hours(world.choose(&hours).copied().unwrap_or(1));
    world.shift_operators_clock(off);
    world.disturb();
    sleep(Duration::from_secs(120)).await;
    world.shift_operators_clock(SignedDuration::ZERO.saturating_sub(off));
    // A clock that was set is noticed within a minute.
    sleep(Duration::from_secs(60)).await;
}

async fn cut_the_api_server_off(world: &World) {
    sleep(world.between(0, 4000)).await;
    world.cut_off(true);
    let down = seconds(world, 5, 120);
    sleep(down).await;
    world.cut_off(false);
}

async fn play_with_the_console(world: &World) {
    for _ in 0..4 {
        sleep(seconds(world, 1, 20)).await;
        let instances = world.cloud().instances();
        let Some(id) = world.choose(&instances).map(|instance| instance.id.clone()) else { continue };
        let act = world.between(0, 3).as_millis();
        let done = {
            let mut cloud = world.cloud();
            match act {
                0 => {
                    world.renamed(&id);
                    cloud.console_rename(&id, "renamed by hand")
                }
                1 => cloud.console_unbind(&id),
                2 => cloud.console_bind(&id, "cap-b"),
                _ => cloud.console_bind(&id, "cap-a"),
            }
        };
        tracing::info!(id, act, ok = done.is_ok(), "CONSOLE");
        world.disturb();
    }
}

async fn edit(world: &World) {
    for round in 0..4_u32 {
        sleep(seconds(world, 1, 15)).await;
        let Some(pack) = world.packs().first().cloned() else { continue };
        if pack.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let name = pack.metadata.name.clone().unwrap_or_default();
        let spec = if world.chance(2) {
            json!({"packName": format!("Gala {round}")})
        } else {
            json!({"maxPrice": {"amount": format!("{}000.00", round.saturating_add(9)), "currency": "USD"}})
        };
        let path = format!("/apis/carpack.io/v1alpha1/namespaces/{TENANT}/concurrencypacks/{name}");
        user(world, &Method::PATCH, &path, &json!({"spec": spec}));
    }
}

async fn roll_out(world: &Arc<World>) {
    for _ in 0..3 {
        sleep(world.between(500, 40_000)).await;
        world.stop_leader();
        sleep(world.between(100, 2000)).await;
        world.start_process();
    }
}

async fn delete_orders(world: &World) {
    for _ in 0..2 {
        sleep(world.between(500, 20_000)).await;
        let orders = world.orders();
        let Some(order) = world.choose(&orders) else { continue };
        let name = order.metadata.name.clone().unwrap_or_default();
        user(world, &Method::DELETE, &order_path(&name), &Value::Null);
    }
}

fn order_path(name: &str) -> String {
    format!("/apis/carpack.io/v1alpha1/namespaces/{TREASURY}/packorders/{name}")
}

/// A person who looks now and then, and approves everything.
async fn approve(world: &World) {
    loop {
        sleep(seconds(world, 1, 20)).await;
        for order in world.orders() {
            let state = order.status.as_ref().and_then(|status| status.state);
            if state == Some(OrderState::AwaitingApproval) && order.spec.approval.is_none() {
                let name = order.metadata.name.clone().unwrap_or_default();
                let approval: Value = json!({"spec": {"approval": {"decision": "Approved", "scope": "ThisOrder"}}});
                user(world, &Method::PATCH, &order_path(&name), &approval);
            }
        }
    }
}
