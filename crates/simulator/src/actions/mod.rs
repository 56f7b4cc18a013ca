//! The documented actions: their parameters, and the functions of the state that carry them out.

mod billing;
mod car;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    state::{Call, Delivery, State, View},
    wire::{Kind, Parameter, Parameters},
};

/// A service of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Cloud Application Rendering.
    Car,
    /// Orders, renewals and money.
    Billing,
}

impl Service {
    /// The service that has this API version. None: no service has it.
    pub fn of_version(version: &str) -> Option<Self> {
        match version {
            "2022-01-10" => Some(Self::Car),
            "2018-07-09" => Some(Self::Billing),
            _ => None,
        }
    }

    /// The name of the service in signatures and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Billing => "billing",
        }
    }
}

/// What faults change in how an action is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Conduct {
    /// Lists are answered as they were so many seconds earlier. None: as they are.
    pub stale_seconds: Option<i64>,
    /// Rows of lists are moved by so many places.
    pub rotate: usize,
    /// How purchases are delivered.
    pub delivery: Delivery,
}

impl Default for Conduct {
    fn default() -> Self {
        Self { stale_seconds: None, rotate: 0, delivery: Delivery::AT_ONCE }
    }
}

impl Conduct {
    fn view(self, now: Timestamp) -> View {
        let as_of = self
            .stale_seconds
            .map(|seconds| now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN));
        View { as_of, rotate: self.rotate }
    }
}

/// An action of the documented API.
pub struct Action {
    /// The service of the action.
    pub service: Service,
    /// The name of the action.
    pub name: &'static str,
    /// The documented parameters of the action.
    pub parameters: &'static [Parameter],
    run: fn(&mut State, &Call, &Parameters, Conduct) -> Result<Value, ApiError>,
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("service", &self.service).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Action {
    /// The action of this name. None: the service does not have it.
    pub fn find(service: Service, name: &str) -> Option<&'static Self> {
        let table = match service {
            Service::Car => car::ACTIONS,
            Service::Billing => billing::ACTIONS,
        };
        table.iter().find(|action| action.name == name)
    }

    /// Carries the action out. Returns the fields of a successful answer.
    ///
    /// # Errors
    /// The error that the cloud answers: the account may not do it, a parameter is wrong, or the state does not allow
    /// it.
    pub fn run(
        &self,
        state: &mut State,
        mut call: Call,
        raw: Map<String, Value>,
        conduct: Conduct,
    ) -> Result<Value, ApiError> {
        let settings = state.settings(&call.account).cloned().unwrap_or_default();
        let car = self.service == Service::Car;
        if settings.denies(self.service.name(), self.name) {
            let code = if car { "AuthFailure.UnauthorizedOperation" } else { "UnauthorizedOperation.CamNoAuth" };
            return Err(ApiError::new(code, format!("you are not authorized to perform {}", self.name)));
        }
        let paid = matches!(self.name, "CreateInstance" | "RenewInstance" | "PayDeals");
        if (car || paid) && !settings.signed_up {
            return Err(ApiError::new("OperationDenied", "the account has not activated Cloud Application Rendering"));
        }
        if (car || paid) && !settings.approved {
            let code = if car { "UnauthorizedOperation" } else { "FailedOperation.dealCreateWhitelistError" };
            return Err(ApiError::new(code, "the account is not on the allowlist of Cloud Application Rendering"));
        }
        if paid && !settings.certified {
            let message = "the account has not been real-name authenticated";
            return Err(ApiError::new("UnauthorizedOperation.NotCertification", message));
        }
        let parameters = Parameters::check(raw, self.parameters)?;
        call.client_token = parameters.text("ClientToken").map(str::to_owned);
        (self.run)(state, &call, &parameters, conduct)
    }
}

const fn must(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: false }
}
