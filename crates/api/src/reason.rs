//! Reasons: the closed set of words that conditions, events, lines and metrics carry.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether an event with this reason is a warning, where a condition with it is False.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Part of a normal life, or good news.
    Normal,
    /// Somebody should hear of it.
    Warning,
}

/// Makes the enum, its list, and what is said of each reason, from one list.
macro_rules! reasons {
    ($($group:literal: $($(#[doc = $doc:literal])+ $name:ident $severity:ident,)+)+) => {
        /// Why a condition, an event or a line is as it is: one word of a closed set, in PascalCase.
        ///
        /// The table of reasons in `docs/life-of-a-pack.md` is made from the docs of these variants.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($($(#[doc = $doc])+ $name,)+)+
        }

        impl Reason {
            /// All reasons, in groups: what each group is about, and its reasons.
            pub const ALL: &'static [(&'static str, &'static [Self])] = &[$(($group, &[$(Self::$name),+])),+];

            /// The reason as users and the API server see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$name => stringify!($name),)+)+
                }
            }

            /// What it means and what to do: its own docs, in one line.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!($($doc),+).trim_ascii(),)+)+
                }
            }

            /// Whether an event with it is a warning.
            pub const fn severity(self) -> Severity {
                match self {
                    $($(Self::$name => Severity::$severity,)+)+
                }
            }

            /// Reads a reason; none when it is not one of these.
            pub fn parse(text: &str) -> Option<Self> {
                Self::all().find(|reason| reason.as_str() == text)
            }
        }
    };
}

reasons! {
    "A pack that is not bought yet":
    /// `purchaseWindow.notAfter` or `renewal.until` has passed before the pack was bought: nothing was spent, and
    /// nothing is bought any more.
    WindowClosed Normal,
    /// `purchaseWindow.notBefore` has not come yet: the pack is bought then.
    WaitingForWindow Normal,
    /// carpack waits for a complete sweep of the account that is new enough.
    AwaitingObservation Normal,
    /// The CarAccount that `accountRef` names does not exist in the operator's namespace: create it.
    AccountMissing Warning,
    /// This version of carpack cannot read the CarAccount as it is now: run the version that its CRD is from, or
    /// correct what is new in it.
    AccountUnreadable Warning,
    /// No entry in the account's `tenants` names the pack's namespace: add it.
    NamespaceNotGranted Warning,
    /// The account cannot buy packs of this billing mode: add it to `purchase.api.periodUnits`.
    BillingModeNotOffered Warning,
    /// The account's price list has no price that fits, and nothing is bought without one: add it to
    /// `priceList.prices`.
    Unpriced Warning,
    /// The price is above `maxPrice`, or in another currency: raise `maxPrice` if the pack is worth it.
    AboveMaxPrice Warning,
    /// An instance already carries this pack's name in the cloud, so the pack is not bought again: return it,
    /// rename it, or adopt it.
    NameTaken Warning,
    /// The mode is Observe: carpack only says what it would do and for how much; raise the mode to let it act.
    Observing Normal,
    /// The mode is DryRun: carpack only says what it would do and for how much; raise the mode to let it act.
    DryRun Normal,
    /// carpack is about to buy the pack.
    Purchasing Normal,
    /// The namespace may not adopt packs: set `adopt: true` in its entry of the account's `tenants`.
    AdoptionNotGranted Warning,
    /// An instance in `spec.adopt` does not exist, has expired, or is not what the pack declares: correct
    /// `spec.adopt`.
    AdoptionMismatch Warning,
    /// Another pack or order has, or may have, an instance in `spec.adopt`: the message names it.
    AlreadyClaimed Warning,
    /// The cloud does not say the region of an instance in `spec.adopt`: carpack waits for a sweep that does.
    RegionUnknown Warning,
    "A pack that is bought":
    /// The pack is usable as declared.
    Active Normal,
    /// The pack is bought and paid for.
    Paid Normal,
    /// The pack has adopted instances that were bought before.
    Adopted Normal,
    /// The pack ended as planned.
    Ended Normal,
    /// The pack has expired although it was to be renewed, and nothing is bought by itself: delete the pack and
    /// apply it again to buy anew.
    Expired Warning,
    /// The pack was to be renewed and has expired: delete it and apply it again to buy anew.
    Missed Warning,
    /// Some instances have expired and are not bought again: the next successor has the whole quantity; without
    /// one, create another pack.
    PartlyExpired Warning,
    /// The cloud no longer lists instances of the pack, and nothing is bought in their place: look into the cloud's
    /// console.
    Vanished Warning,
    /// The newest complete sweep is too old to say whether the pack is usable.
    ObservationStale Warning,
    /// The cloud does not say when an instance of the pack expires: nothing is renewed until it does.
    ExpiryUnknown Warning,
    /// The cloud does not say how many concurrencies an instance holds: carpack waits for a sweep that does.
    CountUnknown Warning,
    "The project of a pack":
    /// All usable instances are bound to the declared project.
    Bound Normal,
    /// No project is declared, and the instances are bound to none.
    Unassigned Normal,
    /// No project is declared, and somebody else has bound the instances: carpack leaves them where they are.
    BoundByAnother Normal,
    /// carpack is moving the instances to the declared project, or unbinding them.
    Reassigning Normal,
    /// carpack is giving the instances the declared name.
    Renaming Normal,
    /// Somebody else moved or unbound the pack, and carpack moves it back to the declared project.
    MovedBack Warning,
    /// The cloud does not say which project the instances are bound to: carpack waits for a sweep that does.
    BindingUnknown Warning,
    /// The account's `tenants` do not let this namespace use the project: add the project to the namespace's entry.
    ProjectNotGranted Warning,
    /// The account has no project of this id: check `spec.project`.
    ProjectNotFound Warning,
    /// The project is of another concurrency scale than the pack: name a project of the pack's own scale.
    ScaleMismatch Warning,
    /// The cloud does not say the concurrency scale of the project, or of an instance in `spec.adopt`: carpack
    /// waits for a sweep that does.
    ScaleUnknown Warning,
    "The renewal of a pack":
    /// carpack will renew the pack at `status.nextRenewalTime`.
    Scheduled Normal,
    /// The renewal is due and under way.
    Renewing Normal,
    /// The pack will not be renewed: `renewal.mode` is None, or `renewal.until` is reached.
    EndsAsPlanned Normal,
    /// The cloud renews the pack by its own auto-renewal.
    AutoRenew Normal,
    /// No sweep shows the cloud's own renewal switched on for every instance yet.
    AutoRenewNotSeenOn Normal,
    /// The cloud's own renewal is not seen switched off: carpack renews nothing until it is.
    AutoRenewStillOn Normal,
    /// The mode does not allow carpack to switch the cloud's own renewal on: switch it on in the console, or raise
    /// the mode to Automatic.
    AutoRenewNotAllowed Warning,
    /// carpack is setting the cloud's own renewal switch as declared.
    SettingAutoRenew Normal,
    /// An adopted instance does not carry its new name yet, and is not renewed before it does: the message has the
    /// name to give it in the console.
    NameNotSeen Warning,
    /// A successor bought now would add less than half of its term: shorten `renewBefore` or lengthen
    /// `renewal.duration`.
    SuccessorGainsTooLittle Warning,
    "The deletion of a pack":
    /// The deleted pack was let go: its instances stay in the cloud as they are, or none are left.
    Released Normal,
    /// The deleted pack was let go before its `deletionPolicy` was carried out, and may go on renewing itself: look
    /// into the cloud's console.
    ReleasedUnconfirmed Warning,
    /// carpack switches the cloud's own renewal off, or has done so: the pack runs out.
    Lapsing Normal,
    /// A PackOrder returns the pack for a refund once a person approves it.
    Returning Normal,
    "An order":
    /// The order is allowed, and its call is about to be made.
    Pending Normal,
    /// The order waits for a person: approve or deny the PackOrder that the column NEXT names.
    AwaitingApproval Normal,
    /// A person has approved the order.
    ApprovedByPerson Normal,
    /// The mode, or the approval of an earlier order, allows the order.
    AllowedByMode Normal,
    /// A person has denied the order and nothing was spent: to ask for the same again, delete the order.
    Denied Warning,
    /// The mode holds an existing order, or a change of the project: raise the mode to let it go on.
    HeldByMode Warning,
    /// Another order for this namespace and name is not settled: the next one waits until it is.
    EarlierOrderUnresolved Normal,
    /// Another version of carpack wrote an order that this one cannot read, so its purchase or its cost is unknown:
    /// follow the message.
    OrderUnreadable Warning,
    /// The order does not fit into the `limits` of its account or tenant: it waits for room, or for a higher limit.
    AboveLimit Warning,
    /// The tenant has ordered more purchases and returns than its `brake` allows: a person releases them with the
    /// command in the message.
    BrakeOn Warning,
    /// No brake of the account holds anything.
    BrakeReleased Normal,
    /// No paid call of the order was made yet.
    NotSent Normal,
    /// At least one paid call of the order was made.
    Sent Normal,
    /// The order has cost more than it was quoted at: earlier approvals do not cover later renewals any more, and the
    /// account's price list should say what the cloud charges.
    PaidAboveQuote Warning,
    /// The cloud has taken the order, and no sweep shows all of what was paid for yet.
    AwaitingDelivery Normal,
    /// Nobody knows yet what became of a paid call: nothing more is spent on the pack until evidence, or a person,
    /// settles it.
    OutcomeUnknown Warning,
    /// The outcome of a paid call for this pack is unknown: nothing more is spent on it until evidence, or a
    /// person, settles the order.
    OrderAmbiguous Warning,
    /// The operator stopped between the intent and the recorded answer: the outcome of the call is unknown until
    /// evidence settles it.
    Interrupted Warning,
    /// The pack is paid for and its delivery is late or has failed: it is never bought again; ask the cloud's
    /// support about the order ids in the message.
    PaidNotDelivered Warning,
    /// The cloud delivered fewer concurrencies than were paid for, and the rest is never bought again: ask the
    /// cloud's support.
    PartiallyDelivered Warning,
    /// The cloud took the order and waits for its payment: it is not sent again; pay it or cancel it in the cloud's
    /// console.
    Unpaid Warning,
    /// The cloud's deals no longer show the unpaid order: look into the console, then run the command in the
    /// message.
    UnpaidAndUnlisted Warning,
    /// The order was closed or refunded in the cloud before a delivery: to buy again, delete the PackOrder that the
    /// message names.
    Cancelled Warning,
    /// A person has settled the paid call by an annotation: to ask for the same again, delete the order.
    SettledByHand Warning,
    /// Every line of the order is done.
    Fulfilled Normal,
    /// Some lines of the order are done and others were refused: to ask for these again, delete the order.
    FulfilledInPart Warning,
    /// The order was no longer wanted before its call was made: nothing was spent, and a new order is made if one
    /// is wanted.
    Void Warning,
    /// The order's deadline passed before its call was made: nothing was spent; to ask for the same again, delete
    /// the order.
    DeadlinePassed Warning,
    /// A renewal line names no instance or no expiry: nothing was spent; delete the order.
    InvalidOrder Warning,
    /// The order has failed for a reason that this version of carpack does not know: nothing was spent, and the
    /// message has the details.
    Rejected Warning,
    "An account, and what the cloud refuses":
    /// The last sweep of the account succeeded.
    Ready Normal,
    /// The first sweep of the account is under way.
    NotSweptYet Warning,
    /// The Secret that `credentials.secretRef` names does not exist: create it with the keys `secretId` and
    /// `secretKey`.
    SecretMissing Warning,
    /// The operator may not read the Secret, or could not: add its name to the chart's `credentials.secretNames`.
    SecretUnreadable Warning,
    /// The Secret has no usable `secretId` or `secretKey`: correct it.
    SecretInvalid Warning,
    /// No client, or no paid request, can be made from the account's spec: the message says which part is wrong.
    InvalidConfiguration Warning,
    /// The key belongs to another cloud account than `status.cloudAccount`: put a key of that one back, and create
    /// another CarAccount for the other.
    OtherCloudAccount Warning,
    /// The cloud refuses the key, its signature or its token: put a valid key into the account's Secret.
    WrongCredentials Warning,
    /// The operator's clock and the cloud's clock are too far apart for a signature: set the machine's clock.
    ClockSkew Warning,
    /// The cloud account is not open for Cloud Application Rendering: sign up in the cloud's console.
    NotSignedUp Warning,
    /// The cloud account is not approved or not verified: have it approved in the cloud's console.
    NotApproved Warning,
    /// The key may not call this action: grant it the actions of car and billing that carpack calls.
    PermissionDenied Warning,
    /// The balance does not suffice: top up the cloud account.
    BalanceInsufficient Warning,
    /// The cloud takes no more calls for the moment.
    RateLimited Warning,
    /// Another operation in the cloud holds the instance.
    Locked Warning,
    /// The cloud reports an error of its own.
    CloudInternal Warning,
    /// The cloud's endpoint did not answer the sweep: check the network between the operator and the endpoint.
    CloudUnreachable Warning,
    /// No connection to the cloud was made, so nothing was sent.
    Unreachable Warning,
    /// The cloud refuses the request as it is: check product codes, template and period units; to make a refused
    /// order again, delete it.
    InvalidRequest Warning,
    /// The cloud does not offer the product or action to this account or site: check `site`, `endpoint` and product
    /// codes.
    Unsupported Warning,
    /// The cloud does not find what the request names.
    NotFound Warning,
    /// carpack held the call back before it was sent: it was not sure for long enough that it leads, or the account
    /// has no `purchase.api`.
    HeldBack Warning,
    /// The cloud did not answer in time: after a paid call the outcome is unknown; any other call is made again.
    NoAnswer Warning,
    /// The cloud's answer cannot be read: after a paid call the outcome is unknown; any other call is made again.
    Garbled Warning,
    /// The cloud answered with a code that carpack does not know: after a paid call the outcome is unknown; any
    /// other call is made again.
    Other Warning,
}

impl Reason {
    /// All reasons.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().flat_map(|(_, reasons)| *reasons).copied()
    }

    /// True when an event with it is a warning.
    pub const fn is_warning(self) -> bool {
        matches!(self.severity(), Severity::Warning)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    /// A word of another version of carpack is read as [`Reason::Rejected`]: an order stays readable.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::parse(&text).unwrap_or(Self::Rejected))
    }
}

/// A text, so that an order with a reason of another version is not refused.
impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_written_and_read_as_the_same_word() {
        for reason in Reason::all() {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(serde_json::from_value::<Reason>(reason.as_str().into()).unwrap(), reason);
        }
    }

    #[test]
    fn a_reason_of_another_version_is_read_and_nothing_is_concluded_from_it() {
        assert_eq!(serde_json::from_value::<Reason>("FromTheFuture".into()).unwrap(), Reason::Rejected);
    }

    #[test]
    fn every_reason_says_in_one_line_what_it_means() {
        for reason in Reason::all() {
            let meaning = reason.meaning();
            assert!(meaning.ends_with('.') && meaning.len() <= 200 && !meaning.contains('|'), "{reason}: {meaning}");
        }
    }
}
