//! All worlds, small ones first.

use carpack_core::Timing;
use jiff::SignedDuration;

use crate::config::{People, Plan, Tokens, World};

fn pack(name: &'static str, quantity: i32, until: i64) -> Plan {
    Plan { name, quantity, until: Some(until), replace: false }
}

/// Worlds in which every rule must hold.
pub fn sound() -> Vec<World> {
    let small = World::small();
    let one = || vec![pack("concert", 1, 30)];
    let worlds = vec![
        small.clone(),
        World {
            name: "three",
            about: "one pack of three instances: an order of three lines",
            packs: vec![pack("concert", 3, 30)],
            tokens: Tokens::Ignored,
            ..small.clone()
        },
        World {
            name: "replace",
            about: "a pack that is renewed by a successor; tokens mean nothing",
            packs: vec![Plan { replace: true, ..pack("concert", 1, 46) }],
            tokens: Tokens::Ignored,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "approval",
            about: "orders wait for a person, who says yes or no",
            packs: one(),
            people: People { approve: true, ..People::default() },
            deeds: 2,
            tokens: Tokens::Ignored,
            ..small.clone()
        },
        World {
            name: "deleted-orders",
            about: "a person deletes an order at any moment",
            packs: one(),
            people: People { delete_orders: true, ..People::default() },
            deeds: 1,
            ..small.clone()
        },
        World {
            name: "recreated",
            about: "a pack is deleted and created again while its orders are under way; tokens mean nothing",
            packs: one(),
            people: People { recreate_packs: true, ..People::default() },
            deeds: 1,
            tokens: Tokens::Ignored,
            ..small.clone()
        },
        World {
            name: "pruned",
            about: "two renewals; settled orders are kept for 12 hours only; tokens mean nothing",
            packs: vec![pack("concert", 1, 54)],
            timing: Timing { order_retention: SignedDuration::from_hours(12), ..Timing::default() },
            tokens: Tokens::Ignored,
            ..small.clone()
        },
        World {
            name: "lagging",
            about: "purchases show after 100 s, which the quarantine covers; tokens mean nothing",
            packs: one(),
            tokens: Tokens::Ignored,
            lag: 100,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "ignored",
            about: "two faults, one pack; tokens mean nothing",
            packs: one(),
            tokens: Tokens::Ignored,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "known",
            about: "two faults, one pack; tokens are honoured for 15 minutes, and the account says so",
            packs: one(),
            tokens: Tokens::Known(15),
            lag: 100,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "two-leaders",
            about: "two leaders that know nothing of each other; tokens mean nothing",
            packs: one(),
            tokens: Tokens::Ignored,
            fenced: false,
            waived: Some("I8".to_owned()),
            faults: 2,
            ..small.clone()
        },
        World {
            name: "neighbours",
            about: "two packs of one account; tokens mean nothing",
            packs: vec![pack("concert", 1, 30), Plan { until: None, ..pack("gig", 1, 0) }],
            tokens: Tokens::Ignored,
            ..small.clone()
        },
        World { name: "small-2", about: "as small, with two faults", faults: 2, ..small.clone() },
        World {
            name: "ignored-2",
            about: "two instances, two faults; tokens mean nothing",
            tokens: Tokens::Ignored,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "expiring-2",
            about: "two instances, two faults; tokens are honoured for ten minutes",
            tokens: Tokens::Expire(600),
            faults: 2,
            ..small.clone()
        },
        World {
            name: "neighbours-2",
            about: "two packs of one account, two faults; tokens mean nothing",
            packs: vec![pack("concert", 1, 30), Plan { until: None, ..pack("gig", 1, 0) }],
            tokens: Tokens::Ignored,
            faults: 2,
            ..small.clone()
        },
        World {
            name: "ignored-3",
            about: "as ignored, with three faults",
            packs: one(),
            tokens: Tokens::Ignored,
            faults: 3,
            ..small
        },
    ];
    worlds
}

/// Worlds that show where the guarantees end. In each a rule is known to break, and that is what is looked for.
pub fn beyond() -> Vec<World> {
    let small =
        World { packs: vec![pack("concert", 1, 30)], tokens: Tokens::Ignored, known: Some("I1"), ..World::small() };
    vec![World {
        name: "beyond-lag",
        about: "tokens mean nothing, and a purchase shows only after 15 minutes",
        lag: 900,
        ..small
    }]
}
