//! The cloud as a process sees it: the simulator's model, at the end of a way with faults. Here what costs nothing.

use std::sync::Arc;
use std::time::Duration;

use carpack_cloud::port::{
    Balance, ConcurrentPackage, Deadline, Deal, DealQuery, Product, Project, RenewFlag, RenewableInstance,
};
use carpack_cloud::{CallError, Category, Cloud};
use carpack_simulator::ApiError;
use carpack_simulator::state::{self, RenewQuery, State};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::SignedDuration;

use crate::fault::{Outcome, Point, Site};
use crate::journey::{Call, Link};
use crate::rows::{date, deal, package, renewable, spoil, view};
use crate::sabotage::Sabotage;
use crate::world::World;

/// The account that pays.
pub const ACCOUNT: &str = "default";
/// How long the cloud accepts a signature (tencent-cloud-facts.md).
pub const SIGNATURE: SignedDuration = SignedDuration::from_mins(5);
/// The code for a signature that is too old.
pub(crate) const EXPIRED: &str = "AuthFailure.SignatureExpire";
/// The code for too many requests.
pub(crate) const TOO_MANY: &str = "RequestLimitExceeded";
/// How long the operator waits for a connection, and for an answer.
pub(crate) const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];

/// A connection of a process to the cloud.
#[derive(Clone)]
pub struct CloudWire(pub Link);

/// What comes of a call that costs nothing.
pub type Answer<T> = Result<T, CallError>;

impl CloudWire {
    /// A call that costs nothing.
    fn free<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<T> + Send + 'static,
    ) -> BoxFuture<'_, Answer<T>> {
        let world = Arc::clone(&self.0.world);
        let is_look = matches!(site, Some(Site::List | Site::Describe | Site::OrderQuery));
        let carry_out = move || {
            let answer = if world.is_stormy() {
                Err(CallError::of_code(action, TOO_MANY, "too many requests"))
            } else if is_look && world.is_blind() {
                Err(CallError::new(action, Category::CloudInternal, "HTTP 503"))
            } else if world.is_too_far_off() {
                Err(CallError::of_code(action, EXPIRED, "the signature has expired"))
            } else {
                execute(&world, &mut world.cloud())
            };
            tracing::debug!(action, error = ?answer.as_ref().err().map(ToString::to_string), "cloud");
            answer
        };
        let spoilt = move |_: Point, outcome: Outcome| {
            let (category, message) = match outcome {
                Outcome::ServerError => (Category::CloudInternal, "HTTP 503"),
                Outcome::TooManyRequests => (Category::RateLimited, "too many requests"),
                Outcome::Garbage => (Category::Garbled, "not JSON"),
                Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset => {
                    (Category::NoAnswer, "the answer was lost")
                }
            };
            Err(CallError::new(action, category, message))
        };
        let call = Call { site, persists: false, patience: PATIENCE };
        async move { self.0.travel(call, carry_out, || (), spoilt).await }.boxed()
    }

    /// A list.
    fn list<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<Vec<T>> + Send + 'static,
    ) -> BoxFuture<'_, Answer<Vec<T>>> {
        let list = self.free(action, site, execute);
        if !self.0.world.plan.is(Sabotage::UnreadIsEmpty) {
            return list;
        }
        async move { Ok(list.await.unwrap_or_default()) }.boxed()
    }
}

fn refused(action: &'static str, error: ApiError) -> CallError {
    CallError::of_code(action, error.code, error.message)
}

fn call() -> state::Call {
    state::Call { account: ACCOUNT.to_owned(), ..state::Call::default() }
}

impl Cloud for CloudWire {
    fn clock_skew(&self) -> Option<SignedDuration> {
        self.0.world.skew(self.0.process).checked_neg()
    }

    fn list_renewable_instances(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<RenewableInstance>>> {
        self.list("DescribeRenewInstances", Some(Site::List), |world, cloud| {
            let mut rows = world.shifting(cloud.renew_instances(ACCOUNT, &RenewQuery::default(), view(world, cloud)));
            spoil(world, &mut rows);
            Ok(rows.iter().map(|row| renewable(cloud, row)).collect())
        })
    }

    fn list_concurrent_packages(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<ConcurrentPackage>>> {
        self.list("DescribeConcurrentPackages", Some(Site::Describe), |world, cloud| {
            let mut rows = cloud.packages(ACCOUNT, &[], view(world, cloud)).unwrap_or_default();
            spoil(world, &mut rows);
            date(&mut rows, world.plan.between_lists);
            Ok(rows.iter().map(|row| package(world, cloud, row)).collect())
        })
    }

    fn list_projects(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<Project>>> {
        self.free("DescribeApplicationProjects", None, |_, cloud| {
            let project = |row: state::Project| Project {
                id: row.id,
                name: Some(row.name),
                scale: Some(row.scale),
                amount: None,
            };
            Ok(cloud.projects_of(ACCOUNT).into_iter().map(project).collect())
        })
    }

    fn list_deals(&self, query: DealQuery, _: Deadline) -> BoxFuture<'_, Answer<Vec<Deal>>> {
        self.list("DescribeDealsByCond", Some(Site::OrderQuery), move |world, cloud| {
            let query = state::DealQuery {
                from: query.start,
                until: query.end,
                statuses: Vec::new(),
                order_id: None,
                big_deal_id: None,
                instance_id: None,
            };
            let mut rows = cloud.deals(ACCOUNT, &query, view(world, cloud));
            if world.plan.is(Sabotage::NoBooks) {
                rows.clear();
            }
            Ok(rows.into_iter().map(|row| deal(cloud, row)).collect())
        })
    }

    fn balance(&self, _: Deadline) -> BoxFuture<'_, Answer<Balance>> {
        let uin = Some("200000000001".to_owned());
        self.free("DescribeAccountBalance", None, |_, cloud| {
            Ok(Balance { cents: cloud.balance(ACCOUNT).unwrap_or(0), uin })
        })
    }

    fn bind(&self, ids: Vec<String>, project: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("BindConcurrentPackagesToProject", Some(Site::Bind), move |world, cloud| {
            if world.plan.is(Sabotage::BindUnmade) {
                return Ok(());
            }
            let action = "BindConcurrentPackagesToProject";
            let bind = |cloud: &mut State, ids: &[String]| {
                cloud.bind(&call(), ids, &project).map_err(|error| refused(action, error))
            };
            in_part(world, cloud, action, &ids, bind)
        })
    }

    fn unbind(&self, ids: Vec<String>, project: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        let action = "UnbindConcurrentPackagesFromProject";
        self.free(action, Some(Site::Unbind), move |world, cloud| {
            let unbind = |cloud: &mut State, ids: &[String]| {
                cloud.unbind(&call(), ids, Some(&project)).map_err(|error| refused(action, error))
            };
            in_part(world, cloud, action, &ids, unbind)
        })
    }

    fn rename(&self, id: String, name: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("ModifyConcurrentPackage", None, move |_, cloud| {
            cloud.rename(&call(), &id, &name).map_err(|error| refused("ModifyConcurrentPackage", error))
        })
    }

    fn set_renew_flag(&self, id: String, product: Product, flag: RenewFlag, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("SetRenewal", None, move |_, cloud| {
            let target = state::Target {
                product_code: product.product_code,
                sub_product_code: Some(product.sub_product_code),
                region: product.region,
            };
            let flag = match flag {
                RenewFlag::Auto => state::RenewFlag::NotifyAndAutoRenew,
                RenewFlag::Manual => state::RenewFlag::NotifyAndManualRenew,
                RenewFlag::ManualSilent => state::RenewFlag::DisableNotifyAndManualRenew,
            };
            let failed =
                cloud.set_renewal(&call(), &target, &id, flag).map_err(|error| refused("SetRenewal", error))?;
            match failed.first() {
                None => Ok(()),
                Some(failed) => Err(CallError::new("SetRenewal", Category::InvalidRequest, &failed.message)),
            }
        })
    }
}

/// Changes these instances, or only the first of them, and then reports an error.
fn in_part(
    world: &World,
    cloud: &mut State,
    action: &'static str,
    ids: &[String],
    change: impl Fn(&mut State, &[String]) -> Answer<()>,
) -> Answer<()> {
    match ids {
        [first, _, ..] if world.is_half_done() => {
            change(cloud, std::slice::from_ref(first))?;
            Err(CallError::of_code(action, "InternalError", "only some of the instances were changed"))
        }
        ids => change(cloud, ids),
    }
}
