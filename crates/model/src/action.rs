//! What may happen in a world.

use std::fmt::{self, Display, Formatter};

use crate::config::at;

/// Something that happens. Operators, packs and calls are named by their index, orders by their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An operator reconciles a pack.
    Pack(usize, usize),
    /// An operator reconciles an order.
    Order(usize, String),
    /// An operator creates the order that it has decided on.
    Create(usize),
    /// The spender writes the intent.
    Intend(usize, String),
    /// The spender signs a call, checks the lease, and sends the call.
    Send(usize, String),
    /// A paid call arrives at the cloud, which executes it.
    Execute(usize),
    /// The cloud refuses a paid call. A fault.
    Refuse(usize),
    /// The answer arrives at the spender.
    Receive(usize, String),
    /// The spender stops waiting for the answer. A fault.
    GiveUp(usize, String),
    /// The spender records the answer.
    Record(usize, String),
    /// An operator completes a sweep.
    Sweep(usize),
    /// The leader is frozen with all that it has read, and the other operator leads. A fault.
    Freeze,
    /// An operator is killed, and starts again. A fault.
    Kill(usize),
    /// A process that no longer leads ends; or one of two leaders reads everything again.
    Thaw(usize),
    /// A person approves (true) or denies an order.
    Decide(String, bool),
    /// A person deletes an order.
    DeleteOrder(String),
    /// A person deletes a pack and creates it again, with another UID.
    Recreate(usize),
    /// Time passes until this second.
    Advance(i64),
}

impl Action {
    /// True for a fault.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Refuse(_) | Self::GiveUp(..) | Self::Freeze | Self::Kill(_))
    }

    /// True for what a person does.
    pub fn is_by_person(&self) -> bool {
        matches!(self, Self::Decide(..) | Self::DeleteOrder(_) | Self::Recreate(_))
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let who = |operator: &usize| if *operator == 0 { "operator A" } else { "operator B" };
        match self {
            Self::Pack(o, index) => write!(f, "{} reconciles pack {index}", who(o)),
            Self::Order(o, name) => write!(f, "{} reconciles {name}", who(o)),
            Self::Create(o) => write!(f, "{} creates the order that it has decided on", who(o)),
            Self::Intend(o, name) => write!(f, "{} writes the intent of {name}", who(o)),
            Self::Send(o, name) => write!(f, "{} signs, checks the lease and sends a line of {name}", who(o)),
            Self::Execute(index) => write!(f, "paid call {index} arrives at the cloud"),
            Self::Refuse(index) => write!(f, "FAULT the cloud refuses paid call {index}"),
            Self::Receive(o, name) => write!(f, "{} receives the answer for {name}", who(o)),
            Self::GiveUp(o, name) => write!(f, "FAULT {} stops waiting for the answer for {name}", who(o)),
            Self::Record(o, name) => write!(f, "{} records the outcome of {name}", who(o)),
            Self::Sweep(o) => write!(f, "{} completes a sweep", who(o)),
            Self::Freeze => write!(f, "FAULT the leader is frozen, and the other operator leads"),
            Self::Kill(o) => write!(f, "FAULT {} is killed and starts again", who(o)),
            Self::Thaw(o) => write!(f, "{} ends, or reads everything again", who(o)),
            Self::Decide(name, true) => write!(f, "a person approves {name}"),
            Self::Decide(name, false) => write!(f, "a person denies {name}"),
            Self::DeleteOrder(name) => write!(f, "a person deletes {name}"),
            Self::Recreate(index) => write!(f, "a person deletes pack {index} and creates it again"),
            Self::Advance(to) => write!(f, "time passes: {}", at(*to)),
        }
    }
}
