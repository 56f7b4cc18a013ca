//! The paid calls of a cloud for unit tests.

use std::time::Duration;

use carpack_cloud::port::{CreateInstance, Deadline, Receipt, RefundInstance, RenewInstance};
use carpack_cloud::{BeforeSend, CallError, Category, PaidCalls};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::objects::after;
use super::server::Log;
use crate::runtime::clock::Clock;
use crate::runtime::lease::LeaseGuard;

/// What keeps this process from sending once a call is signed.
#[derive(Clone, Copy)]
pub enum HeldUp {
    No,
    /// It is frozen for so long.
    Frozen(Duration),
    /// Its machine is, and the process does not notice but by the clock on the wall.
    Suspended(i64),
}

/// A cloud that delivers at once.
pub struct PaidCloud {
    pub log: Log,
    pub guard: LeaseGuard,
    pub clock: Clock,
    pub held_up: HeldUp,
}

impl PaidCalls for PaidCloud {
    fn create_instance(
        &self,
        request: CreateInstance,
        _: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        async move {
            match self.held_up {
                HeldUp::No => {}
                HeldUp::Frozen(time) => self.guard.pass(time),
                HeldUp::Suspended(seconds) => self.clock.see(after(20 + seconds), 1.0),
            }
            if let Err(why) = before_send() {
                let error = CallError::new("CreateInstance", Category::HeldBack, why);
                return carpack_cloud::Outcome::Rejected(error);
            }
            self.log.write(format!("sent with {}", request.client_token.len()));
            let (order_ids, instance_ids) = (vec!["deal-1".to_owned()], vec!["i-1".to_owned()]);
            carpack_cloud::Outcome::Committed(Receipt { order_ids, instance_ids, request_id: "r-1".to_owned() })
        }
        .boxed()
    }

    fn renew_instance(
        &self,
        _: RenewInstance,
        _: Deadline,
        _: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        unreachable!("nothing is renewed here")
    }

    fn refund_instance(
        &self,
        _: RefundInstance,
        _: Deadline,
        _: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        unreachable!("nothing is returned here")
    }
}
