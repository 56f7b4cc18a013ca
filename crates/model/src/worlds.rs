//! All worlds, the small ones first.

use carpack_core::Timing;
use jiff::SignedDuration;

use crate::config::{People, Plan, Tokens, World};

/// What the cloud may do with tokens.
pub const TOKENS: [Tokens; 4] = [Tokens::Honoured, Tokens::Ignored, Tokens::Expire(600), Tokens::Known(15)];

/// When the purchase window of a pair's second pack opens, in seconds after the beginning. Its call leaves a second
/// later: in the moment in which the operator searches for the first pack's call, if that one's outcome is unknown. The
/// same holds for their renewals.
const MEETING: i64 = 421;

fn pack(name: &'static str, quantity: i32, until: i64) -> Plan {
    Plan { name, quantity, until: Some(until), replace: false, opens: None }
}

fn two(quantity: i32, opens: Option<i64>) -> Vec<Plan> {
    vec![pack("concert", quantity, 30), Plan { opens, ..pack("gig", quantity, 30) }]
}

/// The name of a world, by what its cloud does with tokens.
fn named(tokens: Tokens, [honoured, ignored, expiring, known]: [&'static str; 4]) -> &'static str {
    match tokens {
        Tokens::Honoured => honoured,
        Tokens::Ignored => ignored,
        Tokens::Expire(_) => expiring,
        Tokens::Known(_) => known,
    }
}

/// One pack of three instances.
pub fn three(tokens: Tokens) -> World {
    World {
        name: named(tokens, ["three", "three-ignored", "three-expiring", "three-known"]),
        about: "one pack of three instances: an order of three lines",
        packs: vec![pack("concert", 3, 30)],
        tokens,
        ..World::small()
    }
}

/// Two packs, both bought and renewed: the second one while the outcome of a call for the first one may be unknown.
pub fn pair(tokens: Tokens) -> World {
    World {
        name: named(tokens, ["pair", "pair-ignored", "pair-expiring", "pair-known"]),
        about: "two packs of one account, the second bought and renewed while a call for the first may be unknown",
        packs: two(1, Some(MEETING)),
        tokens,
        ..World::small()
    }
}

/// The same with three instances each.
pub fn threes(tokens: Tokens) -> World {
    World {
        name: named(tokens, ["threes", "threes-ignored", "threes-expiring", "threes-known"]),
        about: "as pair, with three instances each",
        packs: two(3, Some(MEETING)),
        ..pair(tokens)
    }
}

/// Two packs, bought and renewed at the same moments.
pub fn abreast(tokens: Tokens) -> World {
    World {
        name: named(tokens, ["abreast", "abreast-ignored", "abreast-expiring", "abreast-known"]),
        about: "two packs of one account, bought and renewed at the same moments",
        packs: two(1, None),
        tokens,
        ..World::small()
    }
}

/// Two leaders that know nothing of each other. I8 is checked here too: the record and the quarantine hold back a
/// second call, not the lease. It is not checked that a renewal is begun within a minute: here time may pass while one
/// of the two still decides on old objects.
pub fn two_leaders() -> World {
    World {
        name: "two-leaders",
        about: "two leaders that know nothing of each other; tokens are ignored",
        packs: vec![pack("concert", 1, 30)],
        tokens: Tokens::Ignored,
        fenced: false,
        faults: 2,
        waived: Some("I7 a renewal is begun".to_owned()),
        ..World::small()
    }
}

/// Worlds in which every rule must hold.
pub fn sound() -> Vec<World> {
    let mut worlds = vec![World::small()];
    worlds.extend(TOKENS.map(three));
    worlds.extend(with_people());
    worlds.extend(TOKENS.map(pair));
    worlds.extend(TOKENS.map(threes));
    worlds.extend(large());
    worlds
}

/// One fault, and people who approve, delete and recreate; and settled orders that are pruned.
fn with_people() -> Vec<World> {
    let one = World { packs: vec![pack("concert", 1, 30)], ..World::small() };
    vec![
        World {
            name: "pruned",
            about: "two renewals; settled orders are kept for 12 hours only; tokens are ignored",
            packs: vec![pack("concert", 1, 54)],
            timing: Timing { order_retention: SignedDuration::from_hours(12), ..Timing::default() },
            tokens: Tokens::Ignored,
            ..one.clone()
        },
        World {
            name: "approval",
            about: "orders wait for a person, who approves or denies them",
            people: People { approve: true, ..People::default() },
            interventions: 2,
            tokens: Tokens::Ignored,
            ..one.clone()
        },
        World {
            name: "deleted-orders",
            about: "a person deletes an order at any moment",
            people: People { delete_orders: true, ..People::default() },
            interventions: 1,
            ..one.clone()
        },
        World {
            name: "recreated",
            about: "a pack is deleted and created again while its orders are being worked on; tokens are ignored",
            people: People { recreate_packs: true, ..People::default() },
            interventions: 1,
            tokens: Tokens::Ignored,
            ..one
        },
    ]
}

/// Two faults in one run, such as a frozen process and a lost answer. Two packs abreast have as many states with one
/// fault.
fn large() -> Vec<World> {
    let twice = World { packs: vec![pack("concert", 1, 30)], tokens: Tokens::Ignored, faults: 2, ..World::small() };
    let mut worlds = vec![
        World { name: "ignored", about: "two faults, one pack; tokens are ignored", ..twice.clone() },
        World {
            name: "lagging",
            about: "lists lag by 100 s, which the quarantine covers; tokens are ignored",
            lag: 100,
            ..twice.clone()
        },
        World {
            name: "known",
            about: "two faults, one pack; tokens are honoured for 15 minutes, and the account says so",
            tokens: Tokens::Known(15),
            lag: 100,
            ..twice.clone()
        },
        World {
            name: "replace",
            about: "a pack that is renewed by a successor; tokens are ignored",
            packs: vec![Plan { replace: true, ..pack("concert", 1, 46) }],
            ..twice.clone()
        },
        World { name: "small-2", about: "as small, with two faults", faults: 2, ..World::small() },
    ];
    worlds.extend([Tokens::Ignored, Tokens::Known(15)].map(abreast));
    worlds.push(two_leaders());
    worlds.extend([Tokens::Ignored, Tokens::Expire(600), Tokens::Known(15)].map(|tokens| World {
        name: named(tokens, ["three-2", "three-ignored-2", "three-expiring-2", "three-known-2"]),
        about: "three instances, two faults",
        faults: 2,
        ..three(tokens)
    }));
    worlds.extend([
        World { name: "pair-2", about: "as pair-ignored, with two faults", faults: 2, ..pair(Tokens::Ignored) },
        World { name: "ignored-3", about: "as ignored, with three faults", faults: 3, ..twice },
    ]);
    worlds
}

/// Worlds that show where the guarantees end. In each of them a rule is known to break, and must be found broken.
pub fn beyond() -> Vec<World> {
    let small =
        World { packs: vec![pack("concert", 1, 30)], tokens: Tokens::Ignored, known: Some("I1"), ..World::small() };
    vec![World { name: "beyond-lag", about: "tokens are ignored, and lists lag by 15 minutes", lag: 900, ..small }]
}
