//! The connection of a process to the cloud, which is the simulator's state. Here: the calls that cost nothing.

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
use crate::mutant::Mutant;
use crate::process::connection::{Call, Connection};
use crate::process::rows::{deal, mutate, package, renewable, shift_expiries, view};
use crate::world::World;
use crate::world::cloud::{ACCOUNT, SIGNATURE_EXPIRED, TOO_MANY_REQUESTS};

/// How long the operator waits for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the operator waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The cloud client of a process.
#[derive(Clone)]
pub struct CloudConnection(pub Connection);

/// The answer to a call that costs nothing.
pub type Answer<T> = Result<T, CallError>;

impl CloudConnection {
    /// A call that costs nothing.
    fn free<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<T> + Send + 'static,
    ) -> BoxFuture<'_, Answer<T>> {
        let world = Arc::clone(&self.0.world);
        let is_list = matches!(site, Some(Site::List | Site::Describe | Site::OrderQuery));
        let execute_call = move || {
            let answer = if world.is_refused_by_storm() {
                Err(CallError::of_code(action, TOO_MANY_REQUESTS, "too many requests"))
            } else if is_list && world.lists_fail() {
                Err(CallError::new(action, Category::CloudInternal, "HTTP 503"))
            } else if world.clock_is_refused() {
                Err(CallError::of_code(action, SIGNATURE_EXPIRED, "the signature has expired"))
            } else {
                execute(&world, &mut world.cloud())
            };
            tracing::debug!(action, error = ?answer.as_ref().err().map(ToString::to_string), "cloud");
            answer
        };
        let failed = move |_: Point, outcome: Outcome| {
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
        let call = cloud_call(site);
        async move { self.0.call(call, execute_call, || (), failed).await }.boxed()
    }

    /// A call that reads a list.
    fn list<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<Vec<T>> + Send + 'static,
    ) -> BoxFuture<'_, Answer<Vec<T>>> {
        let list = self.free(action, site, execute);
        if !self.0.world.plan.is(Mutant::UnreadIsEmpty) {
            return list;
        }
        async move { Ok(list.await.unwrap_or_default()) }.boxed()
    }
}

/// A call to the cloud, as far as faults care.
pub fn cloud_call(site: Option<Site>) -> Call {
    Call { site, stores: false, connect_timeout: CONNECT_TIMEOUT, answer_timeout: ANSWER_TIMEOUT }
}

fn refused(action: &'static str, error: ApiError) -> CallError {
    CallError::of_code(action, error.code, error.message)
}

fn call() -> state::Call {
    state::Call { account: ACCOUNT.to_owned(), ..state::Call::default() }
}

impl Cloud for CloudConnection {
    fn clock_skew(&self) -> Option<SignedDuration> {
        self.0.world.skew(self.0.process).checked_neg()
    }

    fn list_renewable_instances(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<RenewableInstance>>> {
        self.list("DescribeRenewInstances", Some(Site::List), |world, cloud| {
            let mut rows = world.miss_a_row(cloud.renew_instances(ACCOUNT, &RenewQuery::default(), view(world, cloud)));
            mutate(world, &mut rows);
            Ok(rows.iter().map(|row| renewable(cloud, row)).collect())
        })
    }

    fn list_concurrent_packages(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<ConcurrentPackage>>> {
        self.list("DescribeConcurrentPackages", Some(Site::Describe), |world, cloud| {
            let mut rows = cloud.packages(ACCOUNT, &[], view(world, cloud)).unwrap_or_default();
            mutate(world, &mut rows);
            shift_expiries(&mut rows, world.plan.between_lists);
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
            if world.plan.is(Mutant::NoDeals) {
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
            if world.plan.is(Mutant::BindUnmade) {
                return Ok(());
            }
            let action = "BindConcurrentPackagesToProject";
            let bind = |cloud: &mut State, ids: &[String]| {
                cloud.bind(&call(), ids, &project).map_err(|error| refused(action, error))
            };
            change_in_part(world, cloud, action, &ids, bind)
        })
    }

    fn unbind(&self, ids: Vec<String>, project: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        let action = "UnbindConcurrentPackagesFromProject";
        self.free(action, Some(Site::Unbind), move |world, cloud| {
            let unbind = |cloud: &mut State, ids: &[String]| {
                cloud.unbind(&call(), ids, Some(&project)).map_err(|error| refused(action, error))
            };
            change_in_part(world, cloud, action, &ids, unbind)
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

/// Changes these instances. With a partial change, it changes only the first of them and reports an error.
fn change_in_part(
    world: &World,
    cloud: &mut State,
    action: &'static str,
    ids: &[String],
    change: impl Fn(&mut State, &[String]) -> Answer<()>,
) -> Answer<()> {
    match ids {
        [first, _, ..] if world.is_partial() => {
            change(cloud, std::slice::from_ref(first))?;
            Err(CallError::of_code(action, "InternalError", "only some of the instances were changed"))
        }
        ids => change(cloud, ids),
    }
}
