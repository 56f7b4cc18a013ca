//! The name: what stands under the pack's name in the cloud is never bought a second time.
//!
//! Rule 11 of docs/money.md, which names the tests that fail without it.

use carpack_api::Reason;

use super::case::Case;
use super::obstacle::Obstacle;
use crate::facts::holdings::namesakes;
use crate::observation::Instance;

/// Nothing that the pack has not bought carries its name, and nothing at all carries the name that the order is made under.
pub(crate) fn name_is_free(case: &Case<'_>) -> Result<(), Obstacle> {
    name_is_free_for(case, case.recorded.map(|recorded| recorded.order.spec.pack_name.as_str()))
}

/// Nothing that the pack has not bought carries its name, and nothing at all carries this name, which an order is to be made under.
pub(crate) fn name_is_free_for(case: &Case<'_>, ordered: Option<&str>) -> Result<(), Obstacle> {
    let (Some(traces), Some(observation)) = (case.traces(), case.observation) else { return Ok(()) };
    let taken = ordered.and_then(|name| observation.instances.values().find(|instance| instance.is_named(name)));
    match taken.or_else(|| namesakes(traces, case.claimed()).next()) {
        Some(instance) => Err(taken_by(instance)),
        None => Ok(()),
    }
}

/// The obstacle of a name that an instance carries already.
fn taken_by(instance: &Instance) -> Obstacle {
    let message = format!(
        "instance {} already stands in the account under this pack's name ({}): it is not bought a second time; return or rename it in the console, or let it run out, after which it is bought",
        instance.id,
        instance.name.as_deref().unwrap_or_default()
    );
    Obstacle::wait(Reason::NameTaken, message)
}
